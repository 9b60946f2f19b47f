//! The level meter: one line that is drawn again ten times a second on a terminal, else a line a second.

use std::fmt::Write as _;
use std::io::{self, Write};

use harmonynet::capture::meter::{Meter, Recent};

/// Cells of a bar.
const CELLS: usize = 20;
/// Level of its left end, dBFS; its right end is 0.
const LEAST_DBFS: f64 = -80.0;
/// Draws a second on a terminal, and lines a second elsewhere.
const RATES: (u64, u64) = (10, 1);

/// A level meter.
pub(super) struct Bars<W> {
    out: W,
    live: bool,
    /// Draws so far.
    drawn: u64,
}

impl<W: Write> Bars<W> {
    /// A level meter that is drawn again and again where `live`.
    pub(super) fn new(out: W, live: bool) -> Self {
        Self { out, live, drawn: 0 }
    }

    /// Draws what was heard last, if it is time.
    pub(super) fn show(&mut self, meter: &Meter) -> io::Result<()> {
        let rate = if self.live { RATES.0 } else { RATES.1 };
        // By the sound's own time: what is read faster is drawn faster.
        let due = meter.frames() * rate / u64::from(meter.rate_hz());
        if due <= self.drawn {
            return Ok(());
        }
        self.drawn = due;
        let mut line = String::new();
        for (index, recent) in (0..).map_while(|index| Some((index, meter.recent(index)?))) {
            self.one(&mut line, index + 1, &recent);
        }
        if self.live {
            write!(self.out, "\r\x1b[K{}", line.trim_end())?;
        } else {
            writeln!(self.out, "{:>4} s  {}", due, line.trim_end())?;
        }
        self.out.flush()
    }

    fn one(&self, line: &mut String, channel: u8, recent: &Recent) {
        let [rms, peak] = [recent.rms_dbfs, recent.peak_dbfs].map(|level| level.unwrap_or(f64::NEG_INFINITY));
        if self.live {
            let _ = write!(line, "{channel} {} {:>5}  ", bar(rms, peak), short(rms));
        } else {
            let _ = write!(line, "channel {channel}: rms {:>5}, peak {:>5} dBFS  ", short(rms), short(peak));
        }
    }

    /// Leaves the line.
    pub(super) fn close(mut self) -> io::Result<()> {
        if self.live && self.drawn > 0 {
            writeln!(self.out)?;
        }
        Ok(())
    }
}

/// A level in few letters.
fn short(dbfs: f64) -> String {
    if dbfs.is_finite() { format!("{dbfs:.0}") } else { "none".into() }
}

/// The rms as a bar, the peak as a mark on it.
fn bar(rms: f64, peak: f64) -> String {
    let cell =
        |dbfs: f64| ((dbfs - LEAST_DBFS) / -LEAST_DBFS * CELLS as f64).clamp(0.0, CELLS as f64) as usize;
    let (filled, mark) = (cell(rms), cell(peak));
    let cells = (0..CELLS).map(|i| match i {
        _ if i < filled => '#',
        _ if mark > 0 && i + 1 == mark => '|',
        _ => '-',
    });
    format!("[{}]", cells.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_its_rms_and_its_peak() {
        assert_eq!(bar(-40.0, -20.0), "[##########----|-----]");
        assert_eq!(bar(f64::NEG_INFINITY, f64::NEG_INFINITY), "[--------------------]");
        assert_eq!(bar(3.0, 0.0), "[####################]");
        assert_eq!(bar(-80.0, 0.0), "[-------------------|]");
    }

    #[test]
    fn a_terminal_is_drawn_over_and_a_file_gets_a_line_a_second() {
        let mut meter = Meter::new(8_000, 2).unwrap();
        let (mut live, mut lines) = (Bars::new(Vec::new(), true), Bars::new(Vec::new(), false));
        for _ in 0..30 {
            meter.feed(&[1 << 30, 0].repeat(800));
            live.show(&meter).unwrap();
            lines.show(&meter).unwrap();
        }
        let text = String::from_utf8(live.out).unwrap();
        assert_eq!((text.matches("\r\x1b[K").count(), text.contains('\n')), (30, false));
        let text = String::from_utf8(lines.out).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("channel 2: rms  none, peak  none"), "{text}");
    }
}
