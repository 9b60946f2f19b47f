//! `evaluate`: judges a model package on a part of a labelled collection, through the same code that listens.
//!
//! ```text
//! split      which tracks, or which excerpts of them, count
//! judge      each through the shipped path, in one or more conditions: what was said of every excerpt
//! summary    added up: figures, interval, calibration
//! not_music  the same for sounds that must not be shown as a genre
//! tables, record, picture   for people, for programs, for documents
//! ```

mod calibration;
mod figures;
mod interval;
mod judge;
#[cfg(feature = "rooms")]
mod not_music;
mod picture;
mod record;
#[cfg(feature = "rooms")]
mod rooms;
mod split;
mod summary;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use harmonynet::classify::engine::Form;
use harmonynet::classify::manifest::Precision;
use harmonynet::classify::package::Package;
use serde_json::{Value, json};

use self::judge::{Condition, Ears, Hearing, Judged};
use self::split::Part;
use self::summary::{Beside, Summary};
use super::engine::ModelArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet evaluate --audio gtzan --split gtzan.csv --part valid
  harmonynet evaluate --audio gtzan --split gtzan.csv --compare float --compare native-20dB
  harmonynet evaluate --audio gtzan --split gtzan.csv --engine tract --compare native
  harmonynet evaluate --audio gtzan --split folds.csv --split-column fold0 --part test --json fold0.json
  harmonynet evaluate --audio lossless --against mp3 --split gtzan.csv --part valid,test
  harmonynet evaluate --audio gtzan --split gtzan.csv --rooms
  harmonynet evaluate --audio gtzan --split gtzan.csv --room kitchen --snr 20 --picture confusion.svg
  harmonynet evaluate --not-music

AUDIO holds the recordings, in whatever folders. The CSV has the columns `track` (file name without extension) and
the split's; its column `genre`, or else the recording's folder, is the truth. With a column `excerpt` (0, 1, 2...
on the grid of windows) each row is one excerpt, and only the excerpts of the part count.

Accuracy is the arg-max's, before anything is called unsure: of excerpts (the windows of the model, every 2 s) and of
tracks (normalized geometric mean over their excerpts). Intervals are bootstraps by track. A window is shown as a
genre where it isn't silent and its confidence is at least the model's `unsure_below`.

The record (--json) has the keys package, engine, data, labels, excerpt, track (accuracy, interval, macro,
per_label, confusion), hits ([excerpts of a track, hits, number of such tracks]), calibration, shown,
shown_accuracy, compared, against, rooms, not_music: aggregates only.

Rooms and sounds that are no music are in builds with the feature `rooms`.";

/// Options of `evaluate`.
#[derive(Args)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// Folder of the collection
    #[arg(long, value_name = "DIR", requires = "split")]
    #[cfg_attr(feature = "rooms", arg(required_unless_present = "not_music"))]
    #[cfg_attr(not(feature = "rooms"), arg(required = true))]
    audio: Option<PathBuf>,

    /// Table of the tracks
    #[arg(long, value_name = "CSV", requires = "audio")]
    split: Option<PathBuf>,

    /// Column of the table that names each track's part
    #[arg(long, value_name = "NAME", default_value = "fault_filtered_split")]
    split_column: String,

    /// Parts to evaluate on
    #[arg(long, value_name = "PART", value_delimiter = ',', default_value = "valid")]
    part: Vec<String>,

    /// Judge this form of the model beside the one that runs, and count the excerpts on which both agree
    #[arg(long, value_enum, requires = "audio")]
    compare: Vec<Other>,

    /// Hear the same tracks from this folder too, and count the excerpts with the same verdict
    #[arg(long, value_name = "DIR", requires = "audio")]
    against: Vec<PathBuf>,

    #[cfg(feature = "rooms")]
    #[command(flatten)]
    rooms: rooms::RoomArgs,

    /// Hear silence, noise, hum, tones and speech, and count the windows shown as a genre; speech is read from DIR, else made
    /// with espeak-ng
    #[cfg(feature = "rooms")]
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    not_music: Option<Option<PathBuf>>,

    /// Write the record, one JSON object, to a file; `-`: to standard output, without tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Draw the confusion matrices, by track and by excerpt
    #[arg(long, value_name = "FILE.svg", requires = "audio")]
    picture: Option<PathBuf>,

    /// Threads to use [default: one per processor]; figures don't depend on it
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// What a form of the model is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Other {
    /// The float graph, by tract
    Float,
    /// The int8 graph, by tract
    Int8,
    /// The native form
    Native,
    /// The int8 graph on the same sound, 20 dB quieter, rounded to 24 bits
    #[value(name = "int8-20dB")]
    Int8Quieter,
    /// The native form on that
    #[value(name = "native-20dB")]
    NativeQuieter,
}

