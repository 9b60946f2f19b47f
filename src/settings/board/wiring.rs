//! Which wire of a part goes to which pin of the header.

use super::{Board, Bus};

/// A wire between a part and a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// What the part calls it.
    pub part: String,
    /// The signal: a line of a bus such as `mosi`, a GPIO line such as `GPIO18`, or `ground`.
    pub signal: String,
    /// The GPIO line, where it is one that is known.
    pub gpio: Option<u8>,
}

impl Wire {
    /// The pin on the header with 40 pins.
    #[must_use]
    pub fn pin(&self) -> Option<u8> {
        if self.signal == "ground" { Some(GROUND) } else { self.gpio.and_then(header_pin) }
    }
}

/// A pin that is ground; there are seven more.
const GROUND: u8 = 6;

/// Signals of buses, in the order of [`Bus::pins`].
const SPI: [&str; 4] = ["cs", "miso", "mosi", "sclk"];
const I2C: [&str; 2] = ["sda", "scl"];

impl Board {
    /// A part's wires on this board, the lines of `bus` among them.
    #[must_use]
    pub fn wires(&self, wires: &[(String, String)], bus: Option<&Bus>) -> Vec<Wire> {
        let line = |signal: &str| {
            let names = if bus.is_some_and(|bus| bus.name.starts_with("i2c")) { &I2C[..] } else { &SPI[..] };
            let place = names.iter().position(|name| *name == signal)?;
            bus.and_then(|bus| bus.pins.get(place).copied())
        };
        let gpio = |signal: &str| signal.strip_prefix("GPIO").and_then(|number| number.parse().ok());
        let wire = |(part, signal): &(String, String)| Wire {
            part: part.clone(),
            signal: signal.clone(),
            gpio: gpio(signal).or_else(|| line(signal)),
        };
        wires.iter().map(wire).collect()
    }
}

/// Whether a part's wire can go to this signal, on a bus of this kind if it has one.
pub(super) fn is_signal(signal: &str, bus: Option<&str>) -> bool {
    let of_bus = match bus {
        Some("spi") => SPI.contains(&signal),
        Some("i2c") => I2C.contains(&signal),
        _ => false,
    };
    let gpio = || {
        signal
            .strip_prefix("GPIO")
            .is_some_and(|number| number.parse().is_ok_and(|n| header_pin(n).is_some()))
    };
    signal == "ground" || of_bus || gpio()
}

/// The pin of a GPIO line on the header with 40 pins (raspberrypi.com, "GPIO and the 40-pin header").
#[must_use]
pub const fn header_pin(gpio: u8) -> Option<u8> {
    const PINS: [u8; 28] = [
        27, 28, 3, 5, 7, 29, 31, 26, 24, 21, 19, 23, 32, 33, 8, 10, 36, 11, 12, 35, 38, 40, 15, 16, 18, 22,
        37, 13,
    ];
    if gpio < 28 { Some(PINS[gpio as usize]) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::{Board, Parts};
    use super::*;

    #[test]
    fn wires_go_to_the_pins_of_the_bus() {
        let (parts, board) = (Parts::shipped().unwrap(), Board::named_or_found("pi-4", &[]).unwrap());
        let of = |wires: &[(String, String)], bus: &str| -> Vec<(String, Option<u8>, Option<u8>)> {
            let wires = board.wires(wires, board.bus(bus));
            wires.into_iter().map(|wire| (wire.part.clone(), wire.gpio, wire.pin())).collect()
        };
        let wire = |part: &str, gpio, pin| (part.to_string(), gpio, pin);
        let matrix = &parts.display("max7219").unwrap().wires;
        assert_eq!(
            of(matrix, "spi0.0"),
            [
                wire("DIN", Some(10), Some(19)),
                wire("CLK", Some(11), Some(23)),
                wire("CS", Some(8), Some(24)),
                wire("GND", None, Some(6))
            ]
        );
        assert_eq!(of(matrix, "spi0.1")[2], wire("CS", Some(7), Some(26)));
        let panel = &parts.display("ssd1306").unwrap().wires;
        assert_eq!(of(panel, "i2c-1")[..2], [wire("SDA", Some(2), Some(3)), wire("SCL", Some(3), Some(5))]);
        let ear = &parts.microphone("inmp441").unwrap().wires;
        assert_eq!(of(ear, "")[..2], [wire("SCK", Some(18), Some(12)), wire("WS", Some(19), Some(35))]);
        // Where nobody knows the bus's lines, the signal's name has to do.
        let other = Board::named_or_found("linux", &[]).unwrap();
        let wires = other.wires(matrix, other.bus("spi0.0"));
        assert_eq!((wires[0].signal.as_str(), wires[0].pin()), ("mosi", None));
    }

    #[test]
    fn no_two_lines_are_on_one_pin() {
        let mut pins: Vec<u8> = (0..28).filter_map(header_pin).collect();
        pins.sort_unstable();
        pins.dedup();
        assert_eq!((pins.len(), header_pin(28)), (28, None));
    }
}
