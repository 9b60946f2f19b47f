//! The native engine's form of a network: a scale per output channel, 16-bit recurrence and dense layer, everything in
//! integers to the logits.
//!
//! The runtime itself computes the logits by which the best equalization is chosen, so what is measured is what is going
//! to run. Equalization still matters, though weights have a scale per channel: activations share one.

mod noise; // what is lost per layer
mod per_tensor; // the int8 graph's network

pub use self::per_tensor::per_tensor;
use harmonynet::classify::native::{
    CONVS, ConvParts, Kernel, MAX_BIAS, MAX_ROW_MAGNITUDE, Model, ModelError, Parts, ReadOut, RowParts,
    Stream,
};
use harmonynet::spec::MEL_BANDS;

use crate::calibrate::Statistics;
use crate::correct::totals;
use crate::equalize::{self, Blend, Factors};
use crate::network::{self, Conv, Dense, Head, Lstm, Network};
use crate::parallel::{Progress, Quiet, parallel};
use crate::plane::{Kernel as Weights, Plane, convolve, max_pool};
use crate::quantized::to_i8;
use crate::recipe::{self, QuantizeError, Trial, activation_scale, mean_squared_error};
use crate::round::{Multiplier, quantize};
use crate::scale::LEVELS;

pub use self::noise::noises;

/// What one step of a log-mel value is worth, octaves.
const LOG_MEL_STEP: f32 = 1.0 / 256.0;
/// 1.0 of a gate's argument and of a logit, Q15.16.
const UNIT: f32 = 65_536.0;
/// 1.0 of the LSTM's output, Q0.15.
const STATE: f32 = 32_768.0;

/// A native network and how it came about.
#[derive(Clone, Debug)]
pub struct NativeOutcome {
    /// The network.
    pub parts: Parts,
    /// Its model file.
    pub file: Vec<u8>,
    /// The equalized float network: the same function as the one that was given.
    pub equalized: Network,
    /// What one step of the input, and of each convolution's outputs, is worth in the equalized network.
    pub scales: Vec<f32>,
    /// The equalization that was kept.
    pub blend: Blend,
    /// What was tried.
    pub tried: Vec<Trial>,
}

/// Why there is no native form of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NativeError {
    /// The native engine runs another kind of network.
    Kind {
        /// What it has, and what the engine runs.
        what: &'static str,
    },
    /// A layer cannot be quantized.
    Quantize(QuantizeError),
    /// The runtime refuses the file.
    Refused(ModelError),
}

