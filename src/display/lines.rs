//! Plain lines: for output that isn't a terminal and isn't read by a program. One line per change of what is believed.

use std::io::Write;

use super::{Display, DisplayError, words};
use crate::flow::{Fault, Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// Writes a line when the state or the genre changes; a mere change of confidence is none.
#[derive(Debug)]
pub struct Lines<W: Write> {
    out: W,
    /// The last line's word, label and fault.
    said: Option<(&'static str, Option<u8>, Option<Fault>)>,
}

impl<W: Write> Lines<W> {
    /// Lines on `out`.
    pub fn new(out: W) -> Self {
        Self { out, said: None }
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Display for Lines<W> {
    fn show(&mut self, _: &Scene) -> Result<(), DisplayError> {
        Ok(())
    }

    fn verdict(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let word = words::state(&scene.state);
        let (label, fault) = match scene.state {
            State::Genre { label, .. } | State::Unsure { label, .. } => (Some(label), None),
            State::Fault { fault } => (None, Some(fault)),
            _ => (None, None),
        };
        if self.said == Some((word, label, fault)) {
            return Ok(());
        }
        self.said = Some((word, label, fault));
        let seconds = scene.at as f64 / f64::from(SAMPLE_RATE_HZ);
        write!(self.out, "{seconds:9.2} s  {word:<9}")?;
        if let Some(confidence) = words::confidence(&scene.state) {
            write!(self.out, "  {} {:.0} %", scene.label, confidence * 100.0)?;
        }
        if let Some(fault) = fault {
            write!(self.out, "  {fault}: {}", fault.mend())?;
        }
        writeln!(self.out)?;
        Ok(self.out.flush()?)
    }
}
