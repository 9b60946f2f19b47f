//! Float network and statistics → quantized network: scales by error, the best of several equalizations, biases
//! corrected for what rounding does to the mean.

use crate::calibrate::Statistics;
use crate::correct::correct_biases;
use crate::equalize::{self, Blend};
use crate::network::Network;
use crate::parallel::{Progress, parallel};
use crate::quantized::{Projection, QuantizedConv, QuantizedNetwork, to_i8};
use crate::round::{Multiplier, quantize};
use crate::scale::{Choice, Point, best_scale};

/// How weights and activations of one layer were scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct Scales {
    /// The layer.
    pub layer: String,
    /// Its weights: one choice per tensor, or per row for the projection.
    pub weights: Vec<Choice>,
    /// Its outputs behind ReLU and pooling; none for the projection, whose sums leave the integers.
    pub activations: Option<Choice>,
}

/// Why a network cannot be quantized.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The factor between a convolution's sums and outputs is beyond what a shift can hold.
    Requantization {
        /// The layer.
        layer: String,
    },
    /// A bias at its scale is beyond i32, or would let the sums overflow.
    Bias {
        /// The layer.
        layer: String,
        /// The output channel.
        channel: usize,
    },
    /// Every activation of a layer was zero on the calibration windows.
    Silent {
        /// The layer.
        layer: String,
    },
}

impl std::fmt::Display for QuantizeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Requantization { layer } => {
                write!(f, "layer {layer}: its requantization factor is out of range; are its weights sane?")
            }
            Self::Bias { layer, channel } => {
                write!(f, "layer {layer}, channel {channel}: the bias is beyond 31 bits at the sums' scale")
            }
            Self::Silent { layer } => {
                write!(
                    f,
                    "layer {layer}: every activation is zero on the calibration windows; calibrate on other tracks"
                )
            }
        }
    }
}

impl std::error::Error for QuantizeError {}

/// A quantized network and how it came about.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The equalized float network: the same function as the one that was given.
    pub equalized: Network,
    /// The quantized one.
    pub quantized: QuantizedNetwork,
    /// Per layer.
    pub scales: Vec<Scales>,
    /// The equalization that was kept.
    pub blend: Blend,
    /// Per equalization that was tried: mean squared error of the logits.
    pub tried: Vec<(Blend, f64)>,
}

/// Largest magnitude of a bias: beyond it the sums of a convolution could leave i32.
pub(crate) const BIAS_LIMIT: f32 = (1u32 << 30) as f32;

/// Quantizes a folded network with the equalization that has the least squared logit error over `windows`, biases
/// corrected. `statistics` are the folded network's over the same windows.
///
/// # Errors
/// The layer that cannot be quantized.
pub fn best(
    network: &Network,
    statistics: &Statistics,
    input_scale: f32,
    windows: &[Vec<f32>],
    progress: &dyn Progress,
) -> Result<Outcome, QuantizeError> {
    let wanted = parallel(windows, progress, |window| network.forward(window).logits);
    let mut tried = vec![];
    let mut kept: Option<(f64, Outcome)> = None;
    for blend in Blend::TRIED {
        let factors = equalize::factors(network, statistics, blend);
        let equalized = equalize::apply(network, &factors);
        let (mut quantized, scales) = quantize_network(&equalized, statistics, &factors, input_scale)?;
        let found = correct_biases(&mut quantized, statistics, &factors, windows, progress)?;
        let pairs = found.iter().flatten().zip(wanted.iter().flatten());
        let error = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / wanted.len().max(1) as f64;
        tried.push((blend, error / network.labels() as f64));
        if kept.as_ref().is_none_or(|(least, _)| error < *least) {
            kept = Some((error, Outcome { equalized, quantized, scales, blend, tried: vec![] }));
        }
    }
    let (_, outcome) = kept.ok_or_else(|| QuantizeError::Silent { layer: "log_mel".into() })?;
    Ok(Outcome { tried, ..outcome })
}

/// What [`best`] reports as progress: this many steps per window.
pub const STEPS_PER_WINDOW: usize = 1 + Blend::TRIED.len();

