//! Removal of the constant offset that many microphones have.
//!
//! ```text
//! y[n] = x[n] − m[n],   m[n+1] = m[n] + (x[n] − m[n]) / 2ᵏ,   k = 10
//! ```
//! A one-pole high-pass with its corner at 22,050 / (2π · 1024) = 3.4 Hz. The offset `m` keeps its k fraction bits
//! between samples, so that the error of one step's rounding is fed back into the next and no offset remains.

/// Fractional bits of the offset, and the exponent of the time constant: 1024 samples, 46 ms.
const SHIFT: u32 = 10;

/// A one-pole high-pass for Q0.31 samples at 22,050 Hz.
#[derive(Clone, Debug, Default)]
pub struct DcBlocker {
    /// The offset, Q10.41 in 64 bits: within ±2⁴¹, because each step moves it towards a sample within ±2³¹.
    offset: i64,
}

impl DcBlocker {
    /// The sample without its offset; saturates where a full-scale step leaves the range for a moment.
    #[inline]
    pub fn process(&mut self, sample: i32) -> i32 {
        let offset = (self.offset + (1 << (SHIFT - 1))) >> SHIFT;
        let out = i64::from(sample) - offset;
        self.offset += out;
        out.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(dc: &mut DcBlocker, samples: impl IntoIterator<Item = i32>) -> Vec<i32> {
        samples.into_iter().map(|x| dc.process(x)).collect()
    }

    #[test]
    fn an_offset_decays_with_the_stated_time_constant_to_exactly_nothing() {
        for offset in [i32::MAX, i32::MIN, 1 << 20, -12_345, 1] {
            let out = run(&mut DcBlocker::default(), std::iter::repeat_n(offset, 60 * 1024));
            assert_eq!(out[0], offset);
            let after_one = f64::from(out[1024]) / f64::from(offset);
            let expected = (1.0 - 1.0 / 1024.0f64).powi(1024);
            if offset.unsigned_abs() > 1000 {
                assert!((after_one - expected).abs() < 1e-3, "{after_one}");
            }
            assert_eq!(out[60 * 1024 - 1], 0, "offset {offset} leaves a remainder");
        }
    }

    #[test]
    fn full_scale_cannot_overflow() {
        // The worst input for the state: full scale long enough to settle, then full scale of the other sign.
        let mut dc = DcBlocker::default();
        run(&mut dc, std::iter::repeat_n(i32::MIN, 100_000));
        assert!(dc.offset.unsigned_abs() <= 1 << 41);
        assert_eq!(dc.process(i32::MAX), i32::MAX, "saturates by name");
        run(&mut dc, std::iter::repeat_n(i32::MAX, 100_000));
        assert!(dc.offset.unsigned_abs() <= 1 << 41);
        assert_eq!(dc.process(i32::MIN), i32::MIN);
        let mut square =
            run(&mut dc, (0..100_000).map(|n| if n / 50 % 2 == 0 { i32::MAX } else { i32::MIN }));
        let tail = square.split_off(90_000);
        assert!(tail.iter().all(|y| y.unsigned_abs() > i32::MAX.unsigned_abs() / 10 * 9));
    }

    #[test]
    fn the_response_is_the_textbook_high_pass() {
        // |H(f)|² of H(z) = (1 − z⁻¹) / (1 − (1 − 2⁻ᵏ) z⁻¹), measured with sines.
        for hz in [1.0f64, 3.427, 20.0, 200.0] {
            let step = core::f64::consts::TAU * hz / 22_050.0;
            let mut dc = DcBlocker::default();
            let samples = (0..220_500).map(|n| (f64::from(n) * step).sin() * 1e9);
            let out = run(&mut dc, samples.map(|x| x as i32));
            let tail = &out[110_250..];
            let measured =
                (tail.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / tail.len() as f64 * 2.0).sqrt()
                    / 1e9;
            let pole = 1.0 - 1.0 / 1024.0;
            let numerator = 2.0 - 2.0 * step.cos();
            let denominator = 1.0 + pole * pole - 2.0 * pole * step.cos();
            let expected = (numerator / denominator).sqrt();
            let error_db = 20.0 * (measured / expected).log10();
            assert!(error_db.abs() < 0.1, "{hz} Hz: {error_db} dB off");
        }
    }
}
