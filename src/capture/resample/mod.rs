//! The microphone's rate → 22,050 Hz, with integers.
//!
//! A polyphase filter: the ratio 22,050 / rate in lowest terms is `L / M`. Between the input's samples lie `L − 1`
//! more (never computed), a low-pass at `L · rate` removes what would be heard as images and aliases, and every
//! `M`-th sample is kept. The low-pass is a Kaiser-windowed sinc (J. F. Kaiser 1974; the length and β formulas as in
//! Oppenheim and Schafer, *Discrete-Time Signal Processing*, section 7.5.3).
//!
//! **What is kept.** Flat to the [pass edge](pass_edge_hz). A component of the low-pass's input at `g` Hz lands on
//! `g` modulo 22,050; it can only fall into the band up to 8 kHz from beyond 22,050 − 8000 = 14,050 Hz. So the
//! transition from 8 kHz to 14.05 kHz is free and the filter is short (0.9 ms). Below a rate of 16 kHz images of the
//! band lie lower than that, and the stop band begins where the first one does, at `rate` − pass edge. Between the band
//! and 11,025 Hz images and aliases remain: nothing looks there.
//!
//! **Arithmetic.** Q0.31 samples, Q1.30 coefficients, i64 sums rounded once (half upwards) and saturated. Each phase's
//! coefficients sum to exactly 2³⁰, so a constant stays the same constant. At 22,050 Hz the filter is the number one,
//! and samples pass bit for bit.
//!
//! **Delay** is half the filter, below 0.5 ms; it is not compensated.

mod bank;

use crate::spec::SAMPLE_RATE_HZ;
use bank::Bank;

pub use bank::{MAX_COEFFICIENTS, MAX_TAPS};

/// Highest frequency that a front-end looks at, hertz: the response is flat to here where the rate allows.
const BAND_HZ: f64 = 8000.0;

/// The frequency up to which sound of this rate comes through flat (within 0.1 dB), hertz: 8 kHz or 0.45 × the rate.
#[must_use]
pub fn pass_edge_hz(rate_hz: u32) -> f64 {
    BAND_HZ.min(0.45 * f64::from(rate_hz))
}

/// A rate that cannot be resampled, hertz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateError(pub u32);

impl core::fmt::Display for RateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "sound of {} Hz cannot be resampled; of 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200 and \
             96000 Hz it can",
            self.0
        )
    }
}

impl core::error::Error for RateError {}

/// A resampler to 22,050 Hz. One sample in ([`push`](Self::push)), none or more out ([`pull`](Self::pull)), so any
/// chunking of the input gives the same output.
///
/// Holds its coefficients and history itself: about 27 KiB, no allocation.
#[derive(Clone, Debug)]
pub struct Resampler {
    bank: Bank,
    /// Where the next output lies after the newest input, in 1 / `up` of an input sample. Below `up`: it is due.
    phase: u32,
    /// The last `taps` samples, oldest first, beginning at `newest + 1`; each is written twice, `taps` apart, so that
    /// they always lie in one piece.
    history: [i32; 2 * MAX_TAPS],
    newest: usize,
}

impl Resampler {
    /// A resampler for sound of `rate_hz`. Computes its coefficients: some milliseconds on a computer, up to a second
    /// on a microcontroller without double-precision arithmetic.
    ///
    /// # Errors
    /// [`RateError`] where the ratio to 22,050 needs more than [`MAX_COEFFICIENTS`] or [`MAX_TAPS`].
    pub fn new(rate_hz: u32) -> Result<Self, RateError> {
        let bank = Bank::new(rate_hz)?;
        let phase = bank.up();
        Ok(Self { bank, phase, history: [0; 2 * MAX_TAPS], newest: 0 })
    }

    /// Takes one sample. Every output that is due must have been pulled before.
    #[inline]
    pub fn push(&mut self, sample: i32) {
        debug_assert!(self.phase >= self.bank.up(), "an output was not pulled");
        self.phase -= self.bank.up();
        let taps = self.bank.taps();
        self.newest += 1;
        if self.newest == taps {
            self.newest = 0;
        }
        self.history[self.newest] = sample;
        self.history[self.newest + taps] = sample;
    }

    /// The next output sample, if one is due.
    #[inline]
    pub fn pull(&mut self) -> Option<i32> {
        if self.phase >= self.bank.up() {
            return None;
        }
        let taps = self.bank.taps();
        let window = &self.history[self.newest + 1..self.newest + 1 + taps];
        let out = self.bank.convolve(self.phase, window);
        self.phase += self.bank.down();
        Some(out)
    }

    /// Lets `lost` input samples pass unheard and forgets the past. Returns how many output samples that leaves out: at
    /// least 1, and otherwise exactly what keeps the output in step with the input's time.
    pub fn skip(&mut self, lost: u64) -> u64 {
        self.history.fill(0);
        let (up, down) = (u128::from(self.bank.up()), u128::from(self.bank.down()));
        let (phase, lost) = (u128::from(self.phase), u128::from(lost));
        // Due once `lost` more samples are there: outputs whose phase lies before this.
        let end = (lost + 1) * up;
        let due = if end > phase { (end - phase).div_ceil(down).max(1) } else { 1 };
        // Both fit: a phase lies below `up + down`, and outputs are at most twice the inputs.
        self.phase = (phase + due * down - lost * up) as u32;
        u64::try_from(due).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
