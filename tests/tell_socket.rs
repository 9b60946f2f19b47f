//! The event socket and the metrics over real sockets: listeners that are quick, slow, dead, many or insane.
#![cfg(feature = "tell")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use harmonynet::capture::SplitMix64;
use harmonynet::flow::{Fault, Health, Labels, Level, Scene, State};
use harmonynet::tell::schema::{Condition, Event, MAX_FRAME_BYTES, Refused};
use harmonynet::tell::{Limits, Options, Teller, decode_json, decode_postcard};

/// Tests that measure this process run while no other does.
static ALONE: RwLock<()> = RwLock::new(());

/// A teller with an event socket in a folder of its own.
struct House {
    teller: Teller,
    folder: tempfile::TempDir,
    _company: Option<RwLockReadGuard<'static, ()>>,
}

impl House {
    /// Beside other tests.
    fn new(limits: Limits, metrics: Option<SocketAddr>) -> Self {
        let company = ALONE.read().unwrap_or_else(PoisonError::into_inner);
        Self { _company: Some(company), ..Self::alone(limits, metrics) }
    }

    /// For a test that holds [`ALONE`].
    fn alone(limits: Limits, metrics: Option<SocketAddr>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = Some(folder.path().join("events.sock"));
        let options = Options { socket, metrics, limits, ..Options::default() };
        let (teller, errors) = Teller::open(&options, &labels());
        assert_eq!(errors, []);
        Self { teller, folder, _company: None }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("events.sock")
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).unwrap();
        // A test that waits for what never comes fails instead of hanging.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// A connection that said `line`, unless it was refused before it could: what it was told is there to be read.
    fn say(&self, line: &[u8]) -> UnixStream {
        let mut stream = self.connect();
        if let Err(error) = stream.write_all(line) {
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
        stream
    }

    fn listener(&self) -> BufReader<UnixStream> {
        let mut listener = BufReader::new(self.say(b"json\n"));
        assert!(matches!(event(&mut listener), Some(Event::Hello(_))));
        listener
    }
}

fn labels() -> Labels {
    ["jazz", "rock"].into_iter().map(|label| label.try_into().unwrap()).collect()
}

fn jazz(at: u64) -> Scene {
    Scene {
        at,
        state: State::Genre { label: 0, confidence: 0.9 },
        label: "jazz".try_into().unwrap(),
        level: Level::from_dbfs(-20.0),
        window_fill: 1.0,
    }
}

/// Limits under which nothing happens by itself.
fn calm() -> Limits {
    let never = Duration::from_secs(3600);
    Limits { listeners: 4, queue: 64, greeting: never, stalled: never, heartbeat: never }
}

/// The next event of a JSON listener; `None` at the end.
fn event(listener: &mut BufReader<UnixStream>) -> Option<Event> {
    let mut line = Vec::new();
    match listener.read_until(b'\n', &mut line) {
        Ok(0) => None,
        Ok(_) => Some(decode_json(&line).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&line)))),
        // What we said after the end was never read.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn both_encodings_say_the_same_and_latecomers_are_told_the_state() {
    let mut house = House::new(calm(), None);
    let mut json = house.listener();
    house.teller.verdict(&jazz(1000));
    // Who comes when this is told comes too late for it.
    while !matches!(event(&mut json), Some(Event::Verdict(_))) {}
    let mut late = house.listener();
    let mut cobs = BufReader::new(house.say(b"postcard 1\n"));
    let frame = |listener: &mut BufReader<UnixStream>| {
        let mut frame = Vec::new();
        listener.read_until(0, &mut frame).unwrap();
        assert!(frame.len() <= MAX_FRAME_BYTES);
        decode_postcard(&mut frame).unwrap()
    };
    let Event::Hello(hello) = frame(&mut cobs) else { panic!("no hello") };
    assert_eq!((hello.schema, hello.rate_hz, hello.labels), (1, 22_050, labels()));
    let told = frame(&mut cobs);
    assert!(matches!(&told, Event::Change(change) if change.state == Condition::Genre));
    assert_eq!(event(&mut late), Some(told));

    house.teller.verdict(&Scene { state: State::Fault { fault: Fault::MicrophoneLost }, ..Scene::default() });
    let [change, fault, verdict] = [0, 1, 2].map(|_| frame(&mut cobs));
    assert!(
        matches!(&change, Event::Change(c) if c.before == Condition::Genre && c.state == Condition::Fault)
    );
    assert!(matches!(&fault, Event::Fault(f) if f.mend == Fault::MicrophoneLost.mend()));
    assert!(matches!(&verdict, Event::Verdict(v) if v.fault == Some(Fault::MicrophoneLost)));
    assert_eq!([0, 1, 2].map(|_| event(&mut late)), [change, fault, verdict].map(Some));
    drop(house.teller);
    assert_eq!(event(&mut late), None, "the end of listening is the end of the connection");
    assert!(!house.folder.path().join("events.sock").exists());
}

