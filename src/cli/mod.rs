//! The command line: one file per command.

mod classify;
mod demo;
mod devices;
mod engine;
mod evaluate;
mod features;
mod files;
mod listen;
mod model;
mod source;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  harmonynet                              listen to the default microphone
  harmonynet listen --device usb:1-1.3    listen to the microphone in that USB port
  harmonynet listen --demo                play self-made music to it instead
  harmonynet listen --json | jq .genre    one JSON object per verdict
  harmonynet classify *.flac              the genre of recordings
  harmonynet devices                      microphones and what they can do
  harmonynet model                        what is in the model package, and whether it verifies

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
    /// Show what is in a model package and verify it
    #[command(after_help = model::EXAMPLES)]
    Model(model::ModelCommand),
    /// Write log-mel frames of recordings, for training
    #[command(after_help = features::EXAMPLES)]
    Features(features::FeaturesArgs),
    /// Measure accuracy on a part of a labelled collection
    #[command(after_help = evaluate::EXAMPLES)]
    Evaluate(Box<evaluate::EvaluateArgs>),
}

/// Runs the command that the command line names.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => listen::run(&cli.listen),
        Some(Command::Listen(args)) => listen::run(&args),
        Some(Command::Classify(args)) => classify::run(&args),
        Some(Command::Devices(args)) => devices::run(&args),
        Some(Command::Model(args)) => model::run(&args),
        Some(Command::Features(args)) => features::run(&args),
        Some(Command::Evaluate(args)) => evaluate::run(&args),
    };
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

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
