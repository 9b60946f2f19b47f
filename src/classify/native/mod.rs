//! The native engine: int8, streaming, `no_std`, without allocation.
//!
//! A [`Model`] is a verified file's bytes, shared and never written; a [`Stream`] is one stream's state, about 59 KiB,
//! wherever the caller puts it; a [`Kernel`] is the set of inner loops that the machine runs. [`NativeClassifier`] joins
//! the three behind the [`Classifier`] trait.
//!
//! ```text
//! log-mel frame, Q8.8
//!   stream      × input gain → i8
//!   kernel      3 × (convolution 3×3 → 2×2 maximum → bias, ReLU, requantization)     one pooled line at a time
//!               projection of a step's features → Q15.16, kept for as many steps as a window has
//!   lstm        the window's steps from a zero state: gates (a table), recurrence, mean or last, dense → logits
//! ```
//!
//! A frame is convolved once, whatever the distance between verdicts: convolutions are unpadded in time, so nothing
//! depends on where a window begins. The integers are the same on every machine and for every kernel; only the final
//! softmax is float. A whole window's scores are those of a stream that has heard just that window.
//!
//! Not here: how a float network becomes these integers (the quantizer), labels and temperature (the manifest).

mod classifier; // the trait's side
mod file; // what the bytes mean
mod gates; // sigmoid and tanh
mod kernel; // inner loops
#[cfg(feature = "alloc")]
mod layers; // one at a time, for comparisons
#[cfg(feature = "std")]
mod load; // package → engine
mod lstm; // projections → logits
mod model; // bytes → views
#[cfg(feature = "alloc")]
mod pack; // parts → bytes
#[cfg(feature = "alloc")]
mod random; // networks for tests and benchmarks
mod shape; // extents and limits
mod stream; // frames → projections

#[cfg(feature = "std")]
pub use self::load::NativeLoadError;
pub use self::{
    classifier::NativeClassifier,
    file::{ALIGNMENT, MAGIC, MAX_BIAS, MAX_FILE_BYTES, MAX_ROW_MAGNITUDE, ModelError, VERSION},
    kernel::Kernel,
    lstm::Logits,
    model::Model,
    shape::{
        BANDS_OUT, CONVS, GATES, LANES, MAX_CHANNELS, MAX_FEATURES, MAX_HIDDEN, MAX_STEPS, ReadOut, Shape,
    },
    stream::Stream,
};
#[cfg(feature = "alloc")]
pub use self::{
    layers::{Layers, LstmState},
    pack::{ConvParts, Parts, RowParts},
    random::Random,
};
#[cfg(doc)]
use super::Classifier;

#[cfg(all(test, feature = "alloc"))]
mod tests;
