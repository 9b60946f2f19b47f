//! `mic-test` as its users meet it: microphones, recordings, pipes, and a settings file to write to.
#![cfg(feature = "alsa")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::f64::consts::TAU;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harmonynet::capture::SplitMix64;
use serde_json::Value;

const RATE: u32 = 48_000;

fn mic_test(arguments: &[&str]) -> Command {
    let mut command = clean::program();
    command.arg("mic-test").args(arguments).stdin(Stdio::null());
    command
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_str(stdout(output)).unwrap()
}

/// Amplitude of a sine at this level, full scale being 2³¹.
fn amplitude(dbfs: f64) -> f64 {
    2f64.powi(31) * 10f64.powf(dbfs / 20.0)
}

/// Four seconds of a room: noise at −70 dBFS, hum of 50 Hz at −66, and in every second half of a second a tone at −20.
fn room(n: u32, random: &mut SplitMix64) -> f64 {
    let at = f64::from(n) / f64::from(RATE);
    let tone = if n / (RATE / 2) % 2 == 1 { amplitude(-20.0) * (TAU * 700.0 * at).sin() } else { 0.0 };
    let noise = amplitude(-70.0) * 1.5f64.sqrt() * random.signed();
    noise + tone + amplitude(-66.0) * (TAU * 50.0 * at).sin()
}

/// A microphone that hears a file of S32_LE in two channels: the left one is dead.
fn microphone(folder: &Path) -> std::path::PathBuf {
    let mut random = SplitMix64::new(1);
    let heard: Vec<u8> = (0..RATE * 4)
        .flat_map(|n| [12_800, room(n, &mut random) as i32])
        .flat_map(i32::to_le_bytes)
        .collect();
    let (raw, configuration) = (folder.join("heard.raw"), folder.join("asound.conf"));
    std::fs::write(&raw, heard).unwrap();
    let pcm = format!(
        "pcm.mic {{ type file slave.pcm {{ type null }} file /dev/null infile \"{}\" format raw }}\n",
        raw.display()
    );
    std::fs::write(&configuration, pcm).unwrap();
    configuration
}

/// The kinds of findings, with their channels.
fn kinds(report: &Value) -> Vec<(String, Option<u64>)> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|f| (f["kind"].as_str().unwrap().to_string(), f["channel"].as_u64())).collect()
}

fn near(value: &Value, expected: f64, within: f64) {
    assert!(value.as_f64().is_some_and(|x| (x - expected).abs() <= within), "{value}, expected {expected}");
}

#[test]
fn a_microphone_on_the_right_channel_is_found_and_measured_and_saved() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = microphone(folder.path());
    let file = folder.path().join("s.toml");
    let before = "# my device\n[microphone]\nkind = \"inmp441\"\ndevice = \"mic\"\nchannel = 1 # left?\n";
    std::fs::write(&file, before).unwrap();
    let file = file.to_str().unwrap();
    let test = |more: &[&str]| {
        let arguments = [&["4", "--config", file], more].concat();
        mic_test(&arguments).env("ALSA_CONFIG_PATH", &configuration).output().unwrap()
    };
    let measured = report(&test(&["--json"]));
    assert_eq!((&measured["rate_hz"], &measured["encoding"]), (&RATE.into(), &"S32_LE".into()));
    assert_eq!((&measured["seconds"], &measured["lost_frames"]), (&Value::from(4.0), &0.into()));
    let (left, right) = (&measured["channels"][0], &measured["channels"][1]);
    assert_eq!(
        (&left["dead"], &left["rms_dbfs"], &right["dead"]),
        (&true.into(), &Value::Null, &false.into())
    );
    near(&right["rms_dbfs"], -23.0, 0.2);
    near(&right["peak_dbfs"], -20.0, 0.2);
    // Hum and noise together.
    near(&right["noise_floor_dbfs"], -64.5, 1.0);
    near(&right["hum"]["level_dbfs"], -66.0, 1.0);
    assert_eq!(right["hum"]["mains_hz"], 50);
    assert_eq!(kinds(&measured), [("dead-channel".into(), Some(1)), ("hum".into(), Some(2))]);
    assert_eq!(measured["suggested"]["channel"], "2");
    let silence = measured["suggested"]["silence_dbfs"].as_f64().unwrap();
    assert!((-75.0..-55.0).contains(&silence), "{silence}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), before, "nobody asked to write");

    let unasked = test(&["--save"]);
    assert_eq!(unasked.status.code(), Some(1));
    assert!(stderr(&unasked).contains("--yes saves without asking"), "{}", stderr(&unasked));
    assert_eq!(std::fs::read_to_string(file).unwrap(), before);
    let saved = test(&["--save", "--yes"]);
    assert!(saved.status.success(), "{}", stderr(&saved));
    assert!(stderr(&saved).contains("microphone.channel = \"2\"    (was \"1\": "), "{}", stderr(&saved));
    let after = format!(
        "{}\n[verdict]\nsilence_dbfs = {silence:.1}\n",
        before.replace("channel = 1 #", "channel = \"2\" #")
    );
    assert_eq!(std::fs::read_to_string(file).unwrap(), after);
    // Now nothing differs any more, and the right channel is what is listened to.
    let again = report(&test(&["--json", "--save", "--yes"]));
    assert_eq!((&again["saved"], &again["suggested"]), (&Value::Null, &measured["suggested"]));
    assert_eq!(std::fs::read_to_string(file).unwrap(), after);
}

