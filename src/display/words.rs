//! The words for a state, the same on every display that has room for words.

use crate::flow::State;

/// One lower-case word: the state's name in JSON and in status lines.
#[must_use]
pub fn state(state: &State) -> &'static str {
    match state {
        State::Listening => "listening",
        State::Silence => "silence",
        State::Unsure { .. } => "unsure",
        State::Genre { .. } => "genre",
        State::Fault { .. } => "fault",
    }
}

/// The confidence of a state that has one.
#[must_use]
pub fn confidence(state: &State) -> Option<f32> {
    match state {
        State::Unsure { confidence, .. } | State::Genre { confidence, .. } => Some(*confidence),
        _ => None,
    }
}
