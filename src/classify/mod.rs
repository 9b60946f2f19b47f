//! Log-mel frames → scores.
//!
//! One trait, [`Classifier`], and its engines. An engine is fed every frame and asked for scores on multiples of
//! eight frames; whether it recomputes its window or streams is its own business. What scores mean over time
//! (smoothing, hysteresis, states) is not decided here.
//!
//! | module | what it does | needs |
//! | --- | --- | --- |
//! | [`window`] | the ring of the last frames | nothing |
//! | [`probability`] | logits → calibrated probabilities | nothing |
//! | [`requantize`] | the one rounding rule of integer engines | nothing |
//! | [`hash`] | SHA-256 | `std` or `native` |
//! | [`manifest`] | what a model package says of itself, and whether it may be believed | `std` |
//! | [`package`] | the files of a package, from a folder or from the binary, never unverified | `std` |
//! | [`native`] | the streaming int8 engine, without an operating system and without allocation | `native` |
//! | [`tract`] | the reference engine: an ONNX graph of the streaming contract | `tract` |
//! | [`engine`] | which of the two runs a package, and either as one type | `std` and one of them |

pub mod probability; // logits → probabilities
pub mod requantize; // the one rounding rule
pub mod window; // the last frames of the stream

#[cfg(any(feature = "std", feature = "native"))]
pub mod hash; // SHA-256
#[cfg(feature = "std")]
pub mod manifest; // what a package says of itself
#[cfg(feature = "std")]
pub mod package; // the package's files

#[cfg(feature = "native")]
pub mod native; // the streaming int8 engine
#[cfg(feature = "tract")]
pub mod tract; // the reference engine

#[cfg(all(feature = "std", any(feature = "native", feature = "tract")))]
pub mod engine; // either of them

use crate::flow::{LogMel, Scores};
use crate::spec::WindowLength;

/// An engine: frames in, scores out.
pub trait Classifier {
    /// How much of the stream its model judges at once.
    fn window(&self) -> WindowLength;

    /// Takes the next frame of the stream.
    fn push(&mut self, frame: &LogMel);

    /// Forgets every frame: the stream had a gap.
    fn reset(&mut self);

    /// The scores of the last [`window`](Self::window) of frames.
    ///
    /// # Errors
    /// [`ClassifyError::NotReady`] before the window is full; else what went wrong in the engine.
    fn scores(&mut self) -> Result<Scores, ClassifyError>;
}

/// Why there are no scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClassifyError {
    /// The window is not yet full.
    NotReady,
    /// The engine could not run the model.
    Engine,
    /// The model's output is not a number.
    NotFinite,
}

impl core::fmt::Display for ClassifyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotReady => "the window is not yet full",
            Self::Engine => "the engine could not run the model",
            Self::NotFinite => "the model's output is not a number",
        })
    }
}

impl core::error::Error for ClassifyError {}
