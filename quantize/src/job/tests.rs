use std::path::Path;

use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::classify::manifest::{self, Manifest};
use harmonynet::classify::package::sha256_hex;
use harmonynet::classify::tract::Role;
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::Block;
use harmonynet::frontend::Frontend;
use harmonynet::pipeline::Recognizer;
use harmonynet::spec::WindowLength;

use super::*;
use crate::confidence::softmax;
use crate::evaluate::Agreement;
use crate::network::{Head, ReadOut};
use crate::package;
use crate::parallel::Quiet;
use crate::testing::{Random, float_model, network, network_of, without_lstm};

struct NoStages;

impl Stages for NoStages {
    fn stage(&self, _: &str, _: usize) -> Box<dyn Progress> {
        Box::new(Quiet)
    }
}

/// A float graph of few channels, two tracks per label and part, each label another tilt.
fn prepared(dir: &Path) -> Job {
    prepared_with(dir, WindowLength::SHIPPED, FrontendSpec::SHIPPED)
}

/// The same of another window and front-end.
fn prepared_with(dir: &Path, length: WindowLength, spec: FrontendSpec) -> Job {
    prepared_of(dir, length, spec, &network(9, length.frames(), MEL_BANDS, ReadOut::Mean))
}

fn prepared_of(dir: &Path, length: WindowLength, spec: FrontendSpec, network: &Network) -> Job {
    let float = dir.join("float.onnx");
    std::fs::write(&float, float_model(network).encode()).unwrap();
    let windows = Windows::of(length, &spec);
    let description =
        serde_json::json!({ "fingerprint": format!("{:016x}", spec.fingerprint()), "spec": spec });
    std::fs::write(dir.join("frontend.json"), description.to_string()).unwrap();
    let mut split = String::from("track,genre,title,part\n");
    let mut random = Random(3);
    for (label, part, number) in
        (0..3).flat_map(|label| ["train", "valid"].map(|part| [0, 1].map(|n| (label, part, n)))).flatten()
    {
        let name = format!("{part}{number}");
        split += &format!("{name},label{label},\"a, b \"\"c\"\"\",{part}\n");
        let frames = windows.length.frames() + 2 * windows.period;
        let value = |i: usize| {
            let tilt = (label as f32 - 1.0) * ((i % MEL_BANDS) as f32 / 64.0 - 1.0);
            ((tilt + random.uniform()) * 800.0) as i16
        };
        let values: Vec<i16> = (0..frames * MEL_BANDS).map(value).collect();
        std::fs::create_dir_all(dir.join(format!("label{label}"))).unwrap();
        features::write_frames(&dir.join(format!("label{label}/{name}.npy")), &values);
    }
    std::fs::write(dir.join("split.csv"), split).unwrap();
    Job {
        float,
        features: dir.into(),
        split: dir.join("split.csv"),
        column: "part".into(),
        calibrate_on: "train".into(),
        validate_on: "valid".into(),
        windows: 9,
        input_scale: None,
        ranges: None,
        reference: None,
        min_agreement: 0.5,
        max_loss: None,
        show: 0.9,
        golden: Some(dir.join("label1/train0.npy")),
        training: None,
        name: "tiny".into(),
        version: "1.2.3".into(),
        licence: "for tests".into(),
    }
}

