//! The program as its users meet it: started, fed, and judged by what it prints and how it ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

#[path = "classify_support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harmonynet::capture::demo::{Piece, render};

fn harmonynet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
    command
        .args(arguments)
        .env_remove("HARMONYNET_DEVICE")
        .env_remove("HARMONYNET_MODEL")
        .env_remove("HARMONYNET_CONFIG")
        .env_remove("HARMONYNET_STATE")
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    harmonynet(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A 16-bit mono WAV file.
fn write_wav(path: &Path, rate_hz: u32, samples: impl Iterator<Item = i32>) {
    let data: Vec<u8> = samples.flat_map(|sample| ((sample >> 16) as i16).to_le_bytes()).collect();
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + data.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend([1, 0, 1, 0]);
    wav.extend(rate_hz.to_le_bytes());
    wav.extend((2 * rate_hz).to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    std::fs::write(path, wav).unwrap();
}

/// The objects of JSON lines.
fn objects(output: &Output) -> Vec<serde_json::Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn self_made_music_through_alsa_ends_in_a_genre() {
    let output = run(&["listen", "--demo", "--pace", "fast", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let verdicts = objects(&output);
    let last = verdicts.last().unwrap();
    assert_eq!(last["state"], "genre", "{last}");
    let samples: Vec<u64> = verdicts.iter().map(|verdict| verdict["sample"].as_u64().unwrap()).collect();
    assert!(samples.is_sorted() && samples.len() > 40, "{samples:?}");
    assert!(*samples.last().unwrap() > 29 * 22_050);
    assert!(stderr(&output).contains("48000 Hz, 1 ch, S32_LE"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("lost"), "{}", stderr(&output));
}

#[test]
fn recordings_get_one_object_each_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_wav(&path("a.wav"), 44_100, render(Piece::Classical, 44_100).take(44_100 * 12));
    write_wav(&path("b.wav"), 48_000, std::iter::repeat_n(0, 48_000 * 6));
    write_wav(&path("c.wav"), 16_000, render(Piece::Metal, 16_000).take(16_000 * 2));
    let output = run(&["classify", "--json", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let recordings = objects(&output);
    let states: Vec<_> = recordings.iter().map(|r| r["state"].as_str().unwrap()).collect();
    assert!(["genre", "unsure"].contains(&states[0]), "{states:?}");
    assert_eq!(states[1..], ["silence", "listening"], "silent, and shorter than one window");
    let scores = recordings[0]["scores"].as_object().unwrap();
    let sum: f64 = scores.values().map(|p| p.as_f64().unwrap()).sum();
    assert!(scores.len() == 10 && (sum - 1.0).abs() < 1e-3, "{scores:?}");
    let highest =
        scores.iter().max_by(|a, b| a.1.as_f64().unwrap().total_cmp(&b.1.as_f64().unwrap())).unwrap();
    assert_eq!(recordings[0]["confidence"], *highest.1);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_still_classified() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.wav"), folder.path().join("bad.wav"));
    write_wav(&good, 22_050, render(Piece::Disco, 22_050).take(22_050 * 5));
    std::fs::write(&bad, b"this is not a recording").unwrap();
    let output = run(&["classify", "--csv", bad.to_str().unwrap(), good.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("bad.wav"), "{}", stderr(&output));
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("file,state,") && lines[1].contains("good.wav"),
        "{lines:?}"
    );
}

#[test]
fn raw_samples_come_in_by_a_pipe() {
    let mut child = harmonynet(&["listen", "-", "--rate", "22050", "--pace", "fast", "--display", "lines"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let samples: Vec<u8> = render(Piece::Disco, 22_050)
        .take(22_050 * 6)
        .flat_map(|s| ((s >> 16) as i16).to_le_bytes())
        .collect();
    child.stdin.take().unwrap().write_all(&samples).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("genre") || stdout(&output).contains("unsure"), "{}", stdout(&output));
    assert!(stderr(&output).contains("heard 6.0 s"), "{}", stderr(&output));
}

#[test]
fn a_microphone_in_the_environment_is_a_habit_and_not_an_order() {
    let folder = tempfile::tempdir().unwrap();
    let music = folder.path().join("a.wav");
    write_wav(&music, 22_050, render(Piece::Disco, 22_050).take(22_050));
    let music = music.to_str().unwrap();
    let heard = harmonynet(&["listen", music, "--pace", "fast", "--display", "none"])
        .env("HARMONYNET_DEVICE", "hw:CARD=NoSuchCard")
        .output()
        .unwrap();
    assert!(heard.status.success() && stderr(&heard).contains("heard 1.0 s"), "{}", stderr(&heard));
    let both = run(&["listen", music, "--device", "hw:CARD=NoSuchCard"]);
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
}

#[test]
fn a_missing_microphone_is_told_and_waited_for_until_ctrl_c() {
    let mut child = harmonynet(&["listen", "--device", "hw:CARD=NoSuchCard", "--display", "lines"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("fault") && first.contains("no such microphone"), "{first}");
    assert!(child.try_wait().unwrap().is_none(), "it must go on waiting");
    // The shell's own `kill`: a minimal system has no other.
    let interrupted = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("heard 0.0 s"), "{}", stderr(&output));
}

#[test]
fn a_wrong_model_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["model", "--model", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("manifest.toml"), "{}", stderr(&output));
}

#[test]
fn the_shipped_model_verifies() {
    let output = run(&["model", "--plan"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("sizes and hashes verified"), "{}", stdout(&output));
    assert_eq!(stdout(&output).matches("golden window verified").count(), 3, "{}", stdout(&output));
    let engine = stdout(&output).lines().find(|line| line.starts_with("engine ")).unwrap();
    assert!(engine.contains("native") && engine.contains("the package has a native model"), "{engine}");
    for layer in ["conv1 ", "conv3 ", "projection ", "recurrence ", "dense "] {
        let planned = stdout(&output).lines().filter(|line| line.trim_start().starts_with(layer));
        assert_eq!(planned.count(), 1, "{layer}: {}", stdout(&output));
    }
    let tract = run(&["model", "--plan", "--engine", "tract"]);
    assert!(
        stdout(&tract).contains("operator") && stdout(&tract).contains("engine       tract\n"),
        "{}",
        stdout(&tract)
    );
    // Every convolution and the projection, which tract may run as several products.
    let int8 = stdout(&output).lines().find(|line| line.starts_with("int8 ")).unwrap();
    let (integer, layers) = int8.rsplit_once("; ").unwrap().1.split_once(" of ").unwrap();
    let layers = layers.split_once(' ').unwrap().0;
    assert!(integer == layers && integer.parse::<u32>().unwrap() >= 4, "{int8}");
}

/// The two engines run different integers of the same network.
#[test]
fn both_engines_hear_the_same_genre_and_say_which_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for piece in Piece::ALL {
        let samples = render(piece, 22_050).take(22_050 * 12);
        write_wav(&folder.path().join(format!("{}.wav", piece.name())), 22_050, samples);
    }
    let heard = |options: &[&str]| {
        let output = run(&[&["classify", "--json", folder.path().to_str().unwrap()], options].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        objects(&output)
    };
    let (auto, native, tract) = (heard(&[]), heard(&["--engine", "native"]), heard(&["--engine", "tract"]));
    assert_eq!(auto, native, "auto takes what the shipped package has");
    for (native, tract) in native.iter().zip(&tract) {
        assert_eq!((&native["engine"], &tract["engine"]), (&"native".into(), &"tract".into()));
        assert_eq!(
            (&native["file"], &native["state"], &native["genre"]),
            (&tract["file"], &tract["state"], &tract["genre"])
        );
        let [native, tract] = [native, tract].map(|heard| heard["confidence"].as_f64().unwrap());
        assert!((native - tract).abs() < 0.05, "{native} {tract}");
    }
    assert_eq!(native.len(), Piece::ALL.len());
    let float = heard(&["--graph", "float"]);
    assert_eq!(float[0]["engine"], "tract");
}

#[test]
fn listening_says_which_engine_runs_and_why() {
    let listen = |options: &[&str]| {
        run(&[&["listen", "--demo", "--pace", "fast", "--seconds", "5", "--display", "none"], options]
            .concat())
    };
    let told = listen(&[]);
    assert!(stderr(&told).contains("engine: native, kernel "), "{}", stderr(&told));
    let told = listen(&["--engine", "tract"]);
    assert!(stderr(&told).contains("engine: tract\n"), "{}", stderr(&told));
    let told = listen(&["--graph", "float"]);
    assert!(stderr(&told).contains("engine: tract; the float graph was asked for"), "{}", stderr(&told));
    let refused = listen(&["--engine", "native", "--graph", "float"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("choose --engine tract"), "{}", stderr(&refused));
    // By the environment, as by a settings file.
    let told = harmonynet(&["classify", "/nowhere.wav", "--graph", "float"])
        .env("HARMONYNET_MODEL_ENGINE", "native")
        .output()
        .unwrap();
    assert!(stderr(&told).contains("runs no float graph"), "{}", stderr(&told));
}

/// A model of five steps at three times the hop, whose weights mean nothing: every command takes window and front-end from
/// its package.
#[test]
fn a_package_of_another_window_and_hop_runs_in_every_command() {
    use harmonynet::classify::manifest::Graphs;
    use harmonynet::classify::tract::{LoadOptions, TractClassifier};
    use harmonynet::spec::{FrontendSpec, WindowLength};
    use support::graphs::{Form, LABELS, Recurrent, layered_over};
    use support::packages;

    let (window, spec) = (WindowLength::of_steps(5).unwrap(), FrontendSpec::SHIPPED.with_hop(1536));
    let onnx = layered_over(window, [Form::Int8; 3], Recurrent::Scan);
    let mut engine = TractClassifier::from_onnx(&onnx, LABELS, 1.5, &LoadOptions::default()).unwrap();
    let golden: Vec<[i16; 128]> = packages::golden(window)
        .chunks_exact(256)
        .map(|frame| core::array::from_fn(|band| i16::from_le_bytes([frame[2 * band], frame[2 * band + 1]])))
        .collect();
    let golden = engine.scores_of_window(&golden).unwrap();
    let mut manifest = packages::manifest_of(window, spec);
    manifest.unsure_below = 0.0;
    manifest.graphs =
        Graphs { int8: Some(packages::entry("int8.onnx", &onnx, &golden)), ..Graphs::default() };
    let folder = packages::write(&manifest, &[("int8.onnx", &onnx)]);
    let model = folder.path().to_str().unwrap();

    let shown = run(&["model", "--model", model]);
    assert!(shown.status.success(), "{}", stderr(&shown));
    assert!(stdout(&shown).contains("window       54 frames, 5 steps, 3.74 s"), "{}", stdout(&shown));
    assert!(stdout(&shown).contains("hop 1536"), "{}", stdout(&shown));

    let heard = run(&["listen", "--demo", "--pace", "fast", "--json", "--model", model]);
    assert!(heard.status.success(), "{}", stderr(&heard));
    assert!(stderr(&heard).contains("engine: tract; the package has no native model"), "{}", stderr(&heard));
    let lacking = run(&["listen", "--demo", "--engine", "native", "--model", model]);
    assert_eq!(lacking.status.code(), Some(1));
    assert!(stderr(&lacking).contains("graphs.native is missing"), "{}", stderr(&lacking));
    let samples: Vec<u64> =
        objects(&heard).iter().map(|verdict| verdict["sample"].as_u64().unwrap()).collect();
    assert_eq!(samples[..3], [0, 1, 2].map(|n| 53 * 1536 + 1024 + n * 8 * 1536));

    let music = folder.path().join("disco/a.wav");
    std::fs::create_dir(music.parent().unwrap()).unwrap();
    write_wav(&music, 22_050, render(Piece::Disco, 22_050).take(22_050 * 10));
    let music = music.to_str().unwrap();
    let classified = run(&["classify", "--json", "--model", model, music]);
    assert!(classified.status.success(), "{}", stderr(&classified));
    // 143 frames: windows of 54 every 32.
    assert_eq!(objects(&classified)[0]["windows"], 3);

    let described = |out: &str, options: &[&str]| -> serde_json::Value {
        let out = folder.path().join(out);
        let written = run(&[&["features", "--out", out.to_str().unwrap(), music], options].concat());
        assert!(written.status.success(), "{}", stderr(&written));
        let array = std::fs::read(out.join("disco/a.npy")).unwrap();
        assert_eq!(array.len() / 256, 143);
        serde_json::from_slice(&std::fs::read(out.join("frontend.json")).unwrap()).unwrap()
    };
    let coarse = described("coarse", &["--hop", "1536"]);
    assert_eq!(coarse["fingerprint"], format!("{:016x}", spec.fingerprint()));
    assert_eq!(described("mine", &["--model", model]), coarse);
    let none = run(&["features", "--out", model, "--hop", "0", music]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("hop is out of range; allowed: 1 to 4096"), "{}", stderr(&none));
}

#[test]
fn features_are_written_once_and_carry_their_specification() {
    let folder = tempfile::tempdir().unwrap();
    let (music, out) = (folder.path().join("disco/a.wav"), folder.path().join("features"));
    std::fs::create_dir(music.parent().unwrap()).unwrap();
    write_wav(&music, 22_050, render(Piece::Disco, 22_050).take(22_050 * 5));
    let arguments = ["features", "--out", out.to_str().unwrap(), music.to_str().unwrap()];
    let first = run(&arguments);
    assert!(first.status.success() && stdout(&first).starts_with("1 written, 0 there already"), "{first:?}");
    assert!(stdout(&run(&arguments)).starts_with("0 written, 1 there already"));
    let array = std::fs::read(out.join("disco/a.npy")).unwrap();
    // (5 · 22,050 − 1024) / 512 + 1 frames of 128 values of 2 bytes, behind a header that is a multiple of 64.
    let frames = (5 * 22_050 - 1024) / 512 + 1;
    let header = array.len() - frames * 256;
    assert!(array.starts_with(b"\x93NUMPY") && header.is_multiple_of(64) && header <= 192, "{header} bytes");
    let specification = std::fs::read_to_string(out.join("frontend.json")).unwrap();
    let specification: serde_json::Value = serde_json::from_str(&specification).unwrap();
    assert_eq!(
        specification["fingerprint"],
        format!("{:016x}", harmonynet::spec::FrontendSpec::SHIPPED.fingerprint())
    );
    let other =
        run(&["features", "--level", "absolute", "--out", out.to_str().unwrap(), music.to_str().unwrap()]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("another specification"), "{}", stderr(&other));
}

#[test]
fn every_command_has_help_with_examples_and_refuses_nonsense() {
    for command in [
        "listen",
        "classify",
        "devices",
        "display-test",
        "doctor",
        "mic-test",
        "model",
        "features",
        "evaluate",
    ] {
        let help = run(&[command, "--help"]);
        assert!(help.status.success() && stdout(&help).contains("Examples:"), "{command}");
        assert_eq!(run(&[command, "--no-such-option"]).status.code(), Some(2), "{command}");
    }
}
