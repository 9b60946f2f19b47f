//! The one rounding rule of the integer path: the exact product of an integer sum and a scale, rounded half to even,
//! then saturated. Written once, for the quantizer, every kernel and the tests. Nothing here allocates.
//!
//! ONNX asks for rounding half to even. tract follows it exactly: its requantization multiplies the i32 sum by the
//! scale's 24-bit mantissa in 64 bits, so nothing is lost before the one rounding, and [`Multiplier`] does the same.
//! ONNX Runtime rounds the product to f32 first, so where the exact product lies within 2⁻²⁴ of its value from a tie
//! the two may differ by one step; sums of magnitude below 2²⁴ times a scale that is a power of two never do.
//!
//! Not here: where scales come from (the quantizer's business).

/// A positive scale as `mantissa · 2^-shift`, exactly the f32 that it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier {
    mantissa: u32,
    shift: u32,
}

impl Multiplier {
    /// Least and most of [`mantissa`](Self::mantissa): 24 bits, the first one set.
    const MANTISSAS: core::ops::Range<u32> = 1 << 23..1 << 24;
    /// Least and most of [`shift`](Self::shift): the product of 31 and 24 bits and half a step stay within 63.
    const SHIFTS: core::ops::RangeInclusive<u32> = 2..=62;

    /// 1.
    pub const ONE: Self = Self { mantissa: 1 << 23, shift: 23 };

    /// The multiplier of `scale`; `None` unless it lies in [2⁻³⁹, 2²²), which every sane requantization does.
    #[must_use]
    pub fn new(scale: f32) -> Option<Self> {
        let bits = scale.to_bits();
        // f32 is mantissa · 2^(exponent − 127 − 23) with the mantissa's leading one implied. A sign makes the exponent
        // larger than any, and so do infinities and what is no number; subnormals have exponent 0.
        let shift = 150u32.checked_sub(bits >> 23)?;
        Self::from_parts(bits & 0x007f_ffff | 0x0080_0000, shift)
    }

    /// The multiplier `mantissa · 2^-shift`; `None` unless the mantissa has 24 bits and the shift lies in 2…62.
    #[must_use]
    pub fn from_parts(mantissa: u32, shift: u32) -> Option<Self> {
        let valid = Self::MANTISSAS.contains(&mantissa) && Self::SHIFTS.contains(&shift);
        valid.then_some(Self { mantissa, shift })
    }

    /// [`from_parts`](Self::from_parts) where a file's reader has made sure of them.
    #[cfg(feature = "native")]
    pub(super) fn verified(mantissa: u32, shift: u32) -> Self {
        debug_assert!(Self::from_parts(mantissa, shift).is_some());
        Self { mantissa, shift }
    }

    /// The 24 bits of the scale, 2²³ ≤ mantissa < 2²⁴.
    #[must_use]
    pub fn mantissa(self) -> u32 {
        self.mantissa
    }

    /// How many of the product's bits are fraction, 2 to 62.
    #[must_use]
    pub fn shift(self) -> u32 {
        self.shift
    }

    /// The scale it was made from.
    #[must_use]
    pub fn scale(self) -> f32 {
        // 24 bits and a power of two: exact.
        libm::ldexpf(self.mantissa as f32, -(self.shift as i32))
    }

    /// `sum · scale`, rounded half to even.
    #[must_use]
    #[inline]
    pub fn round(self, sum: i32) -> i64 {
        round_shift(i64::from(sum) * i64::from(self.mantissa), self.shift)
    }

    /// `sum · scale`, rounded half to even, saturated to −128…127.
    #[must_use]
    pub fn requantize(self, sum: i32) -> i8 {
        self.round(sum).clamp(-128, 127) as i8
    }

    /// Whether [`step`](Self::step) can be asked: the scale lies in [2⁻²⁰, 2¹¹).
    #[cfg(feature = "native")]
    pub(super) fn has_steps(self) -> bool {
        (13..=43).contains(&self.shift)
    }

