//! Python's equality, order and truth. Arithmetic lives with the expressions, in davit-template.

use std::cmp::Ordering;

use crate::{Map, Value, ValueError};

impl Value {
    /// Python's `bool(value)`.
    ///
    /// # Errors
    /// For an undefined value.
    pub fn truthy(&self) -> Result<bool, ValueError> {
        Ok(match self {
            Self::Undefined(what) => return Err(ValueError::Undefined(what.clone())),
            Self::Null => false,
            Self::Bool(bool) => *bool,
            Self::Int(int) => *int != 0,
            Self::Float(float) => *float != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(list) | Self::Tuple(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Date(_) | Self::DateTime(..) => true,
            Self::Object(object) => match (object.keys(), object.items()?) {
                (Some(keys), _) => !keys.is_empty(),
                (None, Some(items)) => !items.is_empty(),
                (None, None) => true,
            },
        })
    }

    /// The number behind an integer, a boolean or a float.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "as Python does")]
            Self::Int(int) => Some(*int as f64),
            Self::Bool(bool) => Some(f64::from(u8::from(*bool))),
            Self::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// Python's order, as `<` and `sort` use it.
    ///
    /// # Errors
    /// `TypeError` for values that Python does not order, undefined ones included.
    pub fn compare(&self, other: &Self, operator: &str) -> Result<Ordering, ValueError> {
        let unordered = || {
            ValueError::Type(format!(
                "'{operator}' not supported between instances of '{}' and '{}'",
                self.type_name(),
                other.type_name()
            ))
        };
        match (self, other) {
            (Self::Undefined(what), _) | (_, Self::Undefined(what)) => {
                Err(ValueError::Undefined(what.clone()))
            }
            (Self::Int(a), Self::Int(b)) => Ok(a.cmp(b)),
            (Self::Str(a), Self::Str(b)) => Ok(a.as_str().cmp(b.as_str())),
            (Self::Date(a), Self::Date(b)) => Ok(a.cmp(b)),
            (Self::DateTime(a, x), Self::DateTime(b, y)) if x.is_some() == y.is_some() => {
                let span = |at: &jiff::civil::DateTime, offset: &Option<i32>| {
                    at.checked_sub(jiff::SignedDuration::from_secs(offset.unwrap_or(0).into()))
                        .unwrap_or(*at)
                };
                Ok(span(a, x).cmp(&span(b, y)))
            }
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => {
                for (x, y) in a.iter().zip(b.iter()) {
                    if x != y {
                        return x.compare(y, operator);
                    }
                }
                Ok(a.len().cmp(&b.len()))
            }
            (a, b) => match (a.as_number(), b.as_number()) {
                (Some(a), Some(b)) => Ok(a.partial_cmp(&b).unwrap_or(Ordering::Less)),
                _ => Err(unordered()),
            },
        }
    }
}

/// Python's `==`: numbers and booleans by value, marks ignored. Undefined equals nothing.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => {
                a.as_slice() == b.as_slice()
            }
            (Self::Map(a), Self::Map(b)) => **a == **b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::DateTime(..), Self::DateTime(..)) => {
                self.compare(other, "==").is_ok_and(Ordering::is_eq)
            }
            (Self::Object(a), Self::Object(b)) => {
                if std::sync::Arc::ptr_eq(a, b) {
                    return true;
                }
                match (self.clone().settle(), other.clone().settle()) {
                    (Ok(Self::Object(_)), _) | (_, Ok(Self::Object(_))) => false,
                    (Ok(a), Ok(b)) => a == b,
                    _ => false,
                }
            }
            (Self::Object(_), b) if !matches!(b, Self::Object(_)) => match self.clone().settle() {
                Ok(Self::Object(_)) | Err(_) => false,
                Ok(a) => a == *b,
            },
            (a, Self::Object(_)) if !matches!(a, Self::Object(_)) => other == self,
            (a, b) => match (a.as_number(), b.as_number()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().all(|(key, value)| other.get_key(key).is_some_and(|it| it == value))
    }
}
