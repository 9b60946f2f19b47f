//! `classify`: the genre of recordings.

use std::collections::BTreeMap;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use harmonynet::capture::Channel;
use harmonynet::display::words;
use harmonynet::flow::{Labels, State};
use harmonynet::pipeline::recording::{Recording, recognize};

use super::engine::{self, ModelArgs};
use super::files;
use super::sound::Sound;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet classify song.mp3            genre, confidence and the next likeliest
  harmonynet classify ~/Music             every recording below a folder
  harmonynet classify --json *.flac       one JSON object per file: file, state, genre, confidence, scores, engine, ...
  harmonynet classify --csv *.flac        a table for a spreadsheet
  harmonynet classify --graph float x.wav with the model before quantization
  harmonynet classify --engine tract *.mp3  by the reference engine
  harmonynet classify --demo              self-made music, in place of recordings

A recording's scores are the normalized geometric mean of its windows' (of the built-in model 3.88 s, every
2.04 s). It needs at least one window; a shorter one is told as `listening`.";

/// Options of `classify`.
#[derive(Args)]
pub(crate) struct ClassifyArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// One JSON object per file
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Comma-separated values with a header
    #[arg(long)]
    csv: bool,

    /// Threads to use [default: one per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Recordings (WAV, FLAC, MP3, Ogg), or folders of them
    #[arg(required_unless_present = "demo", value_name = "FILES")]
    files: Vec<PathBuf>,

    /// The pieces of self-made music, as demo/<piece>
    #[arg(long)]
    demo: bool,
}

pub(crate) fn run(args: &ClassifyArgs) -> Result<()> {
    let sounds = Sound::all(&args.files, args.demo)?;
    let package = args.model.package()?;
    let frontend = engine::frontend(&package)?;
    let policy = engine::policy(package.manifest())?;
    let labels = package.manifest().labels();
    // A wrong model is found out before the first file, and once; the first thread takes this engine.
    let engine = args.model.engine(&package)?;
    let name = engine.name();
    let first = Mutex::new(Some(engine));

    let printer = Mutex::new(Printer::default());
    if args.csv {
        write_csv(&mut csv::Writer::from_writer(stdout()), csv_header(&labels))?;
    }
    let items: Vec<(usize, &Sound)> = sounds.iter().enumerate().collect();
    let failed = files::in_parallel_with(
        &items,
        args.jobs,
        || {
            let first = first.lock().ok().and_then(|mut first| first.take());
            first.map_or_else(|| args.model.engine(&package), Ok)
        },
        |engine, &(index, sound)| {
            let path = sound.path();
            let result = sound.open().and_then(|mut microphone| {
                recognize(&mut microphone, Channel::Mix, &frontend, engine, &policy)
                    .with_context(|| path.display().to_string())
            });
            let (text, error) = match result {
                Ok(recording) => (describe(args, &path, &recording, &labels, name)?, None),
                Err(error) => (String::new(), Some(error)),
            };
            if let Ok(mut printer) = printer.lock() {
                printer.print(index, text)?;
            }
            error.map_or(Ok(()), Err)
        },
    );
    ensure!(failed == 0, "{failed} of {} recordings could not be classified", sounds.len());
    Ok(())
}

/// Prints results in the order of the files, each as soon as those before it are there.
#[derive(Default)]
struct Printer {
    next: usize,
    waiting: BTreeMap<usize, String>,
}

impl Printer {
    fn print(&mut self, index: usize, text: String) -> std::io::Result<()> {
        self.waiting.insert(index, text);
        while let Some(text) = self.waiting.remove(&self.next) {
            self.next += 1;
            stdout().write_all(text.as_bytes())?;
        }
        stdout().flush()
    }
}

fn describe(
    args: &ClassifyArgs,
    path: &Path,
    recording: &Recording,
    labels: &Labels,
    engine: &str,
) -> Result<String> {
    if args.json {
        return Ok(json(path, recording, labels, engine)? + "\n");
    }
    if args.csv {
        let mut writer = csv::Writer::from_writer(Vec::new());
        write_csv(&mut writer, csv_row(path, recording, labels))?;
        return Ok(String::from_utf8(writer.into_inner()?)?);
    }
    Ok(line(path, recording, labels))
}

/// The scores as (label, probability), the likeliest first.
fn ranked<'a>(recording: &Recording, labels: &'a Labels) -> Vec<(&'a str, f32)> {
    let probabilities = recording.scores.iter().flat_map(|scores| scores.probabilities.iter().copied());
    let mut ranked: Vec<_> = labels.iter().map(|label| label.as_str()).zip(probabilities).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

fn genre<'a>(recording: &Recording, labels: &'a Labels) -> Option<&'a str> {
    match recording.state {
        State::Genre { label, .. } => labels.get(usize::from(label)).map(|label| label.as_str()),
        _ => None,
    }
}

fn line(path: &Path, recording: &Recording, labels: &Labels) -> String {
    let ranked = ranked(recording, labels);
    let what = match (recording.state, genre(recording, labels)) {
        (State::Listening, _) => "too short",
        (_, Some(genre)) => genre,
        (state, None) => words::state(&state),
    };
    let candidates: Vec<String> =
        ranked.iter().take(3).map(|(label, p)| format!("{label} {:.0} %", 100.0 * p)).collect();
    format!("{what:<10} {:<44} {}\n", candidates.join(", "), path.display())
}

fn json(path: &Path, recording: &Recording, labels: &Labels, engine: &str) -> Result<String> {
    let scores: serde_json::Map<_, _> =
        ranked(recording, labels).into_iter().map(|(label, p)| (label.to_string(), p.into())).collect();
    let object = serde_json::json!({
        "file": path.to_string_lossy(),
        "state": words::state(&recording.state),
        "genre": genre(recording, labels),
        "confidence": words::confidence(&recording.state),
        "scores": scores,
        "windows": recording.windows.len(),
        "seconds": recording.seconds,
        "lost_samples": recording.lost,
        "engine": engine,
    });
    Ok(serde_json::to_string(&object)?)
}

fn csv_header(labels: &Labels) -> Vec<String> {
    let fixed = ["file", "state", "genre", "confidence", "windows", "seconds"].map(str::to_string);
    fixed.into_iter().chain(labels.iter().map(|label| label.to_string())).collect()
}

fn csv_row(path: &Path, recording: &Recording, labels: &Labels) -> Vec<String> {
    let scores = |index| recording.scores.as_ref().and_then(|scores| scores.probabilities.get(index));
    let fixed = [
        path.to_string_lossy().into_owned(),
        words::state(&recording.state).to_string(),
        genre(recording, labels).unwrap_or_default().to_string(),
        words::confidence(&recording.state).map(|p| format!("{p:.4}")).unwrap_or_default(),
        recording.windows.len().to_string(),
        format!("{:.2}", recording.seconds),
    ];
    let scores = (0..labels.len()).map(|index| scores(index).map(|p| format!("{p:.4}")).unwrap_or_default());
    fixed.into_iter().chain(scores).collect()
}

fn write_csv<W: std::io::Write>(writer: &mut csv::Writer<W>, row: Vec<String>) -> Result<()> {
    writer.write_record(row)?;
    Ok(writer.flush()?)
}
