//! LED displays of the program: from settings to a driver on a bus of the board, or of the simulated one.

mod clock; // the minute of the local day
mod simulation; // simulated chips, and where they are seen
mod wiring; // what goes where, in words

use std::sync::mpsc::Sender;

use anyhow::{Context as _, Result, bail};
use harmonynet::display::leds::ht16k33::Wiring;
use harmonynet::display::leds::max7219::{Layout, Lead};
use harmonynet::display::leds::pins::Active;
use harmonynet::display::leds::ssd1306::Panel;
use harmonynet::display::leds::strip::{Chips, StripConfig};
use harmonynet::display::leds::{
    Brightness, Change, Device, Dimming, NightHours, Rotation, Setup, Supervised,
};
use harmonynet::display::{Display, DisplayError};
use harmonynet::flow::Scene;
use harmonynet::settings::{Settings, minutes};

pub(crate) use self::simulation::Simulation;
pub(crate) use self::wiring::describe;

/// A driver of any display.
pub(crate) type AnyDevice = Box<dyn Device + Send>;

/// Opens a display, again and again if need be.
type Open<D> = Box<dyn FnMut() -> Result<D, DisplayError> + Send>;

/// A display that is kept going.
pub(crate) type Kept<D> = Supervised<Open<D>, D, fn() -> Option<u16>>;

/// An LED display as the settings call for it.
pub(crate) struct LedDisplay {
    /// What it is called.
    pub(crate) title: String,
    /// Whether it hangs on the simulated board.
    pub(crate) is_simulated: bool,
    /// Pictures a second at most.
    pub(crate) refresh_hz: u32,
    /// How bright it is, and when.
    pub(crate) dimming: Dimming,
    setup: Setup,
    #[cfg_attr(not(feature = "linux"), allow(dead_code, reason = "without buses nobody asks where it is"))]
    hangs: Hangs,
}

/// Where a display hangs: devices of the operating system.
#[cfg_attr(not(feature = "linux"), allow(dead_code, reason = "without buses nobody asks where they are"))]
enum Hangs {
    Spi(String),
    I2c(String),
    Lines { chip: String, genres: Vec<u8>, level: Option<u8> },
}

impl LedDisplay {
    /// The display that the settings name; none where they name a view that needs no wires.
    ///
    /// # Errors
    /// A display without its bus or lines.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>> {
        let kind = settings.text("display.kind").unwrap_or_default();
        let Some((setup, title)) = setup(settings, kind) else { return Ok(None) };
        let refresh = settings.integer("display.refresh_hz").and_then(|hz| u32::try_from(hz).ok());
        Ok(Some(Self {
            title,
            is_simulated: settings.board().simulated,
            refresh_hz: refresh.unwrap_or(10),
            dimming: dimming(settings),
            setup,
            hangs: hangs(settings, setup)?,
        }))
    }

    /// The display on its bus. It is opened with the first scene.
    pub(crate) fn keep(&self) -> Result<Kept<AnyDevice>> {
        Ok(Supervised::new(self.open()?, self.dimming, clock::minute_of_day))
    }

    #[cfg(feature = "linux")]
    fn open(&self) -> Result<Open<AnyDevice>> {
        use harmonynet::display::leds::linux::{Place, open};

        let setup = self.setup;
        let place = match &self.hangs {
            Hangs::Spi(device) => Place::Spi(device.into()),
            Hangs::I2c(device) => Place::I2c(device.into()),
            Hangs::Lines { chip, genres, level } => {
                Place::Lines { chip: chip.into(), genres: genres.clone(), level: *level }
            }
        };
        Ok(Box::new(move || open(setup, &place)))
    }

    #[cfg(not(feature = "linux"))]
    fn open(&self) -> Result<Open<AnyDevice>> {
        bail!("this build has no buses: build it with --features linux, or take --board sim")
    }
}

/// A display whose fortunes are told.
pub(crate) struct Told {
    kept: Kept<AnyDevice>,
    title: String,
    notes: Sender<String>,
}

impl Told {
    /// The display, and who is told what happens to it.
    pub(crate) fn new(led: &LedDisplay, notes: Sender<String>) -> Result<Self> {
        Ok(Self { kept: led.keep()?, title: led.title.clone(), notes })
    }
}

