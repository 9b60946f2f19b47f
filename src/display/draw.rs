//! How a scene looks on a matrix of 8 or more rows.
//!
//! ```text
//! ┌──────────────────────────────┬─┐
//! │ text, in the largest font    │l│
//! │ that fits, else scrolling    │e│
//! │                              │v│
//! │ confidence or window fill    │l│
//! └──────────────────────────────┴─┘
//! ```
//! Every state differs from the others in shape as well as in colour, for matrices of one colour:
//!
//! | state | text | bar | level |
//! | --- | --- | --- | --- |
//! | silence | none: a dotted line with a dash that wanders | – | – |
//! | listening | LISTEN | grows with the window | yes |
//! | unsure | label and `?` | dotted | yes |
//! | genre | label | solid | yes |
//! | fault | what is wrong, in short | full width, blinks | – |

use embedded_graphics::draw_target::DrawTargetExt;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_4X6, FONT_5X7, FONT_6X10, FONT_7X13};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, Drawable, RgbColor};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};

use super::palette;
use crate::flow::{Label, SampleIndex, Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// Fonts from the largest to the smallest.
const FONTS: [&MonoFont<'_>; 4] = [&FONT_7X13, &FONT_6X10, &FONT_5X7, &FONT_4X6];
/// Dots per second at which text that doesn't fit moves.
const SCROLL_DOTS: u64 = 16;
/// Dark columns between the end of a scrolling text and its return.
const SCROLL_GAP: u32 = 12;
/// How long a scrolling text rests at its beginning: a second.
const SCROLL_REST: u64 = SCROLL_DOTS;
/// How long a fault's bar is lit, and dark: half a second.
pub(super) const BLINK: SampleIndex = SAMPLE_RATE_HZ as SampleIndex / 2;
/// The level at the foot of the meter, decibels relative to a full-scale sine.
const METER_FLOOR_DBFS: f32 = -60.0;

/// Draws the whole scene. What moves, moves with [`Scene::at`].
///
/// # Errors
/// The target's own.
pub fn draw<D>(scene: &Scene, target: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888> + OriginDimensions,
{
    target.clear(Rgb888::BLACK)?;
    let plan = Plan::new(target.size());
    match scene.state {
        State::Silence => return idle(target, scene.at),
        State::Listening => {
            text(target, plan.text, "LISTEN", palette::LISTENING, scene.at)?;
            bar(target, plan.bar, scene.window_fill, 1, palette::LISTENING)?;
        }
        State::Unsure { confidence, .. } => {
            let mut label = upper_case(&scene.label);
            // A label of full length goes without the question mark; its bar is dotted all the same.
            let _ = label.push('?');
            text(target, plan.text, &label, palette::UNSURE, scene.at)?;
            bar(target, plan.bar, confidence, 2, palette::UNSURE)?;
        }
        State::Genre { label, confidence } => {
            text(target, plan.text, &upper_case(&scene.label), palette::genre(label), scene.at)?;
            bar(target, plan.bar, confidence, 1, palette::genre(label))?;
        }
        State::Fault { fault } => {
            let short = Label::try_from(fault.short()).unwrap_or_default();
            text(target, plan.notice, &upper_case(&short), palette::FAULT, scene.at)?;
            // The text stays: a display that isn't refreshed any more must not go dark.
            if (scene.at / BLINK).is_multiple_of(2) {
                bar(target, plan.alarm, 1.0, 1, palette::FAULT)?;
            }
            return Ok(());
        }
    }
    meter(target, plan.meter, scene.level.dbfs())
}

/// Where things are.
struct Plan {
    text: Rectangle,
    bar: Rectangle,
    meter: Rectangle,
    /// Text and bar without a meter beside them.
    notice: Rectangle,
    alarm: Rectangle,
}

impl Plan {
    fn new(Size { width, height }: Size) -> Self {
        let thick = if height >= 16 { 2 } else { 1 };
        let (left, above) = (width.saturating_sub(thick + 1), height.saturating_sub(thick));
        let area =
            |x: u32, y: u32, w: u32, h: u32| Rectangle::new(Point::new(x as i32, y as i32), Size::new(w, h));
        let high = if height >= 16 { above - 1 } else { above };
        Self {
            text: area(0, 0, left, high),
            notice: area(0, 0, width, high),
            bar: area(0, above, left, thick),
            meter: area(left + 1, 0, thick, height),
            alarm: area(0, above, width, thick),
        }
    }
}

/// Most labels are lower-case words; capitals read better in few dots.
fn upper_case(label: &Label) -> Label {
    let mut upper = label.clone();
    upper.make_ascii_uppercase();
    upper
}

/// Columns that a text takes; each glyph ends in a dark one, which the last can do without.
fn text_width(font: &MonoFont<'_>, text: &str) -> u32 {
    (text.chars().count() as u32 * font.character_size.width).saturating_sub(1)
}

/// Text in the largest font in which it fits, centred; else in the largest that is low enough, scrolling.
fn text<D>(
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
    let low_enough = |font: &&&MonoFont<'_>| font.character_size.height <= height;
    let fitting = FONTS.iter().filter(low_enough).find(|font| text_width(font, text) <= width);
    let Some(font) = fitting.or_else(|| FONTS.iter().find(low_enough)) else { return Ok(()) };
    let style = MonoTextStyle::new(font, color);
    let y = (height - font.character_size.height).div_ceil(2) as i32;
    let mut area = target.clipped(&area);
    let mut put =
        |x: i32| Text::with_baseline(text, Point::new(x, y), style, Baseline::Top).draw(&mut area).map(drop);
    let needed = text_width(font, text);
    if needed <= width {
        return put(((width - needed) / 2) as i32);
    }
    let round = needed + SCROLL_GAP;
    let moved = (at * SCROLL_DOTS / u64::from(SAMPLE_RATE_HZ)) % (u64::from(round) + SCROLL_REST);
    let x = -(moved.saturating_sub(SCROLL_REST) as i32);
    put(x)?;
    put(x + round as i32)
}

/// A bar from the left, `part` (0–1) of the area, of every `step`-th column; at least one column where `part` isn't 0.
fn bar<D>(target: &mut D, area: Rectangle, part: f32, step: usize, color: Rgb888) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888>,
{
    let lit = libm::ceilf(part.clamp(0.0, 1.0) * area.size.width as f32 - 1e-3) as i32;
    for x in (0..lit).step_by(step) {
        let column = Rectangle::new(area.top_left + Point::new(x, 0), Size::new(1, area.size.height));
        target.fill_solid(&column, color)?;
    }
    Ok(())
}

/// How much of a meter a level fills, 0–1.
pub(super) fn level_part(dbfs: f32) -> f32 {
    (1.0 - dbfs / METER_FLOOR_DBFS).clamp(0.0, 1.0)
}

/// A meter from the bottom up: green, the upper third yellow, the last eighth red.
fn meter<D>(target: &mut D, area: Rectangle, dbfs: f32) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888>,
{
    let rows = area.size.height as i32;
    let part = level_part(dbfs);
    for row in 0..libm::roundf(part * rows as f32) as i32 {
        let color = match row {
            _ if row >= rows - rows / 8 => palette::LEVEL_PEAK,
            _ if row >= rows - rows / 3 => palette::LEVEL_HIGH,
            _ => palette::LEVEL_LOW,
        };
        let line =
            Rectangle::new(area.top_left + Point::new(0, rows - 1 - row), Size::new(area.size.width, 1));
        target.fill_solid(&line, color)?;
    }
    Ok(())
}

/// Silence: a dotted line, along which a dash wanders to and fro in eight seconds.
fn idle<D>(target: &mut D, at: SampleIndex) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888> + OriginDimensions,
{
    const DASH: u32 = 3;
    let Size { width, height } = target.size();
    let middle = (height / 2) as i32;
    for x in (1..width as i32).step_by(4) {
        target.fill_solid(&Rectangle::new(Point::new(x, middle), Size::new_equal(1)), palette::IDLE)?;
    }
    let way = u64::from(width.saturating_sub(DASH)).max(1);
    let step = at * way / u64::from(4 * SAMPLE_RATE_HZ) % (2 * way);
    let x = if step <= way { step } else { 2 * way - step } as i32;
    target.fill_solid(&Rectangle::new(Point::new(x, middle), Size::new(DASH, 1)), palette::LISTENING)
}
