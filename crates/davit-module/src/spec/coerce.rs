//! Making a value what an argument is, with the original's rules.

use serde_json::{Map, Number, Value};

use super::ArgType;
use super::python;
use crate::names::User;

/// Looks up a variable of the environment: for `$NAME` and `~` in paths.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The value as `wanted`.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn coerce(
    value: &Value,
    wanted: ArgType,
    env: Environment<'_>,
) -> Result<Value, String> {
    match wanted {
        ArgType::Raw => Ok(value.clone()),
        ArgType::Str => Ok(match value {
            Value::String(_) => value.clone(),
            Value::Null => "".into(),
            other => python::text(other).into(),
        }),
        ArgType::Path => {
            let text = if value.is_null() { String::new() } else { python::text(value) };
            Ok(expand_path(&text, env).into())
        }
        ArgType::Bool => to_bool(value).map(Value::Bool),
        ArgType::Int => to_int(value),
        ArgType::Float => to_float(value),
        ArgType::List => to_list(value),
        ArgType::Dict => to_dict(value).map(Value::Object),
        ArgType::Bytes => to_size(value, "Byte", "Bb"),
        ArgType::Bits => to_size(value, "Bit", "b"),
        ArgType::Json => match value {
            Value::String(_) => Ok(value.clone()),
            Value::Array(_) | Value::Object(_) => Ok(python::json(value).into()),
            other => Err(cannot(other, "json string")),
        },
        ArgType::JsonArg => match value {
            Value::String(text) => Ok(text.trim().into()),
            Value::Array(_) | Value::Object(_) => Ok(python::json(value).into()),
            other => Err(cannot(other, "json string")),
        },
    }
}

fn cannot(value: &Value, wanted: &str) -> String {
    let article = if wanted == "int" { "an" } else { "a" };
    format!("<class '{}'> cannot be converted to {article} {wanted}", python::type_name(value))
}

const TRUE: &[&str] = &["y", "yes", "on", "1", "true", "t", "1.0"];
const FALSE: &[&str] = &["n", "no", "off", "0", "false", "f", "0.0"];

fn to_bool(value: &Value) -> Result<bool, String> {
    let text = match value {
        Value::Bool(bool) => return Ok(*bool),
        Value::String(text) => text.to_lowercase().trim().to_owned(),
        Value::Number(number) => number.to_string(),
        other => return Err(cannot(other, "bool")),
    };
    if TRUE.contains(&text.as_str()) {
        return Ok(true);
    }
    if FALSE.contains(&text.as_str()) {
        return Ok(false);
    }
    Err(format!(
        "The value '{}' is not a valid boolean. Valid booleans include: 0, 1, '0', '1', 'f', \
         'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'",
        python::text(value)
    ))
}

fn to_int(value: &Value) -> Result<Value, String> {
    let fail = || Err(format!("\"{}\" cannot be converted to an int", python::repr(value)));
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::Number(number) if !number.is_f64() => Ok(value.clone()),
        Value::Number(number) => match number.as_f64().and_then(whole) {
            Some(int) => Ok(int.into()),
            None => fail(),
        },
        Value::String(text) => {
            let text = text.trim();
            let plain = text.replace('_', "");
            if let Ok(int) = plain.parse::<i64>() {
                return Ok(int.into());
            }
            if let Ok(int) = plain.parse::<u64>() {
                return Ok(int.into());
            }
            match plain.parse::<f64>().ok().and_then(whole) {
                Some(int) => Ok(int.into()),
                None => fail(),
            }
        }
        _ => fail(),
    }
}

/// A float that is a whole number.
fn whole(float: f64) -> Option<i64> {
    // Beyond 2^53 a float says nothing of its last digits.
    if float.fract() != 0.0 || float.abs() > 9_007_199_254_740_992.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    Some(float as i64)
}

