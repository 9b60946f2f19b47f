//! `doctor` as its users meet it: on this machine, on one that there is only in files, with broken settings.
#![cfg(feature = "alsa")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

/// Runs the program on the machine below `root`, which also says what microphones there are.
fn doctor(root: &Path, arguments: &[&str]) -> Output {
    let mut command = clean::program();
    command.env("ALSA_CONFIG_PATH", root.join("asound.conf"));
    command.arg("doctor").arg("--root").arg(root).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A Pi 4 with a microphone `mic` that hears a constant value, and one that is `mute`.
fn pi_4() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "heard.raw", 1_000_000_i32.to_le_bytes().repeat(200_000));
    let heard = root.join("heard.raw");
    let microphones = format!(
        "pcm.mic {{ type file slave.pcm {{ type null }} file /dev/null infile \"{}\" format raw }}\npcm.mute {{ type null }}\n",
        heard.display()
    );
    write(root, "asound.conf", microphones);
    write(root, "proc/device-tree/compatible", "raspberrypi,4-model-b\0");
    write(root, "proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n");
    write(root, "sys/devices/platform/soc/soc:firmware/get_throttled", "0\n");
    write(root, "boot/firmware/config.txt", "dtparam=audio=off\ndtparam=spi=on\n");
    write(root, "dev/spidev0.0", "");
    folder
}

/// The checks of a name.
fn checks<'a>(report: &'a Value, name: &str) -> Vec<&'a Value> {
    report["checks"].as_array().unwrap().iter().filter(|check| check["check"] == name).collect()
}

#[test]
fn a_machine_without_faults_ends_well_and_is_told_line_by_line() {
    let pi = pi_4();
    let output = doctor(pi.path(), &["--device", "mic", "--display", "max7219"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    for expected in [
        "ok       board          Raspberry Pi 4",
        "ok       boot           /boot/firmware/config.txt has every line",
        "ok       microphone     `mic`: 48000 Hz, 2 ch, S32_LE",
        "ok       display        MAX7219 matrix on spi0.0: /dev/spidev0.0 can be used",
        "ok       undervoltage   none now",
        "ok       memory         2929 MiB free",
        "ok       model          harmonynet",
        "unknown  temperature    this kernel does not tell",
        "0 errors, ",
    ] {
        assert!(stdout(&output).contains(expected), "{expected}: {}", stdout(&output));
    }
}

#[test]
fn programs_get_stable_keys_and_an_error_is_exit_code_1() {
    let pi = pi_4();
    write(pi.path(), "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
    let output = doctor(pi.path(), &["--json", "--device", "nowhere", "--display", "ssd1306"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stderr(&output).contains("3 errors were found"), "{}", stderr(&output));
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((&report["board"], &report["errors"]), (&Value::from("pi-4"), &Value::from(3)));
    let all = report["checks"].as_array().unwrap();
    assert_eq!(
        all.len() as u64,
        ["errors", "warnings", "unknown", "ok"].iter().map(|key| report[key].as_u64().unwrap()).sum::<u64>()
    );
    for (name, status, mend) in [
        ("microphone", "error", "plug the microphone in"),
        ("display", "error", "add `dtparam=i2c_arm=on` to /boot/firmware/config.txt"),
        ("undervoltage", "error", "use a supply"),
        ("boot", "warning", "dtparam=i2c_arm=on"),
    ] {
        let check = checks(&report, name)[0];
        assert_eq!(check["status"], status, "{check}");
        assert!(check["mend"].as_str().unwrap().contains(mend) && check["found"].is_string(), "{check}");
    }
    assert_eq!(checks(&report, "model")[0]["mend"], Value::Null);
}

#[test]
fn broken_settings_and_a_broken_model_are_findings_among_others() {
    let pi = pi_4();
    write(pi.path(), "s.toml", "[display]\nbrigthness = 3\n");
    let (file, state) = (pi.path().join("s.toml"), pi.path().join("state"));
    let (file, state) = (file.to_str().unwrap(), state.to_str().unwrap());
    let arguments = [
        "--json",
        "--device",
        "mute",
        "--config",
        file,
        "--state",
        state,
        "--model",
        pi.path().to_str().unwrap(),
    ];
    let output = doctor(pi.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    let settings = checks(&report, "settings");
    assert!(
        settings[0]["found"].as_str().unwrap().ends_with("line 2: display.brigthness: there is no such key")
    );
    assert_eq!(settings[0]["mend"], "did you mean display.brightness?");
    assert_eq!(checks(&report, "model")[0]["status"], "error");
    assert_eq!(checks(&report, "microphone")[0]["status"], "warning", "it is mute: {report}");
    assert_eq!(checks(&report, "state")[0]["status"], "ok");
    assert!(!Path::new(state).exists(), "it only looks");
    let typo = doctor(pi.path(), &["--set", "display.brigthness=3"]);
    assert_eq!(typo.status.code(), Some(1));
    assert!(stderr(&typo).contains("did you mean display.brightness?") && stdout(&typo).is_empty());
}

#[test]
fn this_machine_is_examined_whatever_it_is() {
    let output = doctor(Path::new("/"), &["--json"]);
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(output.status.success(), report["errors"] == 0, "{report}");
    assert_eq!(checks(&report, "model")[0]["status"], "ok", "{report}");
    // Linux tells this everywhere.
    assert_ne!(checks(&report, "memory")[0]["status"], "unknown", "{report}");
}
