//! What holds for every driver: the same scene sends nothing, and what the bus carries is the picture.

use embedded_graphics::geometry::Size;
use proptest::prelude::*;

use super::ht16k33::{Characters, Matrix8, SimChip, Wiring};
use super::max7219::{Layout, Max7219, SimChain};
use super::pins::{Active, Pins, SimPin};
use super::sim::SimPort;
use super::ssd1306::{Panel, SimPanel, Ssd1306};
use super::strip::{Chips, SimStrip, Strip, StripConfig};
use super::*;
use crate::display::picture::{self, Lamps, ascii};
use crate::display::test_card;
use crate::flow::{Fault, Label, Level, State};

/// Any scene that there can be.
fn scenes() -> impl Strategy<Value = Scene> {
    let part = 0.0..=1.0_f32;
    let state = prop_oneof![
        Just(State::Silence),
        Just(State::Listening),
        (0..32_u8, part.clone()).prop_map(|(label, confidence)| State::Unsure { label, confidence }),
        (0..32_u8, part.clone()).prop_map(|(label, confidence)| State::Genre { label, confidence }),
        (0..Fault::ALL.len()).prop_map(|fault| State::Fault { fault: Fault::ALL[fault] }),
    ];
    let label = "[ -~]{0,24}".prop_map(|text| Label::try_from(text.as_str()).unwrap());
    (0..1_u64 << 40, state, label, -150.0..10.0_f32, part).prop_map(
        |(at, state, label, dbfs, window_fill)| Scene {
            at,
            state,
            label,
            level: Level::from_dbfs(dbfs),
            window_fill,
        },
    )
}

/// Shows `first`, then `second` twice: the transactions of `second`, and those of its repetition.
fn costs<D: Device>(mut device: D, [first, second]: [&Scene; 2], sent: fn(&D) -> u64) -> [u64; 2] {
    device.start(Brightness::FULL).unwrap();
    device.show(first).unwrap();
    let before = sent(&device);
    device.show(second).unwrap();
    let once = sent(&device);
    device.show(second).unwrap();
    [once - before, sent(&device) - once]
}

fn chain(layout: Layout) -> Max7219<SimPort<SimChain>> {
    Max7219::new(SimPort::new(SimChain::new(layout).unwrap()), layout).unwrap()
}

fn panel(panel: Panel) -> Ssd1306<SimPort<SimPanel>> {
    Ssd1306::new(SimPort::new(SimPanel::new(ssd1306::ADDRESS, panel, false)), ssd1306::ADDRESS, panel, false)
}

fn strip(chips: Chips) -> Strip<SimPort<SimStrip>> {
    let config = StripConfig { chips, leds: 60, reversed: false };
    Strip::new(SimPort::new(SimStrip::new(config).unwrap()), config).unwrap()
}

fn characters() -> Characters<SimPort<SimChip>> {
    Characters::new(SimPort::new(SimChip::characters(ht16k33::ADDRESS)), ht16k33::ADDRESS)
}

fn matrix() -> Matrix8<SimPort<SimChip>> {
    let (wiring, rotation) = (Wiring::Backpack, Rotation::Upright);
    let chip = SimChip::matrix(ht16k33::ADDRESS, wiring, rotation);
    Matrix8::new(SimPort::new(chip), ht16k33::ADDRESS, wiring, rotation)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_scene_sends_nothing(first in scenes(), second in scenes()) {
        let both = [&first, &second];
        let all = [
            (8, costs(chain(Layout::default()), both, |device| device.bus().transactions())),
            (8, costs(chain(Layout { modules: 8, ..Layout::default() }), both, |device| device.bus().transactions())),
            (1, costs(matrix(), both, |device| device.bus().transactions())),
            (1, costs(characters(), both, |device| device.bus().transactions())),
            (8, costs(panel(Panel::Rows64), both, |device| device.bus().transactions())),
            (4, costs(panel(Panel::Rows32), both, |device| device.bus().transactions())),
            (1, costs(strip(Chips::Apa102), both, |device| device.bus().transactions())),
            (1, costs(strip(Chips::Ws2812), both, |device| device.bus().transactions())),
            (11, costs(
                Pins::new([SimPin::default(); 10], Some(SimPin::default()), Active::High).unwrap(),
                both,
                |device| device.genres().iter().chain(device.level()).map(SimPin::changes).sum(),
            )),
        ];
        for (i, (most, [changed, same])) in all.into_iter().enumerate() {
            prop_assert!(changed <= most, "display {}: {} transactions for a scene", i, changed);
            prop_assert_eq!(same, 0, "display {}", i);
        }
    }
}

/// Starts a device at a chip that holds anything, and counts the dots that are lit before the first scene.
fn dots_before_the_first_scene<D: Device, L: Lamps>(mut device: D, see: fn(&D) -> &L) -> usize {
    device.start(Brightness::FULL).unwrap();
    device.dim(Brightness(50)).unwrap();
    let Size { width, height } = see(&device).size();
    let all = (0..width as usize).flat_map(|x| (0..height as usize).map(move |y| (x, y)));
    all.filter(|(x, y)| picture::lit(see(&device).lamp(*x, *y))).count()
}

