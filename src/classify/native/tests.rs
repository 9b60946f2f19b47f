//! The engine against the textbook: the whole window at once, in the layers' own order, from the parts that the file was
//! made of; the recurrent half in f64.
#![allow(clippy::unwrap_used, reason = "tests report by panicking, their helpers too")]

use proptest::prelude::*;

use super::*;
use crate::classify::requantize::Multiplier;
use crate::classify::{Classifier as _, ClassifyError};
use crate::flow::{Level, LogMel};
use crate::spec::{LOG_MEL_LIMIT, MEL_BANDS, WindowLength};

type Bands = [i16; MEL_BANDS];

const SHIPPED: Shape =
    Shape { steps: 19, channels: [32, 64, 128], hidden: 64, labels: 10, read_out: ReadOut::Mean };
const SMALL: Shape =
    Shape { steps: 3, channels: [16, 32, 16], hidden: 16, labels: 3, read_out: ReadOut::Last };

fn frames_of(shape: &Shape) -> usize {
    shape.window().unwrap().frames()
}

/// Frames with a level per band, noise around it, and extremes now and then.
fn frames(seed: u64, count: usize) -> Vec<Bands> {
    let mut random = Random::new(seed);
    let levels: Bands = core::array::from_fn(|_| random.within(2000) as i16);
    let limit = i32::from(LOG_MEL_LIMIT);
    let mut value = |band: usize| match random.within(100) {
        100 => LOG_MEL_LIMIT,
        -100 => -LOG_MEL_LIMIT,
        99 => i16::MIN,
        _ => (i32::from(levels[band]) + random.within(2000)).clamp(-limit, limit) as i16,
    };
    (0..count).map(|_| core::array::from_fn(&mut value)).collect()
}

fn model(shape: &Shape, seed: u64) -> (Parts, Model<Vec<u8>>) {
    let parts = Parts::random(shape, seed);
    let file = parts.to_file().unwrap();
    (parts, Model::new(file).unwrap())
}

/// `[frame][band][channel]`.
type Plane = Vec<Vec<Vec<i32>>>;

/// Convolution, bias, requantization, ReLU, pooling, one after the other.
fn textbook_conv(input: &Plane, conv: &ConvParts) -> Plane {
    let inputs = input[0][0].len();
    let at = |frame: usize, band: usize, output: usize| {
        let mut sum = conv.bias[output];
        for (f, b, i) in (0..3).flat_map(|f| (0..3).flat_map(move |b| (0..inputs).map(move |i| (f, b, i)))) {
            if let Some(x) = (band + b).checked_sub(1).and_then(|band| input[frame + f].get(band)) {
                sum += x[i] * i32::from(conv.weights[((output * inputs + i) * 3 + f) * 3 + b]);
            }
        }
        i32::from(conv.scales[output].requantize(sum)).max(0)
    };
    let pooled = |frame: usize, band: usize, output: usize| {
        let corners = (0..4).map(|corner| at(2 * frame + corner / 2, 2 * band + corner % 2, output));
        corners.max().unwrap()
    };
    let line = |frame: usize| -> Vec<Vec<i32>> {
        let outputs = 0..conv.bias.len();
        (0..input[0].len() / 2)
            .map(|band| outputs.clone().map(|o| pooled(frame, band, o)).collect())
            .collect()
    };
    (0..(input.len() - 2) / 2).map(line).collect()
}

/// The gates' arguments per step from the input, Q15.16.
fn textbook_projections(parts: &Parts, window: &[Bands]) -> Vec<Vec<i32>> {
    let gain = Multiplier::new(parts.input_gain).unwrap();
    let step = |&x: &i16| vec![i32::from(gain.requantize(x.into())).clamp(-127, 127)];
    let input: Plane = window.iter().map(|bands| bands.iter().map(step).collect()).collect();
    let features = parts.convs.iter().fold(input, |input, conv| textbook_conv(&input, conv));
    let channels = features[0][0].len();
    let project = |bands: &Vec<Vec<i32>>| -> Vec<i32> {
        let rows = parts.projection.weights.chunks_exact(channels * BANDS_OUT).enumerate();
        rows.map(|(row, weights)| {
            let value = |(i, &w): (usize, &i8)| i32::from(w) * bands[i % BANDS_OUT][i / BANDS_OUT];
            let sum = weights.iter().enumerate().map(value).sum();
            parts.projection.scales[row].rescale(sum) + parts.projection.bias[row]
        })
        .collect()
    };
    features.iter().map(project).collect()
}

