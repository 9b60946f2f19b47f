//! Ctrl-C and the end that a service manager asks for. The only file that names `ctrlc`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

/// A flag that is raised when the program is asked to end. To be called once.
pub(crate) fn flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&stop);
    ctrlc::set_handler(move || heard.store(true, Ordering::Relaxed)).context("handling Ctrl-C")?;
    Ok(stop)
}
