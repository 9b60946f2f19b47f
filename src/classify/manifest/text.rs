//! The manifest as TOML text. The only file that names the TOML library.

use harmonynet_document::{line_of, structured};

use super::{Manifest, ManifestError, Wrong};
use crate::spec::FrontendSpec;

impl Manifest {
    /// Reads and [validates](Self::validate) a manifest.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn from_toml(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = structured(text).map_err(|unreadable| ManifestError {
            line: unreadable.line,
            wrong: Wrong::Syntax { message: unreadable.message },
        })?;
        manifest.validate().map_err(|mut wrong| {
            wrong.line = wrong.field().and_then(|field| line_of(text, field));
            wrong
        })?;
        Ok(manifest)
    }

    /// The manifest as TOML text.
    ///
    /// # Errors
    /// The manifest is not [valid](Self::validate).
    pub fn to_toml(&self) -> Result<String, ManifestError> {
        self.validate()?;
        toml::to_string(self).map_err(|wrong| ManifestError {
            line: None,
            wrong: Wrong::Syntax { message: wrong.to_string() },
        })
    }
}

/// A field of a specification as TOML text.
pub(super) fn value_of(spec: &FrontendSpec, field: &str) -> String {
    let mut value = toml::Value::try_from(spec).ok();
    for key in field.split('.') {
        value = value.and_then(|v| v.get(key).cloned());
    }
    value.map_or_else(String::new, |v| v.to_string())
}
