//! LEDs on pins, one for each genre, and one for the level if there is one to spare.
//!
//! | state | genre LEDs |
//! | --- | --- |
//! | silence | dark, but for a short flash every two seconds, which wanders |
//! | listening | a light that runs |
//! | unsure | the likeliest label's blinks |
//! | genre | the genre's is lit |
//! | fault | every second is lit, changing places twice a second |
//!
//! Labels beyond the last LED light the last one. The level's LED is lit while the sound is louder than −30 dBFS. A pin
//! knows lit and dark only: every brightness but 0 is full. One call per pin that changes.

mod sim; // simulated LEDs

use embedded_hal::digital::{OutputPin, PinState};

use super::{Brightness, Device, pin_error};
use crate::display::DisplayError;
use crate::display::draw::{BLINK, level_part};
use crate::flow::{Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

pub use sim::{SimPin, SimPins};

/// How long the light rests on an LED while listening, and how long silence's flash lasts: a quarter of a second, as scenes
/// come ten times a second.
const SHORT: u64 = SAMPLE_RATE_HZ as u64 / 4;
/// From one flash to the next.
const FLASH_EVERY: u64 = 2 * SAMPLE_RATE_HZ as u64;
/// Half of a meter: −30 dBFS.
const LOUD: f32 = 0.5;

/// What lights an LED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Active {
    /// A high pin: the LED goes to ground.
    #[default]
    High,
    /// A low pin: the LED goes to the supply.
    Low,
}

/// `N` LEDs for genres, in the order of the model's labels, and perhaps one for the level.
#[derive(Debug)]
pub struct Pins<P, const N: usize> {
    genres: [P; N],
    level: Option<P>,
    active: Active,
    is_dark: bool,
    shown: [Option<bool>; N],
    level_shown: Option<bool>,
}

impl<P: OutputPin, const N: usize> Pins<P, N> {
    /// LEDs on these pins. Nothing is set.
    pub const fn new(genres: [P; N], level: Option<P>, active: Active) -> Self {
        Self { genres, level, active, is_dark: true, shown: [None; N], level_shown: None }
    }

    /// The pins of the genres.
    pub fn genres(&self) -> &[P; N] {
        &self.genres
    }

    /// The level's pin.
    pub fn level(&self) -> Option<&P> {
        self.level.as_ref()
    }

    fn light(&mut self, genres: [bool; N], level: bool) -> Result<(), DisplayError> {
        let pins = self.genres.iter_mut().zip(&mut self.shown).zip(genres);
        let level = self.level.as_mut().map(|pin| ((pin, &mut self.level_shown), level));
        for ((pin, shown), lit) in pins.chain(level) {
            let lit = lit && !self.is_dark;
            if *shown != Some(lit) {
                *shown = None;
                pin.set_state(PinState::from(lit == (self.active == Active::High))).map_err(pin_error)?;
                *shown = Some(lit);
            }
        }
        Ok(())
    }
}

impl<P: OutputPin, const N: usize> Device for Pins<P, N> {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.shown = [None; N];
        self.level_shown = None;
        self.is_dark = brightness == Brightness::OFF;
        Ok(())
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.is_dark = brightness == Brightness::OFF;
        // What is to be lit again comes with the next scene.
        if self.is_dark { self.light([false; N], false) } else { Ok(()) }
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let genres = core::array::from_fn(|led| is_lit(scene, led, N));
        self.light(genres, level_part(scene.level.dbfs()) > LOUD)
    }
}

/// Whether the LED with this index, of `leds`, is lit.
fn is_lit(scene: &Scene, led: usize, leds: usize) -> bool {
    let at = scene.at;
    let turn = |every: u64| led as u64 == at / every % leds as u64;
    let is_of = |label: u8| led == usize::from(label).min(leds - 1);
    match scene.state {
        State::Silence => turn(FLASH_EVERY) && at % FLASH_EVERY < SHORT,
        State::Listening => turn(SHORT),
        State::Unsure { label, .. } => is_of(label) && (at / BLINK).is_multiple_of(2),
        State::Genre { label, .. } => is_of(label),
        State::Fault { .. } => (led as u64 + at / BLINK).is_multiple_of(2),
    }
}

#[cfg(test)]
mod tests;
