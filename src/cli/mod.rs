//! The command line: one file per command.

mod classify;
mod config;
mod demo;
mod devices;
mod display_test;
mod doctor;
mod engine;
mod evaluate;
mod features;
mod files;
mod interrupt;
mod latency;
mod leds;
mod listen;
mod mic_test;
mod model;
mod source;
mod tell;
mod timings;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  harmonynet                              listen to the default microphone
  harmonynet listen --device usb:1-1.3    listen to the microphone in that USB port
  harmonynet listen --demo                play self-made music to it instead
  harmonynet listen --json | jq .genre    one JSON object per verdict
  harmonynet classify *.flac              the genre of recordings
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
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    listen: listen::ListenArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Listen to a microphone and show the genre, live (the default)
    #[command(after_help = listen::EXAMPLES)]
    Listen(Box<listen::ListenArgs>),
    /// Tell the genre of recordings
    #[command(after_help = classify::EXAMPLES)]
    Classify(classify::ClassifyArgs),
    /// List microphones, their formats and rates
    #[command(after_help = devices::EXAMPLES)]
    Devices(devices::DevicesArgs),
    /// Examine this machine: microphone, display, boot configuration, power, model, settings
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(Box<doctor::DoctorArgs>),
    /// Measure a microphone and suggest what to set
    #[command(after_help = mic_test::EXAMPLES)]
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
    #[command(after_help = latency::EXAMPLES)]
    Latency(Box<latency::LatencyArgs>),
    /// Tell how long each stage took, from a dump of a running `listen`
    #[command(after_help = trace::EXAMPLES)]
    Trace(trace::TraceArgs),
    /// Write log-mel frames of recordings, for training
    #[command(after_help = features::EXAMPLES)]
    Features(features::FeaturesArgs),
    /// Measure accuracy on a part of a labelled collection
    #[command(after_help = evaluate::EXAMPLES)]
    Evaluate(Box<evaluate::EvaluateArgs>),
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
            eprintln!("harmonynet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli, loaded: &config::Loaded) -> anyhow::Result<()> {
    match cli.command {
        None => listen::run(&cli.listen, loaded),
        Some(Command::Listen(args)) => listen::run(&args, loaded),
        Some(Command::Classify(args)) => classify::run(&args),
        Some(Command::Devices(args)) => devices::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&args, loaded),
        Some(Command::MicTest(mut args)) => mic_test::run(&mut args, loaded),
        Some(Command::Model(args)) => model::run(&args),
        Some(Command::DisplayTest(args)) => display_test::run(&args, loaded),
        Some(Command::Config(args)) => config::run(&args, loaded),
        Some(Command::Latency(args)) => latency::run(&args, loaded),
        Some(Command::Trace(args)) => trace::run(&args),
        Some(Command::Features(args)) => features::run(&args),
        Some(Command::Evaluate(args)) => evaluate::run(&args),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
