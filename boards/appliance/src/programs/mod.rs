//! Which program runs: the root's own, or one of two that updates have brought.
//!
//! ```text
//! /data/programs/a/harmonynet ─┐
//! /data/programs/b/harmonynet ─┼──▶ /run/harmonynet-appliance/program, what the service starts
//! /usr/bin/harmonynet ─────────┘
//! /data/programs/state             which of them, and whether it was ever heard listening
//! ```
//! Of what the state names, nothing is ever written to: an update goes into the other folder, and the state changes by one rename.

pub(crate) mod boot;
pub(crate) mod confirm;
pub(crate) mod trial;
pub(crate) mod update;

use std::io;

use serde::{Deserialize, Serialize};

use crate::disk::{Disk, keep};
use crate::seal;

/// Where programs lie.
pub(crate) const FOLDER: &str = "/data/programs";
/// The state's file.
pub(crate) const STATE: &str = "/data/programs/state";
/// The link to the program that the service starts.
pub(crate) const LINK: &str = "/run/harmonynet-appliance/program";
/// Where what this program tells others lies.
pub(crate) const RUN: &str = "/run/harmonynet-appliance";
/// How often a new program may be started without having been heard listening.
pub(crate) const TRIES: u32 = 3;
const LARGEST_STATE: u64 = 16 * 1024;

/// Where a program lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// In the image's own root.
    #[default]
    Root,
    /// In the first folder.
    A,
    /// In the second folder.
    B,
}

impl Place {
    /// The program's path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Root => "/usr/bin/harmonynet",
            Self::A => "/data/programs/a/harmonynet",
            Self::B => "/data/programs/b/harmonynet",
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Root => "the image's own",
            Self::A => "a",
            Self::B => "b",
        })
    }
}

/// A program that an update has brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// The package's version.
    pub(crate) version: String,
    /// Its length.
    pub(crate) bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub(crate) sha256: String,
}

/// What is known of programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Which one runs.
    pub(crate) chosen: Place,
    /// Whether it was heard listening.
    pub(crate) confirmed: bool,
    /// How often it was started before that.
    pub(crate) tries: u32,
    /// Which one runs if that fails: one that was heard listening, or the root's own.
    pub(crate) fallback: Place,
    /// Why the last one that failed did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) a: Option<Program>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) b: Option<Program>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            chosen: Place::Root,
            confirmed: true,
            tries: 0,
            fallback: Place::Root,
            failed: None,
            a: None,
            b: None,
        }
    }
}

impl State {
    /// What is known of the program in a place; of the root's own, nothing.
    pub(crate) fn program(&self, place: Place) -> Option<&Program> {
        match place {
            Place::Root => None,
            Place::A => self.a.as_ref(),
            Place::B => self.b.as_ref(),
        }
    }

    pub(crate) fn set_program(&mut self, place: Place, program: Option<Program>) {
        match place {
            Place::Root => {}
            Place::A => self.a = program,
            Place::B => self.b = program,
        }
    }

    /// The program that was heard listening last, or the root's own.
    pub(crate) fn good(&self) -> Place {
        if self.confirmed { self.chosen } else { self.fallback }
    }

    /// Gives the chosen program up, for this reason.
    pub(crate) fn give_up(&mut self, why: &str) -> String {
        let version = self.program(self.chosen).map_or("", |program| &program.version);
        let told = format!(
            "the program in {}, {version}, is given up: {why}; back to {}",
            self.chosen, self.fallback
        );
        self.set_program(self.chosen, None);
        *self = Self {
            chosen: self.fallback,
            confirmed: true,
            tries: 0,
            fallback: Place::Root,
            failed: Some(told.clone()),
            ..self.clone()
        };
        told
    }

    /// Whether it makes sense: what is named is known.
    fn is_sound(&self) -> bool {
        let known = |place: Place| place == Place::Root || self.program(place).is_some();
        known(self.chosen)
            && known(self.fallback)
            && (self.chosen != self.fallback || self.chosen == Place::Root)
            && (self.confirmed || self.chosen != Place::Root)
    }

    /// Writes the state, whole whenever power is cut.
    pub(crate) fn save(&self, disk: &dyn Disk) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        keep(disk, STATE, seal::seal(&text).as_bytes(), 0o644)
    }

    /// Reads the state. Where there is none, or a damaged one, the root's own program runs; what is damaged is told.
    pub(crate) fn load(disk: &dyn Disk) -> (Self, Option<String>) {
        let damaged = |why: String| {
            (Self::default(), Some(format!("{STATE} {why}: the image's own program is used; update again")))
        };
        let bytes = match disk.read(STATE, LARGEST_STATE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => return damaged(format!("cannot be read ({error})")),
        };
        let state = seal::open(&bytes).and_then(|text| toml::from_str::<Self>(text).ok());
        state.filter(Self::is_sound).map_or_else(|| damaged("is damaged".into()), |state| (state, None))
    }
}

/// Whether a program is as the update left it; `thorough` reads all of it.
pub(crate) fn check(disk: &dyn Disk, place: Place, program: &Program, thorough: bool) -> Result<(), String> {
    let length = disk.length(place.path()).map_err(|error| format!("it cannot be read ({error})"))?;
    if length != program.bytes {
        return Err(format!("it has {length} bytes instead of {}", program.bytes));
    }
    if thorough {
        let sum = disk.open(place.path()).and_then(seal::checksum_of);
        if sum.map_err(|error| format!("it cannot be read ({error})"))? != program.sha256 {
            return Err("it is damaged".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
