//! A trace for people and for programs.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _, stdout};

use anyhow::Result;
use harmonynet::flow::Stamp;
use harmonynet::spec::SAMPLE_RATE_HZ;
use harmonynet::trace::file::{Fares, Header};
use harmonynet::trace::stages::{Stages, Timing};
use harmonynet::trace::{NO_LABEL, Record};
use serde_json::{Value, json};

use super::super::timings;

fn rows(timings: &[Timing]) -> Vec<(&'static str, &harmonynet::trace::distribution::Distribution)> {
    timings.iter().map(|(name, times)| (*name, times)).collect()
}

/// What the stages took, as a part of a report.
pub(crate) fn stages(stages: &Stages) -> String {
    let mut text = timings::table("stage, µs", &rows(&stages.stages), 1);
    text.push('\n');
    text += &timings::table("path, µs", &rows(&stages.paths), 1);
    text += "\nshare of each stage in the mean way from period to verdict\n";
    text += &timings::shares(&stages.verdict_shares);
    text += "and from period to display\n";
    text += &timings::shares(&stages.shares);
    if let (Some(middle), Some(worst)) = (stages.load.quantile(0.5), stages.load.max()) {
        let _ = writeln!(
            text,
            "\nprocessing over the period's length: median {:.2} %, worst {:.2} % of {} periods",
            100.0 * middle,
            100.0 * worst,
            stages.load.count()
        );
    }
    let stamps = stages.stamps;
    let _ = writeln!(
        text,
        "the source's time stamps: {} believable, {} zero, {} backwards, {} of another clock, {} absent",
        stamps.believable, stamps.zero, stamps.backwards, stamps.foreign, stamps.absent
    );
    let _ = writeln!(
        text,
        "lost before periods: {} frames in {} places; failed display writes: {}; faults: {}",
        stages.lost.0,
        stages.lost.1,
        stages.failed_writes,
        stages.faults.len()
    );
    text
}

/// How the device fared, in lines.
pub(crate) fn fares(fares: &Fares) -> String {
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_string() } else { text.to_string() };
    let seconds = |samples: u64| samples as f64 / f64::from(SAMPLE_RATE_HZ);
    format!(
        "granted: {}; scheduler of the capture thread: {}\nheard {:.1} s, lost {:.2} s by the microphone in {} overruns and {} failures, \
         {:.2} s by recognizing too slowly, {} verdicts passed over\n",
        or_unknown(&fares.granted),
        or_unknown(&fares.scheduler),
        seconds(fares.heard),
        seconds(fares.lost),
        fares.overruns,
        fares.failures,
        seconds(fares.dropped),
        fares.passed_over
    )
}

/// The same as JSON.
pub(crate) fn fares_json(fares: &Fares) -> Value {
    json!({
        "granted": fares.granted.as_str(), "scheduler": fares.scheduler.as_str(), "heard_samples": fares.heard,
        "lost_samples": fares.lost, "dropped_samples": fares.dropped, "passed_over": fares.passed_over,
        "overruns": fares.overruns, "failures": fares.failures,
    })
}

/// All of it.
pub(super) fn text(header: &Header, records: usize, told: &Stages) -> String {
    let mut text = format!(
        "{}, written because {}; {records} records of {} ({} periods, {} verdicts, {} writes to displays)\n\n",
        header.program,
        match header.reason.as_str() {
            "asked" => "somebody asked",
            "fault" => "something broke",
            other => other,
        },
        header.count,
        told.counts.0,
        told.counts.1,
        told.counts.2,
    );
    text += &fares(&header.fares);
    text.push('\n');
    text += &stages(told);
    for fault in &told.faults {
        let what = fault.fault().map_or_else(|| "unknown".to_string(), |fault| fault.to_string());
        let before = header.at.saturating_sub(fault.told) as f64 / 1e9;
        let _ = writeln!(text, "fault {before:.3} s before the dump: {what}");
    }
    text
}

