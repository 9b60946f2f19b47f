//! A display and how it is mounted, as a value: what is left of settings once they are understood.

use super::Rotation;
use super::ht16k33::Wiring;
use super::max7219::{self, Layout};
use super::pins::Active;
use super::ssd1306::Panel;
use super::strip::{Chips, StripConfig, WS2812_SPI_HZ};

/// A display, without its bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// A chain of MAX7219.
    Max7219(Layout),
    /// An 8×8 matrix on an HT16K33.
    Matrix {
        /// Its I2C address.
        address: u8,
        /// How it is wired to the chip.
        wiring: Wiring,
        /// How it is turned.
        rotation: Rotation,
    },
    /// Four 14-segment characters on an HT16K33.
    Characters {
        /// Their I2C address.
        address: u8,
    },
    /// An SSD1306.
    Ssd1306 {
        /// Its I2C address.
        address: u8,
        /// Its rows.
        panel: Panel,
        /// Whether it is mounted upside down.
        upside_down: bool,
    },
    /// A strip.
    Strip(StripConfig),
    /// LEDs on pins.
    Pins {
        /// LEDs for genres.
        genres: u8,
        /// Whether there is one more, for the level.
        level: bool,
        /// What lights them.
        active: Active,
    },
}

impl Setup {
    /// The clock at which its SPI bus is to run, hertz; `None` where it hangs on none.
    #[must_use]
    pub const fn spi_hz(&self) -> Option<u32> {
        match self {
            Self::Max7219(_) => Some(max7219::SPI_HZ),
            Self::Strip(StripConfig { chips: Chips::Ws2812, .. }) => Some(WS2812_SPI_HZ),
            Self::Strip(StripConfig { chips: Chips::Apa102, .. }) => Some(super::strip::APA102_SPI_HZ),
            Self::Matrix { .. } | Self::Characters { .. } | Self::Ssd1306 { .. } | Self::Pins { .. } => None,
        }
    }
}
