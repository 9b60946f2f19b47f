//! What a fault of a display or of its settings does: what is seen, what is told, how soon all is well again, and that no
//! verdict is lost. Faults are injected into simulated chips, time is the scenes' own.
//!
//! The table goes into boards/README.md: `BLESS=1 cargo test --test display_faults` writes it, without BLESS it is compared.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::process::Stdio;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};

use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{Channel, ManualClock, Pace, Paced, Supervisor};
use harmonynet::classify::{Classifier, ClassifyError};
use harmonynet::decide::{Decider, Policy};
use harmonynet::display::leds::ht16k33;
use harmonynet::display::leds::max7219::Layout;
use harmonynet::display::leds::ssd1306::{self, Panel};
use harmonynet::display::leds::strip::{Chips, StripConfig};
use harmonynet::display::leds::{Change, Device as _, Dimming, Setup, Simulated, Supervised};
use harmonynet::display::picture::{Lamps as _, Still, lit};
use harmonynet::display::{Display, DisplayError, test_card};
use harmonynet::flow::{Labels, LogMel, Scene, Scores};
use harmonynet::frontend::Frontend;
use harmonynet::pipeline::Recognizer;
use harmonynet::pipeline::listen::{News, listen};
use harmonynet::pipeline::refresher::Refresher;
use harmonynet::spec::{FrontendSpec, SAMPLE_RATE_HZ, WindowLength};

const SECOND: u64 = SAMPLE_RATE_HZ as u64;
const PICTURES_A_SECOND: u64 = 10;

const MATRIX: Setup = Setup::Max7219(Layout { modules: 4, ..LAYOUT });
const LAYOUT: Layout = Layout {
    modules: 1,
    lead: harmonynet::display::leds::max7219::Lead::Right,
    rotation: harmonynet::display::leds::Rotation::Upright,
    mirror: false,
};
const STRIP: Setup = Setup::Strip(StripConfig { chips: Chips::Ws2812, leds: 30, reversed: false });
const CHARACTERS: Setup = Setup::Characters { address: ht16k33::ADDRESS };
const PANEL: Setup = Setup::Ssd1306 { address: ssd1306::ADDRESS, panel: Panel::Rows32, upside_down: false };

/// What is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    /// The chip is away.
    Unplugged,
    /// Every transaction fails.
    Broken,
    /// The bus can't be opened.
    Closed(DisplayError),
}

/// What came of a fault.
#[derive(Default)]
struct Outcome {
    seen: &'static str,
    told: String,
    /// Tenths of a second from the mend until the right picture is there.
    tenths: u64,
}

/// The scene at a tenth of a second: jazz with a level that moves.
fn scene(tenth: u64) -> Scene {
    let [.., (_, genre), _] = test_card::scenes();
    let level = harmonynet::flow::Level::from_dbfs(-10.0 - (tenth % 30) as f32);
    Scene { at: tenth * SECOND / PICTURES_A_SECOND, level, ..genre }
}

/// Health (or none, where the bus can't be opened), a fault for these tenths of a second, and ten seconds of health.
fn suffer(setup: Setup, wrong: Wrong, ill: Range<u64>) -> Outcome {
    let is_open = Rc::new(Cell::new(!matches!(wrong, Wrong::Closed(_))));
    let asked = Rc::clone(&is_open);
    // There is one chip only: opened once, it can't be opened again.
    let mut chip = Simulated::new(setup).ok();
    let open = move || match wrong {
        Wrong::Closed(error) if !asked.get() => Err(error),
        _ => chip.take().ok_or(DisplayError::Bus),
    };
    let mut display = Supervised::new(open, Dimming::default(), || None);
    let mut healthy = Simulated::new(setup).unwrap();
    healthy.start(Dimming::default().day).unwrap();
    let mut outcome = Outcome { told: "nothing".into(), ..Outcome::default() };
    let (mut was_right, mut was_dark, mut was_old) = (true, true, true);
    let mut before = None;
    for tenth in 0..ill.end + 100 {
        let is_ill = ill.contains(&tenth);
        if let Some(device) = display.device_mut() {
            match wrong {
                Wrong::Unplugged if tenth == ill.start || tenth == ill.end => device.plug(!is_ill),
                Wrong::Broken => device.break_bus(is_ill),
                _ => {}
            }
        }
        is_open.set(!matches!(wrong, Wrong::Closed(_)) || tenth >= ill.end);
        let scene = scene(tenth);
        healthy.show(&scene).unwrap();
        assert_eq!(display.show(&scene), Ok(()), "a display never fails");
        if let Some(Change::Lost(error)) = display.take_change() {
            let told = error.to_string();
            outcome.told = told.split_once(" (").map_or(told.as_str(), |(told, _)| told).to_string();
        }
        let seen = display.device().map(Still::of);
        let is_right = seen.as_ref().is_some_and(|seen| *seen == Still::of(&healthy));
        let is_dark = seen.as_ref().is_none_or(|seen| !shines(seen));
        if is_ill {
            was_right &= is_right;
            was_dark &= is_dark;
            was_old &= seen.is_some() && seen == before;
        } else if tenth < ill.start {
            before = seen;
        } else if !is_right {
            outcome.tenths = tenth + 1 - ill.end;
        }
    }
    outcome.seen = match (was_right, was_dark, was_old) {
        (true, ..) => "the right picture",
        (_, true, _) => "dark",
        (.., true) => "the last picture",
        _ => "this and that",
    };
    outcome
}