/// Outputs per step and logits in f64.
fn textbook_lstm(parts: &Parts, projections: &[Vec<i32>]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let rows = parts.projection.bias.len();
    let units = rows / GATES;
    let unit = 65_536.0;
    let row = |matrix: &RowParts<i16>, row: usize, x: &[f64]| -> f64 {
        let weights = &matrix.weights[row * units..(row + 1) * units];
        let sum: f64 = weights.iter().zip(x).map(|(&w, x)| f64::from(w) * x * 32_768.0).sum();
        (sum * f64::from(matrix.scales[row].scale()) + matrix.bias.get(row).map_or(0.0, |&b| b.into())) / unit
    };
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut h, mut c) = (vec![0.0; units], vec![0.0; units]);
    let mut outputs = vec![];
    for projected in projections {
        let gates: Vec<f64> =
            (0..rows).map(|r| row(&parts.recurrence, r, &h) + f64::from(projected[r]) / unit).collect();
        for u in 0..units {
            let [i, o, f] = [0, 1, 2].map(|gate| sigmoid(gates[gate * units + u]));
            c[u] = f * c[u] + i * gates[3 * units + u].tanh();
            h[u] = o * c[u].tanh();
        }
        outputs.push(h.clone());
    }
    let seen: Vec<f64> = match parts.read_out {
        ReadOut::Last => h,
        ReadOut::Mean => {
            (0..units).map(|u| outputs.iter().map(|h| h[u]).sum::<f64>() / outputs.len() as f64).collect()
        }
    };
    let logits = (0..parts.dense.bias.len()).map(|label| row(&parts.dense, label, &seen)).collect();
    (outputs, logits)
}

/// All frames, and the projections of all steps that they complete.
fn push_all(stream: &mut Stream, model: &Model<Vec<u8>>, frames: &[Bands]) {
    for bands in frames {
        stream.push(model, Kernel::best(), bands);
    }
    stream.project(model, Kernel::best());
}

/// The projections that a stream holds, oldest first.
fn held<'a>(stream: &'a Stream, shape: &Shape) -> Vec<&'a [i32]> {
    stream.projections(shape).collect()
}

#[test]
fn the_stream_computes_the_textbooks_projections() {
    for (shape, seed) in [(SMALL, 1), (Shape { steps: 2, ..SHIPPED }, 2)] {
        let (parts, model) = model(&shape, seed);
        let frames = frames(seed, frames_of(&shape));
        let mut stream = Stream::new();
        push_all(&mut stream, &model, &frames);
        let wanted = textbook_projections(&parts, &frames);
        assert_eq!(held(&stream, &shape), wanted);
        let distinct: std::collections::BTreeSet<_> = wanted.iter().flatten().collect();
        assert!(distinct.len() > wanted[0].len() / 2, "activations vanish: nothing was tried");
    }
}

