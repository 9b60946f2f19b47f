use super::*;
use crate::spec::LevelHandling;

/// A manifest with every form of a model.
pub(in crate::classify) fn valid() -> Manifest {
    let graph = |file: &str, golden: Vec<f32>| Graph {
        file: file.into(),
        bytes: 1000,
        sha256: "0123456789abcdef".repeat(4),
        golden,
    };
    Manifest {
        format: FORMAT,
        name: "harmonynet".into(),
        version: "0.1.0".into(),
        licence: "weights for research".into(),
        labels: vec!["blues".into(), "hip-hop".into()],
        temperature: 1.23,
        unsure_below: 0.45,
        contract: Contract::of(WindowLength::SHIPPED),
        frontend: Frontend::of(FrontendSpec::SHIPPED),
        golden: GoldenWindow {
            file: "golden.i16le".into(),
            bytes: GoldenWindow::bytes_of(WindowLength::SHIPPED),
            sha256: "f".repeat(64),
            tolerance: 0.001,
        },
        graphs: Graphs {
            int8: Some(graph("int8.onnx", vec![0.1, 0.9])),
            float: Some(graph("float.onnx", vec![0.12, 0.88])),
            native: Some(graph("native.bin", vec![0.11, 0.89])),
        },
    }
}

#[test]
fn written_and_read_back() {
    let text = valid().to_toml().unwrap();
    assert_eq!(Manifest::from_toml(&text).unwrap(), valid(), "{text}");
}

#[test]
fn one_graph_is_enough() {
    let mut manifest = valid();
    manifest.graphs.float = None;
    let read = Manifest::from_toml(&manifest.to_toml().unwrap()).unwrap();
    assert!(read.graph(Precision::Float).is_none());
    assert!(read.graph(Precision::Int8).is_some());
    (manifest.graphs.int8, manifest.graphs.native) = (None, None);
    assert!(manifest.validate().is_err());
    manifest.graphs.native = valid().graphs.native;
    assert_eq!(Manifest::from_toml(&manifest.to_toml().unwrap()).unwrap(), manifest);
}

#[test]
fn labels_travel() {
    let labels = valid().labels();
    assert_eq!(labels.iter().map(|label| label.as_str()).collect::<Vec<_>>(), ["blues", "hip-hop"]);
}

/// Spoils one field and reports which field the error names.
fn blamed(spoil: impl FnOnce(&mut Manifest)) -> String {
    let mut manifest = valid();
    spoil(&mut manifest);
    let error = manifest.validate().unwrap_err();
    assert!(error.to_string().contains(error.field().unwrap()), "{error}");
    error.field().unwrap().to_owned()
}

#[test]
fn the_wrong_field_is_named() {
    assert_eq!(blamed(|m| m.format = 2), "format");
    assert_eq!(blamed(|m| m.name = " ".into()), "name");
    assert_eq!(blamed(|m| m.licence.clear()), "licence");
    for temperature in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(blamed(|m| m.temperature = temperature), "temperature");
    }
    for unsure in [-0.1, 1.0, f32::NAN] {
        assert_eq!(blamed(|m| m.unsure_below = unsure), "unsure_below");
    }
    assert_eq!(blamed(|m| m.contract.window_frames = 171), "contract.window_frames");
    assert_eq!(blamed(|m| m.contract.steps = 20), "contract.window_frames");
    for steps in [0, 33, usize::MAX] {
        assert_eq!(blamed(|m| m.contract.steps = steps), "contract.steps");
    }
    assert_eq!(blamed(|m| m.contract = Contract::of(WindowLength::of_steps(5).unwrap())), "golden.bytes");
    assert_eq!(blamed(|m| m.contract.frames_per_step = 4), "contract.frames_per_step");
    assert_eq!(blamed(|m| m.contract.margin = 0), "contract.margin");
    assert_eq!(blamed(|m| m.golden.bytes = 7), "golden.bytes");
    assert_eq!(blamed(|m| m.golden.tolerance = f32::NAN), "golden.tolerance");
    assert_eq!(blamed(|m| m.golden.sha256 = "F".repeat(64)), "golden.sha256");
    assert_eq!(blamed(|m| m.graphs = Graphs::default()), "graphs");
}

#[test]
fn wrong_labels_are_named() {
    let labels = |labels: Vec<String>| blamed(move |m| m.labels = labels);
    let many = (0..=MAX_LABELS).map(|n| n.to_string()).collect();
    let twice = vec!["rock".into(), "jazz".into(), "rock".into()];
    let long = vec!["rock".into(), "x".repeat(25)];
    for wrong in [vec![], vec!["rock".into()], many, twice, long, vec!["rock".into(), "\u{7}".into()]] {
        assert_eq!(labels(wrong), "labels");
    }
}

