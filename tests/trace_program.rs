//! A program that listens is asked for its trace, and the trace tells how long each stage took.
#![cfg(feature = "latency")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use clean::program;

/// What `trace` says of a file.
fn said(file: &Path, more: &[&str]) -> String {
    let output = program().arg("trace").arg(file).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_trace_that_was_asked_for_tells_of_every_stage() {
    let folder = tempfile::tempdir().unwrap();
    let mut listening = program()
        .args(["listen", "--demo=disco", "--json", "--trace"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines();
    // Two judgements, so that one of them has surely been shown.
    for _ in 0..2 {
        lines.next().unwrap().unwrap();
    }
    let asked = Command::new("kill").args(["-USR1", &listening.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let file = folder.path().join("trace-0.hnt");
    while !file.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(listening.try_wait().unwrap().is_none(), "it listens on");
    listening.kill().unwrap();
    listening.wait().unwrap();

    let text = said(&file, &[]);
    for stage in ["resample", "inference", "display write", "period to verdict", "verdict to display"] {
        assert!(text.contains(stage), "{stage}: {text}");
    }
    let told: serde_json::Value = serde_json::from_str(&said(&file, &["--json"])).unwrap();
    assert_eq!(told["reason"], "asked");
    assert!(told["stages_us"]["inference"]["n"].as_u64().unwrap() >= 1, "{told:#}");
    assert!(told["paths_us"]["verdict to display"]["n"].as_u64().unwrap() >= 1, "{told:#}");
    let shares: f64 = told["shares"].as_object().unwrap().values().map(|share| share.as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{told:#}");
    let fares = &told["fares"];
    assert!(fares["granted"].as_str().unwrap().contains("Hz") && fares["overruns"] == 0, "{fares}");
    assert!(!fares["scheduler"].as_str().unwrap().is_empty(), "{fares}");
    let stamps = &told["stamps"];
    assert!(stamps["believable"].as_u64().unwrap() > 100, "{stamps}");
    let records = said(&file, &["--records"]);
    assert_eq!(records.lines().count() as u64, told["records"].as_u64().unwrap());

    let broken = folder.path().join("broken");
    std::fs::write(&broken, "HNTRACE1").unwrap();
    let output = program().arg("trace").arg(&broken).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("no trace"));
}