impl Display for Told {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        self.kept.show(scene)?;
        if let Some(change) = self.kept.take_change() {
            // Who was to be told may be gone: then the program ends.
            let _ = self.notes.send(told(&self.title, change));
        }
        Ok(())
    }
}

/// A change as a sentence.
pub(crate) fn told(title: &str, change: Change) -> String {
    match change {
        Change::Lost(error) => format!("{title}: {error}; {}; it comes back by itself", error.mend()),
        Change::Back => format!("{title}: shows again"),
    }
}

/// The display of this kind and what it is called; none where the kind needs no wires.
fn setup(settings: &Settings, kind: &str) -> Option<(Setup, String)> {
    let number = |name: &str| settings.integer(name).and_then(|n| u8::try_from(n).ok());
    let address = number("display.address").unwrap_or_default();
    let reversed = settings.flag("display.reversed");
    let rotation = match settings.text("display.rotation") {
        Some("90") => Rotation::Quarter,
        Some("180") => Rotation::Half,
        Some("270") => Rotation::ThreeQuarters,
        _ => Rotation::Upright,
    };
    let strip = |chips| {
        Setup::Strip(StripConfig { chips, leds: number("display.leds").unwrap_or_default(), reversed })
    };
    let setup = match kind {
        "max7219" => Setup::Max7219(Layout {
            modules: number("display.modules").unwrap_or_default(),
            lead: if reversed { Lead::Left } else { Lead::Right },
            rotation,
            mirror: settings.flag("display.mirrored"),
        }),
        "ht16k33" => {
            let is_straight = settings.text("display.columns") == Some("straight");
            let wiring = if is_straight { Wiring::Straight } else { Wiring::Backpack };
            Setup::Matrix { address, wiring, rotation }
        }
        "ht16k33-14" => Setup::Characters { address },
        "ssd1306" => {
            let is_low = settings.text("display.rows") == Some("32");
            let panel = if is_low { Panel::Rows32 } else { Panel::Rows64 };
            Setup::Ssd1306 { address, panel, upside_down: rotation == Rotation::Half }
        }
        "apa102" => strip(Chips::Apa102),
        "ws2812" => strip(Chips::Ws2812),
        "gpio" => Setup::Pins {
            genres: settings.pins("display.pins").len() as u8,
            level: settings.integer("display.level_pin").is_some(),
            active: if settings.flag("display.active_low") { Active::Low } else { Active::High },
        },
        _ => return None,
    };
    Some((setup, wiring::title(kind)))
}

/// Where the display hangs on its board.
fn hangs(settings: &Settings, setup: Setup) -> Result<Hangs> {
    let board = settings.board();
    if let Setup::Pins { .. } = setup {
        let genres = settings.pins("display.pins").to_vec();
        if genres.is_empty() {
            bail!(
                "display.pins: LEDs on GPIO lines need lines; name one per genre, such as \
                 --set display.pins=5,6,12,13,17,22,23,24,25,26"
            );
        }
        let level = settings.integer("display.level_pin").and_then(|pin| u8::try_from(pin).ok());
        let chip = board.gpio_chip.clone();
        let chip = chip.with_context(|| format!("display.kind: {} has no GPIO lines", board.title))?;
        return Ok(Hangs::Lines { chip, genres, level });
    }
    let name = settings.text("display.bus").unwrap_or_default();
    let bus = board.bus(name).with_context(|| {
        let names: Vec<&str> = board.buses.iter().map(|bus| bus.name.as_str()).collect();
        format!("display.bus: {} has no bus `{name}`; it has {}", board.title, names.join(", "))
    })?;
    let device = bus.device.clone();
    Ok(if setup.spi_hz().is_some() { Hangs::Spi(device) } else { Hangs::I2c(device) })
}

fn dimming(settings: &Settings) -> Dimming {
    let percent = |name: &str, preset: Brightness| {
        let number = settings.integer(name).and_then(|n| u8::try_from(n).ok());
        number.map_or(preset, Brightness)
    };
    let clock = |name: &str| settings.text(name).and_then(minutes);
    let preset = Dimming::default();
    let night = clock("display.night_from").zip(clock("display.night_to"));
    Dimming {
        day: percent("display.brightness", preset.day),
        night: percent("display.night_brightness", preset.night),
        hours: night.map(|(from, to)| NightHours { from, to }),
    }
}

#[cfg(test)]
mod tests;
