//! A live view in a terminal: the LED matrix, below it a line of figures and, for a fault, how to mend it.
//!
//! Draws on the alternate screen, writes only what changed, in one write per scene, out of buffers that are kept. The
//! matrix is as large as fits: round dots (128 × 16 characters), half blocks (64 × 8), or nothing but the lines of text. Where
//! there is no colour, or no Unicode, `#` and `.` stand for the dots. Not for output that isn't a terminal: that is
//! [`Lines`](super::Lines).

use std::io::Write;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::{Display, DisplayError, Matrix, draw, picture, words};
use crate::flow::{SampleIndex, Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// Columns of the matrix.
pub const WIDTH: usize = 64;
/// Rows of the matrix.
pub const HEIGHT: usize = 16;
/// The terminal's size when it doesn't tell.
const USUAL_SIZE: Size = (80, 24);
/// An LED that is off.
const DARK: Rgb888 = Rgb888::new(28, 28, 28);
/// Lines of text below the matrix (and below an empty line): figures, and two for how to mend a fault.
const TEXT_LINES: u16 = 3;

/// Room for a line of text, so that it need not grow while listening.
const LINE_BYTES: usize = 128;
/// Room for a whole picture: at most one dot and two 24-bit colours for each LED, and a few for the rest.
const SCENE_BYTES: usize = WIDTH * HEIGHT * 44;

/// Columns and rows of characters.
pub type Size = (u16, u16);

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// None, or none wanted.
    None,
    /// The palette of 256.
    Indexed,
    /// 24 bits.
    True,
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours.
    pub colors: Colors,
    /// Whether characters beyond ASCII come out right.
    pub unicode: bool,
}

impl Style {
    /// What the environment says: `NO_COLOR`, `TERM`, `COLORTERM`; `LC_ALL`, `LC_CTYPE`, `LANG`.
    #[must_use]
    pub fn detect() -> Self {
        Self::from_environment(|name| std::env::var(name).ok())
    }

    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let filled = |name| variable(name).filter(|value| !value.is_empty());
        let term = filled("TERM");
        let colors = match filled("COLORTERM").as_deref() {
            _ if filled("NO_COLOR").is_some() || term.as_deref().is_none_or(|term| term == "dumb") => {
                Colors::None
            }
            Some("truecolor" | "24bit") => Colors::True,
            _ => Colors::Indexed,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(filled).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self { colors, unicode: locale.contains("utf-8") || locale.contains("utf8") }
    }
}

/// The size of the terminal that this process runs in.
#[must_use]
pub fn size() -> Option<Size> {
    crossterm::terminal::size().ok()
}

/// How dots become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dots {
    /// Too small for a matrix.
    No,
    /// A round dot and a space for each LED.
    Round,
    /// Two LEDs, one above the other, for each character.
    Halves,
    /// A character for each LED.
    Characters,
}

impl Dots {
    fn best((columns, rows): Size, style: Style) -> Self {
        let blocks = style.unicode && style.colors != Colors::None;
        let wanted: &[Self] = if blocks { &[Self::Round, Self::Halves] } else { &[Self::Characters] };
        let fits = |dots: &&Self| {
            let (w, h) = dots.extent();
            w <= columns && h + 1 + TEXT_LINES <= rows
        };
        wanted.iter().find(fits).copied().unwrap_or(Self::No)
    }

    /// Columns and rows of characters that the matrix takes.
    const fn extent(self) -> Size {
        let (w, h) = (WIDTH as u16, HEIGHT as u16);
        match self {
            Self::No => (0, 0),
            Self::Round => (2 * w, h),
            Self::Halves => (w, h / 2),
            Self::Characters => (w, h),
        }
    }
}

/// A terminal that shows scenes until it is dropped; then it is as it was before.
pub struct Terminal<W: Write> {
    out: W,
    style: Style,
    ask_size: fn() -> Option<Size>,
    size: Size,
    asked_at: Option<SampleIndex>,
    dots: Dots,
    /// What the next scene looks like, and what the terminal shows.
    matrix: Matrix<WIDTH, HEIGHT>,
    shown: Option<Matrix<WIDTH, HEIGHT>>,
    lines: [String; TEXT_LINES as usize],
    shown_lines: [String; TEXT_LINES as usize],
    buffer: Vec<u8>,
}

