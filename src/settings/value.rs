//! Values of settings: what kinds there are, and how text and TOML become one.

use super::document::Raw;

/// The value of a setting. Its `Display` form is a TOML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An I2C address, shown in hexadecimal.
    Address(u8),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Numbers of GPIO lines.
    Pins(Vec<u8>),
    /// Several texts.
    Texts(Vec<String>),
}

impl core::fmt::Display for Value {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Text(text) => quote(f, text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Address(address) => write!(f, "{address:#04x}"),
            // `{:?}` keeps the point that makes a TOML float of it.
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Pins(pins) => write!(f, "{pins:?}"),
            Self::Texts(texts) => {
                f.write_str("[")?;
                for (index, text) in texts.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    quote(f, text)?;
                }
                f.write_str("]")
            }
        }
    }
}

/// A TOML basic string.
fn quote(f: &mut core::fmt::Formatter<'_>, text: &str) -> core::fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// What values a setting may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Text that is not empty.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number from the first to the second.
    Integer(i64, i64),
    /// A number from the first to the second.
    Number(f64, f64),
    /// Yes or no.
    Flag,
    /// A channel counted from 1, or `mix`.
    Channel,
    /// A time of day.
    Clock,
    /// A 7-bit I2C address.
    Address,
    /// GPIO lines, by the number that follows "GPIO".
    Pins,
    /// A list of texts.
    Texts,
}

impl Kind {
    /// What is allowed, for people.
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Text => "a text that is not empty".into(),
            Self::Choice(words) => words.join(", "),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Flag => "true or false".into(),
            Self::Channel => "a number from 1 to 8, or mix".into(),
            Self::Clock => "a time of day such as 22:30".into(),
            Self::Address => "an address from 0x03 to 0x77".into(),
            Self::Pins => "GPIO numbers from 0 to 53, no two alike".into(),
            Self::Texts => "a list of texts".into(),
        }
    }

    /// The value that `text` means on the command line or in the environment; lists are separated by commas. `None` where
    /// it is not [allowed](Self::allowed).
    #[must_use]
    pub fn of_text(self, text: &str) -> Option<Value> {
        let text = text.trim();
        let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let raw = match self {
            Self::Integer(..) | Self::Address => Raw::Integer(integer(text)?),
            Self::Number(..) => Raw::Number(text.parse().ok()?),
            Self::Flag => Raw::Flag(match text {
                "true" | "yes" | "on" | "1" => true,
                "false" | "no" | "off" | "0" => false,
                _ => return None,
            }),
            Self::Pins => {
                Raw::List(parts().map(|part| integer(part).map(Raw::Integer)).collect::<Option<_>>()?)
            }
            Self::Texts => Raw::List(parts().map(|part| Raw::Text(part.into())).collect()),
            Self::Text | Self::Choice(_) | Self::Channel | Self::Clock => Raw::Text(text.into()),
        };
        self.of_raw(&raw)
    }

    /// The value that a TOML value means. `None` where it is not [allowed](Self::allowed).
    pub(super) fn of_raw(self, raw: &Raw) -> Option<Value> {
        match (self, raw) {
            (Self::Text, Raw::Text(text)) => {
                (!text.is_empty() && !text.contains('\0')).then(|| Value::Text(text.clone()))
            }
            (Self::Choice(words), Raw::Text(text)) => {
                words.contains(&text.as_str()).then(|| Value::Text(text.clone()))
            }
            (Self::Choice(_), Raw::Integer(number)) => self.of_raw(&Raw::Text(number.to_string())),
            (Self::Integer(least, most), Raw::Integer(number)) => {
                (least..=most).contains(number).then_some(Value::Integer(*number))
            }
            (Self::Number(..), Raw::Integer(number)) => self.of_raw(&Raw::Number(*number as f64)),
            (Self::Number(least, most), Raw::Number(number)) => {
                (least..=most).contains(number).then_some(Value::Number(*number))
            }
            (Self::Flag, Raw::Flag(flag)) => Some(Value::Flag(*flag)),
            (Self::Channel, Raw::Integer(number)) => self.of_raw(&Raw::Text(number.to_string())),
            (Self::Channel, Raw::Text(text)) => {
                (text == "mix" || matches!(text.parse(), Ok(1..=8_u8))).then(|| Value::Text(text.clone()))
            }
            (Self::Clock, Raw::Text(text)) => minutes(text).map(|_| Value::Text(text.clone())),
            (Self::Address, Raw::Integer(number)) => {
                u8::try_from(*number).ok().filter(|n| (0x03..=0x77).contains(n)).map(Value::Address)
            }
            (Self::Pins, Raw::List(list)) => {
                let pin = |raw: &Raw| match raw {
                    Raw::Integer(number) => u8::try_from(*number).ok().filter(|pin| *pin <= 53),
                    _ => None,
                };
                let pins: Vec<u8> = list.iter().map(pin).collect::<Option<_>>()?;
                let twice = pins.iter().enumerate().any(|(index, pin)| pins[..index].contains(pin));
                (!twice).then_some(Value::Pins(pins))
            }
            (Self::Texts, Raw::List(list)) => {
                let text = |raw: &Raw| match raw {
                    Raw::Text(text) if !text.is_empty() => Some(text.clone()),
                    _ => None,
                };
                list.iter().map(text).collect::<Option<_>>().map(Value::Texts)
            }
            _ => None,
        }
    }
}

