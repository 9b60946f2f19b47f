//! The one rounding rule of the integer path, which the runtime's kernels share.
//!
//! Not here: where scales come from ([`crate::scale`]).

pub use harmonynet::classify::requantize::{Multiplier, quantize};
