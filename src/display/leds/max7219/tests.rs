//! What goes over the bus, transaction by transaction, and what the dots of a chain show.

use embedded_hal_mock::eh1::spi::{Mock, Transaction};

use super::*;
use crate::display::leds::Rotation;
use crate::display::leds::sim::SimPort;
use crate::display::picture::{self, Lamps, ascii};
use crate::display::tests::card;
use crate::flow::{Label, Level, State};

const ONE: Layout = Layout { modules: 1, lead: Lead::Right, rotation: Rotation::Upright, mirror: false };

/// One write between a falling and a rising CS.
fn write(bytes: &[u8]) -> [Transaction<u8>; 3] {
    [Transaction::transaction_start(), Transaction::write_vec(bytes.to_vec()), Transaction::transaction_end()]
}

/// `register` and one value for each chip, the furthest first.
fn chain(register: u8, values: &[u8]) -> [Transaction<u8>; 3] {
    write(&values.iter().flat_map(|value| [register, *value]).collect::<Vec<_>>())
}

fn silence(at: u64) -> Scene {
    Scene { at, ..card("silence") }
}

#[test]
fn a_chain_is_started_drawn_and_woken() {
    let mut expected = Vec::new();
    for (register, value) in [(0x0F, 0), (0x09, 0), (0x0B, 7), (0x0A, 15)] {
        expected.extend(chain(register, &[value; 2]));
    }
    // Silence on 16 dots: a dash at the left, dots every fourth column, in row 4. The right module is nearest to the board,
    // so the left one's word goes first.
    for row in 1..=8 {
        let values = if row == 5 { [0b1110_0100, 0b0100_0100] } else { [0, 0] };
        expected.extend(chain(row, &values));
    }
    expected.extend(chain(0x0C, &[1, 1]));
    let mut mock = Mock::new(&expected);
    let mut device = Max7219::new(mock.clone(), Layout { modules: 2, ..ONE }).unwrap();
    device.start(Brightness::FULL).unwrap();
    device.show(&silence(0)).unwrap();
    device.show(&silence(0)).unwrap();
    mock.done();
}

#[test]
fn only_changed_rows_are_sent_across_the_whole_chain() {
    let mut mock = Mock::new(&[]);
    let mut device = Max7219::new(mock.clone(), Layout::default()).unwrap();
    device.shown = [Some([0; MAX_MODULES]); 8];
    device.awake = true;
    mock.update_expectations(&chain(5, &[0b1110_0100, 0b0100_0100, 0b0100_0100, 0b0100_0100]));
    device.show(&silence(0)).unwrap();
    mock.done();
    // The dash has wandered one dot to the right.
    mock.update_expectations(&chain(5, &[0b0111_0100, 0b0100_0100, 0b0100_0100, 0b0100_0100]));
    device.show(&silence(u64::from(4 * crate::spec::SAMPLE_RATE_HZ).div_ceil(29))).unwrap();
    mock.done();
}

#[test]
fn dimming_is_one_register_and_dark_is_shutdown() {
    let mut mock = Mock::new(&[]);
    let mut device = Max7219::new(mock.clone(), ONE).unwrap();
    device.shown = [Some([0; MAX_MODULES]); 8];
    device.awake = true;
    mock.update_expectations(&chain(0x0A, &[0]));
    device.dim(Brightness(1)).unwrap();
    mock.done();
    mock.update_expectations(&chain(0x0C, &[0]));
    device.dim(Brightness::OFF).unwrap();
    mock.done();
    mock.update_expectations(&[chain(0x0A, &[15]), chain(0x0C, &[1])].concat());
    device.dim(Brightness::FULL).unwrap();
    mock.done();
}

#[test]
fn a_chain_has_one_to_eight_modules() {
    for (modules, good) in [(0, false), (1, true), (8, true), (9, false)] {
        let made = Max7219::new(SimPort::new(SimChain::new(ONE).unwrap()), Layout { modules, ..ONE });
        assert_eq!(made.is_ok(), good, "{modules}");
    }
}

