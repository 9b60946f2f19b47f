//! Every kernel that this machine can run gives the portable one's integers, on random shapes and on extremes.
#![allow(clippy::unwrap_used, reason = "tests report by panicking, their helpers too")]

use proptest::prelude::*;

use super::*;
use crate::classify::native::file::groups_per_frame;
use crate::classify::native::model::Scales;
use crate::classify::native::random::Random;
use crate::classify::native::shape::{GATES, LANES, MAX_HIDDEN};
use crate::classify::requantize::Multiplier;

/// How values are drawn.
#[derive(Clone, Copy, Debug)]
enum Draw {
    Uniform,
    /// Largest magnitudes only, both signs where there are two.
    Extreme,
    /// All the largest, one sign: the sums' extremes.
    Largest,
    Least,
}

impl Draw {
    fn value(self, random: &mut Random, least: i32, most: i32) -> i32 {
        match self {
            Self::Uniform => {
                (least + most + random.within(most - least + 1)).div_euclid(2).clamp(least, most)
            }
            Self::Extreme if random.within(1) >= 0 => most,
            Self::Extreme | Self::Least => least,
            Self::Largest => most,
        }
    }
}

fn draws() -> impl Strategy<Value = Draw> {
    prop_oneof![
        4 => Just(Draw::Uniform),
        2 => Just(Draw::Extreme),
        1 => Just(Draw::Largest),
        1 => Just(Draw::Least)
    ]
}

fn le(words: impl IntoIterator<Item = i32>) -> Vec<u8> {
    words.into_iter().flat_map(i32::to_le_bytes).collect()
}

/// One convolution with all that it reads.
struct Case {
    inputs: usize,
    outputs: usize,
    pooled: usize,
    weights: Vec<u8>,
    bias: Vec<u8>,
    mantissas: Vec<u8>,
    shifts: Vec<u8>,
    lines: [Vec<i8>; 4],
}

impl Case {
    fn new(seed: u64, inputs: usize, outputs: usize, pooled: usize, weights: Draw, values: Draw) -> Self {
        let mut random = Random::new(seed);
        let groups = groups_per_frame(inputs);
        let mut packed: Vec<u8> =
            (0..12 * groups * outputs).map(|_| weights.value(&mut random, -127, 127) as u8).collect();
        if inputs == 1 {
            packed.chunks_exact_mut(4).for_each(|group| group[3] = 0);
        }
        let spread = [7, 1 << 12, 1 << 20, 1 << 30][random.within(1000).rem_euclid(4) as usize];
        let bias = le((0..outputs).map(|_| random.within(spread)));
        let shifts: Vec<i32> = (0..outputs).map(|_| 32 + random.within(30)).collect();
        // Powers of two make ties; odd numbers among them don't.
        let power = random.within(1000).rem_euclid(4) == 0;
        let mantissas =
            le((0..outputs).map(|_| if power { 1 << 23 } else { (3 << 22) + random.within((1 << 22) - 1) }));
        let least = if inputs == 1 { -127 } else { 0 };
        let lines = core::array::from_fn(|_| {
            let line = 0..(2 * pooled + 2) * inputs + 4;
            line.map(|_| values.value(&mut random, least, 127) as i8).collect()
        });
        Self { inputs, outputs, pooled, weights: packed, bias, mantissas, shifts: le(shifts), lines }
    }

    fn conv(&self) -> Conv<'_> {
        let mut conv = Conv {
            inputs: self.inputs,
            outputs: self.outputs,
            weights: &self.weights,
            bias: &self.bias,
            scales: Scales { mantissas: &self.mantissas, shifts: &self.shifts },
            plain: false,
        };
        conv.plain = conv.is_plain();
        conv
    }

    fn run(&self, kernel: Kernel) -> Vec<i8> {
        let mut out = vec![-1; self.pooled * self.outputs];
        kernel.conv_pool(&self.conv(), self.lines.each_ref().map(Vec::as_slice), &mut out);
        out
    }
}

/// The convolution's textbook sums, then bias, rounding, ReLU and the maximum in ONNX's order.
fn textbook(case: &Case) -> Vec<i8> {
    let groups = groups_per_frame(case.inputs);
    let scales: Vec<Multiplier> = case.conv().scales.iter().collect();
    let bias: Vec<i32> =
        case.bias.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let at = |line: usize, band: usize, output: usize| {
        let mut sum = i64::from(bias[output]);
        for frame in 0..3 {
            for value in 0..3 * case.inputs {
                let w = ((frame * groups + value / 4) * case.outputs + output) * 4 + value % 4;
                let x = case.lines[line + frame][band * case.inputs + value];
                sum += i64::from(case.weights[w] as i8) * i64::from(x);
            }
        }
        scales[output].requantize(i32::try_from(sum).unwrap()).max(0)
    };
    let positions = (0..case.pooled).flat_map(|p| (0..case.outputs).map(move |o| (p, o)));
    positions
        .map(|(p, o)| (0..4).map(|corner| at(corner / 2, 2 * p + corner % 2, o)).max().unwrap())
        .collect()
}

