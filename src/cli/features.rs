//! `features`: log-mel frames of recordings, for training.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use harmonynet::capture::{Channel, Microphone};
use harmonynet::classify::package::Package;
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::pipeline::recording::read_to_end;
use harmonynet::spec::{FrontendSpec, MEL_BANDS};
use npyz::WriterBuilder as _;

use super::files;
use super::sound::Sound;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet features --out features gtzan/             every recording below a folder
  harmonynet features --out features a/x.mp3 b/y.flac   features/a/x.npy and features/b/y.npy
  harmonynet features --out features --demo             self-made music, for a package's golden window
  harmonynet features --out coarse --hop 1536 gtzan/    a third of the frames, for a lite model
  harmonynet features --out mine --model lite gtzan/    as the package in the folder lite needs them

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

    /// Samples between frames, 1 to 4096; the level tracker's memory keeps its 5.9 s
    #[arg(long, value_name = "SAMPLES", default_value_t = FrontendSpec::SHIPPED.hop)]
    hop: u16,

    /// With the front-end of the model package in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["level", "hop"])]
    model: Option<PathBuf>,

    /// Threads to use [default: one per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Recordings (WAV, FLAC, MP3, Ogg), or folders of them
    #[arg(required_unless_present = "demo", value_name = "FILES")]
    files: Vec<PathBuf>,

    /// The pieces of self-made music, for golden windows: OUT/demo/<piece>.npy
    #[arg(long)]
    demo: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    /// As the shipped models need it
    Tracked,
    /// Without level tracking
    Absolute,
}

pub(crate) fn run(args: &FeaturesArgs) -> Result<()> {
    let spec = specification(args)?;
    let frontend = Frontend::new(spec)?;
    write_specification(&args.out, &spec)?;
    let work: Vec<(PathBuf, Sound)> = Sound::all(&args.files, args.demo)?
        .into_iter()
        .map(|sound| Ok((args.out.join(target(&sound)?), sound)))
        .collect::<Result<_>>()?;
    let skipped = AtomicUsize::new(0);
    let failed = files::in_parallel(&work, args.jobs, |(target, sound)| {
        if target.exists() {
            skipped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        write_features(&frontend, &mut *sound.open()?, target)
            .with_context(|| sound.path().display().to_string())
    });
    let skipped = skipped.into_inner();
    let written = work.len() - skipped - failed;
    outln!("{written} written, {skipped} there already, {failed} failed: {}", args.out.display());
    ensure!(failed == 0, "{failed} of {} recordings could not be read", work.len());
    Ok(())
}

/// The front-end that was asked for.
fn specification(args: &FeaturesArgs) -> Result<FrontendSpec> {
    if let Some(folder) = &args.model {
        let package = Package::open(folder).context("the model package cannot be used")?;
        return Ok(package.manifest().frontend.spec);
    }
    let spec = if args.level == LevelArg::Tracked { FrontendSpec::SHIPPED } else { FrontendSpec::ABSOLUTE };
    Ok(spec.with_hop(args.hop))
}

/// `<parent folder>/<stem>.npy`: the parent folder is the label of a folder-per-genre collection.
fn target(sound: &Sound) -> Result<PathBuf> {
    let path = sound.path();
    let stem = path.file_stem().with_context(|| format!("{}: no file name", path.display()))?;
    let absolute = std::path::absolute(&path)?;
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

/// Writes the frames of `microphone` to `target`, whole or not at all.
fn write_features(frontend: &Frontend, microphone: &mut dyn Microphone, target: &Path) -> Result<()> {
    let mut values: Vec<i16> = Vec::new();
    let mut state = FrontendState::default();
    let mut lost = 0;
    read_to_end(microphone, Channel::Mix, |block| {
        lost += block.lost;
        frontend.push(&mut state, block, |frame| values.extend_from_slice(&frame.bands));
    })?;
    // A row per frame of unbroken sound: a hole would join what does not belong together.
    ensure!(lost == 0, "{lost} samples could not be decoded");
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
