//! Dots as characters with colours, and colours only where they change.

use std::io::Write as _;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::{Colors, Dots, Style};
use crate::display::DisplayError;
use crate::display::picture::{self, Lamps, Still};

/// An LED that is off.
const DARK: Rgb888 = Rgb888::new(28, 28, 28);

/// The lights of the largest cell that begins at column `x` and row `y`: `[column][row]`.
pub(super) fn cell(lamps: &Still, x: usize, y: usize) -> [[Rgb888; 4]; 2] {
    core::array::from_fn(|dx| core::array::from_fn(|dy| lamps.lamp(x + dx, y + dy)))
}

/// Braille dots: bits of the character's number, `[column][row]`.
const BRAILLE: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// Writes colours and dots, and colours only where they change.
pub(super) struct Pen {
    style: Style,
    front: Option<Rgb888>,
    back: Option<Rgb888>,
}

impl Pen {
    pub(super) const fn new(style: Style) -> Self {
        Self { style, front: None, back: None }
    }

    pub(super) fn dot(
        &mut self,
        out: &mut Vec<u8>,
        dots: Dots,
        cell: &[[Rgb888; 4]; 2],
    ) -> Result<(), DisplayError> {
        let seen = |color| if picture::lit(color) { color } else { DARK };
        let [[upper, lower, ..], _] = *cell;
        match dots {
            Dots::No => {}
            Dots::Round => {
                self.color(out, seen(upper), false)?;
                out.extend_from_slice("● ".as_bytes());
            }
            Dots::Halves => {
                self.color(out, seen(upper), false)?;
                self.color(out, seen(lower), true)?;
                out.extend_from_slice("▀".as_bytes());
            }
            Dots::Braille => {
                let all = cell.as_flattened().iter().zip(BRAILLE.as_flattened());
                let lit = || all.clone().filter(|(color, _)| picture::lit(**color));
                self.color(out, seen(lit().next().map_or(Rgb888::BLACK, |(color, _)| *color)), false)?;
                let bits: u32 = lit().map(|(_, bit)| bit).sum();
                write!(out, "{}", char::from_u32(0x2800 + bits).unwrap_or(' '))?;
            }
            Dots::Characters => {
                self.color(out, seen(upper), false)?;
                out.push(if picture::lit(upper) { b'#' } else { b'.' });
            }
        }
        Ok(())
    }

    /// ISO 8613-6 colour sequences. Written here, since crossterm's own obey `NO_COLOR` behind the style's back.
    fn color(&mut self, out: &mut Vec<u8>, color: Rgb888, back: bool) -> Result<(), DisplayError> {
        let (last, code) = if back { (&mut self.back, 48) } else { (&mut self.front, 38) };
        if self.style.colors == Colors::None || *last == Some(color) {
            return Ok(());
        }
        *last = Some(color);
        let (r, g, b) = (color.r(), color.g(), color.b());
        match self.style.colors {
            Colors::True => write!(out, "\x1b[{code};2;{r};{g};{b}m")?,
            _ => write!(out, "\x1b[{code};5;{}m", indexed(color))?,
        }
        Ok(())
    }

    /// Back to the terminal's own colours.
    pub(super) fn lift(self, out: &mut Vec<u8>) -> Result<(), DisplayError> {
        if self.front.is_some() || self.back.is_some() {
            write!(out, "\x1b[0m")?;
        }
        Ok(())
    }
}

/// The nearest colour of the 256: the cube of 6 × 6 × 6 with steps 0, 95, 135 … 255, or the ramp of 24 greys 8, 18 … 238.
pub(super) fn indexed(color: Rgb888) -> u8 {
    let (r, g, b) = (color.r(), color.g(), color.b());
    if r == g && g == b && r < 244 {
        return 232 + (r.saturating_sub(3) / 10).min(23);
    }
    let step = |part: u8| match part {
        0..48 => 0,
        48..115 => 1,
        _ => (part - 35) / 40,
    };
    16 + 36 * step(r) + 6 * step(g) + step(b)
}
