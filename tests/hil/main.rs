//! Hardware in the loop: every rig of this folder as a test, which is what `harmonynet latency` says of it.
//!
//! `make hil RIG=name` runs one and prints its report. Without a name the rigs are skipped, each with the reason; what needs no
//! hardware runs always: that the rig finds the delays that it put in, and fails where it is told wrong ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};

/// Names the rig.
const RIG: &str = "HARMONYNET_RIG";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let named = std::env::var(RIG).ok().filter(|name| !name.is_empty());
    let mut trials = vec![
        Trial::test("a_virtual_rig_finds_the_delays_that_it_put_in", finds_known_delays),
        Trial::test("a_delay_that_the_rig_does_not_know_of_makes_it_fail", notices_a_wrong_delay),
        Trial::test("every_rig_of_this_folder_is_right", reads_every_rig),
    ];
    for name in rigs() {
        let is_named = named.as_deref() == Some(&*name);
        if !is_named {
            eprintln!("skipped: rig `{name}` (not named; `make hil RIG={name}` runs it)");
        }
        let trial = Trial::test(format!("rig_{name}"), move || run_rig(&name));
        trials.push(trial.with_ignored_flag(!is_named));
    }
    if let Some(name) = named.filter(|name| !rigs().contains(name)) {
        eprintln!("there is no rig `{name}`; there are: {}", rigs().join(", "));
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hil")
}

/// The names of the rigs' files.
fn rigs() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let rigs = files.filter(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let mut names: Vec<String> =
        rigs.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn latency(rig: &Path, more: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
    program.arg("latency").arg("--rig").arg(rig).args(more).output().unwrap()
}

/// Runs a rig as its file says; its report is the test's output.
fn run_rig(name: &str) -> Result<(), Failed> {
    let output = latency(&folder().join(format!("{name}.toml")), &[]);
    println!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// The virtual rig with lines replaced: bursts alone, and nothing in real time, unless `changes` say so.
fn changed(changes: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder_of_test = tempfile::tempdir().unwrap();
    let mut text = std::fs::read_to_string(folder().join("virtual.toml")).unwrap();
    let short = [("seconds = 28", "seconds = 0"), ("pieces = 6", "pieces = 0"), ("decision_", "# decision_")];
    for (from, to) in short.iter().chain(changes) {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let file = folder_of_test.path().join("rig.toml");
    std::fs::write(&file, text).unwrap();
    (folder_of_test, file)
}

/// The rig's own error: every onset within one sample, the median of at least 200 repetitions within a millisecond.
fn finds_known_delays() -> Result<(), Failed> {
    let (folder, rig) = changed(&[]);
    let json = folder.path().join("report.json");
    let (csv, junit) = (folder.path().join("report.csv"), folder.path().join("report.xml"));
    let files = [&json, &csv, &junit].map(|file| file.to_str().unwrap());
    let output = latency(&rig, &["--json", files[0], "--csv", files[1], "--junit", files[2]]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let outside = &report["outside"];
    for what in ["onset_error_samples", "rig_error_ms", "path_ms", "transport_ms"] {
        assert!(outside[what]["n"].as_u64().unwrap() >= 200, "{what}: {}", outside[what]);
    }
    assert!(outside["onset_error_samples"]["max"].as_f64().unwrap() < 1.0, "{outside:#}");
    assert!(outside["rig_error_ms"]["p50"].as_f64().unwrap().abs() < 1.0, "{outside:#}");
    // 12.3457 ms, less than a sample off.
    assert!((outside["transport_ms"]["p50"].as_f64().unwrap() - 12.3457).abs() < 0.02, "{outside:#}");
    assert_eq!((report["missed"].as_u64(), report["false"].as_u64()), (Some(0), Some(0)));
    let csv = std::fs::read_to_string(&csv).unwrap();
    assert!(csv.lines().any(|line| line.starts_with("path_ms,240,")), "{csv}");
    let junit = std::fs::read_to_string(&junit).unwrap();
    assert!(junit.contains("failures=\"0\"") && junit.contains("name=\"rig_error_ms\""), "{junit}");
    Ok(())
}

fn notices_a_wrong_delay() -> Result<(), Failed> {
    let (folder, rig) =
        changed(&[("undeclared_ms = 0.0", "undeclared_ms = 3.0"), ("bursts = 240", "bursts = 20")]);
    let junit = folder.path().join("report.xml");
    let output = latency(&rig, &["--junit", junit.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert!(matches!(failed.as_slice(), [line] if line.contains("rig_error_ms")), "{said}");
    let junit = std::fs::read_to_string(&junit).unwrap();
    assert!(junit.contains("failures=\"1\"") && junit.contains("<failure message=\"3.0"), "{junit}");
    Ok(())
}

/// A rig whose hardware isn't here cannot be run, but what its file says can be read.
fn reads_every_rig() -> Result<(), Failed> {
    assert!(rigs().contains(&"virtual".to_owned()));
    let (_folder, broken) = changed(&[("bursts = 240", "bursts = 0")]);
    let output = latency(&broken, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("stimulus.bursts 0"), "{said}");
    Ok(())
}
