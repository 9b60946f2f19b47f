//! Scales by error: of a grid of scales, the one with the least squared quantization error over weighted values.
//!
//! The largest magnitude divided by 127, the usual choice, is on the grid, so the result is never worse than it. A
//! smaller scale clips the largest values and is finer on all others; with a heavy-tailed tensor that wins.

use crate::round::quantize;

/// The largest magnitude of a quantized weight or activation.
pub const LEVELS: i32 = 127;

/// A value and how much its squared error counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The value.
    pub value: f32,
    /// How often it occurs times how much an error there matters downstream.
    pub weight: f32,
}

/// The chosen scale and what it was chosen over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// `real = scale · integer`.
    pub scale: f32,
    /// Weighted squared error with this scale.
    pub error: f64,
    /// Weighted squared error with the largest magnitude divided by 127.
    pub range_error: f64,
    /// The largest magnitude.
    pub range: f32,
}

/// Weighted squared error of `points` quantized with `scale`.
pub fn squared_error(points: &[Point], scale: f32) -> f64 {
    let error = |p: &Point| {
        let lost = f64::from(p.value) - f64::from(quantize(p.value, scale, LEVELS)) * f64::from(scale);
        lost * lost * f64::from(p.weight)
    };
    points.iter().map(error).sum()
}

/// A scale that was chosen elsewhere, with its error over `points`.
#[must_use]
pub fn given_scale(points: &[Point], scale: f32) -> Choice {
    let range = range(points);
    let range_error = squared_error(points, (range / LEVELS as f32).max(f32::MIN_POSITIVE));
    Choice { scale, error: squared_error(points, scale), range_error, range }
}

/// The largest magnitude that counts.
fn range(points: &[Point]) -> f32 {
    points.iter().filter(|p| p.weight > 0.0).fold(0f32, |most, p| most.max(p.value.abs()))
}

/// The best scale of a grid from a fifth of the range to all of it, refined around its best point.
///
/// All-zero points get a scale of 1/127: they are represented exactly by any.
#[must_use]
pub fn best_scale(points: &[Point]) -> Choice {
    let range = range(points);
    if range <= f32::MIN_POSITIVE * LEVELS as f32 {
        return Choice { scale: 1.0 / LEVELS as f32, error: 0.0, range_error: 0.0, range };
    }
    let full = range / LEVELS as f32;
    let range_error = squared_error(points, full);
    let mut best = (range_error, 1f32);
    let mut consider = |share: f32| {
        let error = squared_error(points, full * share);
        if error < best.0 {
            best = (error, share);
        }
        best.1
    };
    let coarse = (10..50).map(|i| i as f32 / 50.0).fold(1.0, |_, share| consider(share));
    for i in -9..=9 {
        consider((coarse + i as f32 / 500.0).min(1.0));
    }
    Choice { scale: full * best.1, error: best.0, range_error, range }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(values: &[f32]) -> Vec<Point> {
        values.iter().map(|&value| Point { value, weight: 1.0 }).collect()
    }

    #[test]
    fn one_outlier_among_many_is_clipped() {
        let mut points: Vec<Point> = (0..5000)
            .map(|i| Point { value: (i as f32 * 0.618).fract() * 2.0 - 1.0, weight: 100.0 })
            .collect();
        points.push(Point { value: 4.0, weight: 1.0 });
        let choice = best_scale(&points);
        assert!(choice.scale < 2.0 / 127.0 && choice.error < 0.5 * choice.range_error, "{choice:?}");
    }

    #[test]
    fn values_on_the_grid_lose_nothing() {
        let values: Vec<f32> = (-127..=127).map(|i| i as f32 / 8.0).collect();
        let choice = best_scale(&points(&values));
        assert_eq!((choice.scale, choice.error), (0.125, 0.0));
    }

    #[test]
    fn a_given_scale_is_measured_like_a_chosen_one() {
        let points = points(&[0.3, -0.7, 1.0]);
        let chosen = best_scale(&points);
        assert_eq!(given_scale(&points, chosen.scale), chosen);
        assert_eq!(given_scale(&[], 0.5).range_error, 0.0);
    }

    #[test]
    fn nothing_to_represent_is_no_division_by_zero() {
        assert!(best_scale(&[]).scale.is_normal());
        assert!(best_scale(&points(&[0.0, -0.0])).scale.is_normal());
    }

    proptest! {
        #[test]
        fn never_worse_than_the_range(values in prop::collection::vec(-3f32..3.0, 1..200), cubed: bool) {
            let values: Vec<f32> = values.iter().map(|&v| if cubed { v * v * v } else { v }).collect();
            let choice = best_scale(&points(&values));
            prop_assert!(choice.error <= choice.range_error);
            prop_assert!(choice.error == squared_error(&points(&values), choice.scale));
        }
    }
}
