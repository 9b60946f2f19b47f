//! The newest records, in memory that is there from the beginning.

use heapless::HistoryBuf;

use super::{Encoded, RECORD_BYTES, Record};

/// Records that are kept: 50 periods, two verdicts and a dozen pictures a second are 64, so these are two minutes. 416 KiB.
pub const KEPT_RECORDS: usize = 8192;

/// Keeps the newest `N` records; an older one makes room.
#[derive(Clone, Debug, Default)]
pub struct Ring<const N: usize = KEPT_RECORDS> {
    records: HistoryBuf<Encoded, N>,
    /// Records that were ever put in.
    count: u64,
}

impl<const N: usize> Ring<N> {
    /// An empty ring.
    #[must_use]
    pub const fn new() -> Self {
        Self { records: HistoryBuf::new(), count: 0 }
    }

    /// Remembers a record.
    pub fn push(&mut self, record: &Record) {
        self.records.write(record.encode());
        self.count += 1;
    }

    /// Records that were ever put in.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The records that are left, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8; RECORD_BYTES]> {
        self.records.oldest_ordered()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Shown;

    fn shown(at: u64) -> Record {
        Record::Shown(Shown { at, ..Shown::default() })
    }

    #[test]
    fn the_newest_are_kept_in_order() {
        let mut ring = Ring::<4>::new();
        let kept = |ring: &Ring<4>| -> Vec<Record> {
            ring.iter().map(|bytes| Record::decode(bytes).unwrap()).collect()
        };
        assert!(kept(&ring).is_empty());
        (0..3).for_each(|at| ring.push(&shown(at)));
        assert_eq!(kept(&ring), [0, 1, 2].map(shown));
        (3..10).for_each(|at| ring.push(&shown(at)));
        assert_eq!(kept(&ring), [6, 7, 8, 9].map(shown));
        assert_eq!(ring.count(), 10);
    }
}
