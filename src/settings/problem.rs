//! What can be wrong with settings and boards: where, what, and what mends it.

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A file, `the environment` or `the command line`.
    pub place: String,
    /// The line, counted from 1, where there is one.
    pub line: Option<usize>,
    /// The key or field, dotted; empty where the text as a whole is wrong.
    pub field: String,
    /// What is wrong.
    pub wrong: String,
    /// What mends it.
    pub mend: String,
}

impl core::fmt::Display for Problem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}; {}", self.wrong, self.mend)
    }
}

impl core::error::Error for Problem {}

/// Everything that is wrong, in the order of the text; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl core::fmt::Display for Problems {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl core::error::Error for Problems {}

impl Problems {
    /// `Err` where anything is wrong.
    pub(super) fn check(found: Vec<Problem>) -> Result<(), Self> {
        if found.is_empty() { Ok(()) } else { Err(Self(found)) }
    }
}
