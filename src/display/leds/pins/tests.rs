//! What is set on which pin, and what the LEDs show.

use embedded_hal_mock::eh1::digital::{Mock, State::High, State::Low, Transaction};

use super::*;
use crate::display::picture::ascii;
use crate::display::test_card;
use crate::display::tests::card;
use crate::flow::Fault;

const SECOND: u64 = SAMPLE_RATE_HZ as u64;

fn set(high: bool) -> Transaction {
    Transaction::set(if high { High } else { Low })
}

#[test]
fn only_pins_that_change_are_set() {
    for active in [Active::High, Active::Low] {
        let lit = active == Active::High;
        let mut mocks: Vec<Mock> = (0..4).map(|_| Mock::new(&[])).collect();
        let mut expect = |sets: [&[bool]; 4]| {
            for (mock, sets) in mocks.iter_mut().zip(sets) {
                mock.done();
                mock.update_expectations(&sets.iter().map(|lit| set(*lit)).collect::<Vec<_>>());
            }
            mocks.clone()
        };
        let pins: [Mock; 4] = expect([&[!lit], &[lit, !lit], &[!lit], &[!lit, lit]]).try_into().unwrap();
        let [a, b, c, level] = pins;
        let mut device = Pins::new([a, b, c], Some(level), active).unwrap();
        device.start(Brightness::FULL).unwrap();
        let scene = |state| Scene { at: SECOND / 2, state, ..card("genre") };
        let quiet =
            Scene { level: crate::flow::Level::SILENCE, ..scene(State::Genre { label: 1, confidence: 0.9 }) };
        device.show(&quiet).unwrap();
        device.show(&quiet).unwrap();
        // The likeliest blinks: now dark. The sound is loud.
        device.show(&scene(State::Unsure { label: 1, confidence: 0.3 })).unwrap();
        expect([&[], &[], &[lit, !lit], &[!lit]]);
        // A label beyond the last LED.
        device.show(&scene(State::Genre { label: 9, confidence: 0.9 })).unwrap();
        device.dim(Brightness::OFF).unwrap();
        device.show(&scene(State::Genre { label: 9, confidence: 0.9 })).unwrap();
        expect([&[]; 4]);
        mocks.iter_mut().for_each(Mock::done);
    }
}

#[test]
fn states_differ_in_how_they_move() {
    let film = |scene: &Scene| {
        let mut device = Pins::new([SimPin::default(); 10], Some(SimPin::default()), Active::Low).unwrap();
        device.start(Brightness::FULL).unwrap();
        let mut text = String::new();
        for at in [0, SECOND / 2, 9 * SECOND / 4] {
            device.show(&Scene { at, ..scene.clone() }).unwrap();
            ascii(&SimPins(&device), &mut text).unwrap();
        }
        text
    };
    let films = test_card::scenes().map(|(_, scene)| film(&scene));
    assert_eq!(
        films,
        [
            "#...........\n............\n............\n",
            "#..........#\n..#........#\n.........#.#\n",
            ".#.........#\n...........#\n.#.........#\n",
            "...#.......#\n...#.......#\n...#.......#\n",
            "#.#.#.#.#...\n.#.#.#.#.#..\n#.#.#.#.#...\n",
        ]
    );
}

#[test]
fn a_fault_is_never_dark() {
    for eighth in 0..16 {
        let state = State::Fault { fault: Fault::MicrophoneLost };
        let scene = Scene { at: eighth * SECOND / 8, state, ..Scene::default() };
        assert!((0..2).any(|led| is_lit(&scene, led, 2)));
    }
}
