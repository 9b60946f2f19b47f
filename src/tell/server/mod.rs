//! The thread that serves the event socket and the metrics: everything it does is bounded, nothing in it waits for a
//! listener.
//!
//! ```text
//! teller ── bounded channel ──▶ server ──┬─ outbox of 64 events ──▶ listener
//!           256 events                   └─ outbox of 64 events ──▶ listener …
//! ```
//! A full channel or outbox loses events, counted and told. Connections above the limit are refused, whoever says
//! nothing, or takes nothing, is let go.

mod connection;
mod greeting;
mod outbox;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, UnixListener};
use mio::{Events, Interest, Poll, Token, Waker};

use self::connection::{Connection, Stream, Turn};
use super::encode::{Encoded, Encoding, frame};
use super::metrics::Totals;
use super::schema::{Event, Health, Heartbeat, Hello, Refused};
use super::socket::Place;
use super::vitals::Vitals;

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);
const PORT: Token = Token(2);
/// Tokens of connections begin here.
const FIRST: usize = 3;
/// Events on their way to the server.
const CHANNEL: usize = 256;
/// Connections that may ask for metrics over the port at a time.
const SCRAPERS: usize = 4;
/// Connections accepted in one turn; the others wait for the next.
const ACCEPTED_AT_ONCE: usize = 64;
/// How long the server sleeps at most: time limits are looked after so often.
const TICK: Duration = Duration::from_millis(250);

/// What a server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections on the event socket.
    pub listeners: usize,
    /// Events that wait for a slow listener.
    pub queue: usize,
    /// How long a connection may say nothing before it is refused.
    pub greeting: Duration,
    /// How long a listener may take nothing while something waits for it.
    pub stalled: Duration,
    /// Between heartbeats, and between reports of health.
    pub heartbeat: Duration,
}

impl Default for Limits {
    /// 16 listeners, 64 events each, 10 s to greet, 30 s to take something, a heartbeat every 10 s.
    fn default() -> Self {
        Self {
            listeners: 16,
            queue: 64,
            greeting: Duration::from_secs(10),
            stalled: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
        }
    }
}

/// What a server opens.
pub(super) struct Doors {
    /// The event socket.
    pub(super) socket: Option<(std::os::unix::net::UnixListener, Place)>,
    /// The port for metrics.
    pub(super) port: Option<std::net::TcpListener>,
}

/// The server, seen from the thread that tells.
#[derive(Debug)]
pub(super) struct Server {
    events: Option<SyncSender<Event>>,
    waker: Arc<Waker>,
    missed: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the thread.
    pub(super) fn start(
        doors: Doors,
        limits: Limits,
        hello: Hello,
        vitals: Arc<Vitals>,
    ) -> std::io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (events, inbox) = sync_channel(CHANNEL);
        let missed = Arc::new(AtomicU64::new(0));
        let work = Work::new(poll, doors, limits, hello, vitals, Arc::clone(&missed))?;
        let thread = std::thread::Builder::new().name("tell".into()).spawn(move || work.run(&inbox))?;
        Ok(Self { events: Some(events), waker, missed, thread: Some(thread) })
    }

    /// Tells everybody, or counts an event that nobody gets. Never waits.
    pub(super) fn tell(&self, event: Event) {
        let Some(events) = &self.events else { return };
        if let Err(TrySendError::Full(_)) = events.try_send(event) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        // Without being woken it would look by itself a little later.
        let _ = self.waker.wake();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.events.take());
        let _ = self.waker.wake();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

/// The server's thread.
struct Work {
    poll: Poll,
    socket: Option<UnixListener>,
    /// Removes the socket at the end.
    _place: Option<Place>,
    port: Option<TcpListener>,
    limits: Limits,
    hello: Event,
    vitals: Arc<Vitals>,
    missed: Arc<AtomicU64>,
    /// By their tokens, less [`FIRST`].
    connections: Vec<Option<Connection>>,
    /// The last change, for who comes later.
    change: Option<Event>,
    totals: Totals,
    heartbeat: Instant,
    /// Connections may wait that were not announced: the last attempt ended early.
    more_to_accept: bool,
    /// There is more to do than one turn does, and nobody will say so: no sleep before the next.
    hurry: bool,
}

impl Work {
    fn new(
        poll: Poll,
        doors: Doors,
        limits: Limits,
        hello: Hello,
        vitals: Arc<Vitals>,
        missed: Arc<AtomicU64>,
    ) -> std::io::Result<Self> {
        let (socket, place) = match doors.socket {
            Some((listener, place)) => {
                listener.set_nonblocking(true)?;
                let mut listener = UnixListener::from_std(listener);
                poll.registry().register(&mut listener, SOCKET, Interest::READABLE)?;
                (Some(listener), Some(place))
            }
            None => (None, None),
        };
        let port = match doors.port {
            Some(listener) => {
                listener.set_nonblocking(true)?;
                let mut listener = TcpListener::from_std(listener);
                poll.registry().register(&mut listener, PORT, Interest::READABLE)?;
                Some(listener)
            }
            None => None,
        };
        let connections = (0..limits.listeners + SCRAPERS).map(|_| None).collect();
        let totals = Totals::new(hello.program.clone(), hello.labels.clone());
        Ok(Self {
            poll,
            socket,
            _place: place,
            port,
            limits,
            hello: Event::Hello(Box::new(hello)),
            vitals,
            missed,
            connections,
            change: None,
            totals,
            heartbeat: Instant::now(),
            more_to_accept: false,
            hurry: false,
        })
    }

