//! The live page over real sockets: who gets what, who is kept out, what slow and strange ones cost; and in a real browser.
#![cfg(feature = "page")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use harmonynet::flow::{Fault, Glimpse, Health, Labels, Level, Scene, Scores, State};
use harmonynet::tell::schema::{Condition, Event, Refused};
use harmonynet::tell::{Limits, Options, PageOptions, PageToken, Teller, View, decode_json};
use serde_json::Value;

#[cfg(feature = "cli")]
mod clean;
#[cfg(feature = "cli")]
#[path = "page/program.rs"]
mod program;
#[cfg(feature = "cli")]
#[path = "page/strangers.rs"]
mod strangers;

/// Tests that measure this process run while no other does.
static ALONE: RwLock<()> = RwLock::new(());

/// Beside other tests.
fn company() -> RwLockReadGuard<'static, ()> {
    ALONE.read().unwrap_or_else(PoisonError::into_inner)
}

const NEVER: Duration = Duration::from_secs(3600);
const TOKEN: &str = "abcdefghijklmnop0123";

fn options() -> PageOptions {
    PageOptions {
        address: "127.0.0.1:0".parse().unwrap(),
        token: None,
        names: vec!["music.example".into()],
        viewers: 3,
        pulse: NEVER,
        view: View { samples: 1024, low_hz: 32, high_hz: 7200 },
    }
}

/// Limits under which nothing happens by itself.
fn calm() -> Limits {
    Limits { listeners: 1, queue: 64, greeting: NEVER, stalled: NEVER, heartbeat: NEVER }
}

/// A teller with a page.
struct House {
    teller: Teller,
    address: SocketAddr,
}

impl House {
    fn new(page: PageOptions, limits: Limits) -> Self {
        let options = Options { page: Some(page), limits, ..Options::default() };
        let labels: Labels = ["jazz", "<b>&\""].into_iter().map(|label| label.try_into().unwrap()).collect();
        let (teller, errors) = Teller::open(&options, &labels);
        assert_eq!(errors, []);
        let address = teller.page().unwrap();
        Self { teller, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        // A test that waits for what never comes fails instead of hanging.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// What is answered to `text`.
    fn say(&self, text: &str) -> String {
        answer(self.connect(), text.as_bytes())
    }

    fn get(&self, path: &str) -> String {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    fn viewer(&self) -> Viewer {
        let mut stream = self.connect();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut viewer = Viewer(BufReader::new(stream));
        let head = viewer.head();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n")
                && head.contains("\r\nContent-Type: text/event-stream\r\n")
        );
        viewer
    }

    fn jazz(&mut self, at: u64) {
        self.teller.verdict(&Scene {
            at,
            state: State::Genre { label: 0, confidence: 0.9 },
            label: "jazz".try_into().unwrap(),
            level: Level::from_dbfs(-20.0),
            window_fill: 1.0,
        });
    }
}

fn answer(mut stream: TcpStream, bytes: &[u8]) -> String {
    // The other end may close before all of it is said.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8(answer).unwrap()
}

/// A browser's end of a stream of events.
struct Viewer(BufReader<TcpStream>);

impl Viewer {
    /// Everything up to an empty line.
    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "{head}");
        }
        head
    }

    /// The JSON of the next event; `None` at the end.
    fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(data.trim_end().into());
            }
        }
    }

    /// The next event of this name.
    fn until(&mut self, name: &str) -> Value {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < Duration::from_secs(60), "no {name}, but other events");
            let told: Value = serde_json::from_str(&self.next().unwrap()).unwrap();
            if let Some(told) = told.get(name) {
                return told.clone();
            }
        }
    }
}

