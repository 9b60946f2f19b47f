//! JSON lines: one object per verdict, for programs.

use std::io::Write;

use serde::Serialize;

use super::{Display, DisplayError, words};
use crate::flow::{Fault, Scene, State};
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
    fault: Option<Text>,
    mend: Option<&'static str>,
}

/// A fault in words.
struct Text(Fault);

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
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
            fault: fault.map(Text),
            mend: fault.map(Fault::mend),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::test_card;
    use crate::display::tests::{ClosedPipe, card};

    #[test]
    fn json_has_every_key_in_every_object() {
        let mut json = JsonLines::new(Vec::new());
        for (_, mut scene) in test_card::scenes() {
            scene.at = 22_050 + 11_025;
            json.show(&scene).unwrap();
            json.verdict(&scene).unwrap();
        }
        let text = String::from_utf8(json.into_inner()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[3],
            r#"{"sample":33075,"seconds":1.5,"state":"genre","genre":"jazz","likeliest":null,"confidence":0.81,"level_dbfs":-12.0,"fault":null,"mend":null}"#
        );
        assert_eq!(
            lines[4],
            r#"{"sample":33075,"seconds":1.5,"state":"fault","genre":null,"likeliest":null,"confidence":null,"level_dbfs":-144.0,"fault":"the microphone went away","mend":"plug the microphone in again; listening resumes by itself"}"#
        );
        let keys = |line: &str| match serde_json::from_str(line).unwrap() {
            serde_json::Value::Object(object) => object.keys().cloned().collect::<Vec<_>>(),
            other => panic!("{other}"),
        };
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| keys(line) == keys(lines[0])));
        let unsure: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!((&unsure["genre"], &unsure["likeliest"]), (&serde_json::Value::Null, &"blues".into()));
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_broken_output() {
        assert_eq!(JsonLines::new(ClosedPipe).verdict(&card("genre")), Err(DisplayError::Closed));
        let full: std::io::Error = std::io::ErrorKind::StorageFull.into();
        assert_eq!(DisplayError::from(full), DisplayError::Write);
    }
}
