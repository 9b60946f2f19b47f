//! The command line: one file per command.

#[macro_use]
mod out;

mod beside;
#[cfg(feature = "recordings")]
mod classify;
mod config;
mod demo;
mod devices;
mod display_test;
mod doctor;
mod dump;
mod engine;
#[cfg(feature = "recordings")]
mod evaluate;
#[cfg(feature = "recordings")]
mod features;
#[cfg(feature = "recordings")]
mod files;
mod interrupt;
#[cfg(feature = "latency")]
mod latency;
mod leds;
mod listen;
mod log;
mod mic_test;
mod model;
mod service;
#[cfg(feature = "recordings")]
mod sound;
mod source;
mod tell;
#[cfg(feature = "latency")]
mod timings;
#[cfg(feature = "latency")]
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

// Lines that begin with a feature's name are for builds with that feature: see `in_this_build`.
const EXAMPLES: &str = "\
Examples:
  harmonynet                              listen to the default microphone
  harmonynet listen --device usb:1-1.3    listen to the microphone in that USB port
  harmonynet listen --demo                play self-made music to it instead
  harmonynet listen --json | jq .genre    one JSON object per verdict
[recordings]  harmonynet classify *.flac              the genre of recordings
  harmonynet devices                      microphones and what they can do
  harmonynet doctor                       what is wrong with this machine, and what mends it
  harmonynet mic-test                     level, noise, hum and clipping of the microphone
  harmonynet display-test --display max7219
                                          every state on an LED display, and how it is wired
  harmonynet model                        what is in the model package, and whether it verifies
  harmonynet config --print               every setting, its value and where that came from

Exit codes: 0 done, 1 failed, 2 wrong command line. Errors go to standard error.";

/// Listens to music and shows the genre, live.
#[derive(Parser)]
#[command(version, after_help = in_this_build(EXAMPLES), args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    listen: listen::ListenArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Listen to a microphone and show the genre, live (the default)
    #[command(after_help = in_this_build(listen::EXAMPLES))]
    Listen(Box<listen::ListenArgs>),
    /// Tell the genre of recordings
    #[cfg(feature = "recordings")]
    #[command(after_help = classify::EXAMPLES)]
    Classify(classify::ClassifyArgs),
    /// List microphones, their formats and rates
    #[command(after_help = devices::EXAMPLES)]
    Devices(devices::DevicesArgs),
    /// Examine this machine: microphone, display, boot configuration, power, model, settings
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(Box<doctor::DoctorArgs>),
    /// Measure a microphone and suggest what to set
    #[command(after_help = in_this_build(mic_test::EXAMPLES))]
    MicTest(Box<mic_test::MicTestArgs>),
    /// Show what is in a model package and verify it
    #[command(after_help = model::EXAMPLES)]
    Model(model::ModelCommand),
    /// Show every state on an LED display, and how it is wired
    #[command(after_help = display_test::EXAMPLES)]
    DisplayTest(display_test::DisplayTestArgs),
    /// Show what is set and why, check a settings file, print boot lines
    #[command(after_help = config::EXAMPLES)]
    Config(config::ConfigCommand),
    /// Measure how long sound takes to the display
    #[cfg(feature = "latency")]
    #[command(after_help = latency::EXAMPLES)]
    Latency(Box<latency::LatencyArgs>),
    /// Tell how long each stage took, from a dump of a running `listen`
    #[cfg(feature = "latency")]
    #[command(after_help = trace::EXAMPLES)]
    Trace(trace::TraceArgs),
    /// Write log-mel frames of recordings, for training
    #[cfg(feature = "recordings")]
    #[command(after_help = features::EXAMPLES)]
    Features(features::FeaturesArgs),
    /// Measure accuracy on a part of a labelled collection
    #[cfg(feature = "recordings")]
    #[command(after_help = evaluate::EXAMPLES)]
    Evaluate(Box<evaluate::EvaluateArgs>),
    // Known in builds without them, so that what is missing can be told.
    #[cfg(not(feature = "recordings"))]
    #[command(hide = true, disable_help_flag = true)]
    Classify(LackingArgs),
    #[cfg(not(feature = "recordings"))]
    #[command(hide = true, disable_help_flag = true)]
    Features(LackingArgs),
    #[cfg(not(feature = "recordings"))]
    #[command(hide = true, disable_help_flag = true)]
    Evaluate(LackingArgs),
    #[cfg(not(feature = "latency"))]
    #[command(hide = true, disable_help_flag = true)]
    Latency(LackingArgs),
    #[cfg(not(feature = "latency"))]
    #[command(hide = true, disable_help_flag = true)]
    Trace(LackingArgs),
}

