//! Whether a stated confidence is kept: of excerpts shown with 70 %, seven of ten should be right.
//!
//! The expected calibration error (Guo et al. 2017, section 2) in bins of equal mass: the mean distance between a bin's
//! mean confidence and its accuracy. It is above zero by chance alone, the more so the fewer excerpts there are; so what
//! a perfect model would get stands beside it: outcomes drawn from the stated confidences themselves.

use harmonynet::capture::SplitMix64;

/// Bins, each with as many excerpts as the others, give or take one.
pub(super) const BINS: usize = 10;
/// Times that a perfect model's outcomes are drawn.
pub(super) const DRAWS: u32 = 1000;
/// Seed of the draws.
pub(super) const SEED: u64 = 1;

/// One bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bin {
    pub(super) excerpts: usize,
    /// Mean stated confidence.
    pub(super) confidence: f64,
    /// Share that was right.
    pub(super) accuracy: f64,
}

/// The calibration of a set of excerpts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calibration {
    /// Expected calibration error.
    pub(super) ece: f64,
    /// The mean error of a model whose confidences are exactly right, on as many excerpts.
    pub(super) chance: f64,
    pub(super) bins: Vec<Bin>,
}

/// Of excerpts given as confidence and whether it was right.
pub(super) fn of(excerpts: &[(f32, bool)]) -> Calibration {
    let mut sorted = excerpts.to_vec();
    // Equal confidences keep their order, which is that of the tracks.
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let confidences: Vec<f64> = sorted.iter().map(|excerpt| f64::from(excerpt.0)).collect();
    let bins = bins(&confidences, |excerpt| sorted[excerpt].1);
    let mut random = SplitMix64::new(SEED);
    let chance: f64 = (0..DRAWS)
        .map(|_| error(&self::bins(&confidences, |excerpt| random.unit() < confidences[excerpt])))
        .sum();
    Calibration { ece: error(&bins), chance: chance / f64::from(DRAWS), bins }
}

fn bins(confidences: &[f64], mut right: impl FnMut(usize) -> bool) -> Vec<Bin> {
    let edge = |bin: usize| bin * confidences.len() / BINS;
    (0..BINS)
        .map(|bin| edge(bin)..edge(bin + 1))
        .filter(|range| !range.is_empty())
        .map(|range| {
            let excerpts = range.len();
            let confidence: f64 = confidences[range.clone()].iter().sum();
            let hits = range.filter(|&excerpt| right(excerpt)).count();
            Bin {
                excerpts,
                confidence: confidence / excerpts as f64,
                accuracy: hits as f64 / excerpts as f64,
            }
        })
        .collect()
}

fn error(bins: &[Bin]) -> f64 {
    let excerpts: usize = bins.iter().map(|bin| bin.excerpts).sum();
    let off: f64 = bins.iter().map(|bin| bin.excerpts as f64 * (bin.confidence - bin.accuracy).abs()).sum();
    off / excerpts.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_the_mean_distance_of_bins() {
        // Twenty excerpts, two to a bin: ten at 0.5 of which every other is right, ten at 0.9 of which none is.
        let mut excerpts: Vec<(f32, bool)> = (0..10).map(|i| (0.9, i > 99)).collect();
        excerpts.extend((0..10).map(|i| (0.5, i % 2 == 0)));
        let calibration = of(&excerpts);
        assert_eq!(calibration.bins.len(), 10);
        assert_eq!(calibration.bins[0], Bin { excerpts: 2, confidence: 0.5, accuracy: 0.5 });
        assert!((calibration.ece - 0.45).abs() < 1e-6, "{}", calibration.ece);
    }

    #[test]
    fn certainty_that_is_kept_has_no_error_and_no_chance() {
        let calibration = of(&[(1.0, true); 37]);
        assert_eq!((calibration.ece, calibration.chance), (0.0, 0.0));
        assert_eq!(calibration.bins.iter().map(|bin| bin.excerpts).sum::<usize>(), 37);
        assert!(calibration.bins.iter().all(|bin| matches!(bin.excerpts, 3 | 4)));
    }

    #[test]
    fn a_coins_chance_level_is_that_of_the_binomial_distribution() {
        // A bin of n tosses is off by √(2 / πn) / 2 in the mean: 0.0399 for 100.
        let coin: Vec<(f32, bool)> = (0..1000).map(|i| (0.5, i % 2 == 0)).collect();
        let calibration = of(&coin);
        assert_eq!(calibration.ece, 0.0);
        assert!((calibration.chance - 0.0399).abs() < 0.002, "{}", calibration.chance);
    }

    #[test]
    fn few_excerpts_make_few_bins() {
        assert_eq!(of(&[(0.25, false); 3]).bins.len(), 3);
        assert_eq!(of(&[]), Calibration { ece: 0.0, chance: 0.0, bins: vec![] });
    }
}
