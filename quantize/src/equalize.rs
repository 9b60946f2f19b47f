//! Cross-layer equalization: the same function, with channels that share one scale better.
//!
//! ReLU and max-pooling are positively homogeneous: dividing a channel's weights and bias by s > 0 and multiplying by s
//! the weights that read the channel changes nothing in real numbers. Per-tensor scales do gain: small channels no
//! longer drown in the steps of large ones. Between convolutions, and from the last one to the projection.
//!
//! Two aims pull apart: weights of like size on both sides (Nagel et al. 2019, "Data-Free Quantization Through Weight
//! Equalization and Bias Correction", section 4.1), and activations of like size, which are in 7 bits what weights are
//! in 8. [`Blend`] says how much of each; [`crate::recipe`] tries several and keeps the one with the least error.

use crate::calibrate::Statistics;
use crate::network::Network;

/// How much each aim counts. Both 0: no equalization.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend {
    /// Weights of like size: 1 is the whole of Nagel's factor.
    pub weights: f32,
    /// Activations of like size: 1 makes all channels' effective values equal.
    pub activations: f32,
}

impl Blend {
    /// No equalization.
    pub const NONE: Self = Self { weights: 0.0, activations: 0.0 };
    /// What the recipe tries.
    pub const TRIED: [Self; 6] = [
        Self::NONE,
        Self { weights: 1.0, activations: 0.0 },
        Self { weights: 0.5, activations: 0.0 },
        Self { weights: 0.5, activations: 0.5 },
        Self { weights: 0.0, activations: 0.5 },
        Self { weights: 0.0, activations: 1.0 },
    ];
}

impl std::fmt::Display for Blend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "weights {} activations {}", self.weights, self.activations)
    }
}

/// Factors per convolution and output channel: what its values are divided by.
pub type Factors = Vec<Vec<f32>>;

/// Channels whose weights or activations are all zero keep their size, and no factor leaves this range.
const FACTOR_RANGE: std::ops::RangeInclusive<f32> = 1e-3..=1e3;

/// Rounds of passing over the layers: a layer's factors change the ranges that its neighbours see.
const ROUNDS: usize = 8;

/// The factors of a blend for a folded network: the product of each aim's factors to the power of its share.
#[must_use]
pub fn factors(network: &Network, statistics: &Statistics, blend: Blend) -> Factors {
    let by_weights = by_weights(network);
    let blended = |(layer, channels): (usize, &Vec<f32>)| {
        let size = |c: usize| statistics.layers[layer].channels[c].mean_square().sqrt() as f32;
        let by_activations = normalized((0..channels.len()).map(size).collect());
        let both = channels.iter().zip(&by_activations);
        normalized(both.map(|(w, a)| w.powf(blend.weights) * a.powf(blend.activations)).collect())
    };
    by_weights.iter().enumerate().map(blended).collect()
}

/// Factors that give the weights making and reading each channel the same range, iterated: a layer's factors change
/// the ranges that its neighbours see.
fn by_weights(network: &Network) -> Factors {
    let mut total: Factors = network.convs.iter().map(|conv| vec![1.0; conv.outputs]).collect();
    for _ in 0..ROUNDS {
        for layer in 0..network.convs.len() {
            let current = apply(network, &total);
            let ratio = |c: usize| {
                let made = current.convs[layer].making(c).iter().fold(0f32, |most, w| most.max(w.abs()));
                total[layer][c] * (made / read_range(&current, layer, c)).sqrt()
            };
            total[layer] = normalized((0..total[layer].len()).map(ratio).collect());
        }
    }
    total
}

/// The largest magnitude of the weights that read a channel; behind the last convolution relative to their row,
/// since the projection has a scale per row.
fn read_range(network: &Network, layer: usize, channel: usize) -> f32 {
    if let Some(next) = network.convs.get(layer + 1) {
        return next.reading(channel).fold(0f32, |most, w| most.max(w.abs()));
    }
    let bands = network.bands_out();
    let rows = network.projection.rows();
    rows.map(|row| {
        let range = |values: &[f32]| values.iter().fold(f32::MIN_POSITIVE, |most, w| most.max(w.abs()));
        range(&row[channel * bands..(channel + 1) * bands]) / range(row)
    })
    .fold(0.0, f32::max)
}

