//! Hardware in the loop: every rig of this folder as a test, which is what `harmonynet latency` says of it.
//!
//! `make hil RIG=name` runs one and prints its report. Without a name the rigs are skipped, each with the reason; what needs no
//! hardware runs always: that the rig finds the delays that it put in, and fails where it is told wrong ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use stopwatch::simulated::{Simulation, run};

/// Names the rig.
const RIG: &str = "HARMONYNET_RIG";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let named = std::env::var(RIG).ok().filter(|name| !name.is_empty());
    let mut trials = vec![
        Trial::test("a_virtual_rig_finds_the_delays_that_it_put_in", finds_known_delays),
        Trial::test("a_delay_that_the_rig_does_not_know_of_makes_it_fail", notices_a_wrong_delay),
        Trial::test("every_rig_of_this_folder_is_right", reads_every_rig),
        Trial::test("a_stopwatch_gives_back_the_delay_between_its_trigger_and_its_light", finds_the_level),
        Trial::test("a_genres_light_is_a_decision_once_it_stays", finds_the_decision),
        Trial::test("what_is_wrong_with_a_port_is_said_with_what_mends_it", names_the_mend),
        Trial::test("firmware_and_program_speak_through_the_same_libraries", compares_lock_files),
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
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
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

/// A pseudo-terminal: its near end, and the path of its far end.
fn pseudo_terminal() -> (std::fs::File, PathBuf) {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let path = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
    (std::fs::File::from(near), path.into())
}

/// What `latency` says of a rig of this folder with lines replaced and a simulated stopwatch at its port.
fn of_simulation(simulation: Simulation, changes: &[(&str, &str)]) -> (Output, Value) {
    let folder_of_test = tempfile::tempdir().unwrap();
    let mut text = std::fs::read_to_string(folder().join("gpio.toml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let rig = folder_of_test.path().join("rig.toml");
    std::fs::write(&rig, text).unwrap();
    let (near, port) = pseudo_terminal();
    let from = near.try_clone().unwrap();
    // It ends with an error when the program closes the port.
    let device = std::thread::spawn(move || run(simulation, from, near));
    let json = folder_of_test.path().join("report.json");
    let output = latency(&rig, &["--port", port.to_str().unwrap(), "--json", json.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = std::fs::read_to_string(&json).unwrap_or_else(|_| panic!("no report: {said}"));
    let _ = device.join().unwrap();
    (output, serde_json::from_str(&report).unwrap())
}

/// Through a serial port, with a clock that drifts and answers that dawdle: the delay within two of the clock's microseconds,
/// the drift within its stated bound.
fn finds_the_level() -> Result<(), Failed> {
    let simulation = Simulation {
        start: 77_000_000_000,
        drift_ppm: 80.0,
        dawdles: Duration::from_millis(3),
        level_after: Duration::from_micros(61_700),
        dark: Some(2),
        ..Simulation::default()
    };
    let changes = [("bursts = 240", "bursts = 8"), ("light_ms = 0.0", "light_ms = 1.5")];
    let (output, report) = of_simulation(simulation, &changes);
    let said = String::from_utf8_lossy(&output.stdout);
    let path = &report["outside"]["path_ms"];
    assert_eq!(
        (path["n"].as_u64(), report["missed"].as_u64(), report["false"].as_u64()),
        (Some(7), Some(1), Some(0))
    );
    for value in ["min", "p50", "max"] {
        assert!((path[value].as_f64().unwrap() - 60.2).abs() < 0.002, "{path:#}");
    }
    let clocks = &report["clocks"];
    let (drift, within) =
        (clocks["drift_ppm"].as_f64().unwrap(), clocks["drift_within_ppm"].as_f64().unwrap());
    assert!((drift + 80.0).abs() <= within && within < 250.0, "{clocks:#}");
    assert!(clocks["offset_within_at_worst_ms"].as_f64().unwrap() < 1.0, "{clocks:#}");
    assert!(clocks["round_trip_us"]["n"].as_u64().unwrap() > 100, "{clocks:#}");
    // The burst whose light stayed dark is more than the rig allows, and nothing else is.
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert!(matches!(failed.as_slice(), [line] if line.contains("missed")), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("clocks: host ahead of rig by") && said.contains("losses unknown"), "{said}");
    Ok(())
}

fn finds_the_decision() -> Result<(), Failed> {
    let simulation = Simulation {
        level_after: Duration::from_millis(40),
        genre_after: Duration::from_millis(4321),
        ..Simulation::default()
    };
    let (output, report) =
        of_simulation(simulation, &[("bursts = 240", "bursts = 1"), ("pieces = 0", "pieces = 1")]);
    assert!(output.status.success(), "{}{report:#}", String::from_utf8_lossy(&output.stderr));
    let decision = &report["outside"]["decision_ms"];
    assert_eq!(decision["n"], 1);
    assert!((decision["p50"].as_f64().unwrap() - 4321.0).abs() < 0.002, "{decision:#}");
    Ok(())
}

fn names_the_mend() -> Result<(), Failed> {
    let said = |port: &Path| {
        let output = latency(&folder().join("loopback.toml"), &["--port", port.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let absent = said(Path::new("/dev/no-such-port"));
    assert!(absent.contains("/dev/no-such-port: no such port") && absent.contains("make pico"), "{absent}");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(said(file.path()).contains("is it a serial port?"));
    // Somebody holds the other end and says nothing.
    let (_near, port) = pseudo_terminal();
    let silent = said(&port);
    assert!(silent.contains("doesn't answer") && silent.contains("firmware"), "{silent}");
    Ok(())
}

/// The firmware has a lock file of its own; what makes bytes of records must be the same on both sides.
fn compares_lock_files() -> Result<(), Failed> {
    let lock = |file: &Path| std::fs::read_to_string(file).unwrap();
    let versions = |lock: &str, library: &str| -> Vec<String> {
        let name = format!("name = \"{library}\"\nversion = ");
        lock.match_indices(&name)
            .map(|(at, _)| lock[at + name.len()..].lines().next().unwrap().into())
            .collect()
    };
    let ours = lock(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"));
    let theirs = lock(&folder().join("pico/Cargo.lock"));
    for library in ["stopwatch", "postcard", "cobs", "serde", "serde_core"] {
        let theirs = versions(&theirs, library);
        assert_eq!(theirs.len(), 1, "{library}: {theirs:?}");
        assert_eq!(versions(&ours, library), theirs, "{library}");
    }
    Ok(())
}
