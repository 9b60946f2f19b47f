//! The device's moments on the host's clock, with bounds that hold.
//!
//! ```text
//! host    sent ────╮                ╭──▶ came
//! device           ╰▶ received  replied
//! ```
//! Let s be what the host's clock is ahead of the device's. A question isn't received before it is sent, an answer doesn't come
//! before it is written, so that s ≥ sent − received at the one moment and s ≤ came − replied at the other, however long either
//! took. Two crystals drift apart, but by no more than [`DRIFT_PPM`], so that each exchange bounds s at every other moment too,
//! by that much more loosely. All of these bounds hold at once: the tightest ones count, and s lies between them. An exchange
//! that took long bounds loosely and so rejects itself; no threshold decides which one is an outlier. Bounds that contradict
//! each other mean that one of the clocks jumped, or drifts more than any crystal.

use crate::Nanos;

/// The most that the clocks drift apart, millionths: a Pico's crystal is good to 30, a board's to 100, and a host's clock that
/// is being set right is slewed within the rest.
pub const DRIFT_PPM: i64 = 250;

/// A question for the time and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When the host sent the question, on its clock.
    pub sent: Nanos,
    /// When the device received it, on its clock.
    pub received: Nanos,
    /// When the device answered.
    pub replied: Nanos,
    /// When the answer came to the host.
    pub came: Nanos,
}

impl Exchange {
    /// How long question and answer were on their ways together, on the host's clock less what the device took for itself.
    #[must_use]
    pub fn round_trip(&self) -> Nanos {
        (self.came.saturating_sub(self.sent)).saturating_sub(self.replied.saturating_sub(self.received))
    }
}

/// A value and how far off it may be, at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounded {
    /// The value.
    pub value: f64,
    /// How far off.
    pub within: f64,
}

/// Why clocks can't be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockError {
    /// There was no exchange.
    Unknown,
    /// One of the clocks jumped, or they drift apart by more than [`DRIFT_PPM`].
    Contradiction,
}

impl core::fmt::Display for ClockError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unknown => f.write_str("the device never told its time"),
            Self::Contradiction => {
                write!(f, "a clock jumped, or host and device drift apart by more than {DRIFT_PPM} ppm")
            }
        }
    }
}

impl core::error::Error for ClockError {}

/// What a session's exchanges say of the two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    exchanges: &'a [Exchange],
    tick: i64,
}

impl<'a> Comparison<'a> {
    /// Of exchanges in their order, with a device whose moments are cut to `tick_nanos`.
    #[must_use]
    pub fn new(exchanges: &'a [Exchange], tick_nanos: u32) -> Self {
        Self { exchanges, tick: i64::from(tick_nanos) }
    }

    /// What the host's clock is ahead of the device's at `at` of the device's: nanoseconds.
    ///
    /// # Errors
    /// There was no exchange, or they contradict each other.
    pub fn offset(&self, at: Nanos) -> Result<Bounded, ClockError> {
        let (least, most) = self.limits(at)?;
        Ok(Bounded { value: (least as f64 + most as f64) / 2.0, within: (most - least) as f64 / 2.0 })
    }

    /// `at` of the device's clock on the host's: nanoseconds.
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub fn on_host(&self, at: Nanos) -> Result<Bounded, ClockError> {
        let offset = self.offset(at)?;
        Ok(Bounded { value: at as f64 + offset.value, ..offset })
    }

    /// How much faster the host's clock ran than the device's from the first exchange to the last: millionths, in the mean.
    ///
    /// # Errors
    /// As [`offset`](Self::offset); there was one exchange only.
    pub fn drift(&self) -> Result<Bounded, ClockError> {
        let (Some(first), Some(last)) = (self.exchanges.first(), self.exchanges.last()) else {
            return Err(ClockError::Unknown);
        };
        let passed = last.replied.saturating_sub(first.received);
        if self.exchanges.len() < 2 || passed == 0 {
            return Err(ClockError::Unknown);
        }
        let (before, after) = (self.offset(first.received)?, self.offset(last.replied)?);
        // The device's readings at both ends are cut to its ticks.
        let within = before.within + after.within + self.tick as f64;
        let per = 1e6 / passed as f64;
        let most = DRIFT_PPM as f64;
        Ok(Bounded { value: ((after.value - before.value) * per).clamp(-most, most), within: within * per })
    }

    /// The least and the most of the offset.
    fn limits(&self, at: Nanos) -> Result<(i64, i64), ClockError> {
        let mut limits: Option<(i64, i64)> = None;
        for exchange in self.exchanges {
            // A device's reading may be up to a tick behind: that of the exchange, and `at`.
            let least = apart(exchange.sent, exchange.received) - self.tick - slack(exchange.received, at);
            let most = apart(exchange.came, exchange.replied) + self.tick + slack(exchange.replied, at);
            let (before, after) = limits.unwrap_or((least, most));
            limits = Some((before.max(least), after.min(most)));
        }
        match limits {
            None => Err(ClockError::Unknown),
            Some((least, most)) if least > most => Err(ClockError::Contradiction),
            Some(limits) => Ok(limits),
        }
    }
}

/// a − b.
fn apart(a: Nanos, b: Nanos) -> i64 {
    a.wrapping_sub(b) as i64
}

/// What the clocks may have drifted apart from `a` to `b`, rounded up.
fn slack(a: Nanos, b: Nanos) -> i64 {
    let apart = i64::try_from(a.abs_diff(b)).unwrap_or(i64::MAX);
    apart.saturating_mul(DRIFT_PPM) / 1_000_000 + 1
}

#[cfg(test)]
mod tests;
