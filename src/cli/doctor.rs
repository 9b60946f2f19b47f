//! `doctor`: what is wrong with this machine, and what mends it.
//!
//! Every check reads the system through a [`Machine`], and nothing else, so that tests bring machines that aren't there.
//! Nothing is changed, and nothing is sent to a display.

mod boot;
mod display;
mod finding;
mod machine;
mod permission;
mod power;
mod resources;
mod software;
mod sound;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use harmonynet::settings::board::Parts;
use harmonynet::settings::{DEFAULT_FILE, Settings};

use self::finding::{Finding, Report, Status};
use self::machine::{Files, Machine, This};
use super::config::{Loaded, SettingsArgs};
use super::engine::ModelArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet doctor                                         this machine, with its settings
  harmonynet doctor --config new.toml                       with the settings of another file
  harmonynet doctor --board pi-4 --display max7219          as if that display were set
  harmonynet doctor --json | jq '.checks[] | select(.status == \"error\")'
  harmonynet doctor --root /media/me/rootfs                 the files of a card that was put in here

Each line is ok, a warning (it works, but not as well as it could), an error (it cannot work), or unknown where this
system does not tell. Errors and warnings say what mends them.

Exit code 0 where there is no error, also with warnings; 1 where there is one.";

/// Options of `doctor`.
#[derive(Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    /// Read /proc, /sys, /dev, /etc and /boot below this folder; microphone, model and scheduling stay this machine's
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,

    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// What checks look at.
struct Patient<'a> {
    machine: &'a dyn Machine,
    settings: &'a Settings,
    parts: &'static Parts,
    /// What was wrong on the way to the settings, and what is used instead.
    loaded: &'a Loaded,
    /// The settings file, if there is one.
    file: Option<&'a Path>,
    /// The folder for the last good settings, if one is named.
    state: Option<&'a Path>,
}

impl Patient<'_> {
    /// The text of a setting.
    fn text(&self, name: &str) -> &str {
        self.settings.text(name).unwrap_or_default()
    }
}

/// Looks at one thing.
type Check = fn(&Patient<'_>) -> Vec<Finding>;

/// Everything but the model, in the order in which it is told.
const CHECKS: &[Check] = &[
    software::settings,
    boot::board,
    boot::lines,
    sound::cards,
    sound::microphone,
    display::check,
    power::clock,
    power::throttling,
    power::undervoltage,
    power::temperature,
    resources::memory,
    resources::state,
    resources::scheduling,
];

pub(crate) fn run(args: &DoctorArgs, loaded: &Loaded) -> Result<()> {
    let machine = This { files: Files::below(&args.root) };
    let patient = Patient {
        machine: &machine,
        settings: &loaded.settings,
        parts: Parts::shipped()?,
        loaded,
        file: args.settings.file().or(Some(Path::new(DEFAULT_FILE)).filter(|file| file.exists())),
        state: args.settings.state(),
    };
    let mut report = Report::default();
    let mut tell = |findings: Vec<Finding>| {
        for finding in findings {
            if !args.json {
                out!("{finding}");
            }
            report.add(finding);
        }
        anyhow::Ok(())
    };
    CHECKS.iter().try_for_each(|check| tell(check(&patient)))?;
    // It takes seconds on a small board, so that everything else is told before.
    tell(software::model(&args.model))?;
    if args.json {
        outln!("{}", report.json(patient.settings.board()));
    } else {
        outln!("{}", report.summary());
    }
    match report.count(Status::Error) {
        0 => Ok(()),
        1 => bail!("an error was found"),
        errors => bail!("{errors} errors were found"),
    }
}

/// What this machine says of itself that a measurement of times depends on: kernel, board, clock, throttling, temperature.
#[cfg(feature = "latency")]
pub(crate) fn conditions(loaded: &Loaded) -> Result<Vec<(&'static str, String)>> {
    let machine = This { files: Files::below(Path::new("/")) };
    let patient = Patient {
        machine: &machine,
        settings: &loaded.settings,
        parts: Parts::shipped()?,
        loaded,
        file: None,
        state: None,
    };
    let kernel = machine.files.read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into());
    let mut told = vec![("kernel", format!("{kernel}, {}", std::env::consts::ARCH))];
    for check in [boot::board, power::clock, power::throttling, power::temperature] {
        told.extend(check(&patient).into_iter().map(|finding| match finding.status {
            Status::Unknown => (finding.check, "unknown".to_string()),
            _ => (finding.check, finding.found),
        }));
    }
    Ok(told)
}

#[cfg(test)]
mod tests;
