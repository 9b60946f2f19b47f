//! One scene of each state: to look at a display without a microphone, to test it, and for the pictures in documents.

use crate::flow::{Fault, Label, Level, Scene, State};

/// A name and a scene for each state, in the order in which a listener meets them.
#[must_use]
pub fn scenes() -> [(&'static str, Scene); 5] {
    let scene = |state, text: &str, dbfs, window_fill| Scene {
        at: 0,
        state,
        label: Label::try_from(text).unwrap_or_default(),
        level: Level::from_dbfs(dbfs),
        window_fill,
    };
    [
        ("silence", scene(State::Silence, "", -72.0, 0.0)),
        ("listening", scene(State::Listening, "", -21.0, 0.6)),
        ("unsure", scene(State::Unsure { label: 1, confidence: 0.34 }, "blues", -18.0, 1.0)),
        ("genre", scene(State::Genre { label: 3, confidence: 0.81 }, "jazz", -12.0, 1.0)),
        ("fault", scene(State::Fault { fault: Fault::MicrophoneLost }, "", -144.0, 0.0)),
    ]
}
