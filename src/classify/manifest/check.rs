//! Judges a manifest without its files: every check names the field, its value and what is allowed.

use super::text::value_of;
use super::{
    Contract, FORMAT, Frontend, GoldenWindow, Graph, MAX_GRAPH_BYTES, Manifest, ManifestError, Precision,
    Wrong,
};
use crate::spec::{FrontendSpec, MAX_LABELS, MAX_STEPS, WindowLength};

/// Most bytes that a label may have: what a display's text field holds.
const MAX_LABEL_BYTES: usize = 24;

impl Manifest {
    /// Checks every field that can be judged without the files.
    ///
    /// # Errors
    /// The first field that is wrong, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ManifestError> {
        require("format", self.format, self.format == FORMAT, FORMAT)?;
        for (field, text) in [("name", &self.name), ("version", &self.version), ("licence", &self.licence)] {
            require(field, format_args!("{text:?}"), !text.trim().is_empty(), "a text that is not empty")?;
        }
        self.validate_labels()?;
        let t = self.temperature;
        require("temperature", t, t.is_finite() && t > 0.0, "a finite number above 0")?;
        let u = self.unsure_below;
        require("unsure_below", u, (0.0..1.0).contains(&u), "at least 0 and below 1")?;
        let window = self.window()?;
        self.validate_frontend()?;
        self.validate_golden(window)?;
        let mut any = false;
        for precision in Precision::ALL {
            if let Some(graph) = self.graph(precision) {
                any = true;
                self.validate_graph(&format!("graphs.{precision}"), graph)?;
            }
        }
        if let Some(graph) = &self.graphs.native {
            any = true;
            self.validate_graph("graphs.native", graph)?;
        }
        require("graphs", "none", any, "graphs.int8, graphs.float or graphs.native, or more of them")
    }

    /// Checks that the model was trained with the front-end that is going to feed it.
    ///
    /// # Errors
    /// The field of the front-end that differs.
    pub fn check_frontend(&self, running: &FrontendSpec) -> Result<(), ManifestError> {
        match running.difference(&self.frontend.spec) {
            None => Ok(()),
            Some(field) => Err(wrong_frontend(field, &self.frontend.spec, running)),
        }
    }

    fn validate_labels(&self) -> Result<(), ManifestError> {
        let count = self.labels.len();
        require(
            "labels",
            format_args!("{count} labels"),
            (2..=MAX_LABELS).contains(&count),
            "2 to 32 labels",
        )?;
        for (index, label) in self.labels.iter().enumerate() {
            let shown = format_args!("{label:?} (number {index})");
            let fits = !label.trim().is_empty() && label.len() <= MAX_LABEL_BYTES;
            require("labels", shown, fits, "labels of 1 to 24 bytes that are not blank")?;
            require(
                "labels",
                shown,
                !label.chars().any(char::is_control),
                "labels without control characters",
            )?;
            require(
                "labels",
                shown,
                !self.labels[..index].contains(label),
                "labels of which no two are alike",
            )?;
        }
        Ok(())
    }

    /// The window that the contract states.
    ///
    /// # Errors
    /// The contract's field that is wrong.
    pub fn window(&self) -> Result<WindowLength, ManifestError> {
        let stated = &self.contract;
        let Some(window) = WindowLength::of_steps(stated.steps) else {
            let allowed = format!("1 to {MAX_STEPS}");
            return Err(field_error("contract.steps".into(), stated.steps.to_string(), allowed));
        };
        let ours = Contract::of(window);
        let (step, margin) = (ours.frames_per_step, ours.margin);
        require("contract.frames_per_step", stated.frames_per_step, stated.frames_per_step == step, step)?;
        require("contract.margin", stated.margin, stated.margin == margin, margin)?;
        let frames = ours.window_frames;
        let allowed = format_args!("{frames}, which is {step} · {} steps + {margin}", stated.steps);
        require("contract.window_frames", stated.window_frames, stated.window_frames == frames, allowed)?;
        Ok(window)
    }

    /// The fingerprint must belong to the specification beside it. If it is the shipped front-end's instead, the
    /// specification was changed afterwards, and the field that was changed can be named.
    fn validate_frontend(&self) -> Result<(), ManifestError> {
        let Frontend { fingerprint, spec } = &self.frontend;
        let own = hex(spec.fingerprint());
        if *fingerprint != own {
            if *fingerprint == hex(FrontendSpec::SHIPPED.fingerprint())
                && let Some(field) = FrontendSpec::SHIPPED.difference(spec)
            {
                return Err(wrong_frontend(field, spec, &FrontendSpec::SHIPPED));
            }
            let allowed = match FrontendSpec::SHIPPED.difference(spec) {
                None => format!(
                    "{own}: every field agrees with the shipped front-end, only the fingerprint doesn't"
                ),
                Some(_) => format!("{own}, which belongs to the fields of frontend.spec"),
            };
            return require("frontend.fingerprint", format_args!("{fingerprint:?}"), false, allowed);
        }
        spec.validate().map_err(|error| {
            field_error(
                format!("frontend.spec.{}", error.field),
                value_of(spec, error.field),
                error.allowed.to_owned(),
            )
        })
    }

    fn validate_golden(&self, window: WindowLength) -> Result<(), ManifestError> {
        let golden = &self.golden;
        let bytes = GoldenWindow::bytes_of(window);
        validate_file("golden", &golden.file, &golden.sha256)?;
        require("golden.bytes", golden.bytes, golden.bytes == bytes, bytes)?;
        let t = golden.tolerance;
        require("golden.tolerance", t, t > 0.0 && t <= 0.1, "above 0, at most 0.1")
    }

    fn validate_graph(&self, field: &str, graph: &Graph) -> Result<(), ManifestError> {
        validate_file(field, &graph.file, &graph.sha256)?;
        let size = 1..=MAX_GRAPH_BYTES;
        require(&format!("{field}.bytes"), graph.bytes, size.contains(&graph.bytes), "1 to 67108864")?;
        let (field, labels) = (format!("{field}.golden"), self.labels.len());
        let count = graph.golden.len();
        let one_each = format!("one probability for each of the {labels} labels");
        require(&field, format_args!("{count} probabilities"), count == labels, one_each)?;
        for p in &graph.golden {
            require(&field, p, (0.0..=1.0).contains(p), "probabilities from 0 to 1")?;
        }
        let sum: f32 = graph.golden.iter().sum();
        require(
            &field,
            format_args!("a sum of {sum}"),
            (sum - 1.0).abs() <= 1e-3,
            "probabilities that sum to 1",
        )
    }
}

