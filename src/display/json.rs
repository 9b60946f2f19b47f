//! JSON lines: one object per verdict, for programs.

use std::io::Write;

use serde::Serialize;

use super::{Display, DisplayError, words};
use crate::flow::{Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// Writes one JSON object and a line feed per verdict, every key in every object.
///
/// | key | value |
/// | --- | --- |
/// | `sample` | samples at 22,050 Hz since the stream began, up to which sound was heard |
/// | `seconds` | the same in seconds |
/// | `state` | `"listening"`, `"silence"`, `"unsure"`, `"genre"` or `"fault"` |
/// | `genre` | the genre's name; `null` unless `state` is `"genre"` |
/// | `likeliest` | the likeliest label's name when `state` is `"unsure"`, else `null` |
/// | `confidence` | of `genre` or `likeliest`, 0–1; else `null` |
/// | `level_dbfs` | sound level, decibels relative to a full-scale sine |
/// | `fault`, `mend` | what is broken and what a person can do; `null` unless `state` is `"fault"` |
#[derive(Debug)]
pub struct JsonLines<W: Write> {
    out: W,
    line: Vec<u8>,
}

/// The object.
#[derive(Serialize)]
struct Record<'a> {
    sample: u64,
    seconds: f64,
    state: &'static str,
    genre: Option<&'a str>,
    likeliest: Option<&'a str>,
    confidence: Option<f64>,
    level_dbfs: f64,
    fault: Option<String>,
    mend: Option<&'static str>,
}

impl<W: Write> JsonLines<W> {
    /// JSON lines on `out`, each flushed.
    pub fn new(out: W) -> Self {
        Self { out, line: Vec::new() }
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Display for JsonLines<W> {
    fn show(&mut self, _: &Scene) -> Result<(), DisplayError> {
        Ok(())
    }

    fn verdict(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let fault = match scene.state {
            State::Fault { fault } => Some(fault),
            _ => None,
        };
        let record = Record {
            sample: scene.at,
            seconds: rounded(scene.at as f64 / f64::from(SAMPLE_RATE_HZ), 1000.0),
            state: words::state(&scene.state),
            genre: matches!(scene.state, State::Genre { .. }).then_some(scene.label.as_str()),
            likeliest: matches!(scene.state, State::Unsure { .. }).then_some(scene.label.as_str()),
            confidence: words::confidence(&scene.state).map(|c| rounded(c.into(), 1000.0)),
            level_dbfs: rounded(scene.level.dbfs().into(), 10.0),
            fault: fault.map(|fault| fault.to_string()),
            mend: fault.map(crate::flow::Fault::mend),
        };
        self.line.clear();
        serde_json::to_writer(&mut self.line, &record).map_err(|_| DisplayError::Write)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)?;
        Ok(self.out.flush()?)
    }
}

/// Rounded to `steps` per unit.
fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
