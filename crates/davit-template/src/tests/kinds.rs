//! Tests of what a value is and how it compares.
//!
//! Knows Python's kinds only; results of tasks are elsewhere.

use std::cmp::Ordering;

use davit_value::{Value, ValueError};

use crate::Call;

type Answer = Result<Value, ValueError>;

/// The one argument, undefined or not.
fn any(call: &Call<'_>, name: &'static str) -> Result<Value, ValueError> {
    Ok(call.bind_any(name, &["value"], 1)?.value(0))
}

/// The one argument, which must not be undefined.
fn one(call: &Call<'_>, name: &'static str) -> Result<Value, ValueError> {
    Ok(call.bind_lazy(name, &["value"], 1)?.value(0))
}

pub(super) fn defined(call: &Call<'_>) -> Answer {
    Ok((!any(call, "test_defined")?.is_undefined()).into())
}

pub(super) fn undefined(call: &Call<'_>) -> Answer {
    Ok(any(call, "test_undefined")?.is_undefined().into())
}

pub(super) fn boolean(call: &Call<'_>) -> Answer {
    Ok(one(call, "test_boolean")?.as_bool().is_some().into())
}

pub(super) fn is_true(call: &Call<'_>) -> Answer {
    Ok((one(call, "test_true")?.as_bool() == Some(true)).into())
}

pub(super) fn is_false(call: &Call<'_>) -> Answer {
    Ok((one(call, "test_false")?.as_bool() == Some(false)).into())
}

pub(super) fn none(call: &Call<'_>) -> Answer {
    Ok(one(call, "test_none")?.is_null().into())
}

pub(super) fn integer(call: &Call<'_>) -> Answer {
    Ok(one(call, "test_integer")?.as_int().is_some().into())
}

pub(super) fn float(call: &Call<'_>) -> Answer {
    Ok(matches!(one(call, "test_float")?, Value::Float(_)).into())
}

pub(super) fn number(call: &Call<'_>) -> Answer {
    Ok(one(call, "test_number")?.as_number().is_some().into())
}

pub(super) fn string(call: &Call<'_>) -> Answer {
    Ok(one(call, "test_string")?.as_str().is_some().into())
}

pub(super) fn mapping(call: &Call<'_>) -> Answer {
    let value = one(call, "test_mapping")?;
    Ok(match &value {
        Value::Map(_) => true,
        Value::Object(object) => object.keys().is_some(),
        _ => false,
    }
    .into())
}

fn has_items(value: &Value) -> bool {
    match value {
        Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Map(_) => true,
        Value::Object(object) => object.keys().is_some() || matches!(object.items(), Ok(Some(_))),
        _ => false,
    }
}

pub(super) fn iterable(call: &Call<'_>) -> Answer {
    Ok(has_items(&one(call, "test_iterable")?).into())
}

pub(super) fn sequence(call: &Call<'_>) -> Answer {
    Ok(has_items(&one(call, "test_sequence")?).into())
}

pub(super) fn callable(call: &Call<'_>) -> Answer {
    if !call.args.named.is_empty() {
        return Err(ValueError::Type("callable() takes no keyword arguments".into()));
    }
    if call.args.positional.len() != 1 {
        return Err(ValueError::Type(format!(
            "callable() takes exactly one argument ({} given)",
            call.args.positional.len()
        )));
    }
    let value = call.input()?;
    Ok(matches!(&value, Value::Object(object) if object.is_callable()).into())
}

/// Nothing is escaped here: texts carry no mark of it.
pub(super) fn escaped(call: &Call<'_>) -> Answer {
    one(call, "test_escaped")?;
    Ok(false.into())
}

fn cased(text: &str, wanted: fn(char) -> bool, unwanted: fn(char) -> bool) -> bool {
    text.chars().any(wanted) && !text.chars().any(unwanted)
}

pub(super) fn lower(call: &Call<'_>) -> Answer {
    Ok(cased(&one(call, "test_lower")?.to_str(), char::is_lowercase, char::is_uppercase).into())
}

pub(super) fn upper(call: &Call<'_>) -> Answer {
    Ok(cased(&one(call, "test_upper")?.to_str(), char::is_uppercase, char::is_lowercase).into())
}

/// Python's `value % divisor`, for what these tests meet.
fn remainder(value: &Value, divisor: &Value) -> Result<f64, ValueError> {
    if value.as_str().is_some() {
        return Err(ValueError::Type(
            "not all arguments converted during string formatting".into(),
        ));
    }
    let whole = |value: &Value| match value {
        Value::Int(int) => Some(*int),
        Value::Bool(bool) => Some(i128::from(*bool)),
        _ => None,
    };
    if let (Some(a), Some(b)) = (whole(value), whole(divisor)) {
        if b == 0 {
            return Err(ValueError::ZeroDivision("integer modulo by zero".into()));
        }
        return Ok(if a.wrapping_rem(b) == 0 { 0.0 } else { 1.0 });
    }
    match (value.as_number(), divisor.as_number()) {
        (Some(_), Some(0.0)) => Err(ValueError::ZeroDivision("float modulo".into())),
        (Some(a), Some(b)) => Ok(a.rem_euclid(b)),
        _ => Err(ValueError::Type(format!(
            "unsupported operand type(s) for %: '{}' and '{}'",
            value.type_name(),
            divisor.type_name()
        ))),
    }
}

