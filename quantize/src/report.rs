//! The quantization report: `quantization.json` for machines, `quantization.md` and its pictures for people, all from one
//! [`Report`].

mod native; // the native form's part

use std::fmt::Write;

use serde::Serialize;

use crate::calibrate::{Histogram, Statistics};
use crate::equalize::Factors;
use crate::evaluate::Validation;
use crate::measure::Noise;
use crate::picture;
use crate::recipe::Outcome;
use crate::scale::{Choice, LEVELS};

pub use self::native::{LayerNoise, NativeForm, NativeReport};

/// Everything that the two files say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Program and version.
    pub made_by: String,
    /// The command's arguments that decide the result.
    pub settings: Settings,
    /// The equalization that was kept.
    pub equalization: String,
    /// What was tried.
    pub tried: Vec<Tried>,
    /// Per layer.
    pub layers: Vec<LayerReport>,
    /// Signal to quantization noise of the logits over the calibration windows, decibels.
    pub logits_sqnr_db: f64,
    /// Sizes.
    pub sizes: Sizes,
    /// The forms beside each other on the validation part.
    pub validation: Validation,
    /// Temperature and threshold.
    pub confidence: Confidence,
    /// The native form.
    pub native: NativeForm,
}

/// The arguments that decide the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Part of the split that calibrated.
    pub calibrated_on: String,
    /// Windows that calibrated.
    pub calibration_windows: usize,
    /// Part of the split that validated.
    pub validated_on: String,
    /// Frames of one window.
    pub window_frames: usize,
    /// Frames between two validation windows of a track.
    pub window_hop_frames: usize,
    /// Fingerprint of the front-end.
    pub frontend: String,
    /// Where the scales come from.
    pub scales: ScalesFrom,
    /// Whether the float graph that int8 is compared with is another one than was quantized.
    pub other_reference: bool,
    /// Least share of validation windows with the same verdict.
    pub min_agreement: f64,
    /// Most of the share of rightly labelled windows that might have been lost.
    pub max_loss: Option<f64>,
}

/// Where scales come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalesFrom {
    /// Chosen by squared error over the calibration windows.
    Calibration,
    /// Stated by a quantization-aware training.
    Ranges,
}

/// One way of quantizing that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The equalization.
    pub equalization: String,
    /// Scale of the input.
    pub input_scale: f32,
    /// Mean squared error of the calibration windows' logits.
    pub logit_error: f64,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerReport {
    /// Its name.
    pub layer: String,
    /// Largest magnitude of a weight; absent for the input.
    pub weight_range: Option<f32>,
    /// Scale of the weights; the mean over its rows for the projection.
    pub weight_scale: Option<f32>,
    /// Weighted squared error of the weights relative to that of the range divided by 127.
    pub weight_error_ratio: Option<f64>,
    /// Largest activation on the calibration windows.
    pub activation_range: Option<f32>,
    /// Scale of the activations.
    pub activation_scale: Option<f32>,
    /// Weighted squared error of the activations relative to that of the range divided by 127.
    pub activation_error_ratio: Option<f64>,
    /// Share of activations beyond what the scale holds.
    pub clipped: f64,
    /// Signal to quantization noise, decibels; noise of earlier layers included.
    pub sqnr_db: f64,
    /// Where the activations' magnitudes above zero lie: counts in 72 equal bins up to 1.2 times what the scale holds.
    pub histogram: Vec<u64>,
}

/// Bytes of the forms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sizes {
    /// The float graph.
    pub float_bytes: usize,
    /// The int8 graph.
    pub int8_bytes: usize,
    /// The native form, where there is one.
    pub native_bytes: Option<usize>,
}

/// How logits become a shown genre.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Confidence {
    /// Fitted on the validation windows' int8 logits.
    pub temperature: f32,
    /// Negative log-likelihood at temperature 1, nats.
    pub nll_before: f64,
    /// Negative log-likelihood at the fitted temperature, nats.
    pub nll_after: f64,
    /// Largest multiple of 0.01 that `show` of the validation windows' confidences reach.
    pub unsure_below: f32,
    /// The share of windows that must still show a genre.
    pub show: f64,
    /// The share that does.
    pub shown: f64,
    /// Share of the shown windows that are right.
    pub shown_accuracy: f64,
}

