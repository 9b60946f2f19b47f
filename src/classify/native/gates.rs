//! Sigmoid and tanh in integers: a table of the sigmoid, interpolated linearly. What an LSTM's gates do with them.
//!
//! Arguments are Q15.16, results Q0.15. tanh(x) = 2·σ(2x) − 1, so one table serves both.

use super::shape::GATES;
use crate::classify::requantize::round_shift;

/// Fractional bits of a gate's argument.
pub(super) const GATE_BITS: u32 = 16;
/// Fractional bits of a gate's value and of the output.
pub(super) const UNIT_BITS: u32 = 15;

/// Segments per unit of the argument: 2⁵.
pub(super) const SEGMENT_BITS: u32 = 5;
/// Where the table ends: beyond it 1 − σ(x) < 2⁻¹⁷, half an LSB of Q0.15 rounded down to 1.
const RANGE: usize = 12;
pub(super) const SEGMENTS: usize = RANGE << SEGMENT_BITS;

/// σ(i/32) in Q0.16 for i in 0..=384.
pub(super) const TABLE: [u32; SEGMENTS + 1] = {
    let mut table = [0; SEGMENTS + 1];
    let ratio = exp_of_minus_a_segment();
    let mut power: u128 = 1 << 62;
    let mut i = 0;
    while i <= SEGMENTS {
        // σ(x) = 1 / (1 + e^−x), rounded to nearest.
        let below = (1u128 << 62) + power;
        table[i] = (((1u128 << 78) + below / 2) / below) as u32;
        power = (power * ratio) >> 62;
        i += 1;
    }
    table
};

/// e^(−1/32) in Q62, by its series: twelve terms leave 2⁻⁸⁸.
const fn exp_of_minus_a_segment() -> u128 {
    let (mut plus, mut minus) = (0u128, 0u128);
    let mut term: u128 = 1 << 62;
    let mut n = 1;
    while n <= 12 {
        if n % 2 == 1 {
            plus += term;
        } else {
            minus += term;
        }
        term = (term >> SEGMENT_BITS) / n;
        n += 1;
    }
    plus - minus
}

/// σ(x) in Q0.16 for x ≥ 0 in Q15.16.
///
/// A chord lies below σ by at most (1/32)²/8 · max|σ″| = 1.2·10⁻⁵ (0.8 of 2⁻¹⁶), the table's ends and the result are
/// rounded to 2⁻¹⁷ each, and past the table's end 2⁻¹⁷ is missing: 1.8 of 2⁻¹⁶ in all.
fn sigmoid_of_magnitude(x: u32) -> u32 {
    const REST_BITS: u32 = GATE_BITS - SEGMENT_BITS;
    let segment = (x >> REST_BITS) as usize;
    if segment >= SEGMENTS {
        return TABLE[SEGMENTS];
    }
    let rest = x & ((1 << REST_BITS) - 1);
    let (low, high) = (TABLE[segment], TABLE[segment + 1]);
    low + (((high - low) * rest + (1 << (REST_BITS - 1))) >> REST_BITS)
}

/// σ(x): x in Q15.16, result in Q0.15, 0 to 32768. Off by at most 1.5 LSB, 4.6·10⁻⁵.
#[must_use]
pub(super) fn sigmoid(x: i32) -> i32 {
    let upper = sigmoid_of_magnitude(x.unsigned_abs());
    // σ(−x) = 1 − σ(x), exactly so in the table's Q0.16.
    let value = if x < 0 { (1 << 16) - upper } else { upper };
    ((value + 1) >> 1) as i32
}

/// tanh(x): x in Q15.16, result in Q0.15, ±32768, odd. Off by at most 2.5 LSB, 7.7·10⁻⁵.
#[must_use]
pub(super) fn tanh(x: i32) -> i32 {
    // 2·σ − 1 in Q0.15 is σ in Q0.16 less one half.
    let magnitude = (sigmoid_of_magnitude(x.unsigned_abs().saturating_mul(2)) - (1 << 15)) as i32;
    if x < 0 { -magnitude } else { magnitude }
}

/// One step of an LSTM: the recurrence's and the input's shares of the gates' arguments, `[gate][unit]`, the outputs, Q0.15
/// within ±32767, and the cells, Q15.16.
pub(super) fn advance(recurrent: &[i32], projected: &[i32], h: &mut [i16], c: &mut [i32]) {
    let units = h.len();
    for (unit, (h, c)) in h.iter_mut().zip(c).enumerate() {
        let [input, output, forget, cell]: [i32; GATES] = core::array::from_fn(|gate| {
            let at = gate * units + unit;
            recurrent[at].saturating_add(projected[at])
        });
        let kept = i64::from(sigmoid(forget)) * i64::from(*c);
        // Q0.15 · Q0.15 is Q0.30; the cell's Q15.16 times Q0.15 is Q.31.
        let new = i64::from(sigmoid(input)) * i64::from(tanh(cell)) * 2;
        *c = round_shift(kept + new, UNIT_BITS) as i32;
        let out = round_shift(i64::from(sigmoid(output)) * i64::from(tanh(*c)), UNIT_BITS);
        *h = out.clamp(-32767, 32767) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1.0 of a result, Q0.15.
    const ONE: i32 = 1 << 15;

    /// The largest distance to the textbook form in f64, in LSB of Q0.15.
    fn worst(ours: fn(i32) -> i32, textbook: fn(f64) -> f64) -> f64 {
        let limit = 20 << GATE_BITS;
        let around = (-limit..=limit).step_by(7);
        let far = [i32::MIN, i32::MIN + 1, -(1 << 30), 1 << 30, i32::MAX - 1, i32::MAX];
        let off = |x: i32| {
            let exact = textbook(f64::from(x) / f64::from(1 << GATE_BITS)) * f64::from(ONE);
            (f64::from(ours(x)) - exact).abs()
        };
        around.chain(far).map(off).fold(0.0, f64::max)
    }

    #[test]
    fn the_sigmoid_keeps_its_bound() {
        let off = worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        assert!(off <= 1.5, "off by {off} LSB");
        assert_eq!(sigmoid(0), ONE / 2);
    }

    #[test]
    fn tanh_keeps_its_bound() {
        let off = worst(tanh, f64::tanh);
        assert!(off <= 2.5, "off by {off} LSB");
        assert_eq!(tanh(0), 0);
    }

    #[test]
    fn both_rise_and_tanh_is_odd() {
        let mut before = (0, -ONE);
        for x in (-(14 << GATE_BITS)..=14 << GATE_BITS).step_by(11) {
            let now = (sigmoid(x), tanh(x));
            assert!(now.0 >= before.0 && now.1 >= before.1, "{x}: {before:?} {now:?}");
            assert_eq!(tanh(-x), -now.1);
            before = now;
        }
    }
}
