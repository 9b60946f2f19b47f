//! A counter's readings as moments.
//!
//! The device's edges are stamped by a counter of 31 bits that counts down each [`COUNT_NANOS`] and begins anew every 51 s. It
//! runs from the same crystal as the clock, so that a clock that is read soon after an edge tells which time around it was.

use crate::Nanos;

/// Three cycles of 125 MHz.
pub const COUNT_NANOS: Nanos = 24;

/// Counts until it begins anew.
const COUNTS: Nanos = 1 << 31;

/// Whether a pin was high after an edge, and when the edge was. `reading` is the counter's lowest 31 bits and behind them the
/// pin; the counter began with all bits set at `began`, and it is `now`, less than 25 s after the edge.
#[must_use]
pub fn moment(reading: u32, began: Nanos, now: Nanos) -> (bool, Nanos) {
    const AROUND: Nanos = COUNTS * COUNT_NANOS;
    let within = (COUNTS - 1 - Nanos::from(reading >> 1)) * COUNT_NANOS;
    let passed = now.saturating_sub(began);
    // Rounded: an edge may be read a little later, or, as two clocks are read, seem to be a little ahead.
    let times = (passed + AROUND / 2).saturating_sub(within) / AROUND;
    (reading & 1 == 1, began + times * AROUND + within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_moment_comes_back_whenever_it_is_read(
            (began, counts, later) in (0_u64..1 << 40, 0_u64..1 << 44, 0_u64..25_000_000_000), is_high: bool,
        ) {
            let at = began + counts * COUNT_NANOS;
            let reading = !(counts as u32) << 1 | u32::from(is_high);
            prop_assert_eq!(moment(reading, began, at + later), (is_high, at));
            // The clock counts microseconds only.
            prop_assert_eq!(moment(reading, began, (at + later) / 1000 * 1000), (is_high, at));
        }
    }
}
