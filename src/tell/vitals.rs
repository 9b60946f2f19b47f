//! What is known at any moment without an event: how far listening is, how it fares, whether a broker is there. Written by
//! the thread that tells, read by those that serve.

#[cfg(feature = "page")]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::flow::{Health, SampleIndex};

/// Shared by all threads of this module.
#[derive(Debug)]
pub(super) struct Vitals {
    began: Instant,
    at: AtomicU64,
    health: Mutex<Health>,
    broker: Broker,
    #[cfg(feature = "page")]
    viewers: AtomicUsize,
}

/// The MQTT broker, seen from here.
#[derive(Debug, Default)]
pub(super) struct Broker {
    /// One was named.
    pub(super) wanted: AtomicBool,
    /// It answers.
    pub(super) connected: AtomicBool,
    /// Messages that it never got.
    pub(super) lost: AtomicU64,
}

impl Vitals {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            at: AtomicU64::new(0),
            health: Mutex::new(Health::default()),
            broker: Broker::default(),
            #[cfg(feature = "page")]
            viewers: AtomicUsize::new(0),
        }
    }

    pub(super) fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// Samples up to which sound was heard.
    pub(super) fn at(&self) -> SampleIndex {
        self.at.load(Ordering::Relaxed)
    }

    pub(super) fn heard(&self, at: SampleIndex) {
        self.at.fetch_max(at, Ordering::Relaxed);
    }

    pub(super) fn health(&self) -> Health {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_health(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    /// Pages that watch.
    #[cfg(feature = "page")]
    pub(super) fn viewers(&self) -> &AtomicUsize {
        &self.viewers
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }
}
