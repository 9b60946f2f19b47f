//! The pictures in the README are what the display draws. `BLESS=1 cargo test --test pictures` draws them anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::path::Path;

use harmonynet::display::{Matrix, draw, picture, test_card};

#[test]
fn the_pictures_in_the_documents_are_what_the_display_draws() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    for (name, scene) in test_card::scenes() {
        let mut matrix = Matrix::<64, 16>::new();
        draw(&scene, &mut matrix).unwrap();
        let mut svg = String::new();
        picture::svg(&matrix, &format!("LED matrix, state: {name}"), &mut svg).unwrap();
        let path = folder.join(format!("{name}.svg"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &svg).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == svg, "{}: out of date; BLESS=1 cargo test --test pictures", path.display());
    }
}
