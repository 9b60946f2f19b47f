//! What a rig saw, and what follows from it. The same for every rig: this file knows no hardware.

use harmonynet::capture::Granted;
use harmonynet::trace::distribution::Distribution;

use super::onset::MatchedFilter;
use super::pico_rig::Clocks;
use super::stimulus::{RATE_HZ, chirp};

/// How far a burst's onset may lie from where it is expected, seconds: sound comes 17 m far.
const ONSET_WITHIN: f64 = 0.05;
/// How long after its onset a burst's level is waited for, seconds: until the next one.
const LEVEL_WITHIN: f64 = 0.5;
/// How long before its onset it may seem to be lit, seconds: two edges of one wire are stamped 24 ns apart.
const BEFORE: f64 = 1e-6;
/// How long after its begin a decision on a piece is waited for, seconds.
const DECISION_WITHIN: f64 = 9.0;
/// From a piece's begin on a decision may be about it for so long, seconds: the piece, and a window.
const MUSIC_AROUND: f64 = 13.0;

/// What a rig saw. Moments are seconds of the rig's clock; the recording begins at 0.
#[derive(Debug, Default)]
pub(super) struct Observation {
    /// What the microphone granted.
    pub(super) granted: Option<Granted>,
    /// What the rig is and hangs on, where no microphone granted anything.
    pub(super) through: String,
    /// What was recorded; absent where the rig records nothing.
    pub(super) recording: Option<Recording>,
    /// When bursts and pieces left the loudspeaker.
    pub(super) bursts: Vec<f64>,
    pub(super) pieces: Vec<f64>,
    /// From when on there is music, in which levels come and go.
    pub(super) music_from: f64,
    /// When the level's light went on.
    pub(super) levels: Vec<Light>,
    /// When a genre, or doubt about one, was shown where none was shown before.
    pub(super) decisions: Vec<f64>,
    /// What the rig itself adds.
    pub(super) declared: Declared,
    /// How the clocks of rig and host compare, where they are two.
    pub(super) clocks: Option<Clocks>,
    /// What whoever listens lost; absent where nobody knows.
    pub(super) losses: Option<Losses>,
    /// How often a sound was asked for again because this machine was too busy to ask in time.
    pub(super) asked_again: u32,
}

/// What whoever listens lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Losses {
    /// Overruns of the microphone.
    pub(super) overruns: u64,
    /// Samples at 22,050 Hz, by microphone or slowness.
    pub(super) samples: u64,
    /// Verdicts passed over.
    pub(super) verdicts: u64,
}

/// What a microphone heard beside whoever listens, at [`RATE_HZ`].
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) sound: Vec<f32>,
    /// When it began, on the rig's clock: exactly where there are no departures, else roughly.
    pub(super) begins: f64,
    /// When each burst left the loudspeaker on the recording's own clock, where that is another one than the rig's.
    pub(super) departures: Option<Vec<f64>>,
    /// Frames that were lost while recording.
    pub(super) lost: u64,
}

/// A light that went on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Light {
    /// When.
    pub(super) at: f64,
    /// When the device says that it wrote that to its display, if it says so.
    pub(super) written: Option<f64>,
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
    /// Onsets and levels where no sound was played, and decisions where no music was.
    pub(super) false_ones: usize,
}

impl Findings {
    /// What `seen` says, where the model's window fills in `fill` seconds.
    pub(super) fn of(seen: &Observation, fill: f64) -> Self {
        let mut onsets = seen.recording.as_ref().map(|recording| onsets(recording, seen.music_from));
        let mut levels: Vec<Light> =
            seen.levels.iter().copied().filter(|light| light.at < seen.music_from).collect();
        let mut found = Self::default();
        let (mut errors, mut rig, mut transport, mut path) = (vec![], vec![], vec![], vec![]);
        for (number, burst) in seen.bursts.iter().enumerate() {
            let expected = burst + seen.declared.sound;
            let mut onset = expected;
            if let Some(onsets) = &mut onsets {
                // What the rig's clock is ahead of the recording's, at this burst.
                let ahead = seen.recording.as_ref().map_or(0.0, |recording| recording.ahead(number, *burst));
                let Some(heard) = take(onsets, |at| (at + ahead - expected).abs() < ONSET_WITHIN) else {
                    found.missed += 1;
                    continue;
                };
                onset = heard + ahead;
                errors.push((onset - expected).abs() * f64::from(RATE_HZ));
                transport.push(1000.0 * (onset - burst));
            }
            // A light that is seen before its sound, but for what is declared, belongs to none.
            let Some(light) = take(&mut levels, |light| {
                (-BEFORE..LEVEL_WITHIN).contains(&(light.at - seen.declared.light - onset))
            }) else {
                found.missed += 1;
                continue;
            };
            path.push(1000.0 * (light.at - seen.declared.light - onset));
            if let Some(written) = light.written {
                let added = (onset - burst) + (light.at - written);
                rig.push(1000.0 * (added - seen.declared.sound - seen.declared.light));
            }
        }
        let transport: Distribution = transport.into_iter().collect();
        // Music begins without a chirp: it takes as long as bursts do.
        let sound = transport.quantile(0.5).map_or(seen.declared.sound, |millis| millis / 1000.0);
        let mut decisions = seen.decisions.clone();
        decisions.retain(|at| *at >= seen.music_from);
        let is_false =
            |at: &&f64| !seen.pieces.iter().any(|piece| (0.0..MUSIC_AROUND).contains(&(*at - piece)));
        found.false_ones = onsets.map_or(0, |onsets| onsets.len())
            + levels.len()
            + decisions.iter().filter(is_false).count();
        let mut waits = Vec::new();
        for piece in &seen.pieces {
            let heard = piece + sound;
            match take(&mut decisions, |at| (0.0..DECISION_WITHIN).contains(&(at - heard))) {
                Some(at) => waits.push(at - seen.declared.light - heard),
                None => found.missed += 1,
            }
        }
        Self {
            onset_error: errors.into_iter().collect(),
            rig_error: rig.into_iter().collect(),
            transport,
            path: path.into_iter().collect(),
            beyond_fill: waits.iter().map(|wait| 1000.0 * (wait - fill)).collect(),
            decision: waits.into_iter().map(|wait| 1000.0 * wait).collect(),
            ..found
        }
    }
}

