//! Which engine runs a package, and what is said where none can: with and without a native model, with a damaged one, and
//! asked for what contradicts itself.
#![cfg(all(feature = "native", feature = "tract"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

#[path = "classify_support/mod.rs"]
mod support;

use harmonynet::classify::Classifier as _;
use harmonynet::classify::engine::{Choice, Engine, EngineError, Form};
use harmonynet::classify::manifest::{Graphs, Manifest, Precision};
use harmonynet::classify::native::{Kernel, Model, NativeLoadError, Parts, ReadOut, Shape};
use harmonynet::classify::package::{Package, PackageError};
use harmonynet::classify::tract::{LoadOptions, TractClassifier};
use harmonynet::spec::{FrontendSpec, WindowLength};
use support::graphs::{self, LABELS, Recurrent};
use support::packages;
use tempfile::TempDir;

const STEPS: usize = 2;
const INT8: Form = Form::Graph(Precision::Int8);

/// Three channels' worth of random weights: the native model and the graph are of different networks, so that it shows which
/// of them ran.
fn native() -> Vec<u8> {
    let read_out = ReadOut::Mean;
    let shape = Shape { steps: STEPS, channels: [16; 3], hidden: 16, labels: LABELS, read_out };
    Parts::random(&shape, 3).to_file().unwrap()
}

/// A package with an int8 graph, and with a native model or without.
fn package(with_native: bool) -> TempDir {
    let window = WindowLength::of_steps(STEPS).unwrap();
    let mut manifest = packages::manifest_of(window, FrontendSpec::SHIPPED);
    let (onnx, native) = (graphs::layered_over(window, [graphs::Form::Int8; 3], Recurrent::Scan), native());
    let golden: Vec<i16> =
        packages::golden(window).as_chunks().0.iter().map(|&b| i16::from_le_bytes(b)).collect();
    let golden = golden.as_chunks().0;
    let options = LoadOptions::default();
    let mut tract = TractClassifier::from_onnx(&onnx, LABELS, manifest.temperature, &options).unwrap();
    let by_tract = tract.scores_of_window(golden).unwrap();
    let model = Model::new(native.as_slice()).unwrap();
    let by_native = model.scores_of_window(golden, manifest.temperature, Kernel::PORTABLE).unwrap();
    manifest.graphs = Graphs {
        int8: Some(packages::entry("int8.onnx", &onnx, &by_tract)),
        float: None,
        native: with_native.then(|| packages::entry("native.hnn", &native, &by_native)),
    };
    packages::write(&manifest, &[("int8.onnx", &onnx), ("native.hnn", &native)])
}

fn load(folder: &TempDir, choice: Choice, precision: Precision) -> Result<Engine, Box<EngineError>> {
    let package = Package::open(folder.path()).unwrap();
    let form = Form::choose(package.manifest(), choice, precision)?;
    Ok(Engine::load(&package, form, &FrontendSpec::SHIPPED, false)?)
}

fn loaded(folder: &TempDir, choice: Choice) -> &'static str {
    load(folder, choice, Precision::Int8).unwrap().name()
}

#[test]
fn auto_takes_the_native_model_where_there_is_one() {
    let (with, without) = (package(true), package(false));
    assert_eq!((loaded(&with, Choice::Auto), loaded(&without, Choice::Auto)), ("native", "tract"));
    assert_eq!((loaded(&with, Choice::Native), loaded(&with, Choice::Tract)), ("native", "tract"));
    assert_eq!(load(&with, Choice::Auto, Precision::Int8).unwrap().window().steps(), STEPS);
}

#[test]
fn a_native_model_that_is_missing_is_named_with_the_mend() {
    let error = load(&package(false), Choice::Native, Precision::Int8).unwrap_err();
    assert!(
        matches!(*error, EngineError::Native(NativeLoadError::Package(PackageError::NoNative { .. }))),
        "{error}"
    );
    assert!(error.to_string().contains("quantize"), "{error}");
    let folder = package(true);
    std::fs::remove_file(folder.path().join("native.hnn")).unwrap();
    let error = load(&folder, Choice::Auto, Precision::Int8).unwrap_err().to_string();
    assert!(error.contains("native.hnn") && error.contains("graphs.native.file"), "{error}");
}

/// Nobody falls back to tract in silence: a damaged file is a damaged package.
#[test]
fn a_damaged_native_model_is_refused_and_not_passed_over() {
    let refused = |folder: &TempDir| load(folder, Choice::Auto, Precision::Int8).unwrap_err();
    let folder = package(true);
    let file = folder.path().join("native.hnn");
    packages::change(&file, |bytes| bytes[4000] ^= 1);
    let told = refused(&folder).to_string();
    assert!(told.contains("graphs.native.sha256") && told.contains("quantize"), "{told}");
    packages::change(&file, |bytes| bytes.truncate(4000));
    assert!(refused(&folder).to_string().contains("graphs.native.bytes"), "{}", refused(&folder));
    assert_eq!(loaded(&folder, Choice::Tract), "tract");

    // The manifest agrees with the damage, the file's own hash does not.
    let folder = package(true);
    let file = folder.path().join("native.hnn");
    packages::change(&file, |bytes| bytes[4000] ^= 1);
    rewrite(&folder, |manifest| {
        let native = manifest.graphs.native.as_mut().unwrap();
        *native = packages::entry("native.hnn", &std::fs::read(&file).unwrap(), &native.golden);
    });
    assert!(
        matches!(*refused(&folder), EngineError::Native(NativeLoadError::Model { .. })),
        "{}",
        refused(&folder)
    );
}

#[test]
fn a_native_model_of_other_weights_is_told_by_the_golden_window() {
    let folder = package(true);
    rewrite(&folder, |manifest| manifest.graphs.native.as_mut().unwrap().golden.rotate_left(1));
    let error = load(&folder, Choice::Auto, Precision::Int8).unwrap_err();
    assert!(error.to_string().contains("graphs.native.golden"), "{error}");
}

#[test]
fn what_contradicts_itself_or_is_not_there_is_refused() {
    let folder = package(true);
    let error = load(&folder, Choice::Native, Precision::Float).unwrap_err();
    assert_eq!(*error, EngineError::FloatOnIntegers);
    let error = load(&folder, Choice::Auto, Precision::Float).unwrap_err().to_string();
    assert!(error.contains("graphs.float is missing"), "{error}");
    assert_eq!(
        Form::choose(Package::open(folder.path()).unwrap().manifest(), Choice::Tract, Precision::Int8),
        Ok(INT8)
    );
}

fn rewrite(folder: &TempDir, edit: impl FnOnce(&mut Manifest)) {
    let path = folder.path().join("manifest.toml");
    let mut manifest = Manifest::from_toml(&std::fs::read_to_string(&path).unwrap()).unwrap();
    edit(&mut manifest);
    std::fs::write(path, manifest.to_toml().unwrap()).unwrap();
}
