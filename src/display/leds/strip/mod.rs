//! LED strips on SPI: APA102 and SK9822, and WS2812.
//!
//! One transaction per changed frame. What a scene looks like on a strip is [`paint`]; how the chips want it is
//! [`Chips`].

mod apa102; // four bytes for each LED
mod scene; // what a scene looks like on a strip
mod sim; // simulated strips
mod ws2812; // a pulse for each bit

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;
use embedded_hal::spi::SpiDevice;

use super::{Brightness, ConfigError, Device, spi_error};
use crate::display::DisplayError;
use crate::flow::Scene;

pub use scene::paint;
pub use sim::SimStrip;
pub use ws2812::SPI_HZ as WS2812_SPI_HZ;

/// The clock of the bus for an APA102, hertz: a frame of 144 LEDs takes 2.4 ms, and wires may be a metre long.
pub const APA102_SPI_HZ: u32 = 2_000_000;

/// Most LEDs on a strip: a metre of the densest.
pub const MAX_LEDS: usize = 144;
/// Room for a frame of whichever chips.
const FRAME_BYTES: usize = ws2812::FRAME_BYTES;

type Frame = heapless::Vec<u8, FRAME_BYTES>;

/// The chips of a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Chips {
    /// APA102 (DotStar) and SK9822: clock and data, at most 10 MHz or so.
    Apa102,
    /// WS2812 and its kin (NeoPixel, SK6812 RGB): data only, at exactly [`WS2812_SPI_HZ`].
    Ws2812,
}

/// A strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct StripConfig {
    /// Its chips.
    pub chips: Chips,
    /// Its LEDs, 1–144.
    pub leds: u8,
    /// Whether the first LED of the wire is the last of the picture.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reversed: bool,
}

impl StripConfig {
    fn validate(self) -> Result<(), ConfigError> {
        if (1..=MAX_LEDS).contains(&self.leds.into()) {
            Ok(())
        } else {
            Err(ConfigError { field: "leds", allowed: "1 to 144" })
        }
    }
}

/// A strip's driver.
#[derive(Debug)]
pub struct Strip<S> {
    spi: S,
    config: StripConfig,
    brightness: Brightness,
    colors: [Rgb888; MAX_LEDS],
    /// Whether the strip shows `colors` at `brightness`.
    shown: bool,
    /// Whether there was a scene since the start.
    painted: bool,
}

impl<S: SpiDevice> Strip<S> {
    /// The strip behind `spi`. Nothing is sent.
    ///
    /// # Errors
    /// A number of LEDs out of range.
    pub fn new(spi: S, config: StripConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let colors = [Rgb888::BLACK; MAX_LEDS];
        Ok(Self { spi, config, brightness: Brightness::OFF, colors, shown: false, painted: false })
    }

    /// The bus.
    pub fn bus(&self) -> &S {
        &self.spi
    }

    /// The bus.
    pub fn bus_mut(&mut self) -> &mut S {
        &mut self.spi
    }

    fn send(&mut self) -> Result<(), DisplayError> {
        let mut frame = Frame::new();
        let colors = &self.colors[..self.config.leds.into()];
        let encode = match self.config.chips {
            Chips::Apa102 => apa102::encode,
            Chips::Ws2812 => ws2812::encode,
        };
        // A frame of the longest strip fits, which a test shows.
        let _ = encode(colors, self.brightness, &mut frame);
        self.shown = false;
        self.spi.write(&frame).map_err(spi_error)?;
        self.shown = true;
        Ok(())
    }
}

impl<S: SpiDevice> Device for Strip<S> {
    /// The chips have no control registers: nothing is sent before the first scene.
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.brightness = brightness;
        self.shown = false;
        self.painted = false;
        Ok(())
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.brightness = brightness;
        if self.painted { self.send() } else { Ok(()) }
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let mut colors = [Rgb888::BLACK; MAX_LEDS];
        let lit = &mut colors[..self.config.leds.into()];
        paint(scene, lit);
        if self.config.reversed {
            lit.reverse();
        }
        self.painted = true;
        if self.shown && colors == self.colors {
            return Ok(());
        }
        self.colors = colors;
        self.send()
    }
}

#[cfg(test)]
mod tests;
