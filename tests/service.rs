//! The program as a service: what it tells the manager that started it, over a socket that the test holds.
#![cfg(all(feature = "alsa", feature = "cli", feature = "native"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use harmonynet::capture::demo::{Piece, render};

/// So long nobody has to wait who is going to be told something.
const PATIENCE: Duration = Duration::from_secs(120);
/// Sound that was written has been worked off when nothing is told for so long.
const QUIET: Duration = Duration::from_secs(6);
const RATE_HZ: u32 = 22_050;

/// A program under a manager that is this test; killed with its owner.
struct Managed {
    messages: Receiver<String>,
    child: Child,
    folder: tempfile::TempDir,
}

impl Managed {
    /// Starts `harmonynet listen`; the manager's watchdog time in microseconds, if it has a watchdog.
    fn listen(arguments: &[&str], watchdog_micros: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut command = clean::program();
        command.env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC").env("NOTIFY_SOCKET", &path);
        if let Some(micros) = watchdog_micros {
            command.env("WATCHDOG_USEC", micros.to_string());
        }
        command.arg("listen").args(arguments).args(["--display", "none"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let (teller, messages) = channel();
        // Taken at once, as a manager does: who tells waits where the socket is full.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = socket.recv(&mut buffer) {
                let message = String::from_utf8_lossy(&buffer[..count]).trim_end().to_string();
                if teller.send(message).is_err() {
                    return;
                }
            }
        });
        Self { messages, child: command.spawn().unwrap(), folder }
    }

    /// The next message within `time`.
    fn told(&self, time: Duration) -> Option<String> {
        self.messages.recv_timeout(time).ok()
    }

    /// Messages up to the first that begins with `begin`, that one last.
    fn until(&self, begin: &str) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            let Some(message) = self.told(PATIENCE) else { panic!("no {begin}, only {messages:?}") };
            messages.push(message);
            if messages.last().is_some_and(|last| last.starts_with(begin)) {
                return messages;
            }
        }
    }

    /// What is still told until nothing is told any more.
    fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.told(QUIET)).collect()
    }

    /// Writes so many seconds of music to the program's standard input.
    fn play(&mut self, seconds: u32) {
        let samples = render(Piece::Disco, RATE_HZ).take((RATE_HZ * seconds) as usize);
        let bytes: Vec<u8> = samples.flat_map(|sample| ((sample >> 16) as i16).to_le_bytes()).collect();
        self.child.stdin.as_mut().unwrap().write_all(&bytes).unwrap();
    }

    fn interrupt(&self) {
        // The shell's own `kill`: a minimal system has no other.
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for a good end; what was written to standard error.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut text = String::new();
        std::io::Read::read_to_string(self.child.stderr.as_mut().unwrap(), &mut text).unwrap();
        assert!(self.child.wait().unwrap().success(), "{text}");
        text
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count(messages: &[String], begin: &str) -> usize {
    messages.iter().filter(|message| message.starts_with(begin)).count()
}

const PIPE: &[&str] = &["-", "--rate", "22050", "--pace", "fast"];

#[test]
fn the_watchdog_is_fed_by_sound_and_by_nothing_else() {
    let mut program = Managed::listen(PIPE, Some(4));
    assert_eq!(program.until("STATUS="), ["STATUS=waiting for sound"]);
    assert_eq!(program.rest(), [""; 0], "without sound it is neither ready nor alive");

    program.play(8);
    let while_playing = program.rest();
    assert_eq!(count(&while_playing, "READY=1"), 1, "{while_playing:?}");
    let fed = count(&while_playing, "WATCHDOG=1");
    assert!(fed >= 3, "{while_playing:?}");
    assert!(
        while_playing.iter().position(|m| m == "READY=1")
            < while_playing.iter().position(|m| m == "WATCHDOG=1")
    );
    // A reader that waits is not the end of it: nothing is told while no sound comes.
    assert_eq!(program.rest(), [""; 0]);

    program.play(8);
    let again = program.rest();
    assert!(count(&again, "WATCHDOG=1") >= 1 && count(&again, "READY=1") == 0, "{again:?}");

    // The microphone, here a pipe, holds the end up; the manager knows of it all the same.
    program.interrupt();
    let stopping = program.until("STOPPING=1");
    assert_eq!(count(&stopping, "WATCHDOG=1"), 0, "{stopping:?}");
    assert!(program.child.try_wait().unwrap().is_none());
    program.end();
}

#[test]
fn music_through_alsa_is_the_status_line() {
    let program = Managed::listen(&["--demo=disco"], Some(400_000));
    program.until("READY=1");
    program.until("WATCHDOG=1");
    // Ten labels; which one the demo is taken for is not what is tested here.
    let is_genre = |line: &str| line.ends_with(" %") && !line.contains("unsure");
    while !program.until("STATUS=").last().is_some_and(|line| is_genre(line)) {}
    program.until("WATCHDOG=1");
    program.interrupt();
    program.until("STOPPING=1");
    assert_eq!(program.rest(), [""; 0]);
    program.end();
}

#[test]
fn a_missing_microphone_is_a_service_that_is_up_and_asks_for_patience() {
    let program = Managed::listen(&["--device", "hw:CARD=NoSuchCard"], Some(400_000));
    let mut messages = program.until("WATCHDOG_USEC=");
    // The verdict that it is missing may come before or after the news of it.
    if count(&messages, "STATUS=there is no such microphone") == 0 {
        messages.extend(program.until("STATUS=there is no such microphone"));
    }
    messages.extend(program.rest());
    assert_eq!(count(&messages, "READY=1"), 1, "{messages:?}");
    assert!(messages.contains(&"WATCHDOG_USEC=3600000000".to_string()), "{messages:?}");
    assert_eq!(count(&messages, "WATCHDOG=1"), 0, "{messages:?}");
    program.interrupt();
    program.until("STOPPING=1");
    let text = program.end();
    assert!(text.contains("hw:CARD=NoSuchCard"), "{text}");
}

#[test]
fn without_a_watchdog_nobody_is_fed_and_the_end_of_a_recording_is_told() {
    let mut program = Managed::listen(PIPE, None);
    program.play(5);
    drop(program.child.stdin.take());
    let messages = program.until("STOPPING=1");
    assert_eq!((count(&messages, "READY=1"), count(&messages, "WATCHDOG")), (1, 0), "{messages:?}");
    program.end();
}

#[test]
fn a_manager_that_is_gone_is_told_of_once_and_listening_goes_on() {
    let mut program = Managed::listen(PIPE, Some(4));
    program.until("STATUS=");
    std::fs::remove_file(program.folder.path().join("notify")).unwrap();
    program.play(5);
    let text = program.end();
    assert_eq!(text.matches("the service manager cannot be told").count(), 1, "{text}");
    assert!(text.contains("heard 5.0 s"), "{text}");
}

#[test]
fn the_unit_grants_what_every_board_asks_for() {
    let boards = concat!(env!("CARGO_MANIFEST_DIR"), "/boards");
    let unit = std::fs::read_to_string(format!("{boards}/debian/harmonynet.service")).unwrap();
    let value = |text: &str, key: &str| -> Option<u32> {
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    };
    let granted = value(&unit, "LimitRTPRIO=").unwrap();
    assert!(granted < 50, "the kernel's interrupt threads go first");
    let mut asked = Vec::new();
    for entry in std::fs::read_dir(boards).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            asked.extend(value(&text, "capture_priority = "));
        }
    }
    assert!(asked.len() >= 8 && asked.iter().all(|asked| *asked <= granted), "{asked:?} of {granted}");
    // The nodes of displays belong to groups that the service's user is a member of.
    let [rules, users] = ["60-harmonynet.rules", "harmonynet.sysusers"]
        .map(|file| std::fs::read_to_string(format!("{boards}/debian/{file}")).unwrap());
    let groups: Vec<&str> =
        rules.split("GROUP=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(groups, ["gpio", "i2c", "spi"]);
    for group in groups.iter().chain(&["audio"]) {
        assert!(users.contains(&format!("m harmonynet {group}\n")), "{group}");
    }
}
