//! Listens to music on a Raspberry-Pi-class device and shows the genre, live.
//!
//! The way of a sample, and of this crate's modules:
//!
//! ```text
//! microphone ─ ALSA period (S16/S24/S32, 1–8 channels, 16–96 kHz)
//!   capture    pick or mix a channel, resample to 22,050 Hz, remove DC, mark lost samples  → Block
//!   frontend   Hann window → microfft → power → mel bank → integer log2 → level tracker    → LogMel
//!   classify   int8 CNN-LSTM over a window of log-mel frames                               → Scores
//!   decide     smoothing, hysteresis, minimum hold                                         → Verdict
//!   display    LED matrix, terminal, JSON lines                                            ← Scene
//!   tell       event socket, metrics, MQTT                                                 ← Scene
//!   trace      when each stage had what: the last minutes, always kept                     ← PeriodTimes
//! ```
//!
//! Stages never import each other: they share [`spec`] (the numbers a model is trained for) and [`flow`] (the data
//! that travels between them). [`pipeline`] is the one place that wires stages together.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(all(feature = "cli", not(any(feature = "native", feature = "tract"))))]
compile_error!("the program needs an engine: add the feature `native`, `tract` or both");

pub mod spec; // the numbers that training, quantizer, runtime and manifest share

pub mod flow; // the data that travels between stages

pub mod capture; // microphone → blocks of samples
pub mod classify; // log-mel frames → scores
pub mod decide; // scores → verdicts
pub mod display;
pub mod frontend; // samples → log-mel frames // scenes → light

pub mod pipeline; // wires the stages

#[cfg(feature = "tell")]
pub mod tell; // verdicts → the rest of the house

pub mod trace; // when what happened

#[cfg(feature = "std")]
pub use harmonynet_settings as settings; // file, environment and command line, over what the board calls for

/// The README's example is a test.
#[cfg(all(doctest, feature = "native", feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
