//! APA102 and SK9822.
//!
//! Source: Shiji Lighting, "APA102-C" (2014), and Opsco, "SK9822" (2016): a start frame of 32 zero bits; for each LED
//! `111`, five bits of brightness, blue, green, red; an end frame of at least half a clock for each LED, since every LED
//! delays the data by that. An SK9822 shows what it got only with the next 32 zero bits, so the end is: four zero bytes, and
//! zero bytes for the clocks, which no LED takes for a colour.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::Frame;
use crate::display::leds::Brightness;

/// The highest brightness.
pub(super) const TOP: u8 = 31;
/// The three bits before the brightness.
pub(super) const MARK: u8 = 0b1110_0000;

/// Writes the bytes of the bus; `None` where they don't fit.
pub(super) fn encode(colors: &[Rgb888], brightness: Brightness, frame: &mut Frame) -> Option<()> {
    // Step 0 is dark, so the lowest that is lit is 1.
    let bright = brightness.step(TOP - 1).map_or(0, |step| step + 1);
    frame.extend_from_slice(&[0; 4]).ok()?;
    for color in colors {
        frame.extend_from_slice(&[MARK | bright, color.b(), color.g(), color.r()]).ok()?;
    }
    frame.extend_from_slice(&[0; 4]).ok()?;
    for _ in 0..colors.len().div_ceil(16) {
        frame.push(0).ok()?;
    }
    Some(())
}
