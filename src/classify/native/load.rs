//! A package's native model file → an engine, proved by the golden window.

use core::fmt;
use std::borrow::Cow;
use std::path::PathBuf;

use super::file::ModelError;
use super::model::Model;
use super::{Kernel, NativeClassifier, Stream};
use crate::classify::ClassifyError;
use crate::classify::package::{Package, PackageError};
use crate::classify::probability::{Probabilities, softmax};
use crate::classify::window::Bands;
use crate::spec::FrontendSpec;

/// Largest difference between a probability of the golden window and the manifest's: the integers are the same on every
/// machine, so that only the manifest's decimal digits and the softmax's last bits may differ.
const GOLDEN_TOLERANCE: f32 = 1e-6;

/// Why a package's native model could not be loaded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NativeLoadError {
    /// The package is wrong, or has no native model.
    Package(PackageError),
    /// The model file is wrong.
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ModelError,
    },
    /// The model file is of another model than the manifest.
    Differs {
        /// The manifest.
        path: PathBuf,
        /// The manifest's field.
        field: &'static str,
        /// What the manifest states.
        stated: String,
        /// What the file has.
        found: String,
    },
    /// The golden window could not be run.
    Run(ClassifyError),
    /// The golden window gives another probability than the manifest states.
    Golden {
        /// The manifest.
        path: PathBuf,
        /// The label.
        label: String,
        /// The probability that the manifest states.
        stated: f32,
        /// The probability computed here.
        computed: f32,
    },
}

impl fmt::Display for NativeLoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(error) => write!(f, "{error}; {}", error.mend()),
            Self::Model { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Differs { path, field, stated, found } => write!(
                f,
                "{}: {field} is {stated}, but the native model's is {found}; the two belong to different models",
                path.display()
            ),
            Self::Run(error) => write!(f, "the golden window failed: {error}"),
            Self::Golden { path, label, stated, computed } => write!(
                f,
                "{}: graphs.native.golden states {stated} for {label:?}, but {computed} is computed here; this build \
                 computes the model wrongly, or the manifest belongs to another file",
                path.display()
            ),
        }
    }
}

impl core::error::Error for NativeLoadError {}

impl From<PackageError> for NativeLoadError {
    fn from(error: PackageError) -> Self {
        Self::Package(error)
    }
}

impl<B: AsRef<[u8]>> Model<B> {
    /// The probabilities of one whole window, oldest frame first.
    ///
    /// # Errors
    /// [`ClassifyError::NotReady`] where `window` is shorter than the model's; else as
    /// [`scores`](crate::classify::Classifier::scores).
    pub fn scores_of_window(
        &self,
        window: &[Bands],
        temperature: f32,
        kernel: Kernel,
    ) -> Result<Probabilities, ClassifyError> {
        let mut stream = Stream::new();
        for bands in window {
            stream.push(self, kernel, bands);
        }
        softmax(&stream.logits(self, kernel).ok_or(ClassifyError::NotReady)?, temperature)
    }
}

impl NativeClassifier<Cow<'static, [u8]>> {
    /// Loads the native model of a package for the front-end that is going to feed it. The file of a package that is part
    /// of the program is run where it lies.
    ///
    /// In this order: the manifest's front-end is compared with `frontend`, the file is verified against the manifest and
    /// in itself, it must be of the manifest's window, labels and front-end, and the golden window's probabilities are
    /// recomputed.
    ///
    /// # Errors
    /// What is wrong, with the field.
    pub fn load(package: &Package, frontend: &FrontendSpec) -> Result<Self, NativeLoadError> {
        package.check_frontend(frontend)?;
        let manifest = package.manifest();
        let (bytes, path) = (package.native()?, package.native_path());
        let model = Model::new(bytes).map_err(|error| NativeLoadError::Model { path, error })?;
        let fields = [
            ("contract.steps", manifest.contract.steps as u64, model.shape().steps as u64),
            ("labels", manifest.labels.len() as u64, model.shape().labels as u64),
            ("frontend.fingerprint", manifest.frontend.spec.fingerprint(), model.frontend()),
        ];
        for (field, stated, found) in fields {
            if stated != found {
                let shown = |value: u64| match field {
                    "frontend.fingerprint" => format!("{value:016x}"),
                    _ => value.to_string(),
                };
                let (stated, found) = (shown(stated), shown(found));
                return Err(NativeLoadError::Differs { path: package.manifest_path(), field, stated, found });
            }
        }
        let engine = Self::new(model, manifest.temperature);
        engine.check_golden(package)?;
        Ok(engine)
    }

    fn check_golden(&self, package: &Package) -> Result<(), NativeLoadError> {
        let manifest = package.manifest();
        let window = package.golden()?;
        let computed = self.model().scores_of_window(&window, manifest.temperature, self.kernel());
        let computed = computed.map_err(NativeLoadError::Run)?;
        let stated = manifest.graphs.native.iter().flat_map(|graph| &graph.golden);
        for ((label, &stated), &computed) in manifest.labels.iter().zip(stated).zip(&computed) {
            if (stated - computed).abs() > GOLDEN_TOLERANCE {
                let (path, label) = (package.manifest_path(), label.clone());
                return Err(NativeLoadError::Golden { path, label, stated, computed });
            }
        }
        Ok(())
    }
}
