//! Accuracy, precision, recall, F1 and the confusion matrix, each from counts alone.

use super::interval::{self, Interval};

/// True labels against arg-maxes: rows are truths, columns what the model said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Confusion(Vec<Vec<u32>>);

/// Precision, recall and F1, 0–1; 0 where nothing was claimed or found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Quality {
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) f1: f64,
}

impl Confusion {
    pub(super) fn new(labels: usize) -> Self {
        Self(vec![vec![0; labels]; labels])
    }

    pub(super) fn count(&mut self, truth: u8, verdict: u8) {
        self.0[usize::from(truth)][usize::from(verdict)] += 1;
    }

    pub(super) fn rows(&self) -> &[Vec<u32>] {
        &self.0
    }

    pub(super) fn total(&self) -> u32 {
        self.0.iter().flatten().sum()
    }

    pub(super) fn accuracy(&self) -> f64 {
        let hits: u32 = (0..self.0.len()).map(|label| self.0[label][label]).sum();
        f64::from(hits) / f64::from(self.total().max(1))
    }

    /// How many there are of a true label.
    pub(super) fn truths(&self, label: usize) -> u32 {
        self.0[label].iter().sum()
    }

    pub(super) fn quality(&self, label: usize) -> Quality {
        let hits = f64::from(self.0[label][label]);
        let truths = f64::from(self.truths(label));
        let claims = f64::from(self.0.iter().map(|row| row[label]).sum::<u32>());
        let share = |part: f64, whole: f64| part / whole.max(1.0);
        Quality {
            precision: share(hits, claims),
            recall: share(hits, truths),
            f1: share(2.0 * hits, truths + claims),
        }
    }

    /// The mean over the labels that the data holds; one that it doesn't hold has no recall.
    pub(super) fn macro_quality(&self) -> Quality {
        let held: Vec<Quality> = (0..self.0.len())
            .filter(|&label| self.truths(label) > 0)
            .map(|label| self.quality(label))
            .collect();
        let mean = |pick: fn(&Quality) -> f64| held.iter().map(pick).sum::<f64>() / held.len().max(1) as f64;
        Quality { precision: mean(|q| q.precision), recall: mean(|q| q.recall), f1: mean(|q| q.f1) }
    }
}

/// Everything about one kind of thing that is judged: excerpts or tracks.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) confusion: Confusion,
    pub(super) interval: Interval,
}

impl Figures {
    /// `tracks` gives each track's truth, and what was said of each thing in it.
    pub(super) fn of(labels: usize, tracks: impl Iterator<Item = (u8, Vec<u8>)>) -> Self {
        let mut confusion = Confusion::new(labels);
        let mut counts = Vec::new();
        for (truth, verdicts) in tracks {
            let mut count = interval::Count { of: 0, hits: 0 };
            for verdict in verdicts {
                confusion.count(truth, verdict);
                count.of += 1;
                count.hits += u32::from(verdict == truth);
            }
            counts.push(count);
        }
        Self { confusion, interval: interval::of(&counts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three labels, the third never true: rows (2 1 0), (1 1 2).
    fn example() -> Confusion {
        let mut confusion = Confusion::new(3);
        for (truth, verdict) in [(0, 0), (0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 2)] {
            confusion.count(truth, verdict);
        }
        confusion
    }

    fn near(a: Quality, b: [f64; 3]) -> bool {
        [a.precision, a.recall, a.f1].iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn quality_is_that_of_the_counts() {
        let confusion = example();
        assert!((confusion.accuracy() - 3.0 / 7.0).abs() < 1e-12);
        // Hits 2 of 3 claims and 3 truths; hits 1 of 2 claims and 4 truths; hits 0 of 2 claims.
        assert!(near(confusion.quality(0), [2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0]));
        assert!(near(confusion.quality(1), [0.5, 0.25, 1.0 / 3.0]));
        assert!(near(confusion.quality(2), [0.0, 0.0, 0.0]));
        assert_eq!(confusion.truths(2), 0);
    }

    #[test]
    fn macro_averages_weigh_labels_alike_and_leave_out_those_without_truths() {
        assert!(near(example().macro_quality(), [7.0 / 12.0, 11.0 / 24.0, 0.5]));
        assert!(near(Confusion::new(2).macro_quality(), [0.0, 0.0, 0.0]));
    }

    #[test]
    fn figures_count_things_and_keep_them_by_track() {
        let figures = Figures::of(2, [(0, vec![0, 1]), (1, vec![1, 1])].into_iter());
        assert_eq!(figures.confusion.rows(), [[1, 1], [0, 2]]);
        // Two tracks of 1/2 and 2/2: resampled, from 0.5 to 1.
        assert_eq!(figures.interval, [0.5, 1.0]);
    }
}
