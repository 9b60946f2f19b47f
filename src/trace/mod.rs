//! When what happened: stage time stamps of every period, verdict and picture, always kept, for whoever asks afterwards.
//!
//! ```text
//! capture thread ── the block's periods ──▶ signal thread ──┐
//!                                                            ├──▶ Ring (the last minutes) ──▶ file ──▶ `harmonynet trace`
//!                                           display threads ─┘     fixed-size records
//! ```
//! A [`Record`] is what one period, verdict or picture went through; [`Ring`] keeps the newest of them, encoded, in memory that
//! is there from the beginning; `file` is a ring written down, and `stages` what can be told from it. Time is whatever clock
//! the caller reads: nothing here asks for it. Not for sound: what was heard is nowhere in it.

#[cfg(feature = "trace")]
mod record;
#[cfg(feature = "trace")]
mod ring;

#[cfg(feature = "std")]
pub mod distribution; // percentiles and histograms
#[cfg(feature = "std")]
pub mod file; // a ring, written down
#[cfg(feature = "std")]
pub mod stages; // how long each stage took

#[cfg(feature = "std")]
pub(crate) use record::after;
#[cfg(feature = "trace")]
pub use record::{
    BadRecord, Encoded, FaultTimes, NO_LABEL, PeriodRecord, RECORD_BYTES, Record, Shown, VerdictTimes,
};
#[cfg(feature = "trace")]
pub use ring::{KEPT_RECORDS, Ring};

/// A point that recognizing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A log-mel frame is complete: the front-end is done with it.
    Frame,
    /// The classifier took the frame: its convolutions are computed, where the engine streams.
    Pushed,
    /// The classifier gave scores.
    Scored,
    /// There is a verdict.
    Decided,
}

/// Is told when recognizing passes its points. `()` doesn't care.
pub trait Probe {
    /// It passes this one now.
    fn mark(&self, mark: Mark);
}

impl Probe for () {
    fn mark(&self, _: Mark) {}
}
