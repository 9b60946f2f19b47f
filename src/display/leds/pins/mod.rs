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

use super::{Brightness, ConfigError, Device, pin_error};
use crate::display::DisplayError;
use crate::display::draw::{BLINK, level_part};
use crate::flow::{Scene, State};
use crate::spec::{MAX_LABELS, SAMPLE_RATE_HZ};

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

/// Most LEDs for genres.
pub const MAX_LEDS: usize = MAX_LABELS;

/// LEDs for genres, in the order of the model's labels, and perhaps one for the level.
#[derive(Debug)]
pub struct Pins<P> {
    genres: heapless::Vec<P, MAX_LEDS>,
    level: Option<P>,
    active: Active,
    is_dark: bool,
    shown: [Option<bool>; MAX_LEDS],
    level_shown: Option<bool>,
}

impl<P: OutputPin> Pins<P> {
    /// LEDs on these pins. Nothing is set.
    ///
    /// # Errors
    /// No pin for a genre, or more than [`MAX_LEDS`].
    pub fn new(
        pins: impl IntoIterator<Item = P>,
        level: Option<P>,
        active: Active,
    ) -> Result<Self, ConfigError> {
        let error = ConfigError { field: "pins", allowed: "1 to 32" };
        let mut genres = heapless::Vec::new();
        for pin in pins {
            genres.push(pin).map_err(|_| error)?;
        }
        if genres.is_empty() {
            return Err(error);
        }
        Ok(Self { genres, level, active, is_dark: true, shown: [None; MAX_LEDS], level_shown: None })
    }

    /// The pins of the genres.
    pub fn genres(&self) -> &[P] {
        &self.genres
    }

    /// The level's pin.
    pub fn level(&self) -> Option<&P> {
        self.level.as_ref()
    }

    /// Lights the LEDs for whose index `genre` says so.
    fn light(&mut self, genre: impl Fn(usize) -> bool, level: bool) -> Result<(), DisplayError> {
        let genres = self.genres.iter_mut().zip(&mut self.shown).enumerate();
        let genres = genres.map(|(index, (pin, shown))| (pin, shown, genre(index)));
        let level = self.level.as_mut().map(|pin| (pin, &mut self.level_shown, level));
        for (pin, shown, lit) in genres.chain(level) {
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

impl<P: OutputPin> Device for Pins<P> {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.shown = [None; MAX_LEDS];
        self.level_shown = None;
        self.is_dark = brightness == Brightness::OFF;
        Ok(())
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.is_dark = brightness == Brightness::OFF;
        // What is to be lit again comes with the next scene.
        if self.is_dark { self.light(|_| false, false) } else { Ok(()) }
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let leds = self.genres.len();
        self.light(|led| is_lit(scene, led, leds), level_part(scene.level.dbfs()) > LOUD)
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