pub(super) fn even(call: &Call<'_>) -> Answer {
    Ok((remainder(&one(call, "test_even")?, &Value::Int(2))? == 0.0).into())
}

pub(super) fn odd(call: &Call<'_>) -> Answer {
    let value = one(call, "test_odd")?;
    let rest = remainder(&value, &Value::Int(2))?;
    Ok((rest != 0.0 && (rest - 1.0).abs() < f64::EPSILON).into())
}

pub(super) fn divisibleby(call: &Call<'_>) -> Answer {
    let bound = call.bind("test_divisibleby", &["value", "num"], 2)?;
    Ok((remainder(&bound.value(0), &bound.value(1))? == 0.0).into())
}

pub(super) fn nan(call: &Call<'_>) -> Answer {
    Ok(matches!(one(call, "isnotanumber")?, Value::Float(float) if float.is_nan()).into())
}

pub(super) fn sameas(call: &Call<'_>) -> Answer {
    let bound = call.bind_any("test_sameas", &["value", "other"], 2)?;
    let same = match (&bound.value(0), &bound.value(1)) {
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            std::sync::Arc::ptr_eq(a, b)
        }
        (Value::Map(a), Value::Map(b)) => std::sync::Arc::ptr_eq(a, b),
        (Value::Object(a), Value::Object(b)) => std::sync::Arc::ptr_eq(a, b),
        (a, b) => a.type_name() == b.type_name() && a == b,
    };
    Ok(same.into())
}

/// The two sides of a comparison: Python's functions of C take no names.
fn pair(call: &Call<'_>, name: &str) -> Result<(Value, Value), ValueError> {
    if !call.args.named.is_empty() {
        return Err(ValueError::Type(format!("_operator.{name}() takes no keyword arguments")));
    }
    match call.args.positional.as_slice() {
        [a, b] => Ok((call.deep(a)?, call.deep(b)?)),
        other => Err(ValueError::Type(format!("{name} expected 2 arguments, got {}", other.len()))),
    }
}

pub(super) fn eq(call: &Call<'_>) -> Answer {
    let (a, b) = pair(call, "eq")?;
    Ok((a == b).into())
}

pub(super) fn ne(call: &Call<'_>) -> Answer {
    let (a, b) = pair(call, "ne")?;
    Ok((a != b).into())
}

fn ordered(call: &Call<'_>, name: &str, sign: &str, wanted: fn(Ordering) -> bool) -> Answer {
    let (a, b) = pair(call, name)?;
    // What is no number is neither less nor greater.
    let nan = |value: &Value| matches!(value, Value::Float(float) if float.is_nan());
    Ok((wanted(a.compare(&b, sign)?) && !nan(&a) && !nan(&b)).into())
}

pub(super) fn lt(call: &Call<'_>) -> Answer {
    ordered(call, "lt", "<", Ordering::is_lt)
}

pub(super) fn le(call: &Call<'_>) -> Answer {
    ordered(call, "le", "<=", Ordering::is_le)
}

pub(super) fn gt(call: &Call<'_>) -> Answer {
    ordered(call, "gt", ">", Ordering::is_gt)
}

pub(super) fn ge(call: &Call<'_>) -> Answer {
    ordered(call, "ge", ">=", Ordering::is_ge)
}

fn truth(call: &Call<'_>, name: &'static str) -> Result<bool, ValueError> {
    let bound = call.bind_lazy(name, &["value", "convert_bool"], 1)?;
    let value = bound.value(0);
    if bound.truth(1, false)?
        && let Some(known) = crate::filters::types::as_boolean(&value)
    {
        return Ok(known);
    }
    value.truthy()
}

pub(super) fn truthy(call: &Call<'_>) -> Answer {
    truth(call, "truthy").map(Value::from)
}

pub(super) fn falsy(call: &Call<'_>) -> Answer {
    truth(call, "falsy").map(|truth| (!truth).into())
}

const NAME: &[&str] = &["value"];

pub(super) fn filter(call: &Call<'_>) -> Answer {
    let bound = call.bind_env("test_filter", NAME, 1)?;
    Ok(bound.value(0).as_str().is_some_and(|name| call.env.engine.has_filter(name)).into())
}

pub(super) fn test(call: &Call<'_>) -> Answer {
    let bound = call.bind_env("test_test", NAME, 1)?;
    Ok(bound.value(0).as_str().is_some_and(|name| call.env.engine.has_test(name)).into())
}
