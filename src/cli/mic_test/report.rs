//! The measurement for people and for programs.

use std::fmt::Write as _;

use harmonynet::capture::Channel;
use serde_json::{Value, json};

use super::advice::Advice;
use super::measure::{ChannelHeard, Heard};

/// A channel as settings and people call it.
pub(super) fn channel_name(channel: Channel) -> String {
    match channel {
        Channel::Mix => "mix".into(),
        Channel::Pick(index) => (index + 1).to_string(),
    }
}

/// A level, or a dash where there is none.
fn level(dbfs: Option<f64>) -> String {
    dbfs.map_or_else(|| "-".into(), |dbfs| format!("{dbfs:.1}"))
}

/// The table, the findings and what is suggested.
pub(super) fn text(heard: &Heard, advice: &Advice) -> String {
    let mut text = format!("measured {:.1} s: {}\n", heard.seconds(), heard.granted);
    let _ =
        writeln!(text, "channel  peak dBFS  rms dBFS  floor dBFS  offset %  full scale (runs, longest)  hum");
    for (index, channel) in heard.channels.iter().enumerate() {
        let _ = writeln!(text, "{}", row(index + 1, channel).trim_end());
    }
    for (a, b, pair) in &heard.pairs {
        if let Some(correlation) = pair.correlation {
            let same = if pair.identical { ", identical" } else { "" };
            let _ = writeln!(text, "channels {} and {}: correlation {correlation:+.2}{same}", a + 1, b + 1);
        }
    }
    for finding in &advice.findings {
        let channel = finding.channel.map_or_else(String::new, |index| format!("channel {}: ", index + 1));
        let _ = writeln!(text, "{}: {channel}{}\n  {}", finding.kind, finding.found, finding.mend);
    }
    let mut suggested = Vec::new();
    if let Some(channel) = advice.channel {
        let name = channel_name(channel);
        suggested.push(format!("  microphone.channel = \"{name}\"    (--channel {name})"));
    }
    if let Some(dbfs) = advice.silence_dbfs {
        suggested.push(format!("  verdict.silence_dbfs = {dbfs:.1}    (--silence-dbfs {dbfs:.0})"));
    }
    if let Some(db) = advice.gain_db {
        suggested.push(format!("  gain {db:+.0} dB"));
    }
    if !suggested.is_empty() {
        let _ = writeln!(text, "suggested:\n{}", suggested.join("\n"));
    }
    text
}

fn row(number: usize, channel: &ChannelHeard) -> String {
    let signal = &channel.signal;
    let clipping = signal.clipping;
    let hum = signal.hum.map_or_else(
        || "none".into(),
        |hum| format!("{} Hz mains, {:.1} dBFS, {:.0} dB above", hum.mains_hz, hum.level_dbfs, hum.above_db),
    );
    let hum = if signal.constant { "-".into() } else { hum };
    format!(
        "{number:<7}  {:>9}  {:>8}  {:>10}  {:>+8.2}  {:<26}  {hum}",
        level(signal.peak_dbfs),
        level(signal.rms_dbfs),
        level(signal.floor_dbfs),
        100.0 * signal.offset,
        format!("{} ({}, {})", clipping.samples, clipping.runs, clipping.longest),
    )
}

/// A tenth of a decibel is finer than any of it means.
fn rounded(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| json!((value * 10.0).round() / 10.0))
}

/// The same for programs. Levels that don't exist (silence has none) are null.
pub(super) fn json(source: &str, heard: &Heard, advice: &Advice, saved: Option<&str>) -> Value {
    let channels = heard.channels.iter().enumerate().map(|(index, channel)| {
        let signal = &channel.signal;
        json!({
            "channel": index + 1,
            "peak_dbfs": rounded(signal.peak_dbfs),
            "rms_dbfs": rounded(signal.rms_dbfs),
            "offset": signal.offset,
            "clipped_samples": signal.clipping.samples,
            "clipped_runs": signal.clipping.runs,
            "longest_run": signal.clipping.longest,
            "noise_floor_dbfs": rounded(signal.floor_dbfs),
            "quiet_dbfs": rounded(channel.quiet_dbfs.map(f64::from)),
            "hum": signal.hum.map(|hum| json!({
                "mains_hz": hum.mains_hz,
                "level_dbfs": rounded(Some(hum.level_dbfs)),
                "strongest_hz": hum.strongest_hz,
                "above_db": rounded(Some(hum.above_db)),
            })),
            "dead": signal.constant,
        })
    });
    let pairs = heard.pairs.iter().map(|(a, b, pair)| {
        json!({ "channels": [a + 1, b + 1], "correlation": pair.correlation, "identical": pair.identical })
    });
    let findings = advice.findings.iter().map(|finding| {
        json!({
            "kind": finding.kind,
            "channel": finding.channel.map(|index| index + 1),
            "found": finding.found,
            "mend": finding.mend,
        })
    });
    json!({
        "source": source,
        "rate_hz": heard.granted.rate_hz,
        "encoding": heard.granted.encoding,
        "seconds": heard.seconds(),
        "lost_frames": heard.lost,
        "channels": channels.collect::<Vec<_>>(),
        "pairs": pairs.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "suggested": {
            "channel": advice.channel.map(channel_name),
            "silence_dbfs": advice.silence_dbfs,
            "gain_db": rounded(advice.gain_db),
        },
        "saved": saved,
    })
}
