//! `update`: installs a release beside the program that runs. Whenever power is cut, the program that was heard listening last is
//! whole and is started.
//!
//! 1. The package is judged, the program unpacked beside what is there, made to last, and tried.
//! 2. The state forgets what the folder held before, if it knew of it.
//! 3. The program takes its name in the folder.
//! 4. The state chooses it. One rename, before which everything else lasts.

use std::fmt;
use std::io::{self, Read};

use super::{FOLDER, Place, Program, RUN, State};
use crate::disk::{Disk, folder_of, make_lasting_folder};
use crate::package::{self, Refused};
use crate::seal::Summed;

/// Room that stays free besides, bytes.
const MARGIN: u64 = 1 << 20;

/// Why nothing was installed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The package.
    Package(Refused),
    /// There is not enough room.
    Room { needed: u64, free: u64 },
    /// The program does not run here.
    Trial(String),
    /// The disk.
    Disk(&'static str, io::Error),
    /// Another program was chosen meanwhile.
    Overtaken,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(refused) => write!(f, "{refused}"),
            Self::Room { needed, free } => {
                let mib = |bytes: u64| bytes.div_ceil(1 << 20);
                write!(f, "it needs {} MiB in /data, where {} MiB are free", mib(*needed), free >> 20)
            }
            Self::Trial(why) => write!(f, "its program does not run here: {why}"),
            Self::Disk(what, error) => write!(f, "{what}: {error}"),
            Self::Overtaken => f.write_str("meanwhile another program was chosen; try again"),
        }
    }
}

impl std::error::Error for Failed {}

/// Tries an unpacked program: its path and the version that its package has.
pub(crate) type Trial<'a> = &'a dyn Fn(&str, &str) -> Result<(), String>;

/// Installs a package. What is installed and where comes back.
pub(crate) fn run(
    disk: &dyn Disk,
    package: &mut dyn Read,
    trial: Trial<'_>,
) -> Result<(Place, String), Failed> {
    let at = |what: &'static str| move |error: io::Error| Failed::Disk(what, error);
    make_lasting_folder(disk, FOLDER).map_err(at(FOLDER))?;
    // One update at a time.
    disk.make_folder(RUN).map_err(at(RUN))?;
    let _alone = disk.lock(RUN).map_err(at(RUN))?;
    let (known, _) = State::load(disk);
    let place = target(&known);
    for place in [Place::A, Place::B] {
        // What a power cut has left of another update.
        disk.remove(&fresh(place)).map_err(at("an earlier update"))?;
    }
    let unpacked = unpack(disk, package, &fresh(place)).and_then(|(version, program)| {
        trial(&fresh(place), &version).map_err(Failed::Trial)?;
        Ok(program)
    });
    let installed = unpacked.and_then(|program| {
        let version = program.version.clone();
        install(disk, place, program).map(|()| (place, version))
    });
    if installed.is_err() {
        // Room for others; that this fails too changes nothing.
        let _ = disk.remove(&fresh(place));
    }
    installed
}

/// The folder of which nothing is needed: not that of the program that was heard listening, and better not that of the one that
/// runs.
fn target(state: &State) -> Place {
    let free = |place: &Place| *place != state.good() && *place != state.chosen;
    let other = |place: &Place| *place != state.good();
    let places = [Place::A, Place::B];
    places.into_iter().find(free).or_else(|| places.into_iter().find(other)).unwrap_or(Place::A)
}

fn fresh(place: Place) -> String {
    format!("{}.new", place.path())
}

/// Unpacks the program to `path`, lasting.
fn unpack(disk: &dyn Disk, package: &mut dyn Read, path: &str) -> Result<(String, Program), Failed> {
    let mut room = None;
    let mut take = |_: &package::Control, length: u64, bytes: &mut dyn Read| {
        let free = disk.free(FOLDER).map_err(Refused::Disk)?;
        if free < length + MARGIN {
            room = Some(Failed::Room { needed: length + MARGIN, free });
            return Err(Refused::TooLarge("the program"));
        }
        make_lasting_folder(disk, folder_of(path)).map_err(Refused::Disk)?;
        let mut summed = Summed::new(bytes.take(length));
        let written = disk.write(path, &mut summed, 0o755).map_err(Refused::Disk)?;
        if written != length {
            return Err(Refused::Torn("the program ends too early".into()));
        }
        disk.sync(path).map_err(Refused::Disk)?;
        Ok((length, summed.checksum()))
    };
    let read = package::read(package, &mut take);
    match (read, room) {
        (_, Some(failed)) => Err(failed),
        (Err(refused), None) => Err(Failed::Package(refused)),
        (Ok((control, (bytes, sha256))), None) => {
            let version = control.version;
            Ok((version.clone(), Program { version, bytes, sha256 }))
        }
    }
}

/// Puts an unpacked program in its place and chooses it.
fn install(disk: &dyn Disk, place: Place, program: Program) -> Result<(), Failed> {
    let at = |what: &'static str| move |error: io::Error| Failed::Disk(what, error);
    let _lock = disk.lock(FOLDER).map_err(at(FOLDER))?;
    let (mut state, _) = State::load(disk);
    if state.good() == place {
        return Err(Failed::Overtaken);
    }
    if !state.confirmed && state.chosen == place {
        state = State { chosen: state.fallback, confirmed: true, tries: 0, fallback: Place::Root, ..state };
    }
    if state.fallback == place {
        state.fallback = Place::Root;
    }
    state.set_program(place, None);
    state.save(disk).map_err(at("the state"))?;
    disk.rename(&fresh(place), place.path()).map_err(at("the program"))?;
    disk.sync_folder(folder_of(place.path())).map_err(at("the program"))?;
    let good = state.good();
    state.set_program(place, Some(program));
    state = State { chosen: place, confirmed: false, tries: 0, fallback: good, failed: None, ..state };
    state.save(disk).map_err(at("the state"))
}
