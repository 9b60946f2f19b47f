//! What is remembered, and its bytes: postcard with integers of fixed size, filled up with zeros, so that a record's place
//! in a ring, a file or on a wire follows from its number. The only file of this module that names `postcard`.

use postcard::fixint::le;
use serde::{Deserialize, Serialize};

use crate::flow::{Fault, Nanos, PeriodTimes, SampleIndex, Stamp, State, Verdict};

/// Bytes of an encoded record.
pub const RECORD_BYTES: usize = 52;

/// A record's bytes.
pub type Encoded = [u8; RECORD_BYTES];

/// Stands for the label where a verdict has none.
pub const NO_LABEL: u8 = u8::MAX;

/// What is remembered. Moments are [`Nanos`]; a `…_after` is nanoseconds after another moment, 4.29 s where it is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Record {
    /// A period of sound.
    Period(PeriodRecord),
    /// A verdict.
    Verdict(VerdictTimes),
    /// Something was written to a display.
    Shown(Shown),
    /// Something broke.
    Fault(FaultTimes),
}

/// What a period went through. Where it completed no block, it waited for the one that did; `recognized_after` is then
/// `taken_after`: what a block costs is charged to the period that completed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodRecord {
    /// Index of its first sample at 22,050 Hz.
    #[serde(with = "le")]
    pub start: SampleIndex,
    /// Frames, at the source's rate.
    #[serde(with = "le")]
    pub frames: u32,
    /// The source's rate, hertz.
    #[serde(with = "le")]
    pub rate_hz: u32,
    /// Frames lost directly before it.
    #[serde(with = "le")]
    pub lost: u32,
    /// What the source's stamp was: 0 absent, 1 believable, 2 zero, 3 backwards, 4 of another clock.
    stamp: u8,
    #[serde(with = "le")]
    stamp_at: Nanos,
    /// When it was read.
    #[serde(with = "le")]
    pub read: Nanos,
    /// From `read` to its being resampled.
    #[serde(with = "le")]
    pub resampled_after: u32,
    /// From `read` to the signal thread's beginning with its block.
    #[serde(with = "le")]
    pub taken_after: u32,
    /// From `read` to the signal thread's being done with its block.
    #[serde(with = "le")]
    pub recognized_after: u32,
    /// Blocks that waited in the queue behind it.
    #[serde(with = "le")]
    pub waiting: u16,
}

impl PeriodRecord {
    /// The record of a period whose block was worked on from `taken` to `recognized`, with `waiting` blocks behind it.
    #[must_use]
    pub fn new(times: &PeriodTimes, taken: Nanos, recognized: Nanos, waiting: usize) -> Self {
        let (stamp, stamp_at) = match times.captured {
            Stamp::Absent => (0, 0),
            Stamp::At(at) => (1, at),
            Stamp::Zero => (2, 0),
            Stamp::Backwards(at) => (3, at),
            Stamp::Foreign(at) => (4, at),
        };
        Self {
            start: times.start,
            frames: times.frames,
            rate_hz: times.rate_hz,
            lost: times.lost,
            stamp,
            stamp_at,
            read: times.read,
            resampled_after: after(times.read, times.resampled),
            taken_after: after(times.read, taken),
            recognized_after: after(times.read, recognized),
            waiting: u16::try_from(waiting).unwrap_or(u16::MAX),
        }
    }

    /// What the source's stamp was.
    #[must_use]
    pub fn captured(&self) -> Stamp {
        match self.stamp {
            1 => Stamp::At(self.stamp_at),
            2 => Stamp::Zero,
            3 => Stamp::Backwards(self.stamp_at),
            4 => Stamp::Foreign(self.stamp_at),
            _ => Stamp::Absent,
        }
    }

    /// How long its sound is, nanoseconds.
    #[must_use]
    pub fn length(&self) -> Nanos {
        u64::from(self.frames) * 1_000_000_000 / u64::from(self.rate_hz.max(1))
    }

