//! What may differ from model to model, its limits, and the sizes that follow from it.

use serde::{Deserialize, Serialize};

use super::file::ModelError;
pub use crate::spec::MAX_STEPS;
use crate::spec::{FRAMES_PER_STEP, MAX_LABELS, MEL_BANDS, WindowLength};

/// Convolutions, each followed by a 2×2 pooling.
pub const CONVS: usize = 3;
/// Most output channels of each convolution.
pub const MAX_CHANNELS: [usize; CONVS] = [32, 64, 128];
/// Most units of the LSTM.
pub const MAX_HIDDEN: usize = 64;
/// Channels and units come in multiples of this: the lanes of the widest kernel.
pub const LANES: usize = 16;
/// Gates of an LSTM, in ONNX's order: input, output, forget, cell.
pub const GATES: usize = 4;
/// Bands that reach the LSTM.
pub const BANDS_OUT: usize = MEL_BANDS >> CONVS;
/// Most features of a step.
pub const MAX_FEATURES: usize = BANDS_OUT * MAX_CHANNELS[CONVS - 1];

/// What of the LSTM's outputs the dense layer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadOut {
    /// Their mean over the steps.
    Mean,
    /// The last one.
    Last,
}

/// The extents of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// LSTM steps of one window, 1 to [`MAX_STEPS`].
    pub steps: usize,
    /// Output channels per convolution: multiples of [`LANES`] up to [`MAX_CHANNELS`].
    pub channels: [usize; CONVS],
    /// Units of the LSTM: a multiple of [`LANES`] up to [`MAX_HIDDEN`].
    pub hidden: usize,
    /// Labels, 2 to [`MAX_LABELS`].
    pub labels: usize,
    /// What the dense layer sees.
    pub read_out: ReadOut,
}

impl Shape {
    /// The window; `None` where there are no steps or too many.
    #[must_use]
    pub const fn window(&self) -> Option<WindowLength> {
        WindowLength::of_steps(self.steps)
    }

    /// Rows of the gates' matrices.
    #[must_use]
    pub fn gate_rows(&self) -> usize {
        GATES * self.hidden
    }

    /// Features of a step.
    #[must_use]
    pub fn features(&self) -> usize {
        BANDS_OUT * self.channels[CONVS - 1]
    }

    /// Input channels of a convolution.
    #[must_use]
    pub fn inputs(&self, conv: usize) -> usize {
        conv.checked_sub(1).map_or(1, |before| self.channels[before])
    }

    /// Multiply-adds of the convolutions for one LSTM step's frames, of its projection, and of one step of the recurrence.
    #[must_use]
    pub fn multiply_adds_per_step(&self) -> [usize; 3] {
        let conv =
            |l: usize| (FRAMES_PER_STEP >> l) * (MEL_BANDS >> l) * 9 * self.inputs(l) * self.channels[l];
        let rows = self.gate_rows();
        [(0..CONVS).map(conv).sum(), self.features() * rows, self.hidden * rows]
    }

    /// Checks the limits.
    pub(super) fn validate(&self) -> Result<(), ModelError> {
        let in_lanes = |n: usize, most: usize| n > 0 && n <= most && n.is_multiple_of(LANES);
        let checks = [
            ("steps", self.window().is_some()),
            ("channels", self.channels.into_iter().zip(MAX_CHANNELS).all(|(n, most)| in_lanes(n, most))),
            ("hidden", in_lanes(self.hidden, MAX_HIDDEN)),
            ("labels", (2..=MAX_LABELS).contains(&self.labels)),
        ];
        checks.into_iter().try_for_each(|(field, good)| match good {
            true => Ok(()),
            false => Err(ModelError::Shape { field }),
        })
    }
}
