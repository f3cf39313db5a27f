//! Keys of dictionaries: anything that Python can hash and playbooks use.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::Equivalent;

use crate::{Str, Value};

/// A key of a [`Map`](crate::Map).
#[derive(Clone, Debug)]
pub enum Key {
    /// Almost always a string.
    Str(Arc<str>),
    /// An integer.
    Int(i128),
    /// A boolean.
    Bool(bool),
    /// A float, by its bits.
    Float(u64),
    /// `None`.
    Null,
    /// A tuple of keys.
    Tuple(Arc<[Self]>),
    /// A date or a date and time, in ISO form.
    Date(Arc<str>),
}

impl Key {
    /// The text, where this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The key for `value`, or `None` where Python could not hash it.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Str(text) => Self::Str(text.shared()),
            Value::Int(int) => Self::Int(*int),
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Float(float) if float.fract() == 0.0 && float.abs() < 1e18 =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "checked just above")]
                Self::Int(*float as i128)
            }
            Value::Float(float) => Self::Float(float.to_bits()),
            Value::Null => Self::Null,
            Value::Tuple(list) => {
                Self::Tuple(list.iter().map(Self::from_value).collect::<Option<Arc<[_]>>>()?)
            }
            Value::Date(_) | Value::DateTime(..) => Self::Date(value.to_str().into()),
            _ => return None,
        })
    }

    /// The key as a value again.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Str(text) | Self::Date(text) => Value::Str(Str::new(Arc::clone(text))),
            Self::Int(int) => Value::Int(*int),
            Self::Bool(bool) => Value::Bool(*bool),
            Self::Float(bits) => Value::Float(f64::from_bits(*bits)),
            Self::Null => Value::Null,
            Self::Tuple(keys) => Value::tuple(keys.iter().map(Self::to_value).collect()),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Str(a), Self::Str(b)) | (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Bool(b)) | (Self::Bool(b), Self::Int(a)) => *a == i128::from(*b),
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Null, Self::Null) => true,
            (Self::Tuple(a), Self::Tuple(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Str(text) | Self::Date(text) => text.hash(state),
            Self::Int(int) => int.hash(state),
            Self::Bool(bool) => i128::from(*bool).hash(state),
            Self::Float(bits) => bits.hash(state),
            Self::Null => 0xdead_u16.hash(state),
            Self::Tuple(keys) => keys.hash(state),
        }
    }
}

impl Equivalent<Key> for str {
    fn equivalent(&self, key: &Key) -> bool {
        key.as_str() == Some(self)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<Arc<str>> for Key {
    fn from(text: Arc<str>) -> Self {
        Self::Str(text)
    }
}