fn shines(still: &Still) -> bool {
    let size = still.size();
    (0..size.height as usize).any(|y| (0..size.width as usize).any(|x| lit(still.lamp(x, y))))
}

/// The worst that a fault of so many tenths of a second does to these displays, whenever it comes; a long one lasts up to four
/// seconds longer, the longest time between two attempts.
fn worst(setups: &[Setup], wrong: Wrong, lasts: u64) -> (String, String, u64) {
    let (mut seen, mut told, mut tenths) = (BTreeSet::new(), BTreeSet::new(), 0);
    for setup in setups {
        for begins in (100..180).step_by(4) {
            let longer = if lasts > 10 { (begins - 100) / 2 } else { 0 };
            let outcome = suffer(*setup, wrong, begins..begins + lasts + longer);
            seen.insert(outcome.seen);
            told.insert(outcome.told);
            tenths = tenths.max(outcome.tenths);
        }
    }
    let all = |texts: BTreeSet<&str>| texts.into_iter().collect::<Vec<_>>().join(", or ");
    (all(seen), all(told.iter().map(String::as_str).collect()), tenths)
}

/// An engine that always says the same.
struct Constant(usize, u64);

impl Classifier for Constant {
    fn window(&self) -> WindowLength {
        WindowLength::SHIPPED
    }
    fn push(&mut self, frame: &LogMel) {
        (self.0, self.1) = (self.0 + 1, frame.end);
    }
    fn reset(&mut self) {
        self.0 = 0;
    }
    fn scores(&mut self) -> Result<Scores, ClassifyError> {
        let is_ready = self.0 >= WindowLength::SHIPPED.frames();
        let probabilities = [0.1, 0.9].into_iter().collect();
        if is_ready { Ok(Scores { end: self.1, probabilities }) } else { Err(ClassifyError::NotReady) }
    }
}

