//! Packages in temporary folders.

use std::fs;
use std::path::Path;

use harmonynet::classify::manifest::{
    Contract, FORMAT, Frontend, GOLDEN_BYTES, GoldenWindow, Graph, Graphs, Manifest,
};
use harmonynet::classify::package::sha256_hex;
use harmonynet::spec::FrontendSpec;
use tempfile::TempDir;

/// The golden window of every package here: a ramp.
pub(crate) fn golden() -> Vec<u8> {
    (0..166 * 128).flat_map(|i: i32| ((i % 4001 - 2000) as i16).to_le_bytes()).collect()
}

/// A manifest for three labels and no graph.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        name: "test".into(),
        version: "0.1.0".into(),
        licence: "made for tests".into(),
        labels: vec!["blues".into(), "jazz".into(), "rock".into()],
        temperature: 1.5,
        unsure_below: 0.45,
        contract: Contract::CURRENT,
        frontend: Frontend::of(FrontendSpec::SHIPPED),
        golden: GoldenWindow {
            file: "golden.i16le".into(),
            bytes: GOLDEN_BYTES,
            sha256: sha256_hex(&golden()),
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
    fs::write(folder.path().join("golden.i16le"), golden()).unwrap();
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
