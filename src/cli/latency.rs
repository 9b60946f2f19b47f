//! `latency`: how long sound takes to the display, measured from outside.

mod check;
mod device;
mod link;
mod live;
mod observation;
mod onset;
mod pico_rig;
mod recorder;
mod report;
mod rig_file;
mod schedule;
mod serial;
mod stimulus;
mod virtual_rig;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use harmonynet::classify::engine::Engine;
use harmonynet::classify::package::{Package, sha256_hex};
use harmonynet::decide::Decider;
use harmonynet::pipeline::Recognizer;
use harmonynet::spec::SAMPLE_RATE_HZ;

use self::device::{Device, Told};
use self::observation::{Findings, Losses};
use self::report::Report;
use self::rig_file::{Mode, Rig};
use self::stimulus::Session;
use super::config::Loaded;
use super::engine::{self, ModelArgs};

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet latency                               on simulated time, without any hardware
  harmonynet latency --rig tests/hil/virtual.toml  the rig that the file describes
  harmonynet latency --rig tests/hil/gpio.toml --port /dev/ttyACM0
  harmonynet latency --rig tests/hil/gpio.toml --trace /run/harmonynet --pid $(pidof harmonynet)
  harmonynet latency --json latency.json --junit latency.xml --csv latency.csv

A rig plays bursts and music, finds each sound's onset in what the microphone heard, and watches the display. Two latencies
are told apart: the path (sound to level) and the decision (sound to genre). tests/hil/README.md says how it is measured.

Exit code 0 where every threshold of the rig holds, 1 where one doesn't.";

/// Options of `latency`.
#[derive(Args, Debug)]
pub(crate) struct LatencyArgs {
    /// The rig and its thresholds; without it a rig that needs no hardware
    #[arg(long, value_name = "FILE")]
    rig: Option<PathBuf>,

    /// Serial port of the rig's stopwatch, instead of the one in its file
    #[arg(long, value_name = "PORT")]
    port: Option<PathBuf>,

    /// What the device that is measured says of itself: its trace, or the folder of its traces
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,

    /// Ask this program, a `listen` on this machine, for its trace before and after
    #[arg(long, value_name = "PID", requires = "trace")]
    pid: Option<u32>,

    #[command(flatten)]
    model: ModelArgs,

    /// Write the report as one JSON object
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the distributions as comma-separated values
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write the thresholds as JUnit test cases
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(crate) fn run(args: &LatencyArgs, loaded: &Loaded) -> Result<()> {
    let rig = Rig::read(args.rig.as_deref())?;
    let before = super::doctor::conditions(loaded)?;
    let package = args.model.package()?;
    let labels = package.manifest().labels();
    let device = args.trace.as_deref().map(|path| Device::new(path, args.pid)).transpose()?;
    let mut seen = match &rig.mode {
        Mode::Virtual(simulated) => {
            let session = Session::new(&rig.stimulus);
            let listener = listener_of(args, &package)?;
            virtual_rig::observe(simulated, &session, rig.stimulus.seed, listener, &labels)?
        }
        Mode::Gpio(wired) | Mode::Acoustic(wired) => pico_rig::observe(
            wired,
            args.port.as_ref().unwrap_or(&wired.port),
            &rig.stimulus,
            rig.record.as_ref(),
        )?,
    };
    let spec = package.manifest().frontend.spec;
    let window = package.manifest().window()?;
    let fill = f64::from(window.samples(spec.hop)) / f64::from(SAMPLE_RATE_HZ);
    let found = Findings::of(&seen, fill);
    let live = match rig.live.seconds {
        0.0 => None,
        seconds => Some(live::observe(
            seconds,
            listener_of(args, &package)?,
            &labels,
            super::listen::threads(loaded.settings.board()),
        )?),
    };
    // A trace that can't be read costs the exit code, not what was measured.
    let told = device.map(|device| device.told());
    if let Some(Ok(Told { fares, .. })) = &told {
        seen.losses = Some(Losses {
            overruns: fares.overruns,
            samples: fares.lost + fares.dropped,
            verdicts: fares.passed_over,
        });
    }
    let (told, unread) = match told.transpose() {
        Ok(told) => (told, None),
        Err(error) => (None, Some(error)),
    };
    let report = Report {
        checks: check::checks(&rig.thresholds, &found, &seen),
        rig,
        fill_ms: 1000.0 * fill,
        granted: seen.granted,
        through: seen.through,
        clocks: seen.clocks,
        losses: seen.losses,
        asked_again: seen.asked_again,
        recorder_lost: seen.recording.map(|recording| recording.lost),
        found,
        live,
        device: told,
        before,
        after: super::doctor::conditions(loaded)?,
        model: model(args, &package)?,
        binary: binary(),
    };
    print!("{}", report.text());
    report.write(args.json.as_deref(), args.csv.as_deref(), args.junit.as_deref())?;
    if let Some(error) = unread {
        return Err(error);
    }
    match report.checks.iter().filter(|check| !check.holds()).count() {
        0 => Ok(()),
        1 => bail!("a threshold of the rig does not hold"),
        broken => bail!("{broken} thresholds of the rig do not hold"),
    }
}

/// What is measured.
fn listener_of(args: &LatencyArgs, package: &Package) -> Result<Recognizer<Engine>> {
    let manifest = package.manifest();
    let decider = Decider::new(engine::policy(manifest)?, manifest.labels().len())?;
    Ok(Recognizer::new(engine::frontend(package)?, args.model.engine(package)?, decider))
}

/// The model's name, version and form, and the hash of the file that runs.
fn model(args: &LatencyArgs, package: &Package) -> Result<String> {
    let manifest = package.manifest();
    let form = args.model.form(package)?;
    let hash = form.entry(manifest).map_or("unknown", |graph| graph.sha256.as_str());
    Ok(format!("{} {}, {}, sha256 {hash}", manifest.name, manifest.version, form.name()))
}

/// This program's hash.
fn binary() -> String {
    let bytes = std::env::current_exe().and_then(std::fs::read);
    bytes.map_or_else(|_| "unknown".into(), |bytes| format!("sha256 {}", sha256_hex(&bytes)))
}
