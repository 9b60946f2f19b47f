//! `mic-test`: what a microphone really delivers, and what to set for it.

mod advice;
mod bars;
mod measure;
mod report;
mod save;

use std::io::{IsTerminal as _, stdout};

use anyhow::{Result, ensure};
use clap::Args;
use clap::builder::Resettable;
use harmonynet::capture::Channel;

use self::advice::Advice;
use self::bars::Bars;
use self::save::Save;
use super::config::{self, Loaded, SettingsArgs};
use super::source::SourceArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet mic-test                                  ten seconds of the microphone of the settings
  harmonynet mic-test 30 --device hw:1                 half a minute of the second sound card
  harmonynet mic-test --config harmonynet.toml --save  and write channel and silence threshold into that file
[files]  harmonynet mic-test song.flac                        of a recording
  arecord -c 2 -f S32_LE -r 48000 | harmonynet mic-test - --channels 2 --format S32_LE
  harmonynet mic-test --json | jq .suggested           for a program

First some seconds of quiet, for the noise floor and hum; then music as loud as it will get, for level and clipping.
Decibels are relative to a full-scale sine: its peak and its rms are both 0 dBFS.

Exit code 0 where something was measured, whatever was found; 1 where nothing was, or it could not be saved.";

/// How long is measured if nobody says.
const SECONDS: f64 = 10.0;

/// Options of `mic-test`.
#[derive(Args)]
#[command(mut_arg("file", |arg| arg
    .value_name(if cfg!(feature = "files") { "SECONDS|FILE" } else { "SECONDS|-" })
    .help(if cfg!(feature = "files") {
        "How long to measure, or a recording to measure instead of a microphone; `-` for raw samples on standard input"
    } else {
        "How long to measure; `-` for raw samples on standard input instead of a microphone"
    })
    .conflicts_with(Resettable::Reset)))]
#[command(mut_arg("or_demo", |arg| arg.conflicts_with(Resettable::Reset).conflicts_with("demo")))]
pub(crate) struct MicTestArgs {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    /// How long to measure [default: 10]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,

    /// Write the suggested microphone.channel and verdict.silence_dbfs into the settings file of --config
    #[arg(long, requires = "config")]
    save: bool,

    /// Save without asking
    #[arg(long, short = 'y', requires = "save")]
    yes: bool,

    /// One JSON object on standard output, and no level meter
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &mut MicTestArgs, loaded: &Loaded) -> Result<()> {
    config::tell(loaded);
    let first = args.source.take_seconds();
    let seconds = args.seconds.or(first).unwrap_or(SECONDS);
    ensure!(seconds > 0.0 && seconds.is_finite(), "{seconds} seconds: must be more than 0");
    let listened = args.source.channel;
    // A second channel is measured even where only the first is listened to.
    if listened == Channel::Pick(0) {
        args.source.channel = Channel::Mix;
    }
    let mut source = args.source.source()?;
    let stop = super::interrupt::flag()?;

    let mut bars = (!args.json).then(|| Bars::new(stdout(), stdout().is_terminal()));
    if bars.is_some() {
        eprintln!("{}, {seconds} s: first some quiet, then music as loud as it will get", source.name);
    }
    let heard = measure::measure(&mut source, seconds, &stop, |meter| match &mut bars {
        Some(bars) => bars.show(meter),
        None => Ok(()),
    });
    if let Some(bars) = bars {
        bars.close()?;
    }
    let heard = heard?;
    let wiring = advice::Wiring::of(args.source.device(), listened, &loaded.settings);
    let advice = Advice::of(&heard, &wiring);
    if !args.json {
        out!("{}", report::text(&heard, &advice));
    }
    let saved = match args.settings.file().filter(|_| args.save) {
        Some(file) => Save::plan(file, &advice, &loaded.settings)?.carry_out(args.yes)?,
        None => None,
    };
    if args.json {
        outln!("{}", report::json(&source.name, &heard, &advice, saved.as_deref()));
    }
    Ok(())
}
