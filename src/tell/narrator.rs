//! Turns what is shown into what is told: every verdict, and what changed by it.

use super::schema::{Change, Condition, Event, FaultReport, Text, Verdict};
use crate::flow::{Fault, Label, SampleIndex, Scene, State};

/// Remembers what was told last.
#[derive(Clone, Debug, Default)]
pub(super) struct Narrator {
    told: Option<Told>,
}

#[derive(Clone, Debug)]
struct Told {
    state: Condition,
    genre: Option<Label>,
    fault: Option<Fault>,
    since: SampleIndex,
}

impl Narrator {
    /// The events that a verdict makes, in their order.
    pub(super) fn verdict(&mut self, scene: &Scene, mut tell: impl FnMut(Event)) {
        let verdict = Verdict::of(scene);
        let fault = verdict.fault;
        let genre = verdict.genre.clone().filter(|_| verdict.state == Condition::Genre);
        let is_news = self
            .told
            .as_ref()
            .is_none_or(|told| (told.state, &told.genre, told.fault) != (verdict.state, &genre, fault));
        if is_news {
            let before = self.told.as_ref().map_or(Condition::Listening, |told| told.state);
            let since = self.told.as_ref().map_or(0, |told| told.since);
            tell(Event::Change(Change {
                at: scene.at,
                before,
                state: verdict.state,
                genre: verdict.genre.clone(),
                held: scene.at.saturating_sub(since),
            }));
            self.told = Some(Told { state: verdict.state, genre, fault, since: scene.at });
            if let State::Fault { fault } = scene.state {
                tell(Event::Fault(report(scene.at, fault)));
            }
        }
        tell(Event::Verdict(verdict));
    }
}

fn report(at: SampleIndex, fault: Fault) -> FaultReport {
    FaultReport { at, fault, text: cut(&fault.to_string()), mend: cut(fault.mend()) }
}

/// As much of a text as fits.
pub(super) fn cut<const N: usize>(text: &str) -> Text<N> {
    let mut short = Text::new();
    for c in text.chars() {
        if short.push(c).is_err() {
            break;
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(at: u64, state: State, label: &str) -> Scene {
        Scene { at, state, label: label.try_into().unwrap(), ..Scene::default() }
    }

    fn told(narrator: &mut Narrator, scene: &Scene) -> Vec<Event> {
        let mut events = Vec::new();
        narrator.verdict(scene, |event| events.push(event));
        events
    }

    #[test]
    fn a_change_is_told_once_and_before_its_verdict() {
        let mut narrator = Narrator::default();
        let jazz = |at, confidence| scene(at, State::Genre { label: 1, confidence }, "jazz");
        let first = told(&mut narrator, &jazz(1000, 0.9));
        assert_eq!(
            first[0],
            Event::Change(Change {
                at: 1000,
                before: Condition::Listening,
                state: Condition::Genre,
                genre: Some("jazz".try_into().unwrap()),
                held: 1000,
            })
        );
        assert!(matches!(&first[1..], [Event::Verdict(verdict)] if verdict.confidence == Some(0.9)));
        // Another confidence is no change, another genre is.
        assert_eq!(told(&mut narrator, &jazz(2000, 0.5)).len(), 1);
        let rock = scene(3000, State::Genre { label: 2, confidence: 0.5 }, "rock");
        assert!(matches!(&told(&mut narrator, &rock)[0], Event::Change(change) if change.held == 2000));
        // What is doubted may change without being a change of state.
        let doubt = |at, label| scene(at, State::Unsure { label: 1, confidence: 0.3 }, label);
        assert_eq!(told(&mut narrator, &doubt(4000, "jazz")).len(), 2);
        assert_eq!(told(&mut narrator, &doubt(5000, "rock")).len(), 1);
    }

    #[test]
    fn a_fault_comes_with_its_mend_and_one_fault_after_another_too() {
        let mut narrator = Narrator::default();
        for (at, fault) in [(10, Fault::MicrophoneLost), (20, Fault::MicrophoneBusy)] {
            let events = told(&mut narrator, &scene(at, State::Fault { fault }, ""));
            assert!(matches!(&events[..], [Event::Change(_), Event::Fault(report), Event::Verdict(_)]
                if report.fault == fault && report.mend == fault.mend()));
        }
        let same = scene(30, State::Fault { fault: Fault::MicrophoneBusy }, "");
        assert_eq!(told(&mut narrator, &same).len(), 1);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut::<5>("größer"), "grö");
        assert_eq!(cut::<9>("größer"), "größer");
    }
}
