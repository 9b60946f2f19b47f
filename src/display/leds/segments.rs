//! Four 14-segment characters: letters, and what a scene says with them.
//!
//! ```text
//!  ── A ──      A bit 0 … F bit 5, clockwise from the top; the middle G1 bit 6 (left) and G2 bit 7 (right);
//! │\  │  /│     inside H bit 8, J bit 9, K bit 10 (upper left, middle, right),
//! F H J K B     L bit 11, M bit 12, N bit 13 (lower left, middle, right); the point bit 14.
//!  ─G1 ─G2
//! E L M N C     The order of Adafruit's quad alphanumeric board.
//! │/  │  \│
//!  ── D ──  .
//! ```
//! | state | characters | points |
//! | --- | --- | --- |
//! | silence | a dash that wanders | – |
//! | listening | LISTEN | the window's fill |
//! | unsure | label, `?` and percentage | the level |
//! | genre | label and percentage | the level |
//! | fault | what is wrong, in short | all blink |

use core::fmt::Write;

use crate::display::draw::{BLINK, level_part};
use crate::flow::{Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// Characters on the display.
pub const CHARACTERS: usize = 4;

const A: u16 = 1;
const B: u16 = 1 << 1;
const C: u16 = 1 << 2;
const D: u16 = 1 << 3;
const E: u16 = 1 << 4;
const F: u16 = 1 << 5;
const G1: u16 = 1 << 6;
const G2: u16 = 1 << 7;
const G: u16 = G1 | G2;
const H: u16 = 1 << 8;
const J: u16 = 1 << 9;
const K: u16 = 1 << 10;
const L: u16 = 1 << 11;
const M: u16 = 1 << 12;
const N: u16 = 1 << 13;
/// The point after a character.
const POINT: u16 = 1 << 14;

const DIGITS: [u16; 10] = [
    A | B | C | D | E | F | K | L,
    B | C | K,
    A | B | G | E | D,
    A | B | C | D | G2,
    F | G | B | C,
    A | F | G1 | N | D,
    A | F | G | E | C | D,
    A | B | C,
    A | B | C | D | E | F | G,
    A | B | C | D | F | G,
];

const LETTERS: [u16; 26] = [
    A | B | C | E | F | G,
    A | B | C | D | G2 | J | M,
    A | D | E | F,
    A | B | C | D | J | M,
    A | D | E | F | G1,
    A | E | F | G1,
    A | C | D | E | F | G2,
    B | C | E | F | G,
    A | D | J | M,
    B | C | D | E,
    E | F | G1 | K | N,
    D | E | F,
    B | C | E | F | H | K,
    B | C | E | F | H | N,
    A | B | C | D | E | F,
    A | B | E | F | G,
    A | B | C | D | E | F | N,
    A | B | E | F | G | N,
    A | C | D | F | G,
    A | J | M,
    B | C | D | E | F,
    E | F | K | L,
    B | C | E | F | L | N,
    H | K | L | N,
    H | K | M,
    A | D | K | L,
];

/// Scroll steps per second, of a whole character each.
const SCROLL_CHARACTERS: u64 = 3;
/// Steps for which a text that doesn't fit rests at its beginning.
const SCROLL_REST: u64 = 4;
/// Dark characters between a scrolling text's end and its return.
const SCROLL_GAP: usize = 2;

/// The segments of a character: letters of both cases, digits and a few signs; others are dark.
#[must_use]
pub fn glyph(character: char) -> u16 {
    match character.to_ascii_uppercase() {
        digit @ '0'..='9' => DIGITS[digit as usize - '0' as usize],
        letter @ 'A'..='Z' => LETTERS[letter as usize - 'A' as usize],
        '-' => G,
        '&' => A | D | E | G1 | H | J | N,
        '/' => K | L,
        '%' => C | F | K | L,
        '?' => A | B | G2 | M,
        '!' => J | POINT,
        _ => 0,
    }
}

/// The segments of the four characters, from the left. What moves, moves with [`Scene::at`].
#[must_use]
pub fn characters(scene: &Scene) -> [u16; CHARACTERS] {
    let mut text: heapless::String<32> = heapless::String::new();
    // A text that is too long loses its percentage: the label and a question mark always fit.
    let (written, points) = match scene.state {
        State::Silence => return idle(scene.at),
        State::Listening => (write!(text, "LISTEN"), scene.window_fill),
        State::Unsure { confidence, .. } => {
            (write!(text, "{}? {}", scene.label, Percent(confidence)), level_part(scene.level.dbfs()))
        }
        State::Genre { confidence, .. } => {
            (write!(text, "{} {}", scene.label, Percent(confidence)), level_part(scene.level.dbfs()))
        }
        State::Fault { fault } => {
            (write!(text, "{}", fault.short()), if (scene.at / BLINK).is_multiple_of(2) { 1.0 } else { 0.0 })
        }
    };
    let _ = written;
    let mut shown = window(&text, scene.at);
    let lit = libm::roundf(points.clamp(0.0, 1.0) * CHARACTERS as f32) as usize;
    shown.iter_mut().take(lit).for_each(|segments| *segments |= POINT);
    shown
}

struct Percent(f32);

impl core::fmt::Display for Percent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:.0}%", self.0.clamp(0.0, 1.0) * 100.0)
    }
}

