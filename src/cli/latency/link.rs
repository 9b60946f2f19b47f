//! The host's half of the protocol with a stimulus-and-stopwatch rig.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use harmonynet::capture::{Clock as _, SystemClock};
use stopwatch::clock::Exchange;
use stopwatch::{Edge, FRAME_BYTES, Frames, Hello, Nanos, Refusal, Reply, Request, Sound, VERSION, encode};

use super::schedule::Rig;
use super::serial::Port;

/// How long an answer is waited for: a machine that is busy may leave this program a second without the processor.
const PATIENCE: Duration = Duration::from_secs(10);
/// From one comparison of the clocks to the next.
const COMPARE_EVERY: Duration = Duration::from_millis(20);
/// Comparisons at the beginning and at the end, where others come from one side only.
const COMPARISONS: usize = 50;

/// A rig that answers, and what it has said so far.
pub(super) struct Link {
    port: Port,
    clock: SystemClock,
    frames: Frames,
    number: u32,
    hello: Hello,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) edges: Vec<Edge>,
}

impl Link {
    /// Opens the port and makes the acquaintance of who is there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut link = Self {
            port: Port::open(path)?,
            clock: SystemClock::default(),
            frames: Frames::default(),
            number: 0,
            hello: Hello { version: 0, tick_nanos: 0 },
            exchanges: Vec::new(),
            edges: Vec::new(),
        };
        // Whatever came before ends here, at the rig, too.
        link.port.write(&[0])?;
        link.say(&Request::Quiet)?;
        let came = |reply| if let Reply::Hello(hello) = reply { Some(hello) } else { None };
        link.hello = link.ask(&Request::Hello, |reply, _| came(reply))?;
        let theirs = link.hello.version;
        ensure!(
            theirs == VERSION,
            "the rig's firmware speaks version {theirs} of the protocol, this program {VERSION}: `make pico`, and put it on the rig"
        );
        // Edges from before are nobody's.
        link.edges.clear();
        link.compare_at_length()?;
        Ok(link)
    }

    /// The resolution of the rig's moments, nanoseconds.
    pub(super) fn tick_nanos(&self) -> u32 {
        self.hello.tick_nanos
    }

    /// Compares the clocks many times.
    pub(super) fn compare_at_length(&mut self) -> Result<()> {
        for _ in 0..COMPARISONS {
            self.compare()?;
        }
        Ok(())
    }

    /// Edges that were lost on the way, from one that came to the next.
    pub(super) fn lost_edges(&self) -> u32 {
        self.edges.windows(2).map(|pair| pair[1].number.wrapping_sub(pair[0].number).wrapping_sub(1)).sum()
    }

    fn compare(&mut self) -> Result<()> {
        let asked = self.next_number();
        let sent = self.clock.nanos();
        let exchange = self.ask(&Request::Time { number: asked }, |reply, came| match reply {
            Reply::Time { number, received, replied } if number == asked => {
                Some(Exchange { sent, received, replied, came })
            }
            _ => None,
        })?;
        self.exchanges.push(exchange);
        Ok(())
    }

    fn next_number(&mut self) -> u32 {
        self.number = self.number.wrapping_add(1);
        self.number
    }

    fn say(&mut self, request: &Request) -> Result<()> {
        self.port.write(encode(request, &mut [0; FRAME_BYTES]))
    }

    /// Asks, and waits for the reply that `wanted` takes, given when it came. Edges between are taken note of.
    fn ask<T>(&mut self, request: &Request, wanted: impl Fn(Reply, Nanos) -> Option<T>) -> Result<T> {
        self.say(request)?;
        let until = self.clock.now() + PATIENCE;
        let mut bytes = [0; 256];
        let mut answer = None;
        while answer.is_none() {
            ensure!(
                self.clock.now() < until,
                "the rig doesn't answer: is its firmware on it? (`make pico`; then unplug it and plug it in again)"
            );
            let bytes = self.port.read(&mut bytes)?;
            let came = self.clock.nanos();
            for byte in bytes {
                match self.frames.feed(*byte) {
                    Some(Ok(Reply::Edge(edge))) => self.edges.push(edge),
                    Some(Ok(reply)) if answer.is_none() => answer = wanted(reply, came),
                    // What is cut or belongs to a question of before.
                    _ => {}
                }
            }
        }
        answer.map_or_else(|| bail!("no answer"), Ok)
    }
}

impl Rig for Link {
    /// As far as the last comparison tells.
    fn now(&self) -> Nanos {
        let last = self.exchanges.last();
        last.map_or(0, |last| last.replied + self.clock.nanos().saturating_sub(last.came))
    }

    /// Takes note of edges, and compares the clocks now and then.
    fn wait_until(&mut self, at: Nanos) -> Result<()> {
        loop {
            self.compare()?;
            let rest = at.saturating_sub(self.now());
            if rest == 0 {
                return Ok(());
            }
            self.clock.sleep(COMPARE_EVERY.min(Duration::from_nanos(rest)));
        }
    }

    fn play(&mut self, at: Nanos, sound: Sound) -> Result<Result<(), Refusal>> {
        let asked = self.next_number();
        self.ask(&Request::Play { number: asked, at, sound }, |reply, _| match reply {
            Reply::Scheduled { number } if number == asked => Some(Ok(())),
            Reply::Refused { number, why } if number == asked => Some(Err(why)),
            _ => None,
        })
    }
}
