//! No sound is stored, and none is sent: what the program holds open while it listens, how much it writes, what is left.
#![cfg(all(target_os = "linux", feature = "cli", feature = "native", feature = "page"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use harmonynet::capture::demo::{Piece, render};

const RATE_HZ: u32 = 22_050;
/// Music that is played, in parts after each of which the program is looked at.
const PARTS: usize = 12;
const SECONDS: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that hears what the test writes to its standard input, in folders that hold nothing else.
struct Device {
    child: Child,
    folder: tempfile::TempDir,
}

impl Device {
    fn start(settings: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["state", "work", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut command = clean::program();
        command.args(["listen", "-", "--rate", "22050", "--pace", "fast", "--display", "none", "--state"]);
        command.arg(folder.path().join("state")).env("TMPDIR", folder.path().join("tmp"));
        settings.iter().for_each(|setting| {
            command.args(["--set", &setting.replace("FOLDER", &folder.path().display().to_string())]);
        });
        command.current_dir(folder.path().join("work"));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Plays so many seconds; how many bytes that is.
    fn play(&mut self, music: &mut impl Iterator<Item = i32>) -> usize {
        let samples = music.take((RATE_HZ * SECONDS) as usize);
        let bytes: Vec<u8> = samples.flat_map(|sample| ((sample >> 16) as i16).to_le_bytes()).collect();
        self.child.stdin.as_mut().unwrap().write_all(&bytes).unwrap();
        bytes.len()
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }

    /// What of its open files could take sound away: files that it may write, and sockets, by the number of their inode.
    fn outlets(&self) -> HashSet<String> {
        let open = std::fs::read_dir(self.proc("fd")).unwrap().filter_map(|entry| {
            // It may have been closed since.
            let name = entry.ok()?.file_name().into_string().ok()?;
            let target = std::fs::read_link(self.proc("fd").join(&name)).ok()?.display().to_string();
            let info = std::fs::read_to_string(self.proc("fdinfo").join(&name)).ok()?;
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?.trim();
            let writable = u32::from_str_radix(flags, 8).unwrap() & 3 != 0;
            // Pipes lead to itself, but for standard input, which it reads.
            let harmless =
                target == "/dev/null" || target.starts_with("pipe:") || target.starts_with("anon_inode:");
            (writable && !harmless).then_some(target)
        });
        open.collect()
    }

    /// Bytes that it has written to whatever there is.
    fn written(&self) -> u64 {
        let io = std::fs::read_to_string(self.proc("io")).unwrap();
        io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
    }

    /// Waits until it has read all that was played.
    fn wait_until_read(&self, played: usize) {
        let begin = Instant::now();
        loop {
            let io = std::fs::read_to_string(self.proc("io")).unwrap();
            let read: usize =
                io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap();
            if read >= played {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{read} bytes of {played}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it; the files that it leaves, from its folders on.
    fn end(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        let mut left: Vec<String> = ["state", "work", "tmp"]
            .iter()
            .flat_map(|name| {
                std::fs::read_dir(self.path(name)).unwrap().map(move |entry| (name, entry.unwrap()))
            })
            .map(|(name, entry)| format!("{name}/{}", entry.file_name().display()))
            .collect();
        left.sort();
        left
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn as_it_is_by_default_it_opens_nothing_to_write_and_writes_next_to_nothing() {
    let mut device = Device::start(&[]);
    let mut music = render(Piece::Disco, RATE_HZ);
    let mut played = 0;
    for _ in 0..PARTS {
        played += device.play(&mut music);
        device.wait_until_read(played);
        assert_eq!(device.outlets(), HashSet::new());
    }
    let written = device.written();
    // What it wakes its threads with, and its settings: a thousandth of what it heard.
    assert!(written < played as u64 / 1000, "{written} bytes written, {played} heard");
    assert_eq!(device.end(), [""; 0]);
}

#[test]
fn asked_to_tell_it_opens_the_sockets_that_were_asked_for_and_no_sound_passes_them() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut device =
        Device::start(&["events.socket=FOLDER/events".into(), format!("page.address=127.0.0.1:{port}")]);
    let begin = Instant::now();
    let listener = loop {
        match UnixStream::connect(device.path("events")) {
            Ok(listener) => break listener,
            Err(error) => assert!(begin.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut viewer = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(viewer, "GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").unwrap();
    let mut first = String::new();
    let mut viewer = BufReader::new(viewer);
    viewer.read_line(&mut first).unwrap();
    assert!(first.contains("200"), "{first}");
    std::thread::spawn(move || std::io::copy(&mut &listener, &mut std::io::sink()));
    std::thread::spawn(move || viewer.read_to_end(&mut Vec::new()));

    let mut music = render(Piece::Disco, RATE_HZ);
    let mut played = 0;
    for _ in 0..PARTS {
        played += device.play(&mut music);
        device.wait_until_read(played);
        let known = known_sockets(&device.path("events"), port);
        let unknown: Vec<_> = device.outlets().into_iter().filter(|outlet| !known.contains(outlet)).collect();
        assert!(unknown.is_empty(), "{unknown:?} is none of {known:?}");
    }
    let written = device.written();
    assert!(written > 1000, "listener and viewer were told something");
    // The page's picture of the sound, 21 columns of 128 bytes a second, is the most of it.
    assert!(written < played as u64 / 5, "{written} bytes written, {played} heard");
    assert_eq!(device.end(), [""; 0]);
}

/// The event socket's and the page's, as links in a list of open files name them: at `path` and at the `port` of loopback,
/// connected to nobody but loopback.
fn known_sockets(path: &Path, port: u16) -> HashSet<String> {
    let unix = std::fs::read_to_string("/proc/net/unix").unwrap();
    // The kernel keeps the name that a socket was bound to; it was renamed since.
    let path = path.display().to_string();
    let unix =
        unix.lines().filter(|line| line.contains(&path)).filter_map(|line| line.split_whitespace().nth(6));
    let tcp = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (local, loopback, nobody) = (format!("0100007F:{port:04X}"), "0100007F:", "00000000:");
    let tcp = tcp.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let remote = words.get(2)?;
        let ours = words.get(1)? == &local && (remote.starts_with(loopback) || remote.starts_with(nobody));
        ours.then(|| *words.get(9).unwrap())
    });
    unix.chain(tcp).map(|inode| format!("socket:[{inode}]")).collect()
}
