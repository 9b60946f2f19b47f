//! What was measured against what the rig must reach.

use super::observation::{Findings, Observation};
use super::rig_file::Thresholds;

/// One thing that was held against a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Check {
    /// Its name in the rig's file.
    pub(super) name: &'static str,
    /// What was found; absent where nothing was measured, which is a failure.
    pub(super) found: Option<f64>,
    /// The most that is allowed.
    pub(super) most: f64,
}

impl Check {
    pub(super) fn holds(&self) -> bool {
        self.found.is_some_and(|found| found <= self.most)
    }
}

/// Every threshold that the rig names.
pub(super) fn checks(thresholds: &Thresholds, found: &Findings, seen: &Observation) -> Vec<Check> {
    let all = [
        ("onset_error_samples", thresholds.onset_error_samples, found.onset_error.max()),
        ("rig_error_ms", thresholds.rig_error_ms, found.rig_error.quantile(0.5).map(f64::abs)),
        (
            "sound_error_ms",
            thresholds.sound_error_ms,
            found.transport.quantile(0.5).map(|millis| (millis - 1000.0 * seen.declared.sound).abs()),
        ),
        ("path_p50_ms", thresholds.path_p50_ms, found.path.quantile(0.5)),
        ("path_max_ms", thresholds.path_max_ms, found.path.max()),
        ("decision_p50_ms", thresholds.decision_p50_ms, found.decision.quantile(0.5)),
        ("decision_max_ms", thresholds.decision_max_ms, found.decision.max()),
        ("missed", thresholds.missed, Some(found.missed as f64)),
        ("false", thresholds.r#false, Some(found.false_ones as f64)),
        ("overruns", thresholds.overruns, seen.losses.map(|losses| losses.overruns as f64)),
        ("lost_frames", thresholds.lost_frames, seen.losses.map(|losses| losses.samples as f64)),
        ("passed_over", thresholds.passed_over, seen.losses.map(|losses| losses.verdicts as f64)),
        ("clock_error_ms", thresholds.clock_error_ms, seen.clocks.as_ref().map(|clocks| clocks.worst / 1e6)),
    ];
    all.into_iter().filter_map(|(name, most, found)| most.map(|most| Check { name, found, most })).collect()
}
