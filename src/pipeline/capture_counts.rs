//! What the capture thread counts, readable by others while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::capture::Counters;
use crate::flow::Health;

/// Written by the capture thread alone. The numbers may be of different moments, a block apart.
#[derive(Debug, Default)]
pub(super) struct CaptureCounts {
    lost: AtomicU64,
    dropped: AtomicU64,
    overruns: AtomicU64,
    failures: AtomicU64,
}

impl CaptureCounts {
    pub(super) fn set(&self, counters: &Counters, dropped: u64) {
        self.lost.store(counters.lost_samples, Ordering::Relaxed);
        self.dropped.store(dropped, Ordering::Relaxed);
        self.overruns.store(counters.overruns, Ordering::Relaxed);
        self.failures.store(counters.failed, Ordering::Relaxed);
    }

    /// The part of a report that the capture thread knows.
    pub(super) fn health(&self) -> Health {
        Health {
            lost: self.lost.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            overruns: self.overruns.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            ..Health::default()
        }
    }
}
