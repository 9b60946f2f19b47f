//! A microphone that is opened again for ever: the one place that decides what happens when it fails.
//!
//! ```text
//!          open fails                 a read fails, or brings nothing
//! closed ──────────────▶ waiting ◀──────────────────────────────────── open ──▶ blocks
//!    └─ open succeeds ─────────────────────────▶ ──────────────────────▶ ┘
//!                          └─ 0.5 s, 1 s, … 10 s, then open again ──▶ ┘
//! ```
//! Nothing here prints: what happened comes out as [`Capture`], once per change, and as [`Counters`].

use super::{CaptureError, Channel, Clock, Conditioner, Granted, Microphone, SystemClock};
use crate::flow::{Block, Fault, PeriodTimes, Periods};
use crate::spec::SAMPLE_RATE_HZ;
use std::time::Duration;

/// Wait before the first attempt to open again; doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Longest wait between attempts.
const LAST_RETRY: Duration = Duration::from_secs(10);
/// Sound for this long makes the next failure a new one: the wait starts from the beginning again.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// Longest that [`Supervisor::next`] sleeps before it lets the caller look at other things.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// What [`Supervisor::next`] brings.
#[derive(Clone, Debug, PartialEq)]
pub enum Capture<'a> {
    /// Sound, and the periods that were read since the block before, as far as there is room for them.
    Block(&'a Block, &'a Periods),
    /// The microphone is open (again), and this is what it delivers. Sound follows, or a fault.
    Opened(Granted),
    /// Something broke. Told once; the microphone is opened again by itself until [`Capture::Opened`].
    Fault {
        /// What to show.
        fault: Fault,
        /// What to write into a log.
        error: CaptureError,
    },
    /// Nothing new: still waiting for the next attempt. At most 100 ms have passed.
    Waiting,
    /// The recording is over; with the error where it broke off. Told for ever from now on.
    End(Option<CaptureError>),
}

/// What happened since the start, for a summary or a log line now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times that the microphone was opened.
    pub opened: u64,
    /// Attempts to open it that failed.
    pub refused: u64,
    /// Times that it failed while open.
    pub failed: u64,
    /// Times that it delivered sound after a loss, without having failed.
    pub overruns: u64,
    /// Samples lost, at 22,050 Hz.
    pub lost_samples: u64,
}

/// Opens a microphone, reads and conditions its sound, and never gives up.
#[derive(Debug)]
pub struct Supervisor<F, M, C = SystemClock> {
    open: F,
    clock: C,
    channel: Channel,
    microphone: Option<M>,
    conditioner: Option<Conditioner>,
    /// Interleaved frames of the last read, and the part of them that is not yet conditioned.
    period: Vec<i32>,
    unread: core::ops::Range<usize>,
    /// The periods since the block before, and whether they went out with a block.
    periods: Periods,
    told_periods: bool,
    /// When the last sound arrived before the microphone failed: what is missing is counted from here.
    silent_since: Option<Duration>,
    last_sound: Duration,
    healthy_since: Option<Duration>,
    retry_at: Duration,
    retry_after: Duration,
    told: Option<Fault>,
    end: Option<Option<CaptureError>>,
    counters: Counters,
}

