//! Values as templates and playbooks see them: JSON's kinds with Python's semantics, and two marks.
//!
//! A [`Value`] is cheap to clone (shared behind `Arc`), ordered, compared and printed as Python
//! does it. A string may carry a [`Mark`]: where it came from ([`Origin`]), whether it may be
//! rendered as a template (`trusted`), and whether it is still a vault ciphertext.
//!
//! **Invariant:** only text that came from a file the user wrote is `trusted`. [`Value::from`] and
//! [`Value::from_json`] never mark: what a module, a host or an API returned is data.
//!
//! **Invariant:** this crate knows neither YAML nor Jinja2 nor any playbook.

mod convert;
mod key;
mod map;
mod object;
mod ops;
mod repr;
mod text;

use std::sync::Arc;

pub use crate::key::Key;
pub use crate::map::{List, Map};
pub use crate::object::{Args, Object, ValueError};
pub use crate::text::{Mark, Origin, Str};

/// A value of a variable, an argument or an expression.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// What a missing name or attribute evaluates to; the text says what was missing.
    Undefined(Arc<Undefined>),
    /// Python's `None`.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer. Python's have no bound; 128 bits hold every one that playbooks use.
    Int(i128),
    /// A float.
    Float(f64),
    /// A string, with its marks.
    Str(Str),
    /// A list.
    List(Arc<List>),
    /// A tuple: a list that prints with parentheses.
    Tuple(Arc<List>),
    /// A dictionary in insertion order.
    Map(Arc<Map>),
    /// A date without a time, as YAML's `2024-01-31` reads.
    Date(jiff::civil::Date),
    /// A date with a time and an optional offset from UTC in seconds.
    DateTime(jiff::civil::DateTime, Option<i32>),
    /// A value with behaviour: a macro, `loop`, `hostvars`, a lazy sequence.
    Object(Arc<dyn Object>),
}

/// Why a value is undefined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undefined {
    /// The whole message, such as `'foo' is undefined`.
    pub message: String,
    /// The name or attribute that was looked up, where there is one.
    pub name: Option<String>,
}

impl Value {
    /// An undefined value for the variable `name`: `'name' is undefined`.
    #[must_use]
    pub fn undefined(name: &str) -> Self {
        Self::Undefined(Arc::new(Undefined {
            message: format!("'{name}' is undefined"),
            name: Some(name.to_owned()),
        }))
    }

    /// An undefined value with a message of its own.
    #[must_use]
    pub fn undefined_because(message: impl Into<String>) -> Self {
        Self::Undefined(Arc::new(Undefined { message: message.into(), name: None }))
    }

    /// An empty map.
    #[must_use]
    pub fn map() -> Self {
        Self::Map(Arc::new(Map::new()))
    }

    /// The text, where this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The string with its marks, where this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&Str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The dictionary, where this is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, where this is a list or a tuple.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) | Self::Tuple(list) => Some(list.as_slice()),
            _ => None,
        }
    }

    /// The integer, where this is one (not a boolean).
    #[must_use]
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// The boolean, where this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// True for [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True for [`Value::Undefined`].
    #[must_use]
    pub fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// The member `key`, where this is a dictionary that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// True where something inside still has to be rendered or decrypted: a trusted template or
    /// a vault ciphertext. Constant time; may be true for what no longer has one.
    #[must_use]
    pub fn is_live(&self) -> bool {
        match self {
            Self::Str(text) => text.is_live(),
            Self::List(list) | Self::Tuple(list) => list.is_live(),
            Self::Map(map) => map.is_live(),
            Self::Object(object) => object.is_live(),
            _ => false,
        }
    }

    /// Where the value was written, for strings that remember it.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.as_text()?.origin()
    }
}