/// The register and bit of the picture's top left dot, for every way to mount a module.
#[test]
fn turned_and_mirrored_modules_are_wired_so() {
    let corner = |rotation, mirror| {
        let wire = Layout { rotation, mirror, ..ONE }.wire(0, 0);
        (wire.row, wire.bit)
    };
    use Rotation::{Half, Quarter, ThreeQuarters, Upright};
    assert_eq!(
        [Upright, Quarter, Half, ThreeQuarters].map(|r| corner(r, false)),
        [(0, 7), (7, 7), (7, 0), (0, 0)]
    );
    assert_eq!(
        [Upright, Quarter, Half, ThreeQuarters].map(|r| corner(r, true)),
        [(0, 0), (7, 0), (7, 7), (0, 7)]
    );
    let chip = |lead, x| Layout { lead, modules: 4, ..ONE }.wire(x, 3).chip;
    assert_eq!([0, 7, 8, 31].map(|x| chip(Lead::Left, x)), [0, 0, 1, 3]);
    assert_eq!([0, 7, 8, 31].map(|x| chip(Lead::Right, x)), [3, 3, 2, 0]);
}

fn every_layout() -> impl Iterator<Item = Layout> {
    let rotations = [Rotation::Upright, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters];
    let turned = rotations.into_iter().flat_map(|rotation| [(rotation, false), (rotation, true)]);
    let mounted = turned
        .flat_map(|(rotation, mirror)| [(rotation, mirror, Lead::Left), (rotation, mirror, Lead::Right)]);
    (1..=8).flat_map(move |modules| {
        let mounted = mounted.clone();
        mounted.map(move |(rotation, mirror, lead)| Layout { modules, lead, rotation, mirror })
    })
}

#[test]
fn however_it_is_mounted_the_picture_is_the_same() {
    for layout in every_layout() {
        let mut device = Max7219::new(SimPort::new(SimChain::new(layout).unwrap()), layout).unwrap();
        device.start(Brightness::FULL).unwrap();
        for name in ["listening", "genre", "fault", "silence"] {
            let scene = card(name);
            device.show(&scene).unwrap();
            let mut dots = Dots::new(8 * layout.modules);
            let Ok(()) = draw(&scene, &mut dots);
            for x in 0..8 * usize::from(layout.modules) {
                for y in 0..8 {
                    assert_eq!(
                        picture::lit(device.bus().lamp(x, y)),
                        dots.lit(x, y),
                        "{layout:?} {name} {x} {y}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_the_chips_show_is_the_picture() {
    let layout = Layout::default();
    let mut device = Max7219::new(SimPort::new(SimChain::new(layout).unwrap()), layout).unwrap();
    device.start(Brightness::default()).unwrap();
    device.show(&card("genre")).unwrap();
    let mut text = String::new();
    ascii(device.bus(), &mut text).unwrap();
    assert_eq!(
        text,
        "........#..##..####.####........\n\
         ........#.#..#....#....#........\n\
         ........#.#..#...#....#........#\n\
         ........#.####..#....#.........#\n\
         .....#..#.#..#.#....#..........#\n\
         ......##..#..#.####.####.......#\n\
         ...............................#\n\
         #########################......#\n"
    );
}

#[test]
fn a_louder_sound_costs_one_row() {
    let layout = Layout::default();
    let mut device = Max7219::new(SimPort::new(SimChain::new(layout).unwrap()), layout).unwrap();
    device.start(Brightness::default()).unwrap();
    let scene = |dbfs| Scene {
        state: State::Genre { label: 5, confidence: 0.8 },
        label: Label::try_from("jazz").unwrap(),
        level: Level::from_dbfs(dbfs),
        ..Scene::default()
    };
    device.show(&scene(-30.0)).unwrap();
    let before = device.bus().transactions();
    device.show(&scene(-22.5)).unwrap();
    assert_eq!(device.bus().transactions(), before + 1);
}
