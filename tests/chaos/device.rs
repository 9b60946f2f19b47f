//! A real program as a device on a shelf, and everything that is seen of it from outside: its output, its events, its memory.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use harmonynet::spec::SAMPLE_RATE_HZ;
use harmonynet::tell::decode_json;
use harmonynet::tell::schema::{Condition, Event};

use super::hardware::{Hardware, MICROPHONE};

/// Samples between two verdicts: 24 frames.
const PERIOD: u64 = 24 * 512;
/// Something that takes longer never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Size of the disk on which the device keeps its traces.
const DISK_KIB: u32 = 8192;

/// Beginnings of lines of the log that say what the display says, or that all is well.
const USUAL: [&str; 7] =
    ["microphone `chaos`", "trace written", "engine:", "page:", "heard ", "lost ", "last: "];

/// A verdict, as the event socket told it.
#[derive(Clone, Copy)]
struct Heard {
    when: Instant,
    /// Which start of the program said it.
    start: u32,
    at: u64,
    /// Whether it is about sound: the device hears.
    hears: bool,
}

/// What was seen of the device since the beginning, over all its starts.
#[derive(Default)]
struct Seen {
    /// Lines of output; whether each was shown, or written to the log.
    lines: Vec<(bool, String)>,
    heard: Vec<Heard>,
    /// Events that the observer itself was too slow for.
    missed: u64,
}

/// A place in everything that is seen.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    line: usize,
    heard: usize,
}

pub(crate) struct Device {
    pub(crate) hardware: Hardware,
    program: Option<Child>,
    folder: tempfile::TempDir,
    seen: Arc<Mutex<Seen>>,
    starts: u32,
    ends: Arc<AtomicBool>,
    /// Ports of page and metrics.
    pub(crate) page: u16,
    pub(crate) metrics: u16,
    broker: u16,
    has_disk: bool,
    /// Largest resident memory of this start, and that of a start that has warmed up.
    pub(crate) warm_kib: Option<u64>,
}

impl Device {
    /// Starts a device; the reason where there can't be one here.
    pub(crate) fn start(broker: u16) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let hardware = Hardware::new(folder.path())?;
        std::fs::create_dir(folder.path().join("traces")).unwrap();
        let mut device = Self {
            hardware,
            program: None,
            folder,
            seen: Arc::default(),
            starts: 0,
            ends: Arc::default(),
            page: free_port(),
            metrics: free_port(),
            broker,
            has_disk: has_private_disks(),
            warm_kib: None,
        };
        device.write_settings("");
        device.run(false);
        Ok(device)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the settings, with `more` at their end.
    pub(crate) fn write_settings(&self, more: &str) {
        let text = format!(
            "board = \"pi-4\"\nmicrophone.device = \"{MICROPHONE}\"\nevents.socket = \"{}\"\nevents.listeners = 16\n\
             display = {{ kind = \"ssd1306\", night_from = \"22:00\", night_to = \"06:00\" }}\n\
             metrics.address = \"127.0.0.1:{}\"\npage.address = \"127.0.0.1:{}\"\n\
             mqtt = {{ broker = \"127.0.0.1\", port = {}, id = \"chaos\" }}\n{more}\n",
            self.socket().display(),
            self.metrics,
            self.page,
            self.broker
        );
        std::fs::write(self.path("settings.toml"), text).unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("events.sock")
    }

