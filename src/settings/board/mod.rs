//! Boards and parts as data: `boards/*.toml`, built into the program.
//!
//! A board says where its buses are, how many cores it has, what thread priorities, engine and refresh rates suit it, and
//! what its boot configuration needs, in one set of lines for Raspberry Pi OS and one for our own image. A part (a
//! microphone or a display) says what it needs of any board. Both are judged when they are read; [`super::conflicts`]
//! judges what is wired together. Not for drivers: they get a bus, an address and pins, and know no board.

mod check;
mod shipped;
mod wiring; // which wire of a part goes to which pin

use serde::Deserialize;

pub(super) use self::check::{BusName, overlay};
pub use self::wiring::{Wire, header_pin};

use super::document;
use super::nearest::nearest;
use super::problem::{Problem, Problems};
use super::value::Value;

/// The only format number that this build reads.
pub const FORMAT: u32 = 1;

/// A board.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Number of the format: [`FORMAT`].
    pub format: u32,
    /// Its name in settings.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Names in the device tree's `compatible` that mean this board.
    pub compatible: Vec<String>,
    /// Whether its buses end in the program, which shows what would have gone over them.
    #[serde(default)]
    pub simulated: bool,
    /// GPIO lines on its header, by the number that follows "GPIO".
    pub pins: Vec<u8>,
    /// The character device of those lines; absent where there are none.
    pub gpio_chip: Option<String>,
    /// Microphones that can be wired to it.
    pub microphones: Vec<String>,
    /// Its processor.
    pub processor: Processor,
    /// How its threads should run.
    pub threads: Threads,
    /// Boot configuration.
    pub boot: Boot,
    /// Its buses.
    #[serde(default, rename = "bus")]
    pub buses: Vec<Bus>,
    /// Displays that can be wired to it.
    #[serde(default, rename = "display")]
    pub displays: Vec<DisplayHere>,
}

/// A board's processor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// Cores.
    pub cores: u8,
    /// The engine that suits it where that is not `auto`: what `model.engine` is unless somebody says otherwise.
    pub engine: Option<String>,
}

/// How a board's threads should run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threads {
    /// First-in-first-out priority of the capture thread, below the kernel's interrupt threads (50).
    pub capture_priority: u8,
    /// Core of the capture thread, counted from 0; absent where it may wander.
    pub capture_core: Option<u8>,
    /// Core of the signal thread, counted from 0; absent where it may wander.
    pub signal_core: Option<u8>,
}

/// Boot configuration in two sets of lines.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Boot {
    /// What is added to a Raspberry Pi OS.
    pub raspberry_pi_os: Lines,
    /// What our own image boots with.
    pub image: Lines,
}

/// Lines of the boot configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lines {
    /// Lines of `config.txt`.
    pub config: Vec<String>,
    /// Words of `cmdline.txt`.
    pub cmdline: Vec<String>,
}

/// For what system boot lines are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Raspberry Pi OS.
    RaspberryPiOs,
    /// Our own image.
    Image,
}

/// A bus of a board.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// `spi0.0` is chip select 0 of SPI controller 0, `i2c-1` is I2C bus 1.
    pub name: String,
    /// Its character device.
    pub device: String,
    /// The GPIO lines that it occupies: of SPI chip select, MISO, MOSI, SCLK, of I2C SDA, SCL; none where they are not known.
    pub pins: Vec<u8>,
    /// What switches it on in `config.txt`.
    #[serde(default)]
    pub config: Vec<String>,
}

/// A display on a board.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisplayHere {
    /// Its kind.
    pub kind: String,
    /// The bus that it usually hangs on; absent where it needs none.
    pub bus: Option<String>,
    /// Pictures a second that this board can afford.
    pub refresh_hz: u8,
    /// Lines of `config.txt` that it needs on this board, besides its bus's.
    #[serde(default)]
    pub config: Vec<String>,
    /// Words of `cmdline.txt` that it needs on this board.
    #[serde(default)]
    pub cmdline: Vec<String>,
}

/// What can be wired to a board.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// Number of the format: [`FORMAT`].
    pub format: u32,
    /// Microphones.
    #[serde(rename = "microphone")]
    pub microphones: Vec<MicrophonePart>,
    /// Displays.
    #[serde(rename = "display")]
    pub displays: Vec<DisplayPart>,
}

