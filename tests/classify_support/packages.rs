//! Packages in temporary folders.

use std::fs;
use std::path::Path;

use harmonynet::classify::manifest::{Contract, FORMAT, Frontend, GoldenWindow, Graph, Graphs, Manifest};
use harmonynet::classify::package::sha256_hex;
use harmonynet::spec::{FrontendSpec, WindowLength};
use tempfile::TempDir;

/// The golden window of a package: a ramp.
pub(crate) fn golden(window: WindowLength) -> Vec<u8> {
    (0..window.frames() * 128).flat_map(|i| ((i % 4001) as i16 - 2000).to_le_bytes()).collect()
}

/// A manifest for three labels and no graph, of the shipped models' window and front-end.
pub(crate) fn manifest() -> Manifest {
    manifest_of(WindowLength::SHIPPED, FrontendSpec::SHIPPED)
}

/// A manifest for three labels and no graph.
pub(crate) fn manifest_of(window: WindowLength, spec: FrontendSpec) -> Manifest {
    Manifest {
        format: FORMAT,
        name: "test".into(),
        version: "0.1.0".into(),
        licence: "made for tests".into(),
        labels: vec!["blues".into(), "jazz".into(), "rock".into()],
        temperature: 1.5,
        unsure_below: 0.45,
        contract: Contract::of(window),
        frontend: Frontend::of(spec),
        golden: GoldenWindow {
            file: "golden.i16le".into(),
            bytes: GoldenWindow::bytes_of(window),
            sha256: sha256_hex(&golden(window)),
            tolerance: 0.001,
        },
        graphs: Graphs::default(),
    }
}

/// The manifest's entry for a graph.
pub(crate) fn entry(file: &str, onnx: &[u8], golden: &[f32]) -> Graph {
    Graph { file: file.into(), bytes: onnx.len() as u64, sha256: sha256_hex(onnx), golden: golden.to_vec() }
}

/// Writes a package: manifest, golden window and the files given.
pub(crate) fn write(manifest: &Manifest, files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manifest.toml"), manifest.to_toml().unwrap()).unwrap();
    fs::write(folder.path().join("golden.i16le"), golden(manifest.window().unwrap())).unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Replaces text in the manifest of a package; the text must be there.
pub(crate) fn edit_manifest(folder: &Path, from: &str, to: &str) {
    let path = folder.join("manifest.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Changes a file of a package.
pub(crate) fn change(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}
