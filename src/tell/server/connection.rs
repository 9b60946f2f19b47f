//! One connection: its greeting, its events, its end. Never waits.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Instant;

use mio::net::{TcpStream, UnixStream};

use super::Limits;
use super::greeting::{Wish, wish};
use super::outbox::Outbox;
use crate::tell::encode::{Encoded, Encoding, Frame, frame};
use crate::tell::schema::{Event, Lost, Refused};

/// Either kind of stream.
#[derive(Debug)]
pub(super) enum Stream {
    /// On the event socket: events or metrics.
    Unix(UnixStream),
    /// On a port: metrics only.
    Tcp(TcpStream),
}

impl Stream {
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(into),
            Self::Tcp(stream) => stream.read(into),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }
}

#[derive(Debug)]
enum Phase {
    /// What came of the first line.
    Greeting(Vec<u8>),
    Listening(Encoding),
    /// Ends as soon as everything is sent.
    Closing,
}

/// What a connection needs from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Stay,
    /// Someone listens from now on, and wants to know who speaks.
    Welcome,
    /// The metrics are asked for.
    Metrics,
    /// Something is asked for that there isn't.
    Unknown,
    /// It is over.
    Gone,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    phase: Phase,
    outbox: Outbox,
    /// The other end will say nothing more.
    mute: bool,
    /// When it began, or when something was last sent.
    progress: Instant,
}

impl Connection {
    pub(super) fn new(stream: Stream, limits: &Limits, now: Instant) -> Self {
        let outbox = Outbox::new(limits.queue);
        Self { stream, phase: Phase::Greeting(Vec::new()), outbox, mute: false, progress: now }
    }

    /// Events that wait, and were never sent where the connection ends.
    pub(super) fn waiting(&self) -> u64 {
        if matches!(self.phase, Phase::Listening(_)) { self.outbox.len() as u64 } else { 0 }
    }

    /// Takes what came in.
    pub(super) fn read(&mut self) -> Turn {
        let mut bytes = [0; 512];
        // Until nothing is left, or it would not be announced again. One who never stops talking is soon closing, and
        // what is left unread then is about to be closed upon.
        while !self.mute && !matches!(self.phase, Phase::Closing) {
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    // It may listen on. If it doesn't, sending will tell.
                    self.mute = true;
                    if matches!(self.phase, Phase::Greeting(_)) {
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
        let local = self.stream.is_local();
        match &mut self.phase {
            Phase::Greeting(so_far) => {
                so_far.extend_from_slice(bytes);
                match wish(so_far) {
                    Wish::More => Turn::Stay,
                    Wish::Events(encoding) if local => {
                        self.phase = Phase::Listening(encoding);
                        Turn::Welcome
                    }
                    Wish::Metrics => Turn::Metrics,
                    Wish::Unknown => Turn::Unknown,
                    Wish::Events(_) => self.refuse(Refused::Greeting),
                    Wish::Refused(why) => self.refuse(why),
                }
            }
            Phase::Listening(_) => self.refuse(Refused::Chatter),
            Phase::Closing => Turn::Stay,
        }
    }

    /// Says why it ends, in the encoding that was asked for if one was.
    pub(super) fn refuse(&mut self, why: Refused) -> Turn {
        let encoding = if let Phase::Listening(encoding) = self.phase { encoding } else { Encoding::Json };
        self.close_with(frame(&Event::Refused(why), encoding));
        Turn::Stay
    }

    /// Ends with `last`.
    pub(super) fn close_with(&mut self, last: Frame) {
        self.outbox.push(last);
        self.phase = Phase::Closing;
    }

    /// Adds an event for who listens; the number of events that are lost by it.
    pub(super) fn tell(&mut self, event: &mut Encoded<'_>, now: Instant) -> u64 {
        let Phase::Listening(encoding) = self.phase else { return 0 };
        if self.outbox.is_empty() {
            self.progress = now;
        }
        self.outbox.push(event.frame(encoding))
    }

    /// Counts events that nobody got.
    pub(super) fn missed(&mut self, events: u64) {
        if matches!(self.phase, Phase::Listening(_)) {
            self.outbox.missed(events);
        }
    }

    /// Sends as much as the other end takes.
    pub(super) fn write(&mut self, now: Instant) -> Turn {
        let encoding = if let Phase::Listening(encoding) = self.phase { encoding } else { Encoding::Json };
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
        if matches!(self.phase, Phase::Closing) { Turn::Gone } else { Turn::Stay }
    }

    /// Ends what takes too long.
    pub(super) fn check(&mut self, limits: &Limits, now: Instant) -> Turn {
        let waited = now.saturating_duration_since(self.progress);
        match self.phase {
            Phase::Greeting(_) if waited > limits.greeting => {
                self.progress = now;
                self.refuse(Refused::Silent)
            }
            Phase::Listening(_) if !self.outbox.is_empty() && waited > limits.stalled => Turn::Gone,
            Phase::Closing if waited > limits.greeting => Turn::Gone,
            _ => Turn::Stay,
        }
    }
}
