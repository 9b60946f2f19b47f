//! One channel: peak, rms, offset, full-scale samples, noise floor.

use super::hum::{Hum, HumMeter};
use super::{FULL_POWER, FULL_SCALE, STRETCHES_PER_SECOND, dbfs};

/// Lowest level that the histogram of stretches tells apart, dBFS.
const LOWEST_DBFS: f64 = -150.0;
/// Bins of the histogram per decibel.
const BINS_PER_DB: f64 = 2.0;
/// Up to +4 dBFS; a full-scale square wave has +3.
const BINS: usize = 308;
/// The noise floor is the level that this part of all stretches does not reach.
const FLOOR_SHARE: f64 = 0.1;

/// What was measured of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelReport {
    /// Largest magnitude, dBFS; `None` where every sample was 0.
    pub peak_dbfs: Option<f64>,
    /// Rms without the offset, dBFS; `None` where all samples were alike.
    pub rms_dbfs: Option<f64>,
    /// Mean of all samples, −1 to 1 of full scale.
    pub offset: f64,
    /// Samples at full scale.
    pub clipping: Clipping,
    /// Level that the quietest tenth of all stretches of 100 ms (each without its own offset) does not exceed, dBFS;
    /// −150 where that is silence, `None` before the first whole stretch.
    pub floor_dbfs: Option<f64>,
    /// The mains, where it is to be heard.
    pub hum: Option<Hum>,
    /// Whether every sample was the same: nothing is connected, or it is switched off.
    pub constant: bool,
}

/// Samples at full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clipping {
    /// How many.
    pub samples: u64,
    /// In how many runs of neighbours, of one sample or more.
    pub runs: u64,
    /// Samples of the longest run.
    pub longest: u64,
}

/// The last stretch of 100 ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recent {
    /// Its rms without its offset, dBFS; `None` for silence.
    pub rms_dbfs: Option<f64>,
    /// Its largest magnitude, dBFS; `None` for silence.
    pub peak_dbfs: Option<f64>,
}

/// Sums of one channel.
#[derive(Clone, Debug)]
pub(super) struct ChannelMeter {
    least: i32,
    most: i32,
    sum: i128,
    squares: u128,
    clipping: Clipping,
    run: u64,
    stretch: Stretch,
    stretch_frames: u32,
    last: Option<Stretch>,
    histogram: [u32; BINS],
    hum: HumMeter,
}

/// Sums of one stretch.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    frames: u32,
    peak: u32,
    sum: i64,
    squares: u128,
}

impl Stretch {
    fn push(&mut self, sample: i32) {
        self.frames += 1;
        self.peak = self.peak.max(sample.unsigned_abs());
        self.sum += i64::from(sample);
        self.squares += square(sample);
    }

    fn rms_dbfs(&self) -> Option<f64> {
        let sum = i128::from(self.sum);
        dbfs(variance(sum, self.squares, self.frames.into()))
    }
}

impl ChannelMeter {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            least: i32::MAX,
            most: i32::MIN,
            sum: 0,
            squares: 0,
            clipping: Clipping::default(),
            run: 0,
            stretch: Stretch::default(),
            stretch_frames: rate_hz / STRETCHES_PER_SECOND,
            last: None,
            histogram: [0; BINS],
            hum: HumMeter::new(rate_hz),
        }
    }

    pub(super) fn push(&mut self, sample: i32) {
        self.least = self.least.min(sample);
        self.most = self.most.max(sample);
        self.sum += i128::from(sample);
        self.squares += square(sample);
        self.count_full_scale(sample);
        self.stretch.push(sample);
        if self.stretch.frames >= self.stretch_frames {
            let level = self.stretch.rms_dbfs().unwrap_or(LOWEST_DBFS);
            let bin = (level - LOWEST_DBFS) * BINS_PER_DB;
            // A cast saturates: what lies below the lowest level is counted there.
            self.histogram[(bin as usize).min(BINS - 1)] += 1;
            self.last = Some(core::mem::take(&mut self.stretch));
        }
        self.hum.push(sample);
    }

    fn count_full_scale(&mut self, sample: i32) {
        if sample < FULL_SCALE && sample > -FULL_SCALE {
            self.run = 0;
            return;
        }
        self.run += 1;
        self.clipping.samples += 1;
        self.clipping.runs += u64::from(self.run == 1);
        self.clipping.longest = self.clipping.longest.max(self.run);
    }

    pub(super) fn gap(&mut self) {
        self.run = 0;
        self.stretch = Stretch::default();
        self.hum.gap();
    }

    pub(super) fn recent(&self) -> Option<Recent> {
        let last = self.last?;
        let peak = f64::from(last.peak);
        Some(Recent { rms_dbfs: last.rms_dbfs(), peak_dbfs: dbfs(peak * peak / 2.0) })
    }

    pub(super) fn report(&self, frames: u64) -> ChannelReport {
        let peak = f64::from(self.most.unsigned_abs().max(self.least.unsigned_abs()));
        ChannelReport {
            peak_dbfs: dbfs(peak * peak / 2.0),
            rms_dbfs: dbfs(variance(self.sum, self.squares, frames)),
            offset: self.sum as f64 / frames as f64 / libm::sqrt(FULL_POWER),
            clipping: self.clipping,
            floor_dbfs: self.floor_dbfs(),
            hum: self.hum.report(),
            constant: self.least == self.most,
        }
    }

    fn floor_dbfs(&self) -> Option<f64> {
        let all: u64 = self.histogram.iter().map(|count| u64::from(*count)).sum();
        let rank = libm::ceil(all as f64 * FLOOR_SHARE) as u64;
        let mut below = 0;
        let bin = self.histogram.iter().position(|count| {
            below += u64::from(*count);
            below >= rank
        })?;
        // The middle of the bin, but silence is silence.
        let level = if bin == 0 { 0.0 } else { bin as f64 + 0.5 };
        (all > 0).then_some(LOWEST_DBFS + level / BINS_PER_DB)
    }

    pub(super) fn sum(&self) -> i128 {
        self.sum
    }

    /// The variance times the square of the count.
    pub(super) fn scaled_variance(&self, frames: u64) -> f64 {
        scaled_variance(self.sum, self.squares, frames)
    }
}

fn square(sample: i32) -> u128 {
    let magnitude = u64::from(sample.unsigned_abs());
    u128::from(magnitude * magnitude)
}

/// n·Σx² − (Σx)², exactly: at most 2³² samples of at most 2³¹ keep both below 2¹²⁷.
fn scaled_variance(sum: i128, squares: u128, frames: u64) -> f64 {
    let of_sum = sum.unsigned_abs();
    (u128::from(frames) * squares).saturating_sub(of_sum * of_sum) as f64
}

fn variance(sum: i128, squares: u128, frames: u64) -> f64 {
    let count = frames.max(1) as f64;
    scaled_variance(sum, squares, frames) / count / count
}
