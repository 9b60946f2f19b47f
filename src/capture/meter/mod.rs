//! How good a signal is: what a microphone delivers, measured channel by channel before anything is done to it.
//!
//! ```text
//! interleaved Q0.31 frames ─┬─ per channel  peak, rms, offset, full-scale samples and their runs
//!                           │    100 ms     rms of each stretch → histogram → noise floor
//!                           │    hum        decimate to 2 kHz → Goertzel at the mains and beside it
//!                           └─ per pair     correlation, sameness
//! ```
//! Sums are exact integers, so that neither a large offset nor a long measurement costs precision; only what is derived
//! from them is floating point. Nothing here allocates or needs an operating system. Not for judging: whoever reads a
//! report decides what is too loud or too quiet, and not for what the sound is.
//!
//! Decibels are relative to a full-scale sine: its peak and its rms are both 0 dBFS (AES17).

mod channel;
mod hum;

pub use channel::{ChannelReport, Clipping, Recent};
pub use hum::Hum;

use super::{CaptureError, MAX_CHANNELS};
use channel::ChannelMeter;

/// Samples at or beyond this have the largest code of 16 bits: full scale, whatever the encoding.
pub const FULL_SCALE: i32 = (i16::MAX as i32) << 16;
/// Stretches a second whose rms enters the noise floor.
const STRETCHES_PER_SECOND: u32 = 10;
/// Lowest and highest rate that is measured, hertz.
const RATES_HZ: core::ops::RangeInclusive<u32> = 4_000..=400_000;
/// Frames after which nothing more is counted (a day at 48 kHz), so that no sum can overflow.
const MOST_FRAMES: u64 = 1 << 32;
/// Channels, as an index.
const CHANNELS: usize = MAX_CHANNELS as usize;
/// Pairs of channels.
const PAIRS: usize = CHANNELS * (CHANNELS - 1) / 2;

/// Measures interleaved frames.
#[derive(Clone, Debug)]
pub struct Meter {
    rate_hz: u32,
    channels: usize,
    frames: u64,
    each: [ChannelMeter; CHANNELS],
    pairs: [Products; PAIRS],
}

/// What is known of two channels together.
#[derive(Clone, Copy, Debug, Default)]
struct Products {
    sum: i128,
    differ: bool,
}

/// Two channels together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairReport {
    /// Pearson's correlation, −1 to 1; `None` where one of them is constant.
    pub correlation: Option<f64>,
    /// Whether every sample of one is that of the other.
    pub identical: bool,
}

impl Meter {
    /// A meter for frames of `channels` samples at `rate_hz`.
    ///
    /// # Errors
    /// [`CaptureError::Channels`] for none or more than [`MAX_CHANNELS`], [`CaptureError::Rate`] outside 4 to 400 kHz.
    pub fn new(rate_hz: u32, channels: u8) -> Result<Self, CaptureError> {
        if channels == 0 || channels > MAX_CHANNELS {
            return Err(CaptureError::Channels);
        }
        if !RATES_HZ.contains(&rate_hz) {
            return Err(CaptureError::Rate(rate_hz));
        }
        let each = core::array::from_fn(|_| ChannelMeter::new(rate_hz));
        Ok(Self { rate_hz, channels: channels.into(), frames: 0, each, pairs: [Products::default(); PAIRS] })
    }

    /// Takes whole frames; a rest that is none is left out.
    pub fn feed(&mut self, interleaved: &[i32]) {
        for frame in interleaved.chunks_exact(self.channels) {
            if self.frames >= MOST_FRAMES {
                return;
            }
            self.frames += 1;
            for (meter, sample) in self.each.iter_mut().zip(frame) {
                meter.push(*sample);
            }
            for (b, y) in frame.iter().enumerate().skip(1) {
                for (a, x) in frame[..b].iter().enumerate() {
                    let pair = &mut self.pairs[pair_index(a, b)];
                    pair.sum += i128::from(i64::from(*x) * i64::from(*y));
                    pair.differ |= x != y;
                }
            }
        }
    }

    /// Says that frames were lost here: no run, stretch or hum goes on across.
    pub fn gap(&mut self) {
        self.each.iter_mut().for_each(ChannelMeter::gap);
    }

    /// Frames per second.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Frames measured.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// What was measured of a channel, counted from 0; `None` before the first frame and where there is none.
    #[must_use]
    pub fn channel(&self, index: u8) -> Option<ChannelReport> {
        let meter = self.each[..self.channels].get(usize::from(index))?;
        (self.frames > 0).then(|| meter.report(self.frames))
    }

    /// The last stretch of 100 ms of a channel, counted from 0, for a level meter; `None` before there was one.
    #[must_use]
    pub fn recent(&self, index: u8) -> Option<Recent> {
        self.each[..self.channels].get(usize::from(index))?.recent()
    }

    /// What was measured of two different channels, counted from 0; `None` before the first frame and where there is
    /// none.
    #[must_use]
    pub fn pair(&self, one: u8, other: u8) -> Option<PairReport> {
        let (a, b) = (usize::from(one.min(other)), usize::from(one.max(other)));
        if a == b || b >= self.channels || self.frames == 0 {
            return None;
        }
        let products = self.pairs[pair_index(a, b)];
        let (x, y) = (&self.each[a], &self.each[b]);
        let count = i128::from(self.frames);
        // At most 2³² samples of at most 2³¹: both products and, because a covariance is bounded by the variances, their
        // difference are at most 2¹²⁶.
        let covariance = count * products.sum - x.sum() * y.sum();
        let power = libm::sqrt(x.scaled_variance(self.frames)) * libm::sqrt(y.scaled_variance(self.frames));
        let correlation = (power > 0.0).then(|| (covariance as f64 / power).clamp(-1.0, 1.0));
        Some(PairReport { correlation, identical: !products.differ })
    }
}

/// The place of a pair, `a` below `b`.
const fn pair_index(a: usize, b: usize) -> usize {
    b * (b - 1) / 2 + a
}

/// Decibels of a power relative to a full-scale sine's; `None` for none.
fn dbfs(mean_square: f64) -> Option<f64> {
    (mean_square > 0.0).then(|| 10.0 * libm::log10(2.0 * mean_square / FULL_POWER))
}

/// The square of full scale.
const FULL_POWER: f64 = (1_u64 << 62) as f64;

#[cfg(test)]
mod tests;
