//! The scores of a whole recording.

use crate::flow::Scores;
use crate::spec::MAX_LABELS;

/// Averages the scores of a recording's windows: the normalized geometric mean of their probabilities.
///
/// Each window counts alike; probabilities below the floor count as the floor, so that one absurd window cannot rule a
/// label out. Unlike [`Decider`](super::Decider) it forgets nothing: a recording has one genre.
#[derive(Clone, Debug)]
pub struct Overall {
    logs: heapless::Vec<f32, MAX_LABELS>,
    windows: u32,
    end: u64,
    floor: f32,
}

impl Overall {
    /// No windows yet. `floor` is the least probability that counts, above 0: see [`Policy::floor`](super::Policy::floor).
    #[must_use]
    pub fn new(floor: f32) -> Self {
        Self { logs: heapless::Vec::new(), windows: 0, end: 0, floor }
    }

    /// Takes one window's scores. All windows must have the same number of labels.
    pub fn push(&mut self, scores: &Scores) {
        if self.windows == 0 {
            // Both have the same capacity.
            let _ = self.logs.resize(scores.probabilities.len(), 0.0);
        }
        for (log, p) in self.logs.iter_mut().zip(&scores.probabilities) {
            *log += libm::logf(p.clamp(self.floor, 1.0));
        }
        self.windows += 1;
        self.end = scores.end;
    }

    /// The windows taken.
    #[must_use]
    pub fn windows(&self) -> u32 {
        self.windows
    }

    /// The recording's scores, which sum to 1; `None` before the first window.
    #[must_use]
    pub fn scores(&self) -> Option<Scores> {
        let highest = self.logs.iter().copied().reduce(f32::max)?;
        let windows = self.windows as f32;
        let mut probabilities: heapless::Vec<f32, MAX_LABELS> =
            self.logs.iter().map(|log| libm::expf((log - highest) / windows)).collect();
        // The highest term is 1.
        let sum: f32 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|p| *p /= sum);
        Some(Scores { end: self.end, probabilities })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(end: u64, probabilities: [f32; 3]) -> Scores {
        Scores { end, probabilities: probabilities.into_iter().collect() }
    }

    #[test]
    fn is_the_normalized_geometric_mean() {
        let mut overall = Overall::new(1e-3);
        assert_eq!(overall.scores(), None);
        overall.push(&scores(10, [0.5, 0.3, 0.2]));
        overall.push(&scores(20, [0.1, 0.8, 0.1]));
        let exact = [0.05_f32.sqrt(), 0.24_f32.sqrt(), 0.02_f32.sqrt()];
        let sum: f32 = exact.iter().sum();
        let mean = overall.scores().unwrap();
        assert_eq!((mean.end, overall.windows()), (20, 2));
        for (got, exact) in mean.probabilities.iter().zip(exact) {
            assert!((got - exact / sum).abs() < 1e-6, "{got} against {}", exact / sum);
        }
    }

    #[test]
    fn one_absurd_window_rules_nothing_out() {
        let mut overall = Overall::new(1e-3);
        (0..9).for_each(|_| overall.push(&scores(0, [0.9, 0.05, 0.05])));
        overall.push(&scores(0, [0.0, 1.0, 0.0]));
        assert!(overall.scores().unwrap().probabilities[0] > 0.8);
    }
}
