//! The engine layer by layer, for those who hold it against another one: each layer's own arithmetic on whatever input it
//! is given. Not the way to run a model, which is [`Stream`](super::Stream).

use alloc::vec;
use alloc::vec::Vec;

use super::kernel::Kernel;
use super::lstm::{self, Logits, State};
use super::model::Model;
use super::shape::CONVS;
use super::stream::line;
use crate::spec::MEL_BANDS;

/// A model's layers as one kernel computes them.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a, B> {
    model: &'a Model<B>,
    kernel: Kernel,
}

/// An LSTM's state after one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LstmState {
    /// Outputs, Q0.15.
    pub h: Vec<i16>,
    /// Cells, Q15.16.
    pub c: Vec<i32>,
}

impl<'a, B: AsRef<[u8]>> Layers<'a, B> {
    /// The layers of `model` in the inner loops of `kernel`.
    #[must_use]
    pub const fn new(model: &'a Model<B>, kernel: Kernel) -> Self {
        Self { model, kernel }
    }

    /// One frame as the first convolution reads it, −127…127.
    #[must_use]
    pub fn input(&self, bands: &[i16; MEL_BANDS]) -> [i8; MEL_BANDS] {
        let mut input = [0; MEL_BANDS];
        self.kernel.input(self.model.input_gain(), bands, &mut input);
        input
    }

    /// Convolution `conv` (0 to 2), ReLU, 2×2 pooling and requantization of activations `[frame][band][channel]`, in the
    /// same order; `None` where there is no such convolution or `input` is no number of whole frames.
    #[must_use]
    pub fn pooled(&self, conv: usize, input: &[i8]) -> Option<Vec<i8>> {
        if conv >= CONVS {
            return None;
        }
        let bands = MEL_BANDS >> conv;
        let view = self.model.conv(conv);
        let frames = input.chunks_exact(bands * view.inputs);
        if !frames.remainder().is_empty() {
            return None;
        }
        let padded = |frame: &[i8]| {
            let mut padded = vec![0; line(bands, view.inputs)];
            padded[view.inputs..][..frame.len()].copy_from_slice(frame);
            padded
        };
        let lines: Vec<Vec<i8>> = frames.map(padded).collect();
        let mut pooled = vec![];
        for four in lines.windows(4).step_by(2) {
            let start = pooled.len();
            pooled.resize(start + bands / 2 * view.outputs, 0);
            self.kernel.conv_pool(&view, core::array::from_fn(|i| &four[i][..]), &mut pooled[start..]);
        }
        Some(pooled)
    }

    /// The gates' arguments, Q15.16, from one step's features `[band][channel]`; `None` where it has another number of
    /// features.
    #[must_use]
    pub fn projected(&self, features: &[i8]) -> Option<Vec<i32>> {
        let shape = self.model.shape();
        let mut sums = vec![0; shape.gate_rows()];
        let projection = self.model.projection();
        (features.len() == shape.features()).then(|| {
            self.kernel.project(projection.weights, 1, features, &mut sums);
            self.kernel.finish(&projection, &mut sums);
            sums
        })
    }

    /// The state after each step of gates' arguments `[step][row]`, Q15.16, from a zero state.
    #[must_use]
    pub fn states(&self, projected: &[i32]) -> Vec<LstmState> {
        let units = self.model.shape().hidden;
        let mut state = State::ZERO;
        let steps = projected.chunks_exact(self.model.shape().gate_rows());
        let after = |step| {
            state.step(self.model, self.kernel, step);
            LstmState { h: state.h[..units].to_vec(), c: state.c[..units].to_vec() }
        };
        steps.map(after).collect()
    }

    /// The logits after gates' arguments `[step][row]`, Q15.16, of one window.
    #[must_use]
    pub fn logits(&self, projected: &[i32]) -> Logits {
        lstm::logits(self.model, self.kernel, projected.chunks_exact(self.model.shape().gate_rows()))
    }
}