#[test]
fn wrong_graphs_are_named() {
    let int8 = |spoil: fn(&mut Graph)| blamed(move |m| spoil(m.graphs.int8.as_mut().unwrap()));
    for file in ["", "..", "../int8.onnx", "/etc/passwd", "a\\b"] {
        assert_eq!(blamed(|m| m.graphs.int8.as_mut().unwrap().file = file.into()), "graphs.int8.file");
    }
    assert_eq!(int8(|g| g.bytes = 0), "graphs.int8.bytes");
    assert_eq!(blamed(|m| m.graphs.native.as_mut().unwrap().bytes = 0), "graphs.native.bytes");
    assert_eq!(int8(|g| g.bytes = MAX_GRAPH_BYTES + 1), "graphs.int8.bytes");
    assert_eq!(int8(|g| g.sha256.truncate(63)), "graphs.int8.sha256");
    for golden in [vec![1.0], vec![0.5, f32::NAN], vec![0.5, 0.6], vec![-0.1, 1.1]] {
        let spoil = |m: &mut Manifest| m.graphs.float.as_mut().unwrap().golden = golden;
        assert_eq!(blamed(spoil), "graphs.float.golden");
    }
}

#[test]
fn another_front_end_is_named_by_field() {
    let mut manifest = valid();
    manifest.frontend = Frontend::of(FrontendSpec { hop: 1536, ..FrontendSpec::SHIPPED });
    manifest.validate().unwrap();
    let error = manifest.check_frontend(&FrontendSpec::SHIPPED).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model was trained with another front-end: frontend.spec.hop is 1536, but 512 runs here"
    );
    manifest.check_frontend(&FrontendSpec { hop: 1536, ..FrontendSpec::SHIPPED }).unwrap();
}

#[test]
fn a_front_end_changed_afterwards_is_named_by_field() {
    assert_eq!(blamed(|m| m.frontend.spec.high_hz = 11_025), "frontend.spec.high_hz");
    let tracked = LevelHandling::Tracked { frames: 9, gate: 0, center: 0 };
    assert_eq!(blamed(|m| m.frontend.spec.level = tracked), "frontend.spec.level");
}

#[test]
fn a_fingerprint_without_a_difference_says_so() {
    let mut manifest = valid();
    manifest.frontend.fingerprint = "0".repeat(16);
    let error = manifest.validate().unwrap_err();
    assert_eq!(error.field(), Some("frontend.fingerprint"));
    assert!(error.to_string().contains("every field agrees"), "{error}");
    manifest.frontend.spec.hop = 1536;
    let error = manifest.validate().unwrap_err();
    assert!(error.to_string().contains("belongs to the fields"), "{error}");
}

#[test]
fn a_front_end_that_cannot_be_computed_is_named_by_field() {
    let spec = FrontendSpec { rate_hz: 44_100, ..FrontendSpec::SHIPPED };
    let error = blamed(|m| m.frontend = Frontend::of(spec));
    assert_eq!(error, "frontend.spec.rate_hz");
}

/// Replaces text in a valid manifest and reads it.
fn misread(from: &str, to: &str) -> ManifestError {
    let text = valid().to_toml().unwrap();
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    Manifest::from_toml(&text.replacen(from, to, 1)).unwrap_err()
}

#[test]
fn errors_know_their_line() {
    let text = valid().to_toml().unwrap();
    let line = |start: &str| text.lines().position(|line| line.starts_with(start)).map(|index| index + 1);
    assert_eq!(misread("temperature = 1.23", "temperature = -1.0").line, line("temperature"));
    assert_eq!(misread("steps = 19", "steps = 33").line, line("steps"));
    let syntax = misread("unsure_below = 0.45", "unsure_below = = 0.45");
    assert!(matches!(syntax.wrong, Wrong::Syntax { .. }));
    assert_eq!(syntax.line, line("unsure_below"));
}

#[test]
fn unknown_and_missing_keys_are_named() {
    let unknown = misread("name = ", "colour = \"blue\"\nname = ");
    assert!(unknown.to_string().contains("colour"), "{unknown}");
    assert_eq!(unknown.line, Some(2));
    let missing = misread("temperature = 1.23\n", "");
    assert!(missing.to_string().contains("temperature"), "{missing}");
    let mistyped = misread("steps = 19", "steps = \"19\"");
    assert!(mistyped.to_string().contains("expected"), "{mistyped}");
    assert!(misread("hop = 512", "hop = 512\nskip = 1").to_string().contains("skip"));
}
