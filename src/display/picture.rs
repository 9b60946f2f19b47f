//! A matrix as a text or an SVG picture: for documents and for tests.

use core::fmt::{Result, Write};

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::Matrix;

/// Whether a dot is lit at all.
#[must_use]
pub fn lit(color: Rgb888) -> bool {
    color != Rgb888::BLACK
}

/// One line per row of dots: `#` for a lit one, `.` for a dark one.
///
/// # Errors
/// The writer's own.
pub fn ascii<const W: usize, const H: usize>(matrix: &Matrix<W, H>, out: &mut impl Write) -> Result {
    for row in matrix.rows() {
        for dot in row {
            out.write_char(if lit(*dot) { '#' } else { '.' })?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

/// One line per two rows, of half blocks, so that dots are about square.
///
/// # Errors
/// The writer's own.
pub fn half_blocks<const W: usize, const H: usize>(matrix: &Matrix<W, H>, out: &mut impl Write) -> Result {
    for pair in matrix.rows().chunks(2) {
        for x in 0..W {
            let lower = pair.get(1).is_some_and(|row| lit(row[x]));
            out.write_char(match (lit(pair[0][x]), lower) {
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
pub fn svg<const W: usize, const H: usize>(
    matrix: &Matrix<W, H>,
    title: &str,
    out: &mut impl Write,
) -> Result {
    let (width, height) = ((W + 1) * PITCH, (H + 1) * PITCH);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <defs><pattern id=\"led\" width=\"{PITCH}\" height=\"{PITCH}\" patternUnits=\"userSpaceOnUse\">\
         <circle cx=\"5\" cy=\"5\" r=\"3.8\" fill=\"#22262b\"/></pattern></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#0d0f12\"/>\n\
         <g transform=\"translate(5 5)\">\n\
         <rect width=\"{}\" height=\"{}\" fill=\"url(#led)\"/>",
        W * PITCH,
        H * PITCH,
    )?;
    for (y, row) in matrix.rows().iter().enumerate() {
        for (x, dot) in row.iter().enumerate().filter(|(_, dot)| lit(**dot)) {
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
    }
    out.write_str("</g>\n</svg>\n")
}