#[test]
fn from_float_graph_to_package() {
    let dir = tempfile::tempdir().unwrap();
    let job = prepared(dir.path());
    let package = run(&job, &NoStages).unwrap();
    let file = |name: &str| &package.files.iter().find(|(n, _)| *n == name).unwrap().1;
    assert_eq!(package.files.last().unwrap().0, manifest::FILE_NAME);

    let manifest = Manifest::from_toml(std::str::from_utf8(file(manifest::FILE_NAME)).unwrap()).unwrap();
    assert_eq!(manifest.labels, ["label0", "label1", "label2"]);
    let int8 = manifest.graphs.int8.unwrap();
    assert_eq!((int8.bytes, &int8.sha256), (file("int8.onnx").len() as u64, &sha256_hex(file("int8.onnx"))));
    // The golden window is the middle one of the file, and its probabilities are the written graph's.
    let window: Vec<i16> =
        file("golden.i16le").as_chunks().0.iter().map(|&b| i16::from_le_bytes(b)).collect();
    let frames = features::frames(&dir.path().join("label1/train0.npy")).unwrap();
    assert_eq!(
        window,
        Windows::of(WindowLength::SHIPPED, &FrontendSpec::SHIPPED).cut(&frames).nth(1).unwrap()
    );
    let engine = Engine::load(file("int8.onnx"), &[]).unwrap();
    let logits = engine.run(&features::octaves(&window)).unwrap().swap_remove(0);
    assert_eq!(int8.golden, softmax(&logits, manifest.temperature).unwrap().as_slice());

    assert_eq!((package.report.validation.windows, package.report.validation.tracks), (18, 6));
    assert!(package.report.logits_sqnr_db > 15.0, "{}", package.report.logits_sqnr_db);
    let json: serde_json::Value = serde_json::from_slice(file("quantization.json")).unwrap();
    assert_eq!(json["validation"]["windows"], 18);
    let markdown = std::str::from_utf8(file("quantization.md")).unwrap();
    for picture in report::PICTURES {
        assert!(markdown.contains(&format!("]({picture})")), "{picture} is not in\n{markdown}");
        assert!(file(picture).starts_with(b"<svg ") && file(picture).ends_with(b"</svg>\n"));
    }
    let activations = std::str::from_utf8(file(report::PICTURES[0])).unwrap();
    assert!(
        ["input: ", "conv1: ", "conv2: "].iter().all(|layer| activations.contains(layer)),
        "{activations}"
    );
    for text in [
        "| conv2 |",
        "| projection |",
        "| float | ",
        "native form",
        "The package has none: the native engine does not run this network",
        "SQNR",
        "Temperature",
    ] {
        assert!(markdown.contains(text), "{text} is missing in\n{markdown}");
    }
    // The same inputs give the same bytes.
    assert_eq!(run(&job, &NoStages).unwrap().files, package.files);
}

/// What the native engine runs goes into the package, is measured and held to the bounds; the runtime loads it.
#[test]
fn a_network_that_the_native_engine_runs_gets_its_file() {
    use harmonynet::classify::native::NativeClassifier;
    let length = WindowLength::of_steps(3).unwrap();
    let mut network =
        network_of(4, length.frames(), MEL_BANDS, &[(1, 16), (16, 16), (16, 16)], 16, ReadOut::Mean);
    // Logits of a trained network's size: what tract and the reference may differ by is absolute.
    let Head::Lstm(lstm) = &mut network.head else { panic!("it has an LSTM") };
    lstm.dense.weights.iter_mut().for_each(|w| *w *= 0.2);
    let dir = tempfile::tempdir().unwrap();
    let job = prepared_of(dir.path(), length, FrontendSpec::SHIPPED, &network);
    let made = run(&job, &NoStages).unwrap();
    let figures = made.report.validation;
    let (native, beside) = (figures.native.unwrap(), figures.native_beside_float.unwrap());
    assert!(beside.window > 0.8 && figures.native_beside_int8.is_some(), "{figures:?}");
    let report::NativeForm::Made(report) = &made.report.native else { panic!("{:?}", made.report.native) };
    let layers: Vec<&str> = report.layers.iter().map(|layer| layer.layer.as_str()).collect();
    assert_eq!(layers, ["input", "conv1", "conv2", "conv3", "projection"]);
    assert!(
        report.layers.iter().all(|layer| layer.sqnr_db > 15.0) && report.logits_sqnr_db > 15.0,
        "{report:?}"
    );
    let markdown = made.report.to_markdown();
    for text in
        ["| native |", "| native, float |", "| native, int8 |", "At the package's temperature", "native.hnn "]
    {
        assert!(markdown.contains(text), "{text} is missing in\n{markdown}");
    }

    let out = dir.path().join("package");
    package::write_files(&out, &made.files).unwrap();
    let package = harmonynet::classify::package::Package::open(out).unwrap();
    package.verify().unwrap();
    // Recomputes the golden window, whose probabilities are of the package's temperature.
    NativeClassifier::load(&package, &FrontendSpec::SHIPPED).unwrap();

    // The bounds hold for it by its own name, where int8 would pass.
    let job = Job { max_loss: Some(0.1), ..job };
    judge(&job, &figures).unwrap();
    let worse = Accuracy { window: figures.float.window - 0.2, ..native };
    let error = judge(&job, &Validation { native: Some(worse), ..figures }).unwrap_err().to_string();
    assert!(error.starts_with("native labels 20.00 %"), "{error}");
    let apart = Validation { native_beside_float: Some(Agreement { window: 0.1, ..beside }), ..figures };
    assert!(judge(&job, &apart).unwrap_err().to_string().starts_with("float and native agree on 10.00 %"));
}