/// A microphone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MicrophonePart {
    /// Its name in settings.
    pub kind: String,
    /// Its name for people.
    pub title: String,
    /// The ALSA name of its sound card; absent where any may be meant.
    pub device: Option<String>,
    /// The channel on which it speaks, counted from 1; absent where all do.
    pub channel: Option<u8>,
    /// Level below which it is silent, decibels relative to a full-scale sine.
    pub silence_dbfs: Option<f64>,
    /// Its supply, volts; absent where it has none of its own on the header.
    pub supply_volts: Option<f64>,
    /// The lowest voltage that it takes for high, where that is more than a Raspberry Pi gives.
    pub high_volts: Option<f64>,
    /// Its wires: its own name of each, and the signal that it goes to.
    #[serde(default)]
    pub wires: Vec<(String, String)>,
    /// GPIO lines that it or its kernel driver occupies.
    #[serde(default)]
    pub pins: Vec<u8>,
    /// Buses that it occupies besides: `i2c-1:0x1a`, or an SPI controller as `spi0`.
    #[serde(default)]
    pub buses: Vec<String>,
    /// What switches it on in `config.txt`.
    #[serde(default)]
    pub config: Vec<String>,
}

/// A display.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisplayPart {
    /// Its name in settings.
    pub kind: String,
    /// Its name for people.
    pub title: String,
    /// Its bus: `spi`, `i2c` or `gpio`.
    pub bus: String,
    /// Whether it obeys a chip select, so that it can share an SPI controller.
    #[serde(default)]
    pub selected: bool,
    /// I2C addresses that it can have, its usual one first.
    #[serde(default)]
    pub addresses: Vec<u8>,
    /// Its supply, volts; absent where the lines feed it.
    pub supply_volts: Option<f64>,
    /// The lowest voltage that it takes for high, where that is more than a Raspberry Pi gives.
    pub high_volts: Option<f64>,
    /// Its wires: its own name of each, and the signal that it goes to.
    #[serde(default)]
    pub wires: Vec<(String, String)>,
    /// How many of it make one display, usually.
    pub modules: Option<u8>,
    /// Overlays whose kernel driver would take it away from ours.
    #[serde(default)]
    pub kernel_overlays: Vec<String>,
}

impl Board {
    /// Reads and judges a board.
    ///
    /// # Errors
    /// Everything that is wrong, with file, line, field and mend.
    pub fn from_toml(place: &str, text: &str, parts: &Parts) -> Result<Self, Problems> {
        let board: Self = structured(place, text)?;
        check::board(place, text, &board, parts)?;
        Ok(board)
    }

    /// The board of this name, or for `auto` the one that `compatible` names; `linux` where none is.
    ///
    /// # Errors
    /// A shipped board is broken, which tests exclude, or there is none of this name.
    pub fn named_or_found(name: &str, compatible: &[String]) -> Result<Self, Problems> {
        let boards = Self::shipped()?;
        let is_meant = |board: &&Self| match name {
            // The device tree's names go from the very board to its family.
            "auto" => compatible.first().is_some_and(|first| board.compatible.contains(first)),
            name => board.name == name,
        };
        let fallback = |board: &&Self| name == "auto" && board.name == "linux";
        boards.iter().find(is_meant).or_else(|| boards.iter().find(fallback)).cloned().ok_or_else(|| {
            let wrong = format!("there is no board `{name}`");
            let mend = "`harmonynet config --example` lists them".into();
            Problems(vec![Problem { place: "boards".into(), line: None, field: "board".into(), wrong, mend }])
        })
    }

