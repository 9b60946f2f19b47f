//! What listeners are told: the events, their fields, units and ranges. One definition for both encodings; README.md in
//! this folder is the same for people.
//!
//! **Versions.** [`VERSION`] is the first thing a listener reads. Within a version, fields and events never change; new
//! faults may be appended. Everything is bounded: no event is longer than [`MAX_FRAME_BYTES`] in either encoding.

use serde::{Deserialize, Serialize};

use crate::flow::{Fault, Label, Labels, SampleIndex, Scene, State};

/// Version of the schema. Counts up where anything changes that a listener could trip over.
pub const VERSION: u16 = 1;

/// Longest event in bytes, its line feed or zero byte included. A listener needs no larger buffer.
pub const MAX_FRAME_BYTES: usize = 2048;

/// A text of at most `N` bytes.
pub type Text<const N: usize> = heapless::String<N>;

/// Something that happened. In JSON an object with the event's name as its only key; in postcard the name's place in
/// this list, then the fields in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The first event on every connection.
    Hello(Box<Hello>),
    /// What the device believes now, once per verdict period.
    Verdict(Verdict),
    /// The state or the genre is another one than before. Also the second event on a connection, if anything was heard.
    Change(Change),
    /// Something broke. That it is mended is a [`Change`] to another state.
    Fault(FaultReport),
    /// How the device fares, every ten seconds.
    Health(Health),
    /// The device lives, every ten seconds, sound or not.
    Heartbeat(Heartbeat),
    /// This listener was too slow: events before the next one are missing.
    Lost(Lost),
    /// The connection ends, and why.
    Refused(Refused),
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub schema: u16,
    /// Name and version of the program.
    pub program: Text<32>,
    /// What sample indices count: samples per second, 22,050.
    pub rate_hz: u32,
    /// The model's labels, at most 32 of at most 24 bytes.
    pub labels: Labels,
}

/// The state that a device is in, without what belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Sound, but not yet a whole window of it.
    #[default]
    Listening,
    /// Nothing to hear.
    Silence,
    /// Sound that is none of the labels with enough confidence.
    Unsure,
    /// A genre.
    Genre,
    /// Something is broken.
    Fault,
}

impl Condition {
    /// The name that JSON has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Listening => "listening",
            Self::Silence => "silence",
            Self::Unsure => "unsure",
            Self::Genre => "genre",
            Self::Fault => "fault",
        }
    }
}

/// What the device believes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// When: samples since listening began, lost ones included.
    pub at: SampleIndex,
    /// What.
    pub state: Condition,
    /// The likeliest label where the state is `genre` or `unsure`.
    pub genre: Option<Label>,
    /// Its smoothed probability, 0–1 in steps of 0.001.
    pub confidence: Option<f32>,
    /// Sound level in decibels relative to a full-scale sine, −144 to +24 in steps of 0.1.
    pub level_dbfs: f32,
    /// How full the first window is, 0–1 in steps of 0.01.
    pub window_fill: f32,
    /// What is broken where the state is `fault`.
    pub fault: Option<Fault>,
}

impl Verdict {
    /// What a display shows, for listeners.
    #[must_use]
    pub fn of(scene: &Scene) -> Self {
        let (state, confidence, fault) = match scene.state {
            State::Listening => (Condition::Listening, None, None),
            State::Silence => (Condition::Silence, None, None),
            State::Unsure { confidence, .. } => (Condition::Unsure, Some(confidence), None),
            State::Genre { confidence, .. } => (Condition::Genre, Some(confidence), None),
            State::Fault { fault } => (Condition::Fault, None, Some(fault)),
        };
        Self {
            at: scene.at,
            state,
            genre: confidence.is_some().then(|| scene.label.clone()),
            confidence: confidence.map(|p| stepped(p, 0.0, 1.0, 1000.0)),
            level_dbfs: stepped(scene.level.dbfs(), -144.0, 24.0, 10.0),
            window_fill: stepped(scene.window_fill, 0.0, 1.0, 100.0),
            fault,
        }
    }
}

/// Within limits and rounded to `steps` per unit; what is no number becomes the least.
fn stepped(value: f32, least: f32, most: f32, steps: f32) -> f32 {
    if value.is_nan() { least } else { (value.clamp(least, most) * steps).round() / steps }
}

/// The state or the genre changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When: samples since listening began, lost ones included.
    pub at: SampleIndex,
    /// The state before.
    pub before: Condition,
    /// The state now.
    pub state: Condition,
    /// The likeliest label now, where the state is `genre` or `unsure`.
    pub genre: Option<Label>,
    /// Samples for which the state before held.
    pub held: u64,
}

/// Something broke.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// When: samples since listening began, lost ones included.
    pub at: SampleIndex,
    /// What is broken.
    pub fault: Fault,
    /// The same as a sentence.
    pub text: Text<64>,
    /// What a person can do.
    pub mend: Text<128>,
}

/// How the device fares. All counts are since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// When: samples since listening began, lost ones included.
    pub at: SampleIndex,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Verdicts.
    pub verdicts: u64,
    /// Samples heard.
    pub heard: u64,
    /// Samples that the microphone lost.
    pub lost: u64,
    /// Samples lost because recognizing was too slow.
    pub dropped: u64,
    /// Overruns of the microphone.
    pub overruns: u64,
    /// Times that the microphone failed.
    pub failures: u64,
    /// Blocks of 512 samples that wait to be recognized.
    pub queued: u32,
    /// How many may wait.
    pub queue: u32,
    /// Milliseconds that recognizing took.
    pub busy_ms: u64,
    /// Listeners that are connected.
    pub listeners: u32,
    /// Connections that were refused.
    pub refused: u64,
    /// Events that slow listeners lost, all together.
    pub lost_events: u64,
    /// Verdicts passed over because recognizing was too slow.
    pub passed_over: u64,
}

/// The device lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Samples up to which sound was heard. Where it stands still between heartbeats, no sound arrives.
    pub at: SampleIndex,
    /// Seconds since the start.
    pub uptime_s: u64,
}

/// Events are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// How many, directly before this one.
    pub events: u64,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// As many listen as may.
    Full,
    /// The first line was none that is understood.
    Greeting,
    /// Another version of the schema was asked for.
    Schema,
    /// Nothing was said for too long.
    Silent,
    /// A listener listens: what it said after its first line is not understood.
    Chatter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_ranges() {
        for (value, expected) in [
            (f32::NAN, 0.0),
            (-1.0, 0.0),
            (0.123_456, 0.123),
            (2.0, 1.0),
            (f32::INFINITY, 1.0),
            (f32::NEG_INFINITY, 0.0),
        ] {
            let scene = Scene { state: State::Genre { label: 0, confidence: value }, ..Scene::default() };
            assert_eq!(Verdict::of(&scene).confidence, Some(expected), "{value}");
        }
    }

    #[test]
    fn every_fault_fits_its_texts() {
        for fault in Fault::ALL {
            assert!(Text::<64>::try_from(fault.to_string().as_str()).is_ok(), "{fault}");
            assert!(Text::<128>::try_from(fault.mend()).is_ok(), "{fault}");
        }
    }

    #[test]
    fn names_are_those_of_json() {
        for state in
            [Condition::Listening, Condition::Silence, Condition::Unsure, Condition::Genre, Condition::Fault]
        {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("{:?}", state.name()));
        }
    }
}
