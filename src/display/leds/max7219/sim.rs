//! A simulated chain: takes the bytes of the bus, latches them as the chips do, and is looked at as it is mounted.

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::{
    ALL_ROWS, DARK, DECODE_MODE, DISPLAY_TEST, FIRST_ROW, INTENSITY, LIT, Layout, MAX_MODULES, SCAN_LIMIT,
    SHUTDOWN,
};
use crate::display::leds::ConfigError;
use crate::display::leds::sim::Chip;
use crate::display::picture::Lamps;

/// The LEDs of the common modules.
const RED: Rgb888 = Rgb888::new(255, 40, 30);

/// The registers of one chip, by address.
type Registers = [u8; 16];

/// A simulated chain of modules.
#[derive(Clone, Debug)]
pub struct SimChain {
    layout: Layout,
    chips: [Registers; MAX_MODULES],
}

impl SimChain {
    /// A chain that has just got its supply: in shutdown.
    ///
    /// # Errors
    /// A number of modules out of range.
    pub fn new(layout: Layout) -> Result<Self, ConfigError> {
        layout.validate()?;
        Ok(Self { layout, chips: [[0; 16]; MAX_MODULES] })
    }

    /// The intensity register of the chip nearest to the board.
    #[must_use]
    pub fn intensity(&self) -> u8 {
        self.chips[0][usize::from(INTENSITY)]
    }
}

impl Chip for SimChain {
    /// What the chips latch when CS rises: the last two bytes that each one shifted in.
    fn take(&mut self, bytes: &[u8]) -> Option<()> {
        let chain = self.chips.iter_mut().take(self.layout.modules.into());
        for (chip, word) in chain.zip(bytes.rchunks_exact(2)) {
            let register = usize::from(word[0] & 0x0F);
            // Register 0 is for chips that have nothing to do.
            if register != 0 {
                chip[register] = word[1];
            }
        }
        Some(())
    }

    fn reset(&mut self) {
        self.chips = [[0; 16]; MAX_MODULES];
    }
}

impl Lamps for SimChain {
    fn size(&self) -> Size {
        Size::new(8 * u32::from(self.layout.modules), 8)
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        if x >= 8 * usize::from(self.layout.modules) || y >= 8 {
            return Rgb888::BLACK;
        }
        let wire = self.layout.wire(x, y);
        let chip = &self.chips[wire.chip];
        let register = |register: u8| chip[usize::from(register)];
        let scanned = register(SCAN_LIMIT) == ALL_ROWS || wire.row <= register(SCAN_LIMIT).into();
        let value = register(FIRST_ROW + wire.row as u8);
        let shows = register(SHUTDOWN) & LIT != DARK && register(DECODE_MODE) == 0 && scanned;
        if register(DISPLAY_TEST) & 1 == 1 || shows && value >> wire.bit & 1 == 1 {
            RED
        } else {
            Rgb888::BLACK
        }
    }
}
