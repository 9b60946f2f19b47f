//! The manifest as TOML text. The only file that names the TOML library.

use harmonynet_document::{line_of, structured};

use super::{Manifest, ManifestError, Wrong};
use crate::spec::{FrontendSpec, LevelHandling};

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

/// A field of a specification as TOML text; a field of its level handling as all of that.
pub(super) fn value_of(spec: &FrontendSpec, field: &str) -> String {
    let &FrontendSpec { revision, rate_hz, window, hop, mel_bands, low_hz, high_hz, log_steps, level } = spec;
    let number: u32 = match field {
        "revision" => revision.into(),
        "rate_hz" => rate_hz,
        "window" => window.into(),
        "hop" => hop.into(),
        "mel_bands" => mel_bands.into(),
        "low_hz" => low_hz,
        "high_hz" => high_hz,
        "log_steps" => log_steps.into(),
        _ => {
            return match level {
                LevelHandling::Absolute { center } => format!("{{ kind = \"absolute\", center = {center} }}"),
                LevelHandling::Tracked { frames, gate, center } => {
                    format!("{{ kind = \"tracked\", frames = {frames}, gate = {gate}, center = {center} }}")
                }
            };
        }
    };
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_as_in_the_manifest() {
        for spec in [FrontendSpec::SHIPPED, FrontendSpec::ABSOLUTE.with_hop(1536)] {
            let table = toml::Table::try_from(spec).unwrap();
            for (field, value) in &table {
                let read: toml::Table = toml::from_str(&format!("x = {}", value_of(&spec, field))).unwrap();
                assert_eq!(&read["x"], value, "{field}");
            }
            assert_eq!(value_of(&spec, "level.frames"), value_of(&spec, "level"));
        }
    }
}
