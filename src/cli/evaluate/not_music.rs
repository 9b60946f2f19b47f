//! Sounds that are no music, through the same path: how many of their windows would be shown as a genre?
//!
//! Noise, hum and tones are computed; speech comes from espeak-ng, or from recordings in a folder. All of it is for judging:
//! neither training nor the choice of thresholds may hear these voices and seeds.

mod sounds;
mod speech;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, ensure};
use harmonynet::capture::Microphone;
use harmonynet::classify::engine::Form;
use harmonynet::flow::Labels;
use serde_json::{Value, json};

use self::speech::Speech;
use super::super::files;
use super::judge::Ears;

/// Kinds of sound, in the order of the table.
const KINDS: [&str; 6] = ["silence", "white noise", "pink noise", "hum", "tone", "speech"];

/// A sound, and what it is.
struct Sound {
    /// One of [`KINDS`].
    kind: &'static str,
    open: Box<dyn Fn() -> Result<Box<dyn Microphone>> + Sync>,
}

/// Windows of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
struct Count {
    windows: usize,
    /// Windows that a device would show as this label.
    shown: Vec<usize>,
}

impl Count {
    fn shown(&self) -> usize {
        self.shown.iter().sum()
    }

    fn share(&self) -> f64 {
        self.shown() as f64 / self.windows.max(1) as f64
    }

    fn add(&mut self, other: &Self) {
        self.windows += other.windows;
        self.shown.resize(self.shown.len().max(other.shown.len()), 0);
        self.shown.iter_mut().zip(&other.shown).for_each(|(sum, shown)| *sum += shown);
    }
}

/// The share of windows shown as a genre: a table, and an entry for the record. `recordings` holds speech; without it,
/// espeak-ng speaks.
pub(super) fn evaluate(
    ears: &Ears<'_>,
    form: Form,
    labels: &Labels,
    recordings: Option<&Path>,
    jobs: Option<usize>,
) -> Result<(String, Value)> {
    let speech = Speech::new(recordings)?;
    let mut sounds = sounds::all();
    sounds.extend(speech.sounds());
    let counts = count(ears, form, labels.len(), &sounds, jobs)?;
    let kinds: Vec<(&str, Count)> = KINDS
        .into_iter()
        .map(|kind| {
            let mut sum = Count::default();
            let own = sounds.iter().zip(&counts).filter(|(sound, _)| sound.kind == kind);
            own.for_each(|(_, count)| sum.add(count));
            (kind, sum)
        })
        .filter(|(_, count)| count.windows > 0)
        .collect();
    Ok((table(&kinds, labels, &speech), record(&kinds, &speech)))
}

/// What is shown of every sound, in the order of the sounds.
fn count(
    ears: &Ears<'_>,
    form: Form,
    labels: usize,
    sounds: &[Sound],
    jobs: Option<usize>,
) -> Result<Vec<Count>> {
    let counts = Mutex::new(vec![Count::default(); sounds.len()]);
    let items: Vec<(usize, &Sound)> = sounds.iter().enumerate().collect();
    let failed = files::in_parallel_with(
        &items,
        jobs,
        || ears.engine(form),
        |engine, (index, sound)| {
            let windows = ears.hear((sound.open)()?.as_mut(), engine)?;
            let mut count = Count { windows: windows.count, shown: vec![0; labels] };
            for (_, scores, loudest) in &windows.heard {
                if ears.shows(scores, *loudest) {
                    count.shown[usize::from(scores.leader().0)] += 1;
                }
            }
            if let Ok(mut counts) = counts.lock() {
                counts[*index] = count;
            }
            Ok(())
        },
    );
    ensure!(failed == 0, "{failed} sounds could not be judged");
    Ok(counts.into_inner().unwrap_or_default())
}

fn total(kinds: &[(&str, Count)]) -> Count {
    let mut total = Count::default();
    kinds.iter().for_each(|(_, count)| total.add(count));
    total
}

fn table(kinds: &[(&str, Count)], labels: &Labels, speech: &Speech) -> String {
    // Writing to a string cannot fail.
    let mut text = String::new();
    let _ = writeln!(text, "\n{:<14} {:>8} {:>8} {:>8}  mostly as", "not music", "windows", "shown", "share");
    for (kind, count) in kinds.iter().chain([&("in total", total(kinds))]) {
        let most = count.shown.iter().zip(labels).max_by_key(|(shown, _)| **shown);
        let most = most.filter(|(shown, _)| **shown > 0).map_or("", |(_, label)| label.as_str());
        let (windows, shown, share) = (count.windows, count.shown(), count.share());
        let _ = writeln!(text, "{kind:<14} {windows:>8} {shown:>8} {share:>8.4}  {most}");
    }
    let _ = writeln!(text, "speech: {speech}");
    text
}

fn record(kinds: &[(&str, Count)], speech: &Speech) -> Value {
    let entry =
        |count: &Count| json!({ "windows": count.windows, "shown": count.shown(), "share": count.share() });
    let mut record = entry(&total(kinds));
    let kinds = kinds.iter().map(|(kind, count)| {
        let mut entry = entry(count);
        entry["kind"] = json!(kind);
        entry
    });
    record["kinds"] = kinds.collect();
    record["speech"] = json!(speech.to_string());
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use harmonynet::flow::Label;

    #[test]
    fn kinds_add_up() {
        let labels: Labels = ["a", "b"].into_iter().map(|label| Label::try_from(label).unwrap()).collect();
        let count = |windows, shown: [usize; 2]| Count { windows, shown: shown.to_vec() };
        let kinds = [("hum", count(8, [1, 3])), ("tone", count(12, [1, 0]))];
        let total = total(&kinds);
        assert_eq!((total.windows, total.shown(), total.share()), (20, 5, 0.25));
        let table = table(&kinds, &labels, &Speech::None);
        assert!(table.contains("hum                   8        4   0.5000  b\n"), "{table}");
        assert!(table.contains("in total             20        5   0.2500  b\n"), "{table}");
        let record = record(&kinds, &Speech::None);
        assert_eq!(
            (record["share"].as_f64(), record["kinds"][1]["windows"].as_u64()),
            (Some(0.25), Some(12))
        );
    }
}
