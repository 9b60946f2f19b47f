//! LED displays on SPI, I2C and pins, over the traits of embedded-hal 1.0.
//!
//! | display | file | bus | one transaction per |
//! | --- | --- | --- | --- |
//! | MAX7219, 8×8 modules in chains of 1–8 | [`max7219`] | SPI | changed row, across the chain |
//! | HT16K33, 8×8 | [`ht16k33`] | I2C | changed frame |
//! | HT16K33, four 14-segment characters | [`ht16k33`], [`segments`] | I2C | changed frame |
//! | SSD1306, 128×64 and 128×32 | [`ssd1306`] | I2C | changed page of 8 rows, its changed columns |
//! | APA102, SK9822 and WS2812 strips | [`strip`] | SPI | changed frame |
//! | an LED for each genre | [`pins`] | pins | changed pin |
//!
//! A driver is a [`Device`]: it knows its chip and nothing of time. [`Supervised`] makes a [`Display`](super::Display)
//! of it: dims it at night, and brings it back after it was unplugged. Beside each driver stands a simulated chip that hangs
//! on a [simulated bus](sim) and turns the very bytes back into dots, to be looked at as
//! [`Lamps`](super::picture::Lamps). Which display there is, is a [`Setup`]; [`Simulated`] and `linux::open` make a device of
//! it. Nothing here allocates or blocks longer than its bus does, but for what `linux` opens. Not for knowing boards.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::fmt;

use embedded_hal::{digital, i2c, spi};

mod dimming; // how bright, and when
mod dots; // a framebuffer of one colour
mod rotation; // how a display is mounted
mod setup; // a display and how it is mounted, as a value
mod simulated; // any display, with a simulated chip
mod supervised; // what is unplugged comes back

pub mod ht16k33;
pub mod max7219;
pub mod pins;
pub mod segments;
pub mod sim;
pub mod ssd1306;
pub mod strip;

#[cfg(feature = "linux")]
pub mod linux; // the buses of a Linux board

#[cfg(test)]
mod tests;

pub use dimming::{Brightness, Dimming, NightHours};
pub use dots::Dots;
pub use rotation::Rotation;
pub use setup::Setup;
pub use simulated::Simulated;
pub use supervised::{Change, Counters, Supervised};

use super::DisplayError;
use crate::flow::Scene;

/// A chip, or a chain of them, that shows scenes.
///
/// After an error the caller calls [`start`](Self::start) again before anything else.
pub trait Device {
    /// Writes every control register, whatever state the chip is in, and forgets what it shows, so that the next
    /// [`show`](Self::show) sends the whole picture. What the chip shows stays until then: a running display doesn't flicker.
    ///
    /// # Errors
    /// What the bus answered.
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError>;

    /// Changes the brightness.
    ///
    /// # Errors
    /// What the bus answered.
    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError>;

    /// Shows the scene; sends only what differs from what is shown.
    ///
    /// # Errors
    /// What the bus answered.
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError>;
}

#[cfg(feature = "alloc")]
impl<D: Device + ?Sized> Device for Box<D> {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        (**self).start(brightness)
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        (**self).dim(brightness)
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        (**self).show(scene)
    }
}

/// A setting that a driver cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// What is allowed.
    pub allowed: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "display: {} is out of range; allowed: {}", self.field, self.allowed)
    }
}

impl core::error::Error for ConfigError {}

/// Why an I2C write failed.
fn i2c_error(error: impl i2c::Error) -> DisplayError {
    match error.kind() {
        i2c::ErrorKind::NoAcknowledge(_) => DisplayError::NoAnswer,
        _ => DisplayError::Bus,
    }
}

/// Why an SPI write failed.
fn spi_error(_: impl spi::Error) -> DisplayError {
    DisplayError::Bus
}

/// Why a pin could not be set.
fn pin_error(_: impl digital::Error) -> DisplayError {
    DisplayError::Bus
}
