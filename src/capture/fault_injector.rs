//! Everything that goes wrong with microphones, on purpose and repeatably.

use super::{CaptureError, Granted, Microphone, Reading, SplitMix64};
use crate::flow::Stamp;

/// How often each mishap happens: in this many of a thousand reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A period of sound is lost: the next one travels with [`Reading::lost`] set.
    pub overrun: u16,
    /// A read brings fewer frames than there is room for.
    pub short: u16,
    /// A read brings no frames.
    pub zero: u16,
    /// [`CaptureError::Stalled`].
    pub stall: u16,
    /// [`CaptureError::Lost`], and on every read from then on.
    pub unplug: u16,
    /// A period is sixteen times too loud and clips.
    pub clip: u16,
}

/// A decorator that injects [`Faults`] into any microphone. Equal seeds give equal mishaps.
#[derive(Clone, Debug)]
pub struct FaultInjector<M> {
    inner: M,
    faults: Faults,
    random: SplitMix64,
    unplugged: bool,
}

impl<M: Microphone> FaultInjector<M> {
    /// Injects `faults` into `inner`.
    pub fn new(inner: M, faults: Faults, seed: u64) -> Self {
        Self { inner, faults, random: SplitMix64::new(seed), unplugged: false }
    }

    /// The microphone inside.
    pub fn into_inner(self) -> M {
        self.inner
    }

    fn happens(&mut self, per_mille: u16) -> bool {
        self.random.bits() % 1000 < u64::from(per_mille)
    }
}

impl<M: Microphone> Microphone for FaultInjector<M> {
    fn granted(&self) -> Granted {
        self.inner.granted()
    }

    fn captured(&self) -> Stamp {
        self.inner.captured()
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        if self.unplugged || self.happens(self.faults.unplug) {
            self.unplugged = true;
            return Err(CaptureError::Lost);
        }
        if self.happens(self.faults.stall) {
            return Err(CaptureError::Stalled);
        }
        if self.happens(self.faults.zero) {
            return Ok(Reading::default());
        }
        let mut lost = 0;
        if self.happens(self.faults.overrun) {
            let dropped = self.inner.read(into)?;
            lost = dropped.lost + dropped.frames as u64;
        }
        let channels = usize::from(self.granted().channels.max(1));
        let mut room = into.len() / channels;
        if self.happens(self.faults.short) {
            room = 1 + self.random.bits() as usize % room.max(1);
        }
        let room = (room * channels).min(into.len());
        let mut reading = self.inner.read(&mut into[..room])?;
        if self.happens(self.faults.clip) {
            for sample in &mut into[..reading.frames * channels] {
                *sample = sample.saturating_mul(16);
            }
        }
        reading.lost += lost;
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Access;

    /// Counts frames: sample = frame number.
    struct Ramp(i32);

    impl Microphone for Ramp {
        fn granted(&self) -> Granted {
            Granted {
                rate_hz: 22_050,
                channels: 1,
                encoding: "ramp",
                period_frames: 64,
                buffer_frames: 0,
                access: Access::Stream,
            }
        }

        fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
            for sample in into.iter_mut() {
                *sample = self.0;
                self.0 += 1;
            }
            Ok(Reading { lost: 0, frames: into.len() })
        }
    }

    fn read_all(seed: u64, faults: Faults) -> Vec<(Result<Reading, CaptureError>, i32)> {
        let mut injector = FaultInjector::new(Ramp(0), faults, seed);
        let mut into = [0; 64];
        (0..2_000).map(|_| (injector.read(&mut into), into[0])).collect()
    }

    #[test]
    fn equal_seeds_give_equal_mishaps() {
        let faults = Faults { overrun: 100, short: 200, zero: 10, stall: 10, unplug: 1, clip: 50 };
        assert_eq!(read_all(7, faults), read_all(7, faults));
        assert_ne!(read_all(7, faults), read_all(8, faults));
    }

    #[test]
    fn what_is_lost_is_counted_exactly() {
        let mut position = 0;
        let readings = read_all(3, Faults { overrun: 100, short: 300, ..Faults::default() });
        for (reading, first) in &readings {
            let reading = reading.unwrap();
            position += reading.lost;
            assert_eq!(u64::from(first.cast_unsigned()), position);
            position += reading.frames as u64;
        }
        let overruns = readings.iter().filter(|(r, _)| r.unwrap().lost > 0).count();
        assert!((150..250).contains(&overruns), "{overruns} of 2000 at 100 per mille");
        assert!(readings.iter().any(|(r, _)| r.unwrap().frames < 64));
    }

    #[test]
    fn unplugged_stays_unplugged() {
        let readings = read_all(5, Faults { unplug: 5, ..Faults::default() });
        let gone = readings.iter().position(|(r, _)| r.is_err()).unwrap();
        assert!(gone > 0 && readings[gone..].iter().all(|(r, _)| *r == Err(CaptureError::Lost)));
    }

    #[test]
    fn each_mishap_looks_like_itself() {
        let always = 1000;
        let first = |faults| read_all(1, faults)[1].0;
        assert_eq!(first(Faults { stall: always, ..Faults::default() }), Err(CaptureError::Stalled));
        assert_eq!(first(Faults { zero: always, ..Faults::default() }), Ok(Reading::default()));
        let clipped = read_all(1, Faults { clip: always, ..Faults::default() });
        assert_eq!(clipped[1].1, 64 * 16);
        assert_eq!(read_all(1, Faults::default())[1].1, 64);
    }
}
