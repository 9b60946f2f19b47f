//! LED displays as users of the program meet them: simulated ones, whose very bytes on the bus are seen as dots, and real ones
//! that are not there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::process::{Output, Stdio};

use harmonynet::flow::Fault;

fn run(arguments: &[&str]) -> Output {
    let mut command = clean::program();
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The pictures in a text: the line before each, and its lines of dots.
fn pictures(text: &str) -> Vec<(&str, Vec<&str>)> {
    let is_dots = |line: &str| !line.is_empty() && line.bytes().all(|byte| matches!(byte, b'#' | b'.'));
    let mut pictures: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match pictures.last_mut() {
            Some((_, dots)) if is_dots(line) => dots.push(line),
            _ => pictures.push((line, Vec::new())),
        }
    }
    pictures.retain(|(_, dots)| !dots.is_empty());
    pictures
}

/// How many verdicts the summary tells of.
fn verdicts(output: &Output) -> u32 {
    let summary = stderr(output).lines().find(|line| line.starts_with("heard ")).unwrap();
    let told = summary.split_once("s; ").unwrap().1;
    told.split_once(" verdicts").unwrap().0.parse().unwrap()
}

/// Every display, what its settings need besides, and its dots across and down.
const DISPLAYS: [(&str, &str, usize, usize); 9] = [
    ("max7219", "display.modules=4", 32, 8),
    ("max7219", "display.modules=8", 64, 8),
    ("ht16k33", "display.columns=straight", 8, 8),
    ("ht16k33-14", "display.address=0x77", 36, 9),
    ("ssd1306", "display.rows=64", 128, 64),
    ("ssd1306", "display.rows=32", 128, 32),
    ("apa102", "display.leds=30", 30, 1),
    ("ws2812", "display.leds=144", 144, 1),
    ("gpio", "display.pins=5,6,12,13,17,22,23,24,25,26", 10, 1),
];

#[test]
fn listening_shows_the_pixels_that_go_to_the_bus() {
    let listen = ["listen", "--demo", "--board", "sim", "--display", "max7219", "--seconds", "6"];
    let output = run(&listen);
    assert!(output.status.success(), "{}", stderr(&output));
    let pictures = pictures(stdout(&output));
    assert!(pictures.iter().all(|(_, dots)| dots.len() == 8 && dots.iter().all(|line| line.len() == 32)));
    let of = |state: &str| pictures.iter().filter(|(line, _)| line.contains(state)).count();
    assert!(of("  listening") >= 3, "{}", stdout(&output));
    assert!(of("  genre, ") + of("  unsure, ") >= 1, "{}", stdout(&output));
    assert!(pictures.iter().all(|(_, dots)| dots.concat().contains('#')));
    assert!(!stderr(&output).contains("too slow"), "{}", stderr(&output));
}

#[test]
fn a_display_test_shows_every_state_on_every_display_and_ends_by_itself() {
    for (kind, set, across, down) in DISPLAYS {
        let output = run(&["display-test", "--board", "sim", "--display", kind, "--set", set]);
        assert_eq!(output.status.code(), Some(0), "{kind}: {}", stderr(&output));
        let text = stdout(&output);
        assert!(text.contains(" on: simulated board (board sim)"), "{kind}: {text}");
        let pictures = pictures(text);
        assert!(
            pictures
                .iter()
                .all(|(_, dots)| dots.len() == down && dots.iter().all(|line| line.len() == across)),
            "{kind}"
        );
        assert!(text.lines().filter(|line| line.starts_with("genre ")).count() >= 10, "{kind}");
        assert!(Fault::ALL.iter().all(|fault| text.contains(&format!("fault: {fault}"))), "{kind}");
        // The last step is darkness, and the only one.
        let (last, lit) = pictures.split_last().unwrap();
        assert!(!last.1.concat().contains('#'), "{kind}");
        assert!(lit.len() >= 30 && lit.iter().all(|(_, dots)| dots.concat().contains('#')), "{kind}");
    }
}

#[test]
fn a_display_test_names_the_wiring() {
    let output = run(&["display-test", "--board", "sim", "--display", "max7219"]);
    for wire in [
        "5 V, pin 2",
        "3.5 V for high",
        "MOSI (GPIO10, pin 19)",
        "SCLK (GPIO11, pin 23)",
        "CS (GPIO8, pin 24)",
    ] {
        assert!(stdout(&output).contains(wire), "{wire}: {}", stdout(&output));
    }
    let none = run(&["display-test", "--board", "sim"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("Name it with --display"), "{}", stderr(&none));
    let lines = run(&["display-test", "--board", "sim", "--display", "gpio"]);
    assert_eq!(lines.status.code(), Some(1));
    assert!(stderr(&lines).contains("name one per genre"), "{}", stderr(&lines));
}

/// A board whose buses this machine surely does not have.
const NOWHERE: [&str; 4] = ["--board", "linux", "--set", "display.bus=spi1.0"];

#[test]
#[cfg(feature = "linux")]
fn a_real_display_that_is_not_there_is_told_and_disturbs_nothing() {
    if std::path::Path::new("/dev/spidev1.0").exists() {
        println!("skipped: this machine has a /dev/spidev1.0");
        return;
    }
    let test = run(&[&["display-test", "--display", "max7219"], &NOWHERE[..]].concat());
    assert_eq!(test.status.code(), Some(1));
    assert!(
        stderr(&test).contains("MAX7219 matrix: the display's bus or pin failed; switch its bus on"),
        "{}",
        stderr(&test)
    );

    let demo = ["listen", "--demo", "--pace", "fast"];
    let output = run(&[&demo[..], &["--display", "max7219"], &NOWHERE].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("it comes back by itself"), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("  genre  ") || stdout(&output).contains("  unsure  "),
        "{}",
        stdout(&output)
    );
    let without = run(&[&demo[..], &["--display", "none"]].concat());
    assert_eq!(verdicts(&output), verdicts(&without));
}