    /// What it cost to process: resampling, and recognizing its block.
    #[must_use]
    pub fn cost(&self) -> Nanos {
        u64::from(self.resampled_after) + u64::from(self.recognized_after.saturating_sub(self.taken_after))
    }
}

/// What a verdict went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictTimes {
    /// The verdict's sample index.
    #[serde(with = "le")]
    pub at: SampleIndex,
    /// What it said: 0 listening, 1 silence, 2 unsure, 3 genre, 4 fault.
    pub state: u8,
    /// Index of the label, or [`NO_LABEL`].
    pub label: u8,
    /// Confidence, 65,535 is 1.
    #[serde(with = "le")]
    pub confidence: u16,
    /// When the period was read that completed its block; 0 where no period is known.
    #[serde(with = "le")]
    pub read: Nanos,
    /// When the signal thread began with the block.
    #[serde(with = "le")]
    pub taken: Nanos,
    /// From `taken` to the verdict's last frame: the front-end. Inference begins here.
    #[serde(with = "le")]
    pub frame_after: u32,
    /// From `taken` to the classifier's having taken that frame.
    #[serde(with = "le")]
    pub pushed_after: u32,
    /// From `taken` to the scores: inference ends here. 0 where nothing was computed.
    #[serde(with = "le")]
    pub scored_after: u32,
    /// From `taken` to the verdict.
    #[serde(with = "le")]
    pub decided_after: u32,
    /// From `taken` to its having been handed to the display's thread.
    #[serde(with = "le")]
    pub told_after: u32,
}

impl VerdictTimes {
    /// The same with what the verdict said.
    #[must_use]
    pub fn with(self, verdict: Verdict) -> Self {
        let (state, label, confidence) = match verdict.state {
            State::Listening => (0, NO_LABEL, 0.0),
            State::Silence => (1, NO_LABEL, 0.0),
            State::Unsure { label, confidence } => (2, label, confidence),
            State::Genre { label, confidence } => (3, label, confidence),
            State::Fault { .. } => (4, NO_LABEL, 0.0),
        };
        // The cast saturates.
        Self { at: verdict.at, state, label, confidence: (confidence * 65_535.0) as u16, ..self }
    }
}

/// When something was written to a display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The scene's sample index.
    #[serde(with = "le")]
    pub at: SampleIndex,
    /// Whether the display took note of a verdict rather than showed a picture.
    pub is_note: bool,
    /// Whether the display said that it worked.
    pub ok: bool,
    /// When writing began.
    #[serde(with = "le")]
    pub begun: Nanos,
    /// From `begun` to its end.
    #[serde(with = "le")]
    pub ended_after: u32,
}

/// When something broke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTimes {
    /// The sample index.
    #[serde(with = "le")]
    pub at: SampleIndex,
    /// When it was told.
    #[serde(with = "le")]
    pub told: Nanos,
    /// Its place in [`Fault::ALL`].
    pub fault: u8,
}

impl FaultTimes {
    /// The record of a fault.
    #[must_use]
    pub fn new(at: SampleIndex, fault: Fault, told: Nanos) -> Self {
        let place = Fault::ALL.iter().position(|known| *known == fault);
        Self { at, told, fault: place.map_or(u8::MAX, |place| place as u8) }
    }

    /// What broke, where this program knows it.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        Fault::ALL.get(usize::from(self.fault)).copied()
    }
}

/// Nanoseconds from one moment to a later one, as far as 32 bits reach; 0 where it is not later.
pub(crate) fn after(from: Nanos, to: Nanos) -> u32 {
    u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX)
}

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRecord;

impl core::fmt::Display for BadRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("bytes that are no record")
    }
}

impl core::error::Error for BadRecord {}

