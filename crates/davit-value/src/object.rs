//! Values with behaviour, and the errors of values.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use crate::{Key, Map, Undefined, Value};

/// What goes wrong when values are used: Python's exceptions, by name.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// An undefined value was used.
    #[error("{}", .0.message)]
    Undefined(Arc<Undefined>),
    /// `TypeError`.
    #[error("{0}")]
    Type(String),
    /// `ValueError`, and what filters and lookups refuse.
    #[error("{0}")]
    Value(String),
    /// `ZeroDivisionError`.
    #[error("{0}")]
    ZeroDivision(String),
    /// An error that a template inside a variable raised, already rendered as text.
    #[error("{0}")]
    Nested(String),
}

/// Arguments of a call from a template: `f(a, b, c=d)`.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// By place.
    pub positional: Vec<Value>,
    /// By name, in the order written.
    pub named: Map,
}

/// A value with behaviour. Every method has a default that says "no such thing".
pub trait Object: Any + Debug + Send + Sync {
    /// Python's name for the type.
    fn type_name(&self) -> &'static str;

    /// The attribute or string item `name`; `Ok(None)` where there is none.
    ///
    /// # Errors
    /// Where it is there and could not be worked out.
    fn get_attr(&self, _name: &str) -> Result<Option<Value>, ValueError> {
        Ok(None)
    }

    /// The item at `key`; by default a string key is an attribute.
    ///
    /// # Errors
    /// Where it is there and could not be worked out.
    fn get_item(&self, key: &Value) -> Result<Option<Value>, ValueError> {
        match key.as_str() {
            Some(name) => self.get_attr(name),
            None => Ok(None),
        }
    }

    /// What is said of an item that is not there, where it is more than that.
    fn missing(&self, _key: &Value) -> Option<String> {
        None
    }

    /// Calls it, where it is callable.
    ///
    /// # Errors
    /// Where it is not, or the call fails.
    fn call(&self, _args: Args) -> Result<Value, ValueError> {
        Err(ValueError::Type(format!("'{}' object is not callable", self.type_name())))
    }

    /// True where `call` works.
    fn is_callable(&self) -> bool {
        false
    }

    /// Its keys, where it is a dictionary.
    fn keys(&self) -> Option<Vec<Key>> {
        None
    }

    /// Its items, where it is a sequence or an iterator.
    ///
    /// # Errors
    /// Where an item could not be worked out.
    fn items(&self) -> Result<Option<Vec<Value>>, ValueError> {
        Ok(None)
    }

    /// How it prints.
    fn repr(&self) -> String {
        format!("<{} object>", self.type_name())
    }

    /// True where the template engine has to look behind it before anybody else uses it; see [`Value::is_live`].
    fn is_live(&self) -> bool {
        false
    }

    /// What it is inside other text.
    fn text(&self) -> String {
        self.repr()
    }

    /// For downcasts.
    fn as_any(&self) -> &dyn Any;
}
