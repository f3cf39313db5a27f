//! Durations: what subtracting dates gives.

use std::any::Any;
use std::sync::Arc;

use davit_value::{Args, Object, Value, ValueError};

/// Python's `timedelta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Microseconds.
    pub micros: i128,
}

const DAY: i128 = 86_400_000_000;

impl Delta {
    /// The duration that `value` is, where it is one.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let Value::Object(object) = value else { return None };
        object.as_any().downcast_ref::<Self>().copied()
    }

    /// The duration as a value.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(Arc::new(self))
    }

    fn written(self) -> String {
        let days = self.micros.div_euclid(DAY);
        let rest = self.micros.rem_euclid(DAY);
        let seconds = rest / 1_000_000;
        let mut out = match days {
            0 => String::new(),
            1 | -1 => format!("{days} day, "),
            _ => format!("{days} days, "),
        };
        out.push_str(&format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
        if rest % 1_000_000 != 0 {
            out.push_str(&format!(".{:06}", rest % 1_000_000));
        }
        out
    }
}

impl Object for Delta {
    fn type_name(&self) -> &'static str {
        "timedelta"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        let rest = self.micros.rem_euclid(DAY);
        Ok(match name {
            "days" => Some(Value::Int(self.micros.div_euclid(DAY))),
            "seconds" => Some(Value::Int(rest / 1_000_000)),
            "microseconds" => Some(Value::Int(rest % 1_000_000)),
            "total_seconds" => Some(Value::Object(Arc::new(TotalSeconds(*self)))),
            _ => None,
        })
    }

    fn repr(&self) -> String {
        self.written()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The bound method `total_seconds`.
#[derive(Debug)]
struct TotalSeconds(Delta);

impl Object for TotalSeconds {
    fn type_name(&self) -> &'static str {
        "builtin_function_or_method"
    }

    fn is_callable(&self) -> bool {
        true
    }

    #[expect(clippy::cast_precision_loss, reason = "as Python does")]
    fn call(&self, _args: Args) -> Result<Value, ValueError> {
        Ok(Value::Float(self.0.micros as f64 / 1e6))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
