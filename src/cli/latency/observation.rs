//! What a rig saw, and what follows from it. The same for every rig: this file knows no hardware.

use harmonynet::capture::Granted;
use harmonynet::trace::distribution::Distribution;

use super::onset::MatchedFilter;
use super::stimulus::{RATE_HZ, chirp};

/// How far a burst's onset may lie from where it is expected, seconds: sound comes 17 m far.
const ONSET_WITHIN: f64 = 0.05;
/// How long after its onset a burst's level is waited for, seconds: until the next one.
const LEVEL_WITHIN: f64 = 0.5;
/// How long after its begin a decision on a piece is waited for, seconds.
const DECISION_WITHIN: f64 = 9.0;

/// What a rig saw. Moments are seconds of the rig's clock; the recording begins at 0.
#[derive(Debug, Default)]
pub(super) struct Observation {
    /// What the microphone granted.
    pub(super) granted: Option<Granted>,
    /// What the microphone heard, at [`RATE_HZ`].
    pub(super) recording: Vec<f32>,
    /// When bursts and pieces left the loudspeaker.
    pub(super) bursts: Vec<f64>,
    pub(super) pieces: Vec<f64>,
    /// From when on there is music, in which levels come and go.
    pub(super) music_from: f64,
    /// When the level's light went on, and when the device says that it wrote that.
    pub(super) levels: Vec<f64>,
    pub(super) writes: Vec<f64>,
    /// When a genre, or doubt about one, was shown where none was shown before.
    pub(super) decisions: Vec<f64>,
    /// What the rig itself adds.
    pub(super) declared: Declared,
    /// Losses of the microphone, and samples lost at 22,050 Hz.
    pub(super) overruns: u64,
    pub(super) lost: u64,
}

/// Delays of the rig that are known, seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Declared {
    /// From the loudspeaker to the microphone.
    pub(super) sound: f64,
    /// From the display's wires to the light that is seen.
    pub(super) light: f64,
}

/// What follows from an observation.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Onsets against where they are known to be, samples, without sign.
    pub(super) onset_error: Distribution,
    /// The delays that the rig adds, as measured, less what it declares: milliseconds.
    pub(super) rig_error: Distribution,
    /// From the loudspeaker to the microphone, milliseconds.
    pub(super) transport: Distribution,
    /// From a sound at the microphone to the level on the display, milliseconds.
    pub(super) path: Distribution,
    /// From music at the microphone to a genre, or doubt about one, on the display, milliseconds.
    pub(super) decision: Distribution,
    /// The same beyond the time in which the model's window fills.
    pub(super) beyond_fill: Distribution,
    /// Sounds whose onset, level or decision never came.
    pub(super) missed: usize,
    /// Onsets and levels where no sound was played.
    pub(super) false_ones: usize,
}

impl Findings {
    /// What `seen` says, where the model's window fills in `fill` seconds.
    pub(super) fn of(seen: &Observation, fill: f64) -> Self {
        let filter = MatchedFilter::new(chirp());
        let quiet = ((seen.music_from * f64::from(RATE_HZ)) as usize).min(seen.recording.len());
        let onsets = filter.onsets(&seen.recording[..quiet]);
        let mut onsets: Vec<f64> = onsets.iter().map(|onset| onset.at / f64::from(RATE_HZ)).collect();
        let mut levels: Vec<(f64, f64)> =
            seen.levels.iter().copied().zip(seen.writes.iter().copied()).collect();
        levels.retain(|(at, _)| *at < seen.music_from);
        let mut found = Self::default();
        let (mut errors, mut rig, mut transport, mut path) = (vec![], vec![], vec![], vec![]);
        for burst in &seen.bursts {
            let expected = burst + seen.declared.sound;
            let Some(onset) = take(&mut onsets, |at| (at - expected).abs() < ONSET_WITHIN) else {
                found.missed += 1;
                continue;
            };
            errors.push((onset - expected).abs() * f64::from(RATE_HZ));
            transport.push(1000.0 * (onset - burst));
            let Some((light, write)) =
                take(&mut levels, |(at, _)| (0.0..LEVEL_WITHIN).contains(&(at - onset)))
            else {
                found.missed += 1;
                continue;
            };
            path.push(1000.0 * (light - seen.declared.light - onset));
            let added = (onset - burst) + (light - write);
            rig.push(1000.0 * (added - seen.declared.sound - seen.declared.light));
        }
        found.false_ones = onsets.len() + levels.len();
        let mut decisions = seen.decisions.clone();
        decisions.retain(|at| *at >= seen.music_from);
        let mut waits = Vec::new();
        for piece in &seen.pieces {
            let heard = piece + seen.declared.sound;
            match take(&mut decisions, |at| (0.0..DECISION_WITHIN).contains(&(at - heard))) {
                Some(at) => waits.push(at - seen.declared.light - heard),
                None => found.missed += 1,
            }
        }
        Self {
            onset_error: errors.into_iter().collect(),
            rig_error: rig.into_iter().collect(),
            transport: transport.into_iter().collect(),
            path: path.into_iter().collect(),
            beyond_fill: waits.iter().map(|wait| 1000.0 * (wait - fill)).collect(),
            decision: waits.into_iter().map(|wait| 1000.0 * wait).collect(),
            ..found
        }
    }
}

