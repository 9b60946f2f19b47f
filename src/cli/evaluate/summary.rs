//! What was said of every track, added up. Nothing here can be traced back to one track.

use std::collections::BTreeMap;

use super::calibration::{self, Calibration};
use super::figures::Figures;
use super::interval::Count;
use super::judge::{Heard, Judged};

/// The figures of the first condition.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) labels: Vec<String>,
    pub(super) excerpt: Figures,
    pub(super) track: Figures,
    /// How many tracks there are with this many excerpts and hits.
    pub(super) hits: BTreeMap<Count, u32>,
    /// Of the arg-max's confidence, on all excerpts.
    pub(super) calibration: Calibration,
    pub(super) shown: Shown,
}

/// What a device shows of the excerpts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    /// Share of excerpts that are shown as a genre.
    pub(super) share: f64,
    /// Share of these that are right.
    pub(super) accuracy: f64,
}

/// Another condition beside the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Beside {
    /// Accuracy by excerpt and by track.
    pub(super) excerpt: f64,
    pub(super) track: f64,
    /// Share of excerpts with the first condition's verdict, of those that both have.
    pub(super) agreement: f64,
}

impl Summary {
    pub(super) fn new(labels: Vec<String>, judged: &[Judged]) -> Self {
        let first = || judged.iter().filter_map(|track| Some((track.label, track.heard.first()?)));
        let (mut hits, mut confidences) = (BTreeMap::new(), Vec::new());
        let (mut shown, mut shown_right) = (0_u32, 0_u32);
        for (truth, heard) in first() {
            let mut count = Count { of: 0, hits: 0 };
            for excerpt in &heard.excerpts {
                let right = excerpt.verdict == truth;
                count = Count { of: count.of + 1, hits: count.hits + u32::from(right) };
                confidences.push((excerpt.confidence, right));
                shown += u32::from(excerpt.shown);
                shown_right += u32::from(excerpt.shown && right);
            }
            *hits.entry(count).or_default() += 1;
        }
        Self {
            excerpt: Figures::of(labels.len(), first().map(|(truth, heard)| (truth, verdicts(heard)))),
            track: Figures::of(labels.len(), first().map(|(truth, heard)| (truth, vec![heard.verdict]))),
            hits,
            shown: Shown {
                share: f64::from(shown) / confidences.len().max(1) as f64,
                accuracy: f64::from(shown_right) / f64::from(shown.max(1)),
            },
            calibration: calibration::of(&confidences),
            labels,
        }
    }
}

fn verdicts(heard: &Heard) -> Vec<u8> {
    heard.excerpts.iter().map(|excerpt| excerpt.verdict).collect()
}

impl Beside {
    /// Condition number `index` beside the first.
    pub(super) fn of(judged: &[Judged], index: usize) -> Self {
        let (mut excerpts, mut tracks, mut same) = (Share::default(), Share::default(), Share::default());
        for track in judged {
            let [first, own] = [&track.heard[0], &track.heard[index]];
            let of_first: BTreeMap<usize, u8> =
                first.excerpts.iter().map(|excerpt| (excerpt.index, excerpt.verdict)).collect();
            for excerpt in &own.excerpts {
                excerpts.count(excerpt.verdict == track.label);
                if let Some(verdict) = of_first.get(&excerpt.index) {
                    same.count(*verdict == excerpt.verdict);
                }
            }
            tracks.count(own.verdict == track.label);
        }
        Self { excerpt: excerpts.ratio(), track: tracks.ratio(), agreement: same.ratio() }
    }
}

/// A share of a number.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    of: u32,
    hits: u32,
}

impl Share {
    fn count(&mut self, hit: bool) {
        self.of += 1;
        self.hits += u32::from(hit);
    }

    fn ratio(self) -> f64 {
        f64::from(self.hits) / f64::from(self.of.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::judge::Excerpt;
    use super::*;

    /// Excerpts as (place, verdict, whether shown), each with a confidence of 0.5.
    fn heard(verdict: u8, excerpts: &[(usize, u8, bool)]) -> Heard {
        let excerpts = excerpts.iter().map(|&(index, verdict, shown)| Excerpt {
            index,
            verdict,
            confidence: 0.5,
            shown,
        });
        Heard { excerpts: excerpts.collect(), verdict }
    }

    fn example() -> Vec<Judged> {
        let a = vec![heard(0, &[(0, 0, true), (1, 0, false)]), heard(0, &[(0, 0, true), (1, 1, true)])];
        let b = vec![heard(2, &[(0, 2, true), (2, 2, true)]), heard(1, &[(0, 1, true), (1, 2, true)])];
        vec![Judged { name: "a".into(), label: 0, heard: a }, Judged { name: "b".into(), label: 1, heard: b }]
    }

    #[test]
    fn the_first_condition_is_summed_up() {
        let summary = Summary::new(["a", "b", "c"].map(String::from).to_vec(), &example());
        assert_eq!(summary.excerpt.confusion.rows(), [[2, 0, 0], [0, 0, 2], [0, 0, 0]]);
        assert_eq!(summary.track.confusion.rows(), [[1, 0, 0], [0, 0, 1], [0, 0, 0]]);
        assert_eq!((summary.excerpt.interval, summary.track.interval), ([0.0, 1.0], [0.0, 1.0]));
        assert_eq!(summary.shown, Shown { share: 0.75, accuracy: 1.0 / 3.0 });
        let counts = [(Count { of: 2, hits: 0 }, 1), (Count { of: 2, hits: 2 }, 1)];
        assert_eq!(summary.hits, BTreeMap::from(counts));
        assert_eq!(summary.calibration.bins.iter().map(|bin| bin.excerpts).sum::<usize>(), 4);
    }

    #[test]
    fn another_condition_is_compared_where_both_have_an_excerpt() {
        // Common places: 0 and 1 of the first track (same, other), 0 of the second (other).
        let beside = Beside::of(&example(), 1);
        assert_eq!((beside.excerpt, beside.track), (0.5, 1.0));
        assert!((beside.agreement - 1.0 / 3.0).abs() < 1e-12);
        let same = Beside::of(&example(), 0);
        assert_eq!((same.excerpt, same.track, same.agreement), (0.5, 0.5, 1.0));
    }
}