    /// `value · scale`, rounded half to even, held within ±127: how the values of a frame become input steps. In 32 bits, so
    /// that compilers make vectors of it.
    #[cfg(feature = "native")]
    #[inline]
    pub(super) fn step(self, value: i16) -> i8 {
        debug_assert!(self.has_steps());
        // The product is upper · 2¹² + lower, and lower has 12 bits.
        let (value, mantissa) = (i32::from(value), self.mantissa as i32);
        let low = value * (mantissa & 0xfff);
        let (upper, lower) = (value * (mantissa >> 12) + (low >> 12), low & 0xfff);
        // The rule of `round_shift`.
        let shift = self.shift - 12;
        let odd = (upper >> shift) & 1;
        let raised = upper + (1 << (shift - 1)) - 1 + ((lower + 0xfff + odd) >> 12);
        (raised >> shift).clamp(-127, 127) as i8
    }

    /// `sum · scale`, rounded half to even, saturated to i32.
    #[must_use]
    pub fn rescale(self, sum: i32) -> i32 {
        self.round(sum).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }
}

/// `value · 2^-shift`, rounded half to even; `shift` from 1 to 62, |`value`| below 2⁶².
#[must_use]
#[inline]
pub const fn round_shift(value: i64, shift: u32) -> i64 {
    // Half a step, less one bit where the result without it would be even: a tie then stays below the next step.
    // The arithmetic shift rounds down, so one rule serves both signs.
    let odd = (value >> shift) & 1;
    (value + (1i64 << (shift - 1)) - 1 + odd) >> shift
}

/// The integer nearest to `value / scale`, half to even, within ±`limit`: how weights, biases and inputs become integers.
#[must_use]
pub fn quantize(value: f32, scale: f32, limit: i32) -> i32 {
    // `as` saturates, and the clamp holds what is left.
    (libm::rint(f64::from(value) / f64::from(scale)) as i32).clamp(-limit, limit)
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
        for scale in [0.0, -1.0, -0.0, f32::NAN, f32::INFINITY, 1e-20, 1e10, f32::MIN_POSITIVE / 2.0] {
            assert_eq!(Multiplier::new(scale), None, "{scale}");
        }
        let (least, most) = ((-39f32).exp2(), 22f32.exp2());
        assert_eq!(Multiplier::new(least).map(Multiplier::scale), Some(least));
        assert_eq!(Multiplier::new(least.next_down()), None);
        assert_eq!(Multiplier::new(most.next_down()).map(Multiplier::scale), Some(most.next_down()));
        assert_eq!(Multiplier::new(most), None);
        for (mantissa, shift) in [(0, 30), ((1 << 23) - 1, 30), (1 << 24, 30), (1 << 23, 1), (1 << 23, 63)] {
            assert_eq!(Multiplier::from_parts(mantissa, shift), None, "{mantissa} {shift}");
        }
    }

    /// Every value, with scales from the least to the largest, ties among them.
    #[cfg(feature = "native")]
    #[test]
    fn steps_are_what_is_requantized() {
        let odd = (1 << 23) + 0x2_4c91;
        for (mantissa, shift) in
            [(odd, 28), (1 << 23, 27), (1 << 23, 24), (odd, 13), ((1 << 24) - 1, 13), (odd, 43)]
        {
            let gain = Multiplier::from_parts(mantissa, shift).unwrap();
            assert!(gain.has_steps());
            for value in i16::MIN..=i16::MAX {
                assert_eq!(gain.step(value), gain.requantize(value.into()).max(-127), "{value} {gain:?}");
            }
        }
        assert!([12, 44].into_iter().all(|shift| !Multiplier::from_parts(odd, shift).unwrap().has_steps()));
    }

    #[test]
    fn extreme_sums_do_not_overflow() {
        for (scale, sum) in
            [((-39f32).exp2(), i32::MIN), (22f32.exp2().next_down(), i32::MIN), (1.0, i32::MAX)]
        {
            let multiplier = Multiplier::new(scale).unwrap();
            let exact = (f64::from(sum) * f64::from(scale)).round_ties_even();
            assert_eq!(multiplier.round(sum), exact as i64);
            assert_eq!(f64::from(multiplier.rescale(sum)), exact.clamp(i32::MIN.into(), i32::MAX.into()));
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

        /// Every tie there is: a power of two as scale, and sums around its odd halves.
        #[test]
        fn ties_equal_the_textbook_form(half in -400i32..400, shift in 1u32..20, beside in -1i32..=1) {
            let scale = (-(shift as f32)).exp2();
            let sum = (2 * half + 1) * (1 << (shift - 1)) + beside;
            let exact = (f64::from(sum) * f64::from(scale)).round_ties_even();
            prop_assert_eq!(Multiplier::new(scale).unwrap().round(sum) as f64, exact);
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