impl Other {
    fn condition(self) -> Condition {
        let (form, hearing) = match self {
            Self::Float => (Form::Graph(Precision::Float), Hearing::Plain),
            Self::Int8 => (Form::Graph(Precision::Int8), Hearing::Plain),
            Self::Native => (Form::Native, Hearing::Plain),
            Self::Int8Quieter => (Form::Graph(Precision::Int8), Hearing::Quieter),
            Self::NativeQuieter => (Form::Native, Hearing::Quieter),
        };
        Condition { form, hearing }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Int8 => "int8",
            Self::Native => "native",
            Self::Int8Quieter => "int8-20dB",
            Self::NativeQuieter => "native-20dB",
        }
    }
}

pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    let package = args.model.package()?;
    let form = args.model.form(&package)?;
    let ears = Ears::new(&args.model, &package)?;
    let mut report = Report { says: args.json.as_deref() != Some(Path::new("-")), ..Report::default() };
    report.package(form, &package)?;
    if let (Some(audio), Some(split)) = (&args.audio, &args.split) {
        music(args, (audio, split), form, &ears, &package, &mut report)?;
    }
    #[cfg(feature = "rooms")]
    if let Some(speech) = &args.not_music {
        let labels = package.manifest().labels();
        let (table, entry) = not_music::evaluate(&ears, form, &labels, speech.as_deref(), args.jobs)?;
        report.say(table);
        report.put("not_music", entry);
    }
    report.write(args.json.as_deref())
}

/// The tables, which are printed as they come, and the record.
#[derive(Default)]
struct Report {
    says: bool,
    record: serde_json::Map<String, Value>,
}

impl Report {
    fn say(&self, text: impl AsRef<str>) {
        if self.says {
            print!("{}", text.as_ref());
        }
    }

    fn put(&mut self, key: &str, value: Value) {
        self.record.insert(key.to_string(), value);
    }

    fn package(&mut self, form: Form, package: &Package) -> Result<()> {
        let manifest = package.manifest();
        let entry =
            form.entry(manifest).with_context(|| format!("the package has no {form} form of its model"))?;
        let short: String = entry.sha256.chars().take(12).collect();
        let (name, version) = (&manifest.name, &manifest.version);
        self.say(format!("{name} {version}, {} {short}, engine {}\n", entry.file, form.engine()));
        self.put(
            "package",
            json!({
                "name": manifest.name,
                "version": manifest.version,
                "precision": form.precision().name(),
                "sha256": entry.sha256,
            }),
        );
        self.put("engine", json!(form.engine()));
        Ok(())
    }

    fn write(&self, to: Option<&Path>) -> Result<()> {
        let Some(path) = to else { return Ok(()) };
        let text = serde_json::to_string_pretty(&self.record)? + "\n";
        if !self.says {
            print!("{text}");
            return Ok(());
        }
        fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
    }
}

