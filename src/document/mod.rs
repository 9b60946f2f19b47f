//! TOML text as keys, values and lines, or by its structure; what is wrong with it has a line. For settings, boards and
//! manifests; not for changing a document, and not for writing one.

mod structure;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

/// A value as TOML has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
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
pub struct Entry {
    /// The key, dotted.
    pub key: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// Its value.
    pub raw: Raw,
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What the parser says.
    pub message: String,
}

/// Every key of a document, tables before what is in them.
///
/// # Errors
/// It is no TOML.
pub fn entries(text: &str) -> Result<Vec<Entry>, Unreadable> {
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

/// A document by its structure. Dates have no place in it.
///
/// # Errors
/// It is no TOML, or a key is missing, unknown or of another type.
pub fn structured<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Unreadable> {
    let document = DeTable::parse(text).map_err(|error| unreadable(text, &error))?;
    T::deserialize(structure::Node::from(document)).map_err(|error| Unreadable {
        line: error.span.map(|span| line_at(text, span.start)),
        message: error.message,
    })
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
#[must_use]
pub fn line_of(text: &str, field: &str) -> Option<usize> {
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
#[allow(clippy::unwrap_used, reason = "tests report by panicking")]
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

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        LineIn,
        Usb,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", deny_unknown_fields)]
    enum Level {
        Fixed { by: i16 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        kind: Kind,
        volts: Option<f32>,
        #[serde(default)]
        pins: Vec<u8>,
        level: Option<Level>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Parts {
        name: String,
        part: Vec<Part>,
    }

    #[test]
    fn structures_are_read_as_they_stand() {
        let text = "name = \"a\\tb\"\npart = [{ kind = \"usb\" }]\n";
        let plain = Part { kind: Kind::Usb, volts: None, pins: Vec::new(), level: None };
        assert_eq!(structured(text), Ok(Parts { name: "a\tb".into(), part: vec![plain] }));
        let text = "name = 'x'\n[[part]]\nkind = 'line-in'\nvolts = 3.3\npins = [2, 0x10]\n\
                    level = { kind = 'Fixed', by = -7 }\n";
        let full = Part {
            kind: Kind::LineIn,
            volts: Some(3.3),
            pins: vec![2, 16],
            level: Some(Level::Fixed { by: -7 }),
        };
        assert_eq!(structured(text), Ok(Parts { name: "x".into(), part: vec![full] }));
        let borrowed: std::collections::BTreeMap<&str, &str> = structured("a = 'b'").unwrap();
        assert_eq!(borrowed["a"], "b");
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        for (part, line, said) in [
            ("kind = 'usb'\nvolt = 1", 4, "unknown field `volt`"),
            ("kind = 'usb'\nvolts = 'x'", 4, "invalid type: string"),
            ("kind = 'usb'\npins = [\n1,\n256]", 6, "invalid value: integer `256`"),
            ("kind = 'usb'\npins = [1, 99999999999999999999]", 4, "too large"),
            ("kind = 'usb'\npins = 3", 4, "invalid type: integer `3`, expected a sequence"),
            ("kind = 'usb'\nlevel = 3", 4, "invalid type: integer `3`"),
            ("kind = 'usb'\nvolts = 2026-03-01", 4, "invalid type: date, expected f32"),
            ("kind = 'usp'", 3, "unknown variant `usp`, expected `line-in` or `usb`"),
            ("kind = 3", 3, "invalid type: integer `3`, expected enum Kind"),
            ("volts = 3.3", 2, "missing field `kind`"),
            ("kind = 'usb'\nlevel = { kind = 'Fixed', by = 70000 }", 4, "70000"),
            ("kind = ", 3, ""),
        ] {
            let error = structured::<Parts>(&format!("name = 'x'\n[[part]]\n{part}\n")).unwrap_err();
            assert!(error.line == Some(line) && error.message.contains(said), "{part}: {error:?}");
        }
    }
}