/// Factors whose geometric mean is 1; what is no positive number becomes 1.
fn normalized(factors: Vec<f32>) -> Vec<f32> {
    let usable = |f: &f32| f.is_finite() && *f > 0.0;
    let logs: Vec<f32> = factors.iter().filter(|f| usable(f)).map(|f| f.ln()).collect();
    let mean = logs.iter().sum::<f32>() / logs.len().max(1) as f32;
    let bound = |f: f32| (f.ln() - mean).exp().clamp(*FACTOR_RANGE.start(), *FACTOR_RANGE.end());
    factors.into_iter().map(|f| if usable(&f) { bound(f) } else { 1.0 }).collect()
}

/// The network with every convolution's channels divided by their factors and the readers multiplied by them.
#[must_use]
pub fn apply(network: &Network, factors: &Factors) -> Network {
    let mut result = network.clone();
    for (layer, factors) in factors.iter().enumerate() {
        let conv = &mut result.convs[layer];
        let row = conv.inputs * 9;
        conv.weights.iter_mut().enumerate().for_each(|(i, w)| *w /= factors[i / row]);
        conv.bias.iter_mut().zip(factors).for_each(|(b, f)| *b /= f);
        let (bands, inputs) = (network.bands_out(), network.projection.inputs);
        match result.convs.get_mut(layer + 1) {
            Some(next) => {
                let inputs = next.inputs;
                next.weights.iter_mut().enumerate().for_each(|(i, w)| *w *= factors[i / 9 % inputs]);
            }
            None => {
                result
                    .projection
                    .weights
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, w)| *w *= factors[i % inputs / bands]);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::network::ReadOut;
    use crate::testing::{assert_close, network, windows};

    fn prepared(seed: u32) -> (Network, Statistics, Vec<Vec<f32>>) {
        let network = fold(&network(seed, 22, 8, ReadOut::Mean));
        let windows = windows(seed, 6, &network);
        let mut statistics = Statistics::new(&network);
        windows.iter().for_each(|window| statistics.add(&network.forward(window)));
        (network, statistics, windows)
    }

    #[test]
    fn the_function_stays_the_same() {
        for seed in 0..4 {
            let (network, statistics, windows) = prepared(seed);
            for blend in Blend::TRIED {
                let equalized = apply(&network, &factors(&network, &statistics, blend));
                for window in &windows {
                    let (wanted, found) = (network.forward(window), equalized.forward(window));
                    wanted.rows.iter().zip(&found.rows).for_each(|(w, f)| assert_close(f, w, 1e-5));
                    assert_close(&found.logits, &wanted.logits, 1e-5);
                }
            }
        }
    }

    #[test]
    fn equal_activations_and_equal_weights_are_reached() {
        let (network, statistics, windows) = prepared(5);
        let spread = |values: Vec<f32>| {
            values.iter().copied().fold(0f32, f32::max) / values.iter().copied().fold(f32::MAX, f32::min)
        };

        let aim = Blend { weights: 0.0, activations: 1.0 };
        let equalized = apply(&network, &factors(&network, &statistics, aim));
        let mut after = Statistics::new(&equalized);
        windows.iter().for_each(|window| after.add(&equalized.forward(window)));
        let sizes =
            |s: &Statistics| s.layers[0].channels.iter().map(|h| h.mean_square().sqrt() as f32).collect();
        assert!(spread(sizes(&statistics)) > 2.0 && spread(sizes(&after)) < 1.001);

        let aim = Blend { weights: 1.0, activations: 0.0 };
        let equalized = apply(&network, &factors(&network, &statistics, aim));
        let ratio = |c| {
            equalized.convs[0].making(c).iter().fold(0f32, |m, w| m.max(w.abs()))
                / read_range(&equalized, 0, c)
        };
        assert!(spread((0..3).map(ratio).collect()) < 1.01);
    }

    #[test]
    fn a_dead_channel_keeps_its_size() {
        let (mut network, mut statistics, _) = prepared(2);
        network.convs[0].weights[..9].fill(0.0);
        network.convs[0].bias[0] = -1.0;
        statistics.layers[0].channels[0] = Default::default();
        for blend in Blend::TRIED {
            let factors = factors(&network, &statistics, blend);
            assert!(factors.iter().flatten().all(|f| f.is_finite() && *f > 0.0), "{blend}: {factors:?}");
        }
    }
}
