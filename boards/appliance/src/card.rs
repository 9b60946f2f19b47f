//! `harmonynet.toml` on the card's FAT partition: whatever an editor on some PC made of it, as text; and the part of it that is
//! this program's own.

use std::io;

use harmonynet::settings::{Layer, Problem, Problems, Settings};

use crate::wishes::Wishes;

/// Most bytes that the file may have.
pub(crate) const LIMIT: u64 = 64 * 1024;
/// The name by which a person knows the file.
pub(crate) const NAME: &str = "harmonynet.toml";
/// This program's table.
const TABLE: &str = "appliance";

/// Settings in which nothing is wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Good {
    /// The whole file, as UTF-8 with plain line ends.
    pub(crate) text: String,
    /// The part that `harmonynet` reads, line by line where it was in the file.
    pub(crate) program: String,
    /// What the table `[appliance]` asks for.
    pub(crate) wishes: Wishes,
}

/// The text of a file, from UTF-8 or, with its mark in front, UTF-16; lines end as on Unix.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, Problem> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => std::str::from_utf8(rest).ok().map(str::to_string),
        _ => std::str::from_utf8(bytes).ok().map(str::to_string),
    };
    let Some(text) = text else {
        return Err(problem(None, "", "it is no text in UTF-8".into(), "save it anew as UTF-8"));
    };
    if let Some(at) = text.find('\0') {
        let line = 1 + text[..at].matches('\n').count();
        return Err(problem(
            Some(line),
            "",
            "it holds bytes that no editor writes: it was saved as UTF-16 without its mark, or the card is damaged".into(),
            "save it anew as UTF-8",
        ));
    }
    Ok(text.replace("\r\n", "\n"))
}

fn utf16(bytes: &[u8], number: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| number(*pair));
    rest.is_empty().then(|| char::decode_utf16(units).collect::<Result<_, _>>().ok()).flatten()
}

/// Judges a text; `compatible` are the names by which the device tree knows the board.
///
/// # Errors
/// Everything that is wrong with it, in the daemon's part as well as in this program's own.
pub(crate) fn judge(text: &str, compatible: &[String]) -> Result<Good, Problems> {
    let whole = parse(text)?;
    let (program, own) = split(text);
    let mut rest = whole.clone();
    let table = rest.remove(TABLE);
    if parse(&program).ok() != Some(rest) {
        let line = text.lines().position(|line| line.contains(TABLE)).map(|index| index + 1);
        let wrong = format!("the table [{TABLE}] can't be told from the others");
        let mend = format!("write a line [{TABLE}], and its keys below it, one a line");
        return Err(Problems(vec![problem(line, TABLE, wrong, &mend)]));
    }
    let none = Layer::default();
    let found = Layer::of_file(NAME, &program)
        .and_then(|layer| Settings::resolve(&none, &none, &layer, compatible).map(|_| ()));
    let mut found = found.err().map_or_else(Vec::new, |Problems(found)| found);
    let wishes = Wishes::of(table.as_ref(), &own, &mut found);
    if found.is_empty() { Ok(Good { text: text.into(), program, wishes }) } else { Err(Problems(found)) }
}

fn parse(text: &str) -> Result<toml::Table, Problems> {
    text.parse::<toml::Table>().map_err(|error| {
        let line = error
            .span()
            .map(|span| 1 + text.as_bytes()[..span.start].iter().filter(|b| **b == b'\n').count());
        let wrong = error.message().trim().replace('\n', "; ");
        Problems(vec![problem(line, "", wrong, "settings are TOML: `key = value` below a `[table]`")])
    })
}

/// The text with empty lines in the place of the table `[appliance]`, and the table's own lines with their numbers.
fn split(text: &str) -> (String, Vec<(usize, &str)>) {
    let (mut program, mut own) = (String::new(), Vec::new());
    let mut is_own = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(header) = line.trim_start().strip_prefix('[') {
            is_own = header.split(']').next().is_some_and(|name| name.trim() == TABLE);
        }
        if is_own {
            own.push((index + 1, line));
        } else {
            program += line;
        }
        program.push('\n');
    }
    (program, own)
}

/// Something that is wrong with the file.
pub(crate) fn problem(line: Option<usize>, field: &str, wrong: String, mend: &str) -> Problem {
    Problem { place: NAME.into(), line, field: field.into(), wrong, mend: mend.into() }
}

/// What is wrong with a file that cannot be read.
pub(crate) fn unreadable(error: &io::Error) -> Problem {
    let (wrong, mend) = match error.kind() {
        io::ErrorKind::NotFound => {
            ("it is not on the card".to_string(), "put it back: an empty file stands for the defaults")
        }
        io::ErrorKind::FileTooLarge => (
            format!("it has more than {} KiB", LIMIT / 1024),
            "is it the right file? Settings are a page of text",
        ),
        _ => (format!("it cannot be read: {error}"), "write it anew; if that doesn't help, the card anew"),
    };
    problem(None, "", wrong, mend)
}

#[cfg(test)]
mod tests;
