//! What came of the faults, as a table: printed, and kept as a document.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What came of one fault.
pub(crate) struct Row {
    pub(crate) fault: String,
    /// What a person sees.
    pub(crate) shown: Vec<String>,
    /// From the moment on in which nothing was wrong any more.
    pub(crate) recovery: Duration,
    pub(crate) lost: u64,
    pub(crate) resident_kib: u64,
}

impl Row {
    fn line(&self) -> String {
        let shown =
            if self.shown.is_empty() { "nothing: it goes on".into() } else { self.shown.join("<br>") };
        format!(
            "| {} | {} | {:.1} s | {} | {:.1} MiB |",
            self.fault,
            shown.replace('|', "\\|"),
            self.recovery.as_secs_f64(),
            self.lost,
            self.resident_kib as f64 / 1024.0
        )
    }
}

/// The table and what stands around it.
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    /// What can't be had here, with the reasons.
    pub(crate) skipped: Vec<String>,
    /// Sentences about the whole run.
    pub(crate) remarks: Vec<String>,
}

const HEAD: &str = "\
| fault | what a person sees | time to recovery | verdicts lost | memory after it |
| --- | --- | --- | --- | --- |
";

impl Table {
    pub(crate) fn text(&self) -> String {
        let mut text = HEAD.to_string();
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.line());
        }
        for skipped in &self.skipped {
            let _ = writeln!(text, "\nSkipped: {skipped}.");
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "\n{remark}");
        }
        text
    }
}

/// Puts a text into the document, in place of the one that stands between its marks.
pub(crate) fn keep(document: &Path, mark: &str, heading: &str, text: &str) {
    let all = std::fs::read_to_string(document).unwrap();
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->"));
    let (before, rest) = all.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    std::fs::write(document, format!("{before}{begin}{heading}\n\n{text}{end}{after}")).unwrap();
}

/// When and where this was, for a document.
pub(crate) fn occasion() -> String {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output
            .map_or_else(|_| "?".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!(
        "{}, {}, {} cores of {}",
        said("date", "+%F"),
        said("uname", "-s"),
        cores,
        model.unwrap_or(std::env::consts::ARCH)
    )
}
