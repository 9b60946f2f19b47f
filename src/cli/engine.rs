//! Which model, and which engine runs it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use harmonynet::classify::manifest::{Manifest, Precision};
use harmonynet::classify::package::{EmbeddedFiles, Package};
use harmonynet::classify::tract::{LoadOptions, TractClassifier};
use harmonynet::decide::Policy;
use harmonynet::frontend::Frontend;

/// The shipped package, so that the program works wherever it is put.
const SHIPPED: EmbeddedFiles = &[
    ("manifest.toml", include_bytes!("../../models/harmonynet/manifest.toml")),
    ("int8.onnx", include_bytes!("../../models/harmonynet/int8.onnx")),
    ("float.onnx", include_bytes!("../../models/harmonynet/float.onnx")),
    ("golden.i16le", include_bytes!("../../models/harmonynet/golden.i16le")),
];

/// Options that name a model. Their help and defaults come from the table of settings.
#[derive(Args, Debug)]
pub(crate) struct ModelArgs {
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    #[arg(long, value_enum)]
    graph: GraphArg,

    #[arg(long)]
    allow_float: bool,
}

/// The graphs of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphArg {
    /// Quantized to 8 bits
    Int8,
    /// 32-bit floating point
    Float,
}

impl From<GraphArg> for Precision {
    fn from(graph: GraphArg) -> Self {
        match graph {
            GraphArg::Int8 => Self::Int8,
            GraphArg::Float => Self::Float,
        }
    }
}

impl ModelArgs {
    /// The package, its manifest read and found valid.
    pub(crate) fn package(&self) -> Result<Package> {
        let package = match &self.model {
            Some(folder) => Package::open(folder),
            None => Package::from_embedded(SHIPPED),
        };
        package.map_err(|error| {
            let mend = error.mend();
            anyhow::Error::new(error).context(format!("the model package cannot be used; {mend}"))
        })
    }

    /// The graph that was asked for.
    pub(crate) fn precision(&self) -> Precision {
        self.graph.into()
    }

    /// A verified engine for the graph that was asked for.
    pub(crate) fn engine(&self, package: &Package) -> Result<TractClassifier> {
        self.engine_for(package, self.precision())
    }

    /// A verified engine for any of the package's graphs.
    pub(crate) fn engine_for(&self, package: &Package, precision: Precision) -> Result<TractClassifier> {
        let options = LoadOptions {
            precision,
            allow_float: self.allow_float,
            frontend: package.manifest().frontend.spec,
        };
        TractClassifier::load(package, &options).context("the model cannot be used")
    }
}

/// The package that is built in.
pub(crate) fn shipped() -> Result<Package> {
    Ok(Package::from_embedded(SHIPPED)?)
}

/// The front-end that the package's model was trained with.
pub(crate) fn frontend(package: &Package) -> Result<Frontend> {
    Ok(Frontend::new(package.manifest().frontend.spec)?)
}

/// The policy that fits the model.
pub(crate) fn policy(manifest: &Manifest) -> Result<Policy> {
    let policy = Policy { unsure_below: manifest.unsure_below, ..Policy::DEFAULT };
    Ok(policy.for_window(manifest.window()?, manifest.frontend.spec.hop))
}