    /// Starts the program, with its output on a full disk where that is asked for.
    pub(crate) fn run(&mut self, is_log_full: bool) {
        let traces = self.path("traces");
        let mut listen = super::program();
        listen.arg("listen").arg("--config").arg(self.path("settings.toml"));
        listen.arg("--state").arg(self.path("state")).arg("--trace").arg(&traces);
        let mut command = if self.has_disk { on_private_disk(&listen, &traces) } else { listen };
        self.hardware.surround(&mut command);
        command.stdin(Stdio::null());
        if is_log_full {
            let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            command.stdout(full()).stderr(full());
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut program = command.spawn().unwrap();
        self.starts += 1;
        if let Some(out) = program.stdout.take() {
            self.watch(out, true);
        }
        if let Some(log) = program.stderr.take() {
            self.watch(log, false);
        }
        self.program = Some(program);
        self.warm_kib = None;
        self.observe();
    }

    fn watch(&self, output: impl std::io::Read + Send + 'static, is_shown: bool) {
        let seen = Arc::clone(&self.seen);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                seen.lock().unwrap().lines.push((is_shown, line));
            }
        });
    }

    /// Listens at the event socket, until this start of the program ends.
    fn observe(&self) {
        let (seen, ends, start, path) =
            (Arc::clone(&self.seen), Arc::clone(&self.ends), self.starts, self.socket());
        std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let Ok(mut stream) = UnixStream::connect(&path) else {
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                };
                if stream.write_all(b"json\n").is_err() {
                    continue;
                }
                let mut lines = BufReader::new(stream).split(b'\n');
                while let Some(Ok(line)) = lines.next() {
                    let mut seen = seen.lock().unwrap();
                    match decode_json(&line) {
                        Ok(Event::Verdict(verdict)) => {
                            let hears = !matches!(verdict.state, Condition::Fault | Condition::Listening);
                            seen.heard.push(Heard { when: Instant::now(), start, at: verdict.at, hears });
                        }
                        Ok(Event::Lost(lost)) => seen.missed += lost.events,
                        _ => {}
                    }
                }
                return;
            }
        });
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub(crate) fn mark(&self) -> Mark {
        let seen = self.seen();
        Mark { line: seen.lines.len(), heard: seen.heard.len() }
    }

    /// Whether it has said something about sound since.
    pub(crate) fn hears_since(&self, moment: Instant) -> bool {
        self.seen().heard.iter().rev().any(|heard| heard.hears && heard.when > moment)
    }

    /// Whether its log said this since.
    pub(crate) fn said_since(&self, mark: Mark, text: &str) -> bool {
        self.seen().lines[mark.line..].iter().any(|(_, line)| line.contains(text))
    }

    /// Verdicts that a healthy device would have said since, and this one didn't.
    pub(crate) fn lost_since(&self, mark: Mark) -> u64 {
        let seen = self.seen();
        // From the last one before.
        let before = seen.heard[..mark.heard].iter().rev().find(|heard| heard.hears);
        let all: Vec<&Heard> =
            before.into_iter().chain(seen.heard[mark.heard..].iter().filter(|heard| heard.hears)).collect();
        let lost = all.windows(2).map(|pair| {
            let samples = if pair[0].start == pair[1].start {
                pair[1].at - pair[0].at
            } else {
                // Another start counts its samples anew.
                let passed = (pair[1].when - pair[0].when).as_secs_f64();
                (passed * f64::from(SAMPLE_RATE_HZ)) as u64
            };
            ((samples + PERIOD / 2) / PERIOD).saturating_sub(1)
        });
        lost.sum::<u64>() + seen.missed
    }

    /// What a person saw since: on the display, and in the log what isn't the same. Without what only this run has.
    pub(crate) fn shown_since(&self, mark: Mark) -> Vec<String> {
        let seen = self.seen();
        let broker = format!("127.0.0.1:{}", self.broker);
        let mut shown: Vec<String> = Vec::new();
        for (is_shown, line) in &seen.lines[mark.line..] {
            let line = line.replace(self.folder.path().to_str().unwrap(), "…").replace(&broker, "…");
            let text = match line.split_once(" fault ") {
                Some((_, fault)) if *is_shown => format!("display: {}", fault.trim()),
                _ if *is_shown && line.ends_with(" listening") => "display: listening".into(),
                _ if *is_shown || USUAL.iter().any(|beginning| line.starts_with(beginning)) => continue,
                _ => format!("log: {}", line.trim()),
            };
            if !shown.contains(&text) {
                shown.push(text);
            }
        }
        shown
    }

    /// Waits until `holds`; how long that took.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) -> Duration {
        let began = Instant::now();
        while !holds(self) {
            self.check_alive();
            assert!(began.elapsed() < PATIENCE, "never: {what}; the device said {:?}", self.seen().lines);
            std::thread::sleep(Duration::from_millis(20));
        }
        began.elapsed()
    }

    /// Waits until it hears, again or still.
    pub(crate) fn until_it_hears(&mut self) {
        let now = Instant::now();
        self.until("a verdict", |device| device.hears_since(now));
    }

    /// Fails where the program has ended or a thread of it has panicked.
    pub(crate) fn check_alive(&mut self) {
        let ended = self.program.as_mut().and_then(|program| program.try_wait().unwrap());
        let panicked = self.seen().lines.iter().any(|(_, line)| line.contains("panicked"));
        assert!(ended.is_none() && !panicked, "{ended:?}: {:?}", self.seen().lines);
    }

    pub(crate) fn id(&self) -> u32 {
        self.program.as_ref().unwrap().id()
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Ends it as a manager would, or as a power cut does; how it ended.
    pub(crate) fn end(&mut self, by: &str) -> ExitStatus {
        self.signal(by);
        self.program.take().unwrap().wait().unwrap()
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Time that it has computed since its start.
    pub(crate) fn computed(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // Fields 14 and 15 of proc(5); the second is the name in brackets.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(10 * ticks)
    }

    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    /// The folder of its traces as the program sees it; `None` where it has no disk of its own here.
    pub(crate) fn disk(&self) -> Option<PathBuf> {
        let traces = self.path("traces");
        let inside = format!("/proc/{}/root{}", self.id(), traces.display());
        self.has_disk.then(|| inside.into())
    }

    /// What it lost, as it says itself, because this machine had no time for it: grows with every overrun, second and verdict.
    pub(crate) fn starved(&self) -> f64 {
        let lost =
            ["overruns_total", "lost_seconds_total{cause=\"inference\"}", "passed_over_verdicts_total"];
        lost.iter().filter_map(|name| self.metric(&format!("harmonynet_{name}"))).sum()
    }

    /// A metric's value; `None` where nobody answers.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let page = get(self.metrics, "/metrics")?;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.parse().ok()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(program) = &mut self.program {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

/// What is answered on a port of loopback, if anything is.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200 ").then_some(answer)
}

/// A port that is free, as far as can be known.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sends a signal by the shell's own `kill`: a minimal system has no other.
pub(crate) fn signal(process: u32, name: &str) {
    let kill = format!("kill -{name} {process}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
}

/// Whether this user may mount a file system that nobody else sees.
fn has_private_disks() -> bool {
    let tried = namespace().args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// A mount namespace of its own; one may have it, too, who isn't root, where the kernel lets him.
fn namespace() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount"]);
    command
}

/// The same program with a small disk of its own at `place`, which goes with it.
fn on_private_disk(program: &Command, place: &Path) -> Command {
    let mut command = namespace();
    let mount = format!("mount -t tmpfs -o size={DISK_KIB}k tmpfs \"$0\" && exec \"$@\"");
    command.args(["sh", "-c", &mount]).arg(place).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
