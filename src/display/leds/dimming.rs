//! How bright a display is, by day and by night.

/// Brightness in percent of what the display can: 0 is dark, 100 full. More counts as 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Brightness(pub u8);

impl Brightness {
    /// Dark.
    pub const OFF: Self = Self(0);
    /// As bright as the display can be.
    pub const FULL: Self = Self(100);

    /// The brightness as one of a chip's steps 0 to `top`: 1 % is the chip's lowest, which is lit; dark is `None`.
    #[must_use]
    pub fn step(self, top: u8) -> Option<u8> {
        let above = u16::from(self.0.min(100)).checked_sub(1)?;
        Some(((above * u16::from(top) + 49) / 99) as u8)
    }
}

impl Default for Brightness {
    /// Readable in a lit room, easy on the supply.
    fn default() -> Self {
        Self(30)
    }
}

/// Hours of the night, in minutes since midnight; from 22:00 to 6:30 is `1320..390`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct NightHours {
    /// The first minute of the night, 0–1439.
    pub from: u16,
    /// The first minute of the day, 0–1439. Equal to `from` means that there is no night.
    pub to: u16,
}

/// How bright, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Dimming {
    /// Brightness by day, and at all times where nobody knows the time.
    pub day: Brightness,
    /// Brightness in the hours of the night.
    pub night: Brightness,
    /// The hours of the night, if there are any.
    pub hours: Option<NightHours>,
}

impl Default for Dimming {
    fn default() -> Self {
        Self { day: Brightness::default(), night: Brightness(1), hours: None }
    }
}

impl Dimming {
    /// The brightness at a minute of the day, 0–1439; `None` where the time isn't known (a board without a clock that has
    /// not been set yet).
    #[must_use]
    pub fn at(&self, minute: Option<u16>) -> Brightness {
        let is_night = match (self.hours, minute) {
            (Some(NightHours { from, to }), Some(minute)) if from <= to => (from..to).contains(&minute),
            (Some(NightHours { from, to }), Some(minute)) => minute >= from || minute < to,
            _ => false,
        };
        if is_night { self.night } else { self.day }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_may_cross_midnight() {
        let night = |from, to| Dimming {
            day: Brightness(80),
            night: Brightness(5),
            hours: Some(NightHours { from, to }),
        };
        let across = night(22 * 60, 6 * 60 + 30);
        let seen = [0, 389, 390, 720, 1319, 1320, 1439].map(|minute| across.at(Some(minute)).0);
        assert_eq!(seen, [5, 5, 80, 80, 80, 5, 5]);
        let within = night(60, 120);
        assert_eq!([59, 60, 119, 120].map(|minute| within.at(Some(minute)).0), [80, 5, 5, 80]);
        assert_eq!(night(60, 60).at(Some(60)).0, 80);
        assert_eq!(across.at(None).0, 80);
        assert_eq!(Dimming::default().at(Some(0)), Brightness::default());
    }

    #[test]
    fn a_percentage_is_a_step_of_the_chip() {
        assert_eq!(
            [0, 1, 50, 99, 100, 255].map(|p| Brightness(p).step(15)),
            [None, Some(0), Some(7), Some(15), Some(15), Some(15)]
        );
        assert_eq!(Brightness(100).step(255), Some(255));
        for percent in 1..100 {
            assert!(Brightness(percent).step(255) < Brightness(percent + 1).step(255));
        }
    }
}
