//! A trace, written down.
//!
//! ```text
//! "HNTRACE1"  length of the header, u16 little-endian   header, postcard   records of RECORD_BYTES each
//! ```
//! Bounded: at most [`KEPT_RECORDS`] records, 416 KiB.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::record::{from_postcard, to_postcard};
use super::{KEPT_RECORDS, RECORD_BYTES, Record};
use crate::flow::Nanos;

const MAGIC: &[u8; 8] = b"HNTRACE1";
/// Largest header that is read.
const MAX_HEADER: usize = 512;

/// Records as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When, by the clock of the records.
    pub at: Nanos,
    /// Records that were ever written down: more than are left, after a while.
    pub count: u64,
    /// Those that are left, the oldest first.
    pub records: Vec<[u8; RECORD_BYTES]>,
}

/// How the device fared since its start, as far as whoever writes the trace knows: what records of the last minutes don't tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fares {
    /// What the microphone granted, in words; empty while none was open.
    pub granted: heapless::String<96>,
    /// How the capture thread is scheduled, in words; empty where that isn't known.
    pub scheduler: heapless::String<48>,
    /// Samples at 22,050 Hz: heard, lost by the microphone, lost because recognizing was too slow.
    pub heard: u64,
    /// See `heard`.
    pub lost: u64,
    /// See `heard`.
    pub dropped: u64,
    /// Verdicts passed over because recognizing was too slow.
    pub passed_over: u64,
    /// Overruns of the microphone.
    pub overruns: u64,
    /// Times that the microphone failed while it was open.
    pub failures: u64,
}

impl Fares {
    /// What happened after `before`, which is of the same device; the same where that has been started anew since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        if self.heard < before.heard {
            return self.clone();
        }
        Self {
            heard: self.heard - before.heard,
            lost: self.lost.saturating_sub(before.lost),
            dropped: self.dropped.saturating_sub(before.dropped),
            passed_over: self.passed_over.saturating_sub(before.passed_over),
            overruns: self.overruns.saturating_sub(before.overruns),
            failures: self.failures.saturating_sub(before.failures),
            ..self.clone()
        }
    }
}

/// What stands before the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Program and version.
    pub program: heapless::String<48>,
    /// Why it was written: `asked` or `fault`.
    pub reason: heapless::String<16>,
    /// When, by the records' clock.
    pub at: Nanos,
    /// When, milliseconds since 1970.
    pub unix_millis: u64,
    /// Records that were ever written down.
    pub count: u64,
    /// Bytes of a record.
    pub record_bytes: u16,
    /// How the device fared.
    pub fares: Fares,
}

/// Why a file cannot be read as a trace.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read at all.
    Read(io::Error),
    /// It doesn't begin as a trace does.
    NoTrace,
    /// Its records have another size: it is of another version of this program.
    Version(u16),
    /// It breaks off, or what is in it makes no sense, from this record on.
    Broken(usize),
}

impl core::fmt::Display for FileError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::NoTrace => f.write_str("this is no trace of harmonynet"),
            Self::Version(bytes) => {
                write!(
                    f,
                    "a trace of another version: records of {bytes} bytes, not of {RECORD_BYTES}; use that version"
                )
            }
            Self::Broken(record) => write!(f, "the trace is broken from record {record} on"),
        }
    }
}

impl std::error::Error for FileError {}

/// Writes a snapshot of a device that fared so.
///
/// # Errors
/// The writer's own: the disk is full, or may not be written.
pub fn write(
    mut out: impl Write,
    snapshot: &Snapshot,
    fares: &Fares,
    reason: &str,
    unix_millis: u64,
) -> io::Result<()> {
    let cut = |text: &str| text.chars().take(16).collect();
    let header = Header {
        program: concat!("harmonynet ", env!("CARGO_PKG_VERSION")).chars().take(48).collect(),
        reason: cut(reason),
        at: snapshot.at,
        unix_millis,
        count: snapshot.count,
        record_bytes: RECORD_BYTES as u16,
        fares: fares.clone(),
    };
    let header = to_postcard(&header)?;
    out.write_all(MAGIC)?;
    out.write_all(&(header.len() as u16).to_le_bytes())?;
    out.write_all(&header)?;
    out.write_all(snapshot.records.as_flattened())?;
    out.flush()
}

