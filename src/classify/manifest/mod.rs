//! What a model package says of itself (`manifest.toml`), and whether it may be believed.
//!
//! A manifest is read strictly: an unknown key, a missing key or a value out of range is an error that names the
//! field, its value, what is allowed and the line. Files are not looked at here; [`package`](super::package) does that.

mod check; // judges a manifest without its files
mod error; // what can be wrong with one
mod text; // TOML

use serde::{Deserialize, Serialize};

pub use self::error::{ManifestError, Wrong};
use crate::flow::{Label, Labels};
use crate::spec::{FRAMES_PER_STEP, FrontendSpec, MAX_LABELS, MEL_BANDS, RECEPTIVE_MARGIN, WindowLength};

/// The only format number that this build reads.
pub const FORMAT: u32 = 1;
/// The manifest's name inside a package.
pub const FILE_NAME: &str = "manifest.toml";
/// Most bytes that one graph may have.
pub const MAX_GRAPH_BYTES: u64 = 64 << 20;

/// The arithmetic of a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Convolutions and the LSTM's input projection on 8-bit integers.
    #[default]
    Int8,
    /// Everything in 32-bit floating point.
    Float,
}

impl Precision {
    /// Both, in the order in which a manifest lists them.
    pub const ALL: [Self; 2] = [Self::Int8, Self::Float];

    /// The name used in manifests and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Float => "float",
        }
    }
}

impl core::fmt::Display for Precision {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// A package's `manifest.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Number of the manifest's format: [`FORMAT`].
    pub format: u32,
    /// The model's name.
    pub name: String,
    /// The model's version.
    pub version: String,
    /// Under what terms the weights may be used, in plain words.
    pub licence: String,
    /// The labels in the order of the logits: 2 to 32, each of 1 to 24 bytes, no two alike.
    pub labels: Vec<String>,
    /// Probabilities are `softmax(logits / temperature)`.
    pub temperature: f32,
    /// Smoothed confidence below which a device says "unsure", at least 0 and below 1.
    pub unsure_below: f32,
    /// The streaming contract.
    pub contract: Contract,
    /// The front-end that the model was trained with.
    pub frontend: Frontend,
    /// The golden window: its probabilities are recomputed at load.
    pub golden: GoldenWindow,
    /// The graphs, one at least.
    pub graphs: Graphs,
}

/// The streaming contract of [`spec`](crate::spec) as a model keeps it. Its window belongs to the model; what a step
/// advances and what the convolutions consume are the architecture's, repeated so that a model made for another one is
/// refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Frames of one window: `frames_per_step · steps + margin`.
    pub window_frames: usize,
    /// Steps of one window, 1 to 32.
    pub steps: usize,
    /// Frames that one step advances: 8.
    pub frames_per_step: usize,
    /// Frames that the convolutions consume beyond those: 14.
    pub margin: usize,
}

impl Contract {
    /// The contract of a model with this window.
    #[must_use]
    pub const fn of(window: WindowLength) -> Self {
        Self {
            window_frames: window.frames(),
            steps: window.steps(),
            frames_per_step: FRAMES_PER_STEP,
            margin: RECEPTIVE_MARGIN,
        }
    }
}

/// The front-end that a model was trained with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frontend {
    /// [`FrontendSpec::fingerprint`] of `spec`, 16 lower-case hexadecimal digits.
    pub fingerprint: String,
    /// The specification.
    pub spec: FrontendSpec,
}

impl Frontend {
    /// The entry of `spec`.
    #[must_use]
    pub fn of(spec: FrontendSpec) -> Self {
        Self { fingerprint: check::hex(spec.fingerprint()), spec }
    }
}

/// The golden window: log-mel values of self-made sound, whose probabilities every graph states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenWindow {
    /// File name inside the package: one window, frames of 128 little-endian i16, Q8.8 octaves.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Largest difference of a probability that is accepted at load.
    pub tolerance: f32,
}

impl GoldenWindow {
    /// The file's size for a model's window.
    #[must_use]
    pub const fn bytes_of(window: WindowLength) -> u64 {
        (window.frames() * MEL_BANDS * size_of::<i16>()) as u64
    }
}

/// The graphs of a package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graphs {
    /// The quantized graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8: Option<Graph>,
    /// The float graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub float: Option<Graph>,
    /// The native engine's model file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Graph>,
}

/// One ONNX graph, or the native model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// File name inside the package.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Probabilities of the golden window, one per label.
    pub golden: Vec<f32>,
}

impl Manifest {
    /// The graph of a precision, if the package has one.
    #[must_use]
    pub fn graph(&self, precision: Precision) -> Option<&Graph> {
        match precision {
            Precision::Int8 => self.graphs.int8.as_ref(),
            Precision::Float => self.graphs.float.as_ref(),
        }
    }

    /// The labels as they travel between stages.
    #[must_use]
    pub fn labels(&self) -> Labels {
        self.labels.iter().filter_map(|label| Label::try_from(label.as_str()).ok()).take(MAX_LABELS).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
