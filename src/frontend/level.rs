//! The causal level tracker: makes frames independent of the microphone's gain without ever changing a frame again.

use crate::spec::LevelHandling;

/// Fractional bits of the tracked level beyond Q8.8.
const EXTRA_BITS: u32 = 16;

/// The tracker's state. It belongs to one stream and is forgotten with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelTracker {
    /// Q8.24 octaves of power.
    mean: i32,
    /// Frames that the mean has seen, up to its memory.
    seen: u16,
}

impl LevelTracker {
    /// Takes the next frame's level (Q8.8 octaves relative to a full-scale sine) and returns what to subtract from the
    /// frame's values, Q8.8. `None` while nothing above the gate has been heard.
    pub(super) fn next(&mut self, handling: LevelHandling, level: i16) -> Option<i16> {
        let (frames, gate, center) = match handling {
            LevelHandling::Absolute { center } => return Some(center),
            LevelHandling::Tracked { frames, gate, center } => (frames, gate, center),
        };
        if level >= gate {
            self.seen = self.seen.saturating_add(1).min(frames);
            // |level| < 48 · 2⁸, so that differences stay below 2³¹. The division truncates: a bias below 2⁻¹⁶ LSB.
            self.mean += ((i32::from(level) << EXTRA_BITS) - self.mean) / i32::from(self.seen);
        }
        let mean = (self.mean + (1 << (EXTRA_BITS - 1))) >> EXTRA_BITS;
        (self.seen > 0).then_some(mean as i16 - center)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACKED: LevelHandling = LevelHandling::Tracked { frames: 8, gate: -8000, center: 0 };

    #[test]
    fn silence_before_the_first_sound_has_no_level_and_later_silence_moves_nothing() {
        let mut tracker = LevelTracker::default();
        assert_eq!(tracker.next(TRACKED, -12_000), None);
        assert_eq!(tracker.next(TRACKED, -1000), Some(-1000));
        assert_eq!(tracker.next(TRACKED, -12_000), Some(-1000));
        assert_eq!(tracker.next(TRACKED, -2000), Some(-1500));
    }

    #[test]
    fn absolute_levels_subtract_a_constant() {
        let handling = LevelHandling::Absolute { center: -5120 };
        assert_eq!(LevelTracker::default().next(handling, -12_000), Some(-5120));
    }

    proptest! {
        /// The textbook form: cumulative mean, then exponential, in f64. Q8.24 steps truncate by at most 2⁻¹⁶ LSB each and
        /// the exponential mean forgets, so that 0.51 LSB holds for rounding and truncation together.
        #[test]
        fn follows_the_textbook_mean(levels in proptest::collection::vec(-8000_i16..300, 1..400)) {
            let mut tracker = LevelTracker::default();
            let (mut mean, mut seen) = (0.0, 0.0);
            for level in levels {
                seen = f64::min(seen + 1.0, 8.0);
                mean += (f64::from(level) - mean) / seen;
                let tracked = tracker.next(TRACKED, level).map(f64::from);
                prop_assert!((tracked.unwrap_or(f64::NAN) - mean).abs() <= 0.51);
            }
        }

        /// Quieter by a constant, the frames' relative values stay the same.
        #[test]
        fn a_gain_shifts_the_level_by_the_same_amount(
            levels in proptest::collection::vec(-4000_i16..0, 1..100), gain in 0_i16..3000,
        ) {
            let (mut loud, mut quiet) = (LevelTracker::default(), LevelTracker::default());
            for level in levels {
                let (a, b) = (loud.next(TRACKED, level), quiet.next(TRACKED, level - gain));
                let shift = a.unwrap_or(0) - b.unwrap_or(0);
                prop_assert!((shift - gain).abs() <= 1);
            }
        }
    }
}
