//! What the float network's activations look like on real frames: a histogram per channel and layer.
//!
//! Histograms are kept per channel because equalization rescales channels: one pass over the calibration windows then
//! serves every candidate. Values are those the next layer sees, behind ReLU and max-pooling, since only they are
//! quantized for anyone. Memory doesn't grow with the number of windows.

use crate::network::{Network, Trace};
use crate::scale::Point;

/// Bins of a histogram: at least four per step of an i8 scale that spans half of its range.
pub const BINS: usize = 512;

/// Counts of values above zero in equal bins from zero up; the range doubles as values demand.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Upper edge of the last bin; 0 while every value was zero.
    pub top: f32,
    /// Values per bin.
    pub bins: Vec<u64>,
    /// Values that are exactly zero: every scale represents them.
    pub zeros: u64,
    /// Sum of squares.
    pub energy: f64,
    /// The largest value.
    pub largest: f32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { top: 0.0, bins: vec![0; BINS], zeros: 0, energy: 0.0, largest: 0.0 }
    }
}

impl Histogram {
    /// Counts a value; negative ones count as zero, as behind a ReLU.
    pub fn add(&mut self, value: f32) {
        // Values that no i8 scale could tell from zero count as zero, or the range would never stop doubling.
        if value < f32::MIN_POSITIVE * 1024.0 {
            self.zeros += 1;
            return;
        }
        if self.top == 0.0 {
            self.top = value * 2.0;
        }
        while value >= self.top {
            self.double();
        }
        self.bins[((value / self.top * BINS as f32) as usize).min(BINS - 1)] += 1;
        self.energy += f64::from(value) * f64::from(value);
        self.largest = self.largest.max(value);
    }

    fn double(&mut self) {
        self.top *= 2.0;
        for bin in 0..BINS {
            self.bins[bin] = match bin {
                _ if bin < BINS / 2 => self.bins[2 * bin] + self.bins[2 * bin + 1],
                _ => 0,
            };
        }
    }

    /// The magnitudes of every value of `windows`.
    #[must_use]
    pub fn of_magnitudes(windows: &[Vec<f32>]) -> Self {
        let mut histogram = Self::default();
        windows.iter().flatten().for_each(|x| histogram.add(x.abs()));
        histogram
    }

    /// Counts everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.zeros += other.zeros;
        self.energy += other.energy;
        self.largest = self.largest.max(other.largest);
        for (value, count) in other.centres() {
            if self.top == 0.0 {
                self.top = other.top;
            }
            while value >= self.top {
                self.double();
            }
            self.bins[((value / self.top * BINS as f32) as usize).min(BINS - 1)] += count;
        }
    }

    /// Values counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.zeros + self.bins.iter().sum::<u64>()
    }

    /// Mean square.
    #[must_use]
    pub fn mean_square(&self) -> f64 {
        self.energy / self.count().max(1) as f64
    }

    /// Bins that counted anything: their centres and counts. No centre lies above the largest value.
    pub fn centres(&self) -> impl Iterator<Item = (f32, u64)> + '_ {
        let width = self.top / BINS as f32;
        let used = self.bins.iter().enumerate().filter(|(_, count)| **count > 0);
        used.map(move |(bin, &count)| (((bin as f32 + 0.5) * width).min(self.largest), count))
    }

    /// Points for a scale search, every value multiplied by `factor`, every count by `weight`.
    pub fn points(&self, factor: f32, weight: f32) -> impl Iterator<Item = Point> + '_ {
        self.centres()
            .map(move |(value, count)| Point { value: value * factor, weight: weight * count as f32 })
    }

    /// Counts from zero to `range` in as many bins as `bins` is long; what lies above counts in the last.
    pub fn rebin(&self, range: f32, bins: &mut [u64]) {
        let last = bins.len() - 1;
        for (value, count) in self.centres() {
            bins[((value / range * bins.len() as f32) as usize).min(last)] += count;
        }
    }
}