impl<F, M, C> Supervisor<F, M, C>
where
    F: FnMut() -> Result<M, CaptureError>,
    M: Microphone,
    C: Clock,
{
    /// Supervises the microphone that `open` opens, which is called from [`next`](Self::next).
    pub fn new(open: F, channel: Channel, clock: C) -> Self {
        Self {
            open,
            channel,
            microphone: None,
            conditioner: None,
            period: Vec::new(),
            unread: 0..0,
            periods: Periods::new(),
            told_periods: false,
            silent_since: None,
            last_sound: clock.now(),
            healthy_since: None,
            retry_at: clock.now(),
            retry_after: FIRST_RETRY,
            told: None,
            end: None,
            counters: Counters::default(),
            clock,
        }
    }

    /// What happened since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Waits for the next thing that happens: as long as the microphone's read does, or 100 ms while it is closed.
    ///
    /// Allocates only when a microphone is opened.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its blocks")]
    pub fn next(&mut self) -> Capture<'_> {
        if std::mem::take(&mut self.told_periods) {
            self.periods.clear();
        }
        loop {
            if self.condition() {
                self.told_periods = true;
                return match &self.conditioner {
                    Some(conditioner) => Capture::Block(conditioner.block(), &self.periods),
                    None => Capture::Waiting,
                };
            }
            if let Some(reason) = self.end {
                return Capture::End(reason);
            }
            let failure = match &mut self.microphone {
                Some(microphone) => match microphone.read(&mut self.period) {
                    Ok(reading) if reading.frames > 0 => {
                        let granted = microphone.granted();
                        let captured = microphone.captured();
                        let samples = reading.frames * usize::from(granted.channels);
                        self.unread = 0..samples.min(self.period.len());
                        self.hear(reading.lost, reading.frames as u64, granted.rate_hz);
                        let period = PeriodTimes {
                            start: self.conditioner.as_ref().map_or(0, Conditioner::position),
                            frames: reading.frames as u32,
                            rate_hz: granted.rate_hz,
                            lost: u32::try_from(reading.lost).unwrap_or(u32::MAX),
                            captured,
                            read: self.clock.nanos(),
                            resampled: 0,
                        };
                        // Periods shorter than the shortest that all fit are told in part.
                        let _ = self.periods.push(period);
                        continue;
                    }
                    Ok(_) => CaptureError::Stalled,
                    Err(error) => error,
                },
                None => {
                    // One look at the clock: by a second one the moment may have passed.
                    let wait = self.retry_at.saturating_sub(self.clock.now());
                    if !wait.is_zero() {
                        self.clock.sleep(wait.min(LONGEST_SLEEP));
                        return Capture::Waiting;
                    }
                    match self.try_open() {
                        Ok(granted) => return Capture::Opened(granted),
                        Err(error) => error,
                    }
                }
            };
            if let Some(event) = self.fail(failure) {
                return event;
            }
        }
    }

    /// Whether a block is complete.
    fn condition(&mut self) -> bool {
        let Some(conditioner) = &mut self.conditioner else { return false };
        if self.end.is_some() {
            return conditioner.finish();
        }
        if self.microphone.is_none() {
            return false;
        }
        let mut rest = &self.period[self.unread.clone()];
        let full = conditioner.fill(&mut rest);
        self.unread.start = self.unread.end - rest.len();
        if let Some(period) = self.periods.last_mut().filter(|period| period.resampled == 0) {
            period.resampled = self.clock.nanos();
        }
        full
    }

    /// Accounts for sound that arrived, and for what is missing before it.
    fn hear(&mut self, lost: u64, frames: u64, rate_hz: u32) {
        let now = self.clock.now();
        let Some(conditioner) = &mut self.conditioner else { return };
        let before = conditioner.position();
        if let Some(since) = self.silent_since.take() {
            let heard = Duration::from_micros(frames * 1_000_000 / u64::from(rate_hz.max(1)));
            let missing = now.saturating_sub(since).saturating_sub(heard).as_micros()
                * u128::from(SAMPLE_RATE_HZ)
                / 1_000_000;
            conditioner.lose_samples(u64::try_from(missing).unwrap_or(u64::MAX).max(1));
        } else if lost > 0 {
            conditioner.lose_frames(lost);
            self.counters.overruns += 1;
        }
        self.counters.lost_samples += conditioner.position() - before;
        self.last_sound = now;
        self.told = None;
        if now.saturating_sub(*self.healthy_since.get_or_insert(now)) >= HEALTHY_AFTER {
            self.retry_after = FIRST_RETRY;
        }
    }

    fn try_open(&mut self) -> Result<Granted, CaptureError> {
        let microphone = (self.open)()?;
        let granted = microphone.granted();
        match &mut self.conditioner {
            Some(conditioner) => conditioner.change_source(granted.rate_hz, granted.channels)?,
            None => {
                self.conditioner = Some(Conditioner::new(granted.rate_hz, granted.channels, self.channel)?);
            }
        }
        self.period.resize(granted.period_samples().max(usize::from(granted.channels)), 0);
        self.unread = 0..0;
        self.microphone = Some(microphone);
        self.healthy_since = None;
        self.last_sound = self.clock.now();
        self.counters.opened += 1;
        Ok(granted)
    }

    /// Closes the microphone and plans the next attempt; what to tell of it, if it is news.
    fn fail(&mut self, error: CaptureError) -> Option<Capture<'static>> {
        let was_open = self.microphone.take().is_some();
        if error.is_final() {
            self.end = Some((error != CaptureError::Ended).then_some(error));
            return None;
        }
        if was_open {
            self.counters.failed += 1;
            self.silent_since.get_or_insert(self.last_sound);
        } else {
            self.counters.refused += 1;
        }
        self.retry_at = self.clock.now() + self.retry_after;
        self.retry_after = (self.retry_after * 2).min(LAST_RETRY);
        let fault = error.fault()?;
        if self.told.replace(fault) == Some(fault) {
            return Some(Capture::Waiting);
        }
        Some(Capture::Fault { fault, error })
    }
}

#[cfg(test)]
mod tests;
