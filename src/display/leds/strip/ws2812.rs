//! WS2812 by the data line of an SPI bus alone.
//!
//! Source: Worldsemi, "WS2812B" and "WS2812B-V5/W": green, red, blue, most significant bit first; each bit is a pulse of about
//! 1.25 µs, high for 220–380 ns (V5) or 250–550 ns (B) where it is 0, and for 580 ns–1 µs (V5) or 650–950 ns (B) where it is 1;
//! the LEDs show what they got after 280 µs of low. At 3.2 MHz four bits of the bus make one pulse: `1000` is 312 ns and `1110`
//! 937 ns, which suits both. The bus must keep that clock without a gap: on a Raspberry Pi a fixed `core_freq`, and a frame
//! of at most 1844 bytes, which the usual buffer of 4096 holds.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::{Frame, MAX_LEDS};
use crate::display::leds::Brightness;
use crate::display::picture;

/// The clock of the bus, hertz.
pub const SPI_HZ: u32 = 3_200_000;
/// Low before the first pulse: controllers idle high, or stretch the first bit.
const LEAD_BYTES: usize = 4;
/// Low for 280 µs, in bytes of the bus.
pub(super) const RESET_BYTES: usize = (SPI_HZ as usize / 1000 * 280).div_ceil(8 * 1000);
/// The longest frame: 12 bytes for each LED.
pub(super) const FRAME_BYTES: usize = LEAD_BYTES + 12 * MAX_LEDS + RESET_BYTES;

/// Pulses of a 0 and of a 1.
pub(super) const ZERO: u8 = 0b1000;
pub(super) const ONE: u8 = 0b1110;

/// Writes the bytes of the bus; `None` where they don't fit.
pub(super) fn encode(colors: &[Rgb888], brightness: Brightness, frame: &mut Frame) -> Option<()> {
    frame.extend_from_slice(&[0; LEAD_BYTES]).ok()?;
    for color in colors {
        let color = dimmed(*color, brightness);
        for part in [color.g(), color.r(), color.b()] {
            for pair in (0..4).rev() {
                let pulse = |bit: u8| if part >> bit & 1 == 1 { ONE } else { ZERO };
                frame.push(pulse(2 * pair + 1) << 4 | pulse(2 * pair)).ok()?;
            }
        }
    }
    frame.extend_from_slice(&[0; RESET_BYTES]).ok()
}

/// The colour at this brightness. What is lit stays lit: where nothing would be left, the strongest part keeps one step.
fn dimmed(color: Rgb888, brightness: Brightness) -> Rgb888 {
    let Some(step) = brightness.step(u8::MAX - 1) else { return Rgb888::BLACK };
    let scaled = |part: u8| ((u16::from(part) * (u16::from(step) + 1) + 127) / 255) as u8;
    let dimmed = Rgb888::new(scaled(color.r()), scaled(color.g()), scaled(color.b()));
    if picture::lit(dimmed) || !picture::lit(color) {
        return dimmed;
    }
    let strongest = color.r().max(color.g()).max(color.b());
    let kept = |part: u8| u8::from(part == strongest);
    Rgb888::new(kept(color.r()), kept(color.g()), kept(color.b()))
}