/// A whole number, decimal or with `0x`.
fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Minutes after midnight of a time such as 22:30.
#[must_use]
pub fn minutes(clock: &str) -> Option<u16> {
    let (hours, minutes) = clock.split_once(':')?;
    if hours.len() > 2 || minutes.len() != 2 || !clock.bytes().all(|b| b.is_ascii_digit() || b == b':') {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(60 * hours + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_means_what_toml_means_and_limits_hold() {
        let cases: &[(Kind, &str, Option<&str>)] = &[
            (Kind::Text, "hw:1", Some("\"hw:1\"")),
            (Kind::Text, "a\"b\\c", Some("\"a\\\"b\\\\c\"")),
            (Kind::Text, "  ", None),
            (Kind::Choice(&["a", "b"]), "b", Some("\"b\"")),
            (Kind::Choice(&["a", "b"]), "c", None),
            (Kind::Integer(1, 8), "8", Some("8")),
            (Kind::Integer(1, 8), "9", None),
            (Kind::Number(-120.0, -20.0), "-75", Some("-75.0")),
            (Kind::Number(-120.0, -20.0), "nan", None),
            (Kind::Flag, "on", Some("true")),
            (Kind::Flag, "maybe", None),
            (Kind::Channel, "2", Some("\"2\"")),
            (Kind::Channel, "9", None),
            (Kind::Clock, "7:05", Some("\"7:05\"")),
            (Kind::Clock, "24:00", None),
            (Kind::Clock, "+7:05", None),
            (Kind::Address, "0x70", Some("0x70")),
            (Kind::Address, "0x78", None),
            (Kind::Pins, "17, 27", Some("[17, 27]")),
            (Kind::Pins, "17,17", None),
            (Kind::Texts, "a,b", Some("[\"a\", \"b\"]")),
        ];
        for (kind, text, shown) in cases {
            let value = kind.of_text(text);
            assert_eq!(value.as_ref().map(ToString::to_string).as_deref(), *shown, "{kind:?} {text}");
            // What is shown can be written into the file and means the same there.
            if let Some(value) = value {
                let entries = super::super::document::entries(&format!("x = {value}")).unwrap();
                assert_eq!(kind.of_raw(&entries[0].raw), Some(value));
            }
        }
        assert_eq!(Kind::Channel.of_raw(&Raw::Integer(2)), Some(Value::Text("2".into())));
        assert_eq!(Kind::Choice(&["0", "90"]).of_raw(&Raw::Integer(90)), Some(Value::Text("90".into())));
        assert_eq!(minutes("22:30"), Some(1350));
    }
}
