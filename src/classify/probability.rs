//! Logits → calibrated probabilities. Nothing here allocates.

use super::ClassifyError;
use crate::spec::MAX_LABELS;

/// One probability per label, in the model's label order.
pub type Probabilities = heapless::Vec<f32, MAX_LABELS>;

/// `softmax(logits / temperature)`, computed on differences to the largest logit so that no exponent overflows.
///
/// A temperature above 1 spreads the probabilities, below 1 it sharpens them (Guo et al., *On Calibration of Modern
/// Neural Networks*, 2017, section 4.2); it never changes which label is the likeliest.
///
/// # Errors
/// [`ClassifyError::NotFinite`] where a logit is infinite or not a number, or `temperature` is not above zero;
/// [`ClassifyError::Engine`] where there are no logits or more than [`MAX_LABELS`].
pub fn softmax(logits: &[f32], temperature: f32) -> Result<Probabilities, ClassifyError> {
    if logits.is_empty() {
        return Err(ClassifyError::Engine);
    }
    if !(temperature.is_finite() && temperature > 0.0) || logits.iter().any(|logit| !logit.is_finite()) {
        return Err(ClassifyError::NotFinite);
    }
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut out = Probabilities::new();
    let mut sum = 0.0;
    for logit in logits {
        // Never above 1, and exactly 1 for the largest, so the sum lies between 1 and the number of labels.
        let weight = libm::expf((logit - largest) / temperature);
        sum += weight;
        out.push(weight).map_err(|_| ClassifyError::Engine)?;
    }
    for weight in &mut out {
        *weight /= sum;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook form in f64.
    fn textbook(logits: &[f32], temperature: f32) -> Vec<f64> {
        let exps: Vec<f64> = logits.iter().map(|l| (f64::from(*l) / f64::from(temperature)).exp()).collect();
        let sum: f64 = exps.iter().sum();
        exps.iter().map(|e| e / sum).collect()
    }

    proptest! {
        /// A quotient of at most 40 carries half an f32 ulp, 2e-6, into the exponent; twice that after the division.
        #[test]
        fn agrees_with_the_textbook(
            logits in proptest::collection::vec(-20.0f32..20.0, 1..=MAX_LABELS),
            temperature in 1.0f32..8.0,
        ) {
            let ours = softmax(&logits, temperature).unwrap();
            for (a, b) in ours.iter().zip(textbook(&logits, temperature)) {
                prop_assert!((f64::from(*a) - b).abs() <= 4e-6, "{a} instead of {b}");
            }
            let sum: f32 = ours.iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        assert_eq!(softmax(&[f32::MAX, f32::MIN], 1e-30).unwrap().as_slice(), &[1.0, 0.0]);
        assert_eq!(softmax(&[f32::MAX, f32::MAX], 1.0).unwrap().as_slice(), &[0.5, 0.5]);
    }

    #[test]
    fn temperature_spreads() {
        let sharp = softmax(&[2.0, 0.0], 1.0).unwrap();
        let spread = softmax(&[2.0, 0.0], 4.0).unwrap();
        assert!(sharp[0] > spread[0] && spread[0] > 0.5, "{sharp:?} {spread:?}");
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(softmax(&[0.0, bad], 1.0), Err(ClassifyError::NotFinite));
            assert_eq!(softmax(&[0.0, 1.0], bad), Err(ClassifyError::NotFinite));
        }
        assert_eq!(softmax(&[0.0, 1.0], 0.0), Err(ClassifyError::NotFinite));
        assert_eq!(softmax(&[], 1.0), Err(ClassifyError::Engine));
        assert_eq!(softmax(&[0.0; MAX_LABELS + 1], 1.0), Err(ClassifyError::Engine));
    }
}