impl Recording {
    /// What the rig's clock is ahead of the recording's at the burst of this number, which left at `burst` of the rig's.
    fn ahead(&self, number: usize, burst: f64) -> f64 {
        let departure = self.departures.as_ref().and_then(|departures| departures.get(number));
        departure.map_or(self.begins, |left| burst - left)
    }
}

/// Where the recording holds bursts until music begins, seconds of its own clock.
fn onsets(recording: &Recording, music_from: f64) -> Vec<f64> {
    let quiet = ((music_from - recording.begins) * f64::from(RATE_HZ)) as usize;
    let onsets = MatchedFilter::new(chirp()).onsets(&recording.sound[..quiet.min(recording.sound.len())]);
    onsets.iter().map(|onset| onset.at / f64::from(RATE_HZ)).collect()
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
            recording: Some(Recording {
                sound: delayed(&session.sound, 480.0),
                begins: 0.0,
                departures: None,
                lost: 0,
            }),
            levels: bursts.iter().map(|at| Light { at: at + 0.06, written: Some(at + 0.055) }).collect(),
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

    /// A recording whose clock is another one: 7.03 s behind, and slower by 150 ppm.
    #[test]
    fn the_air_is_measured_on_the_recordings_own_clock() {
        let mut seen = observation();
        let of_rig = |at: &f64| 7.0 + at * 1.000_15;
        let departures = std::mem::take(&mut seen.bursts);
        seen.bursts = departures.iter().map(of_rig).collect();
        seen.levels = seen.bursts.iter().map(|at| Light { at: at + 0.06, written: None }).collect();
        seen.music_from += 7.0;
        let recording = seen.recording.as_mut().unwrap();
        (recording.begins, recording.departures) = (7.03, Some(departures));
        // The rig says 4 ms, the air takes 10.
        seen.declared.sound = 0.004;
        let found = Findings::of(&seen, 3.9);
        assert_eq!((found.path.count(), found.missed, found.false_ones), (5, 0, 0));
        assert!((found.transport.quantile(0.5).unwrap() - 10.0).abs() < 0.01, "{:?}", found.transport);
        assert!((found.path.quantile(0.5).unwrap() - 45.0).abs() < 0.01, "{:?}", found.path);
    }

    /// Without a recording the sound is where the rig says that it is.
    #[test]
    fn a_rig_without_a_recording_finds_the_path_from_what_it_declares() {
        let mut seen = observation();
        seen.recording = None;
        for light in &mut seen.levels {
            light.written = None;
        }
        let found = Findings::of(&seen, 3.9);
        assert_eq!((found.path.count(), found.missed, found.false_ones), (5, 0, 0));
        assert!((found.path.quantile(0.5).unwrap() - 45.0).abs() < 1e-6, "{:?}", found.path);
        assert_eq!((found.transport.count(), found.rig_error.count(), found.onset_error.count()), (0, 0, 0));
    }

    #[test]
    fn what_is_missing_and_what_is_too_many_is_counted() {
        let mut seen = observation();
        seen.levels.remove(2);
        let found = Findings::of(&seen, 3.9);
        assert_eq!((found.path.count(), found.missed, found.false_ones), (4, 1, 0));
        // A light before any sound.
        seen.levels.insert(0, Light { at: 0.5, written: None });
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
        seen.pieces = vec![10.0, 30.0];
        // One of bursts, two of pieces, one that goes on about the first, one of nothing.
        seen.decisions = vec![1.0, 14.515, 18.0, 25.0, 34.115];
        let found = Findings::of(&Observation { recording: None, ..seen }, 4.0);
        assert_eq!((found.decision.count(), found.missed, found.false_ones), (2, 0, 1));
        assert!((found.decision.max().unwrap() - 4500.0).abs() < 1e-6);
        assert!((found.beyond_fill.min().unwrap() - 100.0).abs() < 1e-6);
    }
}
