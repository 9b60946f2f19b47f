//! The pictures in the README are what the displays draw; those of LED displays are decoded from what went over the bus.
//! `BLESS=1 cargo test --test pictures` draws them anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::path::Path;

use harmonynet::display::{Matrix, draw, picture, test_card};

#[cfg(feature = "leds")]
#[path = "pictures/leds.rs"]
mod leds;

#[test]
fn the_pictures_in_the_documents_are_what_the_display_draws() {
    for (name, scene) in test_card::scenes() {
        let mut matrix = Matrix::<64, 16>::new();
        draw(&scene, &mut matrix).unwrap();
        let mut svg = String::new();
        picture::svg(&matrix, &format!("LED matrix, state: {name}"), &mut svg).unwrap();
        assert_committed(&format!("{name}.svg"), &svg);
    }
}

/// Compares a picture with the committed one, or blesses it.
fn assert_committed(name: &str, picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, picture).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == picture, "{}: out of date; BLESS=1 cargo test --test pictures", path.display());
}
