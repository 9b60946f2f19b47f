//! Text in the largest font that fits, else scrolling.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTargetExt;
use embedded_graphics::geometry::{Dimensions, Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_4X6, FONT_5X7, FONT_6X10, FONT_7X13, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{BinaryColor, Rgb888};
use embedded_graphics::prelude::{DrawTarget, Drawable};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};

use crate::flow::SampleIndex;
use crate::spec::SAMPLE_RATE_HZ;

/// Fonts from the largest to the smallest, each with the side of its dots.
const FACES: [Face; 7] = [
    Face { font: &FONT_10X20, scale: 2 },
    Face { font: &FONT_7X13, scale: 2 },
    Face { font: &FONT_10X20, scale: 1 },
    Face { font: &FONT_7X13, scale: 1 },
    Face { font: &FONT_6X10, scale: 1 },
    Face { font: &FONT_5X7, scale: 1 },
    Face { font: &FONT_4X6, scale: 1 },
];
/// Dots per second at which text that doesn't fit moves; half of it where hardly more than a letter is seen at once.
const SCROLL_DOTS: u64 = 16;
const NARROW: u32 = 12;
/// Most dark columns between the end of a scrolling text and its return: at most half of what is seen, so that some of the
/// text always is.
const SCROLL_GAP: u32 = 12;

#[derive(Clone, Copy)]
struct Face {
    font: &'static MonoFont<'static>,
    scale: u32,
}

impl Face {
    fn height(self) -> u32 {
        self.font.character_size.height * self.scale
    }

    /// Columns that a text takes; each glyph ends in a dark one, which the last can do without.
    fn width(self, text: &str) -> u32 {
        (text.chars().count() as u32 * self.font.character_size.width).saturating_sub(1) * self.scale
    }
}

/// Text in the largest font in which it fits, centred; else in the largest that is low enough, scrolling. It rests at its
/// beginning for a second.
pub(super) fn text<D>(
    target: &mut D,
    area: Rectangle,
    text: &str,
    color: Rgb888,
    at: SampleIndex,
) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888>,
{
    let Size { width, height } = area.size;
    let mut low_enough = FACES.into_iter().filter(|face| face.height() <= height);
    let Some(highest) = low_enough.clone().next() else { return Ok(()) };
    let face = low_enough.find(|face| face.width(text) <= width).unwrap_or(highest);
    let y = (height - face.height()).div_ceil(2) as i32;
    let mut area_target = target.clipped(&area);
    let mut put = |x: i32| {
        let mut drawn = Ok(());
        write(text, face, area.top_left + Point::new(x, y), &mut |square| {
            if drawn.is_ok() {
                drawn = area_target.fill_solid(&square, color);
            }
        });
        drawn
    };
    let needed = face.width(text);
    if needed <= width {
        return put(((width - needed) / 2) as i32);
    }
    let dots = if width < NARROW { SCROLL_DOTS / 2 } else { SCROLL_DOTS } * u64::from(face.scale);
    let round = needed + (SCROLL_GAP * face.scale).min(width / 2);
    let moved = (at * dots / u64::from(SAMPLE_RATE_HZ)) % (u64::from(round) + dots);
    let x = -(moved.saturating_sub(dots) as i32);
    put(x)?;
    put(x + round as i32)
}

/// Writes text by its lit dots, which are squares. Once for all displays: a font's renderer is large.
fn write(text: &str, face: Face, origin: Point, put: &mut dyn FnMut(Rectangle)) {
    let style = MonoTextStyle::new(face.font, BinaryColor::On);
    let mut squares = Squares { put, origin, side: face.scale };
    let Ok(_) = Text::with_baseline(text, Point::zero(), style, Baseline::Top).draw(&mut squares);
}

/// A target whose dots are squares of another's.
struct Squares<'a> {
    put: &'a mut dyn FnMut(Rectangle),
    origin: Point,
    side: u32,
}

impl Dimensions for Squares<'_> {
    fn bounding_box(&self) -> Rectangle {
        // Text doesn't ask how large its ground is.
        Rectangle::zero()
    }
}

impl DrawTarget for Squares<'_> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, _) in pixels {
            (self.put)(Rectangle::new(self.origin + point * self.side as i32, Size::new_equal(self.side)));
        }
        Ok(())
    }
}
