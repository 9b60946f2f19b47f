//! Silence and sound, by level.

use super::Policy;
use crate::flow::{Level, SampleIndex};

/// Whether there is anything to hear.
#[derive(Clone, Debug)]
pub(super) struct Hush {
    silent: bool,
    /// Since when every frame spoke against `silent`.
    turning_since: Option<SampleIndex>,
    quiet: Level,
    loud: Level,
}

/// A silence begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Silent,
    /// Since the frame that ended there.
    Sounding {
        since: SampleIndex,
    },
}

impl Hush {
    pub(super) fn new(policy: &Policy) -> Self {
        Self {
            silent: false,
            turning_since: None,
            quiet: Level::from_dbfs(policy.silence_dbfs),
            loud: Level::from_dbfs(policy.silence_dbfs + policy.silence_hysteresis_db),
        }
    }

    pub(super) fn silent(&self) -> bool {
        self.silent
    }

    /// Takes one frame's level.
    pub(super) fn push(&mut self, policy: &Policy, at: SampleIndex, level: Level) -> Option<Turn> {
        // The upper threshold begins a sound, the lower one ends it; only the lower one makes and breaks a rest.
        let against = match self.silent {
            false => level < self.quiet,
            true if self.turning_since.is_some() => level >= self.quiet,
            true => level >= self.loud,
        };
        if !against {
            self.turning_since = None;
            return None;
        }
        let since = *self.turning_since.get_or_insert(at);
        let needed = if self.silent { policy.sound_after_samples } else { policy.silence_after_samples };
        if at.saturating_sub(since) < u64::from(needed) {
            return None;
        }
        self.silent = !self.silent;
        self.turning_since = None;
        Some(if self.silent { Turn::Silent } else { Turn::Sounding { since } })
    }
}
