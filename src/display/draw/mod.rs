//! How a scene looks on a display of 8 or more rows.
//!
//! ```text
//! ┌──────────────────────────────┬─┐
//! │ text, in the largest font    │l│
//! │ that fits, else scrolling    │e│
//! │                              │v│
//! │ confidence or window fill    │l│
//! └──────────────────────────────┴─┘
//! ```
//! Displays of 48 rows and more have a line of small text above the bar: the percentage, or how to mend a fault. Where only
//! a letter or two are seen at once (8 columns), a fault begins with an exclamation mark, and text scrolls slowly.
//!
//! Every state differs from the others in shape as well as in colour, for matrices of one colour:
//!
//! | state | text | bar | level |
//! | --- | --- | --- | --- |
//! | silence | none: a dotted line with a dash that wanders | – | – |
//! | listening | LISTEN | grows with the window | yes |
//! | unsure | label and `?` | dotted | yes |
//! | genre | label | solid | yes |
//! | fault | what is wrong, in short | full width, blinks | – |

mod text; // words, as large as fits

use core::fmt::Write;

use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, RgbColor};
use embedded_graphics::primitives::Rectangle;

use self::text::text;
use super::palette;
use crate::flow::{Label, SampleIndex, Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// How long a fault's bar is lit, and dark: half a second.
pub(super) const BLINK: SampleIndex = SAMPLE_RATE_HZ as SampleIndex / 2;
/// Rows from which on a display has room for small text beside the large.
const TALL: u32 = 48;
/// Rows of that text.
const CAPTION: u32 = 13;
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
            caption(target, &plan, scene.window_fill, palette::LISTENING)?;
            bar(target, plan.bar, scene.window_fill, 1, palette::LISTENING)?;
        }
        State::Unsure { confidence, .. } => {
            let mut label = upper_case(&scene.label);
            // A label of full length goes without the question mark; its bar is dotted all the same.
            let _ = label.push('?');
            text(target, plan.text, &label, palette::UNSURE, scene.at)?;
            caption(target, &plan, confidence, palette::UNSURE)?;
            bar(target, plan.bar, confidence, 2, palette::UNSURE)?;
        }
        State::Genre { label, confidence } => {
            text(target, plan.text, &upper_case(&scene.label), palette::genre(label), scene.at)?;
            caption(target, &plan, confidence, palette::genre(label))?;
            bar(target, plan.bar, confidence, 1, palette::genre(label))?;
        }
        State::Fault { fault } => {
            let mut short = Label::new();
            // Every fault's word or two fit.
            let _ = short.push_str(if plan.is_narrow { "! " } else { "" });
            let _ = short.push_str(fault.short());
            text(target, plan.notice, &upper_case(&short), palette::FAULT, scene.at)?;
            if let Some(area) = plan.caption {
                text(target, area, fault.mend(), palette::FAULT, scene.at)?;
            }
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
    /// A line of small text, where there is room.
    caption: Option<Rectangle>,
    /// Text and bar without a meter beside them.
    notice: Rectangle,
    alarm: Rectangle,
    is_narrow: bool,
}

impl Plan {
    fn new(Size { width, height }: Size) -> Self {
        let is_tall = height >= TALL;
        let meter = if height >= 16 { 2 } else { 1 };
        let thick = if is_tall { 4 } else { meter };
        let (left, above) = (width.saturating_sub(meter + 1), height.saturating_sub(thick));
        let area =
            |x: u32, y: u32, w: u32, h: u32| Rectangle::new(Point::new(x as i32, y as i32), Size::new(w, h));
        let high = match height {
            TALL.. => above - CAPTION - 2,
            16.. => above - 1,
            _ => above,
        };
        Self {
            text: area(0, 0, left, high),
            notice: area(0, 0, width, high),
            bar: area(0, above, left, thick),
            meter: area(left + 1, 0, meter, height),
            caption: is_tall.then(|| area(0, high, left, CAPTION)),
            alarm: area(0, above, width, thick),
            is_narrow: width < 16,
        }
    }
}

/// A percentage, where there is room for it.
fn caption<D>(target: &mut D, plan: &Plan, part: f32, color: Rgb888) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888>,
{
    let Some(area) = plan.caption else { return Ok(()) };
    let mut percent = Label::new();
    // Three digits and a sign fit.
    let _ = write!(percent, "{:.0} %", part.clamp(0.0, 1.0) * 100.0);
    text(target, area, &percent, color, 0)
}

/// Most labels are lower-case words; capitals read better in few dots.
fn upper_case(label: &Label) -> Label {
    let mut upper = label.clone();
    upper.make_ascii_uppercase();
    upper
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
