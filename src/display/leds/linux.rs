//! The buses and pins of a Linux board: `/dev/spidev*`, `/dev/i2c-*`, `/dev/gpiochip*`.
//!
//! Opening says what is wrong in the words of a [`DisplayError`]. Not for knowing which bus a display is on: that is the
//! board's matter. What is opened here allocates with each transaction.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use linux_embedded_hal::gpio_cdev::{Chip, LineRequestFlags};
use linux_embedded_hal::i2cdev::linux::LinuxI2CError;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{CdevPin, I2cdev, SpidevDevice};

use super::ht16k33::{Characters, Matrix8};
use super::max7219::Max7219;
use super::pins::{Active, Pins};
use super::ssd1306::Ssd1306;
use super::strip::Strip;
use super::{ConfigError, Device, Setup};
use crate::display::DisplayError;

/// How the kernel's I2C drivers say that nobody answered: `EREMOTEIO` those of the Raspberry Pis' controllers, `ENXIO` the
/// one that drives GPIO lines.
const NOBODY: [i32; 2] = [121, 6];

/// Where a display hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An SPI device, for example `/dev/spidev0.0`.
    Spi(PathBuf),
    /// An I2C bus, for example `/dev/i2c-1`.
    I2c(PathBuf),
    /// Lines of a GPIO chip.
    Lines {
        /// The chip, for example `/dev/gpiochip0`.
        chip: PathBuf,
        /// The lines of the genres' LEDs.
        genres: Vec<u8>,
        /// The line of the level's LED.
        level: Option<u8>,
    },
}

/// Opens the display that hangs there.
///
/// # Errors
/// [`DisplayError::Denied`] or [`DisplayError::Bus`]; the latter also where a display of this kind can't hang there, or is
/// out of range.
pub fn open(setup: Setup, place: &Place) -> Result<Box<dyn Device + Send>, DisplayError> {
    let wrong = |_: ConfigError| DisplayError::Bus;
    Ok(match (setup, place) {
        (Setup::Max7219(layout), Place::Spi(path)) => {
            Box::new(Max7219::new(spi_for(&setup, path)?, layout).map_err(wrong)?)
        }
        (Setup::Strip(config), Place::Spi(path)) => {
            Box::new(Strip::new(spi_for(&setup, path)?, config).map_err(wrong)?)
        }
        (Setup::Matrix { address, wiring, rotation }, Place::I2c(path)) => {
            Box::new(Matrix8::new(i2c(path)?, address, wiring, rotation))
        }
        (Setup::Characters { address }, Place::I2c(path)) => Box::new(Characters::new(i2c(path)?, address)),
        (Setup::Ssd1306 { address, panel, upside_down }, Place::I2c(path)) => {
            Box::new(Ssd1306::new(i2c(path)?, address, panel, upside_down))
        }
        (Setup::Pins { active, .. }, Place::Lines { chip, genres, level }) => {
            let take = |line: &u8| pin(chip, u32::from(*line), active);
            let genres = genres.iter().map(take).collect::<Result<Vec<_>, _>>()?;
            Box::new(Pins::new(genres, level.as_ref().map(take).transpose()?, active).map_err(wrong)?)
        }
        _ => return Err(DisplayError::Bus),
    })
}

fn spi_for(setup: &Setup, path: &Path) -> Result<Spi, DisplayError> {
    spi(path, setup.spi_hz().ok_or(DisplayError::Bus)?)
}

/// An open SPI device.
pub type Spi = SpidevDevice;
/// An output line.
pub type Pin = CdevPin;

/// An open I2C bus.
pub struct Bus(I2cdev);

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        I2c::<u8>::transaction(&mut self.0, address, operations).map_err(|error| match error.inner() {
            LinuxI2CError::Errno(number) if NOBODY.contains(number) => {
                ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown)
            }
            LinuxI2CError::Io(cause)
                if cause.raw_os_error().is_some_and(|number| NOBODY.contains(&number)) =>
            {
                ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown)
            }
            _ => error.kind(),
        })
    }
}

/// Opens an SPI device, for example `/dev/spidev0.0`, in mode 0 at up to `hz`.
///
/// # Errors
/// [`DisplayError::Denied`] or [`DisplayError::Bus`].
pub fn spi(path: impl AsRef<Path>, hz: u32) -> Result<Spi, DisplayError> {
    let mut device = SpidevDevice::open(path).map_err(|error| cause(error.inner()))?;
    let options =
        SpidevOptions::new().bits_per_word(8).max_speed_hz(hz).mode(SpiModeFlags::SPI_MODE_0).build();
    device.configure(&options).map_err(|error| cause(&error))?;
    Ok(device)
}

/// Opens an I2C bus, for example `/dev/i2c-1`.
///
/// # Errors
/// [`DisplayError::Denied`] or [`DisplayError::Bus`].
pub fn i2c(path: impl AsRef<Path>) -> Result<Bus, DisplayError> {
    I2cdev::new(path).map(Bus).map_err(|error| cause(&io::Error::from(error)))
}

/// Takes a line of a GPIO chip, for example 17 of `/dev/gpiochip0`, as an output for an LED, dark at first.
///
/// # Errors
/// [`DisplayError::Denied`] or [`DisplayError::Bus`]; also where another program holds the line.
pub fn pin(path: impl AsRef<Path>, line: u32, active: Active) -> Result<Pin, DisplayError> {
    // The library's own error doesn't say whether this user may open the chip.
    OpenOptions::new().read(true).write(true).open(&path).map_err(|error| cause(&error))?;
    let mut chip = Chip::new(path).map_err(|_| DisplayError::Bus)?;
    let dark = u8::from(active == Active::Low);
    let line = chip.get_line(line).map_err(|_| DisplayError::Bus)?;
    let handle = line.request(LineRequestFlags::OUTPUT, dark, "harmonynet").map_err(|_| DisplayError::Bus)?;
    CdevPin::new(handle).map_err(|_| DisplayError::Bus)
}

fn cause(error: &io::Error) -> DisplayError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => DisplayError::Denied,
        _ => DisplayError::Bus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_said_so() {
        let nothing = "/dev/there-is-no-such-bus";
        assert_eq!(spi(nothing, 1_000_000).err(), Some(DisplayError::Bus));
        assert_eq!(i2c(nothing).err(), Some(DisplayError::Bus));
        assert_eq!(pin(nothing, 17, Active::High).err(), Some(DisplayError::Bus));
        assert_eq!(cause(&io::ErrorKind::PermissionDenied.into()), DisplayError::Denied);
    }

    #[test]
    fn a_display_is_opened_where_it_can_hang() {
        let characters = Setup::Characters { address: 0x70 };
        let pins = Setup::Pins { genres: 1, level: false, active: Active::High };
        let lines = Place::Lines { chip: "/dev/null".into(), genres: vec![17], level: None };
        for (setup, place) in [
            (characters, Place::I2c("/dev/null".into())),
            (characters, Place::Spi("/dev/null".into())),
            (pins, lines),
        ] {
            assert_eq!(open(setup, &place).err(), Some(DisplayError::Bus), "{setup:?} {place:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_bus_is_no_bus() {
        assert_eq!(spi("/dev/null", 1_000_000).err(), Some(DisplayError::Bus));
        assert_eq!(i2c("/dev/null").err(), Some(DisplayError::Bus));
        assert_eq!(pin("/dev/null", 17, Active::Low).err(), Some(DisplayError::Bus));
    }
}
