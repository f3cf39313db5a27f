//! The methods of Python's built-in types that templates call.
//!
//! They work on rendered values and know neither scope nor template. Methods that change their object get it by `&mut`; where the object
//! lives is the evaluator's business.

pub(crate) mod container;
mod date;
mod text;

use std::any::Any;
use std::sync::Arc;

use davit_value::{Args, Object, Value, ValueError};

pub(crate) use self::date::strftime;
pub(crate) use self::text::char_at;
use crate::format::Lookup;

type Outcome = Result<Value, ValueError>;

/// True for methods that change the list or the dictionary they are called on.
pub(crate) fn changes_its_object(name: &str) -> bool {
    matches!(
        name,
        "append"
            | "extend"
            | "insert"
            | "remove"
            | "pop"
            | "popitem"
            | "clear"
            | "sort"
            | "reverse"
            | "update"
            | "setdefault"
    )
}

/// The methods of the type of `value`.
fn table(value: &Value) -> &'static [&'static str] {
    match value {
        Value::Str(_) => text::METHODS,
        Value::List(_) => container::LIST_METHODS,
        Value::Tuple(_) => container::TUPLE_METHODS,
        Value::Map(_) => container::MAP_METHODS,
        Value::Int(_) | Value::Bool(_) => {
            &["as_integer_ratio", "bit_count", "bit_length", "conjugate"]
        }
        Value::Float(_) => &["as_integer_ratio", "conjugate", "hex", "is_integer"],
        Value::Date(_) => date::DATE_METHODS,
        Value::DateTime(..) => date::DATETIME_METHODS,
        _ => &[],
    }
}

/// True where `value` has the built-in method `name`.
pub(crate) fn has(value: &Value, name: &str) -> bool {
    table(value).contains(&name)
}

/// An attribute that is not a method.
pub(crate) fn attribute(value: &Value, name: &str) -> Option<Value> {
    match value {
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => match (name, value) {
            ("real" | "numerator", Value::Bool(bool)) => Some(Value::Int(i128::from(*bool))),
            ("real", _) | ("numerator", Value::Int(_)) => Some(value.clone()),
            ("imag", Value::Float(_)) => Some(Value::Float(0.0)),
            ("imag", _) => Some(Value::Int(0)),
            ("denominator", Value::Int(_) | Value::Bool(_)) => Some(Value::Int(1)),
            _ => None,
        },
        Value::Date(_) | Value::DateTime(..) => date::attribute(value, name),
        _ => None,
    }
}

/// Calls the method `name` of `value`.
pub(crate) fn call(value: &Value, name: &str, args: &Args, lookup: Lookup<'_>) -> Outcome {
    for arg in args.positional.iter().chain(args.named.values()) {
        if let Value::Undefined(what) = arg {
            return Err(ValueError::Undefined(Arc::clone(what)));
        }
    }
    match value {
        Value::Str(text) => text::call(text, name, args, lookup),
        Value::List(_) | Value::Map(_) if changes_its_object(name) => {
            change(&mut value.clone(), name, args)
        }
        Value::List(_) | Value::Tuple(_) | Value::Map(_) => container::call(value, name, args),
        Value::Date(_) | Value::DateTime(..) => date::call(value, name, args),
        _ => number(value, name),
    }
}

/// Calls the method `name`, which changes `value`.
pub(crate) fn change(value: &mut Value, name: &str, args: &Args) -> Outcome {
    match value {
        Value::List(list) => container::change_list(Arc::make_mut(list), name, args),
        Value::Map(map) => container::change_map(Arc::make_mut(map), name, args),
        other => Err(no_such(other, name)),
    }
}

fn no_such(value: &Value, name: &str) -> ValueError {
    ValueError::Type(format!("'{}' object has no attribute '{name}'", value.type_name()))
}

fn number(value: &Value, name: &str) -> Outcome {
    let int = match value {
        Value::Int(int) => *int,
        Value::Bool(bool) => i128::from(*bool),
        Value::Float(float) => {
            return match name {
                "is_integer" => Ok(Value::Bool(float.fract() == 0.0)),
                "conjugate" => Ok(value.clone()),
                _ => Err(no_such(value, name)),
            };
        }
        _ => return Err(no_such(value, name)),
    };
    Ok(match name {
        "bit_length" => Value::from(128 - int.unsigned_abs().leading_zeros()),
        "bit_count" => Value::from(int.unsigned_abs().count_ones()),
        "conjugate" => Value::Int(int),
        "as_integer_ratio" => Value::tuple(vec![Value::Int(int), Value::Int(1)]),
        _ => return Err(no_such(value, name)),
    })
}

