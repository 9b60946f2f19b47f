//! A simulated panel: takes the bytes of the bus as the chip does.

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::Panel;
use super::pages::{COLUMNS, PAGES};
use crate::display::leds::sim::Chip;
use crate::display::picture::Lamps;

/// The light of the common panels.
const WHITE: Rgb888 = Rgb888::new(200, 230, 255);

/// A simulated panel, mounted upright or, like the driver's `upside_down`, not.
#[derive(Clone, Debug)]
pub struct SimPanel {
    address: u8,
    panel: Panel,
    upside_down: bool,
    memory: [[u8; COLUMNS]; PAGES],
    page: usize,
    column: usize,
    on: bool,
    pump: bool,
    page_mode: bool,
    /// Commands 0xA1 and 0xC8: columns and rows count from the other end.
    columns_turned: bool,
    rows_turned: bool,
    contrast: u8,
}

impl SimPanel {
    /// A panel at `address` that has just got its supply: off, its memory full of anything.
    #[must_use]
    pub const fn new(address: u8, panel: Panel, upside_down: bool) -> Self {
        Self {
            address,
            panel,
            upside_down,
            memory: [[0x5A; COLUMNS]; PAGES],
            page: 0,
            column: 0,
            on: false,
            pump: false,
            page_mode: true,
            columns_turned: false,
            rows_turned: false,
            contrast: 0x7F,
        }
    }

    /// The contrast, 0–255.
    #[must_use]
    pub fn contrast(&self) -> u8 {
        self.contrast
    }

    fn commands(&mut self, mut bytes: &[u8]) -> Option<()> {
        while let Some(&command) = bytes.first() {
            let length = match command {
                0x20 | 0x81 | 0x8D | 0xA8 | 0xD3 | 0xD5 | 0xD9 | 0xDA | 0xDB => 2,
                _ => 1,
            };
            self.command(bytes.get(..length)?)?;
            bytes = &bytes[length..];
        }
        Some(())
    }

    /// A command with its operand; none for what the driver has no business to send.
    fn command(&mut self, bytes: &[u8]) -> Option<()> {
        match *bytes {
            [low @ 0x00..=0x0F] => self.column = self.column & 0x70 | usize::from(low),
            [high @ 0x10..=0x17] => self.column = self.column & 0x0F | usize::from(high & 0x07) << 4,
            [page @ 0xB0..=0xB7] => self.page = usize::from(page & 0x07),
            [0xAE] => self.on = false,
            [0xAF] => self.on = true,
            [turned @ 0xA0..=0xA1] => self.columns_turned = turned == 0xA1,
            [turned @ (0xC0 | 0xC8)] => self.rows_turned = turned == 0xC8,
            [0x20, mode] => self.page_mode = mode == 2,
            [0x81, contrast] => self.contrast = contrast,
            [0x8D, pump] => self.pump = pump == 0x14,
            [0xA8, ratio] => return (ratio + 1 == self.panel.rows()).then_some(()),
            [0xD3, offset] => return (offset == 0).then_some(()),
            [0xDA, outputs] => {
                let right = if self.panel == Panel::Rows32 { 0x02 } else { 0x12 };
                return (outputs == right).then_some(());
            }
            [0x2E | 0x40 | 0xA4 | 0xA6] | [0xD5 | 0xD9 | 0xDB, _] => {}
            _ => return None,
        }
        Some(())
    }
}

impl Chip for SimPanel {
    /// One write: control bytes say whether one command, only commands or only data follow.
    fn take(&mut self, mut bytes: &[u8]) -> Option<()> {
        while let Some((&control, rest)) = bytes.split_first() {
            match control {
                super::ONE_COMMAND => {
                    let (command, rest) = rest.split_first()?;
                    self.command(&[*command])?;
                    bytes = rest;
                }
                super::COMMANDS => return self.commands(rest),
                super::DATA => {
                    for byte in rest {
                        self.memory[self.page][self.column] = *byte;
                        self.column = (self.column + 1) % COLUMNS;
                    }
                    return Some(());
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn reset(&mut self) {
        *self = Self::new(self.address, self.panel, self.upside_down);
    }

    fn address(&self) -> Option<u8> {
        Some(self.address)
    }
}

impl Lamps for SimPanel {
    fn size(&self) -> Size {
        Size::new(COLUMNS as u32, self.panel.rows().into())
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        let rows = usize::from(self.panel.rows());
        let lights = self.on && self.pump && self.page_mode;
        if x >= COLUMNS || y >= rows || !lights {
            return Rgb888::BLACK;
        }
        // The glass is mounted so that upright needs both turns.
        let x = if self.columns_turned == self.upside_down { COLUMNS - 1 - x } else { x };
        let y = if self.rows_turned == self.upside_down { rows - 1 - y } else { y };
        if self.memory[y / 8][x] >> (y % 8) & 1 == 1 { WHITE } else { Rgb888::BLACK }
    }
}
