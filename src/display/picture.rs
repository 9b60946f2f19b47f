//! Dots as a text or an SVG picture: for documents, for tests, and to look at simulated displays.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt::{Result, Write};

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::Matrix;

/// Dots that can be looked at: a framebuffer, or a simulated display.
pub trait Lamps {
    /// Dots across and down.
    fn size(&self) -> Size;

    /// The light of the dot at column `x` from the left and row `y` from the top; black beyond the edge.
    fn lamp(&self, x: usize, y: usize) -> Rgb888;
}

impl<const W: usize, const H: usize> Lamps for Matrix<W, H> {
    fn size(&self) -> Size {
        OriginDimensions::size(self)
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        self.rows().get(y).and_then(|row| row.get(x)).copied().unwrap_or(Rgb888::BLACK)
    }
}

/// Dots as they were at one moment.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Still {
    width: usize,
    height: usize,
    dots: Vec<Rgb888>,
}

#[cfg(feature = "alloc")]
impl Still {
    /// The dots as they are now.
    #[must_use]
    pub fn of(lamps: &(impl Lamps + ?Sized)) -> Self {
        let mut still = Self::default();
        still.take(lamps);
        still
    }

    /// The same in memory that is there already: allocates only where there are more dots than before.
    pub fn take(&mut self, lamps: &(impl Lamps + ?Sized)) {
        let (width, height) = extent(lamps);
        (self.width, self.height) = (width, height);
        self.dots.clear();
        self.dots.extend((0..height).flat_map(|y| (0..width).map(move |x| lamps.lamp(x, y))));
    }
}

#[cfg(feature = "alloc")]
impl Lamps for Still {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        let there = x < self.width && y < self.height;
        if there { self.dots[y * self.width + x] } else { Rgb888::BLACK }
    }
}

/// Columns and rows.
fn extent(lamps: &(impl Lamps + ?Sized)) -> (usize, usize) {
    let Size { width, height } = lamps.size();
    (width as usize, height as usize)
}

/// Whether a dot is lit at all.
#[must_use]
pub fn lit(color: Rgb888) -> bool {
    color != Rgb888::BLACK
}

/// One line per row of dots: `#` for a lit one, `.` for a dark one.
///
/// # Errors
/// The writer's own.
pub fn ascii(lamps: &(impl Lamps + ?Sized), out: &mut impl Write) -> Result {
    let (width, height) = extent(lamps);
    for y in 0..height {
        for x in 0..width {
            out.write_char(if lit(lamps.lamp(x, y)) { '#' } else { '.' })?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

/// One line per two rows, of half blocks, so that dots are about square.
///
/// # Errors
/// The writer's own.
pub fn half_blocks(lamps: &(impl Lamps + ?Sized), out: &mut impl Write) -> Result {
    let (width, height) = extent(lamps);
    for y in (0..height).step_by(2) {
        for x in 0..width {
            out.write_char(match (lit(lamps.lamp(x, y)), lit(lamps.lamp(x, y + 1))) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

/// Drawing units from one LED of the SVG picture to the next.
const PITCH: usize = 10;

/// An SVG picture of round LEDs on a dark board, ten units from one to the next. `title` describes the picture to
/// those who can't see it; it must not hold `<` or `&`.
///
/// # Errors
/// The writer's own.
pub fn svg(lamps: &(impl Lamps + ?Sized), title: &str, out: &mut impl Write) -> Result {
    let (across, down) = extent(lamps);
    let (width, height) = ((across + 1) * PITCH, (down + 1) * PITCH);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <defs><pattern id=\"led\" width=\"{PITCH}\" height=\"{PITCH}\" patternUnits=\"userSpaceOnUse\">\
         <circle cx=\"5\" cy=\"5\" r=\"3.8\" fill=\"#22262b\"/></pattern></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#0d0f12\"/>\n\
         <g transform=\"translate(5 5)\">\n\
         <rect width=\"{}\" height=\"{}\" fill=\"url(#led)\"/>",
        across * PITCH,
        down * PITCH,
    )?;
    for (x, y) in (0..down).flat_map(|y| (0..across).map(move |x| (x, y))) {
        let dot = lamps.lamp(x, y);
        if !lit(dot) {
            continue;
        }
        writeln!(
            out,
            "<circle cx=\"{}\" cy=\"{}\" r=\"4.2\" fill=\"#{:02x}{:02x}{:02x}\"/>",
            x * PITCH + PITCH / 2,
            y * PITCH + PITCH / 2,
            dot.r(),
            dot.g(),
            dot.b(),
        )?;
    }
    out.write_str("</g>\n</svg>\n")
}
