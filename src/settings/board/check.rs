//! Judges boards and parts: every finding names file, line, field and mend.

use super::wiring::is_signal;
use super::{Board, Bus, FORMAT, Parts};
use crate::document::line_of;
use crate::keys::{BOARDS, DISPLAYS, ENGINES, MICROPHONES};
use crate::problem::{Problem, Problems};

/// The least and the most of a first-in-first-out priority that leaves the kernel's interrupt threads (50) alone.
const PRIORITIES: core::ops::RangeInclusive<u8> = 1..=49;

/// Collects findings of one text.
struct Findings<'a> {
    place: &'a str,
    text: &'a str,
    found: Vec<Problem>,
}

impl Findings<'_> {
    /// Notes a finding unless `right`.
    fn require(&mut self, right: bool, field: &str, wrong: impl Into<String>, mend: impl Into<String>) {
        if !right {
            self.found.push(Problem {
                place: self.place.into(),
                line: line_of(self.text, field),
                field: field.into(),
                wrong: wrong.into(),
                mend: mend.into(),
            });
        }
    }
}

/// Judges a board.
pub(super) fn board(place: &str, text: &str, board: &Board, parts: &Parts) -> Result<(), Problems> {
    let mut findings = Findings { place, text, found: Vec::new() };
    let f = &mut findings;
    f.require(
        board.format == FORMAT,
        "format",
        format!("{} is not read", board.format),
        format!("allowed: {FORMAT}"),
    );
    let known = board.name != "auto" && BOARDS.contains(&board.name.as_str());
    f.require(
        known,
        "name",
        format!("`{}` is not known", board.name),
        format!("allowed: {}", BOARDS[1..].join(", ")),
    );
    f.require(!board.title.trim().is_empty(), "title", "it is empty", "name the board for people");
    f.require(!has_twice(&board.pins), "pins", "a line is there twice", "name each GPIO once");
    f.require(
        board.pins.is_empty() == board.gpio_chip.is_none(),
        "gpio_chip",
        "pins and their device belong together",
        "give both or none, such as gpio_chip = \"/dev/gpiochip0\"",
    );
    for (index, kind) in board.microphones.iter().enumerate() {
        let known = parts.microphone(kind).is_some();
        f.require(
            known,
            &format!("microphones.{index}"),
            format!("`{kind}` is not in the list of parts"),
            "add it there or mend its name",
        );
    }
    threads(f, board);
    for (index, bus) in board.buses.iter().enumerate() {
        self::bus(f, board, index, bus);
    }
    for index in 0..board.displays.len() {
        display(f, board, parts, index);
    }
    Problems::check(findings.found)
}

fn threads(f: &mut Findings<'_>, board: &Board) {
    let cores = board.processor.cores;
    f.require(cores > 0, "processor.cores", "there is none", "at least 1");
    let engine = board.processor.engine.as_deref().unwrap_or("auto");
    f.require(
        ENGINES.contains(&engine),
        "processor.engine",
        format!("`{engine}` is not known"),
        format!("allowed: {}", ENGINES.join(", ")),
    );
    let priority = board.threads.capture_priority;
    f.require(
        PRIORITIES.contains(&priority),
        "threads.capture_priority",
        format!("{priority} is out of range"),
        "allowed: 1 to 49, below the kernel's interrupt threads",
    );
    for (field, core) in [
        ("threads.capture_core", board.threads.capture_core),
        ("threads.signal_core", board.threads.signal_core),
    ] {
        let there = core.is_none_or(|core| core < cores);
        f.require(there, field, format!("there are {cores} cores"), "count from 0, or leave it out");
    }
}

fn bus(f: &mut Findings<'_>, board: &Board, index: usize, bus: &Bus) {
    let field = |name: &str| format!("bus.{index}.{name}");
    let named = BusName::parse(&bus.name).is_some();
    f.require(named, &field("name"), format!("`{}` is no bus", bus.name), "such as spi0.0 or i2c-1");
    let first = board.buses.iter().position(|other| other.name == bus.name) == Some(index);
    f.require(first, &field("name"), format!("`{}` is there twice", bus.name), "name each bus once");
    let is_device = bus.device.starts_with("/dev/");
    f.require(
        is_device,
        &field("device"),
        format!("`{}` is no device", bus.device),
        "such as /dev/spidev0.0",
    );
    let (count, lines) = match BusName::parse(&bus.name).map(BusName::kind) {
        Some("i2c") => (2, "SDA and SCL"),
        _ => (4, "chip select, MISO, MOSI and SCLK"),
    };
    f.require(
        bus.pins.is_empty() || bus.pins.len() == count,
        &field("pins"),
        "their number is wrong",
        format!("give {lines} in this order, or none"),
    );
    for pin in &bus.pins {
        let there = board.pins.contains(pin);
        f.require(
            there,
            &field("pins"),
            format!("GPIO{pin} is not on the header"),
            "mend it, or add the line to pins",
        );
    }
}