/// Bins of a layer's histogram.
const BINS: usize = 72;
/// How much farther than the scale a layer's histogram reaches.
pub const HISTOGRAM_SHARE: f32 = 1.2;
/// The pictures' file names.
pub const PICTURES: [&str; 2] = ["quantization-activations.svg", "quantization-noise.svg"];

/// The layers' rows: input, convolutions, projection.
#[must_use]
pub fn layers(
    outcome: &Outcome,
    statistics: &Statistics,
    factors: &Factors,
    noises: &[Noise],
    inputs: &Histogram,
) -> Vec<LayerReport> {
    let row = |layer: &str, noise: &Noise| LayerReport {
        layer: layer.into(),
        weight_range: None,
        weight_scale: None,
        weight_error_ratio: None,
        activation_range: None,
        activation_scale: None,
        activation_error_ratio: None,
        clipped: noise.clipped_share(),
        sqnr_db: noise.sqnr_db(),
        histogram: vec![],
    };
    let ratio = |error: f64, range_error: f64| if range_error > 0.0 { error / range_error } else { 1.0 };
    let activations = |layer: &mut LayerReport, choice: Choice| {
        layer.activation_range = Some(choice.range);
        layer.activation_scale = Some(choice.scale);
        layer.activation_error_ratio = Some(ratio(choice.error, choice.range_error));
        layer.histogram = vec![0; BINS];
        HISTOGRAM_SHARE * LEVELS as f32 * choice.scale
    };
    let mut input = row("input", &noises[0]);
    let reach = activations(&mut input, outcome.input);
    inputs.rebin(reach, &mut input.histogram);
    let mut rows = vec![input];
    for (index, (scales, noise)) in outcome.scales.iter().zip(&noises[1..]).enumerate() {
        let mut layer = row(&scales.layer, noise);
        let weights = &scales.weights;
        layer.weight_range = Some(weights.iter().fold(0f32, |most, c| most.max(c.range)));
        layer.weight_scale = Some(weights.iter().map(|c| c.scale).sum::<f32>() / weights.len().max(1) as f32);
        let range_error = weights.iter().map(|c| c.range_error).sum();
        layer.weight_error_ratio = Some(ratio(weights.iter().map(|c| c.error).sum(), range_error));
        if let Some(choice) = scales.activations {
            let reach = activations(&mut layer, choice);
            for (channel, factor) in statistics.layers[index].channels.iter().zip(&factors[index]) {
                channel.rebin(reach * factor, &mut layer.histogram);
            }
        }
        rows.push(layer);
    }
    rows
}

impl Report {
    /// The JSON text.
    ///
    /// # Errors
    /// None in practice: every figure is a number.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The pictures: file names and contents.
    #[must_use]
    pub fn pictures(&self) -> [(&'static str, String); 2] {
        let [activations, noise] = PICTURES;
        [
            (activations, picture::activations(&self.layers)),
            (noise, picture::noise(&self.layers, self.logits_sqnr_db)),
        ]
    }

    /// The Markdown text.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, out: &mut String) -> std::fmt::Result {
        let s = &self.settings;
        writeln!(
            out,
            "# Quantization\n\nWritten by `{}`; the same figures are in quantization.json.\n",
            self.made_by
        )?;
        writeln!(
            out,
            "Calibrated on {} windows of {} frames of part `{}`, checked on part `{}`, front-end {}.",
            s.calibration_windows, s.window_frames, s.calibrated_on, s.validated_on, s.frontend
        )?;
        match s.scales {
            ScalesFrom::Calibration => {
                writeln!(
                    out,
                    "Scales are chosen by squared error. Equalization kept: {}.\n",
                    self.equalization
                )?;
            }
            ScalesFrom::Ranges => writeln!(
                out,
                "Scales are those of a quantization-aware training: nothing was equalized and no bias corrected.\n"
            )?,
        }
        if s.other_reference {
            writeln!(
                out,
                "`float` is another network than the one that was quantized: the best before that.\n"
            )?;
        }
        self.write_agreement(out)?;
        self.write_layers(out)?;
        writeln!(out, "## What was tried\n")?;
        write_tried(out, &self.tried)?;
        let (c, sizes) = (&self.confidence, &self.sizes);
        writeln!(
            out,
            "\n## Confidence\n\nTemperature {:.4} brings the int8 graph's negative log-likelihood from {:.4} to {:.4} nats. \
             Below a confidence of {:.2} the device says \"unsure\": the largest multiple of 0.01 at which at least {:.0} % \
             of the windows show a genre; {:.1} % do, and {:.1} % of those are right.\n",
            c.temperature,
            c.nll_before,
            c.nll_after,
            c.unsure_below,
            100.0 * c.show,
            100.0 * c.shown,
            100.0 * c.shown_accuracy
        )?;
        self.native.write_markdown(out, c)?;
        let ratio = sizes.float_bytes as f64 / sizes.int8_bytes.max(1) as f64;
        writeln!(
            out,
            "## Sizes\n\nfloat.onnx {} bytes, int8.onnx {} bytes: {ratio:.2} times smaller.",
            sizes.float_bytes, sizes.int8_bytes
        )?;
        sizes.native_bytes.map_or(Ok(()), |bytes| writeln!(out, "native.hnn {bytes} bytes."))
    }

