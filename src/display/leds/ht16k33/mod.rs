//! HT16K33 on I2C: an 8×8 matrix, or four 14-segment characters.
//!
//! Source: Holtek, "HT16K33 RAM Mapping 16*8 LED Controller Driver", revision 1.10: commands (table "Command Summary"),
//! display RAM of 8 × 16 bits (COM0–COM7, each ROW0–7 then ROW8–15), addresses 0x70–0x77, at most 400 kHz.
//!
//! One transaction per changed frame: the RAM's address 0 and all its 16 bytes. The wiring of matrix and characters is
//! that of the common "backpack" boards of Adafruit; [`Wiring`] has the other.

mod sim; // a simulated chip

use embedded_hal::i2c::I2c;

use super::{Brightness, Device, Dots, Rotation, i2c_error, segments};
use crate::display::{DisplayError, draw};
use crate::flow::Scene;

pub use sim::SimChip;

/// The chip's address with open jumpers.
pub const ADDRESS: u8 = 0x70;

/// Commands.
const RAM: u8 = 0x00;
const OSCILLATOR_ON: u8 = 0x21;
const ROWS_NOT_INTERRUPT: u8 = 0xA0;
const DISPLAY_OFF: u8 = 0x80;
const DISPLAY_ON: u8 = 0x81;
const DIMMING: u8 = 0xE0;

/// The highest dimming step: a pulse width of 16/16.
const TOP_DIMMING: u8 = 15;

/// What the RAM holds.
type Ram = [u8; 16];

/// The chip without what hangs on it.
#[derive(Debug)]
struct Chip<I> {
    i2c: I,
    address: u8,
    brightness: Brightness,
    shown: Option<Ram>,
    awake: bool,
}

impl<I: I2c> Chip<I> {
    const fn new(i2c: I, address: u8) -> Self {
        Self { i2c, address, brightness: Brightness::OFF, shown: None, awake: false }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DisplayError> {
        self.i2c.write(self.address, bytes).map_err(i2c_error)
    }

    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.shown = None;
        self.awake = false;
        self.write(&[OSCILLATOR_ON])?;
        self.write(&[ROWS_NOT_INTERRUPT])?;
        self.dim(brightness)
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.brightness = brightness;
        let Some(step) = brightness.step(TOP_DIMMING) else {
            self.awake = false;
            return self.write(&[DISPLAY_OFF]);
        };
        self.write(&[DIMMING | step])?;
        // After power-on the RAM holds anything: then the first frame wakes the display.
        if self.shown.is_some() { self.wake() } else { Ok(()) }
    }

    fn wake(&mut self) -> Result<(), DisplayError> {
        if !self.awake && self.brightness > Brightness::OFF {
            self.write(&[DISPLAY_ON])?;
            self.awake = true;
        }
        Ok(())
    }

    fn show(&mut self, ram: Ram) -> Result<(), DisplayError> {
        if self.shown != Some(ram) {
            let mut bytes = [RAM; 17];
            bytes[1..].copy_from_slice(&ram);
            self.shown = None;
            self.write(&bytes)?;
            self.shown = Some(ram);
        }
        self.wake()
    }
}

/// How the columns of a matrix are wired to the chip's outputs ROW0–7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Wiring {
    /// One output further: the leftmost column is on ROW7, the next on ROW0. Adafruit's 0.8″ and 1.2″ boards.
    #[default]
    Backpack,
    /// Column by column.
    Straight,
}

impl Wiring {
    fn bit(self, column: usize) -> usize {
        match self {
            Self::Backpack => (column + 7) % 8,
            Self::Straight => column,
        }
    }
}

/// An 8×8 matrix.
#[derive(Debug)]
pub struct Matrix8<I> {
    chip: Chip<I>,
    wiring: Wiring,
    rotation: Rotation,
}

impl<I: I2c> Matrix8<I> {
    /// The matrix at `address`. Nothing is sent.
    pub const fn new(i2c: I, address: u8, wiring: Wiring, rotation: Rotation) -> Self {
        Self { chip: Chip::new(i2c, address), wiring, rotation }
    }

    /// The bus.
    pub fn bus(&self) -> &I {
        &self.chip.i2c
    }

    /// The bus.
    pub fn bus_mut(&mut self) -> &mut I {
        &mut self.chip.i2c
    }
}

impl<I: I2c> Device for Matrix8<I> {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.chip.start(brightness)
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.chip.dim(brightness)
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let mut dots = Dots::new(8);
        let Ok(()) = draw(scene, &mut dots);
        let mut ram = Ram::default();
        for (x, y) in (0..8).flat_map(|x| (0..8).map(move |y| (x, y))) {
            let (column, row) = self.rotation.turned_back(x, y);
            ram[2 * row] |= u8::from(dots.lit(x, y)) << self.wiring.bit(column);
        }
        self.chip.show(ram)
    }
}

/// Four 14-segment characters with points.
#[derive(Debug)]
pub struct Characters<I> {
    chip: Chip<I>,
}

impl<I: I2c> Characters<I> {
    /// The characters at `address`. Nothing is sent.
    pub const fn new(i2c: I, address: u8) -> Self {
        Self { chip: Chip::new(i2c, address) }
    }

    /// The bus.
    pub fn bus(&self) -> &I {
        &self.chip.i2c
    }

    /// The bus.
    pub fn bus_mut(&mut self) -> &mut I {
        &mut self.chip.i2c
    }
}

impl<I: I2c> Device for Characters<I> {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.chip.start(brightness)
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.chip.dim(brightness)
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let mut ram = Ram::default();
        for (bytes, segments) in ram.chunks_exact_mut(2).zip(segments::characters(scene)) {
            bytes.copy_from_slice(&segments.to_le_bytes());
        }
        self.chip.show(ram)
    }
}

#[cfg(test)]
mod tests;
