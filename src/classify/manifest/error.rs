//! What can be wrong with a manifest.

/// What is wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What.
    pub wrong: Wrong,
}

/// What can be wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// It is not TOML, or a key is missing, unknown or of the wrong type.
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A field's value is not allowed.
    Field {
        /// The field, dotted.
        field: String,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The model was trained with another front-end than the one that is going to feed it.
    Frontend {
        /// The field that differs, dotted.
        field: String,
        /// Its value in the manifest.
        trained: String,
        /// Its value in the front-end that runs.
        running: String,
    },
}

impl ManifestError {
    /// The field that is wrong, where a single one is.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match &self.wrong {
            Wrong::Syntax { .. } => None,
            Wrong::Field { field, .. } | Wrong::Frontend { field, .. } => Some(field),
        }
    }
}

impl core::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        self.wrong.fmt(f)
    }
}

impl core::fmt::Display for Wrong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Syntax { message } => f.write_str(message),
            Self::Field { field, value, allowed } => write!(f, "{field} is {value}; allowed: {allowed}"),
            Self::Frontend { field, trained, running } => write!(
                f,
                "the model was trained with another front-end: {field} is {trained}, but {running} runs here"
            ),
        }
    }
}

impl core::error::Error for ManifestError {}
