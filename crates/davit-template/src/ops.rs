//! Arithmetic, membership and slices with Python's semantics and Python's words for what cannot be done.
//!
//! Operands are values already rendered; nothing here evaluates.

use std::sync::Arc;

use davit_value::{Key, Value, ValueError};

use crate::ast::Operator;
use crate::delta::Delta;
use crate::percent;

/// The longest text or list that repetition may make.
const MAX_REPEATED: usize = 64 * 1024 * 1024;

type Outcome = Result<Value, ValueError>;

impl Operator {
    /// The operator as written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Modulo => "%",
            Self::Power => "** or pow()",
        }
    }
}

/// A number of either kind.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Int(int) => Self::Int(*int),
            Value::Bool(bool) => Self::Int(i128::from(*bool)),
            Value::Float(float) => Self::Float(*float),
            _ => return None,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "as Python does")]
    fn float(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }
}

fn too_large() -> ValueError {
    ValueError::Value("the integer has more than 128 bits".into())
}

fn division(message: &str) -> ValueError {
    ValueError::ZeroDivision(message.into())
}

/// `left operator right`.
pub(crate) fn binary(operator: Operator, left: &Value, right: &Value) -> Outcome {
    for side in [left, right] {
        if let Value::Undefined(what) = side {
            return Err(ValueError::Undefined(Arc::clone(what)));
        }
    }
    if let (Operator::Modulo, Value::Str(format)) = (operator, left) {
        return percent::format(format, right).map(Value::from);
    }
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        return numbers(operator, a, b);
    }
    if let Some(result) = dates(operator, left, right) {
        return result;
    }
    match operator {
        Operator::Add => add(left, right),
        Operator::Multiply => match (sequence_length(left), sequence_length(right)) {
            (Some(length), _) => repeat(left, length, right),
            (None, Some(length)) => repeat(right, length, left),
            (None, None) => Err(unsupported(operator, left, right)),
        },
        _ => Err(unsupported(operator, left, right)),
    }
}

fn unsupported(operator: Operator, left: &Value, right: &Value) -> ValueError {
    ValueError::Type(format!(
        "unsupported operand type(s) for {}: '{}' and '{}'",
        operator.sign(),
        full_type_name(left),
        full_type_name(right)
    ))
}

/// The type's name with its module, as operators have it.
fn full_type_name(value: &Value) -> &'static str {
    match value {
        Value::Date(_) => "datetime.date",
        Value::DateTime(..) => "datetime.datetime",
        other if Delta::of(other).is_some() => "datetime.timedelta",
        other => other.type_name(),
    }
}

