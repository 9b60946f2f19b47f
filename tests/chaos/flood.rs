//! A million events to everybody at once: one who reads, one who is slow, one who never reads, at the socket and at the page, and a
//! broker. Memory must not grow with them.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use harmonynet::flow::{Glimpse, Labels, Level, Scene, Scores, State};
use harmonynet::tell::{Limits, MqttOptions, Options, PageOptions, Teller, Tls, View};

use super::crowd::Broker;
use super::device::free_port;
use super::table::{keep, occasion};

const EVENTS: u64 = 1_000_000;
/// After so many everything has the size that it will have.
const WARM: u64 = 20_000;
/// How much larger the process may become by all the others.
const GROWTH_KIB: u64 = 2048;

/// One who is told: what of it arrived.
struct Listener {
    name: &'static str,
    events: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

impl Listener {
    /// Reads on a thread, with this much time for each event; `None` never reads.
    fn new(name: &'static str, stream: impl Read + Send + 'static, each: Option<Duration>) -> Self {
        let listener = Self { name, events: Arc::default(), lost: Arc::default() };
        let (events, lost) = (Arc::clone(&listener.events), Arc::clone(&listener.lost));
        std::thread::spawn(move || {
            let Some(each) = each else {
                // Kept open.
                std::thread::sleep(Duration::from_secs(3600));
                return drop(stream);
            };
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let told = line.strip_prefix("data: ").unwrap_or(&line);
                if let Some(rest) = told.strip_prefix("{\"lost\":{\"events\":") {
                    let count = rest.trim_end_matches('}').parse::<u64>().unwrap();
                    lost.fetch_add(count, Ordering::Relaxed);
                } else if told.starts_with('{') {
                    events.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(each);
                }
            }
        });
        listener
    }
}

fn scene(at: u64) -> Scene {
    // The genre changes now and then: a broker is told of that at once.
    let (label, name) = if (at / 1000).is_multiple_of(2) { (0, "jazz") } else { (1, "rock") };
    Scene {
        at: at * 12_288,
        state: State::Genre { label, confidence: 0.9 },
        label: name.try_into().unwrap(),
        level: Level::from_dbfs(-20.0),
        window_fill: 1.0,
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn options(folder: &std::path::Path, broker: Option<u16>) -> Options {
    let never = Duration::from_secs(3600);
    Options {
        socket: Some(folder.join("events.sock")),
        page: Some(PageOptions {
            address: "127.0.0.1:0".parse().unwrap(),
            token: None,
            names: Vec::new(),
            viewers: 4,
            pulse: Duration::from_secs(2),
            view: View { samples: 1024, low_hz: 32, high_hz: 7200 },
        }),
        limits: Limits { stalled: never, ..Limits::default() },
        mqtt: broker.map(|port| MqttOptions {
            host: "127.0.0.1".into(),
            port,
            tls: Tls::Off,
            user: None,
            password: None,
            id: "flood".into(),
            name: "Flood".into(),
            topic: "harmonynet".into(),
            discovery: "homeassistant".into(),
            every: Duration::from_secs(10),
            retry: Duration::from_millis(100),
        }),
        ..Options::default()
    }
}

fn listeners(teller: &Teller, folder: &std::path::Path) -> Vec<Listener> {
    let socket = || {
        let mut stream = UnixStream::connect(folder.join("events.sock")).unwrap();
        stream.write_all(b"json\n").unwrap();
        stream
    };
    let page = || {
        let mut stream = TcpStream::connect(teller.page().unwrap()).unwrap();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream
    };
    let slow = Some(Duration::from_millis(1));
    vec![
        Listener::new("socket, reads", socket(), Some(Duration::ZERO)),
        Listener::new("socket, slow", socket(), slow),
        Listener::new("socket, never reads", socket(), None),
        Listener::new("page, reads", page(), Some(Duration::ZERO)),
        Listener::new("page, slow", page(), slow),
        Listener::new("page, never reads", page(), None),
    ]
}

#[test]
#[ignore = "takes minutes: make chaos"]
fn a_million_events_leave_memory_flat() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::begin(free_port());
    let mqtt = match &broker {
        Ok(_) => "with a broker".to_string(),
        Err(reason) => format!("without a broker ({reason})"),
    };
    let labels: Labels = ["jazz", "rock"].into_iter().map(|label| label.try_into().unwrap()).collect();
    let options = options(folder.path(), broker.as_ref().ok().map(|broker| broker.port));
    let (mut teller, errors) = Teller::open(&options, &labels);
    assert_eq!(errors, []);
    let listeners = listeners(&teller, folder.path());
    let (mut text, mut warm, mut largest) =
        (String::from("| events told | resident |\n| --- | --- |\n"), 0, 0);
    for at in 1..=EVENTS {
        teller.glimpse(Glimpse { end: at * 12_288, ..Glimpse::default() });
        teller.scores(&Scores { end: at * 12_288, probabilities: [0.9, 0.1].into_iter().collect() });
        teller.verdict(&scene(at));
        if at % 16 == 0 {
            teller.tick();
            std::thread::yield_now();
        }
        if at % 64 == 0 {
            // No faster than those who read can: 10⁴ a second or so.
            std::thread::sleep(Duration::from_millis(2));
        }
        if at == WARM || at % (EVENTS / 5) == 0 {
            let now = resident_kib();
            warm = if at == WARM { now } else { warm };
            largest = largest.max(now);
            let _ = writeln!(text, "| {at} | {:.1} MiB |", now as f64 / 1024.0);
        }
    }
    text += "\n| who | events got | events lost, as it was told |\n| --- | --- | --- |\n";
    for Listener { name, events, lost } in &listeners {
        let (events, lost) = (events.load(Ordering::Relaxed), lost.load(Ordering::Relaxed));
        let _ = writeln!(text, "| {name} | {events} | {lost} |");
    }
    let grown = largest.saturating_sub(warm);
    let _ = writeln!(text, "\nGrown by {grown} KiB between the first {WARM} events and the last, {mqtt}.");
    let heading = format!("`make chaos`, {}.", occasion());
    println!("{heading}\n\n{text}");
    assert!(grown < GROWTH_KIB, "{grown} KiB more");
    let reader = &listeners[0];
    assert!(reader.events.load(Ordering::Relaxed) > EVENTS / 2, "who reads gets most of it");
    assert!(listeners[1].lost.load(Ordering::Relaxed) > EVENTS / 4, "who is slow is told what is lost");
    if let Some(document) = super::document() {
        keep(&document, "flood", &heading, &text);
    }
}