#[test]
fn a_slow_listener_learns_of_every_event_that_it_lost_and_memory_stays_flat() {
    const FLOOD: u64 = 1_000_000;
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let mut house = House::alone(calm(), None);
    let mut slow = house.listener();
    let mut dead = house.connect();
    dead.write_all(b"postcard\n").unwrap();
    let mut flood = |range: std::ops::Range<u64>| {
        for at in range {
            house.teller.verdict(&jazz(at));
            if at % 64 == 0 {
                // Most shall be lost behind the server's channel rather than before it.
                std::thread::yield_now();
            }
        }
    };
    flood(0..10_000);
    let before = resident_bytes();
    flood(10_000..FLOOD);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes more after {FLOOD} events");

    // Only now does it read. Whatever it sees first of what is told from here on, it must be able to account for.
    let (mut got, mut lost) = (0, 0);
    let reader = std::thread::spawn(move || {
        loop {
            match event(&mut slow).unwrap() {
                Event::Verdict(verdict) if verdict.at >= FLOOD => break (verdict.at, got, lost),
                Event::Lost(more) => lost += more.events,
                _ => got += 1,
            }
        }
    });
    let mut at = FLOOD;
    while !reader.is_finished() {
        house.teller.verdict(&jazz(at));
        at += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    let (first, got, lost) = reader.join().unwrap();
    // As many verdicts as `first` says, and one change before them.
    assert_eq!(got + lost, first + 1, "{got} events came, {lost} were lost");
    assert!(lost > FLOOD / 2 && got > 64, "{got} events came, {lost} were lost");
}

/// This process's resident memory.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    4096 * statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap()
}

#[test]
fn a_listener_that_takes_nothing_and_one_that_says_nothing_give_their_places_up() {
    let brief = Duration::from_millis(100);
    let limits = Limits { listeners: 1, greeting: brief, stalled: brief, ..calm() };
    let mut house = House::new(limits, None);
    let mut silent = BufReader::new(house.connect());
    assert_eq!(event(&mut silent), Some(Event::Refused(Refused::Silent)));
    assert_eq!(event(&mut silent), None);

    let dead = house.say(b"json\n");
    // Until somebody else gets in, which is when the dead one is gone.
    for at in 0.. {
        (0..1000).for_each(|i| house.teller.verdict(&jazz(1000 * at + i)));
        let mut next = BufReader::new(house.say(b"json\n"));
        match event(&mut next).unwrap() {
            Event::Hello(_) => break,
            // On a machine that is busy it may itself be one that said nothing in time.
            Event::Refused(Refused::Full | Refused::Silent) => std::thread::sleep(Duration::from_millis(10)),
            other => panic!("{other:?}"),
        }
    }
    drop(dead);
}

#[test]
fn thousands_of_connections_are_refused_and_cost_nothing() {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut house = House::alone(calm(), None);
    let mut listeners: Vec<_> = (0..4).map(|_| house.listener()).collect();
    let before = open_files();
    let mut refused = 0;
    for _ in 0..30 {
        let crowd: Vec<UnixStream> = (0..100).map(|_| house.connect()).collect();
        for stream in crowd {
            let mut stream = BufReader::new(stream);
            assert_eq!(event(&mut stream), Some(Event::Refused(Refused::Full)));
            assert_eq!(event(&mut stream), None);
            refused += 1;
        }
    }
    assert_eq!(refused, 3000);
    assert!(open_files() <= before + 1, "{before} files before, {} after", open_files());
    house.teller.verdict(&jazz(1));
    for listener in &mut listeners {
        assert!(matches!(event(listener), Some(Event::Change(_))));
    }
    let page = get(house.say(b""), "/metrics");
    assert!(page.is_empty() || page.contains("full"), "there is no place left: {page}");
    drop(listeners.pop());
    // The place is free as soon as the server saw the end.
    let page = loop {
        let page = get(house.connect(), "/metrics");
        if !page.contains("refused\":\"full") {
            break page;
        }
    };
    let counted: f64 = value(&page, "harmonynet_refused_connections_total");
    assert!(counted >= 3000.0, "{page}");
}

