//! How far an accuracy might be off: a bootstrap by track.
//!
//! Excerpts of one track are alike, so that thousands of them say no more than their hundreds of tracks do. Tracks are
//! drawn anew with replacement (Efron and Tibshirani 1993, chapter 13: percentile interval), with all of their excerpts.

use harmonynet::capture::SplitMix64;

/// Times that the tracks are drawn anew.
pub(super) const RESAMPLES: usize = 10_000;
/// Seed of the draws.
pub(super) const SEED: u64 = 1;

/// Lower and upper end of a 95 % interval.
pub(super) type Interval = [f64; 2];

/// The things of one track, and how many of them were right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count {
    pub(super) of: u32,
    pub(super) hits: u32,
}

/// The interval of the accuracy over all things of `tracks`; 0 to 1 where there are none.
pub(super) fn of(tracks: &[Count]) -> Interval {
    if tracks.iter().all(|track| track.of == 0) {
        return [0.0, 1.0];
    }
    let mut random = SplitMix64::new(SEED);
    let mut accuracies: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let (mut of, mut hits) = (0, 0);
            for _ in tracks {
                let track = tracks[random.below(tracks.len())];
                of += u64::from(track.of);
                hits += u64::from(track.hits);
            }
            hits as f64 / of.max(1) as f64
        })
        .collect();
    accuracies.sort_by(f64::total_cmp);
    // As many lie beyond one end as beyond the other: 2.5 %.
    let beyond = RESAMPLES / 40;
    [accuracies[beyond - 1], accuracies[RESAMPLES - beyond]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_tracks_leave_no_doubt() {
        assert_eq!(of(&[Count { of: 4, hits: 3 }; 9]), [0.75, 0.75]);
        assert_eq!(of(&[Count { of: 13, hits: 13 }]), [1.0, 1.0]);
        assert_eq!(of(&[]), [0.0, 1.0]);
    }

    #[test]
    fn many_tracks_of_one_thing_agree_with_the_binomial_distribution() {
        let tracks: Vec<Count> = (0..400).map(|i| Count { of: 1, hits: u32::from(i % 4 != 0) }).collect();
        let [low, high] = of(&tracks);
        // 1.96 standard errors of 0.75 over 400, and half a step of the quantile.
        let half = 1.96 * (0.75_f64 * 0.25 / 400.0).sqrt();
        assert!((low - (0.75 - half)).abs() < 0.004 && (high - (0.75 + half)).abs() < 0.004, "{low} {high}");
    }

    #[test]
    fn excerpts_of_one_track_count_as_one_opinion() {
        let half_right: Vec<Count> = (0..40).map(|i| Count { of: 13, hits: 13 * (i % 2) }).collect();
        let [low, high] = of(&half_right);
        let half = 1.96 * (0.25_f64 / 40.0).sqrt();
        assert!((low - (0.5 - half)).abs() < 0.03 && (high - (0.5 + half)).abs() < 0.03, "{low} {high}");
    }
}