#[test]
fn a_pipe_is_measured_and_told_line_by_line_where_nobody_looks() {
    let test = |samples: Vec<i16>, arguments: &[&str]| {
        let mut child = mic_test(&[&["-", "--rate", "48000"], arguments].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let bytes: Vec<u8> = samples.into_iter().flat_map(i16::to_le_bytes).collect();
        // It may have seen enough before the end.
        let _ = child.stdin.take().unwrap().write_all(&bytes);
        child.wait_with_output().unwrap()
    };
    let sine = |n: u32| (TAU * 1000.0 * f64::from(n) / f64::from(RATE)).sin() * 40_000.0;
    let clipped: Vec<i16> = (0..2 * RATE).map(|n| sine(n) as i16).collect();
    // A cast saturates, and so does a converter.
    let full = clipped.iter().filter(|sample| **sample == i16::MAX || **sample <= -i16::MAX).count();
    let lines = test(clipped.clone(), &[]);
    assert!(lines.status.success(), "{}", stderr(&lines));
    for expected in
        ["   1 s  channel 1: rms", "   2 s  channel 1: rms", "measured 2.0 s", "clipping: channel 1: "]
    {
        assert!(stdout(&lines).contains(expected), "{expected}: {}", stdout(&lines));
    }
    assert!(!stdout(&lines).contains('\x1b'), "{}", stdout(&lines));
    let measured = report(&test(clipped, &["--json"]));
    let channel = &measured["channels"][0];
    assert_eq!(channel["clipped_samples"], full);
    assert_eq!(channel["clipped_runs"], 2 * 2 * 1000);
    assert_eq!(measured["suggested"]["gain_db"], -12.0);

    // No sound at all, and less than one frame of it.
    for bytes in [0, 1] {
        let none = test(vec![0; bytes], &["--channels", "2", "--json"]);
        assert_eq!(none.status.code(), Some(1));
        assert!(stderr(&none).contains("not even one frame"), "{}", stderr(&none));
    }
    // A moment is something, but nothing is claimed of it.
    let moment = report(&test(vec![100; 480], &["--json"]));
    assert_eq!(moment["channels"][0]["noise_floor_dbfs"], Value::Null);
    assert_eq!(kinds(&moment), [("dead".into(), None)]);
}

#[test]
fn self_made_music_is_good_and_what_is_not_there_is_an_error() {
    let music = mic_test(&["--demo", "--pace", "fast", "5", "--json"]).output().unwrap();
    let measured = report(&music);
    assert_eq!((&measured["seconds"], &measured["channels"][0]["clipped_samples"]), (&5.0.into(), &0.into()));
    for (arguments, expected) in [
        (vec!["--device", "hw:CARD=NoSuchCard"], "plug the microphone in"),
        (vec!["no-such-file.wav"], "no-such-file.wav"),
        (vec!["0", "--demo"], "must be more than 0"),
        (vec!["--demo", "--config", "/nowhere.toml", "--save"], "/nowhere.toml"),
    ] {
        let output = mic_test(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(mic_test(&["--save", "--demo"]).output().unwrap().status.code(), Some(2), "which file?");
}
