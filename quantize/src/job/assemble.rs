//! Everything that was made and found → the files of a package.

use harmonynet::classify::manifest::{self, Frontend, GoldenWindow, Graphs, Manifest};
use harmonynet::classify::package::sha256_hex;
use harmonynet::spec::FrontendSpec;

use super::native::Native;
use super::{Job, Package};
use crate::confidence::softmax;
use crate::error::JobError;
use crate::evaluate::native_logits;
use crate::features::{self, Windows};
use crate::onnx::Engine;
use crate::package;
use crate::report::Report;

/// Largest |Δp| of the golden window that a runtime accepts at load.
const GOLDEN_TOLERANCE: f32 = 1e-3;
/// The native form's name in a package.
pub(super) const NATIVE_FILE: &str = "native.hnn";

/// What all forms agree on.
pub(super) struct Contract {
    pub(super) windows: Windows,
    pub(super) spec: FrontendSpec,
    pub(super) labels: Vec<String>,
    /// The record of the training that made them.
    pub(super) training: Option<Vec<u8>>,
}

/// A graph's file and the engine that runs it.
pub(super) struct Graph {
    pub(super) bytes: Vec<u8>,
    pub(super) engine: Engine,
}

/// Puts the package together; the manifest is the last of its files.
pub(super) fn assemble(
    job: &Job,
    report: Report,
    contract: &Contract,
    float: &Graph,
    int8: &Graph,
    native: Option<Native>,
) -> Result<Package, JobError> {
    let window = package::golden_window(job.golden.as_deref(), contract.windows)?;
    let golden: Vec<u8> = window.iter().flat_map(|value| value.to_le_bytes()).collect();
    let octaves = features::octaves(&window);
    let entry = |file: &str, bytes: &[u8], logits: &[f32]| -> Result<manifest::Graph, JobError> {
        Ok(manifest::Graph {
            file: file.into(),
            bytes: bytes.len() as u64,
            sha256: sha256_hex(bytes),
            golden: softmax(logits, report.confidence.temperature)?.to_vec(),
        })
    };
    let graph = |file: &str, graph: &Graph| -> Result<manifest::Graph, JobError> {
        entry(file, &graph.bytes, &graph.engine.run(&octaves)?.swap_remove(0))
    };
    let native_entry =
        |native: &Native| entry(NATIVE_FILE, &native.outcome.file, &native_logits(&native.model, &window));
    let manifest = Manifest {
        format: manifest::FORMAT,
        name: job.name.clone(),
        version: job.version.clone(),
        licence: job.licence.clone(),
        labels: contract.labels.clone(),
        temperature: report.confidence.temperature,
        unsure_below: report.confidence.unsure_below,
        contract: manifest::Contract::of(contract.windows.length),
        frontend: Frontend::of(contract.spec),
        golden: GoldenWindow {
            file: "golden.i16le".into(),
            bytes: golden.len() as u64,
            sha256: sha256_hex(&golden),
            tolerance: GOLDEN_TOLERANCE,
        },
        graphs: Graphs {
            int8: Some(graph("int8.onnx", int8)?),
            float: Some(graph("float.onnx", float)?),
            native: native.as_ref().map(native_entry).transpose()?,
        },
    };
    let mut files = vec![("float.onnx", float.bytes.clone()), ("int8.onnx", int8.bytes.clone())];
    files.extend(native.map(|native| (NATIVE_FILE, native.outcome.file)));
    files.extend([
        ("golden.i16le", golden),
        ("quantization.json", report.to_json()?.into_bytes()),
        ("quantization.md", report.to_markdown().into_bytes()),
    ]);
    files.extend(report.pictures().map(|(name, picture)| (name, picture.into_bytes())));
    if let Some(training) = &contract.training {
        files.push(("training.json", training.clone()));
    }
    files.push((manifest::FILE_NAME, manifest.to_toml()?.into_bytes()));
    Ok(Package { files, report })
}