fn to_float(value: &Value) -> Result<Value, String> {
    let float = match value {
        Value::Bool(bool) => Some(f64::from(*bool)),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().replace('_', "").parse().ok(),
        _ => None,
    };
    match float.and_then(Number::from_f64) {
        Some(number) => Ok(Value::Number(number)),
        None => Err(cannot(value, "float")),
    }
}

fn to_list(value: &Value) -> Result<Value, String> {
    match value {
        Value::Array(_) => Ok(value.clone()),
        Value::String(text) => Ok(text.split(',').collect::<Vec<_>>().into()),
        Value::Number(_) | Value::Bool(_) => Ok(vec![python::text(value)].into()),
        other => Err(cannot(other, "list")),
    }
}

fn to_dict(value: &Value) -> Result<Map<String, Value>, String> {
    let text = match value {
        Value::Object(map) => return Ok(map.clone()),
        Value::String(text) => text,
        other => return Err(cannot(other, "dict")),
    };
    if text.starts_with('{') {
        if let Ok(Value::Object(map)) = serde_json::from_str(text) {
            return Ok(map);
        }
        return match super::literal::parse(text) {
            Some(Value::Object(map)) => Ok(map),
            _ => Err("unable to evaluate string as dictionary".to_owned()),
        };
    }
    if text.contains('=') {
        return key_values(text).ok_or_else(|| {
            "unable to evaluate string in the \"key=value\" format as dictionary".to_owned()
        });
    }
    Err("dictionary requested, could not parse JSON or key=value".to_owned())
}

/// `k=v k2="v 2",k3=v3`.
fn key_values(text: &str) -> Option<Map<String, Value>> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quote = None;
    let mut chars = text.trim().chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => field.extend(chars.next()),
            '\'' | '"' if quote.is_none() => quote = Some(char),
            char if quote == Some(char) => quote = None,
            ',' | ' ' if quote.is_none() => {
                if !field.is_empty() {
                    fields.push(std::mem::take(&mut field));
                }
            }
            char => field.push(char),
        }
    }
    if !field.is_empty() {
        fields.push(field);
    }
    let pair = |it: &String| it.split_once('=').map(|(key, val)| (key.to_owned(), val.into()));
    fields.iter().map(pair).collect()
}

/// `10`, `1K`, `1.5 MB`, `2Mb`.
fn to_size(value: &Value, unit: &str, suffixes: &str) -> Result<Value, String> {
    let fail = || {
        Err(format!("<class '{}'> cannot be converted to a {unit} value", python::type_name(value)))
    };
    let text = python::text(value);
    let text = text.trim();
    let split = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (digits, suffix) = text.split_at(split);
    let suffix = suffix.trim();
    let Ok(count) = digits.parse::<f64>() else { return fail() };
    let mut letters = suffix.chars();
    let power = match letters.next().map(|it| it.to_ascii_uppercase()) {
        None | Some('B') => 0,
        Some('K') => 10,
        Some('M') => 20,
        Some('G') => 30,
        Some('T') => 40,
        Some('P') => 50,
        Some('E') => 60,
        Some('Z') => 70,
        Some('Y') => 80,
        Some(_) => return fail(),
    };
    let rest = letters.as_str();
    let said = if power == 0 { suffix } else { rest };
    let names_unit = match said {
        "" => true,
        one if one.len() == 1 => match unit {
            "Byte" => one == "B",
            _ => one == "b",
        },
        word => word.eq_ignore_ascii_case(unit) || word.eq_ignore_ascii_case(&format!("{unit}s")),
    };
    if !names_unit && !suffixes.contains(said) {
        return fail();
    }
    let bytes = (count * 2f64.powi(power)).round();
    if !bytes.is_finite() || bytes > 1.7e38 {
        return fail();
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
    Ok(Number::from_i128(bytes as i128).map_or_else(|| bytes.into(), Value::Number))
}

/// A path with `$NAME`, `${NAME}`, `~` and `~user` put in.
#[must_use]
pub fn expand_path(text: &str, env: Environment<'_>) -> String {
    expand_home(&expand_variables(text, env), env)
}

fn expand_variables(text: &str, env: Environment<'_>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let (name, used) = if let Some(inner) = tail.strip_prefix('{') {
            inner.find('}').map_or(("", 0), |end| (&inner[..end], end + 2))
        } else {
            let plain = |it: char| it.is_ascii_alphanumeric() || it == '_';
            let end = tail.find(|it| !plain(it)).unwrap_or(tail.len());
            (&tail[..end], end)
        };
        match env(name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[at..=at + used]),
        }
        rest = &tail[used..];
    }
    out.push_str(rest);
    out
}

