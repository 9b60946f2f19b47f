//! Why a job ends without a package. Every text says what to mend.

use std::path::{Path, PathBuf};

use harmonynet::classify::ClassifyError;
use harmonynet::classify::manifest::ManifestError;
use harmonynet::classify::tract::LoadError;

use crate::evaluate::EvaluateError;
use crate::features::FeatureError;
use crate::onnx::OnnxError;
use crate::ranges::RangesError;
use crate::read::ReadError;
use crate::recipe::QuantizeError;

/// Why a job ends without a package.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// An input file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The ONNX file or the engine.
    Onnx(OnnxError),
    /// The graph is none of the contract.
    Read(ReadError),
    /// The graph names another number of labels than it has logits.
    Labels {
        /// Labels named in its metadata.
        found: usize,
        /// Logits.
        logits: usize,
    },
    /// The network was trained with another front-end than the one that wrote the features.
    Training {
        /// The record of the training run.
        path: PathBuf,
        /// Its fingerprint of the front-end, where it has one.
        trained: Option<String>,
        /// The features' one.
        features: String,
    },
    /// The file of ranges.
    Ranges {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: RangesError,
    },
    /// The graph to compare with has other labels.
    Reference {
        /// The graph.
        path: PathBuf,
        /// Its labels.
        labels: Vec<String>,
    },
    /// The features or the split.
    Feature(FeatureError),
    /// A layer cannot be quantized.
    Quantize(QuantizeError),
    /// tract and this crate's arithmetic differ on the same graph.
    Twins {
        /// Which graph.
        what: &'static str,
        /// Largest |Δlogit|.
        difference: f32,
    },
    /// The runtime refuses the int8 graph.
    Runtime(LoadError),
    /// A graph's logits give no probabilities.
    Probabilities(ClassifyError),
    /// Validation could not be run.
    Evaluate(EvaluateError),
    /// The float graph and a quantized form disagree too often.
    Agreement {
        /// The form.
        form: &'static str,
        /// Share of windows with the same verdict.
        found: f64,
        /// The least that was asked for.
        wanted: f64,
    },
    /// A quantized form labels too many fewer windows rightly.
    Loss {
        /// The form.
        form: &'static str,
        /// The share of validation windows lost.
        found: f64,
        /// The most that was allowed.
        allowed: f64,
    },
    /// The manifest would not be accepted.
    Manifest(ManifestError),
    /// The report cannot be encoded.
    Report(serde_json::Error),
}

impl JobError {
    /// A file's bytes.
    ///
    /// # Errors
    /// [`JobError::Unreadable`] with the file's name.
    pub fn read(path: &Path) -> Result<Vec<u8>, Self> {
        std::fs::read(path).map_err(|reason| Self::Unreadable { path: path.into(), reason })
    }
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Onnx(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Labels { found, logits } => write!(
                f,
                "the graph's metadata names {found} labels, but it has {logits} logits; export it again with its labels, \
                 2 to 32 of them"
            ),
            Self::Training { path, trained: None, .. } => {
                write!(f, "{}: this record of a training run names no front-end", path.display())
            }
            Self::Training { path, trained: Some(trained), features } => write!(
                f,
                "{}: trained with front-end {trained}, but {features} wrote the features; name the features of the \
                 training run",
                path.display()
            ),
            Self::Ranges { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Reference { path, labels } => write!(
                f,
                "{}: its labels are {}, which are not those of the graph to quantize",
                path.display(),
                labels.join(", ")
            ),
            Self::Feature(error) => error.fmt(f),
            Self::Quantize(error) => error.fmt(f),
            Self::Twins { what, difference } => write!(
                f,
                "{what}: tract and the reference differ by {difference} in a logit; the graph would not mean what the \
                 report says of it"
            ),
            Self::Runtime(error) => write!(f, "the runtime refuses the int8 graph: {error}"),
            Self::Probabilities(error) => write!(f, "a graph's logits give no probabilities: {error}"),
            Self::Evaluate(error) => error.fmt(f),
            Self::Agreement { form, found, wanted } => write!(
                f,
                "float and {form} agree on {:.2} % of the validation windows, wanted {:.2} %; calibrate on more windows \
                 (--windows), train longer or fine-tune with quantization in the loop, or accept it with --min-agreement",
                100.0 * found,
                100.0 * wanted
            ),
            Self::Loss { form, found, allowed } => write!(
                f,
                "{form} labels {:.2} % of the validation windows less rightly than float, allowed {:.2} %; calibrate on more \
                 windows (--windows), fine-tune with quantization in the loop (--ranges), or accept it with --max-loss",
                100.0 * found,
                100.0 * allowed
            ),
            Self::Manifest(error) => write!(f, "the manifest would be refused: {error}"),
            Self::Report(error) => write!(f, "the report cannot be encoded: {error}"),
        }
    }
}

impl std::error::Error for JobError {}

macro_rules! from {
    ($($variant:ident($error:ty)),*) => {
        $(impl From<$error> for JobError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(
    Onnx(OnnxError),
    Read(ReadError),
    Feature(FeatureError),
    Quantize(QuantizeError),
    Runtime(LoadError),
    Probabilities(ClassifyError),
    Evaluate(EvaluateError),
    Manifest(ManifestError),
    Report(serde_json::Error)
);
