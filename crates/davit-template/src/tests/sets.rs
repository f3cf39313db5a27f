//! Tests of membership: `in`, `contains`, `subset`, `superset`, `any`, `all`.
//!
//! Knows values only.

use davit_value::{Key, Value, ValueError};

use crate::Call;

type Answer = Result<Value, ValueError>;

/// Python's `value in container`.
///
/// # Errors
/// For containers that are none.
pub(crate) fn holds(call: &Call<'_>, container: &Value, value: &Value) -> Result<bool, ValueError> {
    match container {
        Value::Str(text) => match value {
            Value::Str(part) => Ok(text.contains(part.as_str())),
            other => Err(ValueError::Type(format!(
                "'in <string>' requires string as left operand, not {}",
                other.type_name()
            ))),
        },
        Value::Map(map) => match Key::from_value(value) {
            Some(key) => Ok(map.get_key(&key).is_some()),
            None => Err(ValueError::Type(format!("unhashable type: '{}'", value.type_name()))),
        },
        Value::List(_) | Value::Tuple(_) | Value::Object(_) => {
            for item in call.items(container)? {
                if call.deep(&item)? == *value {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Undefined(what) => Err(ValueError::Undefined(what.clone())),
        other => Err(ValueError::Type(format!(
            "argument of type '{}' is not iterable",
            other.type_name()
        ))),
    }
}

pub(super) fn is_in(call: &Call<'_>) -> Answer {
    let bound = call.bind_lazy("test_in", &["value", "seq"], 2)?;
    holds(call, &bound.value(1), &call.deep(&bound.value(0))?).map(Value::from)
}

pub(super) fn contains(call: &Call<'_>) -> Answer {
    let bound = call.bind_lazy("contains", &["seq", "value"], 2)?;
    holds(call, &bound.value(0), &call.deep(&bound.value(1))?).map(Value::from)
}

fn within(call: &Call<'_>, small: &Value, large: &Value) -> Result<bool, ValueError> {
    let (small, large) = (call.items(small)?, call.items(large)?);
    if small.iter().chain(&large).any(|item| Key::from_value(item).is_none()) {
        return Ok(small.iter().all(|item| large.contains(item)));
    }
    let keys: std::collections::HashSet<Key> = large.iter().filter_map(Key::from_value).collect();
    Ok(small.iter().filter_map(Key::from_value).all(|key| keys.contains(&key)))
}

pub(super) fn subset(call: &Call<'_>) -> Answer {
    let bound = call.bind("issubset", &["a", "b"], 2)?;
    within(call, &bound.value(0), &bound.value(1)).map(Value::from)
}

pub(super) fn superset(call: &Call<'_>) -> Answer {
    let bound = call.bind("issuperset", &["a", "b"], 2)?;
    within(call, &bound.value(1), &bound.value(0)).map(Value::from)
}

fn truths(call: &Call<'_>, name: &str) -> Result<Vec<bool>, ValueError> {
    if !call.args.named.is_empty() {
        return Err(ValueError::Type(format!("{name}() takes no keyword arguments")));
    }
    if call.args.positional.len() != 1 {
        return Err(ValueError::Type(format!(
            "{name}() takes exactly one argument ({} given)",
            call.args.positional.len()
        )));
    }
    call.items(&call.input()?)?.iter().map(Value::truthy).collect()
}

pub(super) fn any(call: &Call<'_>) -> Answer {
    Ok(truths(call, "any")?.contains(&true).into())
}

pub(super) fn all(call: &Call<'_>) -> Answer {
    Ok((!truths(call, "all")?.contains(&false)).into())
}
