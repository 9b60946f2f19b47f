//! `make bench`: what this costs beside others, and what it takes while listening.
//!
//! Every ratio is cost of ours over cost of theirs (below 1: ours is cheaper), from one interleaved run on one core, the
//! median of paired ratios. Prints tables and writes `target/bench.json`, one flat object of figure name → number.
//! `cargo bench --bench bench -- frontend` (or `conditioning`, `engines`, `avx2`, `stream`, `others`, `trace`, `listen`) runs one
//! part and writes nothing.

#[path = "conditioning.rs"]
mod conditioning;
#[path = "convolutions.rs"]
mod convolutions;
#[path = "counting.rs"]
mod counting;
#[path = "engines.rs"]
mod engines;
#[path = "frontends.rs"]
mod frontends;
#[path = "librosa.rs"]
mod librosa;
#[path = "listening.rs"]
mod listening;
#[cfg(target_arch = "x86_64")]
#[path = "masked.rs"]
mod masked;
#[path = "others.rs"]
mod others;
#[path = "paired.rs"]
mod paired;
#[path = "peak.rs"]
mod peak;
#[path = "peer.rs"]
mod peer;
#[path = "streaming.rs"]
mod streaming;
#[path = "tracing.rs"]
mod tracing;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A part of the run: its name, and what measures it.
type Part = (&'static str, fn(&mut Figures) -> Result<(), Failure>);

/// Why a figure could not be measured.
type Failure = Box<dyn std::error::Error>;

/// Every figure of a whole run, so that a missing one is noticed.
const EXPECTED: &[&str] = &[
    "frontend_vs_librosa",
    "frontend_vs_realfft",
    "frontend_vs_microfft_only",
    "native_vs_tract_int8",
    "native_vs_ort_int8",
    "native_vs_litert_int8",
    "tract_int8_vs_tract_f32",
    "native_peak_share",
    #[cfg(target_arch = "x86_64")]
    "native_avx2_vs_tract_f32",
    "stream_vs_tract_recompute",
    "native_allocs",
    "native_work_kib",
    "native_model_kib",
    "trace_core_share",
    "listen_cpu_share",
    "listen_peak_rss_kib",
];

const PARTS: &[Part] = &[
    ("frontend", frontends::run),
    ("conditioning", conditioning::run),
    ("engines", engines::run),
    #[cfg(target_arch = "x86_64")]
    ("avx2", masked::run),
    ("stream", streaming::run),
    ("others", others::run),
    ("trace", tracing::run),
    ("listen", listening::run),
];

/// Figures that machines read, in the order in which they were measured.
#[derive(Default)]
struct Figures(Vec<(&'static str, f64)>);

impl Figures {
    fn put(&mut self, name: &'static str, value: f64) {
        self.0.push((name, value));
    }

    fn json(&self) -> String {
        let lines: Vec<_> = self.0.iter().map(|(name, value)| format!("  \"{name}\": {value:.4}")).collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

fn main() -> ExitCode {
    // Cargo passes `--bench`; words are names of parts.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    #[cfg(target_arch = "x86_64")]
    if chosen == [masked::CHILD] {
        return masked::child();
    }
    let mut figures = Figures::default();
    for (name, part) in PARTS {
        if !chosen.is_empty() && !chosen.iter().any(|word| word == name) {
            continue;
        }
        println!("\n== {name}");
        if let Err(failure) = part(&mut figures) {
            eprintln!("{name}: not measured: {failure}");
        }
    }
    if !chosen.is_empty() {
        return ExitCode::SUCCESS;
    }
    let path = target().join("bench.json");
    if let Err(error) = std::fs::write(&path, figures.json()) {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    println!("\n{} holds:\n{}", path.display(), figures.json());
    let missing: Vec<_> =
        EXPECTED.iter().filter(|name| !figures.0.iter().any(|(known, _)| known == *name)).collect();
    if missing.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("missing: {missing:?}");
    ExitCode::FAILURE
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where results and the peer's Python environment go.
fn target() -> PathBuf {
    root().join("target")
}