impl std::fmt::Display for NativeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind { what } => write!(f, "the native engine does not run this network: {what}"),
            Self::Quantize(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NativeError {}

impl From<QuantizeError> for NativeError {
    fn from(error: QuantizeError) -> Self {
        Self::Quantize(error)
    }
}

impl From<ModelError> for NativeError {
    fn from(error: ModelError) -> Self {
        Self::Refused(error)
    }
}

/// Whether the native engine runs networks of this kind; else what it lacks.
///
/// # Errors
/// [`NativeError::Kind`].
pub fn check(network: &Network) -> Result<&Lstm, NativeError> {
    let wrong = |what| Err(NativeError::Kind { what });
    let Head::Lstm(lstm) = &network.head else { return wrong("it has no LSTM") };
    if network.convs.len() != CONVS {
        return wrong("it has not three convolutions");
    }
    if network.bands != MEL_BANDS {
        return wrong("its frames have not 128 bands");
    }
    Ok(lstm)
}

/// Quantizes a folded network for the native engine with the equalization that has the least squared logit error over
/// `windows`, biases corrected. `statistics` are the folded network's over the same windows; `frontend` is the
/// front-end's fingerprint.
///
/// # Errors
/// What the native engine does not run, or the layer that cannot be quantized.
pub fn best(
    network: &Network,
    statistics: &Statistics,
    input_scale: f32,
    windows: &[Vec<f32>],
    frontend: u64,
    progress: &dyn Progress,
) -> Result<NativeOutcome, NativeError> {
    check(network)?;
    let wanted = recipe::wanted(network, windows, &Quiet);
    let mut tried = vec![];
    let mut kept: Option<(f64, NativeOutcome)> = None;
    for blend in Blend::TRIED {
        let factors = equalize::factors(network, statistics, blend);
        let equalized = equalize::apply(network, &factors);
        let (parts, scales) = quantized(&equalized, statistics, &factors, input_scale, windows, frontend)?;
        let file = parts.to_file()?;
        let found = logits(&file, windows, progress)?;
        let error = mean_squared_error(&found, &wanted);
        tried.push(Trial { blend, input_scale, error });
        if kept.as_ref().is_none_or(|(least, _)| error < *least) {
            kept = Some((error, NativeOutcome { parts, file, equalized, scales, blend, tried: vec![] }));
        }
    }
    // At least one blend is tried, and its error is below infinity or no number.
    let (_, outcome) = kept.ok_or_else(|| QuantizeError::Silent { layer: "log_mel".into() })?;
    Ok(NativeOutcome { tried, ..outcome })
}

/// How often [`best`] steps its progress per window.
pub const STEPS_PER_WINDOW: usize = Blend::TRIED.len();

/// The logits that the runtime computes for windows of octaves.
///
/// # Errors
/// What is wrong with the file.
pub fn logits(
    file: &[u8],
    windows: &[Vec<f32>],
    progress: &dyn Progress,
) -> Result<Vec<Vec<f32>>, ModelError> {
    let model = Model::new(file)?;
    Ok(parallel(windows, progress, |window| {
        let mut stream = Stream::new();
        for frame in window.chunks_exact(MEL_BANDS) {
            stream.push(&model, Kernel::best(), &std::array::from_fn(|band| log_mel(frame[band])));
        }
        stream.logits(&model, Kernel::best()).map(|logits| logits.to_vec()).unwrap_or_default()
    }))
}

/// Octaves as log-mel steps, which they were made of.
fn log_mel(octaves: f32) -> i16 {
    quantize(octaves, LOG_MEL_STEP, i16::MAX.into()) as i16
}

/// The parts of an equalized network, and the scales of its activations.
fn quantized(
    network: &Network,
    statistics: &Statistics,
    factors: &Factors,
    input_scale: f32,
    windows: &[Vec<f32>],
    frontend: u64,
) -> Result<(Parts, Vec<f32>), NativeError> {
    let lstm = check(network)?;
    let input = LOG_MEL_STEP / input_scale;
    let gain = scale(input, "input")?;
    let mut inputs: Vec<Plane<i32>> =
        windows.iter().map(|window| input_plane(network, gain, window)).collect();
    let mut before = input_scale;
    let mut scales = vec![input_scale];
    let mut convs = vec![];
    for index in 0..network.convs.len() {
        let layer = Layer { network, statistics, factors, index, before };
        let (parts, after, outputs) = layer.quantize(&inputs)?;
        convs.push(parts);
        scales.push(after);
        (before, inputs) = (after, outputs);
    }
    let wrong = NativeError::Kind { what: "it has not three convolutions" };
    let parts = Parts {
        frontend,
        steps: network.steps(),
        input_gain: input,
        read_out: read_out(lstm),
        convs: convs.try_into().map_err(|_| wrong)?,
        projection: projection(network, statistics, factors, before, &inputs)?,
        recurrence: words(&lstm.recurrence, &[], lstm.hidden, "recurrence")?,
        dense: dense(&lstm.dense, lstm.hidden)?,
    };
    Ok((parts, scales))
}

/// A window of octaves as the engine's input steps.
fn input_plane(network: &Network, gain: Multiplier, window: &[f32]) -> Plane<i32> {
    let step = |&octaves: &f32| i32::from(gain.requantize(log_mel(octaves).into()).max(-127));
    let data = window.iter().map(step).collect();
    Plane { frames: network.frames, bands: network.bands, channels: 1, data }
}

/// What the next layer sees, from pooled sums.
fn finish(pooled: &Plane<i32>, bias: &[i32], steps: &[Multiplier]) -> Plane<i32> {
    pooled.map(|channel, sum| steps[channel].requantize((sum + bias[channel]).max(0)).into())
}

fn read_out(lstm: &Lstm) -> ReadOut {
    match lstm.read_out {
        network::ReadOut::Mean => ReadOut::Mean,
        network::ReadOut::Last => ReadOut::Last,
    }
}

/// A factor as the integer path multiplies by it.
fn scale(factor: f32, layer: &str) -> Result<Multiplier, QuantizeError> {
    Multiplier::new(factor).ok_or_else(|| QuantizeError::Requantization { layer: layer.into() })
}

/// One convolution on its way into integers.
struct Layer<'a> {
    network: &'a Network,
    statistics: &'a Statistics,
    factors: &'a Factors,
    index: usize,
    /// Scale of its input.
    before: f32,
}

