//! A framebuffer of coloured dots.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, RgbColor};

/// `W` × `H` dots, all dark at first. Drawing beyond the edge is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix<const W: usize, const H: usize> {
    rows: [[Rgb888; W]; H],
}

impl<const W: usize, const H: usize> Matrix<W, H> {
    /// A dark matrix.
    #[must_use]
    pub const fn new() -> Self {
        Self { rows: [[Rgb888::BLACK; W]; H] }
    }

    /// The dots, row by row from the top, each from the left.
    #[must_use]
    pub const fn rows(&self) -> &[[Rgb888; W]; H] {
        &self.rows
    }
}

impl<const W: usize, const H: usize> Default for Matrix<W, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const W: usize, const H: usize> OriginDimensions for Matrix<W, H> {
    fn size(&self) -> Size {
        Size::new(W as u32, H as u32)
    }
}

impl<const W: usize, const H: usize> DrawTarget for Matrix<W, H> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else { continue };
            if let Some(dot) = self.rows.get_mut(y).and_then(|row| row.get_mut(x)) {
                *dot = color;
            }
        }
        Ok(())
    }

    fn clear(&mut self, color: Rgb888) -> Result<(), Infallible> {
        self.rows = [[color; W]; H];
        Ok(())
    }
}
