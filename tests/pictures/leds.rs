//! Every LED display: its states as pictures of `#` and `.`, and side by side as SVG.

use std::fmt::Write as _;

use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;
use harmonynet::display::leds::ht16k33::{self, Wiring};
use harmonynet::display::leds::max7219::Layout;
use harmonynet::display::leds::pins::Active;
use harmonynet::display::leds::ssd1306::{self, Panel};
use harmonynet::display::leds::strip::{Chips, StripConfig};
use harmonynet::display::leds::{Brightness, Device, Rotation, Setup, Simulated};
use harmonynet::display::picture::{self, Lamps};
use harmonynet::display::test_card;
use harmonynet::flow::{Label, Level, Scene, State};
use harmonynet::spec::SAMPLE_RATE_HZ;

use super::assert_committed;

/// A display's dots at one moment.
struct Picture {
    size: Size,
    dots: Vec<Rgb888>,
}

impl Picture {
    fn of(lamps: &impl Lamps) -> Self {
        let size = lamps.size();
        let all = (0..size.height as usize).flat_map(|y| (0..size.width as usize).map(move |x| (x, y)));
        Self { size, dots: all.map(|(x, y)| lamps.lamp(x, y)).collect() }
    }
}

impl Lamps for Picture {
    fn size(&self) -> Size {
        self.size
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        if x >= self.size.width as usize {
            return Rgb888::BLACK;
        }
        self.dots.get(y * self.size.width as usize + x).copied().unwrap_or(Rgb888::BLACK)
    }
}

/// Pictures one below the other, a gap between them.
struct Sheet(Vec<Picture>);

impl Lamps for Sheet {
    fn size(&self) -> Size {
        let height = self.0.iter().map(|picture| picture.size.height + 2).sum::<u32>();
        Size::new(self.0[0].size.width, height - 2)
    }

    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        let pitch = self.0[0].size.height as usize + 2;
        self.0.get(y / pitch).map_or(Rgb888::BLACK, |picture| picture.lamp(x, y % pitch))
    }
}

/// The most dots of a display of which every state goes into one SVG picture; of a larger one, only the genre does.
const SHEET_DOTS: u32 = 128 * 32;

/// What the test card lacks: a word that fits few displays and so scrolls, and a level that is low.
fn more_scenes() -> [(&'static str, Scene); 2] {
    let [.., (_, genre), _] = test_card::scenes();
    let long = Scene {
        state: State::Genre { label: 1, confidence: 0.81 },
        label: Label::try_from("classical").unwrap(),
        ..genre.clone()
    };
    [("long", long), ("quiet", Scene { level: Level::from_dbfs(-48.0), ..genre })]
}

/// Shows the states of the test card, a long word and a low level, and compares what is seen: each at its first moment, and
/// where `moving` (and of the long word always) two seconds and a half later too.
fn assert_pictures(name: &str, moving: bool, setup: Setup) {
    let mut device = Simulated::new(setup).unwrap();
    device.start(Brightness::FULL).unwrap();
    let mut text = String::new();
    let mut sheet = Vec::new();
    for (state, scene) in test_card::scenes().into_iter().chain(more_scenes()) {
        let moments: &[u64] = if moving || state == "long" { &[0, 5] } else { &[0] };
        for halves in moments {
            device.show(&Scene { at: halves * u64::from(SAMPLE_RATE_HZ) / 2, ..scene.clone() }).unwrap();
            let seen = Picture::of(&device);
            writeln!(text, "{state}, {} s", *halves as f32 / 2.0).unwrap();
            picture::ascii(&seen, &mut text).unwrap();
            if seen.size.width * seen.size.height <= SHEET_DOTS || state == "genre" {
                sheet.push(seen);
            }
        }
    }
    assert_committed(&format!("{name}.txt"), &text);
    let mut svg = String::new();
    let title = if sheet.len() > 1 {
        format!("{name}: silence, listening, unsure, genre, fault, a long word, a low level")
    } else {
        format!("{name}: a genre")
    };
    picture::svg(&Sheet(sheet), &title, &mut svg).unwrap();
    assert_committed(&format!("{name}.svg"), &svg);
}

#[test]
fn max7219() {
    for (modules, name) in [(1, "max7219-1"), (4, "max7219-4"), (8, "max7219-8")] {
        assert_pictures(name, modules == 1, Setup::Max7219(Layout { modules, ..Layout::default() }));
    }
}

#[test]
fn ht16k33() {
    let address = ht16k33::ADDRESS;
    let matrix = Setup::Matrix { address, wiring: Wiring::Backpack, rotation: Rotation::Upright };
    assert_pictures("ht16k33-matrix", true, matrix);
    assert_pictures("ht16k33-characters", true, Setup::Characters { address });
}

#[test]
fn ssd1306() {
    for (panel, name) in [(Panel::Rows64, "ssd1306-64"), (Panel::Rows32, "ssd1306-32")] {
        let address = ssd1306::ADDRESS;
        assert_pictures(name, false, Setup::Ssd1306 { address, panel, upside_down: false });
    }
}

#[test]
fn strips() {
    for (chips, name) in [(Chips::Apa102, "apa102"), (Chips::Ws2812, "ws2812")] {
        assert_pictures(name, true, Setup::Strip(StripConfig { chips, leds: 30, reversed: false }));
    }
}

#[test]
fn pins() {
    assert_pictures("pins", true, Setup::Pins { genres: 10, level: true, active: Active::High });
}