impl<W: Write> Terminal<W> {
    /// Takes the terminal behind `out` over: switches to the alternate screen and hides the cursor. `ask_size` is
    /// [`size`], or something else in a test.
    ///
    /// # Errors
    /// The terminal can't be written.
    pub fn new(out: W, style: Style, ask_size: fn() -> Option<Size>) -> Result<Self, DisplayError> {
        let mut terminal = Self {
            out,
            style,
            ask_size,
            size: (0, 0),
            asked_at: None,
            dots: Dots::No,
            matrix: Matrix::new(),
            shown: None,
            lines: core::array::from_fn(|_| String::with_capacity(LINE_BYTES)),
            shown_lines: core::array::from_fn(|_| String::with_capacity(LINE_BYTES)),
            buffer: Vec::with_capacity(SCENE_BYTES),
        };
        queue!(terminal.out, EnterAlternateScreen, Hide)?;
        terminal.out.flush()?;
        Ok(terminal)
    }

    /// Follows the terminal's size; asked four times a second, as it costs a system call.
    fn follow_size(&mut self, at: SampleIndex) -> Result<(), DisplayError> {
        let due = |asked: SampleIndex| at.abs_diff(asked) >= u64::from(SAMPLE_RATE_HZ / 4);
        if !self.asked_at.is_none_or(due) {
            return Ok(());
        }
        self.asked_at = Some(at);
        let size = (self.ask_size)().filter(|size| size.0 > 0 && size.1 > 0).unwrap_or(USUAL_SIZE);
        if size != self.size {
            self.size = size;
            self.dots = Dots::best(size, self.style);
            self.shown = None;
            self.shown_lines.iter_mut().for_each(String::clear);
            queue!(self.buffer, Clear(ClearType::All))?;
        }
        Ok(())
    }

    /// Queues the characters of the matrix that changed.
    fn queue_matrix(&mut self) -> Result<(), DisplayError> {
        let (across, down) = self.dots.extent();
        let left = (self.size.0 - across) / 2;
        let (wide, high) = match self.dots {
            Dots::No => return Ok(()),
            Dots::Round => (2, 1),
            Dots::Halves => (1, 2),
            Dots::Characters => (1, 1),
        };
        let rows = self.matrix.rows();
        let mut pen = Pen::new(self.style);
        for row in 0..down {
            let y = usize::from(row) * high;
            // The column after the last character that was written, where the cursor is.
            let mut cursor = None;
            for x in 0..WIDTH {
                let upper = rows[y][x];
                let lower = if high == 2 { rows[y + 1][x] } else { upper };
                if let Some(shown) = &self.shown {
                    let shown = shown.rows();
                    if shown[y][x] == upper && (high == 1 || shown[y + 1][x] == lower) {
                        continue;
                    }
                }
                if cursor != Some(x) {
                    queue!(self.buffer, MoveTo(left + (x * wide) as u16, row))?;
                }
                pen.dot(&mut self.buffer, self.dots, upper, lower)?;
                cursor = Some(x + 1);
            }
        }
        pen.lift(&mut self.buffer)?;
        self.shown = Some(self.matrix.clone());
        Ok(())
    }

    /// Queues the lines of text that changed.
    fn queue_lines(&mut self) -> Result<(), DisplayError> {
        let (columns, rows) = self.size;
        let top = match self.dots {
            Dots::No => 0,
            dots => dots.extent().1 + 1,
        };
        let lines = self.lines.iter().zip(&mut self.shown_lines);
        for (row, (line, shown)) in (top..rows).zip(lines) {
            // The last column stays free: a character there makes some terminals scroll.
            let end =
                line.char_indices().nth(columns.saturating_sub(1).into()).map_or(line.len(), |(end, _)| end);
            if *shown != line[..end] {
                queue!(self.buffer, MoveTo(0, row))?;
                self.buffer.extend_from_slice(&line.as_bytes()[..end]);
                queue!(self.buffer, Clear(ClearType::UntilNewLine))?;
                shown.clear();
                shown.push_str(&line[..end]);
            }
        }
        Ok(())
    }
}

impl<W: Write> Display for Terminal<W> {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        self.buffer.clear();
        self.follow_size(scene.at)?;
        let Ok(()) = draw(scene, &mut self.matrix);
        self.queue_matrix()?;
        text_lines(scene, self.size.0.into(), &mut self.lines);
        self.queue_lines()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.out.write_all(&self.buffer)?;
        Ok(self.out.flush()?)
    }
}

impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        // Nobody is left to be told of an error.
        let _ = queue!(self.out, Show, LeaveAlternateScreen);
        let _ = self.out.flush();
    }
}

/// Writes colours and dots, and colours only where they change.
struct Pen {
    style: Style,
    front: Option<Rgb888>,
    back: Option<Rgb888>,
}

