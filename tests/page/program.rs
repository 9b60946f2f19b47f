//! The program serves the page: its settings, and what a real browser makes of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use harmonynet::capture::demo::{DemoPlayer, Piece};

use super::clean::program;

/// Where pictures of the page go, if they are wanted: `make pictures`.
const PICTURES: &str = "HARMONYNET_PAGE_PICTURES";
const RATE_HZ: u32 = 48_000;

/// A program that listens to music from its standard input, for as long as it takes; ended with its owner.
struct Device {
    child: Child,
    notes: Receiver<String>,
}

impl Device {
    fn start(settings: &[&str]) -> Self {
        let mut command = program();
        command.args(["listen", "-", "--format", "S32_LE", "--display", "none"]);
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let sound = child.stdin.take().unwrap();
        std::thread::spawn(move || play(sound));
        let (send, notes) = channel();
        let said = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, notes }
    }

    /// What the first note says that begins with `beginning`.
    fn note(&self, beginning: &str) -> String {
        loop {
            let note = self.notes.recv_timeout(Duration::from_secs(120)).unwrap();
            if let Some(rest) = note.strip_prefix(beginning) {
                return rest.into();
            }
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Plays at the pace of time, until nobody listens: something fast, a pause, and then something slow for ever.
fn play(mut sound: ChildStdin) {
    let rate = RATE_HZ as usize;
    let opening =
        DemoPlayer::new(Piece::Disco, RATE_HZ).take(16 * rate).chain(std::iter::repeat_n(0, 4 * rate));
    let rest = std::iter::repeat_with(|| DemoPlayer::new(Piece::Classical, RATE_HZ)).flatten();
    let mut music = opening.chain(rest);
    let began = Instant::now();
    for period in 1.. {
        let bytes: Vec<u8> = music.by_ref().take(rate / 50).flat_map(i32::to_le_bytes).collect();
        if sound.write_all(&bytes).is_err() {
            return;
        }
        std::thread::sleep((Duration::from_millis(20) * period).saturating_sub(began.elapsed()));
    }
}

pub(super) fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.exists())
}

#[test]
fn a_browser_sees_what_the_event_socket_says() {
    let _company = super::company();
    let Some(chromium) = chromium() else {
        eprintln!("skipped: the page in a browser (no Chromium; apt-get install chromium)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    std::fs::write(path("token"), format!("{}\n", super::TOKEN)).unwrap();
    let events = path("events.sock");
    let settings = [
        "page.address=127.0.0.1:0".to_string(),
        format!("page.token_file={}", path("token")),
        format!("events.socket={events}"),
    ];
    let device = Device::start(&settings.each_ref().map(String::as_str));
    let said = device.note("page: ");
    assert!(!said.contains(super::TOKEN), "{said}");
    let address = format!("{}?token={}", said.split('?').next().unwrap(), super::TOKEN);

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/browser.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(chromium).args([&address, &events]);
    if let Some(pictures) = std::env::var_os(PICTURES) {
        command.arg(pictures);
    }
    let browser = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut browser = match browser {
        Ok(browser) => browser,
        Err(error) => {
            eprintln!("skipped: the page in a browser ({error}; apt-get install python3)");
            return;
        }
    };
    let mut says = BufReader::new(browser.stdout.take().unwrap()).lines();
    assert_eq!(says.next().and_then(Result::ok).as_deref(), Some("done watching"));
    drop(device);
    browser.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(says.next().and_then(Result::ok).as_deref(), Some("good"));
    assert!(browser.wait().unwrap().success());
}

#[test]
fn settings_that_cannot_be_are_told_and_who_can_see_the_page_too() {
    let _company = super::company();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "short\n").unwrap();
    let short = format!("page.token_file={}", file.display());
    for (settings, expected) in [
        (vec!["page.address=localhost"], "write it as 127.0.0.1:8730"),
        (vec!["page.address=192.0.2.1:0"], "no page on 192.0.2.1:0: this machine has no such address"),
        (vec!["page.address=127.0.0.1:0", "page.token_file=/no/where"], "must be readable"),
        (vec!["page.address=127.0.0.1:0", &short], "wants a line of 16 to 128 letters"),
        (vec!["page.address=0.0.0.0:0"], "whoever reaches 0.0.0.0:"),
    ] {
        let mut command = program();
        command.args(["listen", "--demo", "--pace", "fast", "--seconds", "1", "--display", "none"]);
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && text.contains(expected), "{settings:?}: {text}");
        assert!(text.contains("\nheard ") && !text.contains("short\n"), "it listened all the same: {text}");
    }
    let quiet = Device::start(&["page.address=127.0.0.1:0"]);
    assert!(quiet.note("page: ").starts_with("http://127.0.0.1:"));
    let note = quiet.notes.recv_timeout(Duration::from_secs(120)).unwrap();
    assert!(!note.contains("whoever"), "on loopback nobody else can: {note}");
}
