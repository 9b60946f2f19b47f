//! Colours, all bright enough for a dark ground.

use embedded_graphics::pixelcolor::Rgb888;

/// Doubt: no colour of its own.
pub const UNSURE: Rgb888 = Rgb888::new(190, 190, 190);
/// Listening, not yet knowing.
pub const LISTENING: Rgb888 = Rgb888::new(80, 160, 255);
/// Nothing to hear: faint, so that a dark room stays dark.
pub const IDLE: Rgb888 = Rgb888::new(40, 60, 100);
/// Something is broken.
pub const FAULT: Rgb888 = Rgb888::new(255, 50, 40);
/// A moderate level.
pub const LEVEL_LOW: Rgb888 = Rgb888::new(40, 200, 80);
/// A high level.
pub const LEVEL_HIGH: Rgb888 = Rgb888::new(240, 190, 40);
/// A level near full scale.
pub const LEVEL_PEAK: Rgb888 = FAULT;

/// The colour of the label with this index; 32 differ.
///
/// Labels take turns in three ways of being bright (vivid, pale, deep) and step round the circle of hues by 163.6°:
/// the step for which the nearest of the first ten, and of all 32, are furthest apart.
#[must_use]
pub const fn genre(label: u8) -> Rgb888 {
    // The circle has 6 · 256 steps and starts at orange.
    let hue = (label as u32 * 698 + 128) % 1536;
    // White mixed in, and brightness, both of 255. Pure blue would be too dark to read.
    let (white, value) = match label % 3 {
        0 => (20, 255),
        1 => (110, 255),
        _ => (20, 190),
    };
    let rising = hue % 256;
    let (r, g, b) = match hue / 256 {
        0 => (255, rising, 0),
        1 => (255 - rising, 255, 0),
        2 => (0, 255, rising),
        3 => (0, 255 - rising, 255),
        4 => (rising, 0, 255),
        _ => (255, 0, 255 - rising),
    };
    Rgb888::new(toned(r, white, value), toned(g, white, value), toned(b, white, value))
}

const fn toned(part: u32, white: u32, value: u32) -> u8 {
    ((part + (255 - part) * white / 255) * value / 255) as u8
}
