//! MAX7219 and MAX7221: 8×8 modules in chains of 1 to 8.
//!
//! Source: Maxim (Analog Devices) 19-4452, "MAX7219/MAX7221", revision 4: serial format (table 1), registers (table 2),
//! intensity (table 7), cascading (figure 1 and "Cascading Drivers"). A chip takes 16 bits, register in bits 11–8 and
//! value in 7–0, most significant first, and latches what its shift register holds when CS rises; so one transaction
//! writes one register of every chip, the chip furthest from the board first. Mode 0, at most 10 MHz.
//!
//! One transaction per register that differs anywhere in the chain; a register is a row of dots of modules that are
//! mounted upright. The chip can't be read: a module that lost its supply shows nothing until the next
//! [`start`](Device::start).

mod layout; // where a dot is wired
mod sim; // a simulated chain

use embedded_hal::spi::SpiDevice;

use super::{Brightness, ConfigError, Device, Dots, spi_error};
use crate::display::{DisplayError, draw};
use crate::flow::Scene;

pub use layout::{Layout, Lead};
pub use sim::SimChain;

/// Most modules in a chain.
pub const MAX_MODULES: usize = 8;

/// The clock of the bus, hertz: a tenth of what the chip bears, so that long wires and level shifters do no harm.
pub const SPI_HZ: u32 = 1_000_000;

/// Registers (table 2); those of the rows are 1 to 8.
const FIRST_ROW: u8 = 0x01;
const DECODE_MODE: u8 = 0x09;
const INTENSITY: u8 = 0x0A;
const SCAN_LIMIT: u8 = 0x0B;
const SHUTDOWN: u8 = 0x0C;
const DISPLAY_TEST: u8 = 0x0F;

/// The highest intensity: a duty cycle of 31/32 (table 7).
const TOP_INTENSITY: u8 = 15;
/// Scan limit for all eight rows.
const ALL_ROWS: u8 = 7;
/// Shutdown register: dark, and normal operation.
const DARK: u8 = 0;
const LIT: u8 = 1;

/// The rows of every chip: `[row][chip]`, chip 0 nearest to the board.
type Rows = [[u8; MAX_MODULES]; 8];

/// A chain of modules.
#[derive(Debug)]
pub struct Max7219<S> {
    spi: S,
    layout: Layout,
    brightness: Brightness,
    /// What the chips' rows hold, where that is known.
    shown: [Option<[u8; MAX_MODULES]>; 8],
    /// Whether the chips are known to be out of shutdown.
    awake: bool,
}

impl<S: SpiDevice> Max7219<S> {
    /// The chain behind `spi`, whose modules are mounted as `layout` says. Nothing is sent.
    ///
    /// # Errors
    /// A number of modules out of range.
    pub fn new(spi: S, layout: Layout) -> Result<Self, ConfigError> {
        layout.validate()?;
        Ok(Self { spi, layout, brightness: Brightness::OFF, shown: [None; 8], awake: false })
    }

    /// The bus.
    pub fn bus(&self) -> &S {
        &self.spi
    }

    /// The bus.
    pub fn bus_mut(&mut self) -> &mut S {
        &mut self.spi
    }

    /// One transaction: writes a register of every chip.
    fn write(&mut self, register: u8, values: &[u8; MAX_MODULES]) -> Result<(), DisplayError> {
        let mut words = [0; 2 * MAX_MODULES];
        let chain = &values[..self.layout.modules.into()];
        for (word, value) in words.chunks_exact_mut(2).zip(chain.iter().rev()) {
            word.copy_from_slice(&[register, *value]);
        }
        self.spi.write(&words[..2 * chain.len()]).map_err(spi_error)
    }

    fn write_all(&mut self, register: u8, value: u8) -> Result<(), DisplayError> {
        self.write(register, &[value; MAX_MODULES])
    }

    /// Wakes the chips once they hold a picture, unless they are to be dark.
    fn wake(&mut self) -> Result<(), DisplayError> {
        if !self.awake && self.brightness > Brightness::OFF {
            self.write_all(SHUTDOWN, LIT)?;
            self.awake = true;
        }
        Ok(())
    }

    fn rows(&self, dots: &Dots) -> Rows {
        let mut rows = Rows::default();
        for x in 0..8 * usize::from(self.layout.modules) {
            for y in 0..8 {
                let wire = self.layout.wire(x, y);
                rows[wire.row][wire.chip] |= u8::from(dots.lit(x, y)) << wire.bit;
            }
        }
        rows
    }
}

impl<S: SpiDevice> Device for Max7219<S> {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.shown = [None; 8];
        self.write_all(DISPLAY_TEST, 0)?;
        self.write_all(DECODE_MODE, 0)?;
        self.write_all(SCAN_LIMIT, ALL_ROWS)?;
        self.awake = false;
        self.dim(brightness)
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.brightness = brightness;
        let Some(intensity) = brightness.step(TOP_INTENSITY) else {
            self.awake = false;
            return self.write_all(SHUTDOWN, DARK);
        };
        self.write_all(INTENSITY, intensity)?;
        // Directly after a start the rows may hold anything: then `show` wakes the chips.
        if self.shown.iter().all(Option::is_some) { self.wake() } else { Ok(()) }
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let mut dots = Dots::new(8 * self.layout.modules);
        let Ok(()) = draw(scene, &mut dots);
        for (register, (row, values)) in (FIRST_ROW..).zip(self.rows(&dots).iter().enumerate()) {
            if self.shown[row] != Some(*values) {
                // While it is being written, nobody knows what it holds.
                self.shown[row] = None;
                self.write(register, values)?;
                self.shown[row] = Some(*values);
            }
        }
        self.wake()
    }
}

#[cfg(test)]
mod tests;
