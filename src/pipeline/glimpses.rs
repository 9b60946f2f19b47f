//! Makes [`Glimpse`]s of what passes by: a column per 1024 samples, 21 a second. Allocates nothing, and costs nothing where
//! nobody asked for it.

use crate::flow::{Block, Glimpse, LogMel};

/// Samples that one glimpse covers, at least; whole frames.
pub const GLIMPSE_SAMPLES: usize = 1024;

/// Collects one glimpse at a time.
#[derive(Clone, Debug)]
pub(super) struct Glimpses {
    /// Frames of one.
    most: usize,
    /// Frames of the one that grows.
    frames: usize,
    grows: Glimpse,
    complete: Option<Glimpse>,
}

impl Glimpses {
    /// For frames that are `hop` samples apart.
    pub(super) fn new(hop: usize) -> Self {
        let most = GLIMPSE_SAMPLES.div_ceil(hop.max(1));
        Self { most, frames: 0, grows: Glimpse::default(), complete: None }
    }

    /// Takes a block's samples, before its frames.
    pub(super) fn block(&mut self, block: &Block) {
        if block.lost > 0 {
            (self.frames, self.grows) = (0, Glimpse::default());
        }
        let peak = block.samples.iter().map(|sample| sample.unsigned_abs()).max();
        self.grows.peak = self.grows.peak.max(peak.unwrap_or(0));
    }

    /// Takes a frame.
    pub(super) fn frame(&mut self, frame: &LogMel) {
        let grows = &mut self.grows;
        for (largest, value) in grows.bands.iter_mut().zip(frame.bands) {
            *largest = (*largest).max(Glimpse::band(value));
        }
        grows.level = grows.level.max(frame.level);
        grows.end = frame.end;
        self.frames += 1;
        if self.frames >= self.most {
            self.frames = 0;
            self.complete = Some(core::mem::take(grows));
        }
    }

    /// The one that was completed since this was last asked.
    pub(super) fn take(&mut self) -> Option<Glimpse> {
        self.complete.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Level;
    use crate::spec::{LOG_MEL_LIMIT, MEL_BANDS};

    fn frame(end: u64, value: i16, level: i16) -> LogMel {
        LogMel { end, level: Level(level), bands: [value; MEL_BANDS] }
    }

    fn block(sample: i32, lost: u64) -> Block {
        Block { lost, samples: [sample].into_iter().collect(), ..Block::default() }
    }

    #[test]
    fn a_glimpse_is_the_largest_of_its_frames_and_samples() {
        let mut glimpses = Glimpses::new(512);
        glimpses.block(&block(i32::MIN, 0));
        glimpses.frame(&frame(1024, 0, -500));
        assert_eq!(glimpses.take(), None, "half of it");
        glimpses.block(&block(7, 0));
        glimpses.frame(&frame(1536, -LOG_MEL_LIMIT, -100));
        let glimpse = glimpses.take().unwrap();
        assert_eq!((glimpse.end, glimpse.level, glimpse.peak), (1536, Level(-100), 1 << 31));
        assert_eq!(glimpse.bands, [127; MEL_BANDS]);
        assert!(glimpse.is_clipped() && glimpse.peak_dbfs() == 0.0);
        assert_eq!(glimpses.take(), None, "each once");
        // A hop that is longer than a glimpse makes one of every frame; what was lost belongs to none.
        let mut glimpses = Glimpses::new(1536);
        glimpses.block(&block(-5, 0));
        glimpses.block(&block(3, 9));
        glimpses.frame(&frame(4096, LOG_MEL_LIMIT, 0));
        let glimpse = glimpses.take().unwrap();
        assert_eq!((glimpse.peak, glimpse.bands[0], glimpse.is_clipped()), (3, 254, false));
    }

    #[test]
    fn clipping_begins_a_tenth_of_a_decibel_below_full_scale() {
        let at = |dbfs: f64| Glimpse {
            peak: (2_f64.powi(31) * 10_f64.powf(dbfs / 20.0)) as u32,
            ..Glimpse::default()
        };
        assert!(at(-0.09).is_clipped() && !at(-0.11).is_clipped());
        assert!((at(-20.0).peak_dbfs() + 20.0).abs() < 0.001);
        assert_eq!(Glimpse::default().peak_dbfs(), -144.0);
    }
}
