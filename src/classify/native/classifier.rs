//! The engine behind the trait that all engines share.

use super::kernel::Kernel;
use super::lstm::Logits;
use super::model::Model;
use super::stream::Stream;
use crate::classify::probability::softmax;
use crate::classify::{Classifier, ClassifyError};
use crate::flow::{LogMel, SampleIndex, Scores};
use crate::spec::WindowLength;

/// A model, a stream and a kernel.
///
/// Scores belong to the last frame that completed an LSTM step: asked for after a multiple of eight frames beyond the
/// window's first 14, as windows end, that is the last frame pushed.
#[derive(Clone, Debug)]
pub struct NativeClassifier<B> {
    model: Model<B>,
    kernel: Kernel,
    temperature: f32,
    stream: Stream,
    /// End of the frame that completed the last step.
    end: SampleIndex,
}

impl<B: AsRef<[u8]>> NativeClassifier<B> {
    /// An engine with this machine's fastest kernel.
    #[must_use]
    pub fn new(model: Model<B>, temperature: f32) -> Self {
        Self::with_kernel(model, temperature, Kernel::best())
    }

    /// An engine with a kernel of the caller's choice. Scores don't depend on it.
    #[must_use]
    pub const fn with_kernel(model: Model<B>, temperature: f32, kernel: Kernel) -> Self {
        Self { model, kernel, temperature, stream: Stream::new(), end: 0 }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model<B> {
        &self.model
    }

    /// The kernel that runs it.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The logits behind [`scores`](Classifier::scores).
    ///
    /// # Errors
    /// [`ClassifyError::NotReady`] before the window is full.
    pub fn logits(&mut self) -> Result<Logits, ClassifyError> {
        self.stream.logits(&self.model, self.kernel).ok_or(ClassifyError::NotReady)
    }
}

impl<B: AsRef<[u8]>> Classifier for NativeClassifier<B> {
    fn window(&self) -> WindowLength {
        self.model.window()
    }

    fn push(&mut self, frame: &LogMel) {
        if self.stream.push(&self.model, self.kernel, &frame.bands) {
            self.end = frame.end;
        }
    }

    fn reset(&mut self) {
        self.stream.reset();
    }

    fn scores(&mut self) -> Result<Scores, ClassifyError> {
        let probabilities = softmax(&self.logits()?, self.temperature)?;
        Ok(Scores { end: self.end, probabilities })
    }
}
