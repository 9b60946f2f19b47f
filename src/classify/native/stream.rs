//! One stream through a model: every frame is convolved once, a verdict runs the short LSTM over what was kept.
//!
//! Each convolution holds the last four lines of its input. Two new lines give one pooled line of the next layer, so a
//! pooled line comes with every 2nd, 4th and 8th frame; the 8th gives the LSTM's step. A few steps are projected together, at
//! the latest for a verdict: the weights, most of the model, are read once for them. The projections are kept.

use super::kernel::{Kernel, STEPS_AT_ONCE};
use super::lstm::{self, Logits};
use super::model::Model;
use super::shape::{GATES, MAX_CHANNELS, MAX_FEATURES, MAX_HIDDEN, MAX_STEPS, Shape};
use crate::spec::MEL_BANDS;

/// Room for one line: a zero position on either side of `bands` positions, and up to a group of four.
pub(super) const fn line(bands: usize, channels: usize) -> usize {
    ((bands + 2) * channels).next_multiple_of(4)
}

/// The last four lines of one layer's input: `[band][channel]`, a zero position on either side.
#[derive(Clone, Debug)]
struct Lines<const LEN: usize> {
    lines: [[i8; LEN]; 4],
    /// Lines held; above four only their number modulo four counts.
    held: usize,
}

impl<const LEN: usize> Lines<LEN> {
    const EMPTY: Self = Self { lines: [[0; LEN]; 4], held: 0 };

    /// The inside of the next line.
    fn next(&mut self, bands: usize, channels: usize) -> &mut [i8] {
        let line = &mut self.lines[self.held % 4];
        let inside = channels..(bands + 1) * channels;
        line[..inside.start].fill(0);
        line[inside.end..].fill(0);
        &mut line[inside]
    }

    /// Counts the line that was filled in. The last four, oldest first, where they give a pooled line.
    fn advance(&mut self) -> Option<[&[i8]; 4]> {
        self.held = if self.held == 7 { 4 } else { self.held + 1 };
        let ready = self.held >= 4 && self.held.is_multiple_of(2);
        ready.then(|| core::array::from_fn(|i| &self.lines[(self.held + i) % 4][..]))
    }
}

/// The state of one stream, about 59 KiB: lines of the convolutions and projections of the last window's steps.
#[derive(Clone, Debug)]
pub struct Stream {
    frames: Lines<{ line(MEL_BANDS, 1) }>,
    first: Lines<{ line(MEL_BANDS / 2, MAX_CHANNELS[0]) }>,
    second: Lines<{ line(MEL_BANDS / 4, MAX_CHANNELS[1]) }>,
    /// Features of steps that wait to be projected together, one step after another.
    features: [i8; STEPS_AT_ONCE * MAX_FEATURES],
    /// Steps that wait.
    waiting: usize,
    /// Gates' arguments from the input, Q15.16: a ring of the model's steps.
    projected: [[i32; GATES * MAX_HIDDEN]; MAX_STEPS],
    /// Where the next step goes.
    next: usize,
    /// Steps held, up to the model's.
    held: usize,
}

impl Stream {
    /// A stream that has heard nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            frames: Lines::EMPTY,
            first: Lines::EMPTY,
            second: Lines::EMPTY,
            features: [0; STEPS_AT_ONCE * MAX_FEATURES],
            waiting: 0,
            projected: [[0; GATES * MAX_HIDDEN]; MAX_STEPS],
            next: 0,
            held: 0,
        }
    }

    /// Forgets every frame: the stream had a gap, or goes on with another model.
    pub fn reset(&mut self) {
        (self.frames.held, self.first.held, self.second.held) = (0, 0, 0);
        (self.waiting, self.next, self.held) = (0, 0, 0);
    }

    /// Takes the next frame's bands (Q8.8 octaves of power). Whether it completed an LSTM step.
    pub fn push<B: AsRef<[u8]>>(
        &mut self,
        model: &Model<B>,
        kernel: Kernel,
        bands: &[i16; MEL_BANDS],
    ) -> bool {
        let channels = model.shape().channels;
        kernel.input(model.input_gain(), bands, self.frames.next(MEL_BANDS, 1));
        let Some(lines) = self.frames.advance() else { return false };
        kernel.conv_pool(&model.conv(0), lines, self.first.next(MEL_BANDS / 2, channels[0]));
        let Some(lines) = self.first.advance() else { return false };
        kernel.conv_pool(&model.conv(1), lines, self.second.next(MEL_BANDS / 4, channels[1]));
        let Some(lines) = self.second.advance() else { return false };
        let features = model.shape().features();
        kernel.conv_pool(&model.conv(2), lines, &mut self.features[self.waiting * features..][..features]);
        self.waiting += 1;
        if self.waiting == STEPS_AT_ONCE {
            self.project(model, kernel);
        }
        true
    }

    /// Projects the steps that wait.
    pub(super) fn project<B: AsRef<[u8]>>(&mut self, model: &Model<B>, kernel: Kernel) {
        if self.waiting == 0 {
            return;
        }
        let (shape, projection) = (model.shape(), model.projection());
        let mut sums = [0; STEPS_AT_ONCE * GATES * MAX_HIDDEN];
        let sums = &mut sums[..self.waiting * shape.gate_rows()];
        kernel.project(
            projection.weights,
            self.waiting,
            &self.features[..self.waiting * shape.features()],
            sums,
        );
        for sums in sums.chunks_exact_mut(shape.gate_rows()) {
            kernel.finish(&projection, sums);
            self.projected[self.next][..sums.len()].copy_from_slice(sums);
            self.next = (self.next + 1) % shape.steps;
            self.held = (self.held + 1).min(shape.steps);
        }
        self.waiting = 0;
    }

    /// The logits of the window that the last completed step ends; `None` before there are as many steps as the model's
    /// window has.
    #[must_use]
    pub fn logits<B: AsRef<[u8]>>(&mut self, model: &Model<B>, kernel: Kernel) -> Option<Logits> {
        self.project(model, kernel);
        let shape = model.shape();
        (self.held == shape.steps).then(|| lstm::logits(model, kernel, self.projections(shape)))
    }

    /// The projections of the last window's steps, oldest first, once there are as many and none waits.
    pub(super) fn projections(&self, shape: &Shape) -> impl Iterator<Item = &[i32]> {
        let (steps, rows) = (shape.steps, shape.gate_rows());
        (0..steps).map(move |i| &self.projected[(self.next + i) % steps][..rows])
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}
