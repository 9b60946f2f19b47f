//! What the server's thread does: takes connections in, sends what they are to be told, and looks after time limits.

#[cfg(feature = "page")]
mod viewers;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::connection::{Connection, Turn};
use super::doors::{Door, Doors, Listener, Stream};
use super::http::{Answer, Method, Request, Status};
use super::{CHANNEL, Limits, Told, WAKE};
use crate::tell::encode::{Encoded, Encoding, frame};
use crate::tell::metrics::Totals;
#[cfg(feature = "page")]
use crate::tell::page::{self, Page};
use crate::tell::schema::{Event, Health, Heartbeat, Hello, Refused};
use crate::tell::socket::Place;
use crate::tell::vitals::Vitals;

/// Tokens of doors begin here, in the order in which they were opened.
const DOORS: usize = 1;
/// Tokens of connections begin here.
const FIRST: usize = 4;
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

/// The server's thread.
pub(super) struct Work {
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
    pub(super) fn new(
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

    pub(super) fn run(mut self, inbox: &Receiver<Told>) {
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

    fn refresh(&mut self) {
        let local = self.connections.iter().flatten().filter(|connection| connection.door == Door::Socket);
        self.totals.listeners = local.count() as u32;
        #[cfg(feature = "page")]
        if let Some(page) = &self.page {
            self.totals.page = Some((self.viewers(), page.lost));
        }
    }
}
