//! Scenes → light.

use crate::flow::Scene;

/// Something that shows scenes.
pub trait Display {
    /// Shows the scene. Called for every change and at least a few times a second while the level moves; a display
    /// that is slow drops scenes rather than holding the caller up.
    ///
    /// # Errors
    /// What the display's bus or terminal answered; the caller goes on listening.
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError>;
}

/// Why a scene was not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisplayError {
    /// The display's output could not be written.
    Write,
}

impl core::fmt::Display for DisplayError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Write => "the display's output could not be written",
        })
    }
}

impl core::error::Error for DisplayError {}
