//! The native engine's kernels side by side, and how much of the machine's int8 peak their convolutions reach:
//! `cargo bench --no-default-features --features std,native --bench native`. A random network of the shipped shape;
//! needs neither tract nor a package. `native once KERNEL WINDOWS` only runs that many windows, for counters of
//! instructions.

#[expect(dead_code, reason = "shared with the whole benchmark, which uses all of it")]
#[path = "paired.rs"]
mod paired;
#[path = "peak.rs"]
mod peak;

use std::hint::black_box;

use harmonynet::classify::native::{Kernel, Model, Parts, Random, ReadOut, Shape, Stream};
use harmonynet::spec::{MEL_BANDS, WindowLength};

use paired::{Contender, interleave};

/// Why a figure could not be measured.
type Failure = Box<dyn std::error::Error>;

const SHAPE: Shape = Shape {
    steps: WindowLength::SHIPPED.steps(),
    channels: [32, 64, 128],
    hidden: 64,
    labels: 10,
    read_out: ReadOut::Mean,
};

/// Share of the rounds that other work on the machine disturbs least: what belongs beside a peak.
const LEAST_DISTURBED: f64 = 0.05;

type Bands = [i16; MEL_BANDS];

fn main() -> Result<(), Failure> {
    let mut random = Random::new(1);
    let frames: Vec<Bands> = (0..WindowLength::SHIPPED.frames())
        .map(|_| core::array::from_fn(|_| random.within(4000) as i16))
        .collect();
    let model = load(&SHAPE)?;
    let narrow = load(&Shape { hidden: 16, ..SHAPE })?;
    let kernels: Vec<Kernel> = Kernel::available().collect();
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [once, name, windows] = words.as_slice()
        && once == "once"
    {
        let kernel = kernels.iter().find(|kernel| kernel.name() == name).ok_or("no such kernel here")?;
        (0..windows.parse()?).for_each(|_| window(&model, *kernel, &frames, true));
        return Ok(());
    }

    println!("== one window of {} frames, and a verdict", frames.len());
    let whole = |kernel| window(&model, kernel, &frames, true);
    let mut contenders: Vec<Contender> =
        kernels.iter().map(|&kernel| Contender::here(kernel.name(), move || whole(kernel))).collect();
    interleave(&mut contenders)?.print(1.0, "window");

    let mut full = Stream::new();
    frames.iter().for_each(|bands| {
        full.push(&model, kernels[0], bands);
    });
    println!("\n== a verdict alone: {} LSTM steps", WindowLength::SHIPPED.steps());
    let verdict = |kernel| drop(black_box(full.logits(black_box(&model), kernel)));
    let mut contenders: Vec<Contender> =
        kernels.iter().map(|&kernel| Contender::here(kernel.name(), move || verdict(kernel))).collect();
    interleave(&mut contenders)?.print(1.0, "verdict");

    println!("\n== convolutions of a window: share of the instruction set's measured peak");
    let [convs, projection, _] = SHAPE.multiply_adds_per_step();
    // The frames before a window's first whole step cost as much as those of a step, in proportion.
    let adds = (convs * frames.len() / 8) as f64;
    for &kernel in &kernels {
        let Some(peak) = peak::of(kernel.name()) else { continue };
        let mut contenders = [
            Contender::here("frames", || window(&model, kernel, &frames, false)),
            Contender::here("frames, a quarter of the projection", || {
                window(&narrow, kernel, &frames, false);
            }),
            Contender::here("peak", peak.work),
        ];
        let rounds = interleave(&mut contenders)?;
        let [all, less, loops] = [0, 1, 2].map(|i| rounds.seconds_at(i, LEAST_DISTURBED));
        // Projections are linear in their rows, so three quarters of them are what the narrow model lacks.
        let convolving = all - (all - less) * 4.0 / 3.0;
        let rate = peak.multiply_adds / loops;
        println!(
            "{:12} convolutions {:7.1} µs, projections {:6.1} µs ({:4.1} GB/s of weights); peak {:6.1} G multiply-adds/s, share {:.3}",
            kernel.name(),
            convolving * 1e6,
            (all - convolving) * 1e6,
            (projection * WindowLength::SHIPPED.steps()) as f64 / (all - convolving) / 1e9,
            rate / 1e9,
            adds / convolving / rate,
        );
    }
    Ok(())
}

fn load(shape: &Shape) -> Result<Model<Vec<u8>>, Failure> {
    Ok(Model::new(Parts::random(shape, 1).to_file()?)?)
}

fn window(model: &Model<Vec<u8>>, kernel: Kernel, frames: &[Bands], verdict: bool) {
    let mut stream = Stream::new();
    for bands in black_box(frames) {
        stream.push(model, kernel, bands);
    }
    if verdict {
        black_box(stream.logits(model, kernel));
    }
    black_box(&stream);
}
