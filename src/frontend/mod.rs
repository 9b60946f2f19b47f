//! Samples → log-mel frames.
//!
//! ```text
//! Block ─ 1024 samples every hop ─ Hann window ─ microfft (f32) ─ power (u64)
//!       ─ mel bank (Q15 weights, u64 sums) ─ log2 (Q8.8) ─ minus the tracked level ─ clamp ─ LogMel
//! ```
//!
//! Integers from the power spectrum on; allocates nothing; any chunking of the samples gives the same frames. A frame
//! is final once computed, so that a window of frames may be cut anywhere. Not here: resampling and offset removal
//! (capture), the classifier's own quantization (the model).

mod level;
mod log2;
mod mel;
mod spectrum;
#[cfg(test)]
mod tests;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

pub use log2::log2_q8;

use self::level::LevelTracker;
use self::mel::{BINS, MelBank};
use self::spectrum::{FULL_SCALE_SINE_LOG2, Spectrum};
use crate::flow::{Block, Level, LogMel, SampleIndex};
use crate::spec::{FrontendSpec, LOG_MEL_LIMIT, SpecError, WINDOW_SAMPLES};

/// The tables of a specification: computed once (with software floating point, so that they are equal everywhere), shared by
/// any number of streams. About 6 KiB.
pub struct Frontend {
    spec: FrontendSpec,
    spectrum: Spectrum,
    bank: MelBank,
}

/// One stream's state. About 14 KiB.
pub struct FrontendState {
    samples: [i32; WINDOW_SAMPLES],
    scratch: [f32; WINDOW_SAMPLES],
    power: [u64; BINS],
    /// Samples of the next window that have arrived.
    filled: usize,
    /// Samples to pass over before the next window begins (hops longer than the window).
    skip: usize,
    /// Index of the next sample.
    position: SampleIndex,
    tracker: LevelTracker,
}

impl Default for FrontendState {
    fn default() -> Self {
        Self {
            samples: [0; WINDOW_SAMPLES],
            scratch: [0.0; WINDOW_SAMPLES],
            power: [0; BINS],
            filled: 0,
            skip: 0,
            position: 0,
            tracker: LevelTracker::default(),
        }
    }
}

impl FrontendState {
    /// Begins a new stream at sample `start`: nothing of what was heard before is remembered.
    pub fn reset(&mut self, start: SampleIndex) {
        (self.filled, self.skip, self.position) = (0, 0, start);
        self.tracker = LevelTracker::default();
    }
}

impl Frontend {
    /// Computes the tables of `spec`.
    ///
    /// # Errors
    /// The field of `spec` that this build cannot compute.
    pub fn new(spec: FrontendSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        Ok(Self { spec, spectrum: Spectrum::new(), bank: MelBank::new(&spec) })
    }

    /// The specification.
    #[must_use]
    pub fn spec(&self) -> &FrontendSpec {
        &self.spec
    }

    /// Takes a block of sound and hands every frame that it completes to `sink`. Lost samples before the block begin a
    /// new stream; the caller resets what it keeps over frames, too.
    pub fn push(&self, state: &mut FrontendState, block: &Block, sink: impl FnMut(&LogMel)) {
        if block.lost > 0 {
            state.reset(block.start);
        }
        self.push_samples(state, &block.samples, sink);
    }

    /// Takes mono samples at 22,050 Hz in Q0.31, any number of them, and hands every frame that they complete to `sink`.
    pub fn push_samples(
        &self,
        state: &mut FrontendState,
        mut samples: &[i32],
        mut sink: impl FnMut(&LogMel),
    ) {
        let hop = usize::from(self.spec.hop);
        while !samples.is_empty() {
            let skipped = state.skip.min(samples.len());
            let taken = (samples.len() - skipped).min(WINDOW_SAMPLES - state.filled);
            state.samples[state.filled..state.filled + taken]
                .copy_from_slice(&samples[skipped..skipped + taken]);
            state.skip -= skipped;
            state.filled += taken;
            state.position += (skipped + taken) as u64;
            samples = &samples[skipped + taken..];
            if state.filled == WINDOW_SAMPLES {
                sink(&self.frame(state));
                let kept = WINDOW_SAMPLES.saturating_sub(hop);
                state.samples.copy_within(WINDOW_SAMPLES - kept.., 0);
                state.filled = kept;
                state.skip = hop.saturating_sub(WINDOW_SAMPLES);
            }
        }
    }

    /// The frame of the full window in `state`.
    fn frame(&self, state: &mut FrontendState) -> LogMel {
        self.spectrum.power(&state.samples, &mut state.scratch, &mut state.power, self.bank.bins());
        let sums = self.bank.apply(&state.power);
        // Bands share bins without counting any twice, so that their total cannot overflow either.
        let level = relative_log2(sums.iter().sum());
        let subtract = state.tracker.next(self.spec.level, level);
        let value = |sum: u64| match subtract {
            Some(subtract) => (relative_log2(sum) - subtract).clamp(-LOG_MEL_LIMIT, LOG_MEL_LIMIT),
            None => -LOG_MEL_LIMIT,
        };
        LogMel { end: state.position, level: Level(level), bands: sums.map(value) }
    }

    /// Every frame of a whole recording: mono samples at 22,050 Hz in Q0.31.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn frames(&self, samples: &[i32]) -> Vec<LogMel> {
        let mut frames = Vec::new();
        self.push_samples(&mut FrontendState::default(), samples, |frame| frames.push(frame.clone()));
        frames
    }
}

/// log2, Q8.8, of a mel sum relative to a full-scale sine. Sums below one power quantum (2¹⁵) count as one.
fn relative_log2(sum: u64) -> i16 {
    log2_q8(sum.max(1 << 15)) - FULL_SCALE_SINE_LOG2
}