#[test]
fn the_runtime_loads_both_graphs_of_the_package() {
    use harmonynet::classify::manifest::Precision;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("package");
    package::write_files(&out, &run(&prepared(dir.path()), &NoStages).unwrap().files).unwrap();
    let package = harmonynet::classify::package::Package::open(out).unwrap();
    package.verify().unwrap();
    for precision in Precision::ALL {
        // Recomputes the golden window; for int8, proves that products run on integers.
        TractClassifier::load(&package, &LoadOptions { precision, ..LoadOptions::default() }).unwrap();
    }
}

/// Five steps at three times the hop, with an LSTM and without: from the float graph to verdicts on self-made music.
#[test]
fn networks_of_another_window_and_hop_are_quantized_and_listen() {
    let (length, spec) = (WindowLength::of_steps(5).unwrap(), FrontendSpec::SHIPPED.with_hop(1536));
    for network in
        [network(9, length.frames(), MEL_BANDS, ReadOut::Last), without_lstm(9, length.frames(), MEL_BANDS)]
    {
        let dir = tempfile::tempdir().unwrap();
        let job = prepared_of(dir.path(), length, spec, &network);
        let out = dir.path().join("package");
        let made = run(&job, &NoStages).unwrap();
        assert!(made.report.logits_sqnr_db > 15.0, "{}", made.report.logits_sqnr_db);
        assert_eq!((made.report.settings.window_frames, made.report.settings.window_hop_frames), (54, 32));
        package::write_files(&out, &made.files).unwrap();

        let package = harmonynet::classify::package::Package::open(out).unwrap();
        assert_eq!(package.window().unwrap(), length);
        let options = LoadOptions { frontend: spec, ..LoadOptions::default() };
        let engine = TractClassifier::load(&package, &options).unwrap();
        let products = engine.plan().iter().filter_map(|node| node.product.as_ref());
        assert!(products.filter(|product| product.role == Role::Layer).all(|product| product.integer));
        let decider = Decider::new(Policy::DEFAULT.for_window(length, spec.hop), 3).unwrap();
        let mut recognizer = Recognizer::new(Frontend::new(spec).unwrap(), engine, decider);
        let music: Vec<i32> = DemoPlayer::new(Piece::Disco, 22_050).take(10 * 22_050).collect();
        let mut ends = vec![];
        for (number, samples) in music.chunks(512).enumerate() {
            let samples = samples.iter().copied().collect();
            let block = Block { start: 512 * number as u64, lost: 0, samples };
            recognizer.push(&block, |_, verdict, scores| ends.extend(scores.map(|_| verdict.at)));
        }
        // 143 frames of music: windows of 54 every 8.
        let expected: Vec<u64> = (0..12).map(|n| 53 * 1536 + 1024 + n * 8 * 1536).collect();
        assert_eq!(ends, expected);
    }
}

#[test]
fn given_ranges_and_another_reference_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let plain = run(&prepared(dir.path()), &NoStages).unwrap();
    // Ranges as the report has them, by layer.
    let ranges: serde_json::Map<_, _> = plain.report.layers.iter().map(ranges_of).collect();
    let path = dir.path().join("ranges.json");
    std::fs::write(&path, serde_json::to_vec(&ranges).unwrap()).unwrap();
    let other = network(10, WindowLength::SHIPPED.frames(), MEL_BANDS, ReadOut::Mean);
    let reference = dir.path().join("reference.onnx");
    std::fs::write(&reference, float_model(&other).encode()).unwrap();
    let job = Job {
        ranges: Some(path.clone()),
        reference: Some(reference.clone()),
        min_agreement: 0.0,
        ..prepared(dir.path())
    };
    let package = run(&job, &NoStages).unwrap();
    let file = |name: &str| &package.files.iter().find(|(n, _)| *n == name).unwrap().1;
    assert_eq!(*file("float.onnx"), std::fs::read(&reference).unwrap());
    let scale = |report: &Report, layer: usize| report.layers[layer].activation_scale.unwrap();
    for layer in 0..3 {
        let (given, found) = (scale(&plain.report, layer), scale(&package.report, layer));
        assert!((given - found).abs() < 1e-6 * given, "layer {layer}: {found} instead of {given}");
    }
    let markdown = package.report.to_markdown();
    assert!(
        markdown.contains("quantization-aware training") && markdown.contains("another network"),
        "{markdown}"
    );
    assert_eq!(package.report.tried.len(), 1);

    std::fs::write(&path, "{}").unwrap();
    let error = run(&job, &NoStages).unwrap_err().to_string();
    assert!(error.contains("ranges.json: input.activations is missing"), "{error}");
    let mut renamed = float_model(&other);
    renamed.metadata.insert("labels".into(), r#"["a", "b", "c"]"#.into());
    std::fs::write(&reference, renamed.encode()).unwrap();
    let error = run(&job, &NoStages).unwrap_err().to_string();
    assert!(error.contains("reference.onnx: its labels are a, b, c"), "{error}");
}

