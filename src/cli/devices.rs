//! `devices`: the microphones of this machine.

use anyhow::Result;
use clap::Args;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet devices                every microphone, what its hardware offers and how to name it
  harmonynet devices --shared       PCMs of the ALSA configuration that several programs may use, too

Names that last over restarts and replugging: hw:CARD=ID, and usb:PORT or usb:serial=NUMBER for USB microphones.";

/// Options of `devices`.
#[derive(Args)]
pub(crate) struct DevicesArgs {
    /// List shared PCMs (dsnoop, PipeWire, PulseAudio, ...) as well
    #[arg(long)]
    shared: bool,
}

#[cfg(feature = "alsa")]
pub(crate) fn run(args: &DevicesArgs) -> Result<()> {
    use std::io::{Write as _, stdout};

    let mut out = stdout().lock();
    let devices = harmonynet::capture::devices();
    for device in &devices {
        write!(out, "{device}")?;
    }
    if devices.is_empty() {
        writeln!(
            out,
            "no microphone: plug one in, or check the groups of this user (`audio`) and the board's overlays.\n\
             `harmonynet listen --demo` works without."
        )?;
    }
    if args.shared {
        for shared in harmonynet::capture::shared_devices() {
            writeln!(out, "{:<28} {}", shared.name, shared.description)?;
        }
    }
    Ok(())
}

#[cfg(not(feature = "alsa"))]
pub(crate) fn run(args: &DevicesArgs) -> Result<()> {
    let _ = args.shared;
    anyhow::bail!("this build has no microphones: build it with --features alsa")
}
