//! `trace`: what a dump of the trace says. `dump.rs` writes them.

pub(crate) mod print;

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use harmonynet::trace::file;
use harmonynet::trace::stages::Stages;

pub(crate) const EXAMPLES: &str = "\
Examples:
  kill -USR1 $(pidof harmonynet)                    a running `listen` writes its last two minutes
  harmonynet trace /run/harmonynet/trace-0.hnt      how long each stage took
  harmonynet trace FILE --json                      the same for a program
  harmonynet trace FILE --records                   every record, one JSON object per line

`listen` also writes one when microphone, model or display break or sound is lost: a minute after the last at the earliest,
then two, four, up to a day. It keeps four files at most, 1.7 MiB together, in the folder that --trace names, else in the state
folder, else in the service manager's or the user's runtime folder.";

/// Options of `trace`.
#[derive(Args, Debug)]
pub(crate) struct TraceArgs {
    /// The dump
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// One JSON object
    #[arg(long)]
    json: bool,

    /// Every record, one JSON object per line
    #[arg(long, conflicts_with = "json")]
    records: bool,
}

pub(crate) fn run(args: &TraceArgs) -> Result<()> {
    let name = || args.file.display().to_string();
    let opened = BufReader::new(File::open(&args.file).with_context(name)?);
    let (header, records) = file::read(opened).with_context(name)?;
    if args.records {
        return print::records(&records);
    }
    let stages = Stages::of(&records);
    if args.json {
        outln!("{:#}", print::json(&header, records.len(), &stages));
    } else {
        out!("{}", print::text(&header, records.len(), &stages));
    }
    Ok(())
}
