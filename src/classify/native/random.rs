//! Random networks of any shape whose values spread over the integers' ranges: for tests and benchmarks, which need no
//! trained weights.

use alloc::vec::Vec;

use super::pack::{ConvParts, Parts, RowParts};
use super::shape::{BANDS_OUT, CONVS, Shape};
use crate::classify::requantize::Multiplier;
use crate::spec::FrontendSpec;

/// A seeded generator: a linear congruence (Knuth's MMIX constants), its upper bits.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; equal seeds give equal numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x5851_f42d_4c95_7f2d)
    }

    /// Uniform in ±`limit`.
    pub fn within(&mut self, limit: i32) -> i32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The upper half, scaled to 0 … 2 · limit.
        let span = 2 * i64::from(limit) + 1;
        (((self.0 >> 32) as i64 * span) >> 32) as i32 - limit
    }

    fn list<T>(&mut self, count: usize, limit: i32, convert: impl Fn(i32) -> T) -> Vec<T> {
        (0..count).map(|_| convert(self.within(limit))).collect()
    }
}

impl Parts {
    /// A network of `shape` with uniform weights, scaled so that activations neither vanish nor saturate everywhere.
    #[must_use]
    pub fn random(shape: &Shape, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let convs = core::array::from_fn(|index| {
            let (inputs, outputs) = (shape.inputs(index), shape.channels[index]);
            let terms = 9 * inputs;
            // The spread of sums of products of uniform numbers, brought to a quarter of the range by a factor that
            // differs from channel to channel.
            let spread = libm::sqrtf(terms as f32) * (127.0 * 127.0 / 3.0);
            let mut near = || scale(32.0 / spread * libm::exp2f(random.within(100) as f32 / 100.0));
            ConvParts {
                scales: (0..outputs).map(|_| near()).collect(),
                weights: random.list(terms * outputs, 127, |w| w as i8),
                bias: random.list(outputs, spread as i32, |b| b),
            }
        });
        let (features, rows, units) =
            (BANDS_OUT * shape.channels[CONVS - 1], shape.gate_rows(), shape.hidden);
        let unit = 65_536.0;
        let spread = libm::sqrtf(features as f32) * (127.0 * 127.0 / 6.0);
        let projection = RowParts {
            weights: random.list(features * rows, 127, |w| w as i8),
            bias: random.list(rows, 1 << 16, |b| b),
            scales: (0..rows).map(|_| scale(unit / spread)).collect(),
        };
        // So that a row's sum of magnitudes stays below 2¹⁶.
        let limit = 65_000 / units as i32;
        let words = |random: &mut Random, rows: usize, gain: f32, bias: i32| RowParts {
            weights: random.list(units * rows, limit, |w| w as i16),
            bias: random.list(if bias == 0 { 0 } else { rows }, bias, |b| b),
            scales: (0..rows).map(|_| scale(gain * unit / (32_768.0 * limit as f32))).collect(),
        };
        Self {
            frontend: FrontendSpec::SHIPPED.fingerprint(),
            steps: shape.steps,
            input_gain: 1.0 / 32.0,
            read_out: shape.read_out,
            recurrence: words(&mut random, rows, 0.5, 0),
            dense: words(&mut random, shape.labels, 3.0, 1 << 15),
            convs,
            projection,
        }
    }
}

/// A multiplier; factors here lie far within its range.
fn scale(factor: f32) -> Multiplier {
    Multiplier::new(factor).unwrap_or(Multiplier::ONE)
}
