//! What goes over the bus, transaction by transaction, and what the dots show.

use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

use super::*;
use crate::display::leds::sim::SimPort;
use crate::display::picture::ascii;
use crate::display::tests::card;

fn frame(ram: Ram) -> Transaction {
    Transaction::write(ADDRESS, [&[0][..], &ram].concat())
}

/// Silence on 8 × 8 dots: a dash at the left and a dot at column 5, in row 4.
const SILENCE: [usize; 4] = [0, 1, 2, 5];

#[test]
fn a_frame_is_one_transaction() {
    let mut ram = Ram::default();
    for column in SILENCE {
        ram[8] |= 1 << ((column + 7) % 8);
    }
    let mut mock = Mock::new(&[
        Transaction::write(ADDRESS, vec![0x21]),
        Transaction::write(ADDRESS, vec![0xA0]),
        Transaction::write(ADDRESS, vec![0xEF]),
        frame(ram),
        Transaction::write(ADDRESS, vec![0x81]),
    ]);
    let mut device = Matrix8::new(mock.clone(), ADDRESS, Wiring::Backpack, Rotation::Upright);
    device.start(Brightness::FULL).unwrap();
    device.show(&card("silence")).unwrap();
    device.show(&card("silence")).unwrap();
    mock.done();
    // Wired straight and turned by a quarter: a row of the picture is a column of the matrix.
    let mut ram = Ram::default();
    for column in SILENCE {
        ram[2 * (7 - column)] = 1 << 4;
    }
    mock.update_expectations(&[frame(ram)]);
    device.wiring = Wiring::Straight;
    device.rotation = Rotation::Quarter;
    device.show(&card("silence")).unwrap();
    mock.done();
}

#[test]
fn characters_are_two_bytes_each() {
    let mut ram = Ram::default();
    for (bytes, segments) in ram.chunks_exact_mut(2).zip("JAZZ".chars().map(segments::glyph)) {
        bytes.copy_from_slice(&segments.to_le_bytes());
    }
    // Three points: −12 dBFS.
    for character in 0..3 {
        ram[2 * character + 1] |= 0x40;
    }
    let mut mock = Mock::new(&[frame(ram), Transaction::write(ADDRESS, vec![0x81])]);
    let mut device = Characters::new(mock.clone(), ADDRESS);
    device.chip.brightness = Brightness::FULL;
    device.show(&card("genre")).unwrap();
    mock.done();
}

#[test]
fn dimming_is_one_byte_and_dark_is_off() {
    let mut mock = Mock::new(&[]);
    let mut device = Characters::new(mock.clone(), ADDRESS);
    device.chip.shown = Some(Ram::default());
    device.chip.awake = true;
    for (brightness, bytes) in [
        (Brightness(1), &[0xE0][..]),
        (Brightness(50), &[0xE7]),
        (Brightness::OFF, &[0x80]),
        (Brightness::FULL, &[0xEF, 0x81]),
    ] {
        let expected: Vec<_> = bytes.iter().map(|byte| Transaction::write(ADDRESS, vec![*byte])).collect();
        mock.update_expectations(&expected);
        device.dim(brightness).unwrap();
        mock.done();
    }
}

#[test]
fn what_the_bus_answers_is_told_and_the_frame_is_sent_again() {
    let absent = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let ram = Ram::default();
    let mut mock = Mock::new(&[
        frame(ram).with_error(absent),
        frame(ram).with_error(ErrorKind::ArbitrationLoss),
        frame(ram),
        Transaction::write(ADDRESS, vec![0x81]),
    ]);
    let mut chip = Chip::new(mock.clone(), ADDRESS);
    chip.brightness = Brightness::FULL;
    assert_eq!(chip.show(ram), Err(DisplayError::NoAnswer));
    assert_eq!(chip.show(ram), Err(DisplayError::Bus));
    assert_eq!(chip.show(ram), Ok(()));
    assert_eq!(chip.show(ram), Ok(()));
    mock.done();
}

#[test]
fn what_the_characters_show_is_the_text() {
    let mut device = Characters::new(SimPort::new(SimChip::characters(ADDRESS)), ADDRESS);
    device.start(Brightness::default()).unwrap();
    device.show(&card("genre")).unwrap();
    let mut text = String::new();
    ascii(device.bus(), &mut text).unwrap();
    assert_eq!(
        text,
        "..........#####....#####....#####...
\
         ......#..#.....#.......#........#...
\
         ......#..#.....#......#........#....
\
         ......#..#.....#......#........#....
\
         ..........##.##.....................
\
         #.....#..#.....#....#........#......
\
         #.....#..#.....#....#........#......
\
         #.....#..#.....#...#........#.......
\
         .#####.#........#..#####.#..#####...
"
    );
}

#[test]
fn however_it_is_mounted_the_picture_is_the_same() {
    let mut seen = Vec::new();
    for rotation in [Rotation::Upright, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters] {
        for wiring in [Wiring::Backpack, Wiring::Straight] {
            let chip = SimChip::matrix(ADDRESS, wiring, rotation);
            let mut device = Matrix8::new(SimPort::new(chip), ADDRESS, wiring, rotation);
            device.start(Brightness::default()).unwrap();
            device.show(&card("genre")).unwrap();
            let mut text = String::new();
            ascii(device.bus(), &mut text).unwrap();
            seen.push(text);
        }
    }
    assert!(seen[0].contains('#'));
    assert!(seen.iter().all(|text| *text == seen[0]));
}