fn display(f: &mut Findings<'_>, board: &Board, parts: &Parts, index: usize) {
    let here = &board.displays[index];
    let field = |name: &str| format!("display.{index}.{name}");
    let Some(part) = parts.display(&here.kind) else {
        f.require(
            false,
            &field("kind"),
            format!("`{}` is not in the list of parts", here.kind),
            "add it there or mend its name",
        );
        return;
    };
    let first = board.displays.iter().position(|other| other.kind == here.kind) == Some(index);
    f.require(first, &field("kind"), format!("`{}` is there twice", here.kind), "describe each display once");
    match &here.bus {
        Some(name) => {
            f.require(
                board.bus(name).is_some(),
                &field("bus"),
                format!("this board has no bus `{name}`"),
                "take one of its buses, or add it",
            );
            let fits = BusName::parse(name).is_none_or(|bus| bus.kind() == part.bus);
            f.require(
                fits,
                &field("bus"),
                format!("{} hangs on {}, not on `{name}`", part.title, part.bus),
                format!("take a bus of the kind {}", part.bus),
            );
        }
        None => f.require(
            part.bus == "gpio",
            &field("bus"),
            format!("{} hangs on {}", part.title, part.bus),
            "name the bus",
        ),
    }
    f.require(
        (1..=100).contains(&here.refresh_hz),
        &field("refresh_hz"),
        format!("{} is out of range", here.refresh_hz),
        "allowed: 1 to 100",
    );
    for line in &here.config {
        if let Some(overlay) = overlay(line) {
            let ours = !part.kernel_overlays.iter().any(|taken| taken == overlay);
            f.require(
                ours,
                &field("config"),
                format!("the kernel's driver `{overlay}` would take the display away from ours"),
                format!("remove `{line}`"),
            );
        }
    }
    if here.kind == "ws2812" {
        let long = here.cmdline.iter().any(|word| word.starts_with("spidev.bufsiz="));
        f.require(
            long,
            &field("cmdline"),
            "spidev sends at most 4096 bytes at once and refuses more, which a long strip needs",
            "add \"spidev.bufsiz=32768\"",
        );
    }
}

/// Judges a list of parts.
pub(super) fn parts(place: &str, text: &str, parts: &Parts) -> Result<(), Problems> {
    let mut findings = Findings { place, text, found: Vec::new() };
    let f = &mut findings;
    f.require(
        parts.format == FORMAT,
        "format",
        format!("{} is not read", parts.format),
        format!("allowed: {FORMAT}"),
    );
    for (index, part) in parts.microphones.iter().enumerate() {
        let field = |name: &str| format!("microphone.{index}.{name}");
        f.require(
            MICROPHONES.contains(&part.kind.as_str()),
            &field("kind"),
            format!("`{}` is not known", part.kind),
            format!("allowed: {}", MICROPHONES.join(", ")),
        );
        f.require(!has_twice(&part.pins), &field("pins"), "a line is there twice", "name each GPIO once");
        f.require(
            part.channel.is_none_or(|channel| (1..=8).contains(&channel)),
            &field("channel"),
            "it is out of range",
            "allowed: 1 to 8",
        );
        for name in &part.buses {
            let known = BusName::parse(name).is_some();
            f.require(known, &field("buses"), format!("`{name}` is no bus"), "such as i2c-1:0x1a or spi0");
        }
        wires(f, &field("wires"), &part.wires, None);
    }
    for (index, part) in parts.displays.iter().enumerate() {
        let field = |name: &str| format!("display.{index}.{name}");
        f.require(
            DISPLAYS.contains(&part.kind.as_str()),
            &field("kind"),
            format!("`{}` is not known", part.kind),
            format!("allowed: {}", DISPLAYS.join(", ")),
        );
        let known = ["spi", "i2c", "gpio"].contains(&part.bus.as_str());
        f.require(
            known,
            &field("bus"),
            format!("`{}` is no kind of bus", part.bus),
            "allowed: spi, i2c, gpio",
        );
        f.require(
            (part.bus == "i2c") != part.addresses.is_empty(),
            &field("addresses"),
            "I2C displays have addresses, others have none",
            "list those that it can have, the usual one first",
        );
        wires(f, &field("wires"), &part.wires, Some(&part.bus));
    }
    Problems::check(findings.found)
}

fn wires(f: &mut Findings<'_>, field: &str, wires: &[(String, String)], bus: Option<&str>) {
    for (_, signal) in wires {
        f.require(
            is_signal(signal, bus),
            field,
            format!("there is no signal `{signal}`"),
            "a line of its bus (cs, mosi, sclk; sda, scl), a GPIO line such as GPIO18, or ground",
        );
    }
}

fn has_twice(pins: &[u8]) -> bool {
    pins.iter().enumerate().any(|(index, pin)| pins[..index].contains(pin))
}

/// The overlay that a line of `config.txt` loads.
pub(crate) fn overlay(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("dtoverlay=")?;
    Some(name.split(',').next().unwrap_or(name).trim())
}

/// A bus by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BusName {
    /// An SPI controller, and its chip select where one is named.
    Spi(u8, Option<u8>),
    /// An I2C bus, and the address on it where one is named.
    I2c(u8, Option<u8>),
}

impl BusName {
    /// `spi0.0`, `spi0`, `i2c-1` or `i2c-1:0x70`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("spi") {
            return match rest.split_once('.') {
                Some((controller, select)) => {
                    Some(Self::Spi(controller.parse().ok()?, Some(select.parse().ok()?)))
                }
                None => Some(Self::Spi(rest.parse().ok()?, None)),
            };
        }
        let rest = name.strip_prefix("i2c-")?;
        match rest.split_once(":0x") {
            Some((bus, address)) => {
                let address = u8::from_str_radix(address, 16).ok().filter(|a| (0x03..=0x77).contains(a))?;
                Some(Self::I2c(bus.parse().ok()?, Some(address)))
            }
            None => Some(Self::I2c(rest.parse().ok()?, None)),
        }
    }

    /// Whether two names mean devices on the same wires.
    pub(crate) fn shares_wires_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Spi(a, _), Self::Spi(b, _)) | (Self::I2c(a, _), Self::I2c(b, _)) => a == b,
            _ => false,
        }
    }

    /// `spi` or `i2c`.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Spi(..) => "spi",
            Self::I2c(..) => "i2c",
        }
    }
}
