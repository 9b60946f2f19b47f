//! The view in a terminal, seen through an emulator of the few sequences that it uses.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::pen::indexed;
use super::*;
use crate::display::test_card;
use crate::display::tests::{ClosedPipe, genre};
use crate::flow::Fault;

const PLAIN: Style = Style { colors: Colors::None, unicode: true };
const FULL: Style = Style { colors: Colors::True, unicode: true };
const SECOND: u64 = SAMPLE_RATE_HZ as u64;

/// What a terminal of some size would show.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Screen {
    cells: Vec<Vec<(char, String)>>,
    at: (usize, usize),
    attributes: String,
    cursor_hidden: bool,
    alternate: bool,
}

impl Screen {
    fn new(columns: u16, rows: u16) -> Self {
        let blank = vec![(' ', String::new()); columns.into()];
        Self {
            cells: vec![blank; rows.into()],
            at: (0, 0),
            attributes: String::new(),
            cursor_hidden: false,
            alternate: false,
        }
    }

    fn feed(&mut self, text: &str) {
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '\x1b' {
                let (x, y) = self.at;
                assert!(y < self.cells.len() && x < self.cells[y].len(), "{c:?} beyond the edge at {x}, {y}");
                self.cells[y][x] = (c, self.attributes.clone());
                self.at.0 += 1;
                continue;
            }
            assert_eq!(rest.next(), Some('['));
            let sequence: String = rest.by_ref().take_while(|c| !c.is_ascii_alphabetic()).collect();
            // take_while consumed the final letter; it is the character before what is left.
            let used = text.len() - rest.as_str().len();
            self.control(&sequence, text.as_bytes()[used - 1]);
        }
    }

    fn control(&mut self, parameters: &str, end: u8) {
        match (end, parameters) {
            (b'H', _) => {
                let (row, column) = parameters.split_once(';').unwrap();
                self.at = (column.parse::<usize>().unwrap() - 1, row.parse::<usize>().unwrap() - 1);
            }
            (b'J', "2") => self.cells.iter_mut().flatten().for_each(|cell| *cell = (' ', String::new())),
            (b'K', "") => {
                let (x, y) = self.at;
                self.cells[y][x..].iter_mut().for_each(|cell| *cell = (' ', String::new()));
            }
            (b'm', "0") => self.attributes.clear(),
            (b'm', _) => {
                // Foreground and background replace each other's predecessor only.
                let kind = &parameters[..2];
                let kept: Vec<_> =
                    self.attributes.split(' ').filter(|a| !a.is_empty() && !a.starts_with(kind)).collect();
                let mut all = [&kept[..], &[parameters]].concat();
                all.sort_unstable();
                self.attributes = all.join(" ");
            }
            (b'l', "?25") => self.cursor_hidden = true,
            (b'h', "?25") => self.cursor_hidden = false,
            (b'h', "?1049") => self.alternate = true,
            (b'l', "?1049") => self.alternate = false,
            (end, parameters) => panic!("unknown sequence {parameters}{}", char::from(end)),
        }
    }

    fn lines(&self) -> Vec<String> {
        let line = |row: &Vec<(char, String)>| row.iter().map(|(c, _)| *c).collect::<String>();
        self.cells.iter().map(|row| line(row).trim_end().to_owned()).collect()
    }
}

/// A writer that others can look into.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Vec<u8>>>);

