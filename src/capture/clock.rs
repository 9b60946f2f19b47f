//! Time for whoever waits: the system's, or one that a test advances. The only file that names `rustix::time`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::flow::Nanos;

/// A monotonic clock that can be waited on.
pub trait Clock {
    /// Time since some fixed moment.
    fn now(&self) -> Duration;

    /// Waits this long.
    fn sleep(&self, time: Duration);

    /// The same time as [`now`](Self::now) in nanoseconds, which lasts for five centuries.
    fn nanos(&self) -> Nanos {
        u64::try_from(self.now().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The system's monotonic clock, counted from the system's start: the one that drivers of sound cards and of GPIO lines stamp
/// their events with. It stands still while the system is suspended.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock(());

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        // It begins at zero, so neither part is negative.
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// A clock that only moves when it is told to, or slept on. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Moves the time forward.
    pub fn advance(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn sleep(&self, time: Duration) {
        self.advance(time);
    }
}
