//! An older machine on a newer one: a process that hides AVX-512 from itself before anything asks for it, so that the native
//! engine and tract choose as they would where there is AVX2 only. Both ask Rust's standard library, which remembers what
//! the processor said; a child of the benchmark takes the wider instruction sets out of that memory.
#![expect(unsafe_code, reason = "writes to the standard library's memory of the processor")]

use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use harmonynet::classify::native::Kernel;

use super::engines::{Engines, in_native, in_tract, windows};
use super::paired::{Contender, interleave};
use super::{Failure, Figures};

/// What the benchmark is called with to be that child.
pub(super) const CHILD: &str = "child-avx2";
/// How the child begins the line with its figure.
const RESULT: &str = "native AVX2 over tract f32: ";
/// Words of the standard library's memory.
const WORDS: usize = 3;

pub(super) fn run(figures: &mut Figures) -> Result<(), Failure> {
    let output = Command::new(std::env::current_exe()?).arg(CHILD).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    }
    let ratio = said.lines().find_map(|line| line.strip_prefix(RESULT)).ok_or("the child said no ratio")?;
    figures.put("native_avx2_vs_tract_f32", ratio.parse()?);
    Ok(())
}

/// The child's whole work.
pub(super) fn child() -> ExitCode {
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), Failure> {
    hide()?;
    if Kernel::best().name() != "avx2" {
        return Err(format!("the native engine's kernel is {}", Kernel::best().name()).into());
    }
    let (mut engines, windows) = (Engines::load()?, windows()?);
    let temperature = engines.temperature();
    let Engines { native, int8, float, .. } = &mut engines;
    let timed = &windows[..4];
    let rounds = interleave(&mut [
        Contender::here("harmonynet, native, AVX2", || {
            timed.iter().for_each(|window| in_native(native, temperature, Kernel::best(), window));
        }),
        Contender::here("tract f32", || timed.iter().for_each(|window| in_tract(float, window))),
        Contender::here("tract int8", || timed.iter().for_each(|window| in_tract(int8, window))),
    ])?;
    rounds.print(timed.len() as f64, "window");
    println!("{RESULT}{}", rounds.ratio_to("tract f32"));
    Ok(())
}

/// What tells machines with AVX-512 from machines without.
const WIDE: [fn() -> bool; 4] = [
    || is_x86_feature_detected!("avx512f"),
    || is_x86_feature_detected!("avx512bw"),
    || is_x86_feature_detected!("avx512vnni"),
    || is_x86_feature_detected!("avx512fp16"),
];

/// Hides [`WIDE`] from whoever asks later.
fn hide() -> Result<(), Failure> {
    if !is_x86_feature_detected!("avx2") {
        return Err("there is no AVX2 here".into());
    }
    let memory = memory()?;
    let bits: Vec<_> = WIDE.iter().filter(|wide| wide()).filter_map(|wide| bit_of(memory, *wide)).collect();
    for (word, bit) in bits {
        memory[word].fetch_and(!bit, Relaxed);
    }
    let left = WIDE.iter().any(|wide| wide());
    if left || !is_x86_feature_detected!("avx2") || !is_x86_feature_detected!("fma") {
        return Err("AVX-512 could not be hidden".into());
    }
    Ok(())
}

/// The bit without which a feature is missing. One bit says that the processor was asked: without it it is asked again.
fn bit_of(memory: &[AtomicUsize; WORDS], feature: fn() -> bool) -> Option<(usize, usize)> {
    let bits = (0..WORDS).flat_map(|word| (0..usize::BITS).map(move |bit| (word, 1 << bit)));
    bits.into_iter().find(|&(word, bit)| {
        let before = memory[word].fetch_and(!bit, Relaxed);
        let gone = before & bit != 0 && !feature();
        memory[word].store(before, Relaxed);
        gone
    })
}

/// Where the standard library remembers: a static without a public name, found by its symbol.
fn memory() -> Result<&'static [AtomicUsize; WORDS], Failure> {
    let program = std::env::current_exe()?;
    let symbols = Command::new("nm").arg(&program).output().map_err(|error| format!("nm: {error}"))?;
    let symbols = String::from_utf8_lossy(&symbols.stdout);
    let line = symbols.lines().find(|line| line.contains("std_detect") && line.ends_with("5cache5CACHE"));
    let value =
        line.and_then(|line| line.split(' ').next()).ok_or("std_detect's cache has no symbol here")?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let program = program.to_string_lossy();
    let first =
        maps.lines().find(|line| line.ends_with(program.as_ref())).ok_or("no mapping of the program")?;
    let base = first.split('-').next().ok_or("a mapping without an address")?;
    let address = usize::from_str_radix(base, 16)? + usize::from_str_radix(value, 16)?;
    // SAFETY: the symbol is that of a static array of three caches, each one atomic word, in this very program, which is
    // loaded at its first mapping's address (position-independent, as Rust builds it).
    Ok(unsafe { &*(address as *const [AtomicUsize; WORDS]) })
}
