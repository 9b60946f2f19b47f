//! A release as it is given out: the Debian package. What is taken from it is its name, version and architecture, and the
//! program, which carries model and boards within.
//!
//! Packages come from anywhere: nothing in one decides where something is written, every size has a limit before room is taken
//! for it, and what doesn't look like our package is refused. Not for installing packages in general.
//!
//! The only file that names `tar` and `lzma_rust2`.

mod ar;
mod architecture;

use std::fmt;
use std::io::{self, Read};

use lzma_rust2::XzReader;

pub(crate) use architecture::ARCHITECTURE;

/// The program's path in the package.
const PROGRAM: &str = "usr/bin/harmonynet";
/// The package's name.
const NAME: &str = "harmonynet";
/// Most bytes of the program: four times what it has today with both engines.
pub(crate) const LARGEST_PROGRAM: u64 = 128 << 20;
/// Most bytes of everything in a package, unpacked.
const LARGEST_CONTENTS: u64 = 256 << 20;
/// Most bytes of the text `control`.
const LARGEST_CONTROL: u64 = 64 << 10;
/// Memory for decompressing, KiB: what `xz -9` wants, and a little more.
const DECOMPRESSOR_KIB: u32 = 66 << 10;

/// Why a package was not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Reading it, or writing what is in it, failed.
    Disk(io::Error),
    /// It is no Debian package, or torn.
    Torn(String),
    /// It is another package.
    Other(String),
    /// It is for another processor.
    Architecture { wanted: &'static str, found: String },
    /// Something in it is too large.
    TooLarge(&'static str),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "{error}"),
            Self::Torn(why) => write!(f, "it is no whole Debian package ({why}); download it again"),
            Self::Other(why) => write!(f, "it is no package of harmonynet: {why}"),
            Self::Architecture { wanted, found } => {
                write!(f, "it is for {found}; this system needs the package for {wanted}")
            }
            Self::TooLarge(what) => write!(f, "{what} is larger than any release's; it is not taken"),
        }
    }
}

impl std::error::Error for Refused {}

fn torn(error: impl fmt::Display) -> Refused {
    Refused::Torn(error.to_string())
}

/// What a package says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    /// Its version, such as `0.2.0-1`.
    pub(crate) version: String,
}

/// Takes the program: what its package says of itself, its length and its bytes.
pub(crate) type Take<'a, T> = &'a mut dyn FnMut(&Control, u64, &mut dyn Read) -> Result<T, Refused>;

/// Reads a package from its first byte to its last. The program goes through `take`, which gets its length and its bytes and may
/// stop reading early; the rest is read all the same, for every check of the compression to be made.
///
/// # Errors
/// Why it is refused. `take` may have been called by then: what it got counts only once this function has given `Ok`.
pub(crate) fn read<T>(package: &mut dyn Read, take: Take<'_, T>) -> Result<(Control, T), Refused> {
    let mut members = ar::Members::new(package).map_err(torn)?;
    let mut format = Vec::new();
    member(&mut members, "debian-binary")?.take(16).read_to_end(&mut format).map_err(torn)?;
    if !format.starts_with(b"2.") {
        return Err(torn("its format is unknown"));
    }
    let control = control(member(&mut members, "control.tar.xz")?)?;
    let mut program = None;
    contents(member(&mut members, "data.tar.xz")?, &mut |path, length, bytes| {
        if path != PROGRAM {
            return Ok(());
        }
        if program.is_some() {
            return Err(torn("it holds two programs"));
        }
        if length > LARGEST_PROGRAM {
            return Err(Refused::TooLarge("the program"));
        }
        program = Some(take(&control, length, bytes)?);
        Ok(())
    })?;
    let program = program.ok_or_else(|| Refused::Other(format!("there is no {PROGRAM} in it")))?;
    Ok((control, program))
}

/// The next member, which must have this name.
fn member<'a, R: Read>(
    members: &'a mut ar::Members<R>,
    wanted: &str,
) -> Result<&'a mut io::Take<R>, Refused> {
    match members.next().map_err(torn)? {
        Some(member) if member.name == wanted => Ok(member.bytes),
        Some(member) => Err(torn(format!("{} instead of {wanted}", member.name))),
        None => Err(torn(format!("{wanted} is missing"))),
    }
}

/// Takes a file: its path, its length and its bytes.
type Tell<'a> = &'a mut dyn FnMut(&str, u64, &mut dyn Read) -> Result<(), Refused>;

/// Tells every plain file of a compressed archive: its path without `./`, its length and its bytes.
fn contents(compressed: impl Read, tell: Tell<'_>) -> Result<(), Refused> {
    let reader = XzReader::new_mem_limit(compressed, false, DECOMPRESSOR_KIB);
    let mut archive = tar::Archive::new(reader.take(LARGEST_CONTENTS));
    // Raw: names that are longer than a header's field would be gathered in memory. Ours are short.
    for entry in archive.entries().map_err(torn)?.raw(true) {
        let mut entry = entry.map_err(torn)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let length = entry.header().entry_size().map_err(torn)?;
        if entry.header().entry_type().is_file() {
            tell(path.trim_start_matches("./"), length, &mut entry)?;
        }
    }
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(torn)?;
    if rest.limit() == 0 { Err(Refused::TooLarge("what is in it")) } else { Ok(()) }
}

fn control(compressed: impl Read) -> Result<Control, Refused> {
    let mut text = None;
    contents(compressed, &mut |path, _, bytes| {
        if path == "control" {
            let mut found = String::new();
            bytes.take(LARGEST_CONTROL).read_to_string(&mut found).map_err(torn)?;
            text = Some(found);
        }
        Ok(())
    })?;
    let text = text.ok_or_else(|| torn("it does not say what it is"))?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::trim).ok_or_else(|| torn(format!("it has no {name}")))
    };
    let (name, architecture, version) = (field("Package")?, field("Architecture")?, field("Version")?);
    if name != NAME {
        return Err(Refused::Other(format!("its name is {}", plain(name))));
    }
    if architecture != ARCHITECTURE {
        return Err(Refused::Architecture { wanted: ARCHITECTURE, found: plain(architecture) });
    }
    if version.is_empty() || version.len() > 64 || plain(version) != version {
        return Err(Refused::Other("its version is none".into()));
    }
    Ok(Control { version: version.into() })
}

/// What can be told on a console: letters, digits and signs of versions, 64 at most.
fn plain(text: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || ".+-~:".contains(*c);
    text.chars().filter(allowed).take(64).collect()
}

#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod tests;
