//! Samples → power spectrum: the Hann window and the one floating-point transform. The only file that names `microfft`.
//!
//! Samples keep f32's 24 bits through window and transform. A 16-bit fixed-point transform would lose quiet microphones:
//! an I2S MEMS microphone uses the lower 18 of its 24 bits.

use super::mel::BINS;
use crate::spec::WINDOW_SAMPLES;

/// Power per bin is |X|² · 2⁻³¹, X being the windowed transform of samples in Q0.31 counted as integers.
///
/// By Parseval Σ|X|² over the bins 1..512 is at most (N/2) · Σ w²x² ≤ 512 · 384 · 2⁶², so that their power sums to less
/// than 2⁴⁸·⁶, and 2¹⁵ times that (the mel bank's Q15) stays below 2⁶³·⁶: no u64 sum can overflow. The quantum lies 141 dB
/// below a full-scale sine's bin, 18 dB below the white noise of 16-bit samples.
const POWER_SCALE: f32 = 1.0 / (1_u64 << 31) as f32;

/// log2, Q8.8, of 2¹⁵ times a full-scale sine's power: amplitude 2³¹ gives a peak |X| of 2³¹ · N/4 = 2³⁹ and two half as
/// high beside it, in all 1.5 · 2⁷⁸ · 2⁻³¹ · 2¹⁵ = 2⁶²·⁵⁸⁵.
pub(super) const FULL_SCALE_SINE_LOG2: i16 = 16_022;

/// The periodic Hann window, w(n) = 0.5 − 0.5·cos(2πn/N).
pub(super) struct Spectrum {
    window: [f32; WINDOW_SAMPLES],
}

impl Spectrum {
    pub(super) fn new() -> Self {
        let hann = |n: usize| {
            let phase = core::f64::consts::TAU * n as f64 / WINDOW_SAMPLES as f64;
            (0.5 - 0.5 * libm::cos(phase)) as f32
        };
        Self { window: core::array::from_fn(hann) }
    }

    /// The power spectrum of 1024 samples in Q0.31 at `bins`, which lie in 1..512; the other values of `power` are left
    /// as they are.
    ///
    /// `scratch` is overwritten. Results are the same on every machine: each f32 operation rounds once, in a fixed order.
    pub(super) fn power(
        &self,
        samples: &[i32; WINDOW_SAMPLES],
        scratch: &mut [f32; WINDOW_SAMPLES],
        power: &mut [u64; BINS],
        bins: core::ops::Range<usize>,
    ) {
        for ((value, &sample), &weight) in scratch.iter_mut().zip(samples).zip(&self.window) {
            *value = sample as f32 * weight;
        }
        // microfft packs the Nyquist bin's real value into the imaginary part of bin 0: nobody asks for that one.
        let spectrum = microfft::real::rfft_1024(scratch);
        for (power, bin) in power[bins.clone()].iter_mut().zip(&spectrum[bins]) {
            let energy = (bin.re * bin.re + bin.im * bin.im) * POWER_SCALE;
            // Never negative, never NaN and below 2⁵⁰, as argued above.
            *power = (energy + 0.5) as i64 as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// |X|² · 2⁻³¹ by the textbook sum, in f64.
    fn textbook(samples: &[i32; WINDOW_SAMPLES], bin: usize) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &sample) in samples.iter().enumerate() {
            let turn = core::f64::consts::TAU / WINDOW_SAMPLES as f64;
            let x = f64::from(sample) * (0.5 - 0.5 * (turn * n as f64).cos());
            let phase = turn * ((bin * n) % WINDOW_SAMPLES) as f64;
            re += x * phase.cos();
            im -= x * phase.sin();
        }
        (re * re + im * im) / 2_f64.powi(31)
    }

    fn run(samples: &[i32; WINDOW_SAMPLES]) -> [u64; BINS] {
        let mut power = [0; BINS];
        Spectrum::new().power(samples, &mut [0.0; WINDOW_SAMPLES], &mut power, 1..BINS);
        power
    }

    #[test]
    fn equals_the_textbook_transform() {
        // A deterministic mixture of tones and noise.
        let mut seed = 1_u32;
        let samples = core::array::from_fn(|n| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(seed as i32) / 64.0;
            (noise + 6e8 * (n as f64 * 0.31).sin() + 3e8 * (n as f64 * 1.7).cos()) as i32
        });
        let power = run(&samples);
        let frame: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 2_f64.powi(31);
        for (bin, &power) in power.iter().enumerate().skip(1) {
            let exact = textbook(&samples, bin);
            // f32 rounds each of ten butterfly stages by 2⁻²⁴ of the frame's magnitude at most; rms is far less.
            let amplitude_error = ((power as f64).sqrt() - exact.sqrt()).abs();
            assert!(amplitude_error <= 10.0 * 2_f64.powi(-24) * (frame * 1024.0).sqrt() + 0.5, "bin {bin}");
        }
    }

    #[test]
    fn the_loudest_possible_frame_overflows_nothing() {
        // The worst frame follows a bin's own sign.
        for bin in [1_usize, 2, 37, 511] {
            let samples = core::array::from_fn(|n| {
                let phase =
                    core::f64::consts::TAU * ((bin * n) % WINDOW_SAMPLES) as f64 / WINDOW_SAMPLES as f64;
                if phase.cos() >= 0.0 { i32::MAX } else { i32::MIN }
            });
            let total: u128 = run(&samples)[1..].iter().map(|&p| u128::from(p)).sum();
            assert!(total > 1 << 46 && (total as f64) < 2_f64.powf(48.6), "bin {bin}: {total}");
        }
    }

    #[test]
    fn a_full_scale_sine_defines_the_level_scale() {
        let samples = core::array::from_fn(|n| {
            (f64::from(i32::MAX) * (core::f64::consts::TAU * 64.0 * n as f64 / 1024.0).sin()) as i32
        });
        let total: u64 = run(&samples)[2..].iter().sum();
        let log2 = ((total as f64).log2() + 15.0) * 256.0;
        assert!((log2 - f64::from(FULL_SCALE_SINE_LOG2)).abs() < 1.0, "{log2}");
    }
}