    fn write_agreement(&self, out: &mut String) -> std::fmt::Result {
        let v = &self.validation;
        writeln!(out, "## The forms on part `{}`\n", self.settings.validated_on)?;
        writeln!(out, "Float and int8 graph run by tract, the native form by the native engine.\n")?;
        writeln!(out, "| {} windows of {} tracks | window accuracy | track accuracy |", v.windows, v.tracks)?;
        writeln!(out, "| --- | ---: | ---: |")?;
        let percent = |x: f64| format!("{:.2} %", 100.0 * x);
        for (form, accuracy) in [("float", Some(v.float)), ("int8", Some(v.int8)), ("native", v.native)] {
            let Some(accuracy) = accuracy else { continue };
            writeln!(out, "| {form} | {} | {} |", percent(accuracy.window), percent(accuracy.track))?;
        }
        writeln!(
            out,
            "\n| beside each other | same verdict, windows | tracks | Δp on average | at most |\n\
             | --- | ---: | ---: | ---: | ---: |"
        )?;
        for (pair, beside) in [
            ("int8, float", Some(v.int8_beside_float)),
            ("native, float", v.native_beside_float),
            ("native, int8", v.native_beside_int8),
        ] {
            let Some(beside) = beside else { continue };
            let (window, track) = (percent(beside.window), percent(beside.track));
            let (mean, largest) = (beside.mean_probability_difference, beside.largest_probability_difference);
            writeln!(out, "| {pair} | {window} | {track} | {mean:.4} | {largest:.4} |")?;
        }
        writeln!(out, "\nProbabilities at temperature 1.\n")
    }

    fn write_layers(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "## Layers of the int8 graph\n\nError ratios: squared error of the chosen scale over that of the range divided by 127. SQNR: \
             signal to quantization noise over the calibration windows, the noise of earlier layers included; {:.1} dB at \
             the logits.\n",
            self.logits_sqnr_db
        )?;
        writeln!(
            out,
            "| layer | weights: range | scale | error ratio | activations: range | scale | error ratio | clipped | SQNR |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        )?;
        let number = |x: Option<f32>| x.map_or_else(|| "–".into(), |x| format!("{x:.5}"));
        let share = |x: Option<f64>| x.map_or_else(|| "–".into(), |x| format!("{x:.3}"));
        for l in &self.layers {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {:.4} % | {:.1} dB |",
                l.layer,
                number(l.weight_range),
                number(l.weight_scale),
                share(l.weight_error_ratio),
                number(l.activation_range),
                number(l.activation_scale),
                share(l.activation_error_ratio),
                100.0 * l.clipped,
                l.sqnr_db
            )?;
        }
        let [activations, noise] = PICTURES;
        writeln!(out, "\n![Signal to quantization noise per layer]({noise})\n")?;
        writeln!(
            out,
            "![Activations per layer]({activations})\n\nMagnitudes above zero, counts logarithmic. The mark is where \
             the scale ends: what lies beyond is clipped, and counts in the last bar where it lies beyond that.\n"
        )
    }
}

fn write_tried(out: &mut String, tried: &[Tried]) -> std::fmt::Result {
    writeln!(out, "| equalization | input scale | mean squared logit error |\n| --- | ---: | ---: |")?;
    for Tried { equalization, input_scale, logit_error } in tried {
        writeln!(out, "| {equalization} | {input_scale:.5} | {logit_error:.6} |")?;
    }
    Ok(())
}
