//! A framebuffer for displays of one colour, 8 rows high.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::DrawTarget;

use crate::display::picture;

/// Up to 64 × 8 dots, a bit for each, all dark at first. Every colour but black is light; drawing beyond the edge is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dots {
    width: u8,
    rows: [u64; 8],
}

impl Dots {
    /// Dark dots, `width` across: at most 64.
    #[must_use]
    pub const fn new(width: u8) -> Self {
        Self { width: if width < 64 { width } else { 64 }, rows: [0; 8] }
    }

    /// Whether the dot at column `x` and row `y` is lit.
    #[must_use]
    pub fn lit(&self, x: usize, y: usize) -> bool {
        x < usize::from(self.width) && self.rows.get(y).is_some_and(|row| row >> x & 1 == 1)
    }
}

impl OriginDimensions for Dots {
    fn size(&self) -> Size {
        Size::new(self.width.into(), 8)
    }
}

impl DrawTarget for Dots {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            let (Ok(x), Ok(y)) = (u8::try_from(point.x), usize::try_from(point.y)) else { continue };
            if let Some(row) = self.rows.get_mut(y).filter(|_| x < self.width) {
                *row = *row & !(1 << x) | u64::from(picture::lit(color)) << x;
            }
        }
        Ok(())
    }

    fn clear(&mut self, color: Rgb888) -> Result<(), Infallible> {
        self.rows = [if picture::lit(color) { u64::MAX } else { 0 }; 8];
        Ok(())
    }
}
