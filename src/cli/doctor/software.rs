//! Settings and model.

use harmonynet::settings::{Problem, conflicts};

use super::{Finding, Patient, boot};
use crate::cli::config::complaints;
use crate::cli::engine::ModelArgs;

/// What is wrong with the settings, and with what is wired by them.
pub(super) fn settings(patient: &Patient<'_>) -> Vec<Finding> {
    let loaded = patient.loaded;
    let mut found: Vec<Finding> = loaded.problems.iter().map(of_problem).collect();
    if loaded.are_others()
        && let Some(last) = complaints(loaded).pop()
    {
        found.push(Finding::warning("settings", last, "mend what is wrong with the settings file"));
    }
    let config = boot::config(patient.machine.files());
    let config = config.as_ref().map(|(place, text)| (place.as_str(), text.as_str()));
    found.extend(conflicts::find(patient.settings, patient.parts, config).iter().map(of_problem));
    if found.is_empty() {
        let place = patient.file.map_or_else(|| "no file".to_string(), |file| file.display().to_string());
        found.push(Finding::ok("settings", format!("{place}: nothing is wrong, and nothing is wired twice")));
    }
    found
}

/// A problem's mend stands apart.
fn of_problem(problem: &Problem) -> Finding {
    let whole = problem.to_string();
    let told = whole.strip_suffix(&format!("; {}", problem.mend)).unwrap_or(&whole);
    Finding::error("settings", told, &problem.mend)
}

/// Whether the model package opens, is what it says, and computes what it should.
pub(super) fn model(args: &ModelArgs) -> Vec<Finding> {
    let mend = "install the package again, or leave --model away for the one that is built in; `harmonynet model` tells more";
    let verified = || -> anyhow::Result<String> {
        let package = args.package()?;
        package.verify()?;
        // Loading recomputes the golden window.
        let engine = args.engine(&package)?;
        let manifest = package.manifest();
        Ok(format!(
            "{} {} {}: hashes are right, the golden window is computed rightly; engine: {}",
            manifest.name,
            manifest.version,
            package.source(),
            args.says(&package, &engine)
        ))
    };
    vec![match verified() {
        Ok(found) => Finding::ok("model", found),
        Err(error) => Finding::error("model", format!("{error:#}"), mend),
    }]
}