fn add(left: &Value, right: &Value) -> Outcome {
    let cannot = |kind: &str| {
        ValueError::Type(format!(
            "can only concatenate {kind} (not \"{}\") to {kind}",
            right.type_name()
        ))
    };
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => {
            let mut text = String::with_capacity(a.len() + b.len());
            text.push_str(a);
            text.push_str(b);
            Ok(Value::from(text))
        }
        (Value::Str(_), _) => Err(cannot("str")),
        (Value::List(a), Value::List(b)) => {
            Ok(Value::list(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Value::List(_), _) => Err(cannot("list")),
        (Value::Tuple(a), Value::Tuple(b)) => {
            Ok(Value::tuple(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Value::Tuple(_), _) => Err(cannot("tuple")),
        _ => Err(unsupported(Operator::Add, left, right)),
    }
}

fn sequence_length(value: &Value) -> Option<usize> {
    match value {
        Value::Str(text) => Some(text.len()),
        Value::List(list) | Value::Tuple(list) => Some(list.len()),
        _ => None,
    }
}

fn repeat(what: &Value, length: usize, times: &Value) -> Outcome {
    let times = match times {
        Value::Int(int) => usize::try_from((*int).max(0)).unwrap_or(usize::MAX),
        Value::Bool(bool) => usize::from(*bool),
        other => {
            return Err(ValueError::Type(format!(
                "can't multiply sequence by non-int of type '{}'",
                other.type_name()
            )));
        }
    };
    if length.checked_mul(times).is_none_or(|size| size > MAX_REPEATED) {
        return Err(ValueError::Value("the repeated value is too long".into()));
    }
    Ok(match what {
        Value::Str(text) => Value::from(text.repeat(times)),
        Value::List(list) => Value::list(repeated(list, times)),
        Value::Tuple(list) => Value::tuple(repeated(list, times)),
        other => other.clone(),
    })
}

fn repeated(items: &[Value], times: usize) -> Vec<Value> {
    std::iter::repeat_n(items, times).flatten().cloned().collect()
}

fn numbers(operator: Operator, a: Number, b: Number) -> Outcome {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => integers(operator, a, b),
        (a, b) => floats(operator, a.float(), b.float()).map(Value::Float),
    }
}

fn integers(operator: Operator, a: i128, b: i128) -> Outcome {
    let checked = |result: Option<i128>| result.map(Value::Int).ok_or_else(too_large);
    match operator {
        Operator::Add => checked(a.checked_add(b)),
        Operator::Subtract => checked(a.checked_sub(b)),
        Operator::Multiply => checked(a.checked_mul(b)),
        Operator::Divide if b == 0 => Err(division("division by zero")),
        #[expect(clippy::cast_precision_loss, reason = "as Python does")]
        Operator::Divide => Ok(Value::Float(a as f64 / b as f64)),
        Operator::FloorDivide if b == 0 => Err(division("integer division or modulo by zero")),
        Operator::FloorDivide => checked(a.checked_div_euclid(b).map(|quotient| {
            // Rounded towards minus infinity: Euclid's differs for negative divisors that leave a remainder.
            if b < 0 && a.rem_euclid(b) != 0 { quotient - 1 } else { quotient }
        })),
        Operator::Modulo if b == 0 => Err(division("integer modulo by zero")),
        Operator::Modulo => checked(
            a.checked_rem(b)
                .map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }),
        ),
        Operator::Power if b < 0 =>
        {
            #[expect(clippy::cast_precision_loss, reason = "as Python does")]
            floats(operator, a as f64, b as f64).map(Value::Float)
        }
        Operator::Power => {
            checked(u32::try_from(b).ok().and_then(|b| a.checked_pow(b)).or(match a {
                0 | 1 => Some(a),
                -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
                _ => None,
            }))
        }
    }
}

fn floats(operator: Operator, a: f64, b: f64) -> Result<f64, ValueError> {
    let modulo = |a: f64, b: f64| {
        let rest = a % b;
        if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
    };
    Ok(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide if b == 0.0 => return Err(division("float division by zero")),
        Operator::Divide => a / b,
        Operator::FloorDivide if b == 0.0 => return Err(division("float floor division by zero")),
        Operator::FloorDivide => ((a - modulo(a, b)) / b).round(),
        Operator::Modulo if b == 0.0 => return Err(division("float modulo")),
        Operator::Modulo => modulo(a, b),
        Operator::Power if a == 0.0 && b < 0.0 => {
            return Err(division("0.0 cannot be raised to a negative power"));
        }
        Operator::Power => {
            let result = a.powf(b);
            if result.is_infinite() && a.is_finite() && b.is_finite() {
                return Err(ValueError::Value("(34, 'Numerical result out of range')".into()));
            }
            result
        }
    })
}

fn dates(operator: Operator, left: &Value, right: &Value) -> Option<Outcome> {
    let added = |at: &Value, delta: Delta, sign: i128| -> Option<Outcome> {
        let micros = delta.micros.checked_mul(sign)?;
        Some(
            delta_added(at, micros)
                .ok_or_else(|| ValueError::Value("date value out of range".into())),
        )
    };
    match (operator, left, right) {
        (Operator::Subtract, Value::DateTime(a, x), Value::DateTime(b, y)) => {
            if x.is_some() != y.is_some() {
                return Some(Err(ValueError::Type(
                    "can't subtract offset-naive and offset-aware datetimes".into(),
                )));
            }
            let offsets = i128::from(x.unwrap_or(0)) - i128::from(y.unwrap_or(0));
            let micros = a.duration_since(*b).as_micros() - offsets * 1_000_000;
            Some(Ok(Delta { micros }.into_value()))
        }
        (Operator::Subtract, Value::Date(a), Value::Date(b)) => {
            Some(Ok(Delta { micros: a.duration_since(*b).as_micros() }.into_value()))
        }
        _ => match (Delta::of(left), Delta::of(right)) {
            (Some(a), Some(b)) => {
                let micros = match operator {
                    Operator::Add => a.micros.checked_add(b.micros)?,
                    Operator::Subtract => a.micros.checked_sub(b.micros)?,
                    Operator::Divide | Operator::FloorDivide | Operator::Modulo => {
                        let result = integers(operator, a.micros, b.micros);
                        return Some(match result {
                            Ok(Value::Int(micros)) if operator == Operator::Modulo => {
                                Ok(Delta { micros }.into_value())
                            }
                            other => other,
                        });
                    }
                    _ => return None,
                };
                Some(Ok(Delta { micros }.into_value()))
            }
            (None, Some(delta)) if operator == Operator::Add => added(left, delta, 1),
            (None, Some(delta)) if operator == Operator::Subtract => added(left, delta, -1),
            (Some(delta), None) if operator == Operator::Add => added(right, delta, 1),
            (Some(delta), None) => scaled(operator, delta, right),
            (None, Some(delta)) if operator == Operator::Multiply => scaled(operator, delta, left),
            _ => None,
        }
        .or_else(|| {
            (Delta::of(left).is_some() || Delta::of(right).is_some())
                .then(|| Err(unsupported(operator, left, right)))
        }),
    }
}

