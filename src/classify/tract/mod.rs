//! The reference engine: an ONNX graph of the streaming contract, run by tract over whole windows.
//!
//! It recomputes its window's frames for every verdict and allocates while doing so: it is the yardstick for engines that
//! stream, and the way to run any graph of the contract. tract's own types stay inside `graph`.

mod error; // why a model is refused
mod graph; // ONNX bytes → a runnable graph
mod plan; // what tract is going to compute

use self::graph::Graph;
pub use self::{
    error::LoadError,
    graph::GraphError,
    plan::{NotInteger, PlannedNode, Product, Role, prove_integer},
};
use super::manifest::Precision;
use super::package::Package;
use super::probability::{Probabilities, softmax};
use super::window::{Bands, Window};
use super::{Classifier, ClassifyError};
use crate::flow::{LogMel, Scores};
use crate::spec::{FrontendSpec, WindowLength};

/// Octaves of power in one step of a log-mel value.
const OCTAVES_PER_STEP: f32 = 1.0 / 256.0;

/// How a model is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Which graph of the package.
    pub precision: Precision,
    /// Accept an int8 graph that tract does not run on integers. Its scores may be right, its cost is not.
    pub allow_float: bool,
    /// The front-end that is going to feed the engine.
    pub frontend: FrontendSpec,
}

impl Default for LoadOptions {
    /// The int8 graph, proved, fed by the shipped front-end.
    fn default() -> Self {
        Self { precision: Precision::Int8, allow_float: false, frontend: FrontendSpec::SHIPPED }
    }
}

/// An engine that runs an ONNX graph with tract.
pub struct TractClassifier {
    graph: Graph,
    temperature: f32,
    window: Window,
}

impl TractClassifier {
    /// Loads a graph of a package.
    ///
    /// In this order: the manifest's front-end is compared with the one that is going to run, the graph's file is
    /// verified, its inputs and outputs are checked (the window against the manifest's contract), tract optimizes it, an int8 graph is proved to run on integers,
    /// and the golden window's probabilities are recomputed.
    ///
    /// # Errors
    /// What is wrong, with the field or the node.
    pub fn load(package: &Package, options: &LoadOptions) -> Result<Self, LoadError> {
        package.check_frontend(&options.frontend)?;
        let manifest = package.manifest();
        let onnx = package.graph(options.precision)?;
        let window = package.window()?;
        let mut engine =
            Self::from_graph(&onnx, Some(window), manifest.labels.len(), manifest.temperature, options)
                .map_err(|error| error.in_file(package.graph_path(options.precision)))?;
        engine.check_golden(package, options.precision)?;
        Ok(engine)
    }

    /// Loads a bare graph, without a package and so without a golden window: for tools that make packages. Its window
    /// is as long as its input says.
    ///
    /// # Errors
    /// What is wrong with the graph.
    pub fn from_onnx(
        onnx: &[u8],
        labels: usize,
        temperature: f32,
        options: &LoadOptions,
    ) -> Result<Self, LoadError> {
        Self::from_graph(onnx, None, labels, temperature, options)
    }

    fn from_graph(
        onnx: &[u8],
        window: Option<WindowLength>,
        labels: usize,
        temperature: f32,
        options: &LoadOptions,
    ) -> Result<Self, LoadError> {
        let graph = Graph::load(onnx, window, labels)?;
        if options.precision == Precision::Int8 && !options.allow_float {
            prove_integer(graph.plan())?;
        }
        let window = Window::new(graph.window());
        Ok(Self { graph, temperature, window })
    }

    /// What tract is going to compute, in the order of execution.
    #[must_use]
    pub fn plan(&self) -> &[PlannedNode] {
        self.graph.plan()
    }

    /// The probabilities of one whole [window](Classifier::window), oldest frame first, apart from the stream.
    ///
    /// # Errors
    /// [`ClassifyError::NotReady`] where `window` has another length; else as [`scores`](Classifier::scores).
    pub fn scores_of_window(&mut self, window: &[Bands]) -> Result<Probabilities, ClassifyError> {
        if window.len() != self.window.length().frames() {
            return Err(ClassifyError::NotReady);
        }
        run(&mut self.graph, self.temperature, window.iter())
    }

    fn check_golden(&mut self, package: &Package, precision: Precision) -> Result<(), LoadError> {
        let manifest = package.manifest();
        let window = package.golden()?;
        let computed = self.scores_of_window(&window).map_err(LoadError::Run)?;
        let stated = manifest.graph(precision).map_or(&[][..], |graph| &graph.golden);
        for ((label, stated), computed) in manifest.labels.iter().zip(stated).zip(&computed) {
            let difference = (stated - computed).abs();
            if difference > manifest.golden.tolerance {
                return Err(LoadError::Golden {
                    path: package.manifest_path(),
                    precision,
                    label: label.clone(),
                    stated: *stated,
                    computed: *computed,
                    tolerance: manifest.golden.tolerance,
                });
            }
        }
        Ok(())
    }
}

fn run<'a>(
    graph: &mut Graph,
    temperature: f32,
    window: impl Iterator<Item = &'a Bands>,
) -> Result<Probabilities, ClassifyError> {
    let fill = |input: &mut [f32]| {
        for (to, from) in input.iter_mut().zip(window.flatten()) {
            *to = f32::from(*from) * OCTAVES_PER_STEP;
        }
    };
    graph.run(fill, |logits| softmax(logits, temperature)).map_err(|_| ClassifyError::Engine)?
}

impl Classifier for TractClassifier {
    fn window(&self) -> WindowLength {
        self.window.length()
    }

    fn push(&mut self, frame: &LogMel) {
        self.window.push(frame);
    }

    fn reset(&mut self) {
        self.window.reset();
    }

    fn scores(&mut self) -> Result<Scores, ClassifyError> {
        if !self.window.is_full() {
            return Err(ClassifyError::NotReady);
        }
        let probabilities = run(&mut self.graph, self.temperature, self.window.iter())?;
        Ok(Scores { end: self.window.end(), probabilities })
    }
}

impl core::fmt::Debug for TractClassifier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TractClassifier")
            .field("nodes", &self.graph.plan().len())
            .field("temperature", &self.temperature)
            .field("steps", &self.window.length().steps())
            .field("held", &self.window.held())
            .finish_non_exhaustive()
    }
}
