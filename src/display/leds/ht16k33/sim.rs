//! A simulated chip with what hangs on it: takes the bytes of the bus, and is looked at as a matrix or as characters.

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::{DIMMING, DISPLAY_ON, OSCILLATOR_ON, Ram, Wiring};
use crate::display::leds::sim::Chip;
use crate::display::leds::{Rotation, segments};
use crate::display::picture::Lamps;

/// The LEDs of the common boards.
const GREEN: Rgb888 = Rgb888::new(60, 240, 70);

/// A simulated chip.
#[derive(Clone, Debug)]
pub struct SimChip {
    address: u8,
    face: Face,
    ram: Ram,
    oscillates: bool,
    on: bool,
    dimming: u8,
}

/// What hangs on the chip.
#[derive(Clone, Copy, Debug)]
enum Face {
    /// An 8×8 matrix: how it is wired and mounted.
    Matrix(Wiring, Rotation),
    /// Four 14-segment characters, drawn in dots.
    Characters,
}

impl SimChip {
    /// A chip with an 8×8 matrix, at `address`. It has just got its supply: it is asleep, its RAM full of anything.
    #[must_use]
    pub const fn matrix(address: u8, wiring: Wiring, rotation: Rotation) -> Self {
        Self::new(address, Face::Matrix(wiring, rotation))
    }

    /// A chip with four 14-segment characters, at `address`; as [`matrix`](Self::matrix).
    #[must_use]
    pub const fn characters(address: u8) -> Self {
        Self::new(address, Face::Characters)
    }

    const fn new(address: u8, face: Face) -> Self {
        Self { address, face, ram: [0xA5; 16], oscillates: false, on: false, dimming: 15 }
    }

    /// The dimming step, 0–15.
    #[must_use]
    pub fn dimming(&self) -> u8 {
        self.dimming
    }
}

impl Chip for SimChip {
    fn take(&mut self, bytes: &[u8]) -> Option<()> {
        let (&command, data) = bytes.split_first()?;
        match command {
            // The RAM's address counts up with each byte and wraps.
            0x00..=0x0F => {
                for (address, byte) in (usize::from(command)..).zip(data) {
                    self.ram[address % 16] = *byte;
                }
            }
            0x20..=0x2F => self.oscillates = command & 1 == OSCILLATOR_ON & 1,
            0x80..=0x8F => self.on = command & 1 == DISPLAY_ON & 1,
            DIMMING..=0xEF => self.dimming = command & 0x0F,
            _ => {}
        }
        Some(())
    }

    fn reset(&mut self) {
        *self = Self::new(self.address, self.face);
    }

    fn address(&self) -> Option<u8> {
        Some(self.address)
    }
}

impl Lamps for SimChip {
    fn size(&self) -> Size {
        match self.face {
            Face::Matrix(..) => Size::new(8, 8),
            Face::Characters => {
                Size::new((segments::CHARACTERS * segments::PITCH) as u32, segments::HEIGHT as u32)
            }
        }
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        let Size { width, height } = self.size();
        let there = x < width as usize && y < height as usize;
        let lit = there
            && self.oscillates
            && self.on
            && match self.face {
                Face::Matrix(wiring, rotation) => {
                    let (column, row) = rotation.turned_back(x, y);
                    self.ram[2 * row] >> wiring.bit(column) & 1 == 1
                }
                Face::Characters => {
                    let (low, high) =
                        (self.ram[2 * (x / segments::PITCH)], self.ram[2 * (x / segments::PITCH) + 1]);
                    segments::segment_at(x % segments::PITCH, y) & u16::from_le_bytes([low, high]) != 0
                }
            };
        if lit { GREEN } else { Rgb888::BLACK }
    }
}
