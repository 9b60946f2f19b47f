//! Real-time pace for sources that could deliver all at once.

use super::{CaptureError, Clock, Granted, Microphone, Reading, SystemClock};
use crate::flow::Stamp;
use std::time::Duration;

/// How fast a recording is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As a microphone would: a period is there when its time has passed.
    #[default]
    RealTime,
    /// As fast as it is read.
    Fast,
}

/// Longest lag that is caught up with; beyond it the pace starts anew, as if the listener had paused.
const LARGEST_LAG: Duration = Duration::from_millis(500);

/// A decorator that delivers a microphone's frames at a [`Pace`].
#[derive(Clone, Debug)]
pub struct Paced<M, C = SystemClock> {
    inner: M,
    pace: Pace,
    clock: C,
    /// When the first frame was captured, in effect; unknown before the first read.
    start: Option<Duration>,
    /// Frames since `start`.
    frames: u64,
    /// When the last frame was captured, in effect.
    captured: Stamp,
}

impl<M: Microphone, C: Clock> Paced<M, C> {
    /// Delivers the frames of `inner` at `pace`, by `clock`.
    pub fn new(inner: M, pace: Pace, clock: C) -> Self {
        Self { inner, pace, clock, start: None, frames: 0, captured: Stamp::Absent }
    }

    /// Waits until the frames read so far would have been captured.
    fn wait(&mut self, rate_hz: u32) {
        let now = self.clock.now();
        let start = *self.start.get_or_insert(now);
        let nanos = u128::from(self.frames) * 1_000_000_000 / u128::from(rate_hz.max(1));
        let due = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.captured = Stamp::At(u64::try_from(due.as_nanos()).unwrap_or(u64::MAX));
        if let Some(early) = due.checked_sub(now) {
            self.clock.sleep(early);
        } else if now - due > LARGEST_LAG {
            self.start = Some(now);
            self.frames = 0;
        }
    }
}

impl<M: Microphone, C: Clock> Microphone for Paced<M, C> {
    fn granted(&self) -> Granted {
        let granted = self.inner.granted();
        // Whoever can deliver as fast as it is read can also wait, and loses nothing to a late reader.
        let buffer_frames = if self.pace == Pace::Fast { 0 } else { granted.buffer_frames };
        Granted { buffer_frames, ..granted }
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let granted = self.inner.granted();
        if self.pace == Pace::Fast {
            return self.inner.read(into);
        }
        self.start.get_or_insert_with(|| self.clock.now());
        let period = granted.period_samples().min(into.len());
        let reading = self.inner.read(&mut into[..period])?;
        self.frames += reading.lost + reading.frames as u64;
        self.wait(granted.rate_hz);
        Ok(reading)
    }

    /// The source's own stamp; where it has none, when the pace would have it captured.
    fn captured(&self) -> Stamp {
        match self.inner.captured() {
            Stamp::At(at) if self.pace == Pace::Fast => Stamp::At(at),
            _ => self.captured,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Access, ManualClock};

    struct Endless;

    impl Microphone for Endless {
        fn granted(&self) -> Granted {
            Granted {
                rate_hz: 48_000,
                channels: 2,
                encoding: "zero",
                period_frames: 960,
                buffer_frames: 0,
                access: Access::Stream,
            }
        }

        fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
            Ok(Reading { lost: 0, frames: into.len() / 2 })
        }
    }

    #[test]
    fn real_time_delivers_a_period_when_its_time_has_passed() {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(5));
        let mut microphone = Paced::new(Endless, Pace::RealTime, clock.clone());
        let mut into = vec![0; 96_000];
        for k in 1..=50 {
            assert_eq!(microphone.read(&mut into), Ok(Reading { lost: 0, frames: 960 }));
            assert_eq!(clock.now(), Duration::from_millis(5_000 + 20 * k));
        }
    }

    #[test]
    fn a_slow_listener_is_not_flooded() {
        let clock = ManualClock::default();
        let mut microphone = Paced::new(Endless, Pace::RealTime, clock.clone());
        let mut into = vec![0; 1_920];
        microphone.read(&mut into).unwrap();
        clock.advance(Duration::from_millis(100));
        microphone.read(&mut into).unwrap();
        assert_eq!(clock.now(), Duration::from_millis(120), "a small lag is caught up with");
        clock.advance(Duration::from_secs(60));
        microphone.read(&mut into).unwrap();
        let resumed = clock.now();
        microphone.read(&mut into).unwrap();
        assert_eq!(clock.now() - resumed, Duration::from_millis(20), "a pause is not");
    }

    #[test]
    fn fast_never_sleeps() {
        let clock = ManualClock::default();
        let mut microphone = Paced::new(Endless, Pace::Fast, clock.clone());
        let mut into = vec![0; 96_000];
        assert_eq!(microphone.read(&mut into).unwrap().frames, 48_000);
        assert_eq!(clock.now(), Duration::ZERO);
    }
}
