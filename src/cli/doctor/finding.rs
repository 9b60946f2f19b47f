//! What was found, for people and for programs.

use harmonynet::settings::board::Board;
use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warning,
    /// It cannot work.
    Error,
    /// The system does not tell.
    Unknown,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at; a stable name for programs.
    pub(super) check: &'static str,
    /// How bad it is.
    pub(super) status: Status,
    /// What was found.
    pub(super) found: String,
    /// What mends it.
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, found: found.into(), mend: None }
    }

    pub(super) fn warning(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, status: Status::Warning, found: found.into(), mend: Some(mend.into()) }
    }

    pub(super) fn error(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, status: Status::Error, found: found.into(), mend: Some(mend.into()) }
    }

    pub(super) fn unknown(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, status: Status::Unknown, found: found.into(), mend: None }
    }
}

impl core::fmt::Display for Finding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(f, "{:<8} {:<14} {}", self.status.name(), self.check, self.found)?;
        match &self.mend {
            Some(mend) => writeln!(f, "{:<24}mend: {mend}", ""),
            None => Ok(()),
        }
    }
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    /// One line for people.
    pub(super) fn summary(&self) -> String {
        let count = |status, one: &str| match self.count(status) {
            1 => format!("1 {one}"),
            n => format!("{n} {one}s"),
        };
        format!(
            "{}, {}, {} unknown, {} ok",
            count(Status::Error, "error"),
            count(Status::Warning, "warning"),
            self.count(Status::Unknown),
            self.count(Status::Ok),
        )
    }

    /// Everything, for programs.
    pub(super) fn json(&self, board: &Board) -> Value {
        let checks = self.findings.iter().map(|finding| {
            json!({
                "check": finding.check,
                "status": finding.status.name(),
                "found": finding.found,
                "mend": finding.mend,
            })
        });
        json!({
            "board": board.name,
            "errors": self.count(Status::Error),
            "warnings": self.count(Status::Warning),
            "unknown": self.count(Status::Unknown),
            "ok": self.count(Status::Ok),
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}