impl Record {
    /// The record's bytes.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let mut bytes = [0; RECORD_BYTES];
        // Every record fits: its size is fixed, and a test holds the largest against the room.
        let _ = postcard::to_slice(self, &mut bytes);
        bytes
    }

    /// The record that these bytes are.
    ///
    /// # Errors
    /// They are none.
    pub fn decode(bytes: &Encoded) -> Result<Self, BadRecord> {
        postcard::from_bytes(bytes).map_err(|_| BadRecord)
    }
}

/// Any value's postcard.
#[cfg(feature = "std")]
pub(super) fn to_postcard(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 512];
    let length = postcard::to_slice(value, &mut bytes).map(|used| used.len());
    bytes.truncate(length.map_err(std::io::Error::other)?);
    Ok(bytes)
}

/// The value that these bytes are.
#[cfg(feature = "std")]
pub(super) fn from_postcard<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn largest() -> [Record; 4] {
        let times = PeriodTimes {
            start: u64::MAX,
            frames: u32::MAX,
            rate_hz: u32::MAX,
            lost: u32::MAX,
            captured: Stamp::Foreign(u64::MAX),
            read: 7,
            resampled: 8,
        };
        let period = PeriodRecord::new(&times, u64::MAX, u64::MAX, usize::MAX);
        let verdict = VerdictTimes {
            read: u64::MAX,
            taken: u64::MAX,
            frame_after: u32::MAX,
            pushed_after: u32::MAX,
            scored_after: u32::MAX,
            decided_after: u32::MAX,
            told_after: u32::MAX,
            ..VerdictTimes::default()
        };
        let verdict =
            verdict.with(Verdict { at: u64::MAX, state: State::Genre { label: 9, confidence: 1.0 } });
        let shown = Shown { at: u64::MAX, is_note: true, ok: true, begun: u64::MAX, ended_after: u32::MAX };
        let fault = FaultTimes::new(u64::MAX, Fault::Settings, u64::MAX);
        [Record::Period(period), Record::Verdict(verdict), Record::Shown(shown), Record::Fault(fault)]
    }

    #[test]
    fn every_kind_has_one_size_whatever_is_in_it_and_comes_back() {
        let small = [
            Record::Period(PeriodRecord::default()),
            Record::Verdict(VerdictTimes::default()),
            Record::Shown(Shown::default()),
            Record::Fault(FaultTimes::default()),
        ];
        let mut sizes = Vec::new();
        for (large, small) in largest().into_iter().zip(small) {
            let mut room = [0; 100];
            let size = postcard::to_slice(&large, &mut room).unwrap().len();
            assert_eq!(postcard::to_slice(&small, &mut room).unwrap().len(), size, "{large:?}");
            assert_eq!(Record::decode(&large.encode()), Ok(large));
            assert_eq!(Record::decode(&small.encode()), Ok(small));
            sizes.push(size);
        }
        assert_eq!(sizes, [52, 49, 23, 18]);
        assert!(sizes.iter().all(|size| *size <= RECORD_BYTES));
    }

    #[test]
    fn stamps_come_back_as_they_were() {
        for captured in [Stamp::Absent, Stamp::At(5), Stamp::Zero, Stamp::Backwards(6), Stamp::Foreign(7)] {
            let times = PeriodTimes { captured, ..PeriodTimes::default() };
            assert_eq!(PeriodRecord::new(&times, 0, 0, 0).captured(), captured);
        }
    }

    #[test]
    fn a_period_costs_what_it_kept_threads_busy_not_what_it_waited() {
        let times = PeriodTimes {
            frames: 960,
            rate_hz: 48_000,
            read: 1000,
            resampled: 1300,
            ..PeriodTimes::default()
        };
        let record = PeriodRecord::new(&times, 9_000, 9_500, 3);
        assert_eq!((record.length(), record.cost()), (20_000_000, 800));
    }

    proptest! {
        #[test]
        fn bytes_from_anywhere_break_nothing(bytes in prop::array::uniform32(any::<u8>())) {
            let mut encoded = [0; RECORD_BYTES];
            encoded[..32].copy_from_slice(&bytes);
            let _ = Record::decode(&encoded);
        }
    }
}