impl Layer<'_> {
    /// Its parts, the scale of its outputs, and these for `inputs`.
    fn quantize(&self, inputs: &[Plane<i32>]) -> Result<(ConvParts, f32, Vec<Plane<i32>>), QuantizeError> {
        let conv = &self.network.convs[self.index];
        let outputs = activation_scale(self.network, self.statistics, self.factors, self.index, None)?.scale;
        let scales = Self::weight_scales(conv);
        let weights: Vec<i8> =
            scales.iter().enumerate().flat_map(|(c, &scale)| to_i8(conv.making(c), scale)).collect();
        let integers: Vec<i32> = weights.iter().map(|&w| w.into()).collect();
        let kernel = Weights::new(conv.inputs, conv.outputs, &integers);
        let sums = parallel(inputs, &Quiet, |input| {
            let sums = convolve(input, &kernel, &vec![0; conv.outputs]);
            (totals(&sums), max_pool(&sums))
        });
        let bias = self.biases(&scales, &sums)?;
        let steps = scales.iter().map(|&weight| scale(self.before * weight / outputs, &conv.name));
        let steps: Vec<Multiplier> = steps.collect::<Result<_, _>>()?;
        let finished = sums.iter().map(|(_, pooled)| finish(pooled, &bias, &steps)).collect();
        Ok((ConvParts { weights, bias, scales: steps }, outputs, finished))
    }

    /// A scale per output channel, such that none of its weights is clipped: clipping is the same error at every
    /// position, which costs the logits more than finer steps win.
    fn weight_scales(conv: &Conv) -> Vec<f32> {
        let range = |channel| conv.making(channel).iter().fold(0f32, |most, w| most.max(w.abs()));
        // Any scale represents a channel of zeros.
        (0..conv.outputs).map(|channel| range(channel).max(1e-9) / LEVELS as f32).collect()
    }

    /// The biases that give every channel's sums, bias-free in `sums`, the float network's mean.
    fn biases(&self, scales: &[f32], sums: &[(Vec<i64>, Plane<i32>)]) -> Result<Vec<i32>, QuantizeError> {
        let layer = &self.statistics.layers[self.index];
        let bias = |(channel, &weight): (usize, &f32)| {
            let total: i64 = sums.iter().map(|(totals, _)| totals[channel]).sum();
            let found = total as f64 / layer.positions.max(1) as f64;
            let step = f64::from(self.factors[self.index][channel]) * f64::from(self.before * weight);
            let bias = (layer.mean_sum(channel) / step - found).round_ties_even();
            if bias.abs() <= f64::from(MAX_BIAS) {
                Ok(bias as i32)
            } else {
                Err(QuantizeError::Bias { layer: self.network.convs[self.index].name.clone(), channel })
            }
        };
        scales.iter().enumerate().map(bias).collect()
    }
}

/// The LSTM's input projection, its biases such that every row has the float network's mean.
fn projection(
    network: &Network,
    statistics: &Statistics,
    factors: &Factors,
    before: f32,
    inputs: &[Plane<i32>],
) -> Result<RowParts<i8>, QuantizeError> {
    let (floats, choices) = recipe::quantize_projection(network, statistics, factors, before, None);
    let steps: Vec<Vec<i32>> = inputs.iter().flat_map(|x| (0..x.frames).map(|step| x.step(step))).collect();
    let rows: Vec<(&[i8], f32)> =
        floats.weights.chunks_exact(network.projection.inputs).zip(choices.iter().map(|c| c.scale)).collect();
    let bias = |row: usize| {
        let (weights, scale) = rows[row];
        let sum = |step: &Vec<i32>| -> i64 {
            weights.iter().zip(step).map(|(&w, &x)| i64::from(w) * i64::from(x)).sum()
        };
        let found = steps.iter().map(sum).sum::<i64>() as f64 * f64::from(before * scale);
        let bias = (statistics.rows[row] - found) / statistics.steps.max(1) as f64;
        q16(bias as f32, "projection", row)
    };
    let indices: Vec<usize> = (0..rows.len()).collect();
    let bias = parallel(&indices, &Quiet, |&row| bias(row)).into_iter().collect::<Result<_, _>>()?;
    let scales = rows.iter().map(|(_, weight)| scale(before * weight * UNIT, "projection"));
    let scales = scales.collect::<Result<_, _>>()?;
    Ok(RowParts { weights: floats.weights, bias, scales })
}

fn dense(dense: &Dense, hidden: usize) -> Result<RowParts<i16>, QuantizeError> {
    words(&dense.weights, &dense.bias, hidden, "dense")
}

/// A matrix of 16-bit weights that multiplies the LSTM's output, with a scale per row: as fine as the sums' 31 bits allow.
fn words(weights: &[f32], bias: &[f32], columns: usize, layer: &str) -> Result<RowParts<i16>, QuantizeError> {
    let mut parts = RowParts { weights: vec![], bias: vec![], scales: vec![] };
    for row in weights.chunks_exact(columns) {
        // Rounding adds up to half a step per weight to the sum of magnitudes.
        let sum = row.iter().map(|w| w.abs()).sum::<f32>() / (MAX_ROW_MAGNITUDE as f32 - columns as f32);
        let most = row.iter().fold(0f32, |most, w| most.max(w.abs())) / f32::from(i16::MAX);
        // A row of zeros is represented by any scale.
        let step = sum.max(most).max(1e-9);
        parts.weights.extend(row.iter().map(|&w| quantize(w, step, i16::MAX.into()) as i16));
        parts.scales.push(scale(step * UNIT / STATE, layer)?);
    }
    let bias = bias.iter().enumerate().map(|(row, &b)| q16(b, layer, row));
    parts.bias = bias.collect::<Result<_, _>>()?;
    Ok(parts)
}

/// A bias as Q15.16.
fn q16(bias: f32, layer: &str, channel: usize) -> Result<i32, QuantizeError> {
    if (bias * UNIT).abs() <= MAX_BIAS as f32 {
        Ok(quantize(bias, 1.0 / UNIT, MAX_BIAS))
    } else {
        Err(QuantizeError::Bias { layer: layer.into(), channel })
    }
}

#[cfg(test)]
mod tests;
