//! TOML text as keys, values and lines; and boards by their structure. The only file of this module that names the TOML
//! library.

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// A value as TOML has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A truth.
    Flag(bool),
    /// An array.
    List(Vec<Self>),
    /// A table; its keys follow as entries of their own.
    Table,
    /// What no setting is made of: a date, or a number that is too large.
    Other,
}

/// A key of a document with its value, in the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The key, dotted.
    pub(super) key: String,
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// Its value.
    pub(super) raw: Raw,
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The line, counted from 1, where it is known.
    pub(super) line: Option<usize>,
    /// What the parser says.
    pub(super) message: String,
}

/// Every key of a document, tables before what is in them.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Unreadable> {
    let document = DeTable::parse(text).map_err(|error| unreadable(text, &error))?;
    let mut found = Vec::new();
    flatten(text, "", document.get_ref(), &mut found);
    found.sort_by_key(|entry| entry.line);
    Ok(found)
}

fn flatten(text: &str, prefix: &str, table: &DeTable<'_>, found: &mut Vec<Entry>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        let line = line_at(text, name.span().start);
        found.push(Entry { key: key.clone(), line, raw: raw(value.get_ref()) });
        if let DeValue::Table(inner) = value.get_ref() {
            flatten(text, &key, inner, found);
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Raw::Other, Raw::Integer)
        }
        DeValue::Float(number) => number.as_str().parse().map_or(Raw::Other, Raw::Number),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Array(items) => Raw::List(items.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Table(_) => Raw::Table,
        DeValue::Datetime(_) => Raw::Other,
    }
}

/// A document by its structure.
pub(super) fn structured<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    toml::from_str(text).map_err(|error| unreadable(text, &error))
}

fn unreadable(text: &str, error: &toml::de::Error) -> Unreadable {
    Unreadable {
        line: error.span().map(|span| line_at(text, span.start)),
        message: error.message().trim().replace('\n', "; "),
    }
}

/// The line, counted from 1, of a byte offset.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// The line of a dotted field, in which a number counts entries of an array from 0; or of the innermost part of its way
/// that is there.
pub(super) fn line_of(text: &str, field: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut steps = field.split('.');
    let (name, first) = document.get_ref().get_key_value(steps.next()?)?;
    let mut line = line_at(text, name.span().start);
    let mut value = first;
    for step in steps {
        let next = match value.get_ref() {
            DeValue::Table(table) => {
                let Some((name, next)) = table.get_key_value(step) else { break };
                line = line_at(text, name.span().start);
                next
            }
            DeValue::Array(items) => {
                let Some(next) = step.parse().ok().and_then(|index: usize| items.get(index)) else { break };
                // An array of tables written in one line has its entries' own place.
                line = line_at(text, next.span().start);
                next
            }
            _ => break,
        };
        value = next;
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_with_their_lines() {
        let text = "a = 1\n\n[b]\nc = [\"x\", 2]\nd.e = 0x70\n";
        let entries = entries(text).unwrap();
        let found: Vec<(&str, usize)> = entries.iter().map(|e| (e.key.as_str(), e.line)).collect();
        assert_eq!(found, [("a", 1), ("b", 3), ("b.c", 4), ("b.d", 5), ("b.d.e", 5)]);
        assert_eq!(entries[2].raw, Raw::List(vec![Raw::Text("x".into()), Raw::Integer(2)]));
        assert_eq!(entries[4].raw, Raw::Integer(0x70));
        assert_eq!(super::entries("a = 1\nb = \n").unwrap_err().line, Some(2));
    }

    #[test]
    fn fields_of_arrays_have_lines() {
        let text = "[[bus]]\nname = \"a\"\n\n[[bus]]\nname = \"b\"\npins = [1]\n";
        assert_eq!(line_of(text, "bus.1.pins"), Some(6));
        assert_eq!(line_of(text, "bus.1.device"), Some(4));
        assert_eq!(line_of(text, "nothing"), None);
    }
}
