//! The program tells the house: both examples of listeners hear it, and its settings keep secrets.
#![cfg(all(feature = "cli", feature = "tell"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harmonynet::tell::schema::Event;

#[path = "clients/listener.rs"]
mod listener;

fn program() -> Command {
    let mut command = clean::program();
    command.stdin(Stdio::null());
    command
}

/// A program that plays to itself for as long as it takes, ended with its owner.
struct Device(Child);

impl Device {
    fn start(settings: &[String]) -> Self {
        let mut command = program();
        command.args(["listen", "--demo", "--display", "none"]).stderr(Stdio::null());
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        Self(command.spawn().unwrap())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn both_examples_hear_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sock");
    let socket = path.to_str().unwrap();
    let device = Device::start(&[format!("events.socket={socket}")]);
    wait_for(&path);

    let python = Command::new("python3")
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/listener.py"), socket, "2"])
        .stderr(Stdio::inherit())
        .stdout(Stdio::piped())
        .spawn();
    let mut text = Vec::new();
    let mut verdicts = std::cell::Cell::new(0);
    listener::listen(socket, &mut text, |event| {
        verdicts.set(verdicts.get() + u32::from(matches!(event, Event::Verdict(_))));
        verdicts.get() == 2
    })
    .unwrap();
    assert_eq!(*verdicts.get_mut(), 2);
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("harmonynet ") && text.contains("labels: blues, classical"), "{text}");
    match python {
        Ok(python) => {
            let output = python.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success() && text.contains("labels: blues, classical"), "{text}");
        }
        Err(error) => eprintln!("skipped: the Python example ({error}; apt-get install python3)"),
    }
    drop(device);
    // A device that was killed left its socket; the next one takes its place.
    assert!(path.exists());
    let again = Device::start(&[format!("events.socket={socket}")]);
    while std::os::unix::net::UnixStream::connect(&path).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(again);
}

#[test]
fn what_cannot_be_opened_is_told_and_listening_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    let secret = format!("{folder}/secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    for (settings, expected) in [
        (vec![format!("events.socket={folder}/no/where")], "its folder doesn't exist"),
        (vec!["metrics.address=localhost".into()], "write it as 127.0.0.1:9464"),
        (vec!["mqtt.broker=a b".into()], "mqtt.broker is not allowed"),
        (vec!["mqtt.broker=a".into(), "mqtt.password_file=/no/where".into()], "must be readable"),
        (vec!["mqtt.broker=a".into(), format!("mqtt.password_file={secret}")], "set mqtt.user"),
        (vec!["mqtt.broker=a".into(), format!("mqtt.ca_file={secret}")], "set mqtt.tls = true"),
    ] {
        let mut command = program();
        command.args(["listen", "--demo", "--pace", "fast", "--seconds", "1", "--display", "none"]);
        command.args(["--set", "mqtt.id=test"]);
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && text.contains(expected), "{settings:?}: {text}");
        assert!(text.contains("\nheard "), "it listened all the same: {text}");
    }
    let printed = program()
        .args(["config", "--print", "--set", &format!("mqtt.password_file={secret}"), "--set", "mqtt.user=u"])
        .output()
        .unwrap();
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("mqtt.password_file = ") && !text.contains("s3cret"), "{text}");
}
