//! SSD1306 on I2C: OLED panels of 128×64 and 128×32 dots.
//!
//! Source: Solomon Systech, "SSD1306", revision 1.1 (April 2008): I2C control byte (8.1.5.2), commands (tables 9-1 and
//! 10), page addressing (10.1.3), charge pump (application note of the same sheet). Address 0x3C or 0x3D, at most 400 kHz.
//! An own driver because of the transactions: one per changed page, which names its place and brings its dots at once.
//!
//! A page is 8 rows; byte `n` of it is column `n`, its least significant bit the uppermost row. Of a changed page only
//! the columns from the first to the last that changed are sent. OLEDs age with use: what stands still for days remains
//! visible, which is a reason for night hours.

mod pages; // a framebuffer in the panel's order
mod sim; // a simulated panel

use embedded_hal::i2c::I2c;

use super::{Brightness, Device, i2c_error};
use crate::display::{DisplayError, draw};
use crate::flow::Scene;

use pages::{COLUMNS, PAGES, Pages};
pub use sim::SimPanel;

/// The panel's address with SA0 low.
pub const ADDRESS: u8 = 0x3C;

/// Control bytes: a single command byte follows, only commands follow, only data follow.
const ONE_COMMAND: u8 = 0x80;
const COMMANDS: u8 = 0x00;
const DATA: u8 = 0x40;

/// Commands.
const LOW_COLUMN: u8 = 0x00;
const HIGH_COLUMN: u8 = 0x10;
const PAGE: u8 = 0xB0;
const CONTRAST: u8 = 0x81;
const OFF: u8 = 0xAE;
const ON: u8 = 0xAF;

/// How many rows a panel has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Panel {
    /// 128 × 64 dots.
    #[default]
    Rows64,
    /// 128 × 32 dots.
    Rows32,
}

impl Panel {
    /// Rows of dots.
    #[must_use]
    pub const fn rows(self) -> u8 {
        match self {
            Self::Rows64 => 64,
            Self::Rows32 => 32,
        }
    }
}

/// A panel.
#[derive(Debug)]
pub struct Ssd1306<I> {
    i2c: I,
    address: u8,
    panel: Panel,
    upside_down: bool,
    brightness: Brightness,
    awake: bool,
    /// What is to be shown, and what the panel's pages hold where that is known.
    wanted: Pages,
    shown: Pages,
    known: [bool; PAGES],
}

impl<I: I2c> Ssd1306<I> {
    /// The panel at `address`. Nothing is sent.
    pub const fn new(i2c: I, address: u8, panel: Panel, upside_down: bool) -> Self {
        Self {
            i2c,
            address,
            panel,
            upside_down,
            brightness: Brightness::OFF,
            awake: false,
            wanted: Pages::new(panel.rows()),
            shown: Pages::new(panel.rows()),
            known: [false; PAGES],
        }
    }

    /// The bus.
    pub fn bus(&self) -> &I {
        &self.i2c
    }

    /// The bus.
    pub fn bus_mut(&mut self) -> &mut I {
        &mut self.i2c
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DisplayError> {
        self.i2c.write(self.address, bytes).map_err(i2c_error)
    }

    /// Sends the columns of a page that differ, as one transaction.
    fn send(&mut self, page: usize) -> Result<(), DisplayError> {
        let (wanted, shown) = (self.wanted.page(page), self.shown.page(page));
        let differs = |column: &usize| !self.known[page] || wanted[*column] != shown[*column];
        let Some(first) = (0..COLUMNS).find(differs) else { return Ok(()) };
        let end = (first..COLUMNS).rev().find(differs).map_or(first, |last| last + 1);
        let place = [
            ONE_COMMAND,
            PAGE | page as u8,
            ONE_COMMAND,
            LOW_COLUMN | (first & 0x0F) as u8,
            ONE_COMMAND,
            HIGH_COLUMN | (first >> 4) as u8,
            DATA,
        ];
        let mut bytes = [0; 7 + COLUMNS];
        bytes[..7].copy_from_slice(&place);
        let sent = 7 + end - first;
        bytes[7..sent].copy_from_slice(&wanted[first..end]);
        self.known[page] = false;
        self.write(&bytes[..sent])?;
        *self.shown.page_mut(page) = *self.wanted.page(page);
        self.known[page] = true;
        Ok(())
    }

    /// Switches the panel on once it holds a picture, unless it is to be dark.
    fn wake(&mut self) -> Result<(), DisplayError> {
        if !self.awake && self.brightness > Brightness::OFF {
            self.write(&[COMMANDS, ON])?;
            self.awake = true;
        }
        Ok(())
    }

    fn pages(&self) -> usize {
        usize::from(self.panel.rows()) / 8
    }
}

impl<I: I2c> Device for Ssd1306<I> {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.known = [false; PAGES];
        self.awake = false;
        let rows = self.panel.rows();
        // Panels of 32 rows use every second of the chip's row outputs: 0x02, sequential; else 0x12, alternating.
        let row_outputs = if rows == 32 { 0x02 } else { 0x12 };
        let (columns_from, rows_from) = if self.upside_down { (0xA0, 0xC0) } else { (0xA1, 0xC8) };
        self.write(&[
            COMMANDS,
            // Clock divider 1 at the middle frequency; multiplex ratio; no offset; first line.
            0xD5,
            0x80,
            0xA8,
            rows - 1,
            0xD3,
            0x00,
            0x40,
            // Charge pump on, for panels without a supply of their own.
            0x8D,
            0x14,
            // Page addressing.
            0x20,
            0x02,
            columns_from,
            rows_from,
            0xDA,
            row_outputs,
            // Pre-charge and deselect level as the charge pump asks for.
            0xD9,
            0xF1,
            0xDB,
            0x40,
            // Show the memory, not inverted; no scrolling.
            0xA4,
            0xA6,
            0x2E,
        ])?;
        self.dim(brightness)
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.brightness = brightness;
        let Some(contrast) = brightness.step(u8::MAX) else {
            self.awake = false;
            return self.write(&[COMMANDS, OFF]);
        };
        self.write(&[COMMANDS, CONTRAST, contrast])?;
        // After power-on the memory holds anything: then the first picture wakes the panel.
        if self.known[..self.pages()].iter().all(|known| *known) { self.wake() } else { Ok(()) }
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let Ok(()) = draw(scene, &mut self.wanted);
        for page in 0..self.pages() {
            self.send(page)?;
        }
        self.wake()
    }
}

#[cfg(test)]
mod tests;
