//! What the device under test says of itself: the trace that `harmonynet listen` writes, for the same report.
//!
//! On another machine somebody dumps it and copies it here. On this machine the program is asked by its number, before and after
//! the measurement, so that its counts are those of the measurement alone.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use harmonynet::capture::{Clock as _, SystemClock};
use harmonynet::trace::file::{self, Fares, Header};
use harmonynet::trace::stages::Stages;

/// How long a program that was asked for its trace may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the device says.
pub(super) struct Told {
    pub(super) header: Header,
    pub(super) stages: Stages,
    /// How it fared: while it was measured where it was asked before, else since its start.
    pub(super) fares: Fares,
    pub(super) is_of_measurement: bool,
}

impl Told {
    /// Records that are left.
    pub(super) fn records(&self) -> usize {
        let (periods, verdicts, pictures) = self.stages.counts;
        periods + verdicts + pictures + self.stages.faults.len()
    }

    /// What its counts are of.
    pub(super) fn when(&self) -> &'static str {
        if self.is_of_measurement { "counted while it was measured" } else { "counted since its start" }
    }
}

/// Where to ask.
pub(super) struct Device {
    path: PathBuf,
    /// The program's number, and how it had fared before.
    asked: Option<(u32, Fares)>,
}

impl Device {
    /// The device whose trace is the file `path`, or the newest in the folder; with `pid` it is asked for one now.
    pub(super) fn new(path: &Path, pid: Option<u32>) -> Result<Self> {
        let ask = |pid| ask(path, pid).map(|file| (pid, file));
        let asked = pid.map(ask).transpose()?;
        let asked =
            asked.map(|(pid, file)| read(&file).map(|(header, _)| (pid, header.fares))).transpose()?;
        Ok(Self { path: path.into(), asked })
    }

    /// What it says now.
    pub(super) fn told(&self) -> Result<Told> {
        let file = match &self.asked {
            Some((pid, _)) => ask(&self.path, *pid)?,
            None if self.path.is_dir() => newest(&self.path).map(|(file, _)| file).with_context(|| {
                format!("{}: no trace in it; `kill -USR1` the device's program", self.path.display())
            })?,
            None => self.path.clone(),
        };
        let (header, stages) = read(&file)?;
        let fares = match &self.asked {
            Some((_, before)) => header.fares.since(before),
            None => header.fares.clone(),
        };
        Ok(Told { header, stages, fares, is_of_measurement: self.asked.is_some() })
    }
}

fn read(file: &Path) -> Result<(Header, Stages)> {
    let name = || format!("the device's trace, {}", file.display());
    let opened = BufReader::new(File::open(file).with_context(name)?);
    let (header, records) = file::read(opened).with_context(name)?;
    Ok((header, Stages::of(&records)))
}

/// Asks the program for its trace; the file that it writes into `folder`.
fn ask(folder: &Path, pid: u32) -> Result<PathBuf> {
    ensure!(
        folder.is_dir(),
        "{}: with --pid the folder that the program's own --trace names",
        folder.display()
    );
    let before = newest(folder);
    // Every shell has `kill`, which not every system has as a program.
    let killed = Command::new("sh").args(["-c", "kill -USR1 \"$0\"", &pid.to_string()]).output()?;
    ensure!(
        killed.status.success(),
        "--pid {pid}: cannot be asked for its trace: {}",
        String::from_utf8_lossy(&killed.stderr).trim()
    );
    let clock = SystemClock::default();
    let until = clock.now() + ANSWER_WITHIN;
    while clock.now() < until {
        clock.sleep(LOOK_EVERY);
        if let Some((file, at)) = newest(folder)
            && before.as_ref().is_none_or(|(_, before)| at > *before)
        {
            return Ok(file);
        }
    }
    bail!(
        "--pid {pid} wrote no trace into {} within {ANSWER_WITHIN:?}: is it `harmonynet listen --trace` of this folder?",
        folder.display()
    )
}

/// The newest trace of a folder, and when it was written.
fn newest(folder: &Path) -> Option<(PathBuf, SystemTime)> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let traces = files.filter(|file| file.extension().is_some_and(|extension| extension == "hnt"));
    let written = |file: PathBuf| file.metadata().and_then(|meta| meta.modified()).ok().map(|at| (file, at));
    traces.filter_map(written).max_by_key(|(_, at)| *at)
}
