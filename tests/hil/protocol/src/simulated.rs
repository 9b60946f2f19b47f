//! A device without hardware, for tests: the very protocol half of the firmware, on a clock that drifts and behind a wire that
//! dawdles, with a light that goes on a known time after each sound.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::device::{Board, Device};
use crate::sound::{RATE_HZ, Samples};
use crate::{Channel, FRAME_BYTES, Nanos, Sound, encode};

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Simulation {
    /// What its clock shows at the beginning.
    pub start: Nanos,
    /// How much faster its clock runs than the host's, millionths.
    pub drift_ppm: f64,
    /// The longest that an answer is held back; each one's time is drawn.
    pub dawdles: Duration,
    /// From the trigger to the level's light.
    pub level_after: Duration,
    /// From the trigger to the genre's light, which stays on; flashes of a tenth of a second go before it.
    pub genre_after: Duration,
    /// The burst whose light stays dark, counted from 0.
    pub dark: Option<usize>,
}

impl Default for Simulation {
    /// A clock that is right and a wire that is quick, with lights at once.
    fn default() -> Self {
        let none = Duration::ZERO;
        Self { start: 0, drift_ppm: 0.0, dawdles: none, level_after: none, genre_after: none, dark: None }
    }
}

/// A pin that will change.
type Change = (Nanos, Channel, bool);

struct Pins {
    simulation: Simulation,
    began: Instant,
    bursts: usize,
    /// Until when something is played.
    busy: Nanos,
    /// In order.
    changes: VecDeque<Change>,
}

impl Board for Pins {
    const TICK_NANOS: u32 = 1000;

    fn now(&self) -> Nanos {
        let passed = self.began.elapsed().as_nanos() as f64 * (1.0 + self.simulation.drift_ppm * 1e-6);
        let now = self.simulation.start + passed as Nanos;
        now - now % Nanos::from(Self::TICK_NANOS)
    }

    fn is_busy(&self) -> bool {
        self.now() < self.busy
    }

    fn play(&mut self, at: Nanos, sound: Sound) {
        let nanos = |time: Duration| time.as_nanos() as Nanos;
        let end = at + Samples::new(sound).count() as Nanos * 1_000_000_000 / Nanos::from(RATE_HZ);
        let mut changes = vec![(at, Channel::Trigger, true), (end, Channel::Trigger, false)];
        if let Sound::Music { .. } = sound {
            let lit = at + nanos(self.simulation.genre_after);
            for flash in [lit - 900_000_000, lit - 600_000_000] {
                changes.extend([(flash, Channel::Genre, true), (flash + 100_000_000, Channel::Genre, false)]);
            }
            changes.extend([(lit, Channel::Genre, true), (end + 500_000_000, Channel::Genre, false)]);
        } else {
            if self.simulation.dark != Some(self.bursts) {
                let lit = at + nanos(self.simulation.level_after);
                changes.extend([(lit, Channel::Level, true), (lit + 230_000_000, Channel::Level, false)]);
            }
            self.bursts += 1;
        }
        self.busy = end;
        self.changes.extend(changes);
        self.changes.make_contiguous().sort_by_key(|change| change.0);
    }

    fn quiet(&mut self) {
        self.busy = 0;
        self.changes.clear();
    }
}

impl Pins {
    /// The next change, if its time has come.
    fn due(&mut self, now: Nanos) -> Option<Change> {
        if self.changes.front()?.0 <= now { self.changes.pop_front() } else { None }
    }
}

/// Answers on this thread until the other end is closed. Bytes are read on a thread of their own, which ends with them.
///
/// # Errors
/// Nothing can be written.
pub fn run(
    simulation: Simulation,
    mut from: impl Read + Send + 'static,
    mut to: impl Write,
) -> std::io::Result<()> {
    let began = Instant::now();
    let mut pins = Pins { simulation, began, bursts: 0, busy: 0, changes: VecDeque::new() };
    let mut device = Device::default();
    let (bytes, come) = channel();
    std::thread::spawn(move || {
        let mut packet = [0; 64];
        while let Ok(count @ 1..) = from.read(&mut packet) {
            if bytes.send(packet[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut register = 1_u32;
    let mut frame = [0; FRAME_BYTES];
    while let Some(packet) = next(&come, &pins) {
        if let Some(packet) = packet {
            let came = pins.now();
            for byte in packet {
                if let Some(reply) = device.hear(byte, came, &mut pins) {
                    register = (register >> 1) ^ (0xB400 * (register & 1));
                    std::thread::sleep(simulation.dawdles.mul_f64(f64::from(register % 1000) / 1000.0));
                    to.write_all(encode(&reply, &mut frame))?;
                }
            }
        }
        let now = pins.now();
        while let Some((at, channel, is_high)) = pins.due(now) {
            let edge = device.edge(channel, is_high, at);
            to.write_all(encode(&edge, &mut frame))?;
        }
    }
    Ok(())
}

/// The next bytes, or none where a pin changes before any come; `None` when the other end is closed.
fn next(come: &Receiver<Vec<u8>>, pins: &Pins) -> Option<Option<Vec<u8>>> {
    let until = pins.changes.front().map_or(1_000_000_000, |change| change.0.saturating_sub(pins.now()));
    match come.recv_timeout(Duration::from_nanos(until)) {
        Ok(packet) => Some(Some(packet)),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}
