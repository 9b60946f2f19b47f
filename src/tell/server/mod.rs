//! The thread that serves the event socket, the metrics and the page: everything it does is bounded, nothing in it waits for a
//! listener.
//!
//! ```text
//! teller ── bounded channel ──▶ server ──┬─ outbox of 64 events ──▶ listener
//!           256 events                   └─ outbox of 64 events ──▶ listener …
//! ```
//! A full channel or outbox loses events, counted and told. Connections above the limit are refused, whoever says
//! nothing, or takes nothing, is let go.

mod connection;
mod doors;
mod greeting;
pub(super) mod http;
mod outbox;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use self::connection::{Connection, Turn};
pub(super) use self::doors::Doors;
use self::doors::{Door, Listener, Stream};
use self::http::{Answer, Method, Request, Status};
#[cfg(feature = "page")]
use super::encode::Frame;
use super::encode::{Encoded, Encoding, frame};
use super::metrics::Totals;
#[cfg(feature = "page")]
use super::page::{self, Page, Reply};
use super::schema::{Event, Health, Heartbeat, Hello, Refused};
use super::socket::Place;
use super::vitals::Vitals;
#[cfg(feature = "page")]
use crate::flow::{Glimpse, Scores};

const WAKE: Token = Token(0);
/// Tokens of doors begin here, in the order in which they were opened.
const DOORS: usize = 1;
/// Tokens of connections begin here.
const FIRST: usize = 4;
/// Events on their way to the server.
const CHANNEL: usize = 256;
/// Connections that may ask for metrics over the port at a time.
const SCRAPERS: usize = 4;
/// Requests to the page at a time, besides those who watch.
#[cfg(feature = "page")]
const REQUESTS: usize = 16;
/// Connections accepted in one turn; the others wait for the next.
const ACCEPTED_AT_ONCE: usize = 64;
/// The media type of metrics.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
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

/// What the server is told.
pub(super) enum Told {
    /// Something for everybody.
    Event(Event),
    /// The scores that the next verdict comes from.
    #[cfg(feature = "page")]
    Scores(Scores),
    /// What the sound looks like.
    #[cfg(feature = "page")]
    Glimpse(Glimpse),
}

/// The server, seen from the thread that tells.
#[derive(Debug)]
pub(super) struct Server {
    told: Option<SyncSender<Told>>,
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
        let (told, inbox) = sync_channel(CHANNEL);
        let missed = Arc::new(AtomicU64::new(0));
        let work = Work::new(poll, doors, limits, hello, vitals, Arc::clone(&missed))?;
        let thread = std::thread::Builder::new().name("tell".into()).spawn(move || work.run(&inbox))?;
        Ok(Self { told: Some(told), waker, missed, thread: Some(thread) })
    }

    /// Tells everybody, or counts an event that nobody gets. Never waits.
    pub(super) fn tell(&self, told: Told) {
        let Some(channel) = &self.told else { return };
        if let Err(TrySendError::Full(Told::Event(_))) = channel.try_send(told) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        // Without being woken it would look by itself a little later.
        let _ = self.waker.wake();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.told.take());
        let _ = self.waker.wake();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

