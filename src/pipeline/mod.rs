//! Wires the stages. The one place where they meet.
//!
//! | module | what it does | needs |
//! | --- | --- | --- |
//! | [`Recognizer`] | blocks of sound in, verdicts out: front-end, classifier and decision as one | nothing |
//! | [`recording`] | a whole recording in, one verdict out | `std` |
//! | [`listen`] | the threads of live listening | `std` |
//! | [`queue`] | the lock-free queue between them | `std` |

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

pub use recognizer::Recognizer;
