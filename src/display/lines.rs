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
        write!(self.out, "{seconds:9.2} s  ")?;
        match (words::confidence(&scene.state), fault) {
            (Some(part), _) => writeln!(self.out, "{word:<9}  {} {:.0} %", scene.label, part * 100.0)?,
            (_, Some(fault)) => writeln!(self.out, "{word:<9}  {fault}: {}", fault.mend())?,
            _ => writeln!(self.out, "{word}")?,
        }
        Ok(self.out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::tests::{ClosedPipe, card, genre};

    #[test]
    fn lines_come_with_changes_only() {
        let mut lines = Lines::new(Vec::new());
        for (at, text, confidence) in [(0, "jazz", 0.5), (1, "jazz", 0.9), (2, "jazz", 0.7)] {
            let scene = Scene { at: at * u64::from(SAMPLE_RATE_HZ), ..genre(text, confidence, -20.0) };
            lines.show(&scene).unwrap();
            lines.verdict(&scene).unwrap();
        }
        for (name, at) in [("silence", 70), ("silence", 71), ("unsure", 75), ("fault", 80), ("fault", 81)] {
            lines.verdict(&Scene { at: at * u64::from(SAMPLE_RATE_HZ), ..card(name) }).unwrap();
        }
        assert_eq!(
            String::from_utf8(lines.into_inner()).unwrap(),
            "     0.00 s  genre      jazz 50 %\n\
             \x20   70.00 s  silence\n\
             \x20   75.00 s  unsure     blues 34 %\n\
             \x20   80.00 s  fault      the microphone went away: plug the microphone in again; \
             listening resumes by itself\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_no_panic() {
        assert_eq!(Lines::new(ClosedPipe).verdict(&card("genre")), Err(DisplayError::Closed));
    }
}
