//! Displays that fail, and how they come back.

use super::*;
use crate::display::leds::NightHours;
use crate::display::leds::ht16k33::{self, Characters, SimChip};
use crate::display::leds::max7219::{Layout, Max7219, SimChain};
use crate::display::leds::sim::SimPort;
use crate::display::picture::{self, Lamps};
use crate::display::tests::card;

fn scene(at: SampleIndex) -> Scene {
    Scene { at, ..card("genre") }
}

fn lit(lamps: &impl Lamps) -> usize {
    let size = lamps.size();
    let all = (0..size.width as usize).flat_map(|x| (0..size.height as usize).map(move |y| (x, y)));
    all.filter(|(x, y)| picture::lit(lamps.lamp(*x, *y))).count()
}

/// A device that fails as it is told, and counts.
#[derive(Default)]
struct Moody {
    answer: Option<DisplayError>,
    starts: u32,
    shows: u32,
    dims: Vec<u8>,
}

impl Moody {
    fn answer(&self) -> Result<(), DisplayError> {
        self.answer.map_or(Ok(()), Err)
    }
}

impl Device for Moody {
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.starts += 1;
        self.dims.push(brightness.0);
        self.answer()
    }
    fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        self.dims.push(brightness.0);
        self.answer()
    }
    fn show(&mut self, _: &Scene) -> Result<(), DisplayError> {
        self.shows += 1;
        self.answer()
    }
}

#[test]
fn a_display_that_is_not_there_is_opened_again_with_longer_pauses() {
    let mut attempts = 0;
    let mut display = Supervised::new(
        || {
            attempts += 1;
            Err::<Moody, _>(DisplayError::Denied)
        },
        Dimming::default(),
        || None,
    );
    let mut changes = 0;
    // A minute, ten scenes a second.
    for tenth in 0..600 {
        assert_eq!(display.show(&scene(tenth * SECOND / 10)), Ok(()));
        changes += u32::from(display.take_change() == Some(Change::Lost(DisplayError::Denied)));
    }
    assert_eq!(changes, 1, "told once");
    let counters = display.counters();
    drop(display);
    assert_eq!(counters, Counters { lost: 1, back: 0, refused: attempts - 1 });
    // After 0, 0.25, 0.75, 1.75, 3.75 s and then every 4 s.
    assert!((17..=20).contains(&attempts), "{attempts}");
}

#[test]
fn a_display_that_fails_is_started_as_it_is_before_it_is_opened_anew() {
    let mut opened = 0;
    let mut display = Supervised::new(
        || {
            opened += 1;
            Ok(Moody::default())
        },
        Dimming::default(),
        || None,
    );
    display.show(&scene(0)).unwrap();
    display.device_mut().unwrap().answer = Some(DisplayError::Bus);
    display.show(&scene(1)).unwrap();
    assert_eq!(display.take_change(), Some(Change::Lost(DisplayError::Bus)));
    // Not before its time.
    display.show(&scene(2)).unwrap();
    assert_eq!(display.device().unwrap().shows, 2);
    display.device_mut().unwrap().answer = None;
    display.show(&scene(1 + FIRST_RETRY)).unwrap();
    assert_eq!(display.take_change(), Some(Change::Back));
    assert_eq!((display.device().unwrap().starts, display.device().unwrap().shows), (2, 3));
    // One that stays broken is replaced.
    display.device_mut().unwrap().answer = Some(DisplayError::NoAnswer);
    display.show(&scene(2 * SECOND)).unwrap();
    display.show(&scene(3 * SECOND)).unwrap();
    assert_eq!(display.take_change(), Some(Change::Back));
    assert_eq!(display.counters(), Counters { lost: 2, back: 2, refused: 0 });
    drop(display);
    assert_eq!(opened, 2);
}

#[test]
fn the_night_dims_and_the_day_brightens() {
    let dimming = Dimming {
        day: Brightness(60),
        night: Brightness(2),
        hours: Some(NightHours { from: 1320, to: 360 }),
    };
    let mut minute = 1319;
    let time = || {
        minute += 1;
        Some(minute - 1)
    };
    let mut display = Supervised::new(|| Ok(Moody::default()), dimming, time);
    for half in 0..6 {
        display.show(&scene(half * SECOND / 2)).unwrap();
    }
    assert_eq!(display.device().unwrap().dims, [60, 2]);
}

#[test]
fn a_display_that_ends_goes_dark() {
    /// A device that others can look at.
    struct Lent<'a>(&'a mut Moody);
    impl Device for Lent<'_> {
        fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
            self.0.start(brightness)
        }
        fn dim(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
            self.0.dim(brightness)
        }
        fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
            self.0.show(scene)
        }
    }
    let mut moody = Moody::default();
    let mut device = Some(Lent(&mut moody));
    let mut display = Supervised::new(|| device.take().ok_or(DisplayError::Bus), Dimming::default(), || None);
    display.show(&scene(0)).unwrap();
    display.set_dimming(Dimming { day: Brightness(70), ..Dimming::default() });
    display.show(&scene(1)).unwrap();
    drop(display);
    assert_eq!(moody.dims, [30, 70, 0]);
}

#[test]
fn an_i2c_display_that_is_plugged_in_again_shows_within_four_seconds() {
    // There is one display only: opened once, it can't be opened again.
    let mut chip = Some(SimPort::new(SimChip::characters(ht16k33::ADDRESS)));
    let open = || chip.take().map(|chip| Characters::new(chip, ht16k33::ADDRESS)).ok_or(DisplayError::Bus);
    let mut display = Supervised::new(open, Dimming::default(), || None);
    let mut at = 0;
    let mut run = |display: &mut Supervised<_, _, _>, seconds: u64| {
        for _ in 0..10 * seconds {
            assert_eq!(display.show(&scene(at)), Ok(()));
            at += SECOND / 10;
        }
    };
    run(&mut display, 1);
    assert!(lit(display.device().unwrap().bus()) > 20);
    display.device_mut().unwrap().bus_mut().plug(false);
    run(&mut display, 30);
    assert_eq!(display.take_change(), Some(Change::Lost(DisplayError::NoAnswer)));
    assert_eq!(lit(display.device().unwrap().bus()), 0);
    display.device_mut().unwrap().bus_mut().plug(true);
    run(&mut display, 4);
    assert!(lit(display.device().unwrap().bus()) > 20);
    assert_eq!(display.take_change(), Some(Change::Back));
}

#[test]
fn a_chain_that_lost_its_supply_unnoticed_shows_again_within_five_seconds() {
    let layout = Layout::default();
    let open = || {
        let chain = SimChain::new(layout).map_err(|_| DisplayError::Bus)?;
        Max7219::new(SimPort::new(chain), layout).map_err(|_| DisplayError::Bus)
    };
    let mut display = Supervised::new(open, Dimming::default(), || None);
    display.show(&scene(0)).unwrap();
    let shown = lit(display.device().unwrap().bus());
    display.device_mut().unwrap().bus_mut().plug(false);
    display.show(&scene(SECOND)).unwrap();
    display.device_mut().unwrap().bus_mut().plug(true);
    assert_eq!(lit(display.device().unwrap().bus()), 0);
    for tenth in 11..=50 {
        display.show(&scene(tenth * SECOND / 10)).unwrap();
    }
    assert_eq!(lit(display.device().unwrap().bus()), shown);
    assert_eq!(display.counters(), Counters::default());
}
