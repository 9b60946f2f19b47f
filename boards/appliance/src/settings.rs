//! `settings`: what the card says becomes what the system has, before anything listens.
//!
//! ```text
//! /boot/firmware/harmonynet.toml ──right──▶ kept in /data/settings/harmonynet.toml, with a checksum
//!                        │                        │
//!                        └─────────broken─────────┴──▶ the last good ones, or the defaults, and a notice
//! ```
//! Nothing here ends a boot: what fails is told and the rest is done.

use std::io;

use harmonynet::settings::{Problems, board};

use crate::card::{self, Good};
use crate::disk::{Disk, System, folder_of, keep, make_lasting_folder};
use crate::wishes::Wishes;
use crate::{seal, wireless};

/// The file on the card's FAT partition.
pub(crate) const CARD: &str = "/boot/firmware/harmonynet.toml";
/// The last good settings.
pub(crate) const COPY: &str = "/data/settings/harmonynet.toml";
/// What the daemon shows on the display, where other settings than the card's are used.
pub(crate) const NOTICE: &str = "/run/harmonynet-appliance/notice";
const PROGRAM: &str = "/etc/harmonynet/harmonynet.toml";
const HOSTNAME: &str = "/etc/hostname";
const KERNEL_HOSTNAME: &str = "/proc/sys/kernel/hostname";
const WIRELESS: &str = "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf";
const SSH_KEYS: &str = "/run/harmonynet-appliance/ssh_keys";
const LOCAL_TIME: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo";

/// Most lines of complaints, and most characters of each: a serial line is slow.
const MOST_LINES: usize = 8;
const LONGEST_LINE: usize = 240;

/// Which settings are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The card's.
    Card,
    /// The last good ones.
    Copy,
    /// None.
    Defaults,
}

/// What was found, before anything is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) source: Source,
    pub(crate) good: Good,
    /// What is wrong with the card's file and the copy, as sentences; bounded.
    pub(crate) complaints: Vec<String>,
}

/// Reads the card's settings, and if these are broken the last good ones.
pub(crate) fn find(disk: &dyn Disk, compatible: &[String]) -> Found {
    let card = disk
        .read(CARD, card::LIMIT)
        .map_err(|error| (error.kind() == io::ErrorKind::NotFound, vec![card::unreadable(&error)]))
        .and_then(|bytes| {
            let judged = card::decode(&bytes).map_err(|problem| Problems(vec![problem]));
            judged.and_then(|text| card::judge(&text, compatible)).map_err(|Problems(found)| (false, found))
        });
    let (is_missing, problems) = match card {
        Ok(good) => return Found { source: Source::Card, good, complaints: Vec::new() },
        Err(broken) => broken,
    };
    let mut complaints: Vec<String> =
        problems.iter().map(|problem| shortened(&problem.to_string())).collect();
    if complaints.len() > MOST_LINES {
        let more = complaints.len() - MOST_LINES;
        complaints.truncate(MOST_LINES);
        complaints.push(format!("and {more} more"));
    }
    match copy(disk, compatible) {
        Ok(good) => {
            complaints.push("the last good settings are used".into());
            Found { source: Source::Copy, good, complaints }
        }
        Err(why) => {
            // A card without settings never had any: that is no fault.
            let never_had = is_missing && why.is_none();
            complaints.extend(why);
            complaints.push("there are no last good settings; the defaults are used".into());
            complaints.retain(|_| !never_had);
            Found { source: Source::Defaults, good: Good::default(), complaints }
        }
    }
}

/// The last good settings; what is wrong with them, or nothing where there never were any.
fn copy(disk: &dyn Disk, compatible: &[String]) -> Result<Good, Option<String>> {
    let bytes = match disk.read(COPY, card::LIMIT + 128) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(None),
        Err(error) => return Err(Some(format!("the last good settings cannot be read: {error}"))),
    };
    let text = seal::open(&bytes).ok_or_else(|| Some("the last good settings are damaged".to_string()))?;
    // Another version of this program may have kept them.
    let judged = card::judge(text, compatible);
    judged.map_err(|problems| {
        Some(shortened(&format!("the last good settings are not right any more: {problems}")))
    })
}

fn shortened(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_LINE).collect();
    if text.chars().count() > LONGEST_LINE { line + "…" } else { line }
}

/// The names by which this system's device tree knows the board.
pub(crate) fn compatible(system: &System) -> Vec<String> {
    board::compatible_below(&system.path("/"))
}

/// Reads, keeps and obeys. What a person should know comes back, as sentences.
pub(crate) fn run(disk: &dyn Disk, compatible: &[String]) -> Vec<String> {
    let Found { source, good, complaints: mut told } = find(disk, compatible);
    let notice: String = told.iter().map(|line| format!("{line}\n")).collect();
    if source == Source::Card
        && let Err(error) = keep(disk, COPY, seal::seal(&good.text).as_bytes(), 0o600)
    {
        told.push(format!(
            "these settings could not be kept for the day when the card's are broken: {error}"
        ));
    }
    let mut put = |path: &str, text: Option<&str>, mode: u32| {
        if let Err(error) = put(disk, path, text, mode) {
            told.push(format!("{path} could not be written: {error}"));
        }
    };
    put(NOTICE, Some(&notice).filter(|text| !text.is_empty()).map(String::as_str), 0o644);
    put(PROGRAM, Some(&good.program), 0o644);
    let Wishes { hostname, wireless, ssh_keys, time_zone } = &good.wishes;
    let keys: String = ssh_keys.iter().map(|key| format!("{key}\n")).collect();
    put(SSH_KEYS, Some(&keys).filter(|keys| !keys.is_empty()).map(String::as_str), 0o600);
    put(WIRELESS, wireless.as_ref().map(wireless::configuration).as_deref(), 0o600);
    if let Some(name) = hostname {
        put(HOSTNAME, Some(&format!("{name}\n")), 0o644);
        disk.poke(KERNEL_HOSTNAME, name);
    }
    if let Some(zone) = time_zone {
        told.extend(set_zone(disk, zone).err());
    }
    told
}

/// Writes a file into the memory that lies over the root, or takes it away.
fn put(disk: &dyn Disk, path: &str, text: Option<&str>, mode: u32) -> io::Result<()> {
    let Some(text) = text else { return disk.remove(path) };
    make_lasting_folder(disk, folder_of(path))?;
    // Whoever reads meanwhile sees the old one or the new one.
    let fresh = format!("{path}.new");
    disk.write(&fresh, &mut text.as_bytes(), mode)?;
    disk.rename(&fresh, path)
}

fn set_zone(disk: &dyn Disk, zone: &str) -> Result<(), String> {
    let file = format!("{ZONES}/{zone}");
    disk.length(&file)
        .map_err(|_| format!("{}: appliance.time_zone: there is no zone {zone}; it stays UTC", card::NAME))?;
    let fresh = format!("{LOCAL_TIME}.new");
    disk.remove(&fresh)
        .and_then(|()| disk.link(&file, &fresh))
        .and_then(|()| disk.rename(&fresh, LOCAL_TIME))
        .map_err(|error| format!("{LOCAL_TIME} could not be written: {error}"))
}

#[cfg(test)]
mod tests;