fn scaled(operator: Operator, delta: Delta, by: &Value) -> Option<Outcome> {
    let micros = match (operator, Number::of(by)?) {
        (Operator::Multiply, Number::Int(by)) => delta.micros.checked_mul(by)?,
        (Operator::Divide | Operator::FloorDivide, Number::Int(0)) => {
            return Some(Err(division("division by zero")));
        }
        (Operator::FloorDivide, Number::Int(by)) => delta.micros.checked_div_euclid(by)?,
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "as Python does"
        )]
        (Operator::Multiply, Number::Float(by)) => (delta.micros as f64 * by).round() as i128,
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "as Python does"
        )]
        (Operator::Divide, by) => (delta.micros as f64 / by.float()).round() as i128,
        _ => return None,
    };
    Some(Ok(Delta { micros }.into_value()))
}

fn delta_added(at: &Value, micros: i128) -> Option<Value> {
    let seconds = i64::try_from(micros.div_euclid(1_000_000)).ok()?;
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).ok()?;
    let duration = jiff::SignedDuration::new(seconds, nanos);
    match at {
        Value::DateTime(at, offset) => {
            Some(Value::DateTime(at.checked_add(duration).ok()?, *offset))
        }
        Value::Date(at) => Some(Value::Date(
            at.checked_add(jiff::SignedDuration::from_hours(seconds.div_euclid(86_400) * 24))
                .ok()?,
        )),
        _ => None,
    }
}

/// `-value`.
pub(crate) fn negative(value: &Value) -> Outcome {
    match value {
        Value::Undefined(what) => Err(ValueError::Undefined(Arc::clone(what))),
        _ => match (Number::of(value), Delta::of(value)) {
            (Some(Number::Int(int)), _) => int.checked_neg().map(Value::Int).ok_or_else(too_large),
            (Some(Number::Float(float)), _) => Ok(Value::Float(-float)),
            (None, Some(delta)) => Ok(Delta { micros: -delta.micros }.into_value()),
            (None, None) => Err(ValueError::Type(format!(
                "bad operand type for unary -: '{}'",
                value.type_name()
            ))),
        },
    }
}

/// `+value`.
pub(crate) fn positive(value: &Value) -> Outcome {
    match value {
        Value::Undefined(what) => Err(ValueError::Undefined(Arc::clone(what))),
        _ => match Number::of(value) {
            Some(Number::Int(int)) => Ok(Value::Int(int)),
            Some(Number::Float(float)) => Ok(Value::Float(float)),
            None => Err(ValueError::Type(format!(
                "bad operand type for unary +: '{}'",
                value.type_name()
            ))),
        },
    }
}

