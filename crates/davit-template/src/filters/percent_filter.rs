//! `format`: Python's `%` formatting as a filter.
//!
//! The formatting itself is that of the `%` operator.

use davit_value::{Value, ValueError};

use crate::{Call, percent};

type Answer = Result<Value, ValueError>;

pub(super) fn format(call: &Call<'_>) -> Answer {
    let (input, rest) = call.args.positional.split_first().ok_or_else(|| {
        ValueError::Type("do_format() missing 1 required positional argument: 'value'".into())
    })?;
    let text = call.shallow(input)?.to_str();
    if !rest.is_empty() && !call.args.named.is_empty() {
        return Err(ValueError::Value(
            "can't handle positional and keyword arguments at the same time".into(),
        ));
    }
    let values = if call.args.named.is_empty() {
        Value::tuple(rest.iter().map(|value| call.deep(value)).collect::<Result<_, _>>()?)
    } else {
        call.deep(&Value::from(call.args.named.clone()))?
    };
    Ok(percent::format(&text, &values)?.into())
}
