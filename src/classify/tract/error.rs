//! Why a model is refused.

use std::path::PathBuf;

use super::{GraphError, NotInteger};
use crate::classify::ClassifyError;
use crate::classify::manifest::Precision;
use crate::classify::package::PackageError;

/// Why a model could not be loaded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LoadError {
    /// The package is wrong.
    Package(PackageError),
    /// The graph is wrong.
    Graph {
        /// Its file, where it came from one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        error: GraphError,
    },
    /// An int8 graph that would not run on integers.
    NotInteger {
        /// Its file, where it came from one.
        path: Option<PathBuf>,
        /// The node, and what it computes with.
        error: NotInteger,
    },
    /// The golden window could not be run.
    Run(ClassifyError),
    /// The golden window gives another probability than the manifest states.
    Golden {
        /// The manifest.
        path: PathBuf,
        /// Which graph.
        precision: Precision,
        /// The label.
        label: String,
        /// The probability that the manifest states.
        stated: f32,
        /// The probability computed here.
        computed: f32,
        /// The largest difference allowed.
        tolerance: f32,
    },
}

impl core::fmt::Display for LoadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Package(error) => write!(f, "{error}; {}", error.mend()),
            Self::Graph { path, error } => write!(f, "{}{error}", prefix(path)),
            Self::NotInteger { path, error } => write!(
                f,
                "{}the int8 graph would run in floating point: {error}; quantize it again, or accept it with --allow-float",
                prefix(path)
            ),
            Self::Run(error) => write!(f, "the golden window failed: {error}"),
            Self::Golden { path, precision, label, stated, computed, tolerance } => write!(
                f,
                "{}: graphs.{precision}.golden states {stated} for {label:?}, but {computed} is computed here \
                 (golden.tolerance is {tolerance}); this machine or this build computes the model wrongly, or the \
                 manifest belongs to another graph",
                path.display()
            ),
        }
    }
}

impl core::error::Error for LoadError {}

impl From<PackageError> for LoadError {
    fn from(error: PackageError) -> Self {
        Self::Package(error)
    }
}

impl From<GraphError> for LoadError {
    fn from(error: GraphError) -> Self {
        Self::Graph { path: None, error }
    }
}

impl From<NotInteger> for LoadError {
    fn from(error: NotInteger) -> Self {
        Self::NotInteger { path: None, error }
    }
}

impl LoadError {
    /// Says in which file the graph lies.
    pub(super) fn in_file(mut self, file: PathBuf) -> Self {
        if let Self::Graph { path, .. } | Self::NotInteger { path, .. } = &mut self {
            *path = Some(file);
        }
        self
    }
}

fn prefix(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| format!("{}: ", path.display()))
}