/// A help text without the lines for which this build lacks a feature: those begin with its name in brackets.
fn in_this_build(text: &str) -> String {
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            None => kept += line,
            Some(("files", line)) if cfg!(feature = "files") => kept += line,
            Some(("recordings", line)) if cfg!(feature = "recordings") => kept += line,
            Some(("files+rooms", line)) if cfg!(all(feature = "files", feature = "rooms")) => kept += line,
            Some(_) => {}
        }
    }
    kept
}

/// Whatever stands behind a command that this build lacks.
#[cfg(not(all(feature = "latency", feature = "recordings")))]
#[derive(clap::Args)]
struct LackingArgs {
    #[arg(num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true)]
    _words: Vec<std::ffi::OsString>,
}

/// Runs the command that the command line names.
pub(crate) fn run() -> ExitCode {
    let line = std::env::args_os().collect();
    let result = config::parse(Cli::command(), line).and_then(|(matches, loaded)| {
        // What clap finds wrong here, it tells and ends as it does with every command line.
        let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        dispatch(cli, &loaded)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough: `harmonynet devices | head -1` is no failure.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            log::say(format_args!("harmonynet: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli, loaded: &config::Loaded) -> anyhow::Result<()> {
    match cli.command {
        None => listen::run(&cli.listen, loaded),
        Some(Command::Listen(args)) => listen::run(&args, loaded),
        #[cfg(feature = "recordings")]
        Some(Command::Classify(args)) => classify::run(&args),
        Some(Command::Devices(args)) => devices::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&args, loaded),
        Some(Command::MicTest(mut args)) => mic_test::run(&mut args, loaded),
        Some(Command::Model(args)) => model::run(&args),
        Some(Command::DisplayTest(args)) => display_test::run(&args, loaded),
        Some(Command::Config(args)) => config::run(&args, loaded),
        #[cfg(feature = "latency")]
        Some(Command::Latency(args)) => latency::run(&args, loaded),
        #[cfg(feature = "latency")]
        Some(Command::Trace(args)) => trace::run(&args),
        #[cfg(feature = "recordings")]
        Some(Command::Features(args)) => features::run(&args),
        #[cfg(feature = "recordings")]
        Some(Command::Evaluate(args)) => evaluate::run(&args),
        #[cfg(not(feature = "recordings"))]
        Some(Command::Classify(_) | Command::Features(_) | Command::Evaluate(_)) => {
            anyhow::bail!("this build has no commands for recordings: build it with --features recordings")
        }
        #[cfg(not(feature = "latency"))]
        Some(Command::Latency(_) | Command::Trace(_)) => {
            anyhow::bail!("this build measures no times: build it with --features latency")
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_offers_what_this_build_has() {
        assert_eq!(
            in_this_build("a\n[files]  b\n[none]  c\nd [files]"),
            if cfg!(feature = "files") { "a\n  b\nd [files]" } else { "a\nd [files]" }
        );
        for (text, feature) in
            [(EXAMPLES, cfg!(feature = "recordings")), (listen::EXAMPLES, cfg!(feature = "files"))]
        {
            let shown = in_this_build(text);
            assert_eq!(shown.contains(".flac"), feature, "{shown}");
            assert!(!shown.contains("\n["), "{shown}");
        }
        let help = Cli::command().render_long_help().to_string();
        for command in ["classify", "features", "evaluate"] {
            assert_eq!(help.contains(&format!("  {command} ")), cfg!(feature = "recordings"), "{help}");
            let line = ["harmonynet", command, "--anything", "x", "--help"];
            assert_eq!(Cli::try_parse_from(line).is_ok(), cfg!(not(feature = "recordings")), "{command}");
        }
    }
}
