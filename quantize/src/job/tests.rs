use std::path::Path;

use super::*;
use crate::network::ReadOut;
use crate::parallel::Quiet;
use crate::testing::{Random, float_model, network};
use harmonynet::spec::WindowLength;

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
    let float = dir.join("float.onnx");
    let network = network(9, length.frames(), MEL_BANDS, ReadOut::Mean);
    std::fs::write(&float, float_model(&network).encode()).unwrap();
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
        input_scale: 0.125,
        min_agreement: 0.5,
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
    for text in ["| conv2 |", "| projection |", "| window accuracy |", "SQNR", "Temperature"] {
        assert!(markdown.contains(text), "{text} is missing in\n{markdown}");
    }
    // The same inputs give the same bytes.
    assert_eq!(run(&job, &NoStages).unwrap().files, package.files);
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
