//! What stands around the listener: a display whose bus fails, and listeners on the event socket that misbehave.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use harmonynet::display::leds::{Brightness, Change, Device, Dimming, Supervised};
use harmonynet::display::{Display as _, DisplayError};
use harmonynet::flow::{Labels, Scene};
use harmonynet::spec::SAMPLE_RATE_HZ;
use harmonynet::tell::{Options, Teller, decode_json};

/// A display that shows nothing, on a bus that answers or doesn't.
struct Lamp {
    answers: Rc<Cell<bool>>,
    shown: Rc<Cell<u64>>,
}

impl Lamp {
    fn ask(&self) -> Result<(), DisplayError> {
        if self.answers.get() { Ok(()) } else { Err(DisplayError::NoAnswer) }
    }
}

impl Device for Lamp {
    fn start(&mut self, _: Brightness) -> Result<(), DisplayError> {
        self.ask()
    }

    fn dim(&mut self, _: Brightness) -> Result<(), DisplayError> {
        self.ask()
    }

    fn show(&mut self, _: &Scene) -> Result<(), DisplayError> {
        self.ask()?;
        self.shown.set(self.shown.get() + 1);
        Ok(())
    }
}

type Opener = Box<dyn FnMut() -> Result<Lamp, DisplayError>>;

/// The house.
pub(super) struct House {
    display: Supervised<Opener, Lamp, fn() -> Option<u16>>,
    answers: Rc<Cell<bool>>,
    shown: Rc<Cell<u64>>,
    /// Sample index at which the bus works again, and at which it did last.
    mends_at: Option<u64>,
    mended_at: u64,
    /// Seconds from the bus' mend to the next picture.
    pub(super) display_back: Vec<f64>,
    pub(super) teller: Teller,
    socket: PathBuf,
    /// Listeners that take nothing: kept, so that their connections stay.
    deaf: Vec<UnixStream>,
    _folder: tempfile::TempDir,
}

impl House {
    pub(super) fn new(labels: &Labels) -> Self {
        let (answers, shown) = (Rc::new(Cell::new(true)), Rc::new(Cell::new(0)));
        let (answer, count) = (Rc::clone(&answers), Rc::clone(&shown));
        let open: Opener =
            Box::new(move || Ok(Lamp { answers: Rc::clone(&answer), shown: Rc::clone(&count) }));
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("events.sock");
        let options = Options { socket: Some(socket.clone()), ..Options::default() };
        let (teller, errors) = Teller::open(&options, labels);
        assert_eq!(errors, []);
        let no_time: fn() -> Option<u16> = || None;
        Self {
            display: Supervised::new(open, Dimming::default(), no_time),
            answers,
            shown,
            mends_at: None,
            mended_at: 0,
            display_back: Vec::new(),
            teller,
            socket,
            deaf: Vec::new(),
            _folder: folder,
        }
    }

    /// Shows a scene.
    pub(super) fn show(&mut self, scene: &Scene) {
        if self.mends_at.is_some_and(|at| scene.at >= at) {
            self.mends_at = None;
            self.mended_at = scene.at;
            self.answers.set(true);
        }
        self.display.show(scene).unwrap();
        if self.display.take_change() == Some(Change::Back) {
            let waited = scene.at - self.mended_at;
            self.display_back.push(waited as f64 / f64::from(SAMPLE_RATE_HZ));
        }
    }

    /// Pictures that were shown.
    pub(super) fn pictures(&self) -> u64 {
        self.shown.get()
    }

    /// The display's bus fails for this long.
    pub(super) fn break_bus(&mut self, at: u64, seconds: u64) {
        self.answers.set(false);
        self.mends_at = Some(at + seconds * u64::from(SAMPLE_RATE_HZ));
    }

    /// A listener comes and misbehaves; then one that behaves is told who speaks all the same.
    pub(super) fn misbehave(&mut self, how: u8) {
        let mut bad = UnixStream::connect(&self.socket).unwrap();
        match how {
            0 => drop(bad.write_all(b"json 1\n")),
            1 => drop(bad.write_all(&[0xFF; 100])),
            _ => {
                bad.write_all(b"postcard\n").unwrap();
                // The oldest hangs up at last: not more than may listen.
                if self.deaf.len() == 4 {
                    self.deaf.remove(0);
                }
                self.deaf.push(bad);
            }
        }
        let hello = hello(&self.socket);
        assert!(hello.contains("\"hello\""), "{hello}");
        assert!(decode_json(hello.trim_end().as_bytes()).is_ok(), "{hello}");
    }
}

/// The first line that a listener is told.
fn hello(socket: &Path) -> String {
    let mut good = UnixStream::connect(socket).unwrap();
    good.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    good.write_all(b"json 1\n").unwrap();
    let mut line = String::new();
    BufReader::new(good).read_line(&mut line).unwrap();
    line
}