proptest! {
    #[test]
    fn convolutions_are_equal(
        seed: u64,
        inputs in prop::sample::select(vec![1, 16, 32, 48, 64]),
        outputs in (1usize..=8).prop_map(|n| 16 * n),
        pooled in (1usize..=8).prop_map(|n| 2 * n),
        weights in draws(),
        values in draws(),
    ) {
        let case = Case::new(seed, inputs, outputs, pooled, weights, values);
        let wanted = textbook(&case);
        for kernel in Kernel::available() {
            prop_assert_eq!(case.run(kernel), wanted.as_slice(), "{}", kernel.name());
        }
    }

    #[test]
    fn projections_are_equal(
        seed: u64,
        rows in (1usize..=4).prop_map(|n| 64 * n),
        groups in 1usize..300,
        steps in 1usize..=STEPS_AT_ONCE,
        weights in draws(),
        values in draws(),
    ) {
        let mut random = Random::new(seed);
        let features: Vec<i8> = (0..steps * 4 * groups).map(|_| values.value(&mut random, 0, 127) as i8).collect();
        let packed: Vec<u8> =
            (0..4 * groups * rows).map(|_| weights.value(&mut random, -127, 127) as u8).collect();
        let wanted: Vec<i32> = features
            .chunks_exact(4 * groups)
            .flat_map(|features| (0..rows).map(move |row| (features, row)))
            .map(|(features, row)| {
                let weight = |i: usize| i32::from(packed[(i / 4 * rows + row) * 4 + i % 4] as i8);
                features.iter().enumerate().map(|(i, &x)| weight(i) * i32::from(x)).sum()
            })
            .collect();
        for kernel in Kernel::available() {
            let mut sums = vec![-1; steps * rows];
            kernel.project(&packed, steps, &features, &mut sums);
            prop_assert_eq!(&sums, &wanted, "{}", kernel.name());
        }
    }

    #[test]
    fn recurrences_are_equal(
        seed: u64,
        units in (1usize..=4).prop_map(|n| 16 * n),
        weights in draws(),
        values in draws(),
    ) {
        let mut random = Random::new(seed);
        let rows = 4 * units;
        let state: Vec<i16> = (0..units).map(|_| values.value(&mut random, -32767, 32767) as i16).collect();
        // The largest that the file's reader lets through for every weight of a row.
        let most = 65535 / units as i32;
        let words: Vec<i16> = (0..units * rows).map(|_| weights.value(&mut random, -most, most) as i16).collect();
        let packed: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let wanted: Vec<i32> = (0..rows)
            .map(|row| {
                let weight = |i: usize| i32::from(words[(i / 2 * rows + row) * 2 + i % 2]);
                state.iter().enumerate().map(|(i, &x)| weight(i) * i32::from(x)).sum()
            })
            .collect();
        for kernel in Kernel::available() {
            let mut sums = vec![-1; rows];
            kernel.recur(&packed, &state, &mut sums);
            prop_assert_eq!(&sums, &wanted, "{}", kernel.name());
        }
    }
}

proptest! {
    #[test]
    fn finished_rows_are_equal(
        sums in prop::collection::vec(prop_oneof![any::<i32>(), -40_000..40_000i32, Just(i32::MIN), Just(i32::MAX)], 64),
        bias in prop::option::of(prop::collection::vec(prop_oneof![any::<i32>(), -70_000..70_000i32], 64)),
        mantissas in prop::collection::vec(prop_oneof![(1i32 << 23)..1 << 24, Just(1 << 23)], 64),
        shifts in prop::collection::vec(2i32..=62, 64),
    ) {
        let (bias, mantissas, shifts) = (le(bias.into_iter().flatten()), le(mantissas), le(shifts));
        let scales = Scales { mantissas: &mantissas, shifts: &shifts };
        let rows = Rows { weights: &[], bias: &bias, scales };
        let finished = |kernel: Kernel| {
            let mut sums = sums.clone();
            kernel.finish(&rows, &mut sums);
            sums
        };
        for kernel in Kernel::available() {
            prop_assert_eq!(finished(kernel), finished(Kernel::PORTABLE), "{}", kernel.name());
        }
    }
}

#[test]
fn input_steps_are_equal() {
    let odd = (1 << 23) + 0x2_4c91;
    let values: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    // Ties, the shipped models' order of magnitude, and the largest and the smallest gains.
    for (mantissa, shift) in
        [(1 << 23, 27), (odd, 28), (odd, 13), ((1 << 24) - 1, 13), (odd, 43), (1 << 23, 43)]
    {
        let gain = Multiplier::from_parts(mantissa, shift).unwrap();
        let wanted: Vec<i8> = values.iter().map(|&value| gain.step(value)).collect();
        for kernel in Kernel::available() {
            let mut steps = vec![-1; values.len()];
            kernel.input(gain, &values, &mut steps);
            assert!(steps == wanted, "{}: {gain:?}", kernel.name());
        }
    }
}

