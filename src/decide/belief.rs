//! Smoothed log-probabilities.

use super::Policy;
use crate::flow::{SampleIndex, Scores};
use crate::spec::MAX_LABELS;

/// An exponential average of log-probabilities, natural logarithms, over time.
#[derive(Clone, Debug)]
pub(super) struct Belief {
    logs: heapless::Vec<f32, MAX_LABELS>,
    /// When the last scores came; `None` when nothing is believed.
    last: Option<SampleIndex>,
}

impl Belief {
    pub(super) fn new(labels: usize) -> Self {
        let mut logs = heapless::Vec::new();
        // `labels` was checked against the capacity.
        let _ = logs.resize(labels, 0.0);
        Self { logs, last: None }
    }

    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Takes scores, one per label.
    pub(super) fn push(&mut self, policy: &Policy, scores: &Scores) {
        let kept = self.last.map_or(0.0, |last| {
            let age = scores.end.saturating_sub(last) as f32;
            libm::expf(-age / policy.memory_samples as f32)
        });
        self.last = Some(scores.end);
        for (log, p) in self.logs.iter_mut().zip(&scores.probabilities) {
            let new = libm::logf(p.clamp(policy.floor, 1.0));
            *log = new + (*log - new) * kept;
        }
    }

    /// The likeliest label; the lowest index of equals.
    pub(super) fn leader(&self) -> u8 {
        let mut leader = 0;
        for (label, log) in self.logs.iter().enumerate() {
            if *log > self.logs[leader] {
                leader = label;
            }
        }
        leader as u8
    }

    /// Logarithm of how many times as likely as `b` `a` is.
    pub(super) fn lead(&self, a: u8, b: u8) -> f32 {
        self.logs[usize::from(a)] - self.logs[usize::from(b)]
    }

    /// The label's share of the smoothed distribution, 0–1.
    pub(super) fn confidence(&self, label: u8) -> f32 {
        let own = self.logs[usize::from(label)];
        // Differences are at most −ln(floor), so nothing overflows; the label's own term keeps the sum at 1 or more.
        1.0 / self.logs.iter().map(|log| libm::expf(log - own)).sum::<f32>()
    }
}
