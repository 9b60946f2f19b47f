//! The manifest as TOML text. The only file that names the TOML library.

use super::{Manifest, ManifestError, Wrong};
use crate::spec::FrontendSpec;

impl Manifest {
    /// Reads and [validates](Self::validate) a manifest.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn from_toml(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text).map_err(|wrong| ManifestError {
            line: wrong.span().map(|span| line_at(text, span.start)),
            wrong: Wrong::Syntax { message: wrong.message().trim().replace('\n', "; ") },
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

/// The line, counted from 1, of a byte offset.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// The line of a dotted field, or of the innermost table on its way that is there.
fn line_of(text: &str, field: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = Some(document.get_ref());
    let mut line = None;
    for key in field.split('.') {
        let Some((name, value)) = table.and_then(|table| table.get_key_value(key)) else { break };
        line = Some(line_at(text, name.span().start));
        table = value.get_ref().as_table();
    }
    line
}
