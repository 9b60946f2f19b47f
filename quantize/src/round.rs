//! The one rounding rule of the integer path: the exact product of an integer sum and a scale, rounded half to even,
//! saturated to i8.
//!
//! ONNX asks for rounding half to even. tract follows it exactly: its requantization multiplies the i32 sum by the
//! scale's 24-bit mantissa in 64 bits, so nothing is lost before the one rounding, and [`Multiplier`] does the same.
//! ONNX Runtime rounds the product to f32 first, so where the exact product lies within 2⁻²⁴ of its value from a tie
//! the two may differ by one step; sums of magnitude below 2²⁴ times a scale that is a power of two never do.
//!
//! Not here: where scales come from ([`crate::scale`]).

/// A positive scale as `mantissa · 2^-shift`, exactly the f32 that it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier {
    mantissa: i64,
    shift: u32,
}

impl Multiplier {
    /// The multiplier of `scale`; `None` unless it lies in [2⁻³⁹, 2²²), which every sane requantization does.
    #[must_use]
    pub fn new(scale: f32) -> Option<Self> {
        if !(scale >= (-39f32).exp2() && scale < 22f32.exp2()) {
            return None;
        }
        let bits = scale.to_bits();
        // f32 is mantissa · 2^(exponent − 127 − 23) with the mantissa's leading one implied.
        let mantissa = i64::from(bits & 0x007f_ffff | 0x0080_0000);
        Some(Self { mantissa, shift: 150 - (bits >> 23) })
    }

    /// The scale it was made from.
    #[must_use]
    pub fn scale(self) -> f32 {
        // 24 bits and a power of two: exact.
        self.mantissa as f32 * (-(self.shift as f32)).exp2()
    }

    /// `sum · scale`, rounded half to even, saturated to −128…127.
    #[must_use]
    pub fn requantize(self, sum: i32) -> i8 {
        let product = i64::from(sum) * self.mantissa;
        // The arithmetic shift rounds down, so the remainder is never negative and one rule serves both signs.
        let below = product >> self.shift;
        let remainder = product - (below << self.shift);
        let half = 1i64 << (self.shift - 1);
        let up = remainder > half || (remainder == half && below & 1 == 1);
        (below + i64::from(up)).clamp(-128, 127) as i8
    }
}

/// The integer nearest to `value / scale`, half to even, within ±`limit`: how weights, biases and inputs become integers.
#[must_use]
pub fn quantize(value: f32, scale: f32, limit: i32) -> i32 {
    // `as` saturates, and the clamp holds what is left.
    ((f64::from(value) / f64::from(scale)).round_ties_even() as i32).clamp(-limit, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_to_even_on_both_sides_of_zero() {
        let half = Multiplier::new(0.5).unwrap();
        let rounded: Vec<i8> = (-5..=5).map(|sum| half.requantize(sum)).collect();
        assert_eq!(rounded, [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2]);
        assert_eq!((half.requantize(300), half.requantize(-300)), (127, -128));
    }

    #[test]
    fn scales_that_a_shift_cannot_hold_are_refused() {
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-20, 1e10, f32::MIN_POSITIVE / 2.0] {
            assert_eq!(Multiplier::new(scale), None, "{scale}");
        }
    }

    proptest! {
        /// The textbook form in f64 is exact here: 31 + 24 bits round to 53 only beyond |product| that saturates.
        #[test]
        fn equals_the_textbook_form(sum in -20_000_000i32..20_000_000, scale in 1e-7f32..1e-2) {
            let multiplier = Multiplier::new(scale).unwrap();
            prop_assert_eq!(multiplier.scale(), scale);
            let exact = (f64::from(sum) * f64::from(scale)).round_ties_even().clamp(-128.0, 127.0);
            prop_assert_eq!(f64::from(multiplier.requantize(sum)), exact);
        }

        /// ONNX Runtime's order: the product is rounded to f32 first. At most one step apart, and only beside a tie.
        #[test]
        fn rounding_the_product_first_differs_only_beside_a_tie(sum in -20_000_000i32..20_000_000, scale in 1e-7f32..1e-4) {
            let ours = f64::from(Multiplier::new(scale).unwrap().requantize(sum));
            let theirs = f64::from((sum as f32 * scale).round_ties_even().clamp(-128.0, 127.0));
            let exact = f64::from(sum) * f64::from(scale);
            let to_tie = (exact - exact.floor() - 0.5).abs();
            // Two f32 roundings (the sum above 2²⁴, the product), each within 2⁻²⁴ of the value.
            prop_assert!(ours == theirs || ((ours - theirs).abs() <= 1.0 && to_tie <= exact.abs() * 2.4e-7));
        }

        #[test]
        fn quantizing_is_within_half_a_step(value in -1f32..1.0, scale in 0.01f32..0.1) {
            let error = f64::from(quantize(value, scale, 127)) * f64::from(scale) - f64::from(value);
            prop_assert!(error.abs() <= f64::from(scale) * 0.500_001);
        }
    }
}
