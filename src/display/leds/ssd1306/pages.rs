//! A framebuffer in the order of the panel's memory.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::DrawTarget;

use crate::display::picture;

/// Columns of dots.
pub(super) const COLUMNS: usize = 128;
/// Pages of the highest panel.
pub(super) const PAGES: usize = 8;

/// Dots, eight of a column in a byte, the uppermost in its least significant bit. Every colour but black is light.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    rows: u8,
    bytes: [[u8; COLUMNS]; PAGES],
}

impl Pages {
    pub(super) const fn new(rows: u8) -> Self {
        Self { rows, bytes: [[0; COLUMNS]; PAGES] }
    }

    pub(super) fn page(&self, page: usize) -> &[u8; COLUMNS] {
        &self.bytes[page]
    }

    pub(super) fn page_mut(&mut self, page: usize) -> &mut [u8; COLUMNS] {
        &mut self.bytes[page]
    }
}

impl OriginDimensions for Pages {
    fn size(&self) -> Size {
        Size::new(COLUMNS as u32, self.rows.into())
    }
}

impl DrawTarget for Pages {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<T: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: T) -> Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else { continue };
            if let Some(byte) = self.bytes.get_mut(y / 8).and_then(|page| page.get_mut(x)) {
                let bit = y % 8;
                *byte = *byte & !(1 << bit) | u8::from(picture::lit(color)) << bit;
            }
        }
        Ok(())
    }

    fn clear(&mut self, color: Rgb888) -> Result<(), Infallible> {
        self.bytes = [[if picture::lit(color) { u8::MAX } else { 0 }; COLUMNS]; PAGES];
        Ok(())
    }
}
