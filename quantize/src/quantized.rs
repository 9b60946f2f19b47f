//! The quantized network and its integer reference: what the int8 graph computes, in plain code.
//!
//! `real = scale · integer`, zero points are 0 everywhere. Convolutions sum i8 · i8 in i32 from an i32 bias at scale
//! `input_scale · weight_scale`; [`Multiplier`] brings the sums to i8 at the output's scale; ReLU and max-pooling follow
//! in i8. The projection of each step's features sums in i32 as well; the rest of the [`Head`] is f32.
//!
//! The reference measures signal-to-noise ratios and corrects biases, and tests hold tract's layers against it.

use crate::network::Head;
use crate::plane::{Kernel, Plane, convolve, max_pool};
use crate::round::{Multiplier, quantize};
use crate::scale::LEVELS;

/// A convolution in integers, with ReLU and max-pooling behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedConv {
    /// The node's name.
    pub name: String,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// `[output][input][frame][band]`, −127…127.
    pub weights: Vec<i8>,
    /// Per tensor.
    pub weight_scale: f32,
    /// One per output, at scale `input_scale · weight_scale`.
    pub bias: Vec<i32>,
    /// Scale of the input.
    pub input_scale: f32,
    /// Scale of the output.
    pub output_scale: f32,
}

/// The projection of each step's features in integers: an LSTM's input projection, or the dense layer of a network without
/// one.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// `[rows][inputs]`, −127…127.
    pub weights: Vec<i8>,
    /// One per row: the sums leave the integers here, so a scale per row costs nothing.
    pub weight_scales: Vec<f32>,
    /// Scale of the input.
    pub input_scale: f32,
    /// Added in f32, one per row.
    pub bias: Vec<f32>,
}

/// The whole network.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedNetwork {
    /// Frames of one window.
    pub frames: usize,
    /// Bands of one frame.
    pub bands: usize,
    /// Scale of the input, octaves per step.
    pub input_scale: f32,
    /// Convolutions, first to last.
    pub convs: Vec<QuantizedConv>,
    /// Each step's features → rows.
    pub projection: Projection,
    /// Rows → logits, f32.
    pub head: Head,
}

/// Everything that one window makes the quantized network compute.
#[derive(Clone, Debug)]
pub struct QuantizedTrace {
    /// Per convolution: what the next layer sees, 0…127 in i32.
    pub pooled: Vec<Plane<i32>>,
    /// Per step: the projected rows, bias included.
    pub rows: Vec<Vec<f32>>,
    /// One per label.
    pub logits: Vec<f32>,
}

/// Integers of `values` at `scale`.
#[must_use]
pub fn to_i8(values: &[f32], scale: f32) -> Vec<i8> {
    values.iter().map(|&w| quantize(w, scale, LEVELS) as i8).collect()
}

impl QuantizedConv {
    /// What one step of a sum is worth.
    #[must_use]
    pub fn sum_scale(&self) -> f32 {
        self.input_scale * self.weight_scale
    }

    /// The factor between sums and outputs, rounded to f32 in the order in which tract computes it.
    #[must_use]
    pub fn requantization(&self) -> f32 {
        self.weight_scale * self.input_scale / self.output_scale
    }

    /// The sums before requantization.
    #[must_use]
    pub fn sums(&self, input: &Plane<i32>) -> Plane<i32> {
        let weights: Vec<i32> = self.weights.iter().map(|&w| w.into()).collect();
        convolve(input, &Kernel::new(self.inputs, self.outputs, &weights), &self.bias)
    }

    /// What the next layer sees, from pooled sums: tract pools behind requantization and ReLU, which is the same.
    #[must_use]
    pub fn finish(&self, pooled: &Plane<i32>, multiplier: Multiplier) -> Plane<i32> {
        pooled.map(|_, sum| i32::from(multiplier.requantize(sum)).max(0))
    }
}

impl Projection {
    /// The rows of one step's features.
    #[must_use]
    pub fn project(&self, features: &[i32]) -> Vec<f32> {
        let rows = self.weights.chunks_exact(features.len()).zip(&self.weight_scales).zip(&self.bias);
        rows.map(|((row, &scale), &bias)| {
            let sum: i32 = row.iter().zip(features).map(|(&w, &x)| i32::from(w) * x).sum();
            sum as f32 * (self.input_scale * scale) + bias
        })
        .collect()
    }
}

impl QuantizedNetwork {
    /// One window, `[frames][bands]` octaves, as integers.
    #[must_use]
    pub fn plane(&self, window: &[f32]) -> Plane<i32> {
        assert_eq!(window.len(), self.frames * self.bands, "a window is frames × bands");
        // QuantizeLinear saturates at −128; the front-end's range ends at −127.
        let data = window.iter().map(|&x| quantize(x, self.input_scale, 128).min(127)).collect();
        Plane { frames: self.frames, bands: self.bands, channels: 1, data }
    }

    /// Computes one window; `None` where a convolution's requantization is out of [`Multiplier`]'s range.
    #[must_use]
    pub fn forward(&self, window: &[f32]) -> Option<QuantizedTrace> {
        let mut x = self.plane(window);
        let mut pooled = vec![];
        for conv in &self.convs {
            x = conv.finish(&max_pool(&conv.sums(&x)), Multiplier::new(conv.requantization())?);
            pooled.push(x.clone());
        }
        let rows: Vec<_> = (0..x.frames).map(|step| self.projection.project(&x.step(step))).collect();
        let logits = self.head.logits(&rows);
        Some(QuantizedTrace { pooled, rows, logits })
    }

    /// Steps of one window.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.convs.iter().fold(self.frames, |frames, _| frames.saturating_sub(2) / 2)
    }

    /// Scale of the activations that convolution `index` reads; past the last: of what the projection reads.
    #[must_use]
    pub fn scale_before(&self, index: usize) -> f32 {
        index.checked_sub(1).map_or(self.input_scale, |before| self.convs[before].output_scale)
    }
}
