//! Which engine runs a package: what was asked for, what the package has, what the build can do; and one type for
//! whichever engine it is.
//!
//! Not here: what the engines compute ([`native`](super::native), [`tract`](super::tract)), and how a person is told.

#[cfg(feature = "native")]
use std::borrow::Cow;

use super::manifest::{Graph, Manifest, Precision};
#[cfg(feature = "native")]
use super::native::{NativeClassifier, NativeLoadError};
use super::package::Package;
#[cfg(feature = "tract")]
use super::tract::{LoadError, LoadOptions, TractClassifier};
use super::{Classifier, ClassifyError};
use crate::flow::{LogMel, Scores};
use crate::spec::{FrontendSpec, WindowLength};

/// The engine that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The native engine where the package has a file for it, else tract.
    #[default]
    Auto,
    /// The native engine.
    Native,
    /// tract.
    Tract,
}

/// A form in which a package may hold its model; each is run by one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The native engine's model file.
    Native,
    /// The ONNX graph of a precision, for tract.
    Graph(Precision),
}

impl Form {
    /// All of them: what runs first where there is a choice, first.
    pub const ALL: [Self; 3] = [Self::Native, Self::Graph(Precision::Int8), Self::Graph(Precision::Float)];

    /// The form to run of a package, for an engine and a precision that were asked for.
    ///
    /// # Errors
    /// What was asked for contradicts itself, or this build has no such engine. Whether the package has the form is found
    /// out by [`Engine::load`].
    pub fn choose(manifest: &Manifest, choice: Choice, precision: Precision) -> Result<Self, EngineError> {
        let has_native = manifest.graphs.native.is_some();
        let form = match (choice, precision) {
            (Choice::Native, Precision::Float) => return Err(EngineError::FloatOnIntegers),
            (Choice::Native, Precision::Int8) => Self::Native,
            (Choice::Auto, Precision::Int8) if has_native && cfg!(feature = "native") => Self::Native,
            (Choice::Auto | Choice::Tract, _) => Self::Graph(precision),
        };
        // Asked for nothing in particular, and still none of the engines fits.
        let lacking = choice == Choice::Auto && precision == Precision::Int8 && !has_native;
        match form.check_built() {
            Err(_) if lacking => Err(EngineError::NothingRuns),
            built => built.map(|()| form),
        }
    }

    /// `native`, `int8` or `float`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Graph(precision) => precision.name(),
        }
    }

    /// The arithmetic.
    #[must_use]
    pub fn precision(self) -> Precision {
        match self {
            Self::Native => Precision::Int8,
            Self::Graph(precision) => precision,
        }
    }

    /// The engine that runs it: `native` or `tract`.
    #[must_use]
    pub fn engine(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Graph(_) => "tract",
        }
    }

    /// Its file in a package.
    #[must_use]
    pub fn entry(self, manifest: &Manifest) -> Option<&Graph> {
        match self {
            Self::Native => manifest.graphs.native.as_ref(),
            Self::Graph(precision) => manifest.graph(precision),
        }
    }

    /// Whether this build has the engine that runs it.
    #[must_use]
    pub fn is_built(self) -> bool {
        match self {
            Self::Native => cfg!(feature = "native"),
            Self::Graph(_) => cfg!(feature = "tract"),
        }
    }

    fn check_built(self) -> Result<(), EngineError> {
        if self.is_built() { Ok(()) } else { Err(EngineError::NotBuilt { form: self }) }
    }
}

impl core::fmt::Display for Form {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// Why no engine runs a package.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EngineError {
    /// This build has no engine for the form.
    NotBuilt {
        /// The form.
        form: Form,
    },
    /// The package has no form that this build's engines run.
    NothingRuns,
    /// The native engine was asked to run the float graph.
    FloatOnIntegers,
    /// The native engine refuses the package.
    #[cfg(feature = "native")]
    Native(Box<NativeLoadError>),
    /// tract refuses the package.
    #[cfg(feature = "tract")]
    Tract(Box<LoadError>),
}

