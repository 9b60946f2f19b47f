//! Scenes → light.
//!
//! [`draw`] paints a [`Scene`] on any colour matrix of 8 or 16 rows; [`Matrix`] is the framebuffer for it. Around them
//! are things that implement [`Display`]: LED chips (feature `leds`), a terminal, JSON lines, plain lines, and [`Memory`]
//! for tests. Not for deciding anything: a display shows what a scene says, and gets all that it needs with it.

mod draw;
mod matrix;
mod memory;
pub mod palette;
pub mod picture;
pub mod test_card;
pub mod words;

#[cfg(feature = "cli")]
mod json;
#[cfg(feature = "leds")]
pub mod leds;
#[cfg(feature = "std")]
mod lines;
#[cfg(feature = "cli")]
pub mod terminal;

#[cfg(test)]
mod tests;

pub use draw::draw;
pub use matrix::Matrix;
pub use memory::Memory;

#[cfg(feature = "cli")]
pub use json::JsonLines;
#[cfg(feature = "std")]
pub use lines::Lines;
#[cfg(feature = "cli")]
pub use terminal::Terminal;

use crate::flow::Scene;

/// Something that shows scenes.
pub trait Display {
    /// Shows the scene. Called for every change and at least a few times a second while the level moves; a display
    /// that is slow drops scenes rather than holding the caller up.
    ///
    /// Whatever moves in a picture moves with [`Scene::at`], so a caller that hears nothing (no microphone) goes on
    /// advancing it.
    ///
    /// # Errors
    /// What the display's bus or terminal answered; the caller goes on listening, except after
    /// [`DisplayError::Closed`].
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError>;

    /// Takes note of a verdict: called once per verdict with the scene at that moment, beside [`show`](Self::show).
    /// For displays that record rather than draw; the others ignore it.
    ///
    /// # Errors
    /// As [`show`](Self::show).
    fn verdict(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let _ = scene;
        Ok(())
    }
}

/// Why a scene was not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisplayError {
    /// The display's output could not be written.
    Write,
    /// Nobody reads the output any more (the other end of the pipe was closed): time to end, without complaint.
    Closed,
    /// No chip answered at its address on the I2C bus: unplugged, without supply, or at another address.
    NoAnswer,
    /// The bus or the pin failed, or is not there.
    Bus,
    /// This user may not open the bus or the pin.
    Denied,
}

impl DisplayError {
    /// What a person can do about it.
    #[must_use]
    pub fn mend(self) -> &'static str {
        match self {
            Self::Write => "is the disk full?",
            Self::Closed => "leave its reader open",
            Self::NoAnswer => {
                "check its wires, its supply and its address: `harmonynet display-test` names them"
            }
            Self::Bus => {
                "switch its bus on: `harmonynet config --boot raspberry-pi-os` prints the lines; then check its wires"
            }
            Self::Denied => "add the user to the groups `spi`, `i2c` and `gpio` and log in again",
        }
    }
}

impl core::fmt::Display for DisplayError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Write => "the display's output could not be written",
            Self::Closed => "the display's output was closed",
            Self::NoAnswer => {
                "the display does not answer (unplugged, without supply, or at another address)"
            }
            Self::Bus => "the display's bus or pin failed",
            Self::Denied => "this user may not open the display's bus or pin",
        })
    }
}

impl core::error::Error for DisplayError {}

#[cfg(feature = "std")]
impl From<std::io::Error> for DisplayError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Write,
        }
    }
}
