//! `boot`: chooses the program that the service starts. Runs before its first start and whenever it has ended, so that a program
//! that crashes at once is given up after three starts of the service: nobody has to pull the plug three times.

use std::io;

use super::{FOLDER, LINK, Place, RUN, State, TRIES, check};
use crate::disk::Disk;

/// That the service was started since the system was.
const STARTED: &str = "/run/harmonynet-appliance/started";

/// Chooses a program and leads the link to it. What a person should know comes back, as sentences.
///
/// # Errors
/// The link could not be made. The one that is there since early in the boot leads to the root's own program.
pub(crate) fn run(disk: &dyn Disk) -> (Vec<String>, io::Result<()>) {
    // Where there is no such folder, nobody else is busy with it either.
    let lock = disk.lock(FOLDER);
    let is_restart = disk.length(STARTED).is_ok();
    let (place, told) = choose(disk, is_restart);
    drop(lock);
    let linked = lead(disk, place);
    (told, linked)
}

fn choose(disk: &dyn Disk, is_restart: bool) -> (Place, Vec<String>) {
    let (mut state, complaint) = State::load(disk);
    let mut told: Vec<String> = complaint.into_iter().collect();
    while let Some(program) = state.program(state.chosen).cloned() {
        // One that was heard listening is read as a whole only when something seems to be wrong: it takes seconds.
        let wrong = check(disk, state.chosen, &program, !state.confirmed || is_restart);
        if wrong.is_ok() && state.confirmed {
            break;
        }
        if wrong.is_ok() && state.tries < TRIES {
            state.tries += 1;
            match state.save(disk) {
                Ok(()) => break,
                // It would be tried for ever.
                Err(error) => {
                    told.push(format!(
                        "the new program is not started, as its tries cannot be counted ({error}); {} is",
                        state.fallback
                    ));
                    state = State { chosen: state.fallback, confirmed: true, fallback: Place::Root, ..state };
                    continue;
                }
            }
        }
        let why = wrong.err().unwrap_or_else(|| format!("it never came up listening in {TRIES} starts"));
        told.push(state.give_up(&why));
        if let Err(error) = state.save(disk) {
            told.push(format!("that could not be written down: {error}"));
        }
    }
    (state.chosen, told)
}

fn lead(disk: &dyn Disk, place: Place) -> io::Result<()> {
    disk.make_folder(RUN)?;
    let fresh = format!("{LINK}.new");
    disk.remove(&fresh)?;
    disk.link(place.path(), &fresh)?;
    disk.rename(&fresh, LINK)?;
    disk.write(STARTED, &mut io::empty(), 0o644).map(|_| ())
}
