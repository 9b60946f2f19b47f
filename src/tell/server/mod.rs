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
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Poll, Token, Waker};

pub(super) use self::doors::Doors;
use self::work::Work;
use super::schema::{Event, Hello};
use super::vitals::Vitals;
#[cfg(feature = "page")]
use crate::flow::{Glimpse, Scores};

const WAKE: Token = Token(0);
/// Events on their way to the server.
const CHANNEL: usize = 256;

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
