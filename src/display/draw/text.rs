//! Text in the largest font that fits, else scrolling.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTargetExt;
use embedded_graphics::geometry::{Dimensions, Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_4X6, FONT_5X7, FONT_6X10, FONT_7X13, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
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
    let style = MonoTextStyle::new(face.font, color);
    let mut area_target = target.clipped(&area);
    let mut put = |x: i32| {
        let origin = area.top_left + Point::new(x, y);
        let mut scaled = Scaled { target: &mut area_target, origin, scale: face.scale };
        Text::with_baseline(text, Point::zero(), style, Baseline::Top).draw(&mut scaled).map(drop)
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

/// A target whose dots are squares of another's.
struct Scaled<'a, D> {
    target: &'a mut D,
    origin: Point,
    scale: u32,
}

impl<D: Dimensions> Dimensions for Scaled<'_, D> {
    fn bounding_box(&self) -> Rectangle {
        // Text doesn't ask how large its ground is.
        self.target.bounding_box()
    }
}

impl<D: DrawTarget<Color = Rgb888>> DrawTarget for Scaled<'_, D> {
    type Color = Rgb888;
    type Error = D::Error;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), D::Error> {
        let (origin, side) = (self.origin, self.scale as i32);
        self.target.draw_iter(pixels.into_iter().flat_map(|Pixel(point, color)| {
            let corner = origin + point * side;
            (0..side * side).map(move |i| Pixel(corner + Point::new(i % side, i / side), color))
        }))
    }
}
