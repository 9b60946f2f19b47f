//! The minute of the local day. The only file that names `tz`, which reads the system's time zones.

use tz::{DateTime, TimeZone, TimeZoneRef};

/// A board without a clock of its own wakes up in a year before this one, until the network tells it the time.
const FIRST_YEAR: i32 = 2025;

/// The minute of the local day, 0–1439; none while the clock has not been set.
pub(super) fn minute_of_day() -> Option<u16> {
    let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
    let zone = zone(named.as_deref());
    minute(&DateTime::now(zone.as_ref().map_or(TimeZoneRef::utc(), TimeZone::as_ref)).ok()?)
}

/// The time zone of this name, or the system's; none where the system has none.
fn zone(name: Option<&str>) -> Option<TimeZone> {
    name.map_or_else(TimeZone::local, TimeZone::from_posix_tz).ok()
}

fn minute(now: &DateTime) -> Option<u16> {
    let minute = 60 * u16::from(now.hour()) + u16::from(now.minute());
    (now.year() >= FIRST_YEAR).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_no_clock() {
        let at = |unix: i64| minute(&DateTime::from_timespec(unix, 0, TimeZoneRef::utc()).unwrap());
        assert_eq!(at(1_772_409_599), Some(1439), "2026-03-01T23:59:59");
        assert_eq!(at(1_735_689_600), Some(0), "2025-01-01T00:00:00");
        assert_eq!(at(600), None, "1970-01-01T00:10:00");
    }

    #[test]
    fn summer_has_another_minute_than_winter() {
        let zone = zone(Some("CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
        let at = |unix: i64| minute(&DateTime::from_timespec(unix, 0, zone.as_ref()).unwrap());
        assert_eq!(at(1_768_478_400), Some(13 * 60), "2026-01-15T12:00:00Z");
        assert_eq!(at(1_784_116_800), Some(14 * 60), "2026-07-15T12:00:00Z");
        assert!(super::zone(Some("Nowhere/AtAll")).is_none());
    }
}
