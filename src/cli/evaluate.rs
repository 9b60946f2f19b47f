//! `evaluate`: accuracy on a part of a labelled collection, through the same code that listens.

mod figures;
mod split;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use harmonynet::capture::{CaptureError, Channel, FileMicrophone, Granted, Microphone, Reading};
use harmonynet::classify::manifest::Precision;
use harmonynet::classify::package::Package;
use harmonynet::classify::tract::TractClassifier;
use harmonynet::decide::Policy;
use harmonynet::pipeline::recording::{Recording, recognize};

use self::figures::{Judged, Tally};
use self::split::Track;
use super::engine::{self, ModelArgs};
use super::files;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet evaluate --audio gtzan --split gtzan.csv --part valid
  harmonynet evaluate --audio gtzan --split gtzan.csv --part valid --compare float --compare int8-20dB
  harmonynet evaluate --audio gtzan --split gtzan.csv --part valid,test,none --json

AUDIO holds one folder per label with the recordings in it; the CSV has the columns `track` (file name without
extension) and the split's. Accuracy is the arg-max's, before anything is called unsure: of excerpts (windows of
3.88 s every 2.04 s) and of tracks (normalized geometric mean over the windows).";

/// Options of `evaluate`.
#[derive(Args)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// Folder of the collection: AUDIO/<label>/<track>.<extension>
    #[arg(long, value_name = "DIR")]
    audio: PathBuf,

    /// Table of the tracks
    #[arg(long, value_name = "CSV")]
    split: PathBuf,

    /// Column of the table that names each track's part
    #[arg(long, value_name = "NAME", default_value = "fault_filtered_split")]
    split_column: String,

    /// Parts to evaluate on
    #[arg(long, value_name = "PART", value_delimiter = ',', default_value = "valid")]
    part: Vec<String>,

    /// Judge this beside --graph and count the excerpts on which both agree
    #[arg(long, value_enum)]
    compare: Vec<Other>,

    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,

    /// Threads to use [default: one per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// What a graph is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Other {
    /// The float graph
    Float,
    /// The int8 graph
    Int8,
    /// The int8 graph on the same sound, 20 dB quieter, rounded to 24 bits
    #[value(name = "int8-20dB")]
    Int8Quieter,
}

/// A graph, and how loud it hears.
#[derive(Clone, Copy)]
struct Variant {
    precision: Precision,
    divisor: i64,
}

impl Variant {
    fn of(other: Other) -> Self {
        match other {
            Other::Float => Self { precision: Precision::Float, divisor: 1 },
            Other::Int8 => Self { precision: Precision::Int8, divisor: 1 },
            Other::Int8Quieter => Self { precision: Precision::Int8, divisor: 10 },
        }
    }

    fn name(self) -> String {
        if self.divisor == 1 {
            self.precision.to_string()
        } else {
            format!("{}, 20 dB quieter", self.precision)
        }
    }
}

pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    let package = args.model.package()?;
    let labels = package.manifest().labels();
    let tracks = split::tracks(&args.split, &args.split_column, &args.part, &args.audio, &labels)?;
    let first = Variant { precision: args.model.precision(), divisor: 1 };
    let variants: Vec<Variant> =
        [first].into_iter().chain(args.compare.iter().copied().map(Variant::of)).collect();
    let judged = judge(args, &package, &tracks, &variants)?;
    let tally = Tally::new(&judged, &labels, variants.iter().map(|variant| variant.name()).collect());
    if args.json {
        println!("{}", serde_json::to_string_pretty(&tally.json())?);
    } else {
        println!("{} tracks of {} ({})", judged.len(), args.split.display(), args.part.join(", "));
        print!("{}", tally.tables());
    }
    Ok(())
}

/// Every track through every variant.
fn judge(
    args: &EvaluateArgs,
    package: &Package,
    tracks: &[Track],
    variants: &[Variant],
) -> Result<Vec<Judged>> {
    let frontend = engine::frontend(package)?;
    // The arg-max of every window counts, quiet ones too.
    let policy = Policy { silence_dbfs: -120.0, ..engine::policy(package.manifest())? };
    let judged = Mutex::new(Vec::new());
    let engines = || -> Result<Vec<TractClassifier>> {
        variants.iter().map(|variant| args.model.engine_for(package, variant.precision)).collect()
    };
    let failed = files::in_parallel_with(tracks, args.jobs, engines, |engines, track| {
        let mut recordings: Vec<Recording> = Vec::new();
        for (variant, engine) in variants.iter().zip(engines) {
            let mut microphone =
                Quieter { inner: FileMicrophone::open(&track.path)?, divisor: variant.divisor };
            let recording = recognize(&mut microphone, Channel::Mix, &frontend, engine, &policy)
                .with_context(|| track.path.display().to_string())?;
            ensure!(recording.scores.is_some(), "{}: shorter than one window", track.path.display());
            recordings.push(recording);
        }
        if let Ok(mut judged) = judged.lock() {
            judged.push(Judged { name: track.name.clone(), label: track.label, recordings });
        }
        Ok(())
    });
    ensure!(failed == 0, "{failed} tracks could not be judged");
    let mut judged = judged.into_inner().unwrap_or_default();
    judged.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(judged)
}

/// A microphone farther away: samples divided, then rounded to 24 bits as a good converter would.
struct Quieter<M> {
    inner: M,
    divisor: i64,
}

impl<M: Microphone> Microphone for Quieter<M> {
    fn granted(&self) -> Granted {
        self.inner.granted()
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let reading = self.inner.read(into)?;
        if self.divisor != 1 {
            let samples = reading.frames * usize::from(self.granted().channels);
            for sample in &mut into[..samples] {
                let steps = (i64::from(*sample) + 128 * self.divisor).div_euclid(256 * self.divisor);
                *sample = (steps << 8) as i32;
            }
        }
        Ok(reading)
    }
}

/// A path's file name without its extension.
fn stem(path: &Path) -> Option<&str> {
    path.file_stem().and_then(|stem| stem.to_str())
}