/// A layer's entry in a file of ranges, from its row in a report.
fn ranges_of(layer: &report::LayerReport) -> (String, serde_json::Value) {
    let mut ranges = serde_json::Map::new();
    if let Some(scale) = layer.activation_scale {
        ranges.insert("activations".into(), (127.0 * scale).into());
    }
    if let Some(scale) = layer.weight_scale {
        let range = 127.0 * scale;
        let value = if layer.layer == "projection" { vec![range; 20].into() } else { range.into() };
        ranges.insert("weights".into(), value);
    }
    (layer.layer.clone(), ranges.into())
}

#[test]
fn a_training_record_of_other_features_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let training = dir.path().join("training.json");
    let job = Job { training: Some(training.clone()), ..prepared(dir.path()) };
    let trained_with = |spec: FrontendSpec| {
        let record = serde_json::json!({ "frontend": { "fingerprint": features::fingerprint(&spec) } });
        std::fs::write(&training, record.to_string()).unwrap();
        run(&job, &NoStages)
    };
    let package = trained_with(FrontendSpec::SHIPPED).unwrap();
    assert!(package.files.iter().any(|(name, _)| *name == "training.json"));
    let error = trained_with(FrontendSpec::SHIPPED.with_hop(1536)).unwrap_err().to_string();
    assert!(
        error.contains("training.json: trained with front-end") && error.contains("092814f23737c348"),
        "{error}"
    );
    std::fs::write(&training, "{}").unwrap();
    let error = run(&job, &NoStages).unwrap_err().to_string();
    assert!(error.contains("no front-end"), "{error}");
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let job = prepared(dir.path());
    let refused = |job: &Job| run(job, &NoStages).unwrap_err().to_string();
    let text = refused(&Job { column: "fold".into(), ..job.clone() });
    assert!(text.contains("no column fold") && text.contains("part"), "{text}");
    let text = refused(&Job { validate_on: "dev".into(), ..job.clone() });
    assert!(text.contains("part dev"), "{text}");
    let text = refused(&Job { min_agreement: 1.1, ..job.clone() });
    assert!(text.contains("wanted 110.00 %") && text.contains("--windows"), "{text}");
    // Whatever is lost, a hundredth less is refused and exactly that is not.
    let figures = run(&job, &NoStages).unwrap().report.validation;
    let lost = figures.float.window - figures.int8.window;
    let text = refused(&Job { max_loss: Some(lost - 0.01), ..job.clone() });
    assert!(text.contains("less rightly than float") && text.contains("--max-loss"), "{text}");
    run(&Job { max_loss: Some(lost), ..job.clone() }, &NoStages).unwrap();
    let text = refused(&Job { golden: Some(dir.path().join("none.npy")), ..job.clone() });
    assert!(text.contains("none.npy"), "{text}");

    let split = std::fs::read_to_string(&job.split).unwrap();
    std::fs::write(&job.split, split.replace("train1,label2", "train1,polka")).unwrap();
    assert!(refused(&job).contains("label polka is none of the model's"), "{}", refused(&job));

    let other = FrontendSpec { log_steps: 128, ..FrontendSpec::SHIPPED };
    let description =
        serde_json::json!({ "fingerprint": format!("{:016x}", other.fingerprint()), "spec": other });
    std::fs::write(dir.path().join("frontend.json"), description.to_string()).unwrap();
    let text = refused(&job);
    assert!(text.contains("log_steps is out of range") && text.contains("harmonynet features"), "{text}");
}