/// `value in container`. The container's items have been rendered.
pub(crate) fn contains(container: &Value, value: &Value) -> Result<bool, ValueError> {
    for side in [container, value] {
        if let Value::Undefined(what) = side {
            return Err(ValueError::Undefined(Arc::clone(what)));
        }
    }
    match container {
        Value::Str(text) => match value {
            Value::Str(part) => Ok(text.contains(part.as_str())),
            other => Err(ValueError::Type(format!(
                "'in <string>' requires string as left operand, not {}",
                other.type_name()
            ))),
        },
        Value::List(list) | Value::Tuple(list) => {
            for item in list.iter() {
                if let Value::Undefined(what) = item {
                    return Err(ValueError::Undefined(Arc::clone(what)));
                }
                if item == value {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(map) => Ok(map.get_key(&hashed(value)?).is_some()),
        Value::Object(object) => match (object.keys(), object.items()?) {
            (Some(keys), _) => {
                let key = hashed(value)?;
                Ok(keys.contains(&key))
            }
            (None, Some(items)) => Ok(items.contains(value)),
            (None, None) => Err(not_iterable_argument(container)),
        },
        other => Err(not_iterable_argument(other)),
    }
}

fn not_iterable_argument(value: &Value) -> ValueError {
    ValueError::Type(format!("argument of type '{}' is not iterable", value.type_name()))
}

/// The key for `value`.
pub(crate) fn hashed(value: &Value) -> Result<Key, ValueError> {
    if let Value::Undefined(what) = value {
        return Err(ValueError::Undefined(Arc::clone(what)));
    }
    Key::from_value(value)
        .ok_or_else(|| ValueError::Type(format!("unhashable type: '{}'", value.type_name())))
}

/// Python's index into something `length` long, where it is inside.
pub(crate) fn place(index: i128, length: usize) -> Option<usize> {
    let length_i = i128::try_from(length).ok()?;
    let index = if index < 0 { index + length_i } else { index };
    usize::try_from(index).ok().filter(|at| *at < length)
}

/// `value[start:stop:step]`.
pub(crate) fn slice(value: &Value, parts: &[Option<Value>; 3]) -> Outcome {
    if let Value::Undefined(_) = value {
        return Ok(value.clone());
    }
    let mut numbers = [None; 3];
    for (number, part) in numbers.iter_mut().zip(parts) {
        *number = match part {
            None | Some(Value::Null) => None,
            Some(Value::Int(int)) => Some(*int),
            Some(Value::Bool(bool)) => Some(i128::from(*bool)),
            Some(_) => {
                return Err(ValueError::Type(
                    "slice indices must be integers or None or have an __index__ method".into(),
                ));
            }
        };
    }
    if numbers[2] == Some(0) {
        return Err(ValueError::Value("slice step cannot be zero".into()));
    }
    match value {
        Value::Str(text) if text.is_ascii() => {
            let bytes = text.as_bytes();
            Ok(Value::from(
                places(numbers, bytes.len()).map(|at| char::from(bytes[at])).collect::<String>(),
            ))
        }
        Value::Str(text) => {
            let chars: Vec<char> = text.chars().collect();
            Ok(Value::from(places(numbers, chars.len()).map(|at| chars[at]).collect::<String>()))
        }
        Value::List(list) => {
            Ok(Value::list(places(numbers, list.len()).map(|at| list[at].clone()).collect()))
        }
        Value::Tuple(list) => {
            Ok(Value::tuple(places(numbers, list.len()).map(|at| list[at].clone()).collect()))
        }
        Value::Object(object) => match object.items()? {
            Some(items) if object.keys().is_none() => {
                Ok(Value::list(places(numbers, items.len()).map(|at| items[at].clone()).collect()))
            }
            _ => Err(not_subscriptable(value)),
        },
        other => Err(not_subscriptable(other)),
    }
}

fn not_subscriptable(value: &Value) -> ValueError {
    match value {
        Value::Map(_) => ValueError::Type("unhashable type: 'slice'".into()),
        _ => ValueError::Type(format!("'{}' object is not subscriptable", value.type_name())),
    }
}

/// The indices of a slice, in order.
fn places([start, stop, step]: [Option<i128>; 3], length: usize) -> impl Iterator<Item = usize> {
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let step = step.unwrap_or(1).clamp(-i128::from(i64::MAX), i128::from(i64::MAX));
    let bounded = |index: Option<i128>, default: i128, low: i128, high: i128| match index {
        None => default,
        Some(index) => {
            let index = index.clamp(-i128::from(i64::MAX), i128::from(i64::MAX));
            (if index < 0 { index + length } else { index }).clamp(low, high)
        }
    };
    let (mut at, end) = if step > 0 {
        (bounded(start, 0, 0, length), bounded(stop, length, 0, length))
    } else {
        (bounded(start, length - 1, -1, length - 1), bounded(stop, -1, -1, length - 1))
    };
    std::iter::from_fn(move || {
        let inside = if step > 0 { at < end } else { at > end };
        if !inside {
            return None;
        }
        let place = usize::try_from(at).ok();
        at += step;
        place
    })
}