#[test]
fn the_files_are_there_and_nothing_else_is() {
    let _company = company();
    let house = House::new(options(), calm());
    for (path, kind, part) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        ("/?a=b", "text/html; charset=utf-8", "<!doctype html>"),
        ("/page.css", "text/css; charset=utf-8", ":root"),
        ("/page.js", "text/javascript; charset=utf-8", "EventSource"),
        ("/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = house.get(path);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        for field in [
            &format!("Content-Type: {kind}"),
            &format!("Content-Length: {}", body.len()),
            "Cache-Control: no-store",
            "Referrer-Policy: no-referrer",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ] {
            assert!(head.lines().any(|line| line == field), "{path}: no {field} in {head}");
        }
        let policy = head.lines().find_map(|line| line.strip_prefix("Content-Security-Policy: ")).unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        assert!(!head.to_ascii_lowercase().contains("access-control"), "no other site may read it: {head}");
        assert!(body.contains(part), "{path}: {body}");
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "https:",
            "@import",
            "url(",
        ] {
            assert!(!body.contains(way), "{path}: `{way}` could make markup of a label, or ask another host");
        }
        let text = house.say(&format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(text, format!("{head}\r\n\r\n"), "the same without a body");
    }
    for (request, status) in [
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
        ("GET /../Cargo.toml HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
        ("GET //page.js HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", "405 Method Not Allowed"),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
        ("DELETE /events HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", "400 Bad Request"),
        ("json\n", "400 Bad Request"),
        ("\x16\x03\x01\x02\x00\x01", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 Misdirected Request"),
        ("GET /events HTTP/1.1\r\nHost: 192.168.1.7:8730\r\n\r\n", "421 Misdirected Request"),
        ("GET / HTTP/1.1\r\nHost: Music.Example:80\r\n\r\n", "200 OK"),
        ("HEAD /events HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", "200 OK"),
    ] {
        let answer = house.say(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?}: {answer}");
        assert_eq!(status.starts_with("405"), answer.contains("\r\nAllow: GET, HEAD\r\n"), "{answer}");
    }
}

#[test]
fn requests_are_bounded_in_size_and_time() {
    let _company = company();
    let house = House::new(options(), calm());
    for field in ["x".repeat(9000), "a: b\r\n".repeat(100)] {
        let answer = house.say(&format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {field}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    // One who never ends gets the same answer, and then no more attention.
    let endless = "x".repeat(1 << 20);
    let answer = house.say(&format!("GET /{endless}"));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let house = House::new(options(), Limits { greeting: Duration::from_millis(100), ..calm() });
    for slow in ["", "GET / HTTP/1.1\r\nHost: loc"] {
        assert!(house.say(slow).starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{slow:?}");
    }
}

#[test]
fn with_a_token_only_those_who_know_it_see_anything_of_the_device() {
    let _company = company();
    let token = PageToken::of_file(TOKEN.as_bytes());
    let mut house = House::new(PageOptions { token, ..options() }, calm());
    house.jazz(1);
    for path in
        ["/", "/events", "/?token=", "/events?token=abcdefghijklmnop0124", "/?Token=abcdefghijklmnop0123"]
    {
        let answer = house.get(path);
        assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{path}: {answer}");
        assert!(answer.contains("\r\nWWW-Authenticate: Bearer\r\n") && !answer.contains("jazz"), "{answer}");
    }
    assert!(house.get(&format!("/?token={TOKEN}")).starts_with("HTTP/1.1 200 "));
    let bearer = format!("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    assert!(house.say(&bearer).starts_with("HTTP/1.1 200 "));
    let mut stream = house.connect();
    write!(stream, "GET /events?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut viewer = Viewer(BufReader::new(stream));
    assert!(viewer.head().starts_with("HTTP/1.1 200 "));
    assert_eq!(viewer.until("verdict")["genre"], "jazz");
}

#[test]
fn who_watches_is_told_everything_and_who_comes_later_what_was() {
    let _company = company();
    let mut house = House::new(PageOptions { pulse: Duration::from_millis(20), ..options() }, calm());
    let mut early = house.viewer();
    let Ok(Event::Hello(hello)) = decode_json(early.next().unwrap().as_bytes()) else { panic!("no hello") };
    assert_eq!(hello.labels[1], "<b>&\"", "escaped by JSON and put into the page as text");
    assert_eq!(early.until("view")["high_hz"], 7200);
    house.teller.health(Health { overruns: 3, passed_over: 4, queued: 2, queue: 256, ..Health::default() });
    // A moment of sound is told to those who watch, once the server knows of them.
    let house_told = early.until("house");
    assert_eq!((&house_told["viewers"], &house_told["viewers_most"]), (&1.into(), &3.into()));
    house.teller.glimpse(Glimpse {
        end: 2048,
        bands: [171; 128],
        level: Level::from_dbfs(-20.0),
        peak: 1 << 31,
    });
    let sound = early.until("sound");
    assert_eq!((&sound["at"], &sound["clipped"]), (&2048.into(), &true.into()));
    assert_eq!(sound["bands"].as_str().unwrap(), "ab".repeat(128));
    house.teller.scores(&Scores { end: 4096, probabilities: [1.0, 0.0].into_iter().collect() });
    house.jazz(4096);
    assert_eq!(early.until("scores")["p"], "ff00");
    assert_eq!(early.until("verdict")["confidence"], 0.9);
    let health = early.until("health");
    assert_eq!((&health["overruns"], &health["passed_over"]), (&3.into(), &4.into()));

    house.teller.verdict(&Scene {
        at: 5000,
        state: State::Fault { fault: Fault::MicrophoneLost },
        ..Scene::default()
    });
    assert_eq!(early.until("fault")["mend"], Fault::MicrophoneLost.mend());
    early.until("verdict");
    let mut late = house.viewer();
    let history = late.until("history");
    assert_eq!(
        history.to_string(),
        "[[4096,\"genre\",\"jazz\",0.9,\"ff00\"],[5000,\"fault\",null,null,\"\"]]"
    );
    assert_eq!(late.until("fault")["fault"], "microphone-lost", "a fault is told as long as it holds");
    assert_eq!(late.until("verdict")["state"], "fault");
    house.jazz(6000);
    while early.until("verdict")["at"] != 6000 {}
    let mut latest = house.viewer();
    let told: Vec<String> = (0..8).map(|_| latest.next().unwrap()).collect();
    assert!(!told.iter().any(|told| told.contains("\"mend\"")), "it is mended: {told:?}");
    drop(house.teller);
    while early.next().is_some() {}
}

#[test]
fn a_slow_page_loses_events_that_are_counted_and_memory_stays_flat() {
    const FLOOD: u64 = 200_000;
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let mut house = House::new(options(), calm());
    let mut slow = house.viewer();
    slow.until("house");
    let mut flood = |range: std::ops::Range<u64>| {
        for at in range {
            house.teller.glimpse(Glimpse { end: at, ..Glimpse::default() });
            house.jazz(at);
            if at % 32 == 0 {
                std::thread::yield_now();
            }
        }
    };
    flood(0..10_000);
    let before = resident_bytes();
    flood(10_000..FLOOD);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more after {FLOOD} events");
    // Only now does it read: so much was kept for it, and that the rest was lost is said where it was lost.
    let (mut got, mut lost) = (0_u64, 0_u64);
    loop {
        house.jazz(FLOOD);
        let told: Value = serde_json::from_str(&slow.next().unwrap()).unwrap();
        if told["verdict"]["at"] == FLOOD {
            break;
        }
        lost += told["lost"]["events"].as_u64().unwrap_or(0);
        got += 1;
    }
    assert!(lost > FLOOD / 2 && got > 64, "{got} events came, {lost} were lost");
    assert!(got < 10_000, "{got} events were kept for one who did not read");
    // Whoever comes now is served at once, and is told.
    assert!(house.viewer().until("house")["page_lost"].as_u64() > Some(0));
    assert!(house.get("/").starts_with("HTTP/1.1 200 "));
}

/// This process's resident memory.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    4096 * statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap()
}

#[test]
fn as_many_watch_as_may_and_a_crowd_takes_nothing_from_them() {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let mut house = House::new(options(), calm());
    let mut viewers: Vec<Viewer> = (0..3).map(|_| house.viewer()).collect();
    for viewer in &mut viewers {
        viewer.until("house");
    }
    let answer = house.get("/events");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\n\r\nretry: 10000\n\n"),
        "{answer}"
    );
    let told = answer.trim_end().rsplit_once("data: ").unwrap().1;
    assert_eq!(decode_json(told.as_bytes()), Ok(Event::Refused(Refused::Full)));

    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open_files();
    for _ in 0..10 {
        let crowd: Vec<TcpStream> = (0..100).map(|_| house.connect()).collect();
        let refused =
            crowd.into_iter().skip(30).map(answer_of).filter(|text| text.starts_with("HTTP/1.1 503 "));
        assert!(refused.count() > 0, "nobody is refused");
    }
    assert!(open_files() <= before + 40, "{before} files before, {} after", open_files());
    house.jazz(7);
    for viewer in &mut viewers {
        assert_eq!(viewer.until("verdict")["at"], 7);
    }
    drop(viewers.pop());
    // The place is free as soon as the server saw the end.
    loop {
        let mut stream = house.connect();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut viewer = Viewer(BufReader::new(stream));
        if viewer.head().starts_with("HTTP/1.1 200 ") && viewer.next().unwrap().contains("hello") {
            break;
        }
    }
}

/// What comes without asking; nothing where the end comes first.
fn answer_of(stream: TcpStream) -> String {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    answer(stream, b"")
}

#[test]
fn who_takes_nothing_gives_the_place_up() {
    let _company = company();
    let brief = Duration::from_millis(100);
    let mut house = House::new(PageOptions { viewers: 1, ..options() }, Limits { stalled: brief, ..calm() });
    let dead = house.viewer();
    for at in 0.. {
        (0..1000).for_each(|i| house.jazz(1000 * at + i));
        let mut stream = house.connect();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut viewer = Viewer(BufReader::new(stream));
        viewer.head();
        let told = viewer.next().unwrap();
        match decode_json(told.as_bytes()) {
            Ok(Event::Hello(_)) => break,
            Ok(Event::Refused(Refused::Full)) => std::thread::sleep(Duration::from_millis(10)),
            other => panic!("{other:?}"),
        }
    }
    drop(dead);
}

#[test]
fn a_port_that_is_taken_is_told_and_metrics_count_the_page() {
    let _company = company();
    let mut house = House::new(options(), calm());
    let taken = PageOptions { address: house.address, ..options() };
    let (_, errors) = Teller::open(&Options { page: Some(taken), ..Options::default() }, &Labels::new());
    assert!(errors[0].to_string().contains("another program has that port"), "{errors:?}");

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("events.sock");
    let options =
        Options { socket: Some(socket.clone()), page: Some(options()), limits: calm(), ..Options::default() };
    let (teller, errors) = Teller::open(&options, &Labels::new());
    assert_eq!(errors, []);
    house = House { address: teller.page().unwrap(), teller };
    let mut viewer = house.viewer();
    viewer.until("house");
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("\nharmonynet_page_viewers 1\n"), "{text}");
    assert!(text.contains("\nharmonynet_page_lost_events_total 0\n"), "{text}");
    // Events of both doors are the same.
    let mut listener = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    listener.write_all(b"json\n").unwrap();
    let mut listener = BufReader::new(listener);
    let mut line = String::new();
    listener.read_line(&mut line).unwrap();
    house.jazz(9);
    loop {
        line.clear();
        listener.read_line(&mut line).unwrap();
        if let Ok(Event::Verdict(verdict)) = decode_json(line.as_bytes()) {
            assert_eq!(verdict.state, Condition::Genre);
            let told = viewer.until("verdict");
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["verdict"], told);
            break;
        }
    }
}
