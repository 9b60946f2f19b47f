//! One connection: its greeting, its events, its end. Never waits.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::Limits;
use super::doors::{Door, Stream};
use super::greeting::{Wish, wish};
use super::http::{Answer, Method, Request, Status};
use super::outbox::Outbox;
use crate::tell::encode::{Encoded, Encoding, Frame, frame};
use crate::tell::schema::{Event, Lost, Refused};

/// How long the other end has to read an answer and close.
const LINGER: Duration = Duration::from_secs(1);
/// What is read, and thrown away, from one who goes on talking after its answer.
const MAX_REST_BYTES: usize = 64 << 10;

#[derive(Debug)]
enum Phase {
    /// What came of the first line.
    Greeting(Vec<u8>),
    Listening(Encoding),
    /// Ends as soon as everything is sent.
    Closing,
    /// Everything is sent; where the other end is still talking, closing at once would take the answer from it. So many bytes
    /// of that were read.
    Lingering(usize),
}

/// What a connection needs from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Stay,
    /// Someone listens from now on, and wants to know who speaks.
    Welcome,
    /// Something is asked for over HTTP.
    Request(Request),
    /// It is over.
    Gone,
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    pub(super) door: Door,
    phase: Phase,
    outbox: Outbox,
    /// The other end will say nothing more.
    mute: bool,
    /// When it began, or when something was last sent.
    progress: Instant,
}

impl Connection {
    pub(super) fn new(stream: Stream, door: Door, limits: &Limits, now: Instant) -> Self {
        let outbox = Outbox::new(limits.queue);
        Self { stream, door, phase: Phase::Greeting(Vec::new()), outbox, mute: false, progress: now }
    }

    pub(super) fn is_listening(&self) -> bool {
        matches!(self.phase, Phase::Listening(_))
    }

    /// Events that wait, and were never sent where the connection ends.
    pub(super) fn waiting(&self) -> u64 {
        if self.is_listening() { self.outbox.len() as u64 } else { 0 }
    }

    /// Takes what came in.
    pub(super) fn read(&mut self) -> Turn {
        let mut bytes = [0; 512];
        // Until nothing is left, or it would not be announced again. One who never stops talking is soon closing, and
        // what is left unread then is about to be closed upon.
        while !self.mute && !matches!(self.phase, Phase::Closing) {
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    // Who listens at the socket may listen on; if it doesn't, sending will tell. A browser closes both ways.
                    self.mute = true;
                    let listens_on = self.door == Door::Socket && self.is_listening();
                    if !listens_on && !matches!(self.phase, Phase::Closing) {
                        return Turn::Gone;
                    }
                }
                Ok(count) => {
                    let turn = self.take(&bytes[..count]);
                    if turn != Turn::Stay {
                        return turn;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Stay,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Turn::Gone,
            }
        }
        Turn::Stay
    }

    fn take(&mut self, bytes: &[u8]) -> Turn {
        match &mut self.phase {
            Phase::Greeting(so_far) => {
                so_far.extend_from_slice(bytes);
                match wish(so_far, self.door) {
                    Wish::More => Turn::Stay,
                    Wish::Events(encoding) => {
                        self.phase = Phase::Listening(encoding);
                        Turn::Welcome
                    }
                    Wish::Request(request) => Turn::Request(request),
                    Wish::Bad(status) => self.answer(&status.plain(), Method::Get),
                    Wish::Refused(why) => self.refuse(why),
                }
            }
            Phase::Listening(_) => self.refuse(Refused::Chatter),
            Phase::Closing => Turn::Stay,
            Phase::Lingering(read) => {
                *read += bytes.len();
                if *read > MAX_REST_BYTES { Turn::Gone } else { Turn::Stay }
            }
        }
    }

    fn encoding(&self) -> Encoding {
        if let Phase::Listening(encoding) = self.phase { encoding } else { Encoding::Json }
    }

    /// Says why it ends, in the encoding that was asked for if one was.
    fn refuse(&mut self, why: Refused) -> Turn {
        self.close_with(frame(&Event::Refused(why), self.encoding()));
        Turn::Stay
    }

    /// Ends with an answer over HTTP.
    pub(super) fn answer(&mut self, answer: &Answer, method: Method) -> Turn {
        self.close_with(answer.bytes(method).into());
        Turn::Stay
    }

    /// Ends with `last`.
    fn close_with(&mut self, last: Frame) {
        self.outbox.push(last);
        self.phase = Phase::Closing;
    }

    /// From now on it gets events in server-sent form, after an answer's `head`.
    #[cfg(feature = "page")]
    pub(super) fn stream_events(&mut self, head: Frame) {
        self.phase = Phase::Listening(Encoding::EventStream);
        self.outbox.push(head);
    }

    /// Adds an event for who listens; the number of events that are lost by it.
    pub(super) fn tell(&mut self, event: &mut Encoded<'_>, now: Instant) -> u64 {
        let Phase::Listening(encoding) = self.phase else { return 0 };
        self.tell_frame(event.frame(encoding), now)
    }

    /// The same with what is encoded already, for who is known to listen.
    pub(super) fn tell_frame(&mut self, frame: Frame, now: Instant) -> u64 {
        if self.outbox.is_empty() {
            self.progress = now;
        }
        self.outbox.push(frame)
    }

    /// Counts events that nobody got.
    pub(super) fn missed(&mut self, events: u64) {
        if self.is_listening() {
            self.outbox.missed(events);
        }
    }

    /// Sends as much as the other end takes.
    pub(super) fn write(&mut self, now: Instant) -> Turn {
        let encoding = self.encoding();
        let told = |events| frame(&Event::Lost(Lost { events }), encoding);
        while let Some(bytes) = self.outbox.next(told) {
            match self.stream.write(bytes) {
                Ok(0) => return Turn::Gone,
                Ok(count) => {
                    self.outbox.sent(count);
                    self.progress = now;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Stay,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Turn::Gone,
            }
        }
        if !matches!(self.phase, Phase::Closing) {
            return Turn::Stay;
        }
        if self.door == Door::Socket || self.mute || self.stream.end().is_err() {
            return Turn::Gone;
        }
        self.phase = Phase::Lingering(0);
        // What came before this won't be announced again.
        self.read()
    }

    /// Ends what takes too long.
    pub(super) fn check(&mut self, limits: &Limits, now: Instant) -> Turn {
        let waited = now.saturating_duration_since(self.progress);
        match self.phase {
            Phase::Greeting(_) if waited > limits.greeting => {
                self.progress = now;
                if self.door == Door::Socket {
                    self.refuse(Refused::Silent)
                } else {
                    self.answer(&Status::Timeout.plain(), Method::Get)
                }
            }
            Phase::Listening(_) if !self.outbox.is_empty() && waited > limits.stalled => Turn::Gone,
            Phase::Closing if waited > limits.greeting => Turn::Gone,
            Phase::Lingering(_) if waited > LINGER => Turn::Gone,
            _ => Turn::Stay,
        }
    }
}
