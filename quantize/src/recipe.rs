//! Float network and statistics → quantized network: scales by error, the best of several equalizations and input scales,
//! biases corrected for what rounding does to the mean. Or with the ranges of a quantization-aware training, as they are.

use harmonynet::spec::LOG_MEL_LIMIT;

use crate::calibrate::Statistics;
use crate::correct::correct_biases;
use crate::equalize::{self, Blend};
use crate::network::Network;
use crate::parallel::{Progress, Quiet, parallel};
use crate::quantized::{Projection, QuantizedConv, QuantizedNetwork, to_i8};
use crate::ranges::Ranges;
use crate::round::{Multiplier, quantize};
use crate::scale::{Choice, LEVELS, Point, best_scale, given_scale};

/// The input scale that holds the front-end's whole range, 127 steps of 1/8 octave.
const WHOLE_INPUT: f32 = LOG_MEL_LIMIT as f32 / 256.0 / LEVELS as f32;
/// Shares of it that are tried. The range's end is where silence and the first moments of a sound lie, so clipping it is
/// dear: with the first shipped model, a fifth less costs thirty times the logits' error.
const INPUT_SHARES: [f32; 2] = [1.0, 0.8];

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
    /// The input's scale.
    pub input: Choice,
    /// Per layer.
    pub scales: Vec<Scales>,
    /// The equalization that was kept.
    pub blend: Blend,
    /// What was tried.
    pub tried: Vec<Trial>,
}

/// One way of quantizing that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Its equalization.
    pub blend: Blend,
    /// Its input scale.
    pub input_scale: f32,
    /// Mean squared error of the logits.
    pub error: f64,
}

/// Largest magnitude of a bias: beyond it the sums of a convolution could leave i32.
pub(crate) const BIAS_LIMIT: f32 = (1u32 << 30) as f32;

/// Quantizes a folded network with the equalization and the input scale that have the least squared logit error over
/// `windows`, biases corrected. `statistics` are the folded network's over the same windows; `input_scale` fixes the
/// input's, which else is the one with the least error of its own or a share of what holds the front-end's whole range.
///
/// # Errors
/// The layer that cannot be quantized.
pub fn best(
    network: &Network,
    statistics: &Statistics,
    input_scale: Option<f32>,
    windows: &[Vec<f32>],
    progress: &dyn Progress,
) -> Result<Outcome, QuantizeError> {
    let work = Work { network, statistics, windows, wanted: wanted(network, windows, progress), progress };
    let points = input_points(windows);
    let input = input_scale.map_or_else(|| best_scale(&points), |scale| given_scale(&points, scale));
    let mut outcome = work.quantize(Blend::NONE, input)?;
    for blend in Blend::TRIED.into_iter().filter(|blend| *blend != Blend::NONE) {
        outcome = outcome.or_better(work.quantize(blend, input)?);
    }
    let blend = outcome.blend;
    for share in INPUT_SHARES.into_iter().filter(|_| input_scale.is_none()) {
        let input = given_scale(&points, share * WHOLE_INPUT);
        outcome = outcome.or_better(work.quantize(blend, input)?);
    }
    Ok(outcome)
}

/// How often [`best`] steps its progress per window.
#[must_use]
pub const fn steps_per_window(input_scale: Option<f32>) -> usize {
    1 + Blend::TRIED.len() + if input_scale.is_none() { INPUT_SHARES.len() } else { 0 }
}

/// Quantizes a folded network with given ranges: without equalization, since they are of the channels as they are, and
/// without correcting biases, since those were trained with the rounding in place.
///
/// # Errors
/// The layer that cannot be quantized.
pub fn with_ranges(
    network: &Network,
    statistics: &Statistics,
    ranges: &Ranges,
    windows: &[Vec<f32>],
    progress: &dyn Progress,
) -> Result<Outcome, QuantizeError> {
    let input = given_scale(&input_points(windows), ranges.input);
    let factors = equalize::factors(network, statistics, Blend::NONE);
    let (quantized, scales) = quantize_network(network, statistics, &factors, input.scale, Some(ranges))?;
    let found = parallel(windows, &Quiet, |window| quantized.forward(window).map(|trace| trace.logits));
    // Every requantization was checked above, so that no window is left out.
    let found: Vec<Vec<f32>> = found.into_iter().flatten().collect();
    let error = mean_squared_error(&found, &wanted(network, windows, progress));
    let trial = Trial { blend: Blend::NONE, input_scale: input.scale, error };
    let equalized = network.clone();
    Ok(Outcome { equalized, quantized, input, scales, blend: Blend::NONE, tried: vec![trial] })
}

/// What every trial shares.
struct Work<'a> {
    network: &'a Network,
    statistics: &'a Statistics,
    windows: &'a [Vec<f32>],
    /// The float network's logits.
    wanted: Vec<Vec<f32>>,
    progress: &'a dyn Progress,
}