/// Listens to half a minute of music with this display on its own thread; the verdicts that came, and those that were made.
fn verdicts(display: impl Display + Send + 'static) -> (u64, u64) {
    let labels: Labels = ["rain", "music"].into_iter().map(|label| label.try_into().unwrap()).collect();
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let recognizer = Recognizer::new(frontend, Constant(0, 0), Decider::new(Policy::DEFAULT, 2).unwrap());
    let mut player = Some(DemoPlayer::new(Piece::Disco, 48_000));
    let open = || {
        let player = player.take().ok_or(harmonynet::capture::CaptureError::Ended)?;
        Ok(Paced::new(player, Pace::Fast, ManualClock::default()))
    };
    let supervisor = Supervisor::new(open, Channel::Mix, ManualClock::default());
    let mut display = Refresher::start(display, PICTURES_A_SECOND as u32).unwrap();
    let mut told = 0;
    let summary = listen(supervisor, recognizer, &labels, &AtomicBool::new(false), |news| match news {
        News::Verdict(scene, Some(_)) => {
            told += 1;
            display.show(&scene).map_or(ControlFlow::Break(()), ControlFlow::Continue)
        }
        News::Ended(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!((summary.missed_news, summary.dropped), (0, 0));
    (told, summary.verdicts)
}

/// A display that hangs in its bus until its other end is dropped.
struct Hanging(Receiver<()>);

impl Display for Hanging {
    fn show(&mut self, _: &Scene) -> Result<(), DisplayError> {
        // Nobody ever sends: it returns when the sender is dropped.
        let _ = self.0.recv();
        Ok(())
    }
}

/// Verdicts that are lost with a display that fails throughout, against one that works.
fn lost_with(setup: Setup, wrong: Wrong) -> u64 {
    let open = move || match wrong {
        Wrong::Closed(error) => Err(error),
        _ => {
            let mut device = Simulated::new(setup).map_err(|_| DisplayError::Bus)?;
            device.plug(wrong == Wrong::Broken);
            device.break_bus(wrong == Wrong::Broken);
            Ok(device)
        }
    };
    let (told, made) = verdicts(Supervised::new(open, Dimming::default(), || None));
    assert_eq!(told, made);
    healthy_verdicts() - told
}

fn healthy_verdicts() -> u64 {
    // (31.3 s of music − the first window) / a verdict's period, as tests/live_listening.rs reckons it.
    static HEALTHY: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *HEALTHY.get_or_init(|| {
        let open = || Simulated::new(MATRIX).map_err(|_| DisplayError::Bus);
        verdicts(Supervised::new(open, Dimming::default(), || None)).0
    })
}

/// Runs the program with a settings file; what it printed, and how many verdicts it tells of.
fn program(folder: &std::path::Path, settings: &str) -> (String, u64) {
    let file = folder.join("harmonynet.toml");
    std::fs::write(&file, settings).unwrap();
    let mut command = clean::program();
    command
        .args(["listen", "--demo", "--pace", "fast", "--config"])
        .arg(file)
        .arg("--state")
        .arg(folder.join("state"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    let summary = stderr.lines().find(|line| line.starts_with("heard ")).unwrap();
    let told = summary.split_once("s; ").unwrap().1.split_once(" verdicts").unwrap().0;
    (stdout + &stderr, told.parse().unwrap())
}

#[test]
fn every_fault_is_seen_told_and_survived() {
    let spi = [MATRIX, STRIP];
    let i2c = [CHARACTERS, PANEL];
    let mut table = String::from(
        "| fault | the person sees | the log says | all is well after its mend | verdicts lost |\n\
         | --- | --- | --- | --- | ---: |\n",
    );
    let mut row = |fault: &str, (seen, told, tenths): (String, String, u64), lost: u64| {
        let soon = match tenths {
            0 => "at once".to_string(),
            tenths => format!("{}.{} s at most", tenths / 10, tenths % 10),
        };
        table += &format!("| {fault} | {seen} | {told} | {soon} | {lost} |\n");
    };
    // A quarter of a minute, and a tenth of a second.
    let (long, short) = (150, 1);
    for (fault, setups, wrong, lasts) in [
        ("I2C display unplugged, without supply or at another address", &i2c, Wrong::Unplugged, long),
        ("I2C display without supply for a moment", &i2c, Wrong::Unplugged, short),
        ("I2C bus in disorder: every transfer fails", &i2c, Wrong::Broken, long),
        ("SPI display without supply (SPI can't tell)", &spi, Wrong::Unplugged, long),
        ("SPI display without supply for a moment", &spi, Wrong::Unplugged, short),
        ("SPI bus in disorder: every transfer fails", &spi, Wrong::Broken, long),
        ("bus not switched on, or not there yet", &i2c, Wrong::Closed(DisplayError::Bus), long),
        ("bus not permitted to this user", &spi, Wrong::Closed(DisplayError::Denied), long),
    ] {
        row(fault, worst(setups, wrong, lasts), lost_with(setups[0], wrong));
    }

    let (release, hangs) = channel();
    let (told, made) = verdicts(Hanging(hangs));
    drop(release);
    assert_eq!(told, made);
    let lost = healthy_verdicts() - told;
    table += &format!(
        "| bus that hangs in a transfer | the last picture | nothing | with the next picture | {lost} |\n"
    );

    let folder = tempfile::tempdir().unwrap();
    let good = "board = \"sim\"\ndisplay.kind = \"max7219\"\n";
    let (_, healthy) = program(folder.path(), good);
    let (printed, told) = program(folder.path(), &good.replace("max7219", "max7912"));
    assert!(printed.contains("fault, the settings file is broken"), "{printed}");
    assert!(
        printed.contains("line 2: display.kind") && printed.contains("using the last good settings"),
        "{printed}"
    );
    table += &format!(
        "| settings file broken | `SETTINGS` for 5 s of every minute, else the genre, by the last good settings | \
         line, key and mend | at the next start | {} |\n",
        healthy - told
    );
    println!("{table}");
    assert_in_document(&table);
}

/// Compares the table with the one in the document, or blesses it.
fn assert_in_document(table: &str) {
    const BEGIN: &str = "<!-- printed by `cargo test --test display_faults -- --nocapture` -->\n";
    const END: &str = "<!-- end -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/boards/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (old, tail) = rest.split_once(END).unwrap();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        assert!(old == table, "{path} is out of date: BLESS=1 cargo test --test display_faults\n{table}");
    }
}
