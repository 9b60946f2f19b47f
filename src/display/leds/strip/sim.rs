//! Simulated strips: take the bytes of the bus as the chips do.

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::{Chips, MAX_LEDS, StripConfig, apa102, ws2812};
use crate::display::leds::ConfigError;
use crate::display::leds::sim::Chip;
use crate::display::picture::Lamps;

/// A simulated strip.
#[derive(Clone, Debug)]
pub struct SimStrip {
    config: StripConfig,
    lamps: [Rgb888; MAX_LEDS],
}

impl SimStrip {
    /// A strip that has just got its supply: dark.
    ///
    /// # Errors
    /// A number of LEDs out of range.
    pub fn new(config: StripConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config, lamps: [Rgb888::BLACK; MAX_LEDS] })
    }

    /// Each LED keeps the first four bytes after the start frame and passes the rest on.
    fn take_apa102(&mut self, bytes: &[u8]) -> Option<()> {
        let colors = bytes.strip_prefix(&[0; 4])?;
        let mut words = colors.chunks(4);
        for lamp in self.lamps.iter_mut().take(self.config.leds.into()) {
            let &[head, blue, green, red] = words.next()? else { return None };
            if head & apa102::MARK != apa102::MARK {
                return None;
            }
            let bright =
                |part: u8| (u16::from(part) * u16::from(head & apa102::TOP) / u16::from(apa102::TOP)) as u8;
            *lamp = Rgb888::new(bright(red), bright(green), bright(blue));
        }
        // The end frame: half a clock for each LED, and the 32 that an SK9822 waits for.
        let clocks = 8 * words.map(<[u8]>::len).sum::<usize>();
        (clocks >= 32 + usize::from(self.config.leds).div_ceil(2)).then_some(())
    }

    /// Each LED keeps the first 24 pulses and passes the rest on; a long low ends the frame.
    fn take_ws2812(&mut self, bytes: &[u8]) -> Option<()> {
        let start = bytes.iter().position(|byte| *byte != 0)?;
        let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
        if bytes.len() - end < ws2812::RESET_BYTES {
            return None;
        }
        let pulses = bytes[start..end].iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
        let (mut bits, mut word, mut lamps) = (0, 0_u32, self.lamps.iter_mut());
        for pulse in pulses {
            let bit = match pulse {
                ws2812::ZERO => 0,
                ws2812::ONE => 1,
                _ => return None,
            };
            word = word << 1 | bit;
            bits += 1;
            if bits % 24 == 0 {
                let [_, green, red, blue] = word.to_be_bytes();
                *lamps.next()? = Rgb888::new(red, green, blue);
            }
        }
        (bits == 24 * u32::from(self.config.leds)).then_some(())
    }
}

impl Chip for SimStrip {
    fn take(&mut self, bytes: &[u8]) -> Option<()> {
        match self.config.chips {
            Chips::Apa102 => self.take_apa102(bytes),
            Chips::Ws2812 => self.take_ws2812(bytes),
        }
    }

    fn reset(&mut self) {
        self.lamps = [Rgb888::BLACK; MAX_LEDS];
    }
}

impl Lamps for SimStrip {
    fn size(&self) -> Size {
        Size::new(self.config.leds.into(), 1)
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        let leds = usize::from(self.config.leds);
        if x >= leds || y > 0 {
            return Rgb888::BLACK;
        }
        self.lamps[if self.config.reversed { leds - 1 - x } else { x }]
    }
}