/// 2⁻¹⁵ per step from rounding the state, 2⁻¹⁴ from each gate's table; the recurrence's gain is below 1.
#[test]
fn states_and_logits_follow_the_textbook_in_f64() {
    for (shape, seed) in [(SMALL, 3), (SHIPPED, 4), (Shape { read_out: ReadOut::Last, ..SHIPPED }, 5)] {
        let (parts, model) = model(&shape, seed);
        let mut stream = Stream::new();
        push_all(&mut stream, &model, &frames(seed, frames_of(&shape)));
        let projections: Vec<Vec<i32>> = held(&stream, &shape).into_iter().map(<[i32]>::to_vec).collect();
        let (outputs, wanted) = textbook_lstm(&parts, &projections);
        let mut state = lstm::State::ZERO;
        for (projected, wanted) in projections.iter().zip(outputs) {
            state.step(&model, Kernel::best(), projected);
            for (&h, wanted) in state.h.iter().zip(wanted) {
                assert!((f64::from(h) / 32_768.0 - wanted).abs() < 1e-3, "{h} {wanted}");
            }
        }
        let found = stream.logits(&model, Kernel::best()).unwrap();
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((f64::from(*found) - wanted).abs() < 4e-3, "{found} {wanted}");
        }
        assert!(wanted.iter().any(|logit| logit.abs() > 0.05), "{wanted:?}: nothing was tried");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A window in the middle of a stream gives what a stream gives that has heard just that window.
    #[test]
    fn a_window_is_the_same_wherever_the_stream_began(seed: u64, before in 0usize..80, steps in 1usize..5) {
        let shape = Shape { steps, ..SMALL };
        let (_, model) = model(&shape, seed);
        let before = before / 8 * 8;
        let frames = frames(seed, before + frames_of(&shape) + 40);
        let mut long = Stream::new();
        push_all(&mut long, &model, &frames[..before + frames_of(&shape)]);
        let mut fresh = Stream::new();
        push_all(&mut fresh, &model, &frames[before..before + frames_of(&shape)]);
        let wanted = fresh.logits(&model, Kernel::PORTABLE);
        prop_assert!(wanted.is_some());
        prop_assert_eq!(long.logits(&model, Kernel::best()), wanted.clone());
        // A gap: what was heard before leaves no trace.
        long.push(&model, Kernel::best(), &frames[0]);
        long.reset();
        prop_assert_eq!(long.logits(&model, Kernel::best()), None);
        push_all(&mut long, &model, &frames[before..before + frames_of(&shape)]);
        prop_assert_eq!(long.logits(&model, Kernel::best()), wanted);
    }

    /// All kernels, frame by frame, on random shapes.
    #[test]
    fn kernels_agree_on_whole_networks(
        seed: u64,
        channels in (1usize..=2, 1usize..=4, 1usize..=8).prop_map(|(a, b, c)| [16 * a, 16 * b, 16 * c]),
        hidden in (1usize..=4).prop_map(|n| 16 * n),
        labels in 2usize..=32,
        steps in 1usize..4,
        mean: bool,
    ) {
        let read_out = if mean { ReadOut::Mean } else { ReadOut::Last };
        let shape = Shape { steps, channels, hidden, labels, read_out };
        let (_, model) = model(&shape, seed);
        let frames = frames(seed, frames_of(&shape));
        let logits = |kernel| {
            let mut stream = Stream::new();
            frames.iter().for_each(|bands| { stream.push(&model, kernel, bands); });
            stream.logits(&model, kernel)
        };
        let wanted = logits(Kernel::PORTABLE);
        prop_assert_eq!(wanted.as_ref().map(|logits| logits.len()), Some(labels));
        for kernel in Kernel::available() {
            prop_assert_eq!(&logits(kernel), &wanted, "{}", kernel.name());
        }
    }
}

fn frame(number: usize, bands: Bands) -> LogMel {
    LogMel { end: 1024 + 512 * number as u64, level: Level::SILENCE, bands }
}

#[test]
fn the_classifier_is_ready_with_the_windows_last_frame_and_scores_sum_to_one() {
    let (_, model) = model(&SMALL, 7);
    let mut engine = NativeClassifier::new(model, 1.5);
    let frames = frames(7, frames_of(&SMALL) + 8);
    for (number, &bands) in frames.iter().enumerate() {
        let ready = engine.scores();
        if number < frames_of(&SMALL) {
            assert_eq!(ready, Err(ClassifyError::NotReady), "frame {number}");
        } else {
            // The last step's last frame, and the same scores until the next step.
            assert_eq!(ready.unwrap().end, frame(frames_of(&SMALL) - 1, bands).end);
        }
        engine.push(&frame(number, bands));
    }
    let scores = engine.scores().unwrap();
    assert_eq!(scores.end, frame(frames.len() - 1, frames[0]).end);
    assert_eq!(scores.probabilities.len(), SMALL.labels);
    assert!((scores.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    engine.reset();
    assert_eq!(engine.scores(), Err(ClassifyError::NotReady));
}

#[test]
fn the_shipped_shape_fits_its_budgets() {
    let bytes = Parts::random(&SHIPPED, 1).to_file().unwrap();
    println!("model file {} bytes, stream {} bytes", bytes.len(), size_of::<Stream>());
    assert!(bytes.len() <= 700 << 10 && size_of::<Stream>() <= 60 << 10);
    assert_eq!(SHIPPED.window(), Some(WindowLength::SHIPPED));
}
