//! What the report says of the native form.

use std::fmt::Write;

use serde::Serialize;

use super::{Confidence, Tried, write_tried};

/// The native form of a package; in JSON an object, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum NativeForm {
    /// There is one.
    Made(NativeReport),
    /// There is none: why.
    Missing(String),
}

/// A native form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NativeReport {
    /// The equalization that was kept.
    pub equalization: String,
    /// What was tried.
    pub tried: Vec<Tried>,
    /// Per layer.
    pub layers: Vec<LayerNoise>,
    /// Signal to quantization noise of the logits over the calibration windows, decibels.
    pub logits_sqnr_db: f64,
    /// The temperature that would fit its own logits; the package's is the int8 graph's.
    pub temperature: f32,
    /// Negative log-likelihood at the package's temperature, nats.
    pub nll: f64,
    /// Share of the validation windows that show a genre at the package's threshold.
    pub shown: f64,
    /// Share of these that are right.
    pub shown_accuracy: f64,
}

/// What one layer loses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerNoise {
    /// Its name.
    pub layer: String,
    /// Share of activations beyond what the scale holds.
    pub clipped: f64,
    /// Signal to quantization noise, decibels; noise of earlier layers included.
    pub sqnr_db: f64,
}

impl NativeForm {
    pub(super) fn write_markdown(&self, out: &mut String, package: &Confidence) -> std::fmt::Result {
        writeln!(out, "## The native form\n")?;
        let native = match self {
            Self::Made(native) => native,
            Self::Missing(why) => {
                return writeln!(out, "The package has none: {why}. tract runs its graphs.\n");
            }
        };
        writeln!(
            out,
            "Weights have a scale per channel. Equalization kept: {}; SQNR {:.1} dB at the logits.\n",
            native.equalization, native.logits_sqnr_db
        )?;
        writeln!(out, "| layer | clipped | SQNR |\n| --- | ---: | ---: |")?;
        for LayerNoise { layer, clipped, sqnr_db } in &native.layers {
            writeln!(out, "| {layer} | {:.4} % | {sqnr_db:.1} dB |", 100.0 * clipped)?;
        }
        writeln!(out)?;
        write_tried(out, &native.tried)?;
        writeln!(
            out,
            "\nAt the package's temperature {:.4} and threshold {:.2}, which are the int8 graph's: {:.4} nats, {:.1} % of the \
             windows show a genre, {:.1} % of those are right. Its own logits would have asked for temperature {:.4}.\n",
            package.temperature,
            package.unsure_below,
            native.nll,
            100.0 * native.shown,
            100.0 * native.shown_accuracy,
            native.temperature
        )
    }
}