proptest! {
    /// Arguments within the sigmoid's table, beyond it, and at the ends of 32 bits.
    #[test]
    fn steps_of_the_lstm_are_equal(
        blocks in 1usize..=4,
        arguments in prop::collection::vec(
            prop_oneof![4 => -900_000i32..900_000, 2 => any::<i32>(), 1 => Just(i32::MIN), 1 => Just(i32::MAX)],
            2 * GATES * MAX_HIDDEN,
        ),
        cells in prop::collection::vec(prop_oneof![-2_000_000i32..2_000_000, any::<i32>()], MAX_HIDDEN),
    ) {
        let units = LANES * blocks;
        let (recurrent, projected) = arguments.split_at(GATES * MAX_HIDDEN);
        let after = |kernel: Kernel| {
            let (mut h, mut c) = (vec![1; units], cells[..units].to_vec());
            kernel.advance(&recurrent[..GATES * units], &projected[..GATES * units], &mut h, &mut c);
            (h, c)
        };
        for kernel in Kernel::available() {
            prop_assert_eq!(after(kernel), after(Kernel::PORTABLE), "{}", kernel.name());
        }
    }
}

/// The shipped shape's layers, with the sums' extremes.
#[test]
fn the_largest_layers_are_equal_at_the_extremes() {
    for (inputs, outputs, pooled) in [(1, 32, 64), (32, 64, 32), (64, 128, 16)] {
        for weights in [Draw::Largest, Draw::Least, Draw::Extreme, Draw::Uniform] {
            for values in [Draw::Largest, Draw::Extreme, Draw::Uniform] {
                let case = Case::new(9, inputs, outputs, pooled, weights, values);
                let wanted = case.run(Kernel::PORTABLE);
                for kernel in Kernel::available() {
                    assert!(case.run(kernel) == wanted, "{}: {inputs} {outputs} {weights:?}", kernel.name());
                }
            }
        }
    }
}

/// How results come to lie in 0…127.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Results {
    /// By small scales: none lies in the middle between two.
    OfLargeSums,
    /// Of small sums by scales just below a quarter, where none does either.
    OfSmallSums,
    /// Of small sums by halves to eighths: many do.
    Ties,
    /// By small scales of sums on both sides of 2²⁴, by their biases.
    OfHugeSums,
}

#[test]
fn results_in_range_are_equal_with_ties_and_without() {
    for (inputs, outputs, pooled) in [(1, 32, 64), (16, 16, 6), (32, 64, 32), (64, 128, 16)] {
        for results in [Results::OfLargeSums, Results::OfSmallSums, Results::Ties, Results::OfHugeSums] {
            let mut case = Case::new(5, inputs, outputs, pooled, Draw::Uniform, Draw::Uniform);
            let outputs = 0..outputs as i32;
            let each = |value: fn(i32) -> i32| le(outputs.clone().map(value));
            (case.bias, case.mantissas, case.shifts) = match results {
                Results::OfLargeSums => (
                    each(|o| 977 * o % 30_000 - 15_000),
                    each(|o| (3 << 22) + 9974 * o + 1),
                    each(|o| 33 + o % 3),
                ),
                Results::OfSmallSums => {
                    (each(|o| 7 * o % 50 - 25), each(|_| (1 << 24) - 1), each(|o| 26 + o % 3))
                }
                Results::OfHugeSums => {
                    (each(|o| 6_800_000 + 977_777 * o), each(|o| (3 << 22) + 9974 * o + 1), each(|_| 42))
                }
                Results::Ties => (each(|o| o % 5), each(|_| 1 << 23), each(|o| 24 + o % 3)),
            };
            if matches!(results, Results::OfSmallSums | Results::Ties) {
                case.weights.iter_mut().for_each(|w| *w = (*w as i8 % 2) as u8);
                case.lines.iter_mut().flatten().for_each(|x| *x %= 4);
            }
            assert_eq!(case.conv().plain, results != Results::Ties);
            let wanted = textbook(&case);
            assert!(
                wanted.iter().filter(|&&y| y > 0 && y < 127).count() > wanted.len() / 4,
                "{inputs} {results:?}"
            );
            for kernel in Kernel::available() {
                assert!(case.run(kernel) == wanted, "{}: {inputs} {results:?}", kernel.name());
            }
        }
    }
}

#[test]
fn kernels_have_names_and_the_last_is_portable() {
    let names: Vec<_> = Kernel::available().map(Kernel::name).collect();
    println!("kernels: {}", names.join(", "));
    assert_eq!(names.last(), Some(&"portable"));
    assert_eq!(Kernel::best().name(), names[0]);
}
