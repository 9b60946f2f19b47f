//! What a scene looks like on a strip of LEDs.
//!
//! | state | colour | lit | bright of it |
//! | --- | --- | --- | --- |
//! | silence | faint | one LED, wandering | – |
//! | listening | blue | the window's fill | the level |
//! | unsure | white | the confidence, every second LED | the level |
//! | genre | the genre's | the confidence | the level |
//! | fault | red | every second LED bright, changing places twice a second | – |

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use crate::display::draw::{BLINK, level_part};
use crate::display::palette;
use crate::flow::{Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// How much fainter than bright the rest is.
const FAINT: u8 = 8;

/// Paints the whole scene on LEDs, the first of which is the foot of the strip. What moves, moves with [`Scene::at`].
pub fn paint(scene: &Scene, leds: &mut [Rgb888]) {
    leds.fill(Rgb888::BLACK);
    let (color, part, step) = match scene.state {
        State::Silence => return idle(scene.at, leds),
        State::Fault { .. } => {
            let phase = (scene.at / BLINK) as usize;
            for (i, led) in leds.iter_mut().enumerate() {
                *led = if (i + phase).is_multiple_of(2) { palette::FAULT } else { faint(palette::FAULT) };
            }
            return;
        }
        State::Listening => (palette::LISTENING, scene.window_fill, 1),
        State::Unsure { confidence, .. } => (palette::UNSURE, confidence, 2),
        State::Genre { label, confidence } => (palette::genre(label), confidence, 1),
    };
    let all = leds.len() as f32;
    // At least one: also an empty window is told from a dark strip.
    let lit = (libm::ceilf(part.clamp(0.0, 1.0) * all - 1e-3) as usize).max(1);
    let bright = libm::roundf(level_part(scene.level.dbfs()) * lit as f32) as usize;
    for (i, led) in leds.iter_mut().take(lit).enumerate().step_by(step) {
        *led = if i < bright { color } else { faint(color) };
    }
}

fn faint(color: Rgb888) -> Rgb888 {
    Rgb888::new(color.r() / FAINT, color.g() / FAINT, color.b() / FAINT)
}

/// Silence: an LED that wanders to and fro in eight seconds.
fn idle(at: u64, leds: &mut [Rgb888]) {
    let way = (leds.len() as u64).saturating_sub(1).max(1);
    let step = at * way / u64::from(4 * SAMPLE_RATE_HZ) % (2 * way);
    if let Some(led) = leds.get_mut(step.min(2 * way - step) as usize) {
        *led = palette::IDLE;
    }
}