fn validate_file(table: &str, file: &str, sha256: &str) -> Result<(), ManifestError> {
    let plain = !file.is_empty() && file != "." && file != ".." && !file.contains(['/', '\\', '\0', ':']);
    let allowed = "a file name without a folder";
    require(&format!("{table}.file"), format_args!("{file:?}"), plain, allowed)?;
    let digits = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let allowed = "64 lower-case hexadecimal digits";
    require(&format!("{table}.sha256"), format_args!("{sha256:?}"), digits, allowed)
}

/// Sixteen lower-case hexadecimal digits.
pub(super) fn hex(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

fn require(
    field: &str,
    value: impl core::fmt::Display,
    holds: bool,
    allowed: impl core::fmt::Display,
) -> Result<(), ManifestError> {
    if holds { Ok(()) } else { Err(field_error(field.to_owned(), value.to_string(), allowed.to_string())) }
}

fn field_error(field: String, value: String, allowed: String) -> ManifestError {
    ManifestError { line: None, wrong: Wrong::Field { field, value, allowed } }
}

fn wrong_frontend(field: &'static str, trained: &FrontendSpec, running: &FrontendSpec) -> ManifestError {
    ManifestError {
        line: None,
        wrong: Wrong::Frontend {
            field: format!("frontend.spec.{field}"),
            trained: value_of(trained, field),
            running: value_of(running, field),
        },
    }
}
