//! From logits to a confidence that means what it says, and the confidence below which the device says "unsure".
//!
//! Both are chosen on validation windows of the int8 graph, since that is what the device runs. The probabilities are the
//! runtime's own softmax.

use harmonynet::classify::ClassifyError;
pub use harmonynet::classify::probability::softmax;

use crate::report::Confidence;

/// Index of the largest value.
#[must_use]
pub fn arg_max(values: &[f32]) -> usize {
    // Ties go to the first.
    (0..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Mean negative log-likelihood of the right labels, in nats.
#[must_use]
pub fn negative_log_likelihood(scored: &[(Vec<f32>, usize)], temperature: f32) -> f64 {
    let loss = |(logits, label): &(Vec<f32>, usize)| {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&z| f64::from((z - most) / temperature).exp()).sum();
        sum.ln() - f64::from((logits[*label] - most) / temperature)
    };
    scored.iter().map(loss).sum::<f64>() / scored.len().max(1) as f64
}

/// The temperature in [0.05, 20] with the least negative log-likelihood, by golden-section search over its logarithm.
///
/// The likelihood is concave in 1 / temperature, so it has one peak and the search finds it.
#[must_use]
pub fn fit_temperature(scored: &[(Vec<f32>, usize)]) -> f32 {
    let golden = (5f32.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (0.05f32.ln(), 20f32.ln());
    let loss = |log: f32| negative_log_likelihood(scored, log.exp());
    // 40 steps shrink the interval to 3e-8 of itself.
    for _ in 0..40 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if loss(left) <= loss(right) {
            high = right;
        } else {
            low = left;
        }
    }
    f32::midpoint(low, high).exp()
}

/// The largest multiple of 0.01 that at least `share` of the windows' confidences reach.
#[must_use]
pub fn threshold(confidences: &[f32], share: f64) -> f32 {
    let reached = |cents: &u8| {
        let limit = f32::from(*cents) / 100.0;
        confidences.iter().filter(|&&p| p >= limit).count() as f64 >= share * confidences.len() as f64
    };
    (0..=100).rev().find(reached).map_or(0.0, |cents| f32::from(cents) / 100.0)
}

/// What a threshold shows of labelled windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Share of the windows whose confidence reaches it.
    pub share: f64,
    /// Share of those that are right.
    pub accuracy: f64,
}

/// What is shown of windows, given as logits and right labels.
///
/// # Errors
/// Logits that the runtime makes no probabilities of.
pub fn shown(
    scored: &[(Vec<f32>, usize)],
    temperature: f32,
    unsure_below: f32,
) -> Result<Shown, ClassifyError> {
    let verdicts = verdicts(scored, temperature)?;
    let shown: Vec<bool> = verdicts.iter().filter(|v| v.0 >= unsure_below).map(|v| v.1).collect();
    let right = shown.iter().filter(|right| **right).count();
    Ok(Shown {
        share: shown.len() as f64 / verdicts.len().max(1) as f64,
        accuracy: right as f64 / shown.len().max(1) as f64,
    })
}

/// The confidence of each window, and whether it is right.
fn verdicts(scored: &[(Vec<f32>, usize)], temperature: f32) -> Result<Vec<(f32, bool)>, ClassifyError> {
    let verdict = |(logits, label): &(Vec<f32>, usize)| {
        let p = softmax(logits, temperature)?;
        Ok((p[arg_max(&p)], arg_max(&p) == *label))
    };
    scored.iter().map(verdict).collect()
}

/// Temperature and threshold for labelled windows of which a share of `show` must show a genre.
///
/// # Errors
/// Logits that the runtime makes no probabilities of.
pub fn of(scored: &[(Vec<f32>, usize)], show: f64) -> Result<Confidence, ClassifyError> {
    let temperature = fit_temperature(scored);
    let confidences: Vec<f32> = verdicts(scored, temperature)?.iter().map(|(p, _)| *p).collect();
    let unsure_below = threshold(&confidences, show);
    let shown = shown(scored, temperature, unsure_below)?;
    Ok(Confidence {
        temperature,
        nll_before: negative_log_likelihood(scored, 1.0),
        nll_after: negative_log_likelihood(scored, temperature),
        unsure_below,
        show,
        shown: shown.share,
        shown_accuracy: shown.accuracy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_temperature_undoes_overconfidence() {
        // Two labels, right seven times of ten: the likelihood peaks where the confidence is 0.7.
        let scored: Vec<_> = (0..10).map(|i| (vec![4.0, 0.0], usize::from(i >= 7))).collect();
        let temperature = fit_temperature(&scored);
        let confidence = softmax(&[4.0, 0.0], temperature).unwrap()[0];
        assert!((confidence - 0.7).abs() < 1e-3, "{temperature} {confidence}");
    }

    #[test]
    fn the_threshold_is_reached_by_the_share_and_the_next_is_not() {
        let confidences: Vec<f32> = (1..=100).map(|i| i as f32 / 100.0).collect();
        let limit = threshold(&confidences, 0.9);
        assert_eq!(limit, 0.11);
        assert_eq!(confidences.iter().filter(|&&p| p >= limit).count(), 90);
    }

    proptest! {
        #[test]
        fn no_temperature_is_better(logits in prop::collection::vec(prop::collection::vec(-3f32..3.0, 3), 5..20), other in 0.1f32..10.0) {
            let scored: Vec<_> = logits.into_iter().enumerate().map(|(i, z)| (z, i % 3)).collect();
            let fitted = negative_log_likelihood(&scored, fit_temperature(&scored));
            prop_assert!(fitted <= negative_log_likelihood(&scored, other) + 1e-5);
        }
    }
}
