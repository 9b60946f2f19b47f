//! The resampler's coefficients.

use super::{BAND_HZ, RateError, SAMPLE_RATE_HZ, pass_edge_hz};
use core::f64::consts::PI;

/// Most coefficients that are stored: 26 KiB. What 32 kHz (221 phases of 29) and 96 kHz (74 of 87) need.
pub const MAX_COEFFICIENTS: usize = 6_528;
/// Most coefficients in one phase.
pub const MAX_TAPS: usize = 96;

/// Fractional bits of a coefficient.
const COEFFICIENT_BITS: u32 = 30;
/// Designed stop-band attenuation, decibels. 80 are asked for; the rest pays for sums of several images.
const ATTENUATION_DB: f64 = 86.0;

/// The low-pass, cut into phases.
///
/// The prototype is symmetric, so phase `up − 1 − p` is phase `p` backwards and only the first half is stored.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    up: u32,
    down: u32,
    taps: usize,
    coefficients: [i32; MAX_COEFFICIENTS],
}

impl Bank {
    pub(super) fn new(rate_hz: u32) -> Result<Self, RateError> {
        let divisor = greatest_common_divisor(SAMPLE_RATE_HZ, rate_hz);
        let (up, down) = (SAMPLE_RATE_HZ / divisor, rate_hz / divisor);
        let mut bank = Self { up, down, taps: 1, coefficients: [0; MAX_COEFFICIENTS] };
        if up == down {
            bank.coefficients[0] = 1 << COEFFICIENT_BITS;
            return Ok(bank);
        }
        let design = Design::new(rate_hz);
        bank.taps = design.taps;
        let phases = bank.stored_phases() as usize;
        if rate_hz == 0 || bank.taps > MAX_TAPS || phases * bank.taps > MAX_COEFFICIENTS {
            return Err(RateError(rate_hz));
        }
        for (phase, row) in bank.coefficients.chunks_exact_mut(bank.taps).take(phases).enumerate() {
            design.phase(phase, up as usize, row);
        }
        Ok(bank)
    }

    /// Output samples per `down` input samples.
    #[inline]
    pub(super) fn up(&self) -> u32 {
        self.up
    }

    /// Input samples per `up` output samples.
    #[inline]
    pub(super) fn down(&self) -> u32 {
        self.down
    }

    /// Input samples that one output is made of.
    #[inline]
    pub(super) fn taps(&self) -> usize {
        self.taps
    }

    fn stored_phases(&self) -> u32 {
        self.up.div_ceil(2)
    }

    /// The output at `phase` (below `up`) after the newest of `window`'s samples, which come oldest first.
    #[inline]
    pub(super) fn convolve(&self, phase: u32, window: &[i32]) -> i32 {
        let row = |phase: u32| {
            let start = phase as usize * self.taps;
            &self.coefficients[start..start + self.taps]
        };
        // A phase's first coefficient belongs to the newest sample.
        let sum = if phase < self.stored_phases() {
            dot(row(phase), window.iter().rev())
        } else {
            dot(row(self.up - 1 - phase), window.iter())
        };
        let rounded = (sum + (1 << (COEFFICIENT_BITS - 1))) >> COEFFICIENT_BITS;
        rounded.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }
}

/// Below 2⁶³: samples lie within 2³¹ and a phase's coefficients, without their signs, sum to less than 2³² − 1 (tested).
#[inline]
fn dot<'a>(coefficients: &[i32], samples: impl Iterator<Item = &'a i32>) -> i64 {
    coefficients.iter().zip(samples).map(|(&c, &x)| i64::from(c) * i64::from(x)).sum()
}

/// The low-pass as a function of time.
struct Design {
    rate_hz: f64,
    cutoff_hz: f64,
    beta: f64,
    taps: usize,
}

impl Design {
    fn new(rate_hz: u32) -> Self {
        let rate = f64::from(rate_hz);
        let pass = pass_edge_hz(rate_hz);
        let stop = if rate < 2.0 * BAND_HZ { rate - pass } else { f64::from(SAMPLE_RATE_HZ) - BAND_HZ };
        let seconds = (ATTENUATION_DB - 7.95) / (2.285 * 2.0 * PI * (stop - pass));
        Self {
            rate_hz: rate,
            cutoff_hz: f64::midpoint(pass, stop),
            beta: 0.1102 * (ATTENUATION_DB - 8.7),
            taps: libm::ceil(seconds * rate) as usize,
        }
    }

    /// The response `input_samples` after the filter's middle; not scaled.
    fn at(&self, input_samples: f64) -> f64 {
        let x = 2.0 * PI * self.cutoff_hz * input_samples / self.rate_hz;
        let sinc = if x == 0.0 { 1.0 } else { libm::sin(x) / x };
        let position = 2.0 * input_samples / self.taps as f64;
        sinc * bessel_i0(self.beta * libm::sqrt((1.0 - position * position).max(0.0)))
    }

    /// Writes one of `up` phases to `row` (at most [`MAX_TAPS`] long): the tap of the newest sample first, summing to 1.
    fn phase(&self, phase: usize, up: usize, row: &mut [i32]) {
        let middle = (self.taps * up - 1) as f64 / 2.0;
        let mut exact = [0.0; MAX_TAPS];
        for (tap, value) in exact.iter_mut().enumerate().take(row.len()) {
            *value = self.at(((tap * up + phase) as f64 - middle) / up as f64);
        }
        let one = f64::from(1 << COEFFICIENT_BITS);
        let scale = one / exact.iter().sum::<f64>();
        let mut remainder = 1i32 << COEFFICIENT_BITS;
        for (coefficient, value) in row.iter_mut().zip(exact) {
            *coefficient = libm::round(value * scale) as i32;
            remainder -= *coefficient;
        }
        // Rounding leaves at most half a unit per tap: the largest coefficient takes it.
        if let Some(largest) = row.iter_mut().max() {
            *largest += remainder;
        }
    }
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
impl Bank {
    /// The whole prototype at `up` times the input's rate, its gain `up`.
    pub(super) fn prototype(&self) -> Vec<f64> {
        let up = self.up as usize;
        let mut prototype = vec![0.0; up * self.taps];
        for (n, value) in prototype.iter_mut().enumerate() {
            // A one at the tap's place makes the convolution return the coefficient.
            let mut window = vec![0; self.taps];
            window[self.taps - 1 - n / up] = 1 << COEFFICIENT_BITS;
            *value = f64::from(self.convolve((n % up) as u32, &window)) / f64::from(1 << COEFFICIENT_BITS);
        }
        prototype
    }

    /// The coefficients of each stored phase.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[i32]> {
        self.coefficients.chunks_exact(self.taps).take(self.stored_phases() as usize)
    }
}
