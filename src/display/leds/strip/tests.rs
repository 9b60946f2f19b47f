//! What goes over the bus, transaction by transaction, and what the LEDs show.

use embedded_hal_mock::eh1::spi::{Mock, Transaction};

use super::*;
use crate::display::leds::sim::SimPort;
use crate::display::picture::{Lamps, ascii};
use crate::display::tests::{card, genre};
use crate::display::{palette, picture, test_card};
use crate::spec::SAMPLE_RATE_HZ;

const SECOND: u64 = SAMPLE_RATE_HZ as u64;
const APA102: StripConfig = StripConfig { chips: Chips::Apa102, leds: 4, reversed: false };
const WS2812: StripConfig = StripConfig { chips: Chips::Ws2812, leds: 2, reversed: false };

fn write(bytes: &[u8]) -> [Transaction<u8>; 3] {
    [Transaction::transaction_start(), Transaction::write_vec(bytes.to_vec()), Transaction::transaction_end()]
}

#[test]
fn an_apa102_frame_is_one_transaction() {
    let dark = |bright: u8| [0xE0 | bright, 0, 0, 0];
    let frame = |place: usize, bright: u8| {
        let mut leds = [dark(bright); 4];
        leds[place] = [0xE0 | bright, 100, 60, 40];
        [&[0; 4][..], leds.as_flattened(), &[0; 5]].concat()
    };
    let mut mock = Mock::new(&[]);
    let mut device = Strip::new(mock.clone(), APA102).unwrap();
    device.start(Brightness::FULL).unwrap();
    device.dim(Brightness::FULL).unwrap();
    mock.done();
    mock.update_expectations(&write(&frame(0, 31)));
    device.show(&card("silence")).unwrap();
    device.show(&card("silence")).unwrap();
    mock.done();
    mock.update_expectations(&[write(&frame(0, 1)), write(&frame(3, 1))].concat());
    device.dim(Brightness(1)).unwrap();
    device.show(&Scene { at: 4 * SECOND, ..card("silence") }).unwrap();
    mock.done();
    mock.update_expectations(&[write(&frame(3, 0)), write(&frame(0, 0))].concat());
    device.dim(Brightness::OFF).unwrap();
    device.config.reversed = true;
    device.show(&Scene { at: 4 * SECOND, ..card("silence") }).unwrap();
    mock.done();
}

#[test]
fn a_ws2812_frame_is_one_transaction_of_pulses() {
    // Green 60, red 40, blue 100, two bits a byte; the second LED is dark.
    let mut bytes = vec![0; 4];
    bytes.extend([0x88, 0xEE, 0xEE, 0x88, 0x88, 0xE8, 0xE8, 0x88, 0x8E, 0xE8, 0x8E, 0x88]);
    bytes.extend([0x88; 12]);
    bytes.extend([0; 112]);
    let mut mock = Mock::new(&write(&bytes));
    let mut device = Strip::new(mock.clone(), WS2812).unwrap();
    device.start(Brightness::FULL).unwrap();
    device.show(&card("silence")).unwrap();
    device.show(&card("silence")).unwrap();
    mock.done();
}

#[test]
fn a_strip_has_1_to_144_leds_and_the_longest_fits() {
    for chips in [Chips::Apa102, Chips::Ws2812] {
        for (leds, good) in [(0, false), (1, true), (144, true), (145, false)] {
            let config = StripConfig { chips, leds, reversed: false };
            let Ok(sim) = SimStrip::new(config) else {
                assert!(!good);
                continue;
            };
            let mut device = Strip::new(SimPort::new(sim), config).unwrap();
            device.start(Brightness::FULL).unwrap();
            // The simulated strip refuses a frame that isn't whole.
            device.show(&card("genre")).unwrap();
            assert!(good);
        }
    }
}

#[test]
fn both_chips_show_the_same_colours() {
    for reversed in [false, true] {
        for (_, scene) in test_card::scenes() {
            let mut wanted = [Rgb888::BLACK; 30];
            paint(&scene, &mut wanted);
            for chips in [Chips::Apa102, Chips::Ws2812] {
                let config = StripConfig { chips, leds: 30, reversed };
                let mut device = Strip::new(SimPort::new(SimStrip::new(config).unwrap()), config).unwrap();
                device.start(Brightness::FULL).unwrap();
                device.show(&scene).unwrap();
                let seen: Vec<_> = (0..30).map(|x| device.bus().lamp(x, 0)).collect();
                assert_eq!(seen, wanted);
            }
        }
    }
}

#[test]
fn the_faintest_light_is_light_on_both() {
    for chips in [Chips::Apa102, Chips::Ws2812] {
        let config = StripConfig { chips, leds: 8, reversed: false };
        let mut device = Strip::new(SimPort::new(SimStrip::new(config).unwrap()), config).unwrap();
        device.start(Brightness(1)).unwrap();
        device.show(&card("fault")).unwrap();
        assert!((0..8).any(|x| picture::lit(device.bus().lamp(x, 0))));
        device.dim(Brightness::OFF).unwrap();
        assert!((0..8).all(|x| !picture::lit(device.bus().lamp(x, 0))));
    }
}

fn line(scene: &Scene) -> String {
    let config = StripConfig { chips: Chips::Ws2812, leds: 30, reversed: false };
    let mut device = Strip::new(SimPort::new(SimStrip::new(config).unwrap()), config).unwrap();
    device.start(Brightness::FULL).unwrap();
    device.show(scene).unwrap();
    let mut text = String::new();
    ascii(device.bus(), &mut text).unwrap();
    text.trim_end().to_owned()
}

#[test]
fn states_differ_on_a_strip() {
    let lines = test_card::scenes().map(|(_, scene)| line(&scene));
    assert_eq!(
        lines,
        [
            "#.............................",
            "##################............",
            "#.#.#.#.#.#...................",
            "#########################.....",
            "##############################",
        ]
    );
}

#[test]
fn the_level_is_the_bright_part_and_a_fault_changes_places() {
    let bright = |dbfs: f32| {
        let mut leds = [Rgb888::BLACK; 20];
        paint(&genre("jazz", 0.5, dbfs), &mut leds);
        leds.iter().filter(|led| **led == palette::genre(5)).count()
    };
    assert_eq!([-70.0, -30.0, -12.0, 0.0].map(bright), [0, 5, 8, 10]);
    let mut leds = [[Rgb888::BLACK; 2]; 2];
    paint(&card("fault"), &mut leds[0]);
    paint(&Scene { at: SECOND / 2, ..card("fault") }, &mut leds[1]);
    assert_eq!(leds[0][0], palette::FAULT);
    assert_eq!(leds[0], [leds[1][1], leds[1][0]]);
    // One LED is a strip too, and none is survived.
    for (_, scene) in test_card::scenes() {
        paint(&scene, &mut []);
        let mut one = [Rgb888::BLACK];
        paint(&scene, &mut one);
        assert!(picture::lit(one[0]));
    }
}
