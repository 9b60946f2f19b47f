//! The minute of the local day. The only file that names `jiff`.

use jiff::Zoned;

/// A board without a clock of its own wakes up in a year before this one, until the network tells it the time.
const FIRST_YEAR: i16 = 2025;

/// The minute of the local day, 0–1439; none while the clock has not been set.
pub(super) fn minute_of_day() -> Option<u16> {
    minute(&Zoned::now())
}

fn minute(now: &Zoned) -> Option<u16> {
    let minute = 60 * u16::from(now.hour().unsigned_abs()) + u16::from(now.minute().unsigned_abs());
    (now.year() >= FIRST_YEAR).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_no_clock() {
        let at = |text: &str| minute(&text.parse().unwrap());
        assert_eq!(at("2026-03-01T23:59:59+00:00[UTC]"), Some(1439));
        assert_eq!(at("2025-01-01T00:00:00+00:00[UTC]"), Some(0));
        assert_eq!(at("1970-01-01T00:10:00+00:00[UTC]"), None);
    }
}