    fn run(mut self, inbox: &Receiver<Event>) {
        let mut ready = Events::with_capacity(64);
        loop {
            let longest = if std::mem::take(&mut self.hurry) { Duration::ZERO } else { TICK };
            // One that is interrupted is a short one.
            if self.poll.poll(&mut ready, Some(longest)).is_err() {
                ready.clear();
            }
            let now = Instant::now();
            let mut accept = self.more_to_accept;
            for event in &ready {
                match event.token() {
                    WAKE => {}
                    SOCKET | PORT => accept = true,
                    Token(token) => {
                        let ended = event.is_error() || event.is_write_closed();
                        self.serve(token - FIRST, event.is_readable(), ended, now);
                    }
                }
            }
            // After those who are here already: a place may have become free.
            if accept {
                self.accept(now);
            }
            let ends = self.take_events(inbox, now);
            self.look_after(now);
            if ends {
                return;
            }
        }
    }

    /// Does what a connection is ready for.
    fn serve(&mut self, place: usize, readable: bool, ended: bool, now: Instant) {
        let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else { return };
        let mut turn = if readable { connection.read() } else { Turn::Stay };
        if ended {
            turn = Turn::Gone;
        }
        match turn {
            Turn::Stay | Turn::Gone => {}
            Turn::Welcome => {
                connection.tell(&mut Encoded::new(&self.hello), now);
                if let Some(change) = &self.change {
                    connection.tell(&mut Encoded::new(change), now);
                }
            }
            Turn::Metrics => {
                self.refresh();
                let text = greeting::answer("200 OK", &self.totals.text(&self.vitals));
                self.answer(place, text);
            }
            Turn::Unknown => {
                self.answer(place, greeting::answer("404 Not Found", "there is only /metrics here\n"));
            }
        }
        self.send(place, turn, now);
    }

    fn answer(&mut self, place: usize, bytes: Vec<u8>) {
        if let Some(connection) = &mut self.connections[place] {
            connection.close_with(bytes.into());
        }
    }

    /// Sends what waits, and lets go of a connection that is over.
    fn send(&mut self, place: usize, turn: Turn, now: Instant) {
        let Some(connection) = &mut self.connections[place] else { return };
        if turn == Turn::Gone || connection.write(now) == Turn::Gone {
            self.totals.lost_events += connection.waiting();
            self.connections[place] = None;
        }
    }

    fn accept(&mut self, now: Instant) {
        self.more_to_accept = false;
        for _ in 0..ACCEPTED_AT_ONCE {
            let local = self.socket.as_ref().map(|socket| socket.accept().map(|(s, _)| Stream::Unix(s)));
            let remote = self.port.as_ref().map(|port| port.accept().map(|(s, _)| Stream::Tcp(s)));
            let mut any = false;
            for accepted in [local, remote].into_iter().flatten() {
                match accepted {
                    Ok(stream) => {
                        any = true;
                        self.admit(stream, now);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // Gone already, or no descriptors left for now.
                    Err(_) => self.more_to_accept = true,
                }
            }
            if !any {
                return;
            }
        }
        self.more_to_accept = true;
        self.hurry = true;
    }

    /// Gives a connection a place, or refuses it.
    fn admit(&mut self, mut stream: Stream, now: Instant) {
        let local = stream.is_local();
        let alike = self.connections.iter().flatten().filter(|c| c.stream.is_local() == local).count();
        let most = if local { self.limits.listeners } else { SCRAPERS };
        let free = self.connections.iter().position(Option::is_none).filter(|_| alike < most);
        let Some(place) = free else {
            self.totals.refused += 1;
            // It fits into the buffer of a connection that is new; who doesn't get it sees the end all the same.
            let _ = stream.write(&frame(&Event::Refused(Refused::Full), Encoding::Json));
            return;
        };
        let token = Token(place + FIRST);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = match &mut stream {
            Stream::Unix(stream) => self.poll.registry().register(stream, token, interest),
            Stream::Tcp(stream) => self.poll.registry().register(stream, token, interest),
        };
        if registered.is_ok() {
            self.connections[place] = Some(Connection::new(stream, &self.limits, now));
        } else {
            self.totals.refused += 1;
        }
    }

    /// Passes on what was told; whether nothing will come any more.
    fn take_events(&mut self, inbox: &Receiver<Event>, now: Instant) -> bool {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 {
            self.totals.lost_events += missed;
            self.connections.iter_mut().flatten().for_each(|connection| connection.missed(missed));
        }
        // As many as the channel holds: who tells faster than this is served in turns.
        for _ in 0..CHANNEL {
            match inbox.try_recv() {
                Ok(event) => {
                    self.totals.count(&event);
                    self.broadcast(&event, now);
                    if matches!(event, Event::Change(_)) {
                        self.change = Some(event);
                    }
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
        self.hurry = true;
        false
    }

    fn broadcast(&mut self, event: &Event, now: Instant) {
        let mut encoded = Encoded::new(event);
        for place in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[place] else { continue };
            let lost = connection.tell(&mut encoded, now);
            self.totals.lost_events += lost;
            self.send(place, Turn::Stay, now);
        }
    }

    /// Time limits and heartbeats.
    fn look_after(&mut self, now: Instant) {
        for place in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[place] else { continue };
            let turn = connection.check(&self.limits, now);
            self.send(place, turn, now);
        }
        if now.saturating_duration_since(self.heartbeat) >= self.limits.heartbeat {
            self.heartbeat = now;
            let beat = Heartbeat { at: self.vitals.at(), uptime_s: self.vitals.uptime().as_secs() };
            self.broadcast(&Event::Heartbeat(beat), now);
            self.refresh();
            let health: Health = self.totals.health(&self.vitals);
            self.broadcast(&Event::Health(health), now);
        }
    }

    fn refresh(&mut self) {
        let local = self.connections.iter().flatten().filter(|connection| connection.stream.is_local());
        self.totals.listeners = local.count() as u32;
    }
}
