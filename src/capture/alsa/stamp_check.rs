//! Whether a driver's time stamps are to be believed.

use crate::flow::{Nanos, Stamp};

/// No sound waits for so long: a driver's buffer holds half a second.
const OLDEST: Nanos = 10_000_000_000;
/// How far a stamp may lie ahead of the moment at which it is judged: it is derived from a rate, which is rounded.
const AHEAD: Nanos = 1_000_000;

/// Compares each stamp with the one before and with the clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StampCheck {
    last: Nanos,
}

impl StampCheck {
    /// Judges what the driver gave: when it last counted frames, and how long before that the last frame was captured that
    /// was read. `now` is the same clock's time.
    pub(super) fn judge(&mut self, counted: Nanos, age: Nanos, now: Nanos) -> Stamp {
        if counted == 0 {
            return Stamp::Zero;
        }
        let at = counted.saturating_sub(age);
        if at > now + AHEAD || at + OLDEST < now {
            return Stamp::Foreign(at);
        }
        let last = core::mem::replace(&mut self.last, at);
        if at < last { Stamp::Backwards(at) } else { Stamp::At(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_backward_and_foreign_stamps_are_told_apart() {
        const SECOND: Nanos = 1_000_000_000;
        let mut check = StampCheck::default();
        let now = 100 * SECOND;
        assert_eq!(check.judge(now, 20, now + 5), Stamp::At(now - 20));
        assert_eq!(check.judge(now + 1, 20, now + 5), Stamp::At(now - 19));
        assert_eq!(check.judge(now, 20, now + 6), Stamp::Backwards(now - 20));
        assert_eq!(check.judge(now, 20, now + 7), Stamp::At(now - 20), "it goes on from there");
        assert_eq!(check.judge(0, 0, now), Stamp::Zero);
        // The time of day, where the monotonic clock was asked for; and a clock that stands still.
        let of_day = 1_700_000_000 * SECOND;
        assert_eq!(check.judge(of_day, 0, now), Stamp::Foreign(of_day));
        assert_eq!(check.judge(SECOND, 0, now), Stamp::Foreign(SECOND));
        assert_eq!(check.judge(now + SECOND, 0, now + SECOND), Stamp::At(now + SECOND));
    }
}
