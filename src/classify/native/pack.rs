//! A quantized network in ONNX's order → a model file, in the packing that kernels read. For tools that make models.

use alloc::vec;
use alloc::vec::Vec;

use super::file::{self, Header, ModelError};
use super::model::Model;
use super::shape::{BANDS_OUT, CONVS, GATES, ReadOut, Shape};
use crate::classify::requantize::Multiplier;

/// A convolution 3×3 (valid in time, zero-padded in frequency), ReLU and 2×2 max-pooling behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvParts {
    /// `[output][input][frame][band]`, −127…127.
    pub weights: Vec<i8>,
    /// One per output, in steps of the sums, within ±[`MAX_BIAS`](file::MAX_BIAS).
    pub bias: Vec<i32>,
    /// One per output: from the sums to steps of the next layer's input.
    pub scales: Vec<Multiplier>,
}

/// A matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct RowParts<T> {
    /// `[row][column]`. As i16, the magnitudes of a row sum up to at most
    /// [`MAX_ROW_MAGNITUDE`](file::MAX_ROW_MAGNITUDE); as i8, −127…127.
    pub weights: Vec<T>,
    /// One per row, Q15.16, within ±[`MAX_BIAS`](file::MAX_BIAS).
    pub bias: Vec<i32>,
    /// One per row: from the sums to Q15.16. The state that the 16-bit matrices multiply is Q0.15.
    pub scales: Vec<Multiplier>,
}

/// A quantized network. Rows of the LSTM's matrices are gates in ONNX's order (input, output, forget, cell), units within.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// [Fingerprint](crate::spec::FrontendSpec::fingerprint) of the front-end.
    pub frontend: u64,
    /// LSTM steps of one window.
    pub steps: usize,
    /// Input steps per step of a log-mel value.
    pub input_gain: f32,
    /// What the dense layer sees.
    pub read_out: ReadOut,
    /// Convolutions, first to last.
    pub convs: [ConvParts; CONVS],
    /// The LSTM's input projection, with its biases; columns are channel · bands + band.
    pub projection: RowParts<i8>,
    /// The LSTM's recurrence; no biases.
    pub recurrence: RowParts<i16>,
    /// The dense layer, one row per label.
    pub dense: RowParts<i16>,
}

impl Parts {
    /// The file, read once by the strict reader.
    ///
    /// # Errors
    /// What of the parts doesn't fit together or is out of range.
    pub fn to_file(&self) -> Result<Vec<u8>, ModelError> {
        let shape = Shape {
            steps: self.steps,
            channels: core::array::from_fn(|conv| self.convs[conv].bias.len()),
            hidden: self.projection.bias.len() / GATES,
            labels: self.dense.bias.len(),
            read_out: self.read_out,
        };
        shape.validate()?;
        let header = Header { frontend: self.frontend, shape, input_gain: self.input_gain };
        let conv = |index: usize| -> Result<_, ModelError> {
            let parts = &self.convs[index];
            let weights =
                pack_conv(&parts.weights, shape.inputs(index), shape.channels[index], file::NAMES[index])?;
            Ok([weights, words(&parts.bias), scales(&parts.scales)])
        };
        let projection = pack_projection(&self.projection.weights, &shape)?;
        let recurrence = pack_recurrence(&self.recurrence.weights, &shape)?;
        let dense = self.dense.weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
        let sections = [
            conv(0)?,
            conv(1)?,
            conv(2)?,
            [projection, words(&self.projection.bias), scales(&self.projection.scales)],
            [recurrence, words(&self.recurrence.bias), scales(&self.recurrence.scales)],
            [dense, words(&self.dense.bias), scales(&self.dense.scales)],
        ];
        let file = file::write(&header, &sections)?;
        Model::new(file.as_slice())?;
        Ok(file)
    }
}

/// The error of a list whose length doesn't match the others'.
fn count<T>(list: &[T], wanted: usize, layer: &'static str) -> Result<(), ModelError> {
    match list.len() == wanted {
        true => Ok(()),
        false => Err(ModelError::Value { layer, what: "count" }),
    }
}

/// ONNX's `[output][input][frame][band]` as `[frame][group][output][4]`.
fn pack_conv(
    weights: &[i8],
    inputs: usize,
    outputs: usize,
    name: &'static str,
) -> Result<Vec<u8>, ModelError> {
    count(weights, outputs * inputs * 9, name)?;
    let groups = file::groups_per_frame(inputs);
    let mut packed = vec![0; 3 * groups * outputs * 4];
    for (i, &weight) in weights.iter().enumerate() {
        let (output, input, frame, band) = (i / (9 * inputs), i / 9 % inputs, i / 3 % 3, i % 3);
        let value = band * inputs + input;
        packed[((frame * groups + value / 4) * outputs + output) * 4 + value % 4] = weight as u8;
    }
    Ok(packed)
}

/// `[row][channel · bands + band]` as `[group][row][4]` of features band · channels + channel.
fn pack_projection(weights: &[i8], shape: &Shape) -> Result<Vec<u8>, ModelError> {
    let (features, rows) = (shape.features(), shape.gate_rows());
    count(weights, features * rows, "projection")?;
    let channels = features / BANDS_OUT;
    let mut packed = vec![0; weights.len()];
    for (i, &weight) in weights.iter().enumerate() {
        let (row, channel, band) = (i / features, i % features / BANDS_OUT, i % BANDS_OUT);
        let feature = band * channels + channel;
        packed[(feature / 4 * rows + row) * 4 + feature % 4] = weight as u8;
    }
    Ok(packed)
}

/// `[row][unit]` as `[pair][row][2]`.
fn pack_recurrence(weights: &[i16], shape: &Shape) -> Result<Vec<u8>, ModelError> {
    let (units, rows) = (shape.hidden, shape.gate_rows());
    count(weights, units * rows, "recurrence")?;
    let mut packed = vec![0; 2 * weights.len()];
    for (i, &weight) in weights.iter().enumerate() {
        let (row, unit) = (i / units, i % units);
        let at = 2 * ((unit / 2 * rows + row) * 2 + unit % 2);
        packed[at..at + 2].copy_from_slice(&weight.to_le_bytes());
    }
    Ok(packed)
}

fn words(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Mantissas, then shifts.
fn scales(scales: &[Multiplier]) -> Vec<u8> {
    let mantissas = scales.iter().map(|scale| scale.mantissa());
    mantissas.chain(scales.iter().map(|scale| scale.shift())).flat_map(u32::to_le_bytes).collect()
}
