//! A document into structures that derive `Deserialize`: tables become structures, arrays become lists, texts also enums
//! without fields.
//!
//! The TOML library has a deserializer of its own, which takes dates, values with places and arrays for structures, too, and
//! so has each of them compiled four times: of a small program that is a twentieth. No setting is a date.

use std::fmt::{self, Display};
use std::ops::Range;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer as _, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
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

impl Node<'_> {
    /// What is said where something else stands.
    fn instead_of(&self, expected: &dyn Expected) -> Error {
        let found = match &self.value {
            DeValue::String(text) => Unexpected::Str(text),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or_else(|_| Unexpected::Other(digits.as_str()), Unexpected::Signed),
            DeValue::Float(digits) => Unexpected::Other(digits.as_str()),
            DeValue::Boolean(flag) => Unexpected::Bool(*flag),
            DeValue::Datetime(_) => Unexpected::Other("date"),
            DeValue::Array(_) => Unexpected::Seq,
            DeValue::Table(_) => Unexpected::Map,
        };
        Error::invalid_type(found, expected).within(&self.span)
    }

    fn whole(&self, expected: &dyn Expected) -> Result<i64, Error> {
        let DeValue::Integer(digits) = &self.value else { return Err(self.instead_of(expected)) };
        let number = i64::from_str_radix(digits.as_str(), digits.radix());
        number.map_err(|_| Error::custom("a number that is too large").within(&self.span))
    }

    fn real(&self, expected: &dyn Expected) -> Result<f64, Error> {
        match &self.value {
            DeValue::Float(digits) => digits.as_str().parse().map_err(|_| self.instead_of(expected)),
            _ => self.whole(expected).map(|number| number as f64),
        }
    }
}

/// Methods for what is a number of one kind.
macro_rules! numbers {
    ($read:ident, $visit:ident: $($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.$read(&visitor)?;
            visitor.$visit(number).map_err(|error: Error| error.within(&self.span))
        }
    )*};
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            DeValue::String(_) => self.deserialize_string(visitor),
            DeValue::Integer(_) => self.deserialize_i64(visitor),
            DeValue::Float(_) => self.deserialize_f64(visitor),
            DeValue::Boolean(_) => self.deserialize_bool(visitor),
            DeValue::Array(_) => self.deserialize_seq(visitor),
            DeValue::Table(_) => self.deserialize_map(visitor),
            DeValue::Datetime(_) => Err(self.instead_of(&visitor)),
        }
    }

    numbers!(whole, visit_i64: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64);
    numbers!(whole, visit_i64: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);
    numbers!(real, visit_f64: deserialize_f32 deserialize_f64);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            DeValue::Boolean(flag) => visitor.visit_bool(flag),
            _ => Err(self.instead_of(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let read = match self.value {
            DeValue::String(DeString::Borrowed(text)) => visitor.visit_borrowed_str(text),
            DeValue::String(DeString::Owned(text)) => visitor.visit_string(text),
            _ => Err(self.instead_of(&visitor)),
        };
        read.map_err(|error: Error| error.within(&self.span))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            DeValue::Array(items) => {
                visitor.visit_seq(Items(items.into_iter())).map_err(|error| error.within(&self.span))
            }
            _ => Err(self.instead_of(&visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            DeValue::Table(fields) => visitor
                .visit_map(Fields { rest: fields.into_iter(), value: None })
                .map_err(|error| error.within(&self.span)),
            _ => Err(self.instead_of(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
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
            _ => Err(self.instead_of(&visitor)),
        };
        read.map_err(|error| error.within(&self.span))
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct identifier ignored_any
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
