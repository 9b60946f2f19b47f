//! What goes over the bus, transaction by transaction, and what the panel shows.

use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

use super::*;
use crate::display::leds::sim::SimPort;
use crate::display::picture::{Lamps, ascii};
use crate::display::tests::{card, genre};

fn write(bytes: &[u8]) -> Transaction {
    Transaction::write(ADDRESS, bytes.to_vec())
}

fn started(panel: Panel, upside_down: bool) -> Ssd1306<SimPort<SimPanel>> {
    let mut device =
        Ssd1306::new(SimPort::new(SimPanel::new(ADDRESS, panel, upside_down)), ADDRESS, panel, upside_down);
    device.start(Brightness::default()).unwrap();
    device
}

fn picture(device: &Ssd1306<SimPort<SimPanel>>) -> String {
    let mut text = String::new();
    ascii(device.bus(), &mut text).unwrap();
    text
}

#[test]
fn a_panel_is_started_drawn_page_by_page_and_switched_on() {
    let mut expected = vec![
        write(&[
            0x00, 0xD5, 0x80, 0xA8, 31, 0xD3, 0, 0x40, 0x8D, 0x14, 0x20, 0x02, 0xA1, 0xC8, 0xDA, 0x02, 0xD9,
            0xF1, 0xDB, 0x40, 0xA4, 0xA6, 0x2E,
        ]),
        write(&[0x00, 0x81, 255]),
    ];
    for page in 0..4 {
        let mut bytes = vec![0x80, 0xB0 | page, 0x80, 0x00, 0x80, 0x10, 0x40];
        // Silence: a dash and dots in row 16, the uppermost of page 2.
        bytes.extend((0..128).map(|x| u8::from(page == 2 && (x < 3 || x % 4 == 1))));
        expected.push(write(&bytes));
    }
    expected.push(write(&[0x00, 0xAF]));
    let mut mock = Mock::new(&expected);
    let mut device = Ssd1306::new(mock.clone(), ADDRESS, Panel::Rows32, false);
    device.start(Brightness::FULL).unwrap();
    device.show(&card("silence")).unwrap();
    device.show(&card("silence")).unwrap();
    mock.done();
    // The dash has wandered by 16 dots: of the page, only the columns between are sent.
    let mut bytes = vec![0x80, 0xB2, 0x80, 0x00, 0x80, 0x10, 0x40];
    bytes.extend((0..19).map(|x| u8::from(x % 4 == 1 || x >= 16)));
    mock.update_expectations(&[write(&bytes)]);
    let at = (16 * u64::from(4 * crate::spec::SAMPLE_RATE_HZ)).div_ceil(125);
    device.show(&Scene { at, ..card("silence") }).unwrap();
    mock.done();
}

#[test]
fn dimming_is_the_contrast_and_dark_is_off() {
    let mut mock = Mock::new(&[]);
    let mut device = Ssd1306::new(mock.clone(), ADDRESS, Panel::Rows64, false);
    device.known = [true; PAGES];
    device.awake = true;
    mock.update_expectations(&[write(&[0x00, 0x81, 0])]);
    device.dim(Brightness(1)).unwrap();
    mock.done();
    mock.update_expectations(&[write(&[0x00, 0xAE])]);
    device.dim(Brightness::OFF).unwrap();
    mock.done();
    mock.update_expectations(&[write(&[0x00, 0x81, 255]), write(&[0x00, 0xAF])]);
    device.dim(Brightness::FULL).unwrap();
    mock.done();
}

#[test]
fn a_louder_sound_costs_only_the_meters_columns() {
    let mut device = started(Panel::Rows64, false);
    device.show(&genre("jazz", 0.8, -30.0)).unwrap();
    let before = device.bus().transactions();
    device.show(&genre("jazz", 0.8, -25.0)).unwrap();
    assert!((1..=2).contains(&(device.bus().transactions() - before)));
    assert_eq!(device.bus().lamp(127, 30), device.bus().lamp(127, 63));
}

#[test]
fn upside_down_shows_the_same() {
    for panel in [Panel::Rows32, Panel::Rows64] {
        let [upright, turned] = [false, true].map(|upside_down| {
            let mut device = started(panel, upside_down);
            device.show(&card("genre")).unwrap();
            picture(&device)
        });
        assert!(upright == turned && upright.contains('#'), "{turned}");
        // A panel that is mounted the other way round than the driver was told shows it upside down.
        let mut device = started(panel, false);
        device.i2c = SimPort::new(SimPanel::new(ADDRESS, panel, true));
        device.start(Brightness::default()).unwrap();
        device.show(&card("genre")).unwrap();
        let turned: String = picture(&device).trim_end().chars().rev().collect();
        assert_eq!(turned + "\n", upright);
    }
}
