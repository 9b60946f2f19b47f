//! What has to hold on music that people made. The recordings aren't part of the project: the test runs where they lie beside
//! it (`../shared/data`, GTZAN) and says so where it is skipped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::path::Path;
use std::process::Command;

#[test]
fn quantization_and_distance_hardly_change_what_is_heard() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let (audio, split) = (data.join("gtzan-lossless"), data.join("gtzan.csv"));
    if !audio.is_dir() || !split.is_file() {
        eprintln!("skipped: there are no recordings in {}", data.display());
        return;
    }
    // Validation tracks only: nothing is ever chosen or checked by the test part.
    let output = Command::new(env!("CARGO_BIN_EXE_harmonynet"))
        .args([
            "evaluate",
            "--part",
            "valid",
            "--compare",
            "float",
            "--compare",
            "native-20dB",
            "--compare",
            "int8",
            "--json",
            "-",
            "--audio",
        ])
        .arg(&audio)
        .arg("--split")
        .arg(&split)
        .env_remove("HARMONYNET_MODEL")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let figure = |pointer: &str| figures.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap();
    assert!(figure("/data/excerpts") > 500.0, "{figures}");
    // Ten genres: a tenth would be chance.
    assert!(figure("/track/accuracy") > 0.45, "{figures}");
    assert_eq!(figures["engine"], "native", "{figures}");
    assert!(figure("/compared/0/agreement") >= 0.985, "float and native: {figures}");
    assert!(figure("/compared/2/agreement") >= 0.985, "int8 by tract and native: {figures}");
    assert!(figure("/compared/1/agreement") >= 0.99, "20 dB quieter: {figures}");
}