/// The part of the collection in every condition.
fn music(
    args: &EvaluateArgs,
    (audio, split): (&Path, &Path),
    form: Form,
    ears: &Ears<'_>,
    package: &Package,
    report: &mut Report,
) -> Result<()> {
    let labels = package.manifest().labels();
    let part = split::part(split, &args.split_column, &args.part, audio, &labels)?;
    let mut conditions = vec![Condition { form, hearing: Hearing::Plain }];
    conditions.extend(args.compare.iter().map(|other| other.condition()));
    for folder in &args.against {
        conditions.push(Condition { form, hearing: Hearing::Against(others(folder, &part)?) });
    }
    #[cfg(feature = "rooms")]
    conditions.extend(args.rooms.hearings().map(|hearing| Condition { form, hearing }));
    let judged = judge::judge(ears, &part.tracks, &conditions, args.jobs)?;
    let summary = Summary::new(labels.iter().map(|label| label.to_string()).collect(), &judged);
    data(args, audio, &part, &summary, report);
    report.say(tables::of(&summary));
    report.record.extend(record::summary(&summary));
    compared(args, &judged, &summary, report);
    #[cfg(feature = "rooms")]
    {
        let (table, rooms) = rooms::report(&conditions, &judged, &summary);
        report.say(table);
        report.put("rooms", rooms);
    }
    let Some(path) = &args.picture else { return Ok(()) };
    fs::write(path, picture::svg(&summary)).with_context(|| format!("{}: cannot be written", path.display()))
}

/// The same tracks in another folder.
fn others(folder: &Path, part: &Part) -> Result<std::collections::BTreeMap<String, PathBuf>> {
    let others = split::by_name(folder)?;
    let without: Vec<&str> = part
        .tracks
        .iter()
        .map(|track| track.name.as_str())
        .filter(|name| !others.contains_key(*name))
        .collect();
    ensure!(
        without.is_empty(),
        "{}: no recording of {} tracks: {}",
        folder.display(),
        without.len(),
        without[..without.len().min(5)].join(", ")
    );
    Ok(others)
}

/// What was judged.
fn data(args: &EvaluateArgs, audio: &Path, part: &Part, summary: &Summary, report: &mut Report) {
    let (tracks, excerpts) = (summary.track.confusion.total(), summary.excerpt.confusion.total());
    let parts = args.part.join(",");
    report.say(format!("{tracks} tracks, {excerpts} excerpts: {parts} of {}\n", args.split_column));
    if part.missing > 0 {
        report.say(format!("{} more tracks of it have no recording here\n", part.missing));
    }
    if part.torn > 0 {
        report.say(format!(
            "excerpts of {} tracks are in several parts: a leaky split, for comparison only\n",
            part.torn
        ));
    }
    report.put(
        "data",
        json!({
            "tracks": tracks,
            "excerpts": excerpts,
            "part": parts,
            "split_column": args.split_column,
            "audio": name(audio),
            "missing": part.missing,
            "torn": part.torn,
            "sha256": part.sha256,
        }),
    );
}

/// A folder's own name: where it lies is nobody's business.
fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

/// The conditions beside the first, in the order in which [`music`] lists them.
fn compared(args: &EvaluateArgs, judged: &[Judged], summary: &Summary, report: &mut Report) {
    let graphs = args.compare.iter().map(|other| ("graph", other.name().to_string()));
    let folders = args.against.iter().map(|folder| ("audio", name(folder)));
    let names: Vec<(&str, String)> = graphs.chain(folders).collect();
    if !names.is_empty() {
        report.say(format!("\n{:<24} {:>8} {:>8} {:>13}\n", "beside", "excerpt", "track", "same verdict"));
        let [excerpt, track] = [&summary.excerpt, &summary.track].map(|f| f.confusion.accuracy());
        report.say(format!("{:<24} {excerpt:>8.4} {track:>8.4}\n", "(as above)"));
    }
    let (mut graphs, mut folders) = (Vec::new(), Vec::new());
    for (index, (what, name)) in names.iter().enumerate() {
        let beside = Beside::of(judged, index + 1);
        let Beside { excerpt, track, agreement } = beside;
        report.say(format!("{name:<24} {excerpt:>8.4} {track:>8.4} {agreement:>13.4}\n"));
        let entry = record::beside(what, name, &beside);
        if *what == "graph" { graphs.push(entry) } else { folders.push(entry) }
    }
    report.put("compared", graphs.into());
    report.put("against", folders.into());
}
