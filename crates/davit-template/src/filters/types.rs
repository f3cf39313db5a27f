//! Filters about whether and what a value is: `default`, `mandatory`, `ternary`, `bool`, `type_debug`.
//!
//! These are the filters that take undefined values.

use davit_value::{Value, ValueError};

use crate::Call;

type Answer = Result<Value, ValueError>;

pub(super) fn default(call: &Call<'_>) -> Answer {
    let bound = call.bind_any("ansible_default", &["value", "default_value", "boolean"], 1)?;
    let value = bound.value(0);
    let replace = value.is_undefined() || bound.truth(2, false)? && !value.truthy()?;
    Ok(if replace { bound.get(1).cloned().unwrap_or_else(|| "".into()) } else { value })
}

pub(super) fn mandatory(call: &Call<'_>) -> Answer {
    let bound = call.bind_any("mandatory", &["a", "msg"], 1)?;
    let value = bound.value(0);
    let Value::Undefined(what) = &value else { return Ok(value) };
    Err(ValueError::Value(match (bound.some(1), &what.name) {
        (Some(message), _) => message.to_str(),
        (None, Some(name)) => format!("Mandatory variable '{name}' not defined."),
        (None, None) => "Mandatory variable not defined.".into(),
    }))
}

pub(super) fn ternary(call: &Call<'_>) -> Answer {
    let bound = call.bind_any("ternary", &["value", "true_val", "false_val", "none_val"], 3)?;
    let value = bound.value(0);
    if value.is_null() && bound.some(3).is_some() {
        return Ok(bound.value(3));
    }
    Ok(bound.value(if value.truthy()? { 1 } else { 2 }))
}

/// The booleans that the original takes from text and numbers.
#[must_use]
pub fn as_boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::Int(1) => Some(true),
        Value::Int(0) => Some(false),
        Value::Str(text) => match text.to_lowercase().as_str() {
            "yes" | "on" | "1" | "true" => Some(true),
            "no" | "off" | "0" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn bool(call: &Call<'_>) -> Answer {
    let value = call.bind("to_bool", &["value"], 1)?.value(0);
    if let Some(known) = as_boolean(&value) {
        return Ok(known.into());
    }
    let coerced = value == Value::Int(1);
    let shown = if coerced { "True" } else { "False" };
    call.env.outside.warn(&format!(
        "The `bool` filter coerced invalid value {} ({}) to {shown}.",
        value.repr(),
        value.type_name()
    ));
    Ok(coerced.into())
}

pub(super) fn type_debug(call: &Call<'_>) -> Answer {
    let value = call.bind_any("type_debug", &["obj"], 1)?.value(0);
    Ok(match &value {
        Value::Undefined(_) => "UndefinedMarker",
        other => other.type_name(),
    }
    .into())
}
