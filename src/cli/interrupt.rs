//! Ctrl-C and the signals that end a service or ask it something. The only file that names `ctrlc` and `signal_hook`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

/// A flag that is set when somebody wants the program to end. To be asked for once.
pub(crate) fn flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&stop);
    ctrlc::set_handler(move || heard.store(true, Ordering::Relaxed)).context("handling Ctrl-C")?;
    Ok(stop)
}

/// A flag that is set with every SIGUSR1: somebody asks for the trace.
pub(crate) fn asked() -> Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&asked))
        .context("handling SIGUSR1")?;
    Ok(asked)
}
