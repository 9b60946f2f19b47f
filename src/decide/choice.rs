//! The label on show: when it gives way, and when it is doubted.

use super::{Policy, belief::Belief};
use crate::flow::{SampleIndex, State};

/// A label, whether it is believed, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    label: u8,
    confidence: f32,
    /// Since when it is shown as a genre; `None` while unsure.
    genre_since: Option<SampleIndex>,
    /// Since when another label leads by the margin.
    beaten_since: Option<SampleIndex>,
}

impl Choice {
    /// The choice that follows `before` (`None` at the window's first scores) once `belief` was updated at `at`.
    pub(super) fn next(before: Option<Self>, policy: &Policy, belief: &Belief, at: SampleIndex) -> Self {
        let leader = belief.leader();
        let fresh = Self { label: leader, confidence: 0.0, genre_since: None, beaten_since: None };
        let mut choice = before.unwrap_or(fresh);
        let beaten = leader != choice.label && belief.lead(leader, choice.label) >= libm::logf(policy.lead);
        choice.beaten_since = if beaten { choice.beaten_since.or(Some(at)) } else { None };
        let lasted = |since: SampleIndex, samples: u32| at.saturating_sub(since) >= u64::from(samples);
        let held = choice.genre_since.is_some_and(|since| !lasted(since, policy.hold_samples));
        if !held && choice.beaten_since.is_some_and(|since| lasted(since, policy.settle_samples)) {
            choice = fresh;
        }
        choice.confidence = belief.confidence(choice.label);
        let doubted = policy.unsure_below - policy.unsure_hysteresis;
        choice.genre_since = match choice.genre_since {
            Some(_) if !held && choice.confidence < doubted => None,
            None if choice.confidence >= policy.unsure_below => Some(at),
            unchanged => unchanged,
        };
        choice
    }

    pub(super) fn state(&self) -> State {
        let Self { label, confidence, .. } = *self;
        match self.genre_since {
            Some(_) => State::Genre { label, confidence },
            None => State::Unsure { label, confidence },
        }
    }
}
