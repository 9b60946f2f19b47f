//! A simulated chip: takes the bytes of the bus, and is looked at as a matrix or as characters.

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use super::{DIMMING, DISPLAY_ON, OSCILLATOR_ON, Ram, Wiring};
use crate::display::leds::{Rotation, segments};
use crate::display::picture::Lamps;

/// The LEDs of the common boards.
const GREEN: Rgb888 = Rgb888::new(60, 240, 70);

/// A simulated chip.
#[derive(Clone, Debug)]
pub struct SimChip {
    address: u8,
    plugged: bool,
    ram: Ram,
    oscillates: bool,
    on: bool,
    dimming: u8,
    transactions: u64,
}

impl SimChip {
    /// A chip at `address` that has just got its supply: asleep, its RAM full of anything.
    #[must_use]
    pub const fn new(address: u8) -> Self {
        Self {
            address,
            plugged: true,
            ram: [0xA5; 16],
            oscillates: false,
            on: false,
            dimming: 15,
            transactions: 0,
        }
    }

    /// Unplugs the chip, or plugs it in again. Unplugged it doesn't answer, and forgets all.
    pub fn plug(&mut self, plugged: bool) {
        *self = Self { plugged, transactions: self.transactions, ..Self::new(self.address) };
    }

    /// Transactions so far.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// The dimming step, 0–15.
    #[must_use]
    pub fn dimming(&self) -> u8 {
        self.dimming
    }

    fn take(&mut self, bytes: &[u8]) {
        let Some((&command, data)) = bytes.split_first() else { return };
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
    }

    fn lights(&self) -> bool {
        self.plugged && self.oscillates && self.on
    }
}

impl ErrorType for SimChip {
    type Error = ErrorKind;
}

impl I2c for SimChip {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        if !self.plugged || address != self.address {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        self.transactions += 1;
        for operation in operations {
            match operation {
                Operation::Write(bytes) => self.take(bytes),
                // The driver only writes.
                Operation::Read(_) => return Err(ErrorKind::Other),
            }
        }
        Ok(())
    }
}

/// A chip with an 8×8 matrix.
#[derive(Clone, Copy, Debug)]
pub struct SimMatrix<'a> {
    /// The chip.
    pub chip: &'a SimChip,
    /// How the matrix is wired.
    pub wiring: Wiring,
    /// How it is mounted.
    pub rotation: Rotation,
}

impl Lamps for SimMatrix<'_> {
    fn size(&self) -> Size {
        Size::new(8, 8)
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        if x >= 8 || y >= 8 || !self.chip.lights() {
            return Rgb888::BLACK;
        }
        let (column, row) = self.rotation.turned_back(x, y);
        if self.chip.ram[2 * row] >> self.wiring.bit(column) & 1 == 1 { GREEN } else { Rgb888::BLACK }
    }
}

/// A chip with four 14-segment characters, drawn in dots.
#[derive(Clone, Copy, Debug)]
pub struct SimCharacters<'a>(
    /// The chip.
    pub &'a SimChip,
);

impl Lamps for SimCharacters<'_> {
    fn size(&self) -> Size {
        Size::new((segments::CHARACTERS * segments::PITCH) as u32, segments::HEIGHT as u32)
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        let character = x / segments::PITCH;
        if character >= segments::CHARACTERS || !self.0.lights() {
            return Rgb888::BLACK;
        }
        let lit = u16::from_le_bytes([self.0.ram[2 * character], self.0.ram[2 * character + 1]]);
        if segments::segment_at(x % segments::PITCH, y) & lit != 0 { GREEN } else { Rgb888::BLACK }
    }
}
