//! Scores → verdicts: what the device believes, said calmly.
//!
//! A classifier judges each window by itself; shown raw, its opinion would flicker between neighbours such as blues
//! and jazz, and the noise of an empty room would get a genre. This stage remembers, waits and admits doubt. It is
//! pure: no clock, no allocation, time is the sample index of what it is told, so the same events always give the same
//! verdicts. It knows no label's name. A recording as a whole is judged by [`Overall`].
//!
//! **Precedence.** Fault, then silence, then listening, then unsure or genre.
//!
//! **Smoothing.** Log-probabilities, floored at [`Policy::floor`], run through an exponential average whose weights
//! depend on the time between scores, not on their number: other verdict periods behave alike. The confidence of a
//! label is its share of the smoothed distribution (the normalized geometric mean of the windows' probabilities).
//!
//! **Choosing.** The label on show gives way when another one is [`Policy::lead`] times as likely at every verdict for
//! [`Policy::settle_samples`], and a genre stays for at least [`Policy::hold_samples`], also against doubt. A genre
//! turns unsure below `unsure_below − unsure_hysteresis` and comes back at `unsure_below`.
//!
//! **Silence.** [`Policy::silence_after_samples`] of frames below [`Policy::silence_dbfs`] are silence; what was
//! believed is forgotten. A shorter rest belongs to the music and is judged with it. When sound comes back the state is
//! listening until a whole window of sound was heard: scores of windows that still hold silence are ignored.
//!
//! **Gaps.** Lost samples empty the window, so the state is listening until it is full again. The smoothed belief isn't
//! thrown away but ages: after a lost period it weighs `exp(−t / memory)`, 14 % after the 3.9 s that the window takes
//! to fill, and nothing after a long gap. A microphone that went away and came back starts from nothing.
//!
//! # How fast, how steady
//! With the default policy and a verdict every 24 frames (0.557 s, window 3.88 s):
//!
//! | the music | verdicts | at most |
//! | --- | --- | --- |
//! | begins: first genre or unsure | 1 | 4.44 s |
//! | changes; old and new genre in their time 10 times as likely as the other | 5 | 6.66 s |
//! | changes; old genre as certain as the floor allows (1000 times), new one 10 times | 7 | 7.78 s |
//! | stops: silence | – | 1.58 s |
//!
//! Verdicts count from the first window that holds nothing of the old music; the seconds take for granted that every
//! window with a rest of it (3.88 s) still votes for it, and that the music changes just after a verdict: more than is
//! usual. Where a third label is likely too, doubt may come in between. In general, `n` verdicts of period `T`, with `D`
//! the old lead and `d` the new one (natural logarithms of the ratios): the least `n` for which
//! `exp(−n·T / memory) ≤ (d − ln lead) / (D + d)`, plus those that `settle` takes.
//!
//! Whatever the scores: the genre changes at most once per `hold`; scores in which no label is ever `lead` times as
//! likely as the one on show never change it; one absurd window doesn't change a belief of 10 to 1. The tests hold
//! this table and these promises to their word.

mod belief;
mod choice;
mod hush;
mod overall;
mod policy;
#[cfg(test)]
mod tests;

pub use overall::Overall;
pub use policy::{Policy, PolicyError};

use self::belief::Belief;
use self::choice::Choice;
use self::hush::{Hush, Turn};
use crate::flow::{Fault, Labels, Level, SampleIndex, Scene, Scores, State, Verdict};
use crate::spec::{MAX_LABELS, WINDOW_SAMPLES};

/// The state of deciding: takes events in the order of their sample index, gives verdicts.
///
/// Events that come with scores always give a verdict; the others give one where they change the state.
#[derive(Clone, Debug)]
pub struct Decider {
    policy: Policy,
    labels: usize,
    belief: Belief,
    choice: Option<Choice>,
    hush: Hush,
    /// First sample of unbroken sound: the window is filled from here.
    sound_since: SampleIndex,
    microphone: Option<Fault>,
    classifier_failed: bool,
    at: SampleIndex,
    level: Level,
    /// The state of the last verdict.
    said: State,
}

impl Decider {
    /// A decider at sample index 0, listening, for a model of `labels` labels.
    ///
    /// # Errors
    /// The policy's field that is out of range; `labels` where a model cannot have that many.
    pub fn new(policy: Policy, labels: usize) -> Result<Self, PolicyError> {
        policy.validate()?;
        if !(2..=MAX_LABELS).contains(&labels) {
            return Err(PolicyError { field: "labels", value: labels as f32, allowed: "2 to 32" });
        }
        Ok(Self {
            hush: Hush::new(&policy),
            policy,
            labels,
            belief: Belief::new(labels),
            choice: None,
            sound_since: 0,
            microphone: None,
            classifier_failed: false,
            at: 0,
            level: Level::SILENCE,
            said: State::Listening,
        })
    }