/// The server's thread.
struct Work {
    poll: Poll,
    doors: Vec<(Door, Listener)>,
    /// Removes the socket at the end.
    _place: Option<Place>,
    #[cfg(feature = "page")]
    page: Option<Page>,
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
        let (socket, place) = doors.socket.unzip();
        let mut opened = Vec::new();
        if let Some(socket) = socket {
            opened.push((Door::Socket, Listener::unix(socket)?));
        }
        if let Some(port) = doors.metrics {
            opened.push((Door::Metrics, Listener::tcp(port)?));
        }
        #[cfg(feature = "page")]
        let (port, page) = doors.page.unzip();
        #[cfg(feature = "page")]
        if let Some(port) = port {
            opened.push((Door::Page, Listener::tcp_with_small_buffers(port)?));
        }
        for (place, (_, listener)) in opened.iter_mut().enumerate() {
            listener.register(poll.registry(), Token(DOORS + place))?;
        }
        let totals = Totals::new(hello.program.clone(), hello.labels.clone());
        let mut work = Self {
            poll,
            doors: opened,
            _place: place,
            #[cfg(feature = "page")]
            page,
            limits,
            hello: Event::Hello(Box::new(hello)),
            vitals,
            missed,
            connections: Vec::new(),
            change: None,
            totals,
            heartbeat: Instant::now(),
            more_to_accept: false,
            hurry: false,
        };
        let places = work.doors.iter().map(|(door, _)| work.most(*door)).sum();
        work.connections.resize_with(places, || None);
        Ok(work)
    }

    /// Connections that a door may have at a time.
    fn most(&self, door: Door) -> usize {
        match door {
            Door::Socket => self.limits.listeners,
            Door::Metrics => SCRAPERS,
            #[cfg(feature = "page")]
            Door::Page => REQUESTS + self.page.as_ref().map_or(0, |page| page.viewers_most),
        }
    }

    fn run(mut self, inbox: &Receiver<Told>) {
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
                    Token(token) if token < FIRST => accept = true,
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
            #[cfg(feature = "page")]
            self.vitals.viewers().store(self.viewers(), Ordering::Relaxed);
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
        match &turn {
            Turn::Stay | Turn::Gone => {}
            Turn::Welcome => self.welcome(place, now),
            Turn::Request(request) => self.request(place, request, now),
        }
        self.send(place, turn, now);
    }

    /// Tells someone who begins to listen what everybody else knows.
    fn welcome(&mut self, place: usize, now: Instant) {
        let Some(connection) = &mut self.connections[place] else { return };
        connection.tell(&mut Encoded::new(&self.hello), now);
        if let Some(change) = &self.change {
            connection.tell(&mut Encoded::new(change), now);
        }
    }

    fn request(&mut self, place: usize, request: &Request, now: Instant) {
        #[cfg(feature = "page")]
        if self.connections[place].as_ref().is_some_and(|connection| connection.door == Door::Page) {
            return self.request_page(place, request, now);
        }
        // Answered at once; the time is that of a page's stream.
        let _ = now;
        let answer = match (request.method, request.path.as_str()) {
            (Method::Other, _) => Status::MethodNotAllowed.because("metrics can only be read\n"),
            (_, "/metrics") => {
                self.refresh();
                let body = self.totals.text(&self.vitals).into();
                Answer { status: Status::Ok, kind: METRICS, body }
            }
            _ => Status::NotFound.because("there is only /metrics here\n"),
        };
        self.answer(place, &answer, request.method);
    }

    #[cfg(feature = "page")]
    fn request_page(&mut self, place: usize, request: &Request, now: Instant) {
        let viewers = self.viewers();
        let Some(page) = &self.page else { return };
        match page.reply(request, viewers) {
            Reply::Answer(answer) => self.answer(place, &answer, request.method),
            Reply::Watch => {
                // Before it learns of that itself: from the next moment on it is to be shown.
                self.vitals.viewers().store(viewers + 1, Ordering::Relaxed);
                let frames = page.welcome();
                let health = Event::Health(self.totals.health(&self.vitals));
                let last = [frame(&health, Encoding::EventStream), page.house(&self.vitals, viewers + 1)];
                if let Some(connection) = &mut self.connections[place] {
                    connection.stream_events(http::head(Status::Ok, page::STREAM, "").into_bytes().into());
                    connection.tell_frame(page::retry(), now);
                }
                self.welcome(place, now);
                if let Some(connection) = &mut self.connections[place] {
                    for frame in frames.into_iter().chain(last) {
                        connection.tell_frame(frame, now);
                    }
                }
            }
        }
    }

    fn answer(&mut self, place: usize, answer: &Answer, method: Method) {
        if let Some(connection) = &mut self.connections[place] {
            connection.answer(answer, method);
        }
    }

    /// Sends what waits, and lets go of a connection that is over.
    fn send(&mut self, place: usize, turn: Turn, now: Instant) {
        let Some(connection) = &mut self.connections[place] else { return };
        if turn == Turn::Gone || connection.write(now) == Turn::Gone {
            let (door, lost) = (connection.door, connection.waiting());
            self.connections[place] = None;
            self.count_lost(door, lost);
        }
    }

    fn count_lost(&mut self, door: Door, events: u64) {
        match door {
            Door::Socket | Door::Metrics => self.totals.lost_events += events,
            #[cfg(feature = "page")]
            Door::Page => {
                if let Some(page) = &mut self.page {
                    page.lost += events;
                }
            }
        }
    }

    fn accept(&mut self, now: Instant) {
        self.more_to_accept = false;
        for _ in 0..ACCEPTED_AT_ONCE {
            let mut any = false;
            for door in 0..self.doors.len() {
                let (door, listener) = &self.doors[door];
                match listener.accept() {
                    Ok(stream) => {
                        any = true;
                        self.admit(*door, stream, now);
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
    fn admit(&mut self, door: Door, mut stream: Stream, now: Instant) {
        let alike = self.connections.iter().flatten().filter(|connection| connection.door == door).count();
        let free = self.connections.iter().position(Option::is_none).filter(|_| alike < self.most(door));
        let Some(place) = free else {
            self.totals.refused += 1;
            let full = match door {
                Door::Socket => frame(&Event::Refused(Refused::Full), Encoding::Json),
                _ => Status::Unavailable.plain().bytes(Method::Get).into(),
            };
            // It fits into the buffer of a connection that is new; who doesn't get it sees the end all the same.
            let _ = stream.write(&full);
            return;
        };
        if stream.register(self.poll.registry(), Token(place + FIRST)).is_ok() {
            self.connections[place] = Some(Connection::new(stream, door, &self.limits, now));
        } else {
            self.totals.refused += 1;
        }
    }

    /// Passes on what was told; whether nothing will come any more.
    fn take_events(&mut self, inbox: &Receiver<Told>, now: Instant) -> bool {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 {
            self.totals.lost_events += missed;
            self.connections.iter_mut().flatten().for_each(|connection| connection.missed(missed));
        }
        // As many as the channel holds: who tells faster than this is served in turns.
        for _ in 0..CHANNEL {
            match inbox.try_recv() {
                Ok(Told::Event(event)) => {
                    self.totals.count(&event);
                    #[cfg(feature = "page")]
                    if let Some(page) = &mut self.page {
                        page.remember(&event);
                    }
                    self.broadcast(&event, now);
                    if matches!(event, Event::Change(_)) {
                        self.change = Some(event);
                    }
                }
                #[cfg(feature = "page")]
                Ok(Told::Scores(scores)) => {
                    if let Some(page) = &mut self.page {
                        let frame = page.scores(&scores);
                        self.show(&frame, now);
                    }
                }
                #[cfg(feature = "page")]
                Ok(Told::Glimpse(glimpse)) => {
                    if self.viewers() > 0 {
                        self.show(&page::sound(&glimpse), now);
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
            let (door, lost) = (connection.door, connection.tell(&mut encoded, now));
            self.count_lost(door, lost);
            self.send(place, Turn::Stay, now);
        }
    }

    /// Tells those who watch the page.
    #[cfg(feature = "page")]
    fn show(&mut self, frame: &Frame, now: Instant) {
        for place in 0..self.connections.len() {
            let Some(connection) = self.connections[place].as_mut().filter(|connection| watches(connection))
            else {
                continue;
            };
            let lost = connection.tell_frame(Arc::clone(frame), now);
            self.count_lost(Door::Page, lost);
            self.send(place, Turn::Stay, now);
        }
    }

    #[cfg(feature = "page")]
    fn viewers(&self) -> usize {
        self.connections.iter().flatten().filter(|connection| watches(connection)).count()
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
        #[cfg(feature = "page")]
        self.pulse(now);
    }

    /// Tells those who watch how the device fares, which also says that the connection stands.
    #[cfg(feature = "page")]
    fn pulse(&mut self, now: Instant) {
        let viewers = self.viewers();
        let Some(page) = &mut self.page else { return };
        if !page.is_due(now) || viewers == 0 {
            return;
        }
        let house = page.house(&self.vitals, viewers);
        self.refresh();
        let health = Event::Health(self.totals.health(&self.vitals));
        self.show(&frame(&health, Encoding::EventStream), now);
        self.show(&house, now);
    }

    fn refresh(&mut self) {
        let local = self.connections.iter().flatten().filter(|connection| connection.door == Door::Socket);
        self.totals.listeners = local.count() as u32;
        #[cfg(feature = "page")]
        if let Some(page) = &self.page {
            self.totals.page = Some((self.viewers(), page.lost));
        }
    }
}

/// Whether a connection is that of a page which gets events.
#[cfg(feature = "page")]
fn watches(connection: &Connection) -> bool {
    connection.door == Door::Page && connection.is_listening()
}