/// Takes the first for which `wanted` holds.
fn take<T: Copy>(from: &mut Vec<T>, wanted: impl Fn(T) -> bool) -> Option<T> {
    let place = from.iter().position(|one| wanted(*one))?;
    Some(from.remove(place))
}

#[cfg(test)]
mod tests {
    use super::super::rig_file::Stimulus;
    use super::super::stimulus::{Session, delayed};
    use super::*;

    /// Bursts 10 ms late at the microphone, and a light 50 ms after each, 5 of which are the rig's.
    fn observation() -> Observation {
        let session = Session::new(&Stimulus { bursts: 5, pieces: 0, seed: 1 });
        let bursts: Vec<f64> = session.bursts.iter().map(|at| at / f64::from(RATE_HZ)).collect();
        Observation {
            recording: delayed(&session.sound, 480.0),
            levels: bursts.iter().map(|at| at + 0.06).collect(),
            writes: bursts.iter().map(|at| at + 0.055).collect(),
            bursts,
            music_from: session.music_from / f64::from(RATE_HZ),
            declared: Declared { sound: 0.01, light: 0.005 },
            ..Observation::default()
        }
    }

    #[test]
    fn known_delays_are_found() {
        let found = Findings::of(&observation(), 3.9);
        assert_eq!((found.path.count(), found.missed, found.false_ones), (5, 0, 0));
        assert!((found.path.quantile(0.5).unwrap() - 45.0).abs() < 0.01, "{:?}", found.path);
        assert!((found.transport.quantile(0.5).unwrap() - 10.0).abs() < 0.01);
        assert!(found.rig_error.max().unwrap().abs() < 0.01 && found.onset_error.max().unwrap() < 0.1);
    }

    #[test]
    fn what_is_missing_and_what_is_too_many_is_counted() {
        let mut seen = observation();
        seen.levels.remove(2);
        seen.writes.remove(2);
        let found = Findings::of(&seen, 3.9);
        assert_eq!((found.path.count(), found.missed, found.false_ones), (4, 1, 0));
        // A light before any sound.
        seen.levels.insert(0, 0.5);
        seen.writes.insert(0, 0.5);
        seen.pieces = vec![1e6];
        let found = Findings::of(&seen, 3.9);
        assert_eq!((found.missed, found.false_ones), (2, 1));
    }

    #[test]
    fn a_decision_is_told_with_and_without_the_windows_filling() {
        let mut seen = observation();
        seen.music_from = 4.0;
        seen.bursts.clear();
        seen.levels.clear();
        seen.writes.clear();
        seen.pieces = vec![10.0, 30.0];
        seen.decisions = vec![1.0, 14.515, 34.115];
        let found = Findings::of(&Observation { recording: vec![], ..seen }, 4.0);
        assert_eq!((found.decision.count(), found.missed), (2, 0));
        assert!((found.decision.max().unwrap() - 4500.0).abs() < 1e-6);
        assert!((found.beyond_fill.min().unwrap() - 100.0).abs() < 1e-6);
    }
}
