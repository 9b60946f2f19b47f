//! How much of the machine's own int8 peak the native engine's convolutions reach. A random network of the shipped shape:
//! integers take as long whatever they are.

use std::hint::black_box;
use std::time::Duration;

use harmonynet::classify::native::{CONVS, Kernel, Model, Parts, Random, ReadOut, Shape, Stream};
use harmonynet::spec::{MEL_BANDS, WindowLength};

use super::paired::{Contender, interleave_for};
use super::{Failure, peak};

/// The shipped models' shape.
pub(super) const SHAPE: Shape = Shape {
    steps: WindowLength::SHIPPED.steps(),
    channels: [32, 64, 128],
    hidden: 64,
    labels: 10,
    read_out: ReadOut::Mean,
};

/// Rounds beside the peak, and how long a run of them lasts.
const ROUNDS: (usize, Duration) = (401, Duration::from_millis(3));
/// Share of the rounds that other work on the machine disturbs least: what belongs beside a peak.
const LEAST_DISTURBED: f64 = 0.02;

/// A frame.
pub(super) type Bands = [i16; MEL_BANDS];

/// A window of noise.
pub(super) fn noise() -> Vec<Bands> {
    let mut random = Random::new(1);
    let frames = 0..WindowLength::SHIPPED.frames();
    frames.map(|_| core::array::from_fn(|_| random.within(4000) as i16)).collect()
}

/// A random network.
pub(super) fn load(shape: &Shape) -> Result<Model<Vec<u8>>, Failure> {
    Ok(Model::new(Parts::random(shape, 1).to_file()?)?)
}

/// A stream that hears one window, and where asked for a verdict.
pub(super) fn window(model: &Model<Vec<u8>>, kernel: Kernel, frames: &[Bands], verdict: bool) {
    let mut stream = Stream::new();
    for bands in black_box(frames) {
        stream.push(model, kernel, bands);
    }
    if verdict {
        black_box(stream.logits(model, kernel));
    }
    black_box(&stream);
}

/// Multiply-adds of the convolutions of `frames` frames: of every line that reaches a pooled one.
fn multiply_adds(frames: usize) -> f64 {
    let (mut lines, mut sum) = (frames, 0);
    for conv in 0..CONVS {
        let pooled = (lines - 2) / 2;
        sum += 2 * pooled * (MEL_BANDS >> conv) * 9 * SHAPE.inputs(conv) * SHAPE.channels[conv];
        lines = pooled;
    }
    sum as f64
}

/// Prints what the convolutions and projections of a window take in `kernel`'s loops, and gives the share of the peak of
/// the instructions that it is made of; `None` where that peak is unknown.
pub(super) fn peak_share(kernel: Kernel) -> Result<Option<f64>, Failure> {
    let Some(peak) = peak::of(kernel.name()) else { return Ok(None) };
    let (model, narrow, frames) = (load(&SHAPE)?, load(&Shape { hidden: 16, ..SHAPE })?, noise());
    let projection = SHAPE.multiply_adds_per_step()[1];
    let adds = multiply_adds(frames.len());
    let mut contenders = [
        Contender::here("frames", || window(&model, kernel, &frames, false)),
        Contender::here("frames, a quarter of the projection", || window(&narrow, kernel, &frames, false)),
        Contender::here("peak", peak.work),
    ];
    let rounds = interleave_for(&mut contenders, ROUNDS.0, ROUNDS.1)?;
    let [all, less, loops] = [0, 1, 2].map(|i| rounds.seconds_at(i, LEAST_DISTURBED));
    // Projections are linear in their rows, so three quarters of them are what the narrow model lacks.
    let convolving = all - (all - less) * 4.0 / 3.0;
    let rate = peak.multiply_adds / loops;
    let share = adds / convolving / rate;
    println!(
        "{:12} convolutions {:7.1} µs, projections {:6.1} µs ({:4.1} GB/s of weights); peak {:6.1} G multiply-adds/s, share {share:.3}",
        kernel.name(),
        convolving * 1e6,
        (all - convolving) * 1e6,
        (projection * WindowLength::SHIPPED.steps()) as f64 / (all - convolving) / 1e9,
        rate / 1e9,
    );
    Ok(Some(share))
}
