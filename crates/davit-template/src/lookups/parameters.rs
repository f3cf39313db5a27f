//! What lookups share: their terms and options rendered, and `key=value` words inside a term.
//!
//! Knows no particular lookup.

use davit_value::{Value, ValueError};

use crate::Call;
use crate::filters::types::as_boolean;

/// The terms, each rendered through.
pub(super) fn terms(call: &Call<'_>) -> Result<Vec<Value>, ValueError> {
    call.args.positional.iter().map(|term| call.deep(term)).collect()
}

/// An option, rendered; `None` counts as not given.
pub(super) fn option(call: &Call<'_>, name: &str) -> Result<Option<Value>, ValueError> {
    Ok(call
        .args
        .named
        .get(name)
        .map(|value| call.deep(value))
        .transpose()?
        .filter(|value| !value.is_null()))
}

/// An option as text.
pub(super) fn text_option(
    call: &Call<'_>,
    name: &str,
    default: &str,
) -> Result<String, ValueError> {
    Ok(option(call, name)?.map_or_else(|| default.to_owned(), |value| value.to_str()))
}

/// What the original says about an option of the wrong kind.
pub(super) fn bad_option(lookup: &str, name: &str, kind: &str, value: &Value) -> ValueError {
    ValueError::Value(format!(
        "Config '{name}' for '{lookup}' lookup plugin from 'Direct' has an invalid value: Invalid value provided for '{kind}': {}",
        value.repr()
    ))
}

/// A value as a boolean option.
pub(super) fn as_bool(lookup: &str, name: &str, value: &Value) -> Result<bool, ValueError> {
    as_boolean(value).ok_or_else(|| bad_option(lookup, name, "boolean", value))
}

/// A boolean option.
pub(super) fn bool_option(
    call: &Call<'_>,
    lookup: &str,
    name: &str,
    default: bool,
) -> Result<bool, ValueError> {
    option(call, name)?.map_or(Ok(default), |value| as_bool(lookup, name, &value))
}

/// A value as an integer option.
pub(super) fn as_int(lookup: &str, name: &str, value: &Value) -> Result<i128, ValueError> {
    let found = match value {
        Value::Int(int) => Some(*int),
        Value::Bool(bool) => Some(i128::from(*bool)),
        Value::Float(float) if float.fract() == 0.0 && float.abs() < 1e18 =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "checked just above")]
            Some(*float as i128)
        }
        Value::Str(text) => crate::filters::math::parse_int(text, 10),
        _ => None,
    };
    found.ok_or_else(|| bad_option(lookup, name, "integer", value))
}

/// Words of a term: quotes hold a word together and are dropped; templates stay whole.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut any = false;
    for char in text.chars() {
        match quote {
            Some(open) if char == open => quote = None,
            Some(_) => word.push(char),
            None if (char == '"' || char == '\'') && (word.is_empty() || word.ends_with('=')) => {
                quote = Some(char);
                any = true;
            }
            None if char.is_whitespace() => {
                if any || !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                any = false;
            }
            None => word.push(char),
        }
    }
    if any || !word.is_empty() {
        out.push(word);
    }
    out
}

/// The `key=value` words of a term, and the rest joined by spaces.
pub(super) fn key_values(text: &str) -> (String, Vec<(String, String)>) {
    let mut rest = Vec::new();
    let mut pairs = Vec::new();
    for word in words(text) {
        match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => pairs.push((key.to_owned(), value.to_owned())),
            _ => rest.push(word),
        }
    }
    (rest.join(" "), pairs)
}