/// Quantizes an equalized network with scales by error; biases are those of the float network.
///
/// `factors` are those that equalized it: the statistics are of the network before.
///
/// # Errors
/// The layer that cannot be quantized.
pub fn quantize_network(
    network: &Network,
    statistics: &Statistics,
    factors: &equalize::Factors,
    input_scale: f32,
) -> Result<(QuantizedNetwork, Vec<Scales>), QuantizeError> {
    let mut convs: Vec<QuantizedConv> = vec![];
    let mut scales = vec![];
    for (index, conv) in network.convs.iter().enumerate() {
        // An error in a weight matters as much as the energy of what it multiplies.
        let row = conv.inputs * 9;
        let energy = input_energy(statistics, factors, index);
        let weighted = conv.weights.iter().enumerate();
        let points: Vec<_> =
            weighted.map(|(i, &value)| Point { value, weight: energy[i % row / 9] }).collect();
        let weights = best_scale(&points);
        let outputs = activation_scale(network, statistics, factors, index)?;
        let before = convs.last().map_or(input_scale, |c| c.output_scale);
        let mut quantized = QuantizedConv {
            name: conv.name.clone(),
            inputs: conv.inputs,
            outputs: conv.outputs,
            weights: to_i8(&conv.weights, weights.scale),
            weight_scale: weights.scale,
            bias: vec![],
            input_scale: before,
            output_scale: outputs.scale,
        };
        quantized.bias = integer_bias(&quantized, &conv.bias)?;
        if Multiplier::new(quantized.requantization()).is_none() {
            return Err(QuantizeError::Requantization { layer: conv.name.clone() });
        }
        convs.push(quantized);
        scales.push(Scales { layer: conv.name.clone(), weights: vec![weights], activations: Some(outputs) });
    }
    let before = convs.last().map_or(input_scale, |c| c.output_scale);
    let (projection, choices) = quantize_projection(network, statistics, factors, before);
    scales.push(Scales { layer: "projection".into(), weights: choices, activations: None });
    let (frames, bands) = (network.frames, network.bands);
    let network =
        QuantizedNetwork { frames, bands, input_scale, convs, projection, head: network.head.clone() };
    Ok((network, scales))
}

/// Mean square of each channel that layer `index` reads; equal for the first.
fn input_energy(statistics: &Statistics, factors: &equalize::Factors, index: usize) -> Vec<f32> {
    let Some(before) = index.checked_sub(1) else { return vec![1.0] };
    let channels = statistics.layers[before].channels.iter().zip(&factors[before]);
    channels.map(|(histogram, factor)| histogram.mean_square() as f32 / (factor * factor)).collect()
}

/// The scale of convolution `index`'s outputs: an error in a channel matters as much as the weights that read it.
fn activation_scale(
    network: &Network,
    statistics: &Statistics,
    factors: &equalize::Factors,
    index: usize,
) -> Result<Choice, QuantizeError> {
    let reading = |channel: usize| -> f32 {
        match network.convs.get(index + 1) {
            Some(next) => next.reading(channel).map(|w| w * w).sum(),
            None => {
                let bands = network.bands_out();
                network
                    .projection
                    .rows()
                    .flat_map(|row| &row[channel * bands..(channel + 1) * bands])
                    .map(|w| w * w)
                    .sum()
            }
        }
    };
    let channels = statistics.layers[index].channels.iter().zip(&factors[index]).enumerate();
    let points: Vec<Point> =
        channels.flat_map(|(c, (histogram, factor))| histogram.points(1.0 / factor, reading(c))).collect();
    let choice = best_scale(&points);
    if choice.range > 0.0 {
        Ok(choice)
    } else {
        Err(QuantizeError::Silent { layer: network.convs[index].name.clone() })
    }
}

fn quantize_projection(
    network: &Network,
    statistics: &Statistics,
    factors: &equalize::Factors,
    input_scale: f32,
) -> (Projection, Vec<Choice>) {
    let energy = input_energy(statistics, factors, network.convs.len());
    let bands = network.bands_out();
    let rows = || network.projection.rows();
    let choose = |row: &[f32]| {
        let weighted = row.iter().enumerate().map(|(i, &value)| Point { value, weight: energy[i / bands] });
        best_scale(&weighted.collect::<Vec<_>>())
    };
    let choices: Vec<Choice> = rows().map(choose).collect();
    let projection = Projection {
        weights: rows().zip(&choices).flat_map(|(row, choice)| to_i8(row, choice.scale)).collect(),
        weight_scales: choices.iter().map(|choice| choice.scale).collect(),
        input_scale,
        bias: network.projection.bias.clone(),
    };
    (projection, choices)
}

/// A bias at the scale of the sums.
fn integer_bias(conv: &QuantizedConv, bias: &[f32]) -> Result<Vec<i32>, QuantizeError> {
    let scale = conv.sum_scale();
    let at_scale = |(channel, &b): (usize, &f32)| {
        if (b / scale).abs() <= BIAS_LIMIT {
            Ok(quantize(b, scale, i32::MAX))
        } else {
            Err(QuantizeError::Bias { layer: conv.name.clone(), channel })
        }
    };
    bias.iter().enumerate().map(at_scale).collect()
}

#[cfg(test)]
mod tests;
