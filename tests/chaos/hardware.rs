//! The near side of `hardware.c`: simulated hardware around a real program, broken and mended by switches.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use harmonynet::capture::demo::{Piece, render};

/// Of the simulated sound card and of the music.
const RATE_HZ: u32 = 48_000;
/// Numbers in the file of switches.
const SWITCHES: usize = 5;
/// What the simulated microphone is called.
pub(crate) const MICROPHONE: &str = "chaos";

/// How the sound card fares.
#[derive(Clone, Copy)]
pub(crate) enum Microphone {
    Healthy,
    Unplugged,
    Busy,
    Stalled,
    /// Happens once.
    Overrun,
    /// Happens once.
    Suspended,
    Broken,
    Noise,
    /// The driver says that there is sound while there is none.
    Spinning,
}

/// How the display's bus fares.
#[derive(Clone, Copy)]
pub(crate) enum Bus {
    Healthy,
    NoAnswer,
    Gone,
}

/// The switches, and the files that the program's surroundings are made of.
pub(crate) struct Hardware {
    switches: File,
    library: PathBuf,
    folder: PathBuf,
}

impl Hardware {
    /// Compiles the simulation into `folder`; the reason where that can't be done here.
    pub(crate) fn new(folder: &Path) -> Result<Self, String> {
        let library = folder.join("hardware.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chaos/hardware.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([library.as_path(), Path::new(source)])
            .arg("-ldl")
            .output();
        let output = compiled.map_err(|error| format!("no C compiler: {error}"))?;
        if !output.status.success() {
            return Err(format!("the simulated hardware: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let music = render(Piece::Disco, RATE_HZ).take(30 * RATE_HZ as usize);
        let music: Vec<u8> = music.flat_map(|sample| ((sample >> 16) as i16).to_le_bytes()).collect();
        std::fs::write(folder.join("music"), music).unwrap();
        let cards = format!("pcm.{MICROPHONE} {{ type null }}\n");
        std::fs::write(folder.join("asound.conf"), cards).unwrap();
        std::fs::write(folder.join("switches"), [0; 8 * SWITCHES]).unwrap();
        let switches = OpenOptions::new().read(true).write(true).open(folder.join("switches")).unwrap();
        Ok(Self { switches, library, folder: folder.into() })
    }

    /// Puts a program among this hardware.
    pub(crate) fn surround(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("CHAOS_SWITCHES", self.folder.join("switches"))
            .env("CHAOS_MUSIC", self.folder.join("music"))
            .env("ALSA_CONFIG_PATH", self.folder.join("asound.conf"));
    }

    fn set(&self, place: u64, value: i64) {
        self.switches.write_all_at(&value.to_ne_bytes(), 8 * place).unwrap();
    }

    pub(crate) fn microphone(&self, fares: Microphone) {
        self.set(0, fares as i64);
    }

    pub(crate) fn bus(&self, fares: Bus) {
        self.set(1, fares as i64);
    }

    /// How far the wall clock is off.
    pub(crate) fn wall_clock(&self, seconds: i64) {
        self.set(2, seconds);
    }

    /// How far off it is for a program among this hardware, in seconds.
    pub(crate) fn wall_clock_is_off(&self) -> i64 {
        let mut date = Command::new("date");
        self.surround(date.arg("+%s"));
        let said = String::from_utf8(date.output().unwrap().stdout).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        said.trim().parse::<i64>().unwrap() - now as i64
    }

    /// Transactions on the display's bus so far.
    pub(crate) fn transactions(&self) -> i64 {
        let mut value = [0; 8];
        self.switches.read_exact_at(&mut value, 8 * 3).unwrap();
        i64::from_ne_bytes(value)
    }

    /// Where noise begins.
    pub(crate) fn seed(&self, seed: u64) {
        self.set(4, seed as i64);
    }
}