/// The part of a text that is seen now: all of it where it fits.
fn window(text: &str, at: u64) -> [u16; CHARACTERS] {
    let length = text.chars().count();
    let mut shown = [0; CHARACTERS];
    let mut put = |characters: &mut dyn Iterator<Item = char>| {
        shown.iter_mut().zip(characters).for_each(|(segments, character)| *segments = glyph(character));
    };
    if length <= CHARACTERS {
        put(&mut text.chars());
        return shown;
    }
    let round = (length + SCROLL_GAP) as u64;
    let step = at * SCROLL_CHARACTERS / u64::from(SAMPLE_RATE_HZ) % (round + SCROLL_REST);
    let gap = core::iter::repeat_n(' ', SCROLL_GAP);
    let endless = text.chars().chain(gap).cycle();
    put(&mut endless.skip(step.saturating_sub(SCROLL_REST) as usize));
    shown
}

/// Silence: a dash that wanders to and fro in six seconds.
fn idle(at: u64) -> [u16; CHARACTERS] {
    let step = (at / u64::from(SAMPLE_RATE_HZ)) as usize % (2 * CHARACTERS - 2);
    let mut shown = [0; CHARACTERS];
    shown[step.min(2 * CHARACTERS - 2 - step)] = G;
    shown
}

/// Dots from one character to the next, and rows of dots, of a picture of the display.
pub(super) const PITCH: usize = 9;
pub(super) const HEIGHT: usize = 9;

/// The segments that a dot of a character's picture belongs to.
pub(super) fn segment_at(x: usize, y: usize) -> u16 {
    match (x, y) {
        (1..=5, 0) => A,
        (1..=5, 8) => D,
        (1..=2, 4) => G1,
        (4..=5, 4) => G2,
        (0, 1..=3) => F,
        (6, 1..=3) => B,
        (0, 5..=7) => E,
        (6, 5..=7) => C,
        (3, 1..=3) => J,
        (3, 5..=7) => M,
        (1, 1) | (2, 2..=3) => H,
        (5, 1) | (4, 2..=3) => K,
        (2, 5..=6) | (1, 7) => L,
        (4, 5..=6) | (5, 7) => N,
        (7, 8) => POINT,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::test_card;
    use crate::display::tests::{card, genre};
    use crate::flow::Fault;

    const SECOND: u64 = SAMPLE_RATE_HZ as u64;

    fn glyphs(text: &str) -> [u16; CHARACTERS] {
        let mut shown = [0; CHARACTERS];
        shown.iter_mut().zip(text.chars()).for_each(|(segments, character)| *segments = glyph(character));
        shown
    }

    fn without_points(scene: &Scene) -> [u16; CHARACTERS] {
        characters(scene).map(|segments| segments & !POINT)
    }

    #[test]
    fn letters_and_digits_are_told_apart() {
        let all: Vec<char> = ('0'..='9').chain('A'..='Z').chain("-/%?&!".chars()).collect();
        for (i, a) in all.iter().enumerate() {
            assert_ne!(glyph(*a), 0, "{a}");
            for b in &all[..i] {
                assert_ne!(glyph(*a), glyph(*b), "{a} {b}");
            }
        }
        assert_eq!(glyph('j'), glyph('J'));
        assert_eq!(glyph('é'), 0);
        // As in the table of the board's own library.
        assert_eq!(['A', 'K', 'M', 'N', 'V', 'X'].map(glyph), [0xF7, 0x2470, 0x0536, 0x2136, 0x0C30, 0x2D00]);
    }

    #[test]
    fn a_genre_rests_and_then_scrolls_to_its_percentage() {
        let at = |at| without_points(&Scene { at, ..genre("jazz", 0.81, -12.0) });
        assert_eq!(at(0), glyphs("JAZZ"));
        assert_eq!(at(SECOND), glyphs("JAZZ"));
        assert_eq!(at(8 * SECOND / 3 + 9), glyphs(" 81%"));
        // Eight characters, a gap of two and the rest: 14 steps.
        assert_eq!(at(14 * SECOND / 3 + 9), glyphs("JAZZ"));
    }

    #[test]
    fn points_are_the_level() {
        let lit = [-70.0, -45.0, -30.0, -15.0, 0.0].map(|dbfs| {
            let shown = characters(&genre("jazz", 0.81, dbfs));
            shown.iter().filter(|segments| **segments & POINT != 0).count()
        });
        assert_eq!(lit, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn states_differ_at_any_moment() {
        for quarter in 0..80 {
            let at = quarter * SECOND / 4;
            let all = test_card::scenes().map(|(_, scene)| characters(&Scene { at, ..scene }));
            for (i, a) in all.iter().enumerate() {
                assert!(a.iter().any(|segments| *segments != 0), "dark at {at}");
                assert!(!all[..i].contains(a), "at {at}");
            }
        }
    }

    #[test]
    fn a_fault_blinks_and_never_goes_dark() {
        for fault in Fault::ALL {
            for eighth in 0..80 {
                let scene =
                    Scene { at: eighth * SECOND / 8, state: State::Fault { fault }, ..Scene::default() };
                assert!(without_points(&scene).iter().any(|segments| *segments != 0), "{fault:?} {eighth}");
            }
        }
        let points = |at| characters(&Scene { at, ..card("fault") }).map(|segments| segments & POINT);
        assert_eq!([points(0), points(SECOND / 2)], [[POINT; 4], [0; 4]]);
    }
}
