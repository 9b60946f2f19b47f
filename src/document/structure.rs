//! A document into structures that derive `Deserialize`: tables become structures, arrays become lists, texts also enums
//! without fields.
//!
//! The TOML library has a deserializer of its own, which takes a date or a value with its place for a table, too, and so has
//! every structure compiled three times: of a small program that is a twentieth. No setting is a date.

use std::fmt::{self, Display};
use std::ops::Range;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// What is wrong, and between which bytes.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) message: String,
    pub(crate) span: Option<Range<usize>>,
}

impl Error {
    /// The same, in this place unless a narrower one is known.
    fn within(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self { message: message.to_string(), span: None }
    }
}

/// A value and its place.
pub(crate) struct Node<'de> {
    value: DeValue<'de>,
    span: Range<usize>,
}

impl<'de> From<Spanned<DeTable<'de>>> for Node<'de> {
    fn from(table: Spanned<DeTable<'de>>) -> Self {
        Self { span: table.span(), value: DeValue::Table(table.into_inner()) }
    }
}

impl<'de> From<Spanned<DeValue<'de>>> for Node<'de> {
    fn from(value: Spanned<DeValue<'de>>) -> Self {
        Self { span: value.span(), value: value.into_inner() }
    }
}

fn number<T>(number: Option<T>) -> Result<T, Error> {
    number.ok_or_else(|| serde::de::Error::custom("a number that is too large"))
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let read = match self.value {
            DeValue::String(DeString::Borrowed(text)) => visitor.visit_borrowed_str(text),
            DeValue::String(DeString::Owned(text)) => visitor.visit_string(text),
            DeValue::Integer(digits) => number(i64::from_str_radix(digits.as_str(), digits.radix()).ok())
                .and_then(|number| visitor.visit_i64(number)),
            DeValue::Float(digits) => {
                number(digits.as_str().parse().ok()).and_then(|number| visitor.visit_f64(number))
            }
            DeValue::Boolean(flag) => visitor.visit_bool(flag),
            DeValue::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            DeValue::Table(fields) => visitor.visit_map(Fields { rest: fields.into_iter(), value: None }),
            DeValue::Datetime(_) => Err(serde::de::Error::custom("a date, where none is allowed")),
        };
        read.map_err(|error| error.within(&self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let read = match self.value {
            DeValue::String(name) => {
                visitor.visit_enum(name.into_owned().into_deserializer() as StringDeserializer<Error>)
            }
            _ => Err(serde::de::Error::custom("this must be one of a few words")),
        };
        read.map_err(|error| error.within(&self.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The items of an array.
struct Items<'de>(<DeArray<'de> as IntoIterator>::IntoIter);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|item| seed.deserialize(Node::from(item))).transpose()
    }
}

/// The fields of a table.
struct Fields<'de> {
    rest: <DeTable<'de> as IntoIterator>::IntoIter,
    /// The value of the key that was read last.
    value: Option<Node<'de>>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value.into());
        let span = name.span();
        let key = match name.into_inner() {
            DeString::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            DeString::Owned(name) => seed.deserialize(name.into_deserializer() as StringDeserializer<Error>),
        };
        key.map(Some).map_err(|error: Error| error.within(&span))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let value = self.value.take().ok_or_else(|| serde::de::Error::custom("a value before its key"))?;
        let span = value.span.clone();
        seed.deserialize(value).map_err(|error| error.within(&span))
    }
}