/// Reads a trace; what follows the most records that a trace holds is not looked at.
///
/// # Errors
/// Why it is none.
pub fn read(input: impl Read) -> Result<(Header, Vec<Record>), FileError> {
    let most = MAGIC.len() + 2 + MAX_HEADER + KEPT_RECORDS * RECORD_BYTES;
    let mut bytes = Vec::new();
    input.take(most as u64).read_to_end(&mut bytes).map_err(FileError::Read)?;
    let rest = bytes.strip_prefix(MAGIC).ok_or(FileError::NoTrace)?;
    let (length, rest) = rest.split_first_chunk().ok_or(FileError::NoTrace)?;
    let length = usize::from(u16::from_le_bytes(*length));
    let (header, records) = rest.split_at_checked(length).ok_or(FileError::NoTrace)?;
    let header: Header = from_postcard(header).ok_or(FileError::NoTrace)?;
    if usize::from(header.record_bytes) != RECORD_BYTES {
        return Err(FileError::Version(header.record_bytes));
    }
    let (whole, torn) = records.as_chunks::<RECORD_BYTES>();
    let decoded =
        whole.iter().enumerate().map(|(k, bytes)| Record::decode(bytes).map_err(|_| FileError::Broken(k)));
    let decoded = decoded.collect::<Result<_, _>>()?;
    if torn.is_empty() { Ok((header, decoded)) } else { Err(FileError::Broken(whole.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Ring, Shown};

    fn written(records: u64) -> (Vec<Record>, Vec<u8>) {
        let mut ring = Ring::<100>::new();
        let records: Vec<_> =
            (0..records).map(|at| Record::Shown(Shown { at, ..Shown::default() })).collect();
        records.iter().for_each(|record| ring.push(record));
        let snapshot = Snapshot { at: 5, count: ring.count(), records: ring.iter().copied().collect() };
        let mut bytes = Vec::new();
        write(&mut bytes, &snapshot, &fares(), "asked", 1_700_000_000_000).unwrap();
        (records, bytes)
    }

    /// The longest that there are.
    fn fares() -> Fares {
        Fares {
            granted: "g".repeat(96).as_str().try_into().unwrap(),
            scheduler: "s".repeat(48).as_str().try_into().unwrap(),
            heard: u64::MAX,
            lost: u64::MAX,
            dropped: u64::MAX,
            passed_over: u64::MAX,
            overruns: u64::MAX,
            failures: u64::MAX,
        }
    }

    #[test]
    fn what_happened_meanwhile_is_the_difference_unless_it_was_started_anew() {
        let before = Fares { heard: 100, lost: 5, overruns: 1, ..Fares::default() };
        let after = Fares { heard: 300, lost: 7, overruns: 3, passed_over: 2, ..Fares::default() };
        let meanwhile = after.since(&before);
        assert_eq!(
            (meanwhile.heard, meanwhile.lost, meanwhile.overruns, meanwhile.passed_over),
            (200, 2, 2, 2)
        );
        assert_eq!(before.since(&after), before);
    }

    #[test]
    fn what_is_written_is_read() {
        let (records, bytes) = written(20);
        let (header, back) = read(&bytes[..]).unwrap();
        assert_eq!(back, records);
        assert_eq!((header.reason.as_str(), header.at, header.count), ("asked", 5, 20));
        assert_eq!(header.fares, fares());
        assert!(header.program.starts_with("harmonynet "));
    }

    #[test]
    fn what_is_cut_or_strange_is_refused_with_the_reason() {
        let (_, bytes) = written(3);
        for cut in 0..bytes.len() {
            match read(&bytes[..cut]) {
                Ok((_, records)) => {
                    assert!((bytes.len() - cut).is_multiple_of(RECORD_BYTES), "{}", records.len());
                }
                Err(FileError::NoTrace | FileError::Broken(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(matches!(read(&b"RIFF0000WAVE"[..]), Err(FileError::NoTrace)));
        let mut strange = bytes.clone();
        let last = strange.len() - RECORD_BYTES;
        strange[last] = 200;
        assert!(matches!(read(&strange[..]), Err(FileError::Broken(2))));
    }
}
