//! The report: text, JSON, CSV and JUnit.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use harmonynet::capture::Granted;
use harmonynet::trace::distribution::{Distribution, QUANTILES};
use serde_json::{Value, json};

use super::super::timings;
use super::super::trace::print;
use super::check::Check;
use super::device::Told;
use super::live::Live;
use super::observation::{Findings, Losses};
use super::pico_rig::Clocks;
use super::rig_file::Rig;

/// Bins of a histogram picture.
const BINS: usize = 12;

/// Everything that is told.
pub(super) struct Report {
    pub(super) rig: Rig,
    pub(super) checks: Vec<Check>,
    pub(super) fill_ms: f64,
    pub(super) granted: Option<Granted>,
    pub(super) through: String,
    pub(super) clocks: Option<Clocks>,
    pub(super) losses: Option<Losses>,
    /// How often a sound was asked for again, later.
    pub(super) asked_again: u32,
    /// Frames that the rig's own recording lost, where it has one.
    pub(super) recorder_lost: Option<u64>,
    pub(super) found: Findings,
    pub(super) live: Option<Live>,
    /// What the device says of itself.
    pub(super) device: Option<Told>,
    pub(super) before: Vec<(&'static str, String)>,
    pub(super) after: Vec<(&'static str, String)>,
    pub(super) model: String,
    pub(super) binary: String,
}

impl Report {
    /// Every distribution: a stable name for programs, what it is called, and its values.
    fn distributions(&self) -> [(&'static str, &'static str, &Distribution); 6] {
        let found = &self.found;
        [
            ("path_ms", "sound to level, ms", &found.path),
            ("decision_ms", "sound to genre, ms", &found.decision),
            ("decision_beyond_fill_ms", "  beyond the window's filling", &found.beyond_fill),
            ("transport_ms", "loudspeaker to microphone, ms", &found.transport),
            ("onset_error_samples", "onset error, samples", &found.onset_error),
            ("rig_error_ms", "rig error, ms", &found.rig_error),
        ]
    }

    fn granted(&self) -> String {
        self.granted.map_or_else(|| self.through.clone(), |granted| granted.to_string())
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let rig = &self.rig;
        let mut text = format!("rig `{}`, {}: {}\n", rig.name, rig.mode.name(), self.granted());
        let _ = writeln!(text, "model: {}\nprogram: {}", self.model, self.binary);
        for ((name, before), (_, after)) in self.before.iter().zip(&self.after) {
            let _ = if before == after {
                writeln!(text, "{name}: {before}")
            } else {
                writeln!(text, "{name}: {before} before, {after} after")
            };
        }
        let rows = self.distributions().map(|(_, title, values)| (title, values));
        let _ = write!(text, "\n{}", timings::table("from outside, on the rig's clock", &rows, 3));
        let _ = writeln!(
            text,
            "the model's window fills in {:.1} ms; missed {}, false {}, {}",
            self.fill_ms,
            self.found.missed,
            self.found.false_ones,
            self.losses.map_or_else(
                || "losses unknown: who listens wasn't asked (--trace)".into(),
                |losses| format!(
                    "overruns {}, lost samples {}, verdicts passed over {}",
                    losses.overruns, losses.samples, losses.verdicts
                )
            )
        );
        if let Some(lost @ 1..) = self.recorder_lost {
            let _ =
                writeln!(text, "the rig's own recording lost {lost} frames: bursts may be missed for that");
        }
        if self.asked_again > 0 {
            let _ = writeln!(
                text,
                "this machine was too busy: {} times it asked for a sound again, for a later moment",
                self.asked_again
            );
        }
        if let Some(clocks) = &self.clocks {
            let _ = writeln!(text, "{}", told(clocks));
        }
        for (title, values) in
            [("sound to level, ms", &self.found.path), ("sound to genre, ms", &self.found.decision)]
        {
            if values.count() > 1 {
                let _ = write!(text, "\n{title}\n{}", values.picture(BINS, 1));
            }
        }
        if let Some(live) = &self.live {
            let _ = write!(
                text,
                "\nfrom inside, {:.0} s on real threads and this machine's clock; scheduler of the capture thread: {}\n{}",
                live.summary.elapsed.as_secs_f64(),
                scheduler(live),
                print::stages(&live.stages)
            );
        }
        if let Some(told) = &self.device {
            let _ = write!(
                text,
                "\nthe device says ({}), its last {} records; {}:\n{}\n{}",
                told.header.program,
                told.records(),
                told.when(),
                print::fares(&told.fares),
                print::stages(&told.stages)
            );
        }
        text.push('\n');
        for check in &self.checks {
            let found = check.found.map_or_else(|| "not measured".into(), |found| format!("{found:.3}"));
            let verdict = if check.holds() { "ok" } else { "FAILED" };
            let _ = writeln!(text, "{verdict:6}  {:20} {found:>12}, at most {}", check.name, check.most);
        }
        text
    }

    /// Writes what is asked for.
    pub(super) fn write(&self, json: Option<&Path>, csv: Option<&Path>, junit: Option<&Path>) -> Result<()> {
        let texts = [
            (json, json.map(|_| format!("{:#}\n", self.json()))),
            (csv, csv.map(|_| self.csv())),
            (junit, junit.map(|_| self.junit())),
        ];
        for (file, text) in texts {
            if let (Some(file), Some(text)) = (file, text) {
                std::fs::write(file, text).with_context(|| file.display().to_string())?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let outside: Value = self
            .distributions()
            .into_iter()
            .map(|(name, _, values)| (name.to_string(), timings::json(values)))
            .collect();
        let conditions = |of: &[(&str, String)]| -> Value {
            of.iter().map(|(name, found)| ((*name).to_string(), json!(found))).collect()
        };
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| json!({ "name": check.name, "found": check.found, "most": check.most, "holds": check.holds() }))
            .collect();
        let inside = self.live.as_ref().map(|live| {
            let mut inside = print::stages_json(&live.stages);
            inside["seconds"] = json!(live.summary.elapsed.as_secs_f64());
            inside["scheduler"] = json!(scheduler(live));
            inside["missed_news"] = json!(live.summary.missed_news);
            inside
        });
        json!({
            "rig": self.rig.name,
            "mode": self.rig.mode.name(),
            "granted": self.granted(),
            "model": self.model,
            "program": self.binary,
            "before": conditions(&self.before),
            "after": conditions(&self.after),
            "outside": outside,
            "window_fill_ms": self.fill_ms,
            "missed": self.found.missed,
            "false": self.found.false_ones,
            "overruns": self.losses.map(|losses| losses.overruns),
            "lost_samples": self.losses.map(|losses| losses.samples),
            "passed_over": self.losses.map(|losses| losses.verdicts),
            "recorder_lost_frames": self.recorder_lost,
            "asked_again": self.asked_again,
            "clocks": self.clocks.as_ref().map(|clocks| json!({
                "offset_ms": clocks.offset.value / 1e6,
                "offset_within_ms": clocks.offset.within / 1e6,
                "offset_within_at_worst_ms": clocks.worst / 1e6,
                "drift_ppm": clocks.drift.value,
                "drift_within_ppm": clocks.drift.within,
                "round_trip_us": timings::json(&clocks.round_trips),
            })),
            "inside": inside,
            "device": self.device.as_ref().map(|told| {
                let mut device = print::stages_json(&told.stages);
                device["program"] = json!(told.header.program.as_str());
                device["records"] = json!(told.records());
                device["counted"] = json!(told.when());
                device["fares"] = print::fares_json(&told.fares);
                device
            }),
            "checks": checks,
        })
    }

    fn csv(&self) -> String {
        let mut text = "what,n,min".to_string();
        QUANTILES.iter().for_each(|(name, _)| {
            let _ = write!(text, ",{name}");
        });
        text += ",max,mean,sd\n";
        let outside = self.distributions().map(|(name, _, values)| (name.to_string(), values));
        let inside = self.live.iter().flat_map(|live| {
            let timings = live.stages.stages.iter().chain(&live.stages.paths);
            timings.map(|(name, values)| (format!("{name} us"), values))
        });
        let device = self.device.iter().flat_map(|told| {
            let timings = told.stages.stages.iter().chain(&told.stages.paths);
            timings.map(|(name, values)| (format!("device {} us", name.trim()), values))
        });
        for (name, values) in outside.into_iter().chain(inside).chain(device) {
            let _ = write!(text, "{name},{}", values.count());
            let middle = QUANTILES.map(|(_, share)| values.quantile(share));
            let all = [values.min()].into_iter().chain(middle);
            for value in all.chain([values.max(), values.mean(), values.deviation()]) {
                let _ = match value {
                    Some(value) => write!(text, ",{value:.6}"),
                    None => write!(text, ","),
                };
            }
            text.push('\n');
        }
        text
    }

    fn junit(&self) -> String {
        let broken = self.checks.iter().filter(|check| !check.holds()).count();
        let name = escaped(&self.rig.name);
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"latency.{name}\" tests=\"{}\" failures=\"{broken}\">\n",
            self.checks.len()
        );
        let properties =
            [("granted", self.granted()), ("model", self.model.clone()), ("program", self.binary.clone())];
        let device = self.device.iter().flat_map(|told| {
            let fares = &told.fares;
            [
                ("device.program", told.header.program.to_string()),
                ("device.granted", fares.granted.to_string()),
                ("device.scheduler", fares.scheduler.to_string()),
                ("device.overruns", fares.overruns.to_string()),
                ("device.lost_samples", (fares.lost + fares.dropped).to_string()),
                ("device.passed_over", fares.passed_over.to_string()),
            ]
        });
        let conditions = |when: &'static str, of: &[(&'static str, String)]| -> Vec<(String, String)> {
            of.iter().map(|(name, found)| (format!("{when}.{name}"), found.clone())).collect()
        };
        let named = properties.into_iter().chain(device).map(|(name, value)| (name.to_string(), value));
        let all = named.chain(conditions("before", &self.before)).chain(conditions("after", &self.after));
        text += "  <properties>\n";
        for (name, value) in all {
            let _ = writeln!(text, "    <property name=\"{name}\" value=\"{}\"/>", escaped(&value));
        }
        text += "  </properties>\n";
        for check in &self.checks {
            let _ = write!(text, "  <testcase classname=\"latency.{name}\" name=\"{}\"", check.name);
            let found = check.found.map_or_else(|| "not measured".into(), |found| format!("{found:.3}"));
            let _ = if check.holds() {
                writeln!(text, "/>")
            } else {
                writeln!(text, "><failure message=\"{found}, at most {}\"/></testcase>", check.most)
            };
        }
        text + "</testsuite>\n"
    }
}

/// How the clocks compare, in a line.
fn told(clocks: &Clocks) -> String {
    format!(
        "clocks: host ahead of rig by {:.3} ms ± {:.3} (at worst ± {:.3}), drift {:.1} ppm ± {:.1}; {} exchanges, round trip {:.0} µs in the middle",
        clocks.offset.value / 1e6,
        clocks.offset.within / 1e6,
        clocks.worst / 1e6,
        clocks.drift.value,
        clocks.drift.within,
        clocks.round_trips.count(),
        clocks.round_trips.quantile(0.5).unwrap_or_default()
    )
}

fn scheduler(live: &Live) -> String {
    if live.summary.real_time {
        format!("first in, first out, priority {}", live.threads.capture_priority)
    } else {
        "ordinary (music from memory can wait, so none was asked for)".into()
    }
}

/// Text inside an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
