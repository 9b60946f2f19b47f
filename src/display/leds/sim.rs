//! A simulated bus with one simulated chip on it.
//!
//! [`SimPort`] is what drivers are tested on and what the simulated board has: it implements the traits of SPI and of I2C,
//! hands the very bytes of the bus to its [`Chip`], and can be unplugged or broken. The chips stand beside their drivers.
//! Not for several chips on one bus.

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;
use embedded_hal::{i2c, spi};

use crate::display::picture::Lamps;

/// A chip that takes the bytes of a bus.
pub trait Chip {
    /// Takes one write: what lies between a falling and a rising chip select, or after the address. `None` for what the
    /// chip's driver has no business to send.
    fn take(&mut self, bytes: &[u8]) -> Option<()>;

    /// Falls back to what the chip is when it has just got its supply.
    fn reset(&mut self);

    /// The address at which it answers on I2C; a chip on SPI has none.
    fn address(&self) -> Option<u8> {
        None
    }
}

/// A simulated bus and the chip on it.
#[derive(Clone, Debug)]
pub struct SimPort<C> {
    chip: C,
    plugged: bool,
    broken: bool,
    transactions: u64,
}

impl<C: Chip> SimPort<C> {
    /// A bus with this chip on it, plugged in.
    pub const fn new(chip: C) -> Self {
        Self { chip, plugged: true, broken: false, transactions: 0 }
    }

    /// Unplugs the chip or takes its supply away, or gives it back: then it has forgotten all. On I2C it doesn't answer
    /// meanwhile; SPI doesn't notice.
    pub fn plug(&mut self, plugged: bool) {
        self.plugged = plugged;
        self.chip.reset();
    }

    /// Breaks the bus, or mends it. While it is broken every transaction fails; the chip goes on showing what it shows.
    pub fn break_bus(&mut self, broken: bool) {
        self.broken = broken;
    }

    /// The chip.
    #[must_use]
    pub fn chip(&self) -> &C {
        &self.chip
    }

    /// Transactions that arrived so far.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// One write that arrived; whether the chip understood it.
    fn take(&mut self, bytes: &[u8]) -> bool {
        !self.plugged || self.chip.take(bytes).is_some()
    }
}

impl<C> i2c::ErrorType for SimPort<C> {
    type Error = i2c::ErrorKind;
}

impl<C: Chip> i2c::I2c for SimPort<C> {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), i2c::ErrorKind> {
        if self.broken {
            return Err(i2c::ErrorKind::Bus);
        }
        if !self.plugged || self.chip.address() != Some(address) {
            return Err(i2c::ErrorKind::NoAcknowledge(i2c::NoAcknowledgeSource::Address));
        }
        self.transactions += 1;
        for operation in operations {
            match operation {
                i2c::Operation::Write(bytes) if self.take(bytes) => {}
                // The drivers only write.
                _ => return Err(i2c::ErrorKind::Other),
            }
        }
        Ok(())
    }
}

impl<C> spi::ErrorType for SimPort<C> {
    type Error = spi::ErrorKind;
}

impl<C: Chip> spi::SpiDevice for SimPort<C> {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), spi::ErrorKind> {
        if self.broken {
            return Err(spi::ErrorKind::Other);
        }
        self.transactions += 1;
        for operation in operations {
            match operation {
                spi::Operation::Write(bytes) if self.take(bytes) => {}
                spi::Operation::DelayNs(_) => {}
                // The drivers only write.
                _ => return Err(spi::ErrorKind::Other),
            }
        }
        Ok(())
    }
}

impl<C: Chip + Lamps> Lamps for SimPort<C> {
    fn size(&self) -> Size {
        self.chip.size()
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        if self.plugged { self.chip.lamp(x, y) } else { Rgb888::BLACK }
    }
}
