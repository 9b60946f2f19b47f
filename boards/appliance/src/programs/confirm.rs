//! `confirm`: a new program that is heard listening stays.
//!
//! The service's readiness is not enough: it is told of a known fault, too. Its watchdog is fed by sound alone, so two feedings
//! after it got ready show that sound advances through capture, recognition and output.

use std::process::Command;
use std::time::Duration;

use super::{FOLDER, LINK, State};
use crate::disk::Disk;

/// Feedings that count as listening; the manager notes one itself when the service gets ready.
const FEEDINGS: u32 = 2;
/// How often the manager is asked at first, and how often later on: a microphone may be plugged in tomorrow.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(20);
/// After so many times it is later on.
const SOON_LOOKS: u64 = 90;

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is nothing to confirm.
    Nothing,
    /// The program stays.
    Confirmed(String),
    /// It was not heard listening yet.
    Unheard,
    /// What runs is not what is to be confirmed, or that cannot be written down.
    Failed(String),
}

/// Waits until the running program is heard listening, and writes that down. `listens` does the waiting.
pub(crate) fn run(disk: &dyn Disk, listens: &mut dyn FnMut() -> bool) -> Outcome {
    let (before, complaint) = State::load(disk);
    if let Some(complaint) = complaint {
        return Outcome::Failed(complaint);
    }
    if before.confirmed {
        return Outcome::Nothing;
    }
    let is_running = disk.linked(LINK).is_ok_and(|path| path == before.chosen.path());
    // Without a counted start the one that runs is older than the one that was installed.
    if !is_running || before.tries == 0 {
        return Outcome::Failed("the new program does not run yet: restart the service".into());
    }
    if !listens() {
        return Outcome::Unheard;
    }
    let lock = disk.lock(FOLDER);
    let (mut state, _) = State::load(disk);
    let installed = |state: &State| state.program(state.chosen).cloned();
    // Meanwhile the service may have been started again; a new installation has no tries yet.
    let is_same = state.chosen == before.chosen && installed(&state) == installed(&before);
    if is_same && state.confirmed {
        return Outcome::Nothing;
    }
    if !is_same || state.tries < before.tries {
        return Outcome::Failed("meanwhile another program was installed or started".into());
    }
    state.confirmed = true;
    state.tries = 0;
    let saved = state.save(disk);
    drop(lock);
    match saved {
        Ok(()) => Outcome::Confirmed(installed(&state).map_or_else(String::new, |program| program.version)),
        Err(error) => Outcome::Failed(format!("that it listens could not be written down: {error}")),
    }
}

/// Counts feedings in what the manager says time after time: its watchdog's time stamp of a service that is up.
#[derive(Debug, Default)]
pub(crate) struct Feedings {
    last: Option<u64>,
    counted: u32,
}

impl Feedings {
    /// Takes what `systemctl show` printed; whether these were enough feedings.
    pub(crate) fn take(&mut self, printed: &str) -> bool {
        let value = |name: &str| printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let stamp = value("WatchdogTimestampMonotonic").and_then(|stamp| stamp.parse().ok());
        match stamp.filter(|stamp| *stamp > 0 && value("ActiveState") == Some("active")) {
            // It was started again: from the beginning.
            None => *self = Self::default(),
            Some(stamp) => {
                self.counted += u32::from(self.last.is_some_and(|last| stamp > last));
                self.last = Some(stamp);
            }
        }
        self.counted >= FEEDINGS
    }
}

/// Asks systemd until the service was heard listening, for as long as that takes: whoever stops the service ends this, too.
pub(crate) fn service_listens() -> bool {
    let mut feedings = Feedings::default();
    for look in 0_u64.. {
        let printed = Command::new("systemctl")
            .args(["show", "harmonynet.service", "--property=ActiveState,WatchdogTimestampMonotonic"])
            .output();
        if printed.is_ok_and(|printed| feedings.take(&String::from_utf8_lossy(&printed.stdout))) {
            return true;
        }
        std::thread::sleep(if look < SOON_LOOKS { SOON } else { LATER });
    }
    false
}
