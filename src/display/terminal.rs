//! A live view in a terminal: dots, below them a line of figures and, for a fault, how to mend it.
//!
//! [`Terminal`] shows an LED matrix of its own, a [`Screen`] whatever [`Lamps`] there are, such as those of a simulated
//! chip. It draws on the alternate screen and writes only what changed, in one write per picture, out of buffers that are
//! kept. The dots are as large as fits: round ones (of a 64 × 16 matrix 128 × 16 characters), half blocks (64 × 8), Braille
//! (32 × 4), or nothing but the lines of text. Where there is no colour, or no Unicode, `#` and `.` stand for the dots. Not
//! for output that isn't a terminal: that is [`Lines`](super::Lines).

mod pen; // colours and characters

use std::io::Write;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};

use self::pen::{Pen, cell};
use super::picture::{Lamps, Still};
use super::{Display, DisplayError, Matrix, draw, words};
use crate::flow::{SampleIndex, Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// Columns of the terminal's own matrix.
pub const WIDTH: usize = 64;
/// Its rows.
pub const HEIGHT: usize = 16;
/// The terminal's size when it doesn't tell.
const USUAL_SIZE: Size = (80, 24);
/// Lines of text below the dots (and below an empty line): figures, and two for how to mend a fault.
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

/// The size of the terminal that standard output is, where it is one and says so.
#[must_use]
pub fn size() -> Option<Size> {
    // crossterm would run another program where a terminal doesn't say.
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// How dots become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dots {
    /// Too small for them.
    No,
    /// A round dot and a space for each LED.
    Round,
    /// Two LEDs, one above the other, for each character.
    Halves,
    /// Two by four LEDs for each character, all of one colour.
    Braille,
    /// A character for each LED.
    Characters,
}

impl Dots {
    fn best((columns, rows): Size, style: Style, lamps: Size) -> Self {
        let blocks = style.unicode && style.colors != Colors::None;
        let wanted: &[Self] =
            if blocks { &[Self::Round, Self::Halves, Self::Braille] } else { &[Self::Characters] };
        let fits = |dots: &&Self| {
            let (w, h) = dots.extent(lamps);
            w <= columns && h + 1 + TEXT_LINES <= rows
        };
        wanted.iter().find(fits).copied().unwrap_or(Self::No)
    }

    /// LEDs across and down that become one character (or one and a space).
    const fn cell(self) -> (usize, usize) {
        match self {
            Self::No | Self::Round | Self::Characters => (1, 1),
            Self::Halves => (1, 2),
            Self::Braille => (2, 4),
        }
    }

    /// Characters that a cell takes.
    const fn wide(self) -> u16 {
        if matches!(self, Self::Round) { 2 } else { 1 }
    }

    /// Columns and rows of characters that so many LEDs take.
    fn extent(self, (width, height): Size) -> Size {
        let (across, down) = self.cell();
        match self {
            Self::No => (0, 0),
            _ => (width.div_ceil(across as u16) * self.wide(), height.div_ceil(down as u16)),
        }
    }
}

/// A terminal that shows dots and figures until it is dropped; then it is as it was before.
pub struct Screen<W: Write> {
    out: W,
    style: Style,
    ask_size: fn() -> Option<Size>,
    size: Size,
    asked_at: Option<SampleIndex>,
    dots: Dots,
    /// What is to be shown, and what the terminal shows, where that is known.
    still: Still,
    shown: Still,
    is_known: bool,
    lines: [String; TEXT_LINES as usize],
    shown_lines: [String; TEXT_LINES as usize],
    buffer: Vec<u8>,
}

impl<W: Write> Screen<W> {
    /// Takes the terminal behind `out` over: switches to the alternate screen and hides the cursor. `ask_size` is
    /// [`size`], or something else in a test.
    ///
    /// # Errors
    /// The terminal can't be written.
    pub fn new(out: W, style: Style, ask_size: fn() -> Option<Size>) -> Result<Self, DisplayError> {
        let mut screen = Self {
            out,
            style,
            ask_size,
            size: (0, 0),
            asked_at: None,
            dots: Dots::No,
            still: Still::default(),
            shown: Still::default(),
            is_known: false,
            lines: core::array::from_fn(|_| String::with_capacity(LINE_BYTES)),
            shown_lines: core::array::from_fn(|_| String::with_capacity(LINE_BYTES)),
            buffer: Vec::with_capacity(SCENE_BYTES),
        };
        queue!(screen.out, EnterAlternateScreen, Hide)?;
        screen.out.flush()?;
        Ok(screen)
    }

    /// Shows these dots, and the figures of the scene that they stand for.
    ///
    /// # Errors
    /// The terminal can't be written.
    pub fn paint(&mut self, lamps: &dyn Lamps, scene: &Scene) -> Result<(), DisplayError> {
        self.buffer.clear();
        let is_other = self.still.size() != lamps.size();
        self.still.take(lamps);
        self.follow_size(scene.at, is_other)?;
        self.queue_dots()?;
        text_lines(scene, self.size.0.into(), &mut self.lines);
        self.queue_lines()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.out.write_all(&self.buffer)?;
        Ok(self.out.flush()?)
    }

    /// Paints everything anew next time: others may have written to the terminal.
    pub fn forget(&mut self) {
        self.asked_at = None;
        self.size = (0, 0);
    }

    /// Follows the terminal's size; asked four times a second, as it costs a system call, and where there are other dots.
    fn follow_size(&mut self, at: SampleIndex, is_other: bool) -> Result<(), DisplayError> {
        let due = |asked: SampleIndex| at.abs_diff(asked) >= u64::from(SAMPLE_RATE_HZ / 4);
        if !is_other && !self.asked_at.is_none_or(due) {
            return Ok(());
        }
        self.asked_at = Some(at);
        let size = (self.ask_size)().filter(|size| size.0 > 0 && size.1 > 0).unwrap_or(USUAL_SIZE);
        if is_other || size != self.size {
            self.size = size;
            self.dots = Dots::best(size, self.style, self.lamps());
            self.is_known = false;
            self.shown_lines.iter_mut().for_each(String::clear);
            queue!(self.buffer, Clear(ClearType::All))?;
        }
        Ok(())
    }

    /// LEDs across and down.
    fn lamps(&self) -> Size {
        let size = self.still.size();
        let clamped = |extent: u32| u16::try_from(extent).unwrap_or(u16::MAX);
        (clamped(size.width), clamped(size.height))
    }

    /// Queues the characters whose dots changed.
    fn queue_dots(&mut self) -> Result<(), DisplayError> {
        if self.dots == Dots::No {
            return Ok(());
        }
        let (columns, rows) = self.dots.extent(self.lamps());
        let left = (self.size.0 - columns) / 2;
        let (across, down) = self.dots.cell();
        let mut pen = Pen::new(self.style);
        for row in 0..rows {
            // The column after the last character that was written, where the cursor is.
            let mut cursor = None;
            for column in 0..columns / self.dots.wide() {
                let (x, y) = (usize::from(column) * across, usize::from(row) * down);
                let cell = cell(&self.still, x, y);
                let seen = (0..across).flat_map(|dx| (0..down).map(move |dy| (dx, dy)));
                let is_same = |(dx, dy): (usize, usize)| self.shown.lamp(x + dx, y + dy) == cell[dx][dy];
                if self.is_known && seen.into_iter().all(is_same) {
                    continue;
                }
                if cursor != Some(column) {
                    queue!(self.buffer, MoveTo(left + column * self.dots.wide(), row))?;
                }
                pen.dot(&mut self.buffer, self.dots, &cell)?;
                cursor = Some(column + 1);
            }
        }
        pen.lift(&mut self.buffer)?;
        self.shown.clone_from(&self.still);
        self.is_known = true;
        Ok(())
    }

    /// Queues the lines of text that changed.
    fn queue_lines(&mut self) -> Result<(), DisplayError> {
        let (columns, rows) = self.size;
        let top = match self.dots {
            Dots::No => 0,
            dots => dots.extent(self.lamps()).1 + 1,
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

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        // Nobody is left to be told of an error.
        let _ = queue!(self.out, Show, LeaveAlternateScreen);
        let _ = self.out.flush();
    }
}

/// A terminal that shows scenes on a matrix of its own.
pub struct Terminal<W: Write> {
    screen: Screen<W>,
    matrix: Matrix<WIDTH, HEIGHT>,
}

impl<W: Write> Terminal<W> {
    /// Takes the terminal behind `out` over, as [`Screen::new`].
    ///
    /// # Errors
    /// The terminal can't be written.
    pub fn new(out: W, style: Style, ask_size: fn() -> Option<Size>) -> Result<Self, DisplayError> {
        Ok(Self { screen: Screen::new(out, style, ask_size)?, matrix: Matrix::new() })
    }
}

impl<W: Write> Display for Terminal<W> {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let Ok(()) = draw(scene, &mut self.matrix);
        self.screen.paint(&self.matrix, scene)
    }
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
