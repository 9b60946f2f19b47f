//! Which model, and which engine runs it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use harmonynet::classify::engine::{Choice, Engine, Form};
use harmonynet::classify::manifest::{Manifest, Precision};
use harmonynet::classify::package::{EmbeddedFiles, Package};
use harmonynet::decide::Policy;
use harmonynet::frontend::Frontend;

/// The shipped package, so that the program works wherever it is put: of the model's forms those that this build runs.
const SHIPPED: EmbeddedFiles = &[
    ("manifest.toml", include_bytes!("../../models/harmonynet/manifest.toml")),
    ("golden.i16le", include_bytes!("../../models/harmonynet/golden.i16le")),
    #[cfg(feature = "native")]
    ("native.hnn", &NATIVE.0),
    #[cfg(feature = "tract")]
    ("int8.onnx", include_bytes!("../../models/harmonynet/int8.onnx")),
    #[cfg(feature = "tract")]
    ("float.onnx", include_bytes!("../../models/harmonynet/float.onnx")),
];

/// Bytes where the native engine reads them fastest: it runs the model where it lies.
#[cfg(feature = "native")]
#[repr(align(64))]
struct Aligned<T: ?Sized>(T);
#[cfg(feature = "native")]
static NATIVE: &Aligned<[u8]> = &Aligned(*include_bytes!("../../models/harmonynet/native.hnn"));
#[cfg(feature = "native")]
const _: () = assert!(align_of::<Aligned<u8>>() == harmonynet::classify::native::ALIGNMENT);

/// Options that name a model and its engine. Their help and defaults come from the table of settings.
#[derive(Args, Debug)]
pub(crate) struct ModelArgs {
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    #[arg(long, value_enum)]
    engine: EngineArg,

    #[arg(long, value_enum)]
    graph: GraphArg,

    #[arg(long)]
    allow_float: bool,
}

/// The engines. All of them in every build: what a build lacks is told with what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EngineArg {
    /// The native engine where the package has a file for it, else tract
    Auto,
    /// Streaming, on integers
    Native,
    /// Any ONNX graph of the contract
    Tract,
}

impl From<EngineArg> for Choice {
    fn from(engine: EngineArg) -> Self {
        match engine {
            EngineArg::Auto => Self::Auto,
            EngineArg::Native => Self::Native,
            EngineArg::Tract => Self::Tract,
        }
    }
}

/// The graphs of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphArg {
    /// Quantized to 8 bits
    Int8,
    /// 32-bit floating point; tract runs it
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

    /// The form of the model that is going to run.
    pub(crate) fn form(&self, package: &Package) -> Result<Form> {
        let form = Form::choose(package.manifest(), self.engine.into(), self.graph.into());
        form.context("the model cannot be used")
    }

    /// A verified engine for what was asked for.
    pub(crate) fn engine(&self, package: &Package) -> Result<Engine> {
        self.engine_for(package, self.form(package)?)
    }

    /// A verified engine for any form of the package's model.
    pub(crate) fn engine_for(&self, package: &Package, form: Form) -> Result<Engine> {
        Engine::load(package, form, &package.manifest().frontend.spec, self.allow_float)
            .context("the model cannot be used")
    }

    /// What runs, and why where nobody asked for it.
    pub(crate) fn says(&self, package: &Package, engine: &Engine) -> String {
        let has_native = package.manifest().graphs.native.is_some();
        let why = match (self.engine, self.graph) {
            (EngineArg::Auto, GraphArg::Float) => "; the float graph was asked for",
            (EngineArg::Auto, GraphArg::Int8) if !has_native => "; the package has no native model",
            (EngineArg::Auto, GraphArg::Int8) if engine.name() == "native" => {
                "; the package has a native model"
            }
            _ => "",
        };
        format!("{}{why}", describe(engine))
    }
}

/// The engine and how it runs.
pub(crate) fn describe(engine: &Engine) -> String {
    match engine {
        #[cfg(feature = "native")]
        Engine::Native(native) => format!("native, kernel {}", native.kernel().name()),
        #[cfg(feature = "tract")]
        Engine::Tract(_) => "tract".to_string(),
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