impl Pen {
    const fn new(style: Style) -> Self {
        Self { style, front: None, back: None }
    }

    fn dot(
        &mut self,
        out: &mut Vec<u8>,
        dots: Dots,
        upper: Rgb888,
        lower: Rgb888,
    ) -> Result<(), DisplayError> {
        let seen = |color| if picture::lit(color) { color } else { DARK };
        self.color(out, seen(upper), false)?;
        let text = match dots {
            Dots::No => "",
            Dots::Round => "● ",
            Dots::Halves => {
                self.color(out, seen(lower), true)?;
                "▀"
            }
            Dots::Characters if picture::lit(upper) => "#",
            Dots::Characters => ".",
        };
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// ISO 8613-6 colour sequences. Written here, since crossterm's own obey `NO_COLOR` behind the style's back.
    fn color(&mut self, out: &mut Vec<u8>, color: Rgb888, back: bool) -> Result<(), DisplayError> {
        let (last, code) = if back { (&mut self.back, 48) } else { (&mut self.front, 38) };
        if self.style.colors == Colors::None || *last == Some(color) {
            return Ok(());
        }
        *last = Some(color);
        let (r, g, b) = (color.r(), color.g(), color.b());
        match self.style.colors {
            Colors::True => write!(out, "\x1b[{code};2;{r};{g};{b}m")?,
            _ => write!(out, "\x1b[{code};5;{}m", indexed(color))?,
        }
        Ok(())
    }

    /// Back to the terminal's own colours.
    fn lift(self, out: &mut Vec<u8>) -> Result<(), DisplayError> {
        if self.front.is_some() || self.back.is_some() {
            write!(out, "\x1b[0m")?;
        }
        Ok(())
    }
}

/// The nearest colour of the 256: the cube of 6 × 6 × 6 with steps 0, 95, 135 … 255, or the ramp of 24 greys 8, 18 … 238.
fn indexed(color: Rgb888) -> u8 {
    let (r, g, b) = (color.r(), color.g(), color.b());
    if r == g && g == b && r < 244 {
        return 232 + (r.saturating_sub(3) / 10).min(23);
    }
    let step = |part: u8| match part {
        0..48 => 0,
        48..115 => 1,
        _ => (part - 35) / 40,
    };
    16 + 36 * step(r) + 6 * step(g) + step(b)
}

/// The figures; for a fault also the mend, broken between words where the terminal has fewer `columns`.
fn text_lines(scene: &Scene, columns: usize, [figures, mend, more]: &mut [String; TEXT_LINES as usize]) {
    use core::fmt::Write as _;
    figures.clear();
    mend.clear();
    more.clear();
    // Writing to a string cannot fail.
    let _ = write!(figures, " {:<10}", words::state(&scene.state));
    let _ = match scene.state {
        State::Fault { fault } => {
            let text = fault.mend();
            // A column at the left and one at the right stay free.
            let (first, second) = text.split_at(break_at(text, columns.saturating_sub(2)));
            let _ = write!(mend, " {first}");
            let _ = write!(more, "{second}");
            let _ = write!(figures, "{fault}");
            return;
        }
        State::Listening => write!(figures, "{:<22}", Percent("window", scene.window_fill)),
        State::Unsure { confidence, .. } | State::Genre { confidence, .. } => {
            write!(figures, "{:<22}", Percent(&scene.label, confidence))
        }
        State::Silence => write!(figures, "{:<22}", ""),
    };
    let dbfs = scene.level.dbfs();
    let seconds = scene.at / u64::from(SAMPLE_RATE_HZ);
    let lit = ((dbfs + 60.0) / 3.0).clamp(0.0, 20.0) as usize;
    let _ = write!(figures, "{dbfs:>8.1} dBFS [{:=<lit$}{:<dark$}]", "", "", dark = 20 - lit);
    let _ = write!(figures, "{:>5}:{:02}", seconds / 60, seconds % 60);
}

/// Where to break a text so that `columns` hold the first part: at its last space there, or at its end.
fn break_at(text: &str, columns: usize) -> usize {
    match text.char_indices().nth(columns) {
        Some((end, ' ')) => end,
        Some((end, _)) => text[..end].rfind(' ').unwrap_or(end),
        None => text.len(),
    }
}

/// A name and a percentage, padded as a whole.
struct Percent<'a>(&'a str, f32);

impl core::fmt::Display for Percent<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(name, part) = self;
        let width = f.width().unwrap_or(0).saturating_sub(6);
        write!(f, "{name:<width$}{:>4.0} %", part * 100.0)
    }
}

#[cfg(test)]
mod tests;
