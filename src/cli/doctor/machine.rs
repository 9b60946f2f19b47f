//! The machine that is examined: its files below a root folder, and what only the running system can answer.
//!
//! Beside the serial port of `latency` the only file that names `rustix::fs`.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use harmonynet::capture::{CaptureError, Channel, Granted};
use rustix::fs::{Access, access, statvfs};

/// What checks ask.
pub(super) trait Machine {
    /// Its files.
    fn files(&self) -> &Files;
    /// Its sound cards' capture devices, as far as this user sees them.
    fn cards(&self) -> Vec<Card>;
    /// Opens a microphone by its name, listens for a moment, and closes it.
    fn listen(&self, name: &str, channel: Channel) -> Result<Sound, CaptureError>;
    /// Whether a thread may have this real-time priority.
    fn real_time(&self, priority: u8) -> bool;
    /// Bytes that this user may still write to the file system of a folder that exists.
    fn space(&self, folder: &Path) -> Option<u64>;
}

/// A capture device of a sound card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    /// Its name for ALSA.
    pub(super) pcm: String,
    /// Its name for people.
    pub(super) title: String,
    /// Formats, channels and rates.
    pub(super) offers: Result<String, CaptureError>,
    /// Whether any of the rates and formats can be used.
    pub(super) usable: bool,
}

/// What a microphone delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    /// How it was opened.
    pub(super) granted: Granted,
    /// Whether all that came were zeros.
    pub(super) zeros: bool,
}

/// Whether this user can read and write something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It isn't there.
    Missing,
    /// It may not be opened.
    Denied,
    /// It can be used.
    Usable,
}

/// Files below a root folder. Paths are absolute, as they are on the machine itself.
#[derive(Clone, Debug)]
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) fn below(root: &Path) -> Self {
        Self { root: root.into() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text without white space around it; `None` where it cannot be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let bytes = std::fs::read(self.at(path)).ok()?;
        // Texts of the device tree end in a zero.
        Some(
            String::from_utf8_lossy(&bytes)
                .trim_matches(|c: char| c.is_whitespace() || c == '\0')
                .to_string(),
        )
    }

    /// A file that holds a number.
    pub(super) fn number(&self, path: &str) -> Option<i64> {
        self.read(path)?.parse().ok()
    }

    /// The names in a folder, sorted; none where there is no such folder.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.at(path)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// Group and permission bits.
    pub(super) fn owner(&self, path: &str) -> Option<(u32, u32)> {
        self.at(path).metadata().ok().map(|meta| (meta.gid(), meta.mode()))
    }

    /// Whether this user can read and write a device. It isn't opened: a microphone that is opened is taken.
    pub(super) fn reach(&self, path: &str) -> Reach {
        let at = self.at(path);
        let Ok(meta) = at.metadata() else { return Reach::Missing };
        let usable = if self.root == Path::new("/") {
            access(&at, Access::READ_OK | Access::WRITE_OK).is_ok()
        } else {
            self.user().may_use(meta.uid(), meta.gid(), meta.mode())
        };
        if usable { Reach::Usable } else { Reach::Denied }
    }

    /// Who runs this program, by the kernel's record of it.
    pub(super) fn user(&self) -> User {
        let status = self.read("/proc/self/status").unwrap_or_default();
        let numbers = |field: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.map_or_else(Vec::new, |line| line.split_whitespace().flat_map(str::parse).collect())
        };
        // Real, effective, saved and of the file system: the effective one counts.
        let effective = |field| numbers(field).get(1).copied();
        let mut groups = numbers("Groups:");
        groups.extend(effective("Gid:"));
        User { id: effective("Uid:").unwrap_or(0), groups }
    }
}

/// A user and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// The number.
    pub(super) id: u32,
    /// The numbers of its groups.
    pub(super) groups: Vec<u32>,
}

impl User {
    /// The kernel's rule: the first class that the user belongs to decides.
    fn may_use(&self, owner: u32, group: u32, mode: u32) -> bool {
        let bits = if self.id == owner {
            mode >> 6
        } else if self.groups.contains(&group) {
            mode >> 3
        } else {
            mode
        };
        self.id == 0 || bits & 0o6 == 0o6
    }
}

/// This machine.
pub(super) struct This {
    pub(super) files: Files,
}

impl Machine for This {
    fn files(&self) -> &Files {
        &self.files
    }

    #[cfg(feature = "alsa")]
    fn cards(&self) -> Vec<Card> {
        let devices = harmonynet::capture::devices();
        let card = |device: &harmonynet::capture::Device| {
            let offers = device.offers.as_ref().map_err(|error| *error);
            Card {
                pcm: device.pcm(),
                title: format!("{}, {}", device.card_name, device.device_name),
                offers: offers.map(|offers| in_one_line(&offers.to_string())),
                usable: offers.map_or(true, |offers| !offers.usable_rates_hz.is_empty()),
            }
        };
        devices.iter().map(card).collect()
    }

    #[cfg(not(feature = "alsa"))]
    fn cards(&self) -> Vec<Card> {
        Vec::new()
    }

    #[cfg(feature = "alsa")]
    fn listen(&self, name: &str, channel: Channel) -> Result<Sound, CaptureError> {
        use harmonynet::capture::{AlsaMicrophone, AlsaOptions, Microphone as _};

        /// A fifth of a second is enough to see that sound comes.
        const PART: u32 = 5;
        let options = AlsaOptions { channel, ..AlsaOptions::default() };
        let mut microphone = AlsaMicrophone::open(name, &options)?;
        let granted = microphone.granted();
        let channels = usize::from(granted.channels);
        let mut period = vec![0; granted.period_samples().max(channels)];
        let (mut frames, mut zeros) = (0, true);
        while frames < (granted.rate_hz / PART) as usize {
            let reading = microphone.read(&mut period)?;
            if reading.frames == 0 {
                return Err(CaptureError::Stalled);
            }
            frames += reading.frames;
            zeros &= period[..reading.frames * channels].iter().all(|sample| *sample == 0);
        }
        Ok(Sound { granted, zeros })
    }

    #[cfg(not(feature = "alsa"))]
    fn listen(&self, _: &str, _: Channel) -> Result<Sound, CaptureError> {
        Err(CaptureError::Missing)
    }

    fn real_time(&self, priority: u8) -> bool {
        harmonynet::pipeline::real_time_is_granted(priority)
    }

    fn space(&self, folder: &Path) -> Option<u64> {
        let disk = statvfs(folder).ok()?;
        let writable = access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        writable.then(|| disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// Lines of a table as a sentence.
#[cfg(feature = "alsa")]
fn in_one_line(lines: &str) -> String {
    let lines = lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("; ")
}
