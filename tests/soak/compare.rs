//! The verdicts of a device that everything happened to, beside those of a clean run of the same sound: a device to which nothing
//! ever happened, switched on where sound came back.
//!
//! A stream begins anew after every gap, and with it the grid on which frames and verdicts fall: two runs that began at different
//! samples hear different frames. So the clean run begins where the faulty one does, and then everything must be equal, sample
//! index by sample index, scores bit by bit, outside the faults' shadows:
//!
//! | fault | shadow, frames of 512 samples after sound is back |
//! | --- | --- |
//! | clock, time stamps, display, listeners | none |
//! | microphone opened again | the window: until there are scores at all. What was believed before is forgotten |
//! | sound lost without that | the window for scores; for verdicts the smoothing besides, until nothing is left of it in 24 bits |
//! | sound spoiled | to the next gap: the level tracker has no end |
//!
//! After spoiled sound the tracker's integer mean ends up a few units of 2⁻¹⁶ of its steps beside where it would be, so that scores
//! may differ in their last digits and a verdict that lies on a threshold may fall either way. Such verdicts are compared, too, once
//! window, tracker and smoothing have forgotten, but by themselves: hardly any may differ.

use std::collections::HashMap;

use harmonynet::decide::Policy;
use harmonynet::flow::{Scores, State};
use harmonynet::spec::{FrontendSpec, LevelHandling, SAMPLE_RATE_HZ, WindowLength};

use super::microphone::Trouble;
use super::world::Harm;

/// Time constants after which nothing is left of a memory in numbers of 24 bits: e⁻¹⁷ is 2⁻²⁴·⁵.
const FORGOTTEN: u64 = 17;
/// Time constants after which the level tracker is taken to have forgotten, as far as it does: e⁻⁷ of a thousand steps is one.
const TRACKED: u64 = 7;

fn frames(samples: u32) -> u64 {
    u64::from(samples).div_ceil(u64::from(FrontendSpec::SHIPPED.hop))
}

/// Frames of a fault's shadow for scores and for verdicts, where it ends by itself.
pub(super) fn shadow(harm: Harm) -> Option<(u64, u64)> {
    let window = WindowLength::SHIPPED.frames() as u64;
    match harm {
        Harm::None => Some((0, 0)),
        Harm::Reopens => Some((window, window)),
        Harm::Gap => Some((window, window + FORGOTTEN * frames(Policy::DEFAULT.memory_samples))),
        Harm::Spoils => None,
    }
}

/// Frames after spoiled sound until verdicts are compared by themselves.
pub(super) fn spoiled() -> u64 {
    let tracker = match FrontendSpec::SHIPPED.level {
        LevelHandling::Tracked { frames, .. } => TRACKED * u64::from(frames),
        LevelHandling::Absolute { .. } => 0,
    };
    let policy = Policy::DEFAULT;
    let chosen = frames(policy.hold_samples + policy.settle_samples);
    WindowLength::SHIPPED.frames() as u64 + tracker + TRACKED * frames(policy.memory_samples) + chosen
}

/// Frames in seconds.
pub(super) fn seconds(frames: u64) -> f64 {
    (frames * u64::from(FrontendSpec::SHIPPED.hop)) as f64 / f64::from(SAMPLE_RATE_HZ)
}

/// A verdict: small, as there are many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// When, as a sample index.
    pub(super) at: u64,
    /// When, in seconds of the world.
    pub(super) world: f32,
    /// State and label.
    code: u8,
    confidence: f32,
    /// The bits of its scores, hashed; 0 where there are none.
    scores: u64,
}

impl Said {
    pub(super) fn new(at: u64, world: f64, state: State, scores: Option<&Scores>) -> Self {
        let (code, confidence) = match state {
            State::Listening => (0, 0.0),
            State::Silence => (1, 0.0),
            State::Unsure { label, confidence } => (64 + label, confidence),
            State::Genre { label, confidence } => (128 + label, confidence),
            _ => (2, 0.0),
        };
        let fnv = |hash: u64, p: &f32| (hash ^ u64::from(p.to_bits())).wrapping_mul(0x100_0000_01b3);
        let scores = scores.map_or(0, |scores| scores.probabilities.iter().fold(0xcbf2_9ce4_8422_2325, fnv));
        Self { at, world: world as f32, code, confidence, scores }
    }

    /// Whether it is about the sound: silence, doubt or a genre.
    pub(super) fn judges(&self) -> bool {
        !matches!(self.code, 0 | 2)
    }

    /// Whether it came from scores.
    pub(super) fn is_scored(&self) -> bool {
        self.scores != 0
    }

