//! The tract engine on small graphs: what it computes, and what it refuses.
#![cfg(feature = "tract")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

#[path = "classify_support/mod.rs"]
mod support;

use harmonynet::classify::manifest::{Frontend, Graphs, Precision};
use harmonynet::classify::package::{Package, PackageError};
use harmonynet::classify::tract::{LoadError, LoadOptions, Role, TractClassifier};
use harmonynet::classify::window::Bands;
use harmonynet::classify::{Classifier, ClassifyError};
use harmonynet::flow::{Level, LogMel};
use harmonynet::spec::{FrontendSpec, WindowLength};
use support::graphs::{self, Form, LABELS, Recurrent};
use support::packages;

const INT8: LoadOptions =
    LoadOptions { precision: Precision::Int8, allow_float: false, frontend: FrontendSpec::SHIPPED };
const FLOAT: LoadOptions = LoadOptions { precision: Precision::Float, ..INT8 };

fn loaded(onnx: &[u8], options: &LoadOptions) -> TractClassifier {
    TractClassifier::from_onnx(onnx, LABELS, 1.0, options).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(onnx: &[u8], options: &LoadOptions) -> String {
    TractClassifier::from_onnx(onnx, LABELS, 1.0, options).unwrap_err().to_string()
}

/// Pseudo-random log-mel values within ±10 octaves.
fn noise(seed: u64) -> Vec<Bands> {
    let values = graphs::noise(166 * 128, seed);
    values.chunks(128).map(|frame| core::array::from_fn(|band| (frame[band] * 2560.0) as i16)).collect()
}

fn frame(number: u64, bands: Bands) -> LogMel {
    LogMel { end: 1024 + 512 * number, level: Level::SILENCE, bands }
}

/// Probabilities in f64 by the textbook.
fn softmax(logits: [f64; LABELS], temperature: f64) -> [f64; LABELS] {
    let exps = logits.map(|logit| (logit / temperature).exp());
    let sum: f64 = exps.iter().sum();
    exps.map(|e| e / sum)
}

#[test]
fn frames_arrive_oldest_first_in_octaves() {
    let mut engine = TractClassifier::from_onnx(&graphs::picking(), LABELS, 1.5, &FLOAT).unwrap();
    let frames = [noise(1), noise(2)].concat();
    for (number, bands) in frames.iter().enumerate() {
        assert_eq!(engine.scores().is_ok(), number >= 166, "after {number} frames");
        engine.push(&frame(number as u64, *bands));
    }
    let window = &frames[166..];
    let octaves = |frame: usize, band: usize| f64::from(window[frame][band]) / 256.0;
    let expected = softmax([octaves(0, 0), octaves(1, 5), octaves(165, 127)], 1.5);
    let scores = engine.scores().unwrap();
    assert_eq!(scores.end, 1024 + 512 * 331);
    for (ours, expected) in scores.probabilities.iter().zip(expected) {
        assert!((f64::from(*ours) - expected).abs() < 1e-5, "{ours} instead of {expected}");
    }
    assert_eq!(engine.scores_of_window(window).unwrap(), scores.probabilities);
}

#[test]
fn a_gap_means_waiting_for_a_whole_window() {
    let mut engine = loaded(&graphs::picking(), &FLOAT);
    for (number, bands) in noise(3).into_iter().enumerate() {
        engine.push(&frame(number as u64, bands));
    }
    assert!(engine.scores().is_ok());
    engine.reset();
    assert_eq!(engine.scores(), Err(ClassifyError::NotReady));
    assert_eq!(engine.scores_of_window(&noise(3)[1..]), Err(ClassifyError::NotReady));
}

#[test]
fn scores_that_are_not_numbers_are_an_error() {
    let mut engine = loaded(&graphs::picking_with(f32::NAN), &FLOAT);
    assert_eq!(engine.scores_of_window(&noise(4)), Err(ClassifyError::NotFinite));
}

/// The window is the model's: an engine takes the length that its graph has.
#[test]
fn a_graph_brings_its_own_window() {
    let window = WindowLength::of_steps(5).unwrap();
    for (form, recurrent, options) in
        [(Form::Float, Recurrent::Lstm, FLOAT), (Form::Int8, Recurrent::Scan, INT8)]
    {
        let mut engine = loaded(&graphs::layered_over(window, [form; 3], recurrent), &options);
        assert_eq!(engine.window(), window);
        let frames = &noise(8)[..60];
        for (number, bands) in frames.iter().enumerate() {
            assert_eq!(engine.scores().is_ok(), number >= 54, "after {number} frames");
            engine.push(&frame(number as u64, *bands));
        }
        let scores = engine.scores().unwrap();
        assert_eq!(engine.scores_of_window(&frames[6..]).unwrap(), scores.probabilities);
        assert_eq!(engine.scores_of_window(frames), Err(ClassifyError::NotReady));
    }
}

#[test]
fn a_graph_of_another_window_than_the_manifests_is_refused() {
    let onnx = graphs::layered([Form::Int8; 3], Recurrent::Scan);
    let mut manifest = packages::manifest_of(WindowLength::of_steps(5).unwrap(), FrontendSpec::SHIPPED);
    let int8 = Some(packages::entry("int8.onnx", &onnx, &[1.0, 0.0, 0.0]));
    manifest.graphs = Graphs { int8, ..Graphs::default() };
    let folder = packages::write(&manifest, &[("int8.onnx", &onnx)]);
    let error = TractClassifier::load(&Package::open(folder.path()).unwrap(), &INT8).unwrap_err();
    let error = error.to_string();
    let expected = "input is log_mel F32 [1, 166, 128]; required: log_mel F32 [1, 54, 128]";
    assert!(error.contains("int8.onnx") && error.contains(expected), "{error}");
}

/// Each window starts from the recurrent layer's zero state, whatever was computed before it.
#[test]
fn windows_do_not_depend_on_earlier_ones() {
    for (form, recurrent, options) in
        [(Form::Float, Recurrent::Lstm, FLOAT), (Form::Int8, Recurrent::Scan, INT8)]
    {
        let onnx = graphs::layered([form; 3], recurrent);
        let mut engine = loaded(&onnx, &options);
        let first = engine.scores_of_window(&noise(5)).unwrap();
        let other = engine.scores_of_window(&noise(6)).unwrap();
        assert_ne!(first, other);
        assert_eq!(engine.scores_of_window(&noise(5)).unwrap(), first);
        assert_eq!(loaded(&onnx, &options).scores_of_window(&noise(5)).unwrap(), first);
    }
}

#[test]
fn an_int8_graph_is_proved_layer_by_layer() {
    let engine = loaded(&graphs::layered([Form::Int8; 3], Recurrent::Scan), &INT8);
    let products =
        |role| engine.plan().iter().filter(move |n| n.product.as_ref().is_some_and(|p| p.role == role));
    let layers: Vec<_> = products(Role::Layer).collect();
    // Multiply-adds of the three convolutions and of the projection, by hand.
    let expected = [164 * 128 * 2 * 9, 80 * 64 * 2 * 18, 38 * 32 * 2 * 18, 19 * 32 * 4];
    let counted: Vec<_> = layers.iter().map(|node| node.product.as_ref().unwrap().multiply_adds).collect();
    assert_eq!(counted, expected);
    for node in layers {
        let product = node.product.as_ref().unwrap();
        assert!(product.integer && product.to_string().starts_with("I8 x I8 -> I32 by "), "{product}");
    }
    assert_eq!(products(Role::Recurrence).count(), 1);
    assert_eq!(products(Role::Head).count(), 1);
}

#[test]
fn a_float_graph_is_no_int8_graph() {
    let onnx = graphs::layered([Form::Float; 3], Recurrent::Lstm);
    let error = refused(&onnx, &INT8);
    assert!(error.contains("conv1") && error.contains("F32"), "{error}");
    assert!(error.contains("--allow-float"), "{error}");
    loaded(&onnx, &LoadOptions { allow_float: true, ..INT8 });
    loaded(&onnx, &FLOAT);
}

#[test]
fn one_float_convolution_is_found() {
    for number in 1..=3 {
        for form in [Form::Float, Form::Qdq] {
            let mut convolutions = [Form::Int8; 3];
            convolutions[number - 1] = form;
            let error = refused(&graphs::layered(convolutions, Recurrent::Scan), &INT8);
            assert!(error.contains(&format!("conv{number}")) && error.contains("F32"), "{error}");
        }
    }
}

#[test]
fn a_float_projection_is_found() {
    let error = refused(&graphs::layered([Form::Int8; 3], Recurrent::Lstm), &INT8);
    assert!(error.contains("lstm") && error.contains("F32"), "{error}");
}

#[test]
fn a_graph_without_layers_proves_nothing() {
    let error = refused(&graphs::picking(), &INT8);
    assert!(error.contains("no convolution"), "{error}");
}

#[test]
fn another_interface_is_refused_by_name_and_shape() {
    let window = [1, 166, 128];
    loaded(&graphs::misnamed("log_mel", &window, "logits", "MatMul"), &FLOAT);
    let error = refused(&graphs::misnamed("mel", &window, "logits", "MatMul"), &FLOAT);
    let required = "required: log_mel F32 [1, 8 · steps + 14, 128], 1 to 32 steps";
    assert_eq!(error, format!("the graph's input is mel F32 [1, 166, 128]; {required}"));
    let error = refused(&graphs::misnamed("log_mel", &[1, 171, 128], "logits", "MatMul"), &FLOAT);
    assert!(error.contains("input is log_mel F32 [1, 171, 128]"), "{error}");
    let error = refused(&graphs::misnamed("log_mel", &window, "scores", "MatMul"), &FLOAT);
    assert!(error.contains("output is scores F32 [1, 3]; required: logits"), "{error}");
    let error = TractClassifier::from_onnx(&graphs::picking(), 10, 1.0, &FLOAT).unwrap_err().to_string();
    assert_eq!(error, "the graph's output is logits F32 [1, 3]; required: logits F32 [1, 10]");
}

#[test]
fn what_tract_cannot_run_is_named() {
    let error = refused(&graphs::misnamed("log_mel", &[1, 166, 128], "logits", "QGemm"), &FLOAT);
    assert!(error.contains("QGemm"), "{error}");
    let error = refused(&graphs::without_axis(), &FLOAT);
    assert!(error.starts_with("tract cannot run this graph: tract panicked"), "{error}");
    let whole = graphs::picking();
    assert!(refused(b"no model at all", &FLOAT).contains("ONNX"));
    assert!(refused(&whole[..whole.len() / 2], &FLOAT).contains("ONNX"));
    assert!(refused(&[], &FLOAT).contains("ONNX"));
}

/// A package around the integer graph whose golden probabilities are `golden`.
fn package(golden: &[f32]) -> (tempfile::TempDir, Package) {
    let onnx = graphs::layered([Form::Int8; 3], Recurrent::Scan);
    let mut manifest = packages::manifest();
    manifest.graphs = Graphs { int8: Some(packages::entry("int8.onnx", &onnx, golden)), ..Graphs::default() };
    let folder = packages::write(&manifest, &[("int8.onnx", &onnx)]);
    let package = Package::open(folder.path()).unwrap();
    (folder, package)
}

/// The golden probabilities of the package, computed without one.
fn right_golden() -> Vec<f32> {
    let (_folder, package) = package(&[1.0, 0.0, 0.0]);
    let onnx = package.graph(Precision::Int8).unwrap();
    let mut engine = TractClassifier::from_onnx(&onnx, LABELS, 1.5, &INT8).unwrap();
    engine.scores_of_window(&package.golden().unwrap()).unwrap().to_vec()
}

#[test]
fn a_package_loads_when_its_golden_window_agrees() {
    let (_folder, package) = package(&right_golden());
    TractClassifier::load(&package, &INT8).unwrap();
    let error = TractClassifier::load(&package, &FLOAT).unwrap_err();
    assert!(matches!(error, LoadError::Package(PackageError::NoGraph { .. })), "{error}");
}

#[test]
fn another_golden_window_is_refused_with_both_values() {
    let mut golden = right_golden();
    golden[1] += 0.25;
    golden[2] -= 0.25;
    if golden[2] < 0.0 {
        golden.rotate_left(1);
    }
    let sum: f32 = golden.iter().map(|p| p.max(0.0)).sum();
    let golden: Vec<f32> = golden.iter().map(|p| p.max(0.0) / sum).collect();
    let (_folder, package) = package(&golden);
    let error = TractClassifier::load(&package, &INT8).unwrap_err();
    let LoadError::Golden { stated, computed, tolerance, .. } = error else { panic!("{error}") };
    assert!((stated - computed).abs() > tolerance);
    let text = error.to_string();
    assert!(text.contains(&stated.to_string()) && text.contains(&computed.to_string()), "{text}");
    assert!(text.contains("graphs.int8.golden"), "{text}");
}

#[test]
fn another_front_end_is_refused_by_field() {
    let (folder, _) = package(&right_golden());
    let spec = FrontendSpec { hop: 1536, ..FrontendSpec::SHIPPED };
    packages::edit_manifest(folder.path(), "hop = 512", "hop = 1536");
    let error = Package::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("frontend.spec.hop is 1536, but 512 runs here"), "{error}");
    let shipped = Frontend::of(FrontendSpec::SHIPPED).fingerprint;
    packages::edit_manifest(folder.path(), &shipped, &Frontend::of(spec).fingerprint);
    let package = Package::open(folder.path()).unwrap();
    let error = TractClassifier::load(&package, &INT8).unwrap_err().to_string();
    assert!(error.contains("frontend.spec.hop is 1536, but 512 runs here"), "{error}");
    TractClassifier::load(&package, &LoadOptions { frontend: spec, ..INT8 }).unwrap();
}

#[test]
fn an_engine_moves_between_threads() {
    let mut engine = loaded(&graphs::layered([Form::Int8; 3], Recurrent::Scan), &INT8);
    let here = engine.scores_of_window(&noise(7)).unwrap();
    let there = std::thread::spawn(move || engine.scores_of_window(&noise(7)).unwrap()).join().unwrap();
    assert_eq!(here, there);
}