fn object(timings: &[Timing]) -> Value {
    timings.iter().map(|(name, times)| ((*name).to_string(), timings::json(times))).collect()
}

/// What the stages took, as JSON.
pub(crate) fn stages_json(told: &Stages) -> Value {
    let shares = |of: &[(&str, f64)]| -> Value {
        of.iter().map(|(name, share)| ((*name).to_string(), json!(share))).collect()
    };
    let stamps = told.stamps;
    let faults: Vec<_> =
        told.faults.iter().map(|fault| fault.fault().map(harmonynet::flow::Fault::short)).collect();
    json!({
        "stages_us": object(&told.stages),
        "paths_us": object(&told.paths),
        "verdict_shares": shares(&told.verdict_shares),
        "shares": shares(&told.shares),
        "load": timings::json(&told.load),
        "stamps": {
            "believable": stamps.believable, "zero": stamps.zero, "backwards": stamps.backwards,
            "foreign": stamps.foreign, "absent": stamps.absent,
        },
        "lost_frames": told.lost.0,
        "losses": told.lost.1,
        "failed_writes": told.failed_writes,
        "faults": faults,
    })
}

pub(super) fn json(header: &Header, records: usize, told: &Stages) -> Value {
    let mut all = stages_json(told);
    all["program"] = json!(header.program.as_str());
    all["reason"] = json!(header.reason.as_str());
    all["at_ns"] = json!(header.at);
    all["unix_ms"] = json!(header.unix_millis);
    all["records"] = json!(records);
    all["recorded"] = json!(header.count);
    all["fares"] = fares_json(&header.fares);
    all
}

/// Every record on a line of its own.
pub(super) fn records(records: &[Record]) -> Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    for record in records {
        writeln!(out, "{}", record_json(record))?;
    }
    Ok(out.flush()?)
}

/// What [`VerdictTimes::state`](harmonynet::trace::VerdictTimes) counts.
const STATES: [&str; 5] = ["listening", "silence", "unsure", "genre", "fault"];

fn record_json(record: &Record) -> Value {
    match record {
        Record::Period(period) => {
            let (stamp, at) = match period.captured() {
                Stamp::At(at) => ("believable", Some(at)),
                Stamp::Zero => ("zero", None),
                Stamp::Backwards(at) => ("backwards", Some(at)),
                Stamp::Foreign(at) => ("foreign", Some(at)),
                Stamp::Absent => ("absent", None),
            };
            json!({
                "period": {
                    "start": period.start, "frames": period.frames, "rate_hz": period.rate_hz, "lost": period.lost,
                    "stamp": stamp, "captured_ns": at, "read_ns": period.read,
                    "resampled_after_ns": period.resampled_after, "taken_after_ns": period.taken_after,
                    "recognized_after_ns": period.recognized_after, "waiting": period.waiting,
                }
            })
        }
        Record::Verdict(verdict) => json!({
            "verdict": {
                "at": verdict.at,
                "state": STATES.get(usize::from(verdict.state)),
                "label": (verdict.label != NO_LABEL).then_some(verdict.label),
                "confidence": f64::from(verdict.confidence) / 65_535.0,
                "read_ns": verdict.read, "taken_ns": verdict.taken, "frame_after_ns": verdict.frame_after,
                "pushed_after_ns": verdict.pushed_after, "scored_after_ns": verdict.scored_after,
                "decided_after_ns": verdict.decided_after, "told_after_ns": verdict.told_after,
            }
        }),
        Record::Shown(shown) => json!({
            "shown": {
                "at": shown.at, "note": shown.is_note, "ok": shown.ok, "begun_ns": shown.begun,
                "ended_after_ns": shown.ended_after,
            }
        }),
        Record::Fault(fault) => json!({
            "fault": { "at": fault.at, "told_ns": fault.told, "what": fault.fault().map(harmonynet::flow::Fault::short) }
        }),
        _ => Value::Null,
    }
}