impl Work<'_> {
    fn quantize(&self, blend: Blend, input: Choice) -> Result<Outcome, QuantizeError> {
        let factors = equalize::factors(self.network, self.statistics, blend);
        let equalized = equalize::apply(self.network, &factors);
        let (mut quantized, scales) =
            quantize_network(&equalized, self.statistics, &factors, input.scale, None)?;
        let found = correct_biases(&mut quantized, self.statistics, &factors, self.windows, self.progress)?;
        let error = mean_squared_error(&found, &self.wanted);
        let trial = Trial { blend, input_scale: input.scale, error };
        Ok(Outcome { equalized, quantized, input, scales, blend, tried: vec![trial] })
    }
}

impl Outcome {
    /// The one of two with the less error, which keeps what both tried. Each has tried itself last or kept its best.
    fn or_better(self, other: Self) -> Self {
        let tried = [&self.tried[..], &other.tried].concat();
        let kept = if other.error() < self.error() { other } else { self };
        Self { tried, ..kept }
    }

    /// Mean squared error of the logits: the least of what was tried.
    fn error(&self) -> f64 {
        self.tried.iter().map(|trial| trial.error).fold(f64::INFINITY, f64::min)
    }
}

pub(crate) fn wanted(network: &Network, windows: &[Vec<f32>], progress: &dyn Progress) -> Vec<Vec<f32>> {
    parallel(windows, progress, |window| network.forward(window).logits)
}

pub(crate) fn mean_squared_error(found: &[Vec<f32>], wanted: &[Vec<f32>]) -> f64 {
    let pairs = found.iter().flatten().zip(wanted.iter().flatten());
    let error: f64 = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum();
    error / wanted.iter().map(Vec::len).sum::<usize>().max(1) as f64
}

/// The input's magnitudes with their counts: zero points are 0, so the sign decides nothing.
#[must_use]
pub fn input_points(windows: &[Vec<f32>]) -> Vec<Point> {
    let mut values: Vec<f32> = windows.iter().flatten().map(|x| x.abs()).collect();
    values.sort_unstable_by(f32::total_cmp);
    let equal = values.chunk_by(|a, b| a == b);
    equal.map(|equal| Point { value: equal[0], weight: equal.len() as f32 }).collect()
}

/// Quantizes an equalized network with scales by error, or by `ranges`; biases are those of the float network.
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
    ranges: Option<&Ranges>,
) -> Result<(QuantizedNetwork, Vec<Scales>), QuantizeError> {
    let mut convs: Vec<QuantizedConv> = vec![];
    let mut scales = vec![];
    for (index, conv) in network.convs.iter().enumerate() {
        let given = ranges.and_then(|ranges| ranges.convs.get(index)).copied();
        // An error in a weight matters as much as the energy of what it multiplies.
        let row = conv.inputs * 9;
        let energy = input_energy(statistics, factors, index);
        let weighted = conv.weights.iter().enumerate();
        let points: Vec<_> =
            weighted.map(|(i, &value)| Point { value, weight: energy[i % row / 9] }).collect();
        let weights = choose(&points, given.map(|(weights, _)| weights));
        let outputs =
            activation_scale(network, statistics, factors, index, given.map(|(_, outputs)| outputs))?;
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
    let (projection, choices) = quantize_projection(network, statistics, factors, before, ranges);
    scales.push(Scales { layer: "projection".into(), weights: choices, activations: None });
    let (frames, bands, head) = (network.frames, network.bands, network.head.clone());
    Ok((QuantizedNetwork { frames, bands, input_scale, convs, projection, head }, scales))
}

/// The given scale, or the best.
fn choose(points: &[Point], given: Option<f32>) -> Choice {
    given.map_or_else(|| best_scale(points), |scale| given_scale(points, scale))
}

/// Mean square of each channel that layer `index` reads; equal for the first.
fn input_energy(statistics: &Statistics, factors: &equalize::Factors, index: usize) -> Vec<f32> {
    let Some(before) = index.checked_sub(1) else { return vec![1.0] };
    let channels = statistics.layers[before].channels.iter().zip(&factors[before]);
    channels.map(|(histogram, factor)| histogram.mean_square() as f32 / (factor * factor)).collect()
}

/// The scale of convolution `index`'s outputs: an error in a channel matters as much as the weights that read it.
pub(crate) fn activation_scale(
    network: &Network,
    statistics: &Statistics,
    factors: &equalize::Factors,
    index: usize,
    given: Option<f32>,
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
    let choice = choose(&points, given);
    if choice.range > 0.0 {
        Ok(choice)
    } else {
        Err(QuantizeError::Silent { layer: network.convs[index].name.clone() })
    }
}

pub(crate) fn quantize_projection(
    network: &Network,
    statistics: &Statistics,
    factors: &equalize::Factors,
    input_scale: f32,
    ranges: Option<&Ranges>,
) -> (Projection, Vec<Choice>) {
    let energy = input_energy(statistics, factors, network.convs.len());
    let bands = network.bands_out();
    let rows = || network.projection.rows();
    let scale = |(index, row): (usize, &[f32])| {
        let weighted = row.iter().enumerate().map(|(i, &value)| Point { value, weight: energy[i / bands] });
        let given = ranges.and_then(|ranges| ranges.projection.get(index)).copied();
        choose(&weighted.collect::<Vec<_>>(), given)
    };
    let choices: Vec<Choice> = rows().enumerate().map(scale).collect();
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
