//! Turns a float ONNX graph of the streaming contract into its int8 form.
//!
//! ```text
//! float.onnx
//!   onnx        bytes ↔ plain graph; runs graphs by tract (the one file that names it)
//!   read        plain graph → typed network, or a named reason why not   (layout: what reshapes do)
//!   fold        batch norm → convolution
//! features ─→ calibrate   histograms per channel on real frames
//!   equalize    channels share one scale better, the function stays the same
//!   scale       scales by squared error                                  (round: the one rounding rule)
//!   recipe      scales and the best of several equalizations             (correct: biases against moved means;
//!               or the ranges of a quantization-aware training            ranges: their file)
//!   quantized   the integer network and its reference arithmetic         (plane: shared with the float network)
//!   native      network → the native engine's model file, scales per channel; its noise
//!   write       integer network → ONNX in the form that tract runs on integers
//! int8.onnx, native.hnn
//!   measure     noise per layer;  evaluate  float, int8 and native beside each other on validation tracks
//!   confidence  temperature and threshold
//!   report      quantization.md and .json  (picture: SVG);  package  the folder, whole or not at all
//! ```
//!
//! [`job`] goes the whole way; a network that the native engine does not run gets a package without `native.hnn`. `main` is only its command line. Not here: training, and the runtime's own proof that the
//! graph runs on integers (`harmonynet::classify`).

pub mod onnx; // files and tract

pub mod layout; // what reshapes and transposes do
pub mod network; // the float network, typed
pub mod plane; // convolution and pooling, for floats and integers
pub mod read; // graph → network

pub mod calibrate; // histograms of activations
pub mod correct; // biases against moved means
pub mod equalize; // channels of like size
pub mod fold; // batch norm into convolutions
pub mod native; // the native engine's form
pub mod quantized; // the integer network
pub mod ranges; // ranges of a quantization-aware training
pub mod recipe; // network → integer network
pub mod round; // the one rounding rule
pub mod scale; // scales by error

pub mod write; // integer network → graph

pub mod confidence; // temperature and threshold
pub mod evaluate; // the forms beside each other
pub mod features; // log-mel frames and splits
pub mod measure; // noise per layer
pub mod package; // the folder
pub mod parallel; // work on all cores
pub mod picture; // the report's pictures
pub mod report; // figures for people and machines

pub mod error; // why a job ends without a package
pub mod job; // the whole way

#[cfg(test)]
mod testing; // small random networks