/// The arguments of a built-in method, by place and by name.
pub(crate) struct Taken<'a> {
    function: String,
    args: &'a Args,
    names: &'a [&'a str],
}

impl<'a> Taken<'a> {
    /// Checks how many there are.
    pub(crate) fn new(
        function: &str,
        args: &'a Args,
        names: &'a [&'a str],
        required: usize,
    ) -> Result<Self, ValueError> {
        let count = args.positional.len() + args.named.len();
        if names.is_empty() && count > 0 {
            return Err(ValueError::Type(format!(
                "{function}() takes no arguments ({count} given)"
            )));
        }
        let short = function.rsplit('.').next().unwrap_or(function);
        for key in args.named.keys() {
            if !key.as_str().is_some_and(|key| names.contains(&key)) {
                return Err(ValueError::Type(format!(
                    "{short}() got an unexpected keyword argument '{}'",
                    key.to_text()
                )));
            }
        }
        let (least, most) = (required, names.len());
        if count < least || args.positional.len() > most {
            let (bound, quantity) = if count < least { ("least", least) } else { ("most", most) };
            let plural = if quantity == 1 { "" } else { "s" };
            let in_parentheses = matches!(
                short,
                "startswith"
                    | "endswith"
                    | "find"
                    | "rfind"
                    | "rindex"
                    | "split"
                    | "rsplit"
                    | "splitlines"
                    | "expandtabs"
                    | "encode"
            );
            let message = if in_parentheses {
                format!("{short}() takes at {bound} {quantity} argument{plural} ({count} given)")
            } else if least == most && most > 1 {
                format!("{short} expected {most} arguments, got {count}")
            } else if least == most && most == 1 {
                format!("{function}() takes exactly one argument ({count} given)")
            } else {
                format!("{short} expected at {bound} {quantity} argument{plural}, got {count}")
            };
            return Err(ValueError::Type(message));
        }
        Ok(Self { function: function.to_owned(), args, names })
    }

    /// The argument at `place`, where it is given.
    pub(crate) fn get(&self, place: usize) -> Option<&'a Value> {
        self.args.positional.get(place).or_else(|| self.args.named.get(self.names.get(place)?))
    }

    /// The integer at `place`.
    pub(crate) fn int(&self, place: usize) -> Result<Option<i128>, ValueError> {
        match self.get(place) {
            None => Ok(None),
            Some(Value::Int(int)) => Ok(Some(*int)),
            Some(Value::Bool(bool)) => Ok(Some(i128::from(*bool))),
            Some(other) => Err(ValueError::Type(format!(
                "'{}' object cannot be interpreted as an integer",
                other.type_name()
            ))),
        }
    }

    /// The text at `place`.
    pub(crate) fn text(&self, place: usize) -> Result<&'a str, ValueError> {
        match self.get(place) {
            Some(Value::Str(text)) => Ok(text.as_str()),
            other => Err(ValueError::Type(format!(
                "{}() argument {} must be str, not {}",
                self.function.rsplit('.').next().unwrap_or_default(),
                place + 1,
                other.map_or("NoneType", Value::type_name)
            ))),
        }
    }

    /// The boolean at `place`.
    pub(crate) fn bool(&self, place: usize) -> Result<bool, ValueError> {
        self.get(place).map_or(Ok(false), Value::truthy)
    }
}

/// A method that has been looked up and not called: `'a'.upper`.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) value: Value,
    pub(crate) name: Arc<str>,
}

impl Object for Bound {
    fn type_name(&self) -> &'static str {
        "builtin_function_or_method"
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, args: Args) -> Result<Value, ValueError> {
        call(&self.value, &self.name, &args, &plain_lookup)
    }

    fn repr(&self) -> String {
        format!("<built-in method {} of {} object>", self.name, self.value.type_name())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Members of plain values, for `format` where no evaluator is at hand.
fn plain_lookup(value: &Value, name: &str, is_attribute: bool) -> Result<Value, ValueError> {
    let found = match value {
        Value::Map(map) if !is_attribute => map.get(name).cloned(),
        Value::List(list) | Value::Tuple(list) if !is_attribute => {
            name.parse::<usize>().ok().and_then(|at| list.get(at).cloned())
        }
        Value::Object(object) => object.get_attr(name)?,
        other => attribute(other, name),
    };
    found.ok_or_else(|| no_such(value, name))
}