impl core::fmt::Display for EngineError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotBuilt { form: form @ Form::Native } => write!(
                f,
                "this build has no {} engine; choose the other one (--engine tract), or a build with the feature `native`",
                form.engine()
            ),
            Self::NotBuilt { form } => write!(
                f,
                "this build has no {} engine, which the {form} graph needs; choose the native one (--engine native, without \
                 --graph float), or a build with the feature `tract`",
                form.engine()
            ),
            Self::NothingRuns => f.write_str(
                "the package has no native model, and this build runs nothing else; make the package again with \
                 `quantize`, or choose a build with the feature `tract`",
            ),
            Self::FloatOnIntegers => f.write_str(
                "the native engine computes with integers and runs no float graph; leave --graph float away, or choose \
                 --engine tract",
            ),
            #[cfg(feature = "native")]
            Self::Native(error) => error.fmt(f),
            #[cfg(feature = "tract")]
            Self::Tract(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EngineError {}

/// An engine with a package's model.
#[derive(Debug)]
pub enum Engine {
    /// The native engine. An embedded package's file is run where it lies.
    #[cfg(feature = "native")]
    Native(Box<NativeClassifier<Cow<'static, [u8]>>>),
    /// tract.
    #[cfg(feature = "tract")]
    Tract(Box<TractClassifier>),
}

impl Engine {
    /// Loads a form of a package's model for the front-end that is going to feed it, verified as each engine verifies:
    /// hash, extents, golden window. `allow_float` accepts an int8 graph that tract does not run on integers.
    ///
    /// # Errors
    /// This build has no engine for the form, or the package doesn't have it, or something is wrong with it.
    #[cfg_attr(
        not(feature = "tract"),
        expect(unused_variables, reason = "only tract may fall back to float")
    )]
    pub fn load(
        package: &Package,
        form: Form,
        frontend: &FrontendSpec,
        allow_float: bool,
    ) -> Result<Self, EngineError> {
        form.check_built()?;
        match form {
            #[cfg(feature = "native")]
            Form::Native => {
                let engine = NativeClassifier::load(package, frontend)
                    .map_err(|error| EngineError::Native(Box::new(error)))?;
                Ok(Self::Native(Box::new(engine)))
            }
            #[cfg(feature = "tract")]
            Form::Graph(precision) => {
                let options = LoadOptions { precision, allow_float, frontend: *frontend };
                let engine = TractClassifier::load(package, &options)
                    .map_err(|error| EngineError::Tract(Box::new(error)))?;
                Ok(Self::Tract(Box::new(engine)))
            }
            #[cfg(not(all(feature = "native", feature = "tract")))]
            form => Err(EngineError::NotBuilt { form }),
        }
    }

    /// `native` or `tract`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            #[cfg(feature = "native")]
            Self::Native(_) => "native",
            #[cfg(feature = "tract")]
            Self::Tract(_) => "tract",
        }
    }

    fn classifier(&self) -> &dyn Classifier {
        match self {
            #[cfg(feature = "native")]
            Self::Native(engine) => engine.as_ref(),
            #[cfg(feature = "tract")]
            Self::Tract(engine) => engine.as_ref(),
        }
    }

    fn classifier_mut(&mut self) -> &mut dyn Classifier {
        match self {
            #[cfg(feature = "native")]
            Self::Native(engine) => engine.as_mut(),
            #[cfg(feature = "tract")]
            Self::Tract(engine) => engine.as_mut(),
        }
    }
}

impl Classifier for Engine {
    fn window(&self) -> WindowLength {
        self.classifier().window()
    }

    fn push(&mut self, frame: &LogMel) {
        self.classifier_mut().push(frame);
    }

    fn reset(&mut self) {
        self.classifier_mut().reset();
    }

    fn scores(&mut self) -> Result<Scores, ClassifyError> {
        self.classifier_mut().scores()
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::valid;
    use super::*;

    const INT8: Form = Form::Graph(Precision::Int8);
    const FLOAT: Form = Form::Graph(Precision::Float);

    /// With and without a native file in the package.
    fn chosen(choice: Choice, precision: Precision) -> [Result<Form, EngineError>; 2] {
        let with = valid();
        let mut without = valid();
        without.graphs.native = None;
        [with, without].map(|manifest| Form::choose(&manifest, choice, precision))
    }

    #[cfg(all(feature = "native", feature = "tract"))]
    #[test]
    fn auto_takes_the_native_file_where_there_is_one() {
        assert_eq!(chosen(Choice::Auto, Precision::Int8), [Ok(Form::Native), Ok(INT8)]);
        assert_eq!(chosen(Choice::Auto, Precision::Float), [Ok(FLOAT), Ok(FLOAT)]);
        assert_eq!(chosen(Choice::Tract, Precision::Int8), [Ok(INT8), Ok(INT8)]);
        assert_eq!(chosen(Choice::Tract, Precision::Float), [Ok(FLOAT), Ok(FLOAT)]);
        // That the file is missing is the package's error, told with its mend.
        assert_eq!(chosen(Choice::Native, Precision::Int8), [Ok(Form::Native), Ok(Form::Native)]);
    }

    #[cfg(all(feature = "native", not(feature = "tract")))]
    #[test]
    fn without_tract_only_the_native_file_runs() {
        let lacks = |form| Err(EngineError::NotBuilt { form });
        assert_eq!(chosen(Choice::Auto, Precision::Int8), [Ok(Form::Native), Err(EngineError::NothingRuns)]);
        assert_eq!(chosen(Choice::Auto, Precision::Float), [lacks(FLOAT), lacks(FLOAT)]);
        assert_eq!(chosen(Choice::Tract, Precision::Int8), [lacks(INT8), lacks(INT8)]);
        assert_eq!(chosen(Choice::Native, Precision::Int8)[0], Ok(Form::Native));
    }

    #[cfg(all(feature = "tract", not(feature = "native")))]
    #[test]
    fn without_the_native_engine_tract_runs_whatever_the_package_has() {
        assert_eq!(chosen(Choice::Auto, Precision::Int8), [Ok(INT8), Ok(INT8)]);
        let lacks = Err(EngineError::NotBuilt { form: Form::Native });
        assert_eq!(chosen(Choice::Native, Precision::Int8)[0], lacks);
        assert_eq!(chosen(Choice::Tract, Precision::Float)[0], Ok(FLOAT));
    }

    #[test]
    fn integers_run_no_float_graph() {
        for found in chosen(Choice::Native, Precision::Float) {
            assert_eq!(found, Err(EngineError::FloatOnIntegers));
        }
        let told = EngineError::FloatOnIntegers.to_string();
        assert!(told.contains("--engine tract"), "{told}");
    }

    #[test]
    fn every_error_names_what_to_do() {
        for error in [
            EngineError::NotBuilt { form: Form::Native },
            EngineError::NotBuilt { form: FLOAT },
            EngineError::NothingRuns,
        ] {
            let told = error.to_string();
            assert!(told.contains("or a build with") || told.contains("or choose a build with"), "{told}");
        }
    }
}
