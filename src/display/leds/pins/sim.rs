//! Simulated LEDs on pins.

use core::convert::Infallible;

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;
use embedded_hal::digital::{ErrorType, OutputPin};

use super::{Active, Pins};
use crate::display::palette;
use crate::display::picture::Lamps;

/// A simulated pin: remembers its level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimPin {
    high: bool,
    changes: u64,
}

impl SimPin {
    /// How often the pin was set.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

impl ErrorType for SimPin {
    type Error = Infallible;
}

impl OutputPin for SimPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        *self = Self { high: false, changes: self.changes + 1 };
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        *self = Self { high: true, changes: self.changes + 1 };
        Ok(())
    }
}

/// The LEDs on simulated pins, in a row: the genres' from the left, with a gap before the level's.
#[derive(Clone, Copy, Debug)]
pub struct SimPins<'a>(
    /// The pins.
    pub &'a Pins<SimPin>,
);

impl Lamps for SimPins<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.genres.len() as u32 + if self.0.level.is_some() { 2 } else { 0 }, 1)
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        let level = || {
            self.0
                .level
                .as_ref()
                .filter(|_| x == self.0.genres.len() + 1)
                .map(|pin| (pin, palette::LEVEL_LOW))
        };
        let pin = self.0.genres.get(x).map(|pin| (pin, palette::genre(x as u8))).or_else(level);
        match pin {
            Some((pin, color)) if y == 0 && pin.high == (self.0.active == Active::High) => color,
            _ => Rgb888::BLACK,
        }
    }
}
