//! `status`: what a person wants to know, in a few lines.

use crate::disk::Disk;
use crate::programs::{LINK, Place, State, TRIES, check};
use crate::settings::{self, Source};

/// Describes programs and settings.
pub(crate) fn describe(disk: &dyn Disk, compatible: &[String]) -> String {
    let (state, complaint) = State::load(disk);
    let mut lines = Vec::new();
    let version = |place: Place| match state.program(place) {
        Some(program) => format!("{place}, {}", program.version),
        None => place.to_string(),
    };
    let test = match (state.confirmed, state.tries) {
        (true, _) => String::new(),
        (false, 0) => " (new: restart the service to try it)".into(),
        (false, tries) => format!(" (not heard listening yet, start {tries} of {TRIES})"),
    };
    lines.push(format!("program   {}{test}", version(state.chosen)));
    let running = disk.linked(LINK).unwrap_or_else(|_| "nothing yet".into());
    lines.push(format!("started   {running}"));
    for place in [Place::A, Place::B] {
        if let Some(program) = state.program(place) {
            let whole = check(disk, place, program, true).err().unwrap_or_else(|| "whole".into());
            lines.push(format!("in {place}      {}, {} bytes: {whole}", program.version, program.bytes));
        }
    }
    if state.chosen != Place::Root {
        lines.push(format!("else      {}", version(state.fallback)));
    }
    lines.extend(state.failed.iter().map(|failed| format!("failed    {failed}")));
    lines.extend(complaint.map(|complaint| format!("damaged   {complaint}")));
    let found = settings::find(disk, compatible);
    lines.push(format!(
        "settings  {}",
        match found.source {
            Source::Card => "the card's",
            Source::Copy => "the last good ones",
            Source::Defaults => "the defaults",
        }
    ));
    lines.extend(found.complaints.iter().map(|complaint| format!("          {complaint}")));
    lines.iter().map(|line| format!("{line}\n")).collect()
}
