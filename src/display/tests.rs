//! What scenes look like, as pictures of `#` and `.`.

use embedded_graphics::prelude::RgbColor;

use super::*;
use crate::flow::{Fault, Label, Level, State};
use crate::spec::{MAX_LABELS, SAMPLE_RATE_HZ};

const SECOND: u64 = SAMPLE_RATE_HZ as u64;
const GENRES: [&str; 10] =
    ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];

pub(super) fn genre(text: &str, confidence: f32, dbfs: f32) -> Scene {
    Scene {
        at: 0,
        state: State::Genre { label: 5, confidence },
        label: Label::try_from(text).unwrap(),
        level: Level::from_dbfs(dbfs),
        window_fill: 1.0,
    }
}

pub(super) fn card(name: &str) -> Scene {
    test_card::scenes().into_iter().find(|(n, _)| *n == name).unwrap().1
}

/// A pipe whose reader has gone.
#[cfg(feature = "std")]
pub(super) struct ClosedPipe;

#[cfg(feature = "std")]
impl std::io::Write for ClosedPipe {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn matrix<const W: usize, const H: usize>(scene: &Scene) -> Matrix<W, H> {
    let mut matrix = Matrix::new();
    let Ok(()) = draw(scene, &mut matrix);
    matrix
}

fn picture<const W: usize, const H: usize>(scene: &Scene) -> String {
    let mut text = String::new();
    picture::ascii(&matrix::<W, H>(scene), &mut text).unwrap();
    text
}

/// Compares line by line, so that a failure shows a picture.
fn assert_picture(picture: &str, expected: &[&str]) {
    let lines: Vec<&str> = picture.lines().collect();
    assert!(lines == expected, "{picture}");
}

#[test]
fn silence_is_a_quiet_line() {
    assert_picture(
        &picture::<32, 8>(&card("silence")),
        &[
            "................................",
            "................................",
            "................................",
            "................................",
            "###..#...#...#...#...#...#...#..",
            "................................",
            "................................",
            "................................",
        ],
    );
}

#[test]
fn listening_shows_the_window_filling() {
    assert_picture(
        &picture::<32, 8>(&card("listening")),
        &[
            "#.....###..##...###.####.#..#...",
            "#......#..#..#...#..#....##.#...",
            "#......#...#.....#..###..##.#...",
            "#......#....#....#..#....#.##..#",
            "#......#..#..#...#..#....#.##..#",
            "####..###..##....#..####.#..#..#",
            "...............................#",
            "##################.............#",
        ],
    );
}

#[test]
fn unsure_has_a_question_mark_and_a_dotted_bar() {
    assert_picture(
        &picture::<32, 8>(&card("unsure")),
        &[
            "###..#....#..#.####..##....#....",
            "#..#.#....#..#.#....#..#..#.#...",
            "###..#....#..#.###...#......#..#",
            "#..#.#....#..#.#......#....#...#",
            "#..#.#....#..#.#....#..#.......#",
            "###..####..##..####..##....#...#",
            "...............................#",
            "#.#.#.#.#.#....................#",
        ],
    );
}

#[test]
fn a_genre_has_a_solid_bar() {
    assert_picture(
        &picture::<32, 8>(&card("genre")),
        &[
            "........#..##..####.####........",
            "........#.#..#....#....#........",
            "........#.#..#...#....#........#",
            "........#.####..#....#.........#",
            ".....#..#.#..#.#....#..........#",
            "......##..#..#.####.####.......#",
            "...............................#",
            "#########################......#",
        ],
    );
    assert_picture(
        &picture::<64, 16>(&card("genre")),
        &[
            "................................................................",
            "................................................................",
            "....................###...##...######.######....................",
            ".....................#...#..#.......#......#..................##",
            ".....................#..#....#.....#......#...................##",
            ".....................#..#....#....#......#....................##",
            ".....................#..#....#...##.....##....................##",
            ".....................#..######...#......#.....................##",
            ".....................#..#....#..#......#......................##",
            ".................#...#..#....#.#......#.......................##",
            "..................###...#....#.######.######..................##",
            "..............................................................##",
            "..............................................................##",
            "..............................................................##",
            "##################################################............##",
            "##################################################............##",
        ],
    );
}

#[test]
fn a_fault_says_what_and_blinks() {
    let mut fault = card("fault");
    let lit = [
        "................................",
        "#.#.###..#......#....#...##.###.",
        "###..#..#.#.....#...#.#.#....#..",
        "###..#..#.......#...#.#..#...#..",
        "#.#..#..#.#.....#...#.#...#..#..",
        "#.#.###..#......###..#..##...#..",
        "................................",
        "################################",
    ];
    assert_picture(&picture::<32, 8>(&fault), &lit);
    fault.at = SECOND / 2;
    let dark = picture::<32, 8>(&fault);
    assert_eq!(dark.lines().take(7).collect::<Vec<_>>(), lit[..7]);
    assert!(!dark.ends_with("#\n"));
    // The text is there at any moment: a display that is not refreshed any more must not be dark.
    for fault in Fault::ALL {
        for eighth in 0..40 {
            let scene = Scene { at: eighth * SECOND / 8, state: State::Fault { fault }, ..Scene::default() };
            let dots = picture::<32, 8>(&scene).lines().take(7).collect::<String>().matches('#').count();
            assert!(dots >= 20, "{fault:?} is hardly seen: {dots} dots");
            let small = picture::<8, 8>(&scene);
            assert!(small.lines().take(7).any(|line| line.contains('#')), "{fault:?} {eighth}:\n{small}");
        }
    }
}

fn assert_states_differ<const W: usize, const H: usize>() {
    let pictures: Vec<_> = test_card::scenes().iter().map(|(_, scene)| picture::<W, H>(scene)).collect();
    for (i, a) in pictures.iter().enumerate() {
        for b in &pictures[..i] {
            let differing = a.chars().zip(b.chars()).filter(|(a, b)| a != b).count();
            let least = if W == 8 { 8 } else { 16 };
            assert!(differing >= least, "on {W} × {H} these differ in {differing} dots:\n{a}\n{b}");
        }
    }
}

#[test]
fn states_differ_in_shape_on_every_matrix() {
    assert_states_differ::<8, 8>();
    assert_states_differ::<32, 8>();
    assert_states_differ::<64, 8>();
    assert_states_differ::<32, 16>();
    assert_states_differ::<64, 16>();
    assert_states_differ::<128, 32>();
    assert_states_differ::<128, 64>();
}

#[test]
fn strange_matrices_are_survived() {
    for (_, scene) in test_card::scenes() {
        matrix::<1, 1>(&scene);
        matrix::<2, 200>(&scene);
        matrix::<300, 1>(&scene);
        matrix::<8, 8>(&scene);
        assert!(picture::<5, 7>(&scene).contains('#'));
        let extreme = Scene { at: u64::from(u32::MAX) * 1000, window_fill: f32::NAN, ..scene };
        matrix::<32, 8>(&extreme);
    }
}

#[test]
fn the_meter_moves_with_the_level() {
    let heights = [-70.0, -60.0, -45.0, -30.0, -15.0, 0.0, 3.0].map(|dbfs| {
        let matrix = matrix::<64, 16>(&genre("jazz", 0.5, dbfs));
        let column = matrix.rows().map(|row| row[63]);
        let lit = column.iter().filter(|dot| picture::lit(**dot)).count();
        assert!(column[16 - lit..].iter().all(|dot| picture::lit(*dot)), "from the bottom up");
        lit
    });
    assert_eq!(heights, [0, 0, 4, 8, 12, 16, 16]);
    let full = matrix::<64, 16>(&genre("jazz", 0.5, 0.0));
    let colors = [0, 3, 15].map(|row: usize| full.rows()[row][63]);
    assert_eq!(colors, [palette::LEVEL_PEAK, palette::LEVEL_HIGH, palette::LEVEL_LOW]);
}

#[test]
fn the_bar_is_the_confidence() {
    let bar = |confidence: f32| {
        let matrix = matrix::<64, 16>(&genre("jazz", confidence, -99.0));
        matrix.rows()[15].iter().filter(|dot| picture::lit(**dot)).count()
    };
    assert_eq!([0.0, 0.001, 0.5, 1.0, 2.0].map(bar), [0, 1, 31, 61, 61]);
}

#[test]
fn genres_of_the_field_fit_without_scrolling() {
    let moves = |text: &str, later: u64| {
        let early = genre(text, 0.6, -20.0);
        picture::<64, 16>(&early) != picture::<64, 16>(&Scene { at: later, ..early.clone() })
    };
    for text in GENRES {
        assert!(!moves(text, 2 * SECOND), "{text}");
    }
    // A longer one moves after a second's rest, and comes back to where it began.
    let long = "electronic dance";
    assert!(!moves(long, SECOND - 9));
    assert!(moves(long, 2 * SECOND));
    let columns = 16 * 7 - 1 + 12 + 16;
    assert!(!moves(long, columns * SECOND / 16 + 9));
}

#[test]
fn scrolling_text_stays_clear_of_the_meter() {
    for tenth in 0..100 {
        let scene = Scene { at: tenth * SECOND / 10, ..genre("classical", 0.6, -99.0) };
        let matrix = matrix::<32, 8>(&scene);
        assert!(matrix.rows().iter().all(|row| row[30..].iter().all(|dot| !picture::lit(*dot))));
    }
}

#[test]
fn silence_wanders() {
    let at = |at| picture::<64, 16>(&Scene { at, ..card("silence") });
    let line = |picture: &str| picture.lines().nth(8).map(str::to_owned).unwrap();
    assert!(line(&at(0)).starts_with("###.."));
    assert!(line(&at(4 * SECOND)).ends_with(".###"), "{}", at(4 * SECOND));
    assert_eq!(at(0), at(8 * SECOND));
}

#[test]
fn colours_are_bright_and_apart() {
    let all: Vec<_> = (0..MAX_LABELS as u8).map(palette::genre).collect();
    let part = |c: u8| i32::from(c);
    for (i, a) in all.iter().enumerate() {
        // Rec. 601 luma.
        let luma = (299 * part(a.r()) + 587 * part(a.g()) + 114 * part(a.b())) / 1000;
        assert!(luma >= 50, "label {i} is too dark: {a:?}");
        for (j, b) in all[..i].iter().enumerate() {
            let square = |x: u8, y: u8| (part(x) - part(y)).pow(2);
            let distance = square(a.r(), b.r()) + square(a.g(), b.g()) + square(a.b(), b.b());
            let least: i32 = if i < 10 { 110 } else { 50 };
            assert!(distance >= least.pow(2), "labels {i} and {j}: {a:?} {b:?} {distance}");
        }
    }
}

#[test]
fn half_blocks_halve_the_height() {
    let mut text = String::new();
    picture::half_blocks(&matrix::<32, 8>(&card("genre")), &mut text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0], "        █ ▄▀▀▄ ▀▀▀█ ▀▀▀█        ");
    assert_eq!(lines[3], "▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄      █");
}

