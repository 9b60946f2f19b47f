//! `features`: log-mel frames of recordings, for training.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use harmonynet::capture::{Channel, FileMicrophone};
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::pipeline::recording::read_to_end;
use harmonynet::spec::{FrontendSpec, MEL_BANDS};
use npyz::WriterBuilder as _;

use super::files;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet features --out features gtzan/             every recording below a folder
  harmonynet features --out features a/x.mp3 b/y.flac   features/a/x.npy and features/b/y.npy

Each file holds an array of int16, one row of 128 values per frame: log2 of the mel bands' power relative
to the tracked level, in steps of 1/256. frontend.json beside them says how they were made. Files that are
there already are passed over, so that an interrupted run can be taken up again.";

/// Options of `features`.
#[derive(Args)]
pub(crate) struct FeaturesArgs {
    /// Folder to write to: OUT/<parent folder>/<file name>.npy
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Level handling; `absolute` is for experiments with other normalizations
    #[arg(long, value_enum, default_value_t = LevelArg::Tracked)]
    level: LevelArg,

    /// Threads to use [default: one per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Recordings (WAV, FLAC, MP3, Ogg), or folders of them
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    /// As the shipped models need it
    Tracked,
    /// Without level tracking
    Absolute,
}

pub(crate) fn run(args: &FeaturesArgs) -> Result<()> {
    let spec = if args.level == LevelArg::Tracked { FrontendSpec::SHIPPED } else { FrontendSpec::ABSOLUTE };
    let recordings = files::recordings(&args.files)?;
    write_specification(&args.out, &spec)?;
    let work: Vec<(PathBuf, PathBuf)> = recordings
        .into_iter()
        .map(|recording| Ok((args.out.join(target(&recording)?), recording)))
        .collect::<Result<_>>()?;
    let frontend = Frontend::new(spec)?;
    let skipped = AtomicUsize::new(0);
    let failed = files::in_parallel(&work, args.jobs, |(target, recording)| {
        if target.exists() {
            skipped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        write_features(&frontend, recording, target)
    });
    let skipped = skipped.into_inner();
    let written = work.len() - skipped - failed;
    println!("{written} written, {skipped} there already, {failed} failed: {}", args.out.display());
    ensure!(failed == 0, "{failed} of {} recordings could not be read", work.len());
    Ok(())
}

/// `<parent folder>/<stem>.npy`: the parent folder is the label of a folder-per-genre collection.
fn target(recording: &Path) -> Result<PathBuf> {
    let stem = recording.file_stem().with_context(|| format!("{}: no file name", recording.display()))?;
    let absolute = std::path::absolute(recording)?;
    let parent = absolute.parent().and_then(Path::file_name).unwrap_or_default();
    let mut name = stem.to_os_string();
    name.push(".npy");
    Ok(Path::new(parent).join(name))
}

/// Writes `frontend.json`, or checks that what is there was made with the same specification.
fn write_specification(out: &Path, spec: &FrontendSpec) -> Result<()> {
    let text = serde_json::to_string_pretty(&serde_json::json!({
        "fingerprint": format!("{:016x}", spec.fingerprint()),
        "spec": spec,
    }))?;
    let path = out.join("frontend.json");
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    match fs::read_to_string(&path) {
        Ok(there) if there.trim() == text => Ok(()),
        Ok(_) => bail!(
            "{}: the features here were made with another specification; choose another --out or delete them",
            path.display()
        ),
        Err(_) => {
            fs::write(&path, text + "\n").with_context(|| format!("{}: cannot be written", path.display()))
        }
    }
}

/// Writes the frames of `recording` to `target`, whole or not at all.
fn write_features(frontend: &Frontend, recording: &Path, target: &Path) -> Result<()> {
    let mut microphone = FileMicrophone::open(recording)?;
    let mut values: Vec<i16> = Vec::new();
    let mut state = FrontendState::default();
    let mut lost = 0;
    read_to_end(&mut microphone, Channel::Mix, |block| {
        lost += block.lost;
        frontend.push(&mut state, block, |frame| values.extend_from_slice(&frame.bands));
    })
    .with_context(|| recording.display().to_string())?;
    // A row per frame of unbroken sound: a hole would join what does not belong together.
    ensure!(lost == 0, "{}: {lost} samples could not be decoded", recording.display());
    let folder = target.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    {
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&[(values.len() / MEL_BANDS) as u64, MEL_BANDS as u64])
            .writer(BufWriter::new(&mut file))
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()?;
    }
    file.flush()?;
    file.persist(target).with_context(|| format!("{}: cannot be written", target.display()))?;
    Ok(())
}
