//! To and from JSON, Rust's own types, and plain values.

use std::sync::Arc;

use serde::ser::{Serialize, Serializer};

use crate::{List, Map, Str, Value, ValueError};

impl Value {
    /// A list.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(List::from(items)))
    }

    /// A tuple.
    #[must_use]
    pub fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(Arc::new(List::from(items)))
    }

    /// An unmarked value from JSON: data, never a template.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(bool) => Self::Bool(*bool),
            serde_json::Value::Number(number) => match number.as_i128() {
                Some(int) => Self::Int(int),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::from(text.as_str()),
            serde_json::Value::Array(items) => {
                Self::list(items.iter().map(Self::from_json).collect())
            }
            serde_json::Value::Object(entries) => Self::from(
                entries
                    .iter()
                    .map(|(key, it)| (key.as_str(), Self::from_json(it)))
                    .collect::<Map>(),
            ),
        }
    }

    /// The value as JSON: dates in ISO form, tuples as lists, other objects as they print.
    /// Keys that are not strings become strings as Python's `json` does it. Marks are lost.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Undefined(_) | Self::Null => serde_json::Value::Null,
            Self::Bool(bool) => (*bool).into(),
            Self::Int(int) => serde_json::Number::from_i128(*int).map_or_else(
                // Beyond 64 bits JSON's reader here knows floats only.
                || {
                    self.as_number()
                        .and_then(serde_json::Number::from_f64)
                        .map_or(serde_json::Value::Null, Into::into)
                },
                serde_json::Value::Number,
            ),
            Self::Float(float) => serde_json::Number::from_f64(*float)
                .map_or_else(|| self.repr().into(), serde_json::Value::Number),
            Self::Str(text) => text.as_str().into(),
            Self::List(list) | Self::Tuple(list) => list.iter().map(Self::to_json).collect(),
            Self::Map(map) => serde_json::Value::Object(
                map.iter().map(|(key, value)| (key.to_text(), value.to_json())).collect(),
            ),
            Self::Date(_) => self.to_str().into(),
            Self::DateTime(..) => self.to_str().replacen(' ', "T", 1).into(),
            Self::Object(object) => match self.clone().settle() {
                Ok(Self::Object(_)) | Err(_) => object.repr().into(),
                Ok(value) => value.to_json(),
            },
        }
    }

    /// Turns an object that is a dictionary or a sequence into a plain one.
    ///
    /// # Errors
    /// Where a member could not be worked out.
    pub fn settle(self) -> Result<Self, ValueError> {
        let Self::Object(object) = &self else { return Ok(self) };
        if let Some(keys) = object.keys() {
            let mut map = Map::new();
            for key in keys {
                if let Some(value) = object.get_item(&key.to_value())? {
                    map.insert(key, value);
                }
            }
            return Ok(map.into());
        }
        match object.items()? {
            Some(items) => Ok(Self::list(items)),
            None => Ok(self),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(Str::new(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(Str::new(text))
    }
}

impl From<Str> for Value {
    fn from(text: Str) -> Self {
        Self::Str(text)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

macro_rules! from_int {
    ($($int:ty)*) => {$(
        impl From<$int> for Value {
            fn from(int: $int) -> Self {
                Self::Int(i128::from(int))
            }
        }
    )*};
}
from_int!(i32 i64 i128 u8 u16 u32 u64);

impl From<usize> for Value {
    fn from(int: usize) -> Self {
        Self::Int(i128::try_from(int).unwrap_or(i128::MAX))
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::list(items)
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        Self::from_json(&json)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}

/// Serializes as [`Value::to_json`] does.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