/// One convolution's activations and sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    /// Per channel: values behind ReLU and pooling.
    pub channels: Vec<Histogram>,
    /// Per channel: the sums' total before ReLU.
    pub sums: Vec<f64>,
    /// Sums counted per channel.
    pub positions: u64,
}

/// The float network's activations over the calibration windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Per convolution.
    pub layers: Vec<Layer>,
    /// Per row: total of the projection's sums.
    pub rows: Vec<f64>,
    /// Steps counted.
    pub steps: u64,
}

impl Layer {
    /// Mean of a channel's sums before ReLU.
    #[must_use]
    pub fn mean_sum(&self, channel: usize) -> f64 {
        self.sums[channel] / self.positions.max(1) as f64
    }
}

impl Statistics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        let layer = |outputs| Layer {
            channels: vec![Histogram::default(); outputs],
            sums: vec![0.0; outputs],
            positions: 0,
        };
        Self {
            layers: network.convs.iter().map(|conv| layer(conv.outputs)).collect(),
            rows: vec![0.0; network.projection.bias.len()],
            steps: 0,
        }
    }

    /// Counts one window.
    pub fn add(&mut self, trace: &Trace) {
        for (layer, (sums, pooled)) in self.layers.iter_mut().zip(trace.sums.iter().zip(&trace.pooled)) {
            for position in pooled.data.chunks_exact(pooled.channels) {
                layer.channels.iter_mut().zip(position).for_each(|(histogram, &x)| histogram.add(x));
            }
            for position in sums.data.chunks_exact(sums.channels) {
                layer.sums.iter_mut().zip(position).for_each(|(sum, &x)| *sum += f64::from(x));
            }
            layer.positions += (sums.frames * sums.bands) as u64;
        }
        for step in &trace.rows {
            self.rows.iter_mut().zip(step).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        self.steps += trace.rows.len() as u64;
    }

    /// Counts everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for (layer, from) in self.layers.iter_mut().zip(&other.layers) {
            layer
                .channels
                .iter_mut()
                .zip(&from.channels)
                .for_each(|(histogram, other)| histogram.merge(other));
            layer.sums.iter_mut().zip(&from.sums).for_each(|(sum, x)| *sum += x);
            layer.positions += from.positions;
        }
        self.rows.iter_mut().zip(&other.rows).for_each(|(sum, x)| *sum += x);
        self.steps += other.steps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_histogram_keeps_counts_and_values(values in prop::collection::vec(-1f32..100.0, 1..300)) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|&v| histogram.add(v));
            let above = values.iter().filter(|&&v| v > 0.0).count() as u64;
            prop_assert_eq!(histogram.centres().map(|(_, count)| count).sum::<u64>(), above);
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert!(histogram.largest <= histogram.top);
            // The mean is off by at most half a bin.
            let mean: f64 = values.iter().map(|&v| f64::from(v.max(0.0))).sum::<f64>() / values.len() as f64;
            let binned: f64 = histogram.centres().map(|(v, n)| f64::from(v) * n as f64).sum::<f64>() / values.len() as f64;
            prop_assert!((mean - binned).abs() <= f64::from(histogram.top) / BINS as f64 + 1e-4);
        }

        #[test]
        fn merging_loses_nothing(a in prop::collection::vec(0f32..1.0, 0..50), b in prop::collection::vec(0f32..90.0, 0..50)) {
            let count = |values: &[f32]| {
                let mut histogram = Histogram::default();
                values.iter().for_each(|&v| histogram.add(v));
                histogram
            };
            let mut merged = count(&a);
            merged.merge(&count(&b));
            let both = count(&[a, b].concat());
            prop_assert_eq!((merged.count(), merged.zeros, merged.largest), (both.count(), both.zeros, both.largest));
            prop_assert!((merged.energy - both.energy).abs() <= 1e-6 * both.energy);
        }
    }
}
