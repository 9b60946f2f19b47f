//! Wires the stages. The one place where they meet.
//!
//! | module | what it does | needs |
//! | --- | --- | --- |
//! | [`Recognizer`] | blocks of sound in, verdicts out: front-end, classifier and decision as one | nothing |
//! | [`Effort`], [`Governor`] | what is given up where recognizing is too slow | nothing |
//! | [`GLIMPSE_SAMPLES`] | what pictures of the sound show, if anybody watches | nothing |
//! | [`recording`] | a whole recording in, one verdict out | `std` |
//! | [`listen`] | the threads of live listening | `std` |
//! | [`queue`] | the lock-free queue between them | `std` |
//! | [`refresher`] | a display on a thread of its own | `std` |
//! | [`tracer`] | what happens when, for all of them | `std` |

mod effort;
mod glimpses;
mod recognizer;

#[cfg(feature = "std")]
mod capture_counts;
#[cfg(feature = "std")]
pub mod listen;
#[cfg(feature = "std")]
mod priority;
#[cfg(feature = "std")]
pub mod queue;
#[cfg(feature = "std")]
pub mod recording;
#[cfg(feature = "std")]
pub mod refresher;
#[cfg(feature = "std")]
pub mod tracer;

pub use effort::{Effort, Governor};
pub use glimpses::GLIMPSE_SAMPLES;
#[cfg(feature = "std")]
pub use priority::real_time_is_granted;
pub use recognizer::Recognizer;