    /// The boards that are built into the program, read and judged once.
    fn shipped() -> Result<&'static [Self], Problems> {
        static BOARDS: std::sync::OnceLock<Result<Vec<Board>, Problems>> = std::sync::OnceLock::new();
        let read = || {
            let parts = Parts::shipped()?;
            shipped::BOARDS.iter().map(|(place, text)| Self::from_toml(place, text, parts)).collect()
        };
        BOARDS.get_or_init(read).as_deref().map_err(Clone::clone)
    }

    /// The bus of this name.
    #[must_use]
    pub fn bus(&self, name: &str) -> Option<&Bus> {
        self.buses.iter().find(|bus| bus.name == name)
    }

    /// What is known of a display on this board.
    #[must_use]
    pub fn display(&self, kind: &str) -> Option<&DisplayHere> {
        self.displays.iter().find(|display| display.kind == kind)
    }

    /// What the board and the parts on it call for: keys, values, and whose wish it is.
    pub(super) fn wishes(
        &self,
        parts: &Parts,
        microphone: &str,
        display: &str,
    ) -> Vec<(&'static str, Value, String)> {
        let engine = self.processor.engine.clone().map(Value::Text);
        let mut wishes: Vec<_> =
            engine.map(|engine| ("model.engine", engine, self.name.clone())).into_iter().collect();
        if let Some(part) = parts.microphone(microphone) {
            let mut wish = |name, value: Option<Value>| {
                wishes.extend(value.map(|value| (name, value, part.kind.clone())));
            };
            wish("microphone.device", part.device.clone().map(Value::Text));
            wish("microphone.channel", part.channel.map(|channel| Value::Text(channel.to_string())));
            wish("verdict.silence_dbfs", part.silence_dbfs.map(Value::Number));
        }
        if let Some(here) = self.display(display) {
            let mut wish = |name, value: Option<Value>| {
                wishes.extend(value.map(|value| (name, value, self.name.clone())));
            };
            wish("display.bus", here.bus.clone().map(Value::Text));
            wish("display.refresh_hz", Some(Value::Integer(here.refresh_hz.into())));
        }
        if let Some(part) = parts.display(display) {
            let address = part.addresses.first().copied().map(Value::Address);
            wishes.extend(address.map(|value| ("display.address", value, part.kind.clone())));
            let modules = part.modules.map(|modules| Value::Integer(modules.into()));
            wishes.extend(modules.map(|value| ("display.modules", value, part.kind.clone())));
        }
        wishes
    }

    /// The boot configuration for a microphone and a display, the latter on `bus`: what every such board gets, then what
    /// these need, each line once.
    #[must_use]
    pub fn boot(&self, system: System, parts: &Parts, microphone: &str, display: &str, bus: &str) -> Lines {
        let base = match system {
            System::RaspberryPiOs => &self.boot.raspberry_pi_os,
            System::Image => &self.boot.image,
        };
        let mut lines = base.clone();
        let bus = self.bus(bus).map(|bus| &bus.config);
        let part = parts.microphone(microphone).map(|part| &part.config);
        let here = self.display(display);
        add(&mut lines.config, bus.into_iter().chain(part).chain(here.map(|here| &here.config)));
        add(&mut lines.cmdline, here.map(|here| &here.cmdline).into_iter());
        lines
    }
}

/// Adds lines that are not there yet.
fn add<'a>(lines: &mut Vec<String>, more: impl Iterator<Item = &'a Vec<String>>) {
    for line in more.flatten() {
        if !lines.contains(line) {
            lines.push(line.clone());
        }
    }
}

impl Parts {
    /// Reads and judges a list of parts.
    ///
    /// # Errors
    /// Everything that is wrong, with file, line, field and mend.
    pub fn from_toml(place: &str, text: &str) -> Result<Self, Problems> {
        let parts: Self = structured(place, text)?;
        check::parts(place, text, &parts)?;
        Ok(parts)
    }

    /// The parts that are built into the program.
    ///
    /// # Errors
    /// They are broken, which tests exclude.
    pub fn shipped() -> Result<&'static Self, Problems> {
        static PARTS: std::sync::OnceLock<Result<Parts, Problems>> = std::sync::OnceLock::new();
        let (place, text) = shipped::PARTS;
        PARTS.get_or_init(|| Self::from_toml(place, text)).as_ref().map_err(Clone::clone)
    }

    /// The microphone of this kind.
    #[must_use]
    pub fn microphone(&self, kind: &str) -> Option<&MicrophonePart> {
        self.microphones.iter().find(|part| part.kind == kind)
    }

    /// The display of this kind.
    #[must_use]
    pub fn display(&self, kind: &str) -> Option<&DisplayPart> {
        self.displays.iter().find(|part| part.kind == kind)
    }
}

/// What the device tree says that this machine is, from the very board to its family; nothing where there is no device
/// tree.
#[must_use]
pub fn compatible() -> Vec<String> {
    compatible_below(std::path::Path::new("/"))
}

/// [`compatible`] of the system whose root is the folder `root`.
#[must_use]
pub fn compatible_below(root: &std::path::Path) -> Vec<String> {
    let Ok(bytes) = std::fs::read(root.join("proc/device-tree/compatible")) else { return Vec::new() };
    let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// A text by its structure; of a field that does not exist, the one that was probably meant.
fn structured<T: serde::de::DeserializeOwned>(place: &str, text: &str) -> Result<T, Problems> {
    document::structured(text).map_err(|fault| {
        // serde writes: unknown field `a`, expected one of `b`, `c`.
        let names: Vec<&str> = fault.message.split('`').skip(1).step_by(2).collect();
        let (field, mend) = match names.split_first() {
            Some((unknown, known)) if fault.message.starts_with("unknown field") => (
                *unknown,
                nearest(unknown, known.iter().copied()).map_or_else(
                    || format!("one of {}", known.join(", ")),
                    |near| format!("did you mean {near}?"),
                ),
            ),
            Some((missing, _)) if fault.message.starts_with("missing field") => (*missing, "add it".into()),
            _ => ("", "mend the value or the punctuation".into()),
        };
        let field = field.to_string();
        Problems(vec![Problem { place: place.into(), line: fault.line, field, wrong: fault.message, mend }])
    })
}

#[cfg(test)]
mod tests;
