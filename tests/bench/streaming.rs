//! A stream with a verdict every 24 frames: the native engine convolves each frame once, tract recomputes whole windows.
//! And what a verdict takes besides time: allocations, working memory, the model file.

use std::hint::black_box;

use harmonynet::classify::Classifier as _;
use harmonynet::classify::native::{Model, NativeClassifier};
use harmonynet::flow::{Level, LogMel};
use harmonynet::spec::{FrontendSpec, SAMPLE_RATE_HZ, WindowLength};

use super::convolutions::Bands;
use super::counting::allocations;
use super::engines::{Engines, in_tract, windows};
use super::paired::{Contender, interleave};
use super::{Failure, Figures};

/// Frames between verdicts, about half a second.
const PERIOD: usize = 24;
/// Verdicts per repetition.
const VERDICTS: usize = 4;

type Native<'a> = NativeClassifier<&'a [u8]>;

pub(super) fn run(figures: &mut Figures) -> Result<(), Failure> {
    let mut engines = Engines::load()?;
    let frames: Vec<Bands> = windows()?.into_iter().flatten().collect();
    let (first, stream) = frames.split_at(WindowLength::SHIPPED.frames());
    let file = engines.native_file.clone();
    let mut native: Native = NativeClassifier::new(Model::new(file.as_slice())?, engines.temperature());
    hear(&mut native, first);

    let seconds =
        (PERIOD * usize::from(FrontendSpec::SHIPPED.hop) * VERDICTS) as f64 / f64::from(SAMPLE_RATE_HZ);
    let whole = |verdict: usize| &frames[verdict * PERIOD..][..WindowLength::SHIPPED.frames()];
    let rounds = interleave(&mut [
        Contender::here("native, streaming", || {
            stream.chunks_exact(PERIOD).take(VERDICTS).for_each(|frames| verdict(&mut native, frames));
        }),
        Contender::here("tract int8, whole windows", || {
            (0..VERDICTS).for_each(|verdict| in_tract(&mut engines.int8, whole(verdict)));
        }),
        Contender::here("tract f32, whole windows", || {
            (0..VERDICTS).for_each(|verdict| in_tract(&mut engines.float, whole(verdict)));
        }),
    ])?;
    println!("a verdict every {PERIOD} frames, one core");
    rounds.print(seconds, "s of sound");
    figures.put("stream_vs_tract_recompute", rounds.ratio_to("tract int8, whole windows"));

    let ours = allocations(|| verdict(&mut native, &stream[..PERIOD]));
    let tracts = allocations(|| in_tract(&mut engines.int8, first));
    println!("allocations per verdict: native {ours}, tract int8 {tracts}");
    figures.put("native_allocs", ours as f64);
    let (state, stack) = (size_of::<Native>(), stack_kib(&file, first)?);
    let work = state as f64 / 1024.0 + stack;
    println!("working memory: state {state} bytes, stack {stack} KiB in whole pages, in all {work:.1} KiB");
    figures.put("native_work_kib", work);
    println!("model file: {} bytes", file.len());
    figures.put("native_model_kib", file.len() as f64 / 1024.0);
    Ok(())
}

fn hear(native: &mut Native, frames: &[Bands]) {
    for (number, &bands) in frames.iter().enumerate() {
        native.push(&LogMel { end: number as u64, level: Level::SILENCE, bands });
    }
}

#[expect(clippy::expect_used, reason = "a verdict that failed would make the timing meaningless")]
fn verdict(native: &mut Native, frames: &[Bands]) {
    hear(native, black_box(frames));
    black_box(native.scores().expect("the window is full"));
}

/// What a thread's stack has grown to after a window and its verdict, the thread's own start included.
fn stack_kib(file: &[u8], frames: &[Bands]) -> Result<f64, Failure> {
    // The state is no part of the stack here, so the boxes are filled before the thread starts.
    let mut native = Box::new(NativeClassifier::new(Model::new(file)?, 1.0));
    let resident = std::thread::scope(|scope| {
        // Smaller than a huge page, so that memory comes in small ones.
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn_scoped(scope, || {
            hear(&mut native, frames);
            black_box(native.scores().is_ok());
            let here = 0u8;
            resident_kib(&raw const here as usize)
        })?;
        thread.join().map_err(|_| std::io::Error::other("the thread panicked"))?
    })?;
    Ok(resident)
}

/// The resident part of the mapping that holds an address.
fn resident_kib(address: usize) -> Result<f64, std::io::Error> {
    let maps = std::fs::read_to_string("/proc/self/smaps")?;
    let mut inside = false;
    for line in maps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let parsed = range.and_then(|(from, to)| {
            Some((usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?))
        });
        if let Some((from, to)) = parsed {
            inside = (from..to).contains(&address);
        } else if let (true, Some(rest)) = (inside, line.strip_prefix("Rss:")) {
            return rest.trim().trim_end_matches(" kB").parse().map_err(std::io::Error::other);
        }
    }
    Err(std::io::Error::other("the stack is not in /proc/self/smaps"))
}