impl Wire {
    fn take(&self) -> String {
        String::from_utf8(self.0.take()).unwrap()
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn usual() -> Option<Size> {
    Some((80, 24))
}

/// The screen that a fresh terminal shows for one scene.
fn fresh(scene: &Scene, style: Style, (columns, rows): Size, ask: fn() -> Option<Size>) -> Screen {
    let wire = Wire::default();
    let mut terminal = Terminal::new(wire.clone(), style, ask).unwrap();
    terminal.show(scene).unwrap();
    let mut screen = Screen::new(columns, rows);
    screen.feed(&wire.take());
    screen
}

#[test]
fn without_colour_it_is_a_picture_of_characters() {
    let scene = Scene { at: 83 * SECOND, ..genre("jazz", 0.714, -18.25) };
    for unicode in [true, false] {
        let lines = fresh(&scene, Style { unicode, ..PLAIN }, (80, 24), usual).lines();
        assert_eq!(
            lines[2],
            format!("{:8}....................###...##...######.######....................", "")
        );
        assert_eq!(
            lines[15],
            format!("{:8}############################################..................##", "")
        );
        assert_eq!(lines[16], "");
        assert_eq!(
            lines[17],
            " genre     jazz              71 %   -18.2 dBFS [=============       ]    1:23"
        );
        assert!(lines[18..].iter().all(String::is_empty), "{lines:#?}");
    }
}

#[test]
fn with_colour_it_is_half_blocks_or_round_dots() {
    let scene = genre("jazz", 0.7, -18.0);
    let screen = fresh(&scene, FULL, (80, 24), usual);
    assert!(screen.lines()[..8].iter().all(|line| *line == format!("{:8}{}", "", "▀".repeat(64))));
    let lit = crate::display::palette::genre(5);
    let expected = format!("38;2;{};{};{}", lit.r(), lit.g(), lit.b());
    // The bar is the two lowest rows: one character, lit above and below.
    assert!(screen.cells[7][8].1.contains(&expected), "{:?}", screen.cells[7][8]);
    assert!(screen.cells[0][0].1.is_empty() && screen.cells[9][1].1.is_empty(), "colour is left behind");
    let large = fresh(&scene, FULL, (140, 30), || Some((140, 30)));
    assert_eq!(large.lines()[15].trim_start(), ["●"; 64].join(" "));
    let indexed = fresh(&scene, Style { colors: Colors::Indexed, unicode: false }, (80, 24), usual);
    assert!(indexed.cells[15][8].0 == '#' && indexed.cells[15][8].1.starts_with("38;5;"));
}

/// Dots that are lit where a formula says so.
struct Pattern(u32, u32, fn(usize, usize) -> bool);

impl Lamps for Pattern {
    fn size(&self) -> embedded_graphics::geometry::Size {
        embedded_graphics::geometry::Size::new(self.0, self.1)
    }
    fn lamp(&self, x: usize, y: usize) -> Rgb888 {
        let there = x < self.0 as usize && y < self.1 as usize;
        if there && (self.2)(x, y) { Rgb888::WHITE } else { Rgb888::BLACK }
    }
}

#[test]
fn many_dots_are_shown_in_braille_and_other_dots_anew() {
    let wire = Wire::default();
    let mut terminal = super::Screen::new(wire.clone(), FULL, usual).unwrap();
    let mut screen = Screen::new(80, 24);
    let scene = genre("jazz", 0.5, -20.0);
    // A panel of 128 × 64 takes 64 × 16 characters: a column every sixteenth dot, and a dot at the lower right.
    terminal.paint(&Pattern(128, 64, |x, y| x % 16 == 0 || (x, y) == (127, 63)), &scene).unwrap();
    screen.feed(&wire.take());
    let lines = screen.lines();
    assert_eq!(lines[0], format!("{:8}{}", "", "⡇⠀⠀⠀⠀⠀⠀⠀".repeat(8)));
    assert_eq!(lines[15].chars().nth(71), Some('⢀'), "{lines:#?}");
    assert!(lines[17].starts_with(" genre"), "{lines:#?}");
    // A strip in its place: one line of dots, and nothing is left of the panel.
    terminal.paint(&Pattern(30, 1, |x, _| x < 3), &scene).unwrap();
    screen.feed(&wire.take());
    let lines = screen.lines();
    assert_eq!(lines[0].trim(), ["●"; 30].join(" "));
    assert!(lines[1].is_empty() && lines[2].starts_with(" genre") && lines[3..].iter().all(String::is_empty));
    // What others wrote over it is painted anew.
    terminal.paint(&Pattern(30, 1, |x, _| x < 3), &scene).unwrap();
    assert_eq!(wire.take(), "");
    terminal.forget();
    terminal.paint(&Pattern(30, 1, |x, _| x < 3), &scene).unwrap();
    let mut again = Screen::new(80, 24);
    again.feed(&wire.take());
    assert_eq!(again.cells, screen.cells);
}

#[test]
fn only_what_changed_is_written() {
    for style in [FULL, PLAIN, Style { colors: Colors::Indexed, unicode: false }] {
        let wire = Wire::default();
        let mut terminal = Terminal::new(wire.clone(), style, usual).unwrap();
        let mut screen = Screen::new(80, 24);
        let mut scenes: Vec<_> = test_card::scenes().into_iter().map(|(_, scene)| scene).collect();
        scenes.extend(
            (0..30).map(|n| Scene { at: n * SECOND / 7, ..genre("an unusual genre", 0.6, -(n as f32)) }),
        );
        scenes.extend(test_card::scenes().into_iter().rev().map(|(_, scene)| scene));
        for scene in &scenes {
            terminal.show(scene).unwrap();
            screen.feed(&wire.take());
            let expected = fresh(scene, style, (80, 24), usual);
            assert_eq!(screen.cells, expected.cells, "{scene:?}");
            terminal.show(scene).unwrap();
            assert_eq!(wire.take(), "", "the same scene again");
        }
        terminal.show(&genre("jazz", 0.6, -20.0)).unwrap();
        let whole = wire.take().len();
        terminal.show(&genre("jazz", 0.6, -24.0)).unwrap();
        let step = wire.take().len();
        assert!(step < 200 && step < whole / 3, "{step} of {whole} bytes for a step of the meter");
    }
}

thread_local! {
    static SIZE: std::cell::Cell<Option<Size>> = const { std::cell::Cell::new(None) };
}

fn changing() -> Option<Size> {
    SIZE.get()
}

#[test]
fn any_size_is_survived_and_followed() {
    for style in [FULL, PLAIN] {
        let wire = Wire::default();
        SIZE.set(None);
        let mut terminal = Terminal::new(wire.clone(), style, changing).unwrap();
        let mut at = 0;
        wire.take();
        for size in
            [(80, 24), (1, 1), (2, 2), (64, 11), (63, 11), (64, 10), (10, 100), (128, 19), (200, 60), (7, 3)]
        {
            SIZE.set(Some(size));
            for (_, scene) in test_card::scenes() {
                at += SECOND / 4;
                terminal.show(&Scene { at, ..scene.clone() }).unwrap();
                let mut screen = Screen::new(size.0, size.1);
                screen.feed(&wire.take());
            }
        }
        // Too small for the matrix: the figures remain.
        SIZE.set(Some((40, 5)));
        at += SECOND / 4;
        terminal.show(&Scene { at, ..genre("jazz", 0.5, -20.0) }).unwrap();
        let mut screen = Screen::new(40, 5);
        screen.feed(&wire.take());
        assert!(screen.lines()[0].starts_with(" genre     jazz              50 %"), "{:?}", screen.lines());
        // A terminal that says it has no size is taken for the usual one.
        for none in [None, Some((0, 0))] {
            SIZE.set(none);
            at += SECOND / 4;
            terminal.show(&Scene { at, ..genre("jazz", 0.5, -20.0) }).unwrap();
            assert_eq!(terminal.screen.size, (80, 24));
        }
    }
}

#[test]
fn a_fault_is_shown_with_its_mend() {
    for fault in Fault::ALL {
        let scene = Scene { state: State::Fault { fault }, ..Scene::default() };
        let lines = fresh(&scene, FULL, (80, 24), usual).lines();
        assert_eq!(lines[9], format!(" fault     {fault}"));
        assert_eq!(lines[10..12].concat().trim(), fault.mend(), "{lines:#?}");
    }
}

#[test]
fn the_terminal_is_restored() {
    let wire = Wire::default();
    let mut screen = Screen::new(80, 24);
    let mut terminal = Terminal::new(wire.clone(), FULL, usual).unwrap();
    screen.feed(&wire.take());
    assert!(screen.alternate && screen.cursor_hidden);
    terminal.show(&genre("jazz", 0.5, -20.0)).unwrap();
    drop(terminal);
    screen.feed(&wire.take());
    assert!(!screen.alternate && !screen.cursor_hidden && screen.attributes.is_empty());
}

#[test]
fn a_terminal_that_went_away_is_closed() {
    assert_eq!(Terminal::new(ClosedPipe, FULL, usual).err(), Some(DisplayError::Closed));
}

#[test]
fn the_environment_decides_on_colours_and_characters() {
    let style = |variables: &[(&str, &str)]| {
        Style::from_environment(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let xterm = ("TERM", "xterm-256color");
    assert_eq!(style(&[]), Style { colors: Colors::None, unicode: false });
    assert_eq!(style(&[xterm]).colors, Colors::Indexed);
    assert_eq!(style(&[("TERM", "linux")]).colors, Colors::Indexed);
    assert_eq!(style(&[xterm, ("COLORTERM", "truecolor")]).colors, Colors::True);
    assert_eq!(style(&[xterm, ("COLORTERM", "truecolor"), ("NO_COLOR", "1")]).colors, Colors::None);
    assert_eq!(style(&[xterm, ("NO_COLOR", "")]).colors, Colors::Indexed);
    assert_eq!(style(&[("TERM", "dumb"), ("COLORTERM", "truecolor")]).colors, Colors::None);
    assert!(style(&[("LANG", "en_GB.UTF-8")]).unicode);
    assert!(style(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]).unicode);
    assert!(!style(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).unicode);
    assert!(!style(&[("LC_ALL", ""), ("LANG", "POSIX")]).unicode);
}

#[test]
fn the_nearest_of_256_colours() {
    // xterm's table: 196 is (255, 0, 0), 46 (0, 255, 0), 231 white, 234 (28, 28, 28), 145 (175, 175, 175), 214 (255, 175, 0).
    for (color, index) in [
        ((255, 0, 0), 196),
        ((0, 255, 0), 46),
        ((255, 255, 255), 231),
        ((28, 28, 28), 234),
        ((8, 8, 8), 232),
        ((243, 243, 243), 255),
        ((250, 170, 10), 214),
        ((96, 136, 174), 67),
    ] {
        let (r, g, b) = color;
        assert_eq!(indexed(Rgb888::new(r, g, b)), index, "{color:?}");
    }
}
