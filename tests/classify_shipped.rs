//! The model that is shipped: it loads, and a copy that was tampered with doesn't.
#![cfg(feature = "tract")]
#![allow(clippy::unwrap_used, reason = "tests report by panicking, their helpers too")]

#[path = "classify_support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use harmonynet::classify::manifest::{Frontend, Manifest, Precision};
use harmonynet::classify::package::{Package, sha256_hex};
use harmonynet::classify::tract::{LoadOptions, Role, TractClassifier};
use harmonynet::spec::FrontendSpec;
use support::packages::{change, edit_manifest};
use tempfile::TempDir;

const FLOAT: LoadOptions =
    LoadOptions { precision: Precision::Float, allow_float: false, frontend: FrontendSpec::SHIPPED };
const INT8: LoadOptions = LoadOptions { precision: Precision::Int8, ..FLOAT };

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/harmonynet")
}

/// A copy of the shipped model; `None`, with a printed reason, in a checkout without one.
fn copy() -> Option<TempDir> {
    if !shipped().join("manifest.toml").exists() {
        eprintln!("skipped: there is no models/harmonynet/manifest.toml in this checkout");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(shipped()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    Some(folder)
}

fn manifest(folder: &Path) -> Manifest {
    Manifest::from_toml(&fs::read_to_string(folder.join("manifest.toml")).unwrap()).unwrap()
}

fn rewrite(folder: &Path, edit: impl FnOnce(&mut Manifest)) {
    let mut manifest = manifest(folder);
    edit(&mut manifest);
    fs::write(folder.join("manifest.toml"), manifest.to_toml().unwrap()).unwrap();
}

/// Why a tampered copy is refused.
fn refusal(folder: &Path, options: &LoadOptions) -> String {
    match Package::open(folder) {
        Err(error) => error.to_string(),
        Ok(package) => TractClassifier::load(&package, options).unwrap_err().to_string(),
    }
}

#[test]
fn both_graphs_load_and_the_int8_one_is_proved() {
    let Some(folder) = copy() else { return };
    let package = Package::open(folder.path()).unwrap();
    package.verify().unwrap();
    TractClassifier::load(&package, &FLOAT).unwrap();
    let engine = TractClassifier::load(&package, &INT8).unwrap();
    let products = engine.plan().iter().filter_map(|node| node.product.as_ref());
    let proved: u64 = products
        .filter(|product| product.role == Role::Layer)
        .map(|product| u64::from(product.integer) * product.multiply_adds)
        .sum();
    // By hand: three convolutions of 3×3 and the projection of 2048 features to four gates of 64 units.
    let convolutions = 164 * 128 * 32 * 9 + 80 * 64 * 64 * 288 + 38 * 32 * 128 * 576;
    assert_eq!(proved, convolutions + 19 * 2048 * 256);
}

#[test]
fn the_card_is_about_the_model() {
    let Some(folder) = copy() else { return };
    let Manifest { name, version, .. } = manifest(folder.path());
    let card = fs::read_to_string(folder.path().join("CARD.md")).unwrap();
    assert_eq!(card.lines().next().unwrap(), format!("# Model card: {name} {version}"));
}

#[test]
fn a_flipped_byte_is_found() {
    let Some(folder) = copy() else { return };
    let manifest = manifest(folder.path());
    for (precision, options) in [(Precision::Int8, INT8), (Precision::Float, FLOAT)] {
        let file = folder.path().join(&manifest.graph(precision).unwrap().file);
        change(&file, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        });
        let error = refusal(folder.path(), &options);
        assert!(error.contains(&format!("graphs.{precision}.sha256")), "{error}");
    }
}

#[test]
fn a_truncated_file_is_found() {
    let Some(folder) = copy() else { return };
    let file = folder.path().join(&manifest(folder.path()).graph(Precision::Int8).unwrap().file);
    change(&file, |bytes| bytes.truncate(bytes.len() / 2));
    let error = refusal(folder.path(), &INT8);
    assert!(error.contains("graphs.int8.bytes"), "{error}");
}

/// Weights that don't belong to the manifest, with a fitting hash: only the golden window can tell.
#[test]
fn another_golden_vector_is_found() {
    let Some(folder) = copy() else { return };
    rewrite(folder.path(), |manifest| {
        let golden = &mut manifest.graphs.float.as_mut().unwrap().golden;
        let by = |a: &usize, b: &usize| golden[*a].total_cmp(&golden[*b]);
        let (least, most) = ((0..golden.len()).min_by(by).unwrap(), (0..golden.len()).max_by(by).unwrap());
        golden.swap(least, most);
    });
    let error = refusal(folder.path(), &FLOAT);
    assert!(error.contains("graphs.float.golden") && error.contains("is computed here"), "{error}");
}

#[test]
fn the_float_graph_in_place_of_the_int8_one_is_refused() {
    let Some(folder) = copy() else { return };
    rewrite(folder.path(), |manifest| manifest.graphs.int8 = manifest.graphs.float.clone());
    let error = refusal(folder.path(), &INT8);
    assert!(error.contains("conv1") && error.contains("--allow-float"), "{error}");
    let package = Package::open(folder.path()).unwrap();
    TractClassifier::load(&package, &LoadOptions { allow_float: true, ..INT8 }).unwrap();
}

#[test]
fn another_number_of_labels_is_refused() {
    let Some(folder) = copy() else { return };
    let label = manifest(folder.path()).labels[0].clone();
    rewrite(folder.path(), |manifest| {
        manifest.labels.pop();
        let graphs = &mut manifest.graphs;
        for graph in [&mut graphs.int8, &mut graphs.float, &mut graphs.native].into_iter().flatten() {
            let last = graph.golden.pop().unwrap();
            graph.golden[0] += last;
        }
    });
    let error = refusal(folder.path(), &INT8);
    assert!(error.contains("the graph's output is logits"), "{error}");
    edit_manifest(folder.path(), &format!("\"{label}\""), "\"\"");
    let error = refusal(folder.path(), &INT8);
    assert!(error.contains("labels"), "{error}");
}

#[test]
fn another_front_end_is_refused_by_field() {
    let Some(folder) = copy() else { return };
    rewrite(folder.path(), |manifest| {
        manifest.frontend = Frontend::of(FrontendSpec { high_hz: 8000, ..FrontendSpec::SHIPPED });
    });
    let error = refusal(folder.path(), &INT8);
    assert!(error.contains("frontend.spec.high_hz is 8000, but 7200 runs here"), "{error}");
}

#[test]
fn another_contract_is_refused_by_field() {
    let Some(folder) = copy() else { return };
    edit_manifest(folder.path(), "window_frames = 166", "window_frames = 171");
    let error = refusal(folder.path(), &INT8);
    assert!(error.contains("contract.window_frames is 171; allowed: 166"), "{error}");
}

/// A graph of another shape, with a fitting size and hash.
#[test]
fn a_graph_of_another_shape_is_refused() {
    let Some(folder) = copy() else { return };
    let file = folder.path().join("other.onnx");
    let int8 = manifest(folder.path()).graph(Precision::Int8).unwrap().file.clone();
    fs::copy(folder.path().join(int8), &file).unwrap();
    // Inputs come after nodes and weights in an ONNX file: the last dimension of 166 is the input's. It becomes 171.
    change(&file, |bytes| {
        let dims = [0x08, 0xa6, 0x01];
        let at = bytes.windows(3).rposition(|window| window == dims).unwrap();
        bytes[at + 1] = 0xab;
    });
    let bytes = fs::read(&file).unwrap();
    rewrite(folder.path(), |manifest| {
        let graph = manifest.graphs.int8.as_mut().unwrap();
        graph.file = "other.onnx".into();
        graph.sha256 = sha256_hex(&bytes);
    });
    let error = refusal(folder.path(), &INT8);
    assert!(error.contains("required: log_mel F32 [1, 166, 128]"), "{error}");
}