#[test]
fn garbage_ends_its_connection_and_nothing_else() {
    let mut house = House::new(calm(), None);
    let mut good = house.listener();
    let mut random = SplitMix64::new(6);
    for round in 0..100 {
        let length = 1 + random.below(6000);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        if round % 3 == 0 {
            bytes.splice(0..0, *b"GET /");
        }
        bytes.push(b'\n');
        let mut stream = house.connect();
        // The other end may close before all of it is said.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "round {round}, {length} bytes");
        }
        let answer = String::from_utf8(answer).unwrap();
        let known = ["", "{\"refused\":\"greeting\"}\n", "{\"refused\":\"chatter\"}\n"];
        assert!(known.contains(&answer.as_str()), "{answer}");
    }
    for (line, why) in [
        (&b"xml\n"[..], Refused::Greeting),
        (b"json 2\n", Refused::Schema),
        (b"\xff\xfe\n", Refused::Greeting),
        (b"json\nmore\n", Refused::Chatter),
    ] {
        let mut stream = BufReader::new(house.say(line));
        assert_eq!(event(&mut stream), Some(Event::Refused(why)));
        assert_eq!(event(&mut stream), None);
    }
    let mut talker = house.listener();
    talker.get_mut().write_all(b"and another thing").unwrap();
    assert_eq!(event(&mut talker), Some(Event::Refused(Refused::Chatter)));
    assert_eq!(event(&mut talker), None);
    // Who only stops talking may listen on.
    let mut mute = house.listener();
    mute.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    house.teller.verdict(&jazz(1));
    assert!(matches!(event(&mut mute), Some(Event::Change(_))));
    assert!(matches!(event(&mut good), Some(Event::Change(_))));
}

#[test]
fn heartbeats_and_health_come_by_themselves() {
    let mut house = House::new(Limits { heartbeat: Duration::from_millis(20), ..calm() }, None);
    house.teller.health(Health { overruns: 3, passed_over: 4, queued: 2, queue: 256, ..Health::default() });
    house.teller.heard(4096);
    house.teller.verdict(&jazz(4096));
    let mut listener = house.listener();
    let health = loop {
        match event(&mut listener).unwrap() {
            Event::Heartbeat(beat) if beat.at < 4096 => panic!("{beat:?}"),
            Event::Health(health) if health.verdicts == 1 => break health,
            _ => {}
        }
    };
    assert_eq!(
        (health.at, health.overruns, health.passed_over, health.queued, health.queue, health.listeners),
        (4096, 3, 4, 2, 256, 1)
    );
}

#[test]
fn metrics_are_on_the_socket_and_on_a_port() {
    // A port that is free, as far as can be known.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut house = House::new(calm(), Some(address));
    let mut listener = house.listener();
    house.teller.verdict(&jazz(1));
    while !matches!(event(&mut listener), Some(Event::Verdict(_))) {}
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    for page in [get(connect(), "/metrics"), get(house.connect(), "/metrics")] {
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        assert_eq!(value(&page, "harmonynet_genre_verdicts_total{genre=\"jazz\"}"), 1.0);
        assert_eq!(value(&page, "harmonynet_listeners").min(1.0), 1.0);
    }
    assert!(get(connect(), "/").starts_with("HTTP/1.1 404"), "nothing else is there");
    // Events belong to those who may open the socket.
    let mut stream = connect();
    stream.write_all(b"json\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let taken = Options { metrics: Some(address), ..Options::default() };
    let (_, errors) = Teller::open(&taken, &labels());
    assert!(errors[0].to_string().contains("another program has that port"), "{errors:?}");
}

/// What is answered to a request.
fn get(mut stream: impl std::io::Read + std::io::Write, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// The value of a metric.
fn value(page: &str, name: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}
