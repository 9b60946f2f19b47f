//! What goes where, in words: the wiring of a display on a board.

use std::fmt::Write as _;

use anyhow::Result;
use harmonynet::settings::Settings;
use harmonynet::settings::board::{Parts, System, header_pin};

/// What a display of this kind is called.
pub(super) fn title(kind: &str) -> String {
    let part = Parts::shipped().ok().and_then(|parts| parts.display(kind));
    part.map_or_else(|| kind.to_string(), |part| part.title.clone())
}

/// Supply, wires and boot lines of the display that the settings name, on their board.
///
/// # Errors
/// The shipped parts are broken, which tests exclude.
pub(crate) fn describe(settings: &Settings) -> Result<String> {
    let (board, parts) = (settings.board(), Parts::shipped()?);
    let [kind, bus, microphone] = ["display.kind", "display.bus", "microphone.kind"]
        .map(|name| settings.text(name).unwrap_or_default());
    let Some(part) = parts.display(kind) else { return Ok(String::new()) };
    let mut text = format!("{} on: {} (board {})", part.title, board.title, board.name);
    let found = board.bus(bus).filter(|_| part.bus != "gpio");
    if let Some(bus) = found {
        let address = settings.integer("display.address").filter(|_| part.bus == "i2c");
        let address = address.map_or_else(String::new, |address| format!(", address {address:#04x}"));
        let _ = write!(text, ", {}{address} ({})", bus.name, bus.device);
    }
    text.push('\n');
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "  {name:<12} {what}");
    };
    match part.supply_volts {
        Some(volts) if volts > 4.0 && kind != "max7219" => {
            line("supply", format!("{volts} V from its own supply, its ground joined with the board's"));
        }
        Some(volts) if volts > 4.0 => line("supply", format!("{volts} V, pin 2 or 4")),
        Some(volts) => {
            line("supply", format!("{volts} V, pin 1 or 17; not 5 V, its pull-ups would go there"));
        }
        None => line("supply", "none: the lines feed the LEDs, each through 330 ohms or more".into()),
    }
    if let Some(volts) = part.high_volts {
        line("signals", format!("it wants {volts} V for high, a Pi gives 3.3 V: a 74AHCT125 at 5 V between"));
    }
    for wire in board.wires(&part.wires, found) {
        let to = match (wire.gpio, wire.pin()) {
            (Some(gpio), Some(pin)) => {
                format!("{} (GPIO{gpio}, pin {pin})", wire.signal.to_ascii_uppercase())
            }
            (_, Some(pin)) => format!("{}, such as pin {pin}", wire.signal),
            _ => wire.signal.to_ascii_uppercase(),
        };
        line(&wire.part, to);
    }
    if part.bus == "gpio" {
        let pin = |gpio: u8| header_pin(gpio).map_or_else(String::new, |pin| format!(" (pin {pin})"));
        for (index, gpio) in settings.pins("display.pins").iter().enumerate() {
            line(&format!("genre {}", index + 1), format!("GPIO{gpio}{}", pin(*gpio)));
        }
        let level = settings.integer("display.level_pin").and_then(|gpio| u8::try_from(gpio).ok());
        if let Some(gpio) = level {
            line("level", format!("GPIO{gpio}{}", pin(gpio)));
        }
    }
    let lines = board.boot(System::RaspberryPiOs, parts, microphone, kind, bus);
    for (file, lines) in [("config.txt", lines.config), ("cmdline.txt", lines.cmdline)] {
        for boot in lines {
            line(file, boot);
        }
    }
    Ok(text)
}
