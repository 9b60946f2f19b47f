//! The recurrent half: cached projections → logits, in integers. A verdict starts from a zero state.

use super::gates::GATE_BITS;
use super::kernel::Kernel;
use super::model::Model;
use super::shape::{GATES, MAX_HIDDEN, ReadOut};
use crate::classify::requantize::Multiplier;
use crate::spec::MAX_LABELS;

/// One per label.
pub type Logits = heapless::Vec<f32, MAX_LABELS>;

/// An LSTM's state.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Output, Q0.15 within ±32767.
    pub(super) h: [i16; MAX_HIDDEN],
    /// Cell, Q15.16; a step adds at most 1.
    pub(super) c: [i32; MAX_HIDDEN],
}

impl State {
    pub(super) const ZERO: Self = Self { h: [0; MAX_HIDDEN], c: [0; MAX_HIDDEN] };

    /// One step: `projected` is the input's share of the gates' arguments, `[gate][unit]`, Q15.16.
    pub(super) fn step<B: AsRef<[u8]>>(&mut self, model: &Model<B>, kernel: Kernel, projected: &[i32]) {
        let units = model.shape().hidden;
        let recurrence = model.recurrence();
        let mut sums = [0; GATES * MAX_HIDDEN];
        let sums = &mut sums[..GATES * units];
        kernel.recur(recurrence.weights, &self.h[..units], sums);
        kernel.finish(&recurrence, sums);
        kernel.advance(sums, projected, &mut self.h[..units], &mut self.c[..units]);
    }
}

/// The logits after `steps` of projections, oldest first.
pub(super) fn logits<'a, B: AsRef<[u8]>>(
    model: &Model<B>,
    kernel: Kernel,
    steps: impl Iterator<Item = &'a [i32]>,
) -> Logits {
    let shape = model.shape();
    let units = shape.hidden;
    let mut state = State::ZERO;
    let mut total = [0i32; MAX_HIDDEN];
    for projected in steps {
        state.step(model, kernel, projected);
        for (total, &h) in total.iter_mut().zip(&state.h) {
            *total += i32::from(h);
        }
    }
    let mut seen = state.h;
    // 1/steps lies within 1/19 and 1: there is a multiplier.
    if let (ReadOut::Mean, Some(share)) = (shape.read_out, Multiplier::new(1.0 / shape.steps as f32)) {
        for (seen, &total) in seen.iter_mut().zip(&total) {
            // A mean lies within what it is the mean of.
            *seen = share.round(total) as i16;
        }
    }
    let dense = model.dense();
    let mut sums = [0i32; MAX_LABELS];
    for (sum, row) in sums.iter_mut().zip(dense.weights.chunks_exact(2 * units)) {
        let weights = row.as_chunks().0.iter().map(|&weight| i32::from(i16::from_le_bytes(weight)));
        *sum = weights.zip(&seen).map(|(weight, &x)| weight * i32::from(x)).sum();
    }
    dense.finish(&mut sums[..shape.labels]);
    sums[..shape.labels].iter().map(|&logit| logit as f32 / (1u32 << GATE_BITS) as f32).collect()
}