    fn agrees(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

/// What the comparison found.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Verdicts of the clean run outside every shadow.
    pub(super) outside: u64,
    /// Scores outside every shadow.
    pub(super) scored: u64,
    /// Verdicts within a shadow.
    pub(super) shadowed: u64,
    /// Verdicts that differ outside every shadow: when, clean and with faults.
    pub(super) different: Vec<(f64, Said, Option<Said>)>,
    /// Of these, those of which a bit differs.
    pub(super) other_scores: Vec<(f64, Said, Said)>,
    /// Verdicts after spoiled sound that is forgotten as far as it ever is, and those of them that differ.
    pub(super) after_spoiled: (u64, u64),
}

/// Where a moment lies.
#[derive(Clone, Copy, Default)]
struct Place {
    /// In a shadow for scores, for verdicts.
    shadowed: (bool, bool),
    /// Sound was spoiled since the last gap, but is forgotten as far as it ever is.
    is_after_spoiled: bool,
}

fn place(troubles: &[Trouble], now: f64) -> Place {
    let mut place = Place::default();
    let (mut is_spoiled, mut is_fresh) = (false, false);
    let begun = troubles.partition_point(|trouble| trouble.began <= now);
    for trouble in troubles[..begun].iter().rev() {
        let harm = trouble.event.fault.harm();
        let lasts = |frames: u64| frames > 0 && now < trouble.ended + seconds(frames);
        match shadow(harm) {
            Some((scores, verdicts)) => {
                place.shadowed.0 |= lasts(scores);
                place.shadowed.1 |= lasts(verdicts);
            }
            None => {
                is_spoiled = true;
                is_fresh |= lasts(spoiled());
            }
        }
        // A gap ends what was before it, but for the smoothing of a gap before.
        if harm == Harm::Reopens && now >= trouble.ended {
            break;
        }
        if harm == Harm::Gap && now >= trouble.ended + seconds(shadow(harm).map_or(0, |frames| frames.1)) {
            break;
        }
    }
    place.is_after_spoiled = is_spoiled && !is_fresh && place.shadowed == (false, false);
    place.shadowed.0 |= is_spoiled;
    place.shadowed.1 |= is_spoiled;
    place
}

/// Compares; `clean` and `faulty` are in the order of time.
pub(super) fn compare(clean: &[Said], faulty: &[Said], troubles: &[Trouble]) -> Comparison {
    // A fault may be told at the index of the verdict before it.
    let judged = faulty.iter().filter(|verdict| verdict.judges());
    let said: HashMap<u64, Said> = judged.map(|verdict| (verdict.at, *verdict)).collect();
    let mut found = Comparison::default();
    for verdict in clean.iter().filter(|verdict| verdict.judges()) {
        let now = f64::from(verdict.world);
        let place = place(troubles, now);
        let other = said.get(&verdict.at);
        // Who knew that it was silent before an overrun computes nothing until there is a window of sound: nothing to compare.
        if let Some(other) =
            other.filter(|other| verdict.is_scored() && other.is_scored() && !place.shadowed.0)
        {
            found.scored += 1;
            if other.scores != verdict.scores {
                found.other_scores.push((now, *verdict, *other));
            }
        }
        let differs = !other.is_some_and(|other| other.agrees(verdict));
        if place.is_after_spoiled {
            found.after_spoiled.0 += 1;
            found.after_spoiled.1 += u64::from(differs);
        } else if place.shadowed.1 {
            found.shadowed += 1;
        } else {
            found.outside += 1;
            if differs {
                found.different.push((now, *verdict, other.copied()));
            }
        }
    }
    found
}

/// For each fault that harms the sound: seconds from sound's being back to the first verdict about it that is the clean run's.
pub(super) fn recoveries(clean: &[Said], faulty: &[Said], troubles: &[Trouble]) -> Vec<(Trouble, f64)> {
    let right: HashMap<u64, Said> = clean.iter().map(|verdict| (verdict.at, *verdict)).collect();
    let harmful = troubles.iter().filter(|trouble| trouble.event.fault.harm() != Harm::None);
    harmful
        .filter_map(|trouble| {
            let first = faulty.partition_point(|verdict| f64::from(verdict.world) <= trouble.ended);
            let agrees = |verdict: &&Said| right.get(&verdict.at).is_some_and(|right| right.agrees(verdict));
            let back = faulty[first..].iter().filter(|verdict| verdict.judges()).find(agrees)?;
            Some((*trouble, f64::from(back.world) - trouble.ended))
        })
        .collect()
}