fn expand_home(text: &str, env: Environment<'_>) -> String {
    let Some(tail) = text.strip_prefix('~') else { return text.to_owned() };
    let end = tail.find('/').unwrap_or(tail.len());
    let (user, rest) = tail.split_at(end);
    let home = if user.is_empty() {
        env("HOME").or_else(|| {
            let user = User::numbered(nix::unistd::getuid().as_raw())?;
            Some(user.dir.to_string_lossy().into_owned())
        })
    } else {
        let user = User::named(user);
        user.map(|it| it.dir.to_string_lossy().into_owned())
    };
    let Some(home) = home else { return text.to_owned() };
    let whole = format!("{}{rest}", home.trim_end_matches('/'));
    if whole.is_empty() { "/".to_owned() } else { whole }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: Value, wanted: ArgType, expect: Result<Value, &str>) {
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let got = coerce(&value, wanted, &env);
        assert_eq!(got, expect.map_err(str::to_owned), "{value} as {wanted:?}");
    }

    #[test]
    fn values_become_what_the_original_makes_of_them() {
        use ArgType::{Bits, Bool, Bytes, Dict, Float, Int, Json, JsonArg, List, Path, Str};
        check(json!("YES"), Bool, Ok(json!(true)));
        check(json!(1.0), Bool, Ok(json!(true)));
        check(json!([1]), Bool, Err("<class 'list'> cannot be converted to a bool"));
        check(json!(" 42 "), Int, Ok(json!(42)));
        check(json!("1.0"), Int, Ok(json!(1)));
        check(json!(true), Int, Ok(json!(true)));
        check(json!("abc"), Int, Err("\"'abc'\" cannot be converted to an int"));
        check(json!([1]), Int, Err("\"[1]\" cannot be converted to an int"));
        check(json!("x"), Float, Err("<class 'str'> cannot be converted to a float"));
        check(json!("1.5"), Float, Ok(json!(1.5)));
        check(json!("a, b,c"), List, Ok(json!(["a", " b", "c"])));
        check(json!(true), List, Ok(json!(["True"])));
        check(json!({}), List, Err("<class 'dict'> cannot be converted to a list"));
        check(json!("k=v, k2='v 2'"), Dict, Ok(json!({"k": "v", "k2": "v 2"})));
        check(json!("{'a': 1}"), Dict, Ok(json!({"a": 1})));
        check(json!("{bad"), Dict, Err("unable to evaluate string as dictionary"));
        check(json!([1, "a", {"b": null}]), Str, Ok(json!("[1, 'a', {'b': None}]")));
        check(json!("~/x$HOME"), Path, Ok(json!("/home/me/x/home/me")));
        check(json!("~root/a$b${c}"), Path, Ok(json!("/root/a$b${c}")));
        check(json!("1Mb"), Bits, Ok(json!(1_048_576)));
        check(json!("1MB"), Bits, Err("<class 'str'> cannot be converted to a Bit value"));
        check(json!("1K"), Bytes, Ok(json!(1024)));
        check(json!("abc"), Bytes, Err("<class 'str'> cannot be converted to a Byte value"));
        check(json!({"a": 1}), Json, Ok(json!("{\"a\": 1}")));
        check(json!(5), Json, Err("<class 'int'> cannot be converted to a json string"));
        check(json!(" x "), JsonArg, Ok(json!("x")));
    }
}