    /// The policy that this decider follows.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Takes the level of the frame that ends at `at`.
    pub fn level(&mut self, at: SampleIndex, level: Level) -> Option<Verdict> {
        self.level = level;
        match self.hush.push(&self.policy, at, level) {
            Some(Turn::Silent) => {
                self.belief.forget();
                self.choice = None;
            }
            Some(Turn::Sounding { since }) => {
                self.sound_since = self.sound_since.max(since.saturating_sub(WINDOW_SAMPLES as u64));
            }
            None => {}
        }
        self.changed(at)
    }

    /// Takes the scores of one window. Scores that are not probabilities, one per label, are
    /// [`Fault::Classifier`] until the next good ones.
    pub fn scores(&mut self, scores: &Scores) -> Verdict {
        self.classifier_failed = !self.sound(scores);
        if !self.classifier_failed && self.wanted(scores.end) {
            self.belief.push(&self.policy, scores);
            let choice = self.choice.take();
            self.choice = Some(Choice::next(choice, &self.policy, &self.belief, scores.end));
        }
        self.say(scores.end)
    }

    /// Samples were lost directly before `at`: the window fills anew from there.
    pub fn gap(&mut self, at: SampleIndex) -> Option<Verdict> {
        self.restart_window(at);
        self.changed(at)
    }

    /// Something broke. [`Fault::Classifier`] lasts until the next good scores, every other one until
    /// [`mended`](Self::mended).
    pub fn fault(&mut self, at: SampleIndex, fault: Fault) -> Option<Verdict> {
        if fault == Fault::Classifier {
            self.classifier_failed = true;
        } else {
            self.microphone = Some(fault);
            self.belief.forget();
            self.restart_window(at);
        }
        self.changed(at)
    }

    /// The microphone delivers again, from sample `at` on.
    pub fn mended(&mut self, at: SampleIndex) -> Option<Verdict> {
        if self.microphone.take().is_some() {
            self.hush = Hush::new(&self.policy);
            self.restart_window(at);
        }
        self.changed(at)
    }

    /// What is believed now.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict { at: self.at, state: self.state() }
    }

    /// How full of sound the window is, 0–1; 1 while there is a genre or doubt about one.
    #[must_use]
    pub fn window_fill(&self) -> f32 {
        if self.choice.is_some() {
            return 1.0;
        }
        if self.hush.silent() || self.microphone.is_some() {
            return 0.0;
        }
        let filled = self.at.saturating_sub(self.sound_since).min(u64::from(self.policy.window_samples));
        filled as f32 / self.policy.window_samples as f32
    }

    /// Everything that a display needs at this moment. `labels` are the model's.
    #[must_use]
    pub fn scene(&self, labels: &Labels) -> Scene {
        let state = self.state();
        let label = match state {
            State::Genre { label, .. } | State::Unsure { label, .. } => {
                labels.get(usize::from(label)).cloned()
            }
            _ => None,
        };
        Scene {
            at: self.at,
            state,
            label: label.unwrap_or_default(),
            level: self.level,
            window_fill: self.window_fill(),
        }
    }

    fn state(&self) -> State {
        if let Some(fault) = self.microphone {
            return State::Fault { fault };
        }
        if self.classifier_failed {
            return State::Fault { fault: Fault::Classifier };
        }
        if self.hush.silent() {
            return State::Silence;
        }
        self.choice.as_ref().map_or(State::Listening, Choice::state)
    }

    /// Whether the scores are probabilities, one per label; a thousandth of rounding is allowed for.
    fn sound(&self, scores: &Scores) -> bool {
        scores.probabilities.len() == self.labels
            && scores.probabilities.iter().all(|p| (-0.001..=1.001).contains(p))
    }

    /// Whether scores of a window that ends at `end` count: it holds sound alone, without a gap.
    fn wanted(&self, end: SampleIndex) -> bool {
        self.microphone.is_none()
            && !self.hush.silent()
            && end >= self.sound_since + u64::from(self.policy.window_samples)
    }

    fn restart_window(&mut self, at: SampleIndex) {
        self.sound_since = at;
        self.choice = None;
    }

    fn changed(&mut self, at: SampleIndex) -> Option<Verdict> {
        let before = self.said;
        let verdict = self.say(at);
        (verdict.state != before).then_some(verdict)
    }

    fn say(&mut self, at: SampleIndex) -> Verdict {
        self.at = self.at.max(at);
        self.said = self.state();
        self.verdict()
    }
}