#[test]
fn what_a_chip_holds_at_power_on_is_not_seen() {
    assert_eq!(dots_before_the_first_scene(chain(Layout::default()), Max7219::bus), 0);
    assert_eq!(dots_before_the_first_scene(panel(Panel::Rows64), Ssd1306::bus), 0);
    assert_eq!(dots_before_the_first_scene(strip(Chips::Ws2812), Strip::bus), 0);
    let mut device = characters();
    device.start(Brightness::FULL).unwrap();
    let mut text = String::new();
    ascii(device.bus(), &mut text).unwrap();
    assert!(!text.contains('#'), "{text}");
}

#[test]
fn brightness_zero_is_dark_whatever_is_shown() {
    for (_, scene) in test_card::scenes() {
        let mut device = panel(Panel::Rows64);
        device.start(Brightness::OFF).unwrap();
        device.show(&scene).unwrap();
        let mut text = String::new();
        ascii(device.bus(), &mut text).unwrap();
        assert!(!text.contains('#'));
        device.dim(Brightness(1)).unwrap();
        text.clear();
        ascii(device.bus(), &mut text).unwrap();
        assert!(text.contains('#'), "the picture is there when light comes back");
    }
}

/// A bus that fails once, at the transaction that it is told.
struct Flaky<B> {
    bus: B,
    good: u32,
}

impl<B> Flaky<B> {
    fn fails(&mut self) -> bool {
        let fails = self.good == 0;
        self.good = self.good.wrapping_sub(1);
        fails
    }
}

impl<B: spi::ErrorType<Error = spi::ErrorKind>> spi::ErrorType for Flaky<B> {
    type Error = spi::ErrorKind;
}

impl<B: spi::SpiDevice<Error = spi::ErrorKind>> spi::SpiDevice for Flaky<B> {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), spi::ErrorKind> {
        if self.fails() { Err(spi::ErrorKind::Other) } else { self.bus.transaction(operations) }
    }
}

/// The same for I2C.
struct FlakyI2c<B>(Flaky<B>);

impl<B: i2c::I2c<Error = i2c::ErrorKind>> i2c::ErrorType for FlakyI2c<B> {
    type Error = i2c::ErrorKind;
}

impl<B: i2c::I2c<Error = i2c::ErrorKind>> i2c::I2c for FlakyI2c<B> {
    fn transaction(&mut self, to: u8, operations: &mut [i2c::Operation<'_>]) -> Result<(), i2c::ErrorKind> {
        if self.0.fails() { Err(i2c::ErrorKind::Bus) } else { self.0.bus.transaction(to, operations) }
    }
}

/// Shows every state; starts anew after an error, and then shows the state again. The errors, and the last picture.
fn survive<D: Device>(mut device: D, picture: impl Fn(&D, &mut String) -> fmt::Result) -> (u32, String) {
    let mut errors = 0;
    let mut is_started = false;
    for (_, scene) in test_card::scenes() {
        for _ in 0..2 {
            let result = if is_started { Ok(()) } else { device.start(Brightness::default()) };
            let result = result.and_then(|()| device.show(&scene));
            is_started = result.is_ok();
            errors += u32::from(!is_started);
        }
    }
    let mut text = String::new();
    picture(&device, &mut text).unwrap();
    (errors, text)
}

#[test]
fn after_an_error_at_any_transaction_the_picture_is_right_again() {
    let layout = Layout::default();
    let chain = |good| {
        let bus = Flaky { bus: SimPort::new(SimChain::new(layout).unwrap()), good };
        survive(Max7219::new(bus, layout).unwrap(), |device, text| ascii(&device.bus().bus, text))
    };
    let panel = |good| {
        let bus = FlakyI2c(Flaky {
            bus: SimPort::new(SimPanel::new(ssd1306::ADDRESS, Panel::Rows32, false)),
            good,
        });
        let device = Ssd1306::new(bus, ssd1306::ADDRESS, Panel::Rows32, false);
        survive(device, |device, text| ascii(&device.bus().0.bus, text))
    };
    let characters = |good| {
        let bus = FlakyI2c(Flaky { bus: SimPort::new(SimChip::characters(ht16k33::ADDRESS)), good });
        let device = Characters::new(bus, ht16k33::ADDRESS);
        survive(device, |device, text| ascii(&device.bus().0.bus, text))
    };
    let strip = |good| {
        let config = StripConfig { chips: Chips::Apa102, leds: 20, reversed: true };
        let bus = Flaky { bus: SimPort::new(SimStrip::new(config).unwrap()), good };
        survive(Strip::new(bus, config).unwrap(), |device, text| ascii(&device.bus().bus, text))
    };
    assert_survives(20, chain);
    assert_survives(18, panel);
    assert_survives(7, characters);
    assert_survives(4, strip);
}

fn assert_survives(transactions: u32, display: impl Fn(u32) -> (u32, String)) {
    let (_, right) = display(u32::MAX);
    assert!(right.contains('#'));
    for good in 0..transactions {
        assert_eq!(display(good), (1, right.clone()), "transaction {good}");
    }
}
