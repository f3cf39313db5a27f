//! What operations take and give: JSON's values, and bytes and points in time besides. Knows no
//! model and no wire.

use bytes::Bytes;
use indexmap::IndexMap;
use jiff::Timestamp;

/// Values by name, in the order in which they were put in.
pub type Map = IndexMap<String, Value>;

/// A value that an operation takes or gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing. For a member the same as not being there.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// Bytes.
    Blob(Bytes),
    /// A point in time.
    Timestamp(Timestamp),
    /// Values in an order.
    List(Vec<Self>),
    /// Values by name.
    Map(Map),
}

impl Value {
    /// What stands under a name, if this is a map that has it and it is not null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(name).filter(|it| !matches!(it, Self::Null)),
            _ => None,
        }
    }

    /// What stands at the end of a path of names.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// Yes or no, if it is that.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(it) = self { Some(*it) } else { None }
    }

    /// The values of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The entries of a map, if it is one.
    #[must_use]
    pub const fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// What kind of value it is, in words.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::Blob(_) => "bytes",
            Self::Timestamp(_) => "a time",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The same in JSON: bytes are text where they are UTF-8 (otherwise base64), points in time text
    /// of ISO 8601 with `+00:00` behind it, as the AWS CLI writes them.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(it) => Json::Bool(*it),
            Self::Int(it) => Json::from(*it),
            Self::Float(it) => Json::from(*it),
            Self::String(it) => Json::from(it.as_str()),
            Self::Blob(it) => Json::from(match std::str::from_utf8(it) {
                Ok(text) => text.to_owned(),
                Err(_) => crate::base64(it),
            }),
            Self::Timestamp(it) => Json::from(crate::time::iso8601_offset(*it)),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(map) => map.iter().map(|(key, it)| (key.clone(), it.to_json())).collect(),
        }
    }
}

/// JSON as it stands: no text is taken for bytes or a point in time. Requests take both where their
/// shapes want them (see `serialize`).
impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(it) => Self::Bool(it),
            Json::Number(it) => {
                it.as_i64().map_or_else(|| Self::Float(it.as_f64().unwrap_or(f64::NAN)), Self::Int)
            }
            Json::String(it) => Self::String(it),
            Json::Array(items) => items.into_iter().collect(),
            Json::Object(map) => {
                Self::Map(map.into_iter().map(|(key, it)| (key, it.into())).collect())
            }
        }
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(it: bool) -> Self {
        Self::Bool(it)
    }
}

impl From<i64> for Value {
    fn from(it: i64) -> Self {
        Self::Int(it)
    }
}

impl From<Bytes> for Value {
    fn from(it: Bytes) -> Self {
        Self::Blob(it)
    }
}

impl From<Timestamp> for Value {
    fn from(it: Timestamp) -> Self {
        Self::Timestamp(it)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}
