//! Writes down what happens when, while it happens: the stages' times meet here, as all else of theirs does.
//!
//! The capture thread never comes here: its periods travel with their blocks and are written down by the signal thread. A record
//! costs two looks at the clock and a copy; a snapshot holds the others up for a copy of the ring, some 50 µs.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use crate::capture::Clock;
use crate::display::{Display, DisplayError};
use crate::flow::{Fault, Nanos, Periods, SampleIndex, Scene, Verdict};
use crate::trace::file::Snapshot;
use crate::trace::{FaultTimes, Mark, PeriodRecord, Probe, Record, Ring, Shown, VerdictTimes};

/// The last minutes' records. Clones write into the same.
#[derive(Clone)]
pub struct Tracer(Arc<Desk>);

struct Desk {
    clock: Box<dyn Clock + Send + Sync>,
    ring: Mutex<Ring>,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Tracer {
    /// An empty trace. Every period's times must be of `clock` too.
    pub fn new(clock: impl Clock + Send + Sync + 'static) -> Self {
        Self(Arc::new(Desk { clock: Box::new(clock), ring: Mutex::default() }))
    }

    /// The clock's time.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.0.clock.nanos()
    }

    /// Writes a record down. Allocates nothing.
    pub fn record(&self, record: &Record) {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// Writes down that something broke.
    pub fn fault(&self, at: SampleIndex, fault: Fault) {
        self.record(&Record::Fault(FaultTimes::new(at, fault, self.now())));
    }

    /// The records that are left.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut records = Vec::with_capacity(crate::trace::KEPT_RECORDS);
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        records.extend(ring.iter().copied());
        Snapshot { at: self.now(), count: ring.count(), records }
    }

    /// The display, with every picture and verdict written down.
    pub fn display<D: Display>(&self, display: D) -> TracedDisplay<D> {
        TracedDisplay { display, tracer: self.clone() }
    }

    /// Does what shows the scene of `at`, and writes down when.
    pub(super) fn showing(
        &self,
        at: SampleIndex,
        is_note: bool,
        show: impl FnOnce() -> Result<(), DisplayError>,
    ) -> Result<(), DisplayError> {
        let begun = self.now();
        let result = show();
        let ended_after = u32::try_from(self.now().saturating_sub(begun)).unwrap_or(u32::MAX);
        self.record(&Record::Shown(Shown { at, is_note, ok: result.is_ok(), begun, ended_after }));
        result
    }
}

/// A display whose pictures are written down.
#[derive(Debug)]
pub struct TracedDisplay<D> {
    display: D,
    tracer: Tracer,
}

impl<D: Display> Display for TracedDisplay<D> {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        self.tracer.showing(scene.at, false, || self.display.show(scene))
    }

    fn verdict(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        self.tracer.showing(scene.at, true, || self.display.verdict(scene))
    }
}

/// Follows a block through recognizing.
pub(super) struct Watch<'a> {
    tracer: &'a Tracer,
    periods: &'a Periods,
    waiting: usize,
    taken: Nanos,
    frame: Cell<Nanos>,
    pushed: Cell<Nanos>,
    /// 0 where nothing was computed for the last frame.
    scored: Cell<Nanos>,
    decided: Cell<Nanos>,
}

impl<'a> Watch<'a> {
    /// Begins with a block whose periods were these, with `waiting` blocks behind it.
    pub(super) fn new(tracer: &'a Tracer, periods: &'a Periods, waiting: usize) -> Self {
        let never = || Cell::new(0);
        let (frame, pushed, scored, decided) = (never(), never(), never(), never());
        Self { tracer, periods, waiting, taken: tracer.now(), frame, pushed, scored, decided }
    }

    /// The verdict was told.
    pub(super) fn told(&self, verdict: Verdict) {
        let told = self.tracer.now();
        let after = |mark: &Cell<Nanos>| match mark.get() {
            0 => 0,
            at => crate::trace::after(self.taken, at),
        };
        let times = VerdictTimes {
            read: self.periods.last().map_or(0, |period| period.read),
            taken: self.taken,
            frame_after: after(&self.frame),
            pushed_after: after(&self.pushed),
            scored_after: after(&self.scored),
            decided_after: if self.decided.get() == 0 {
                crate::trace::after(self.taken, told)
            } else {
                after(&self.decided)
            },
            told_after: crate::trace::after(self.taken, told),
            ..VerdictTimes::default()
        };
        self.tracer.record(&Record::Verdict(times.with(verdict)));
    }

    /// The block was recognized.
    pub(super) fn done(&self) {
        let recognized = self.tracer.now();
        for (number, period) in self.periods.iter().enumerate() {
            // What a block costs is charged to the period that completed it.
            let is_last = number + 1 == self.periods.len();
            let recognized = if is_last { recognized } else { self.taken };
            let record = PeriodRecord::new(period, self.taken, recognized, self.waiting);
            self.tracer.record(&Record::Period(record));
        }
    }
}

impl Probe for Watch<'_> {
    fn mark(&self, mark: Mark) {
        let now = self.tracer.now();
        match mark {
            Mark::Frame => {
                self.frame.set(now);
                self.scored.set(0);
                self.decided.set(0);
            }
            Mark::Pushed => self.pushed.set(now),
            Mark::Scored => self.scored.set(now),
            Mark::Decided => self.decided.set(now),
        }
    }
}
