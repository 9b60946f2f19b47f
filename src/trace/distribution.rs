//! What many measurements of one thing say together.

use core::fmt::Write as _;

/// The shares of measurements that reports tell, and what they call them.
pub const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)];

/// Measurements, sorted. Those that are not numbers are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution(Vec<f64>);

impl FromIterator<f64> for Distribution {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }
}

impl Distribution {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The least; `None` where there are none, as with the following.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.0.first().copied()
    }

    /// The greatest.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.0.last().copied()
    }

    /// The least measurement that a `share` of them (0–1) does not exceed: the nearest-rank percentile, always one that was
    /// measured. p99.9 of fewer than a thousand is the greatest.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.clamp(1, self.0.len().max(1)) - 1).copied()
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.0.len();
        (count > 0).then(|| self.0.iter().sum::<f64>() / count as f64)
    }

    /// The standard deviation of the population that these are a sample of; 0 of a single one.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares: f64 = self.0.iter().map(|value| (value - mean).powi(2)).sum();
        Some((squares / (self.0.len().max(2) - 1) as f64).sqrt())
    }

    /// Counts in `bins` equal parts of the range from the least to the greatest, and the width of one.
    #[must_use]
    pub fn histogram(&self, bins: usize) -> (Vec<usize>, f64) {
        let (Some(min), Some(max)) = (self.min(), self.max()) else { return (vec![0; bins], 0.0) };
        let width = (max - min) / bins.max(1) as f64;
        let mut counts = vec![0; bins];
        for value in &self.0 {
            let bin = if width > 0.0 { ((value - min) / width) as usize } else { 0 };
            if let Some(count) = counts.get_mut(bin.min(bins.saturating_sub(1))) {
                *count += 1;
            }
        }
        (counts, width)
    }

    /// The histogram as lines of blocks, the least first, with `decimals` of the bins' lower edges.
    #[must_use]
    pub fn picture(&self, bins: usize, decimals: usize) -> String {
        const WIDE: usize = 40;
        let (counts, width) = self.histogram(bins);
        let tallest = counts.iter().copied().max().unwrap_or(0).max(1);
        let mut picture = String::new();
        for (bin, count) in counts.iter().enumerate() {
            let from = self.min().unwrap_or(0.0) + width * bin as f64;
            // What is there is seen: at least an eighth of a block.
            let eighths = if *count == 0 { 0 } else { (count * WIDE * 8 / tallest).max(1) };
            let bar: String = std::iter::repeat_n('█', eighths / 8)
                .chain([' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'].get(eighths % 8).copied())
                .collect();
            let _ = writeln!(picture, "{from:12.decimals$}  {} {count}", bar.trim_end());
            if width == 0.0 {
                break;
            }
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let hundred: Distribution = (1..=100).rev().map(f64::from).collect();
        let at = |share| hundred.quantile(share).unwrap();
        assert_eq!((at(0.0), at(0.5), at(0.9), at(0.99), at(0.999)), (1.0, 50.0, 90.0, 99.0, 100.0));
        assert_eq!((hundred.min(), hundred.max(), hundred.mean()), (Some(1.0), Some(100.0), Some(50.5)));
        // The variance of 1…n is n (n + 1) / 12.
        assert!((hundred.deviation().unwrap().powi(2) - 100.0 * 101.0 / 12.0).abs() < 1e-9);
        let one: Distribution = [7.0, f64::NAN].into_iter().collect();
        assert_eq!((one.count(), one.quantile(0.999), one.deviation()), (1, Some(7.0), Some(0.0)));
        let none = Distribution::default();
        assert_eq!((none.quantile(0.5), none.mean(), none.deviation()), (None, None, None));
    }

    #[test]
    fn every_measurement_is_in_a_bin_and_in_the_picture() {
        let values: Distribution = [0.0, 1.0, 1.5, 4.0].into_iter().collect();
        assert_eq!(values.histogram(4), (vec![1, 2, 0, 1], 1.0));
        let full = "█".repeat(40);
        let half = "█".repeat(20);
        let expected = format!(
            "         0.0  {half} 1\n         1.0  {full} 2\n         2.0   0\n         3.0  {half} 1\n"
        );
        assert_eq!(values.picture(4, 1), expected);
        let same: Distribution = [2.0; 5].into_iter().collect();
        assert_eq!(same.picture(4, 0), format!("{:12}  {full} 5\n", 2));
    }
}
