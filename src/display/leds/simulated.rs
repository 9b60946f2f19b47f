//! Any display with a simulated chip: the bytes of its bus, turned back into light.

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;

use super::ht16k33::{Characters, Matrix8, SimChip};
use super::max7219::{Max7219, SimChain};
use super::pins::{Pins, SimPin, SimPins};
use super::sim::SimPort;
use super::ssd1306::{SimPanel, Ssd1306};
use super::strip::{SimStrip, Strip};
use super::{Brightness, ConfigError, Device, Setup};
use crate::display::DisplayError;
use crate::display::picture::Lamps;
use crate::flow::Scene;

/// A display on a simulated bus: the driver that real ones have, and a chip to look at.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a program has one of them, and nothing here allocates")]
pub enum Simulated {
    /// A chain of MAX7219.
    Max7219(Max7219<SimPort<SimChain>>),
    /// An 8×8 matrix on an HT16K33.
    Matrix(Matrix8<SimPort<SimChip>>),
    /// Four 14-segment characters on an HT16K33.
    Characters(Characters<SimPort<SimChip>>),
    /// An SSD1306.
    Ssd1306(Ssd1306<SimPort<SimPanel>>),
    /// A strip.
    Strip(Strip<SimPort<SimStrip>>),
    /// LEDs on pins.
    Pins(Pins<SimPin>),
}

/// Does the same with whatever display it is.
macro_rules! each {
    ($display:expr, $device:ident => $do:expr) => {
        match $display {
            Simulated::Max7219($device) => $do,
            Simulated::Matrix($device) => $do,
            Simulated::Characters($device) => $do,
            Simulated::Ssd1306($device) => $do,
            Simulated::Strip($device) => $do,
            Simulated::Pins($device) => $do,
        }
    };
}

/// Does the same with whatever bus there is; pins have none.
macro_rules! on_bus {
    ($display:expr, $device:ident => $do:expr) => {
        match $display {
            Simulated::Max7219($device) => $do,
            Simulated::Matrix($device) => $do,
            Simulated::Characters($device) => $do,
            Simulated::Ssd1306($device) => $do,
            Simulated::Strip($device) => $do,
            Simulated::Pins(_) => {}
        }
    };
}

impl Simulated {
    /// The display with a chip that has just got its supply.
    ///
    /// # Errors
    /// A number of modules or LEDs out of range.
    pub fn new(setup: Setup) -> Result<Self, ConfigError> {
        Ok(match setup {
            Setup::Max7219(layout) => {
                Self::Max7219(Max7219::new(SimPort::new(SimChain::new(layout)?), layout)?)
            }
            Setup::Matrix { address, wiring, rotation } => {
                let chip = SimChip::matrix(address, wiring, rotation);
                Self::Matrix(Matrix8::new(SimPort::new(chip), address, wiring, rotation))
            }
            Setup::Characters { address } => {
                Self::Characters(Characters::new(SimPort::new(SimChip::characters(address)), address))
            }
            Setup::Ssd1306 { address, panel, upside_down } => {
                let chip = SimPanel::new(address, panel, upside_down);
                Self::Ssd1306(Ssd1306::new(SimPort::new(chip), address, panel, upside_down))
            }
            Setup::Strip(config) => Self::Strip(Strip::new(SimPort::new(SimStrip::new(config)?), config)?),
            Setup::Pins { genres, level, active } => {
                let genres = core::iter::repeat_n(SimPin::default(), genres.into());
                Self::Pins(Pins::new(genres, level.then(SimPin::default), active)?)
            }
        })
    }

    /// Unplugs the chip, or plugs it in again (see [`SimPort::plug`]).
    pub fn plug(&mut self, plugged: bool) {
        on_bus!(self, device => device.bus_mut().plug(plugged));
    }

    /// Breaks the bus, or mends it (see [`SimPort::break_bus`]).
    pub fn break_bus(&mut self, broken: bool) {
        on_bus!(self, device => device.bus_mut().break_bus(broken));
    }

    /// What there is to be seen.
    fn see<T>(&self, look: impl FnOnce(&dyn Lamps) -> T) -> T {
        match self {
            Self::Max7219(device) => look(device.bus()),
            Self::Matrix(device) => look(device.bus()),
            Self::Characters(device) => look(device.bus()),
            Self::Ssd1306(device) => look(device.bus()),
            Self::Strip(device) => look(device.bus()),
            Self::Pins(device) => look(&SimPins(device)),
        }
    }
}

impl Device for Simulated {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        each!(self, device => device.start(brightness))
    }

    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        each!(self, device => device.dim(brightness))
    }

    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        each!(self, device => device.show(scene))
    }
}

impl Lamps for Simulated {
    fn size(&self) -> Size {
        self.see(|lamps| lamps.size())
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        self.see(|lamps| lamps.lamp(x, y))
    }
}
