//! The native engine's kernels side by side, and how much of the machine's int8 peak their convolutions reach:
//! `cargo bench --no-default-features --features std,native --bench native`. A random network of the shipped shape;
//! needs neither tract nor a package. `native once KERNEL WINDOWS` only runs that many windows, for counters of
//! instructions.

#[path = "convolutions.rs"]
mod convolutions;
#[expect(dead_code, reason = "shared with the whole benchmark, which uses all of it")]
#[path = "paired.rs"]
mod paired;
#[path = "peak.rs"]
mod peak;

use std::hint::black_box;

use harmonynet::classify::native::{Kernel, Stream};
use harmonynet::spec::WindowLength;

use convolutions::{SHAPE, load, noise, peak_share, window};
use paired::{Contender, interleave};

/// Why a figure could not be measured.
type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let (frames, model) = (noise(), load(&SHAPE)?);
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
    let verdict = |kernel: Kernel| {
        let (mut full, model) = (full.clone(), &model);
        Contender::here(kernel.name(), move || drop(black_box(full.logits(black_box(model), kernel))))
    };
    let mut contenders: Vec<Contender> = kernels.iter().copied().map(verdict).collect();
    interleave(&mut contenders)?.print(1.0, "verdict");

    println!("\n== convolutions of a window: share of the instruction set's measured peak");
    for &kernel in &kernels {
        peak_share(kernel)?;
    }
    Ok(())
}