#[test]
fn an_svg_has_a_circle_for_each_lit_dot() {
    let matrix = matrix::<64, 16>(&card("genre"));
    let mut svg = String::new();
    picture::svg(&matrix, "jazz, 81 %", &mut svg).unwrap();
    let lit = matrix.rows().iter().flatten().filter(|dot| picture::lit(**dot)).count();
    // One more circle is the dark LED of the pattern.
    assert_eq!(svg.matches("<circle ").count(), lit + 1);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("viewBox=\"0 0 650 170\"") && svg.contains("<title>jazz, 81 %</title>"));
    for tag in ["svg", "g", "defs", "pattern"] {
        assert_eq!(
            svg.matches(&format!("<{tag} ")).count().max(1),
            svg.matches(&format!("</{tag}>")).count()
        );
    }
}

#[test]
fn memory_keeps_the_last() {
    let mut memory = Memory::<2>::default();
    for text in ["a", "b", "c"] {
        memory.show(&genre(text, 0.5, 0.0)).unwrap();
    }
    memory.verdict(&genre("d", 0.5, 0.0)).unwrap();
    let kept: Vec<_> = memory.scenes.oldest_ordered().map(|scene| scene.label.as_str()).collect();
    assert_eq!(kept, ["b", "c"]);
    assert_eq!(memory.verdicts.recent().map(|scene| scene.label.as_str()), Some("d"));
}
