//! `to_json` and its kin, `from_json`, `json_query`: Python's `json` to the last comma.
//!
//! Knows no JSON lines and no streaming.

use davit_value::{Key, Map, Value, ValueError};

use super::{json_literals, json_read};
use crate::Call;

type Answer = Result<Value, ValueError>;

/// How to write, with the names of Python's `json.dumps`.
#[derive(Clone, Debug)]
struct Style {
    indent: Option<String>,
    item: String,
    key: String,
    sort_keys: bool,
    ascii: bool,
    nan: bool,
    skip_keys: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            indent: None,
            item: ", ".into(),
            key: ": ".into(),
            sort_keys: false,
            ascii: true,
            nan: true,
            skip_keys: false,
        }
    }
}

fn write_text(text: &str, ascii: bool, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            char if (char as u32) < 0x20 || ascii && !char.is_ascii() => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

impl Style {
    fn line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            for _ in 0..depth {
                out.push_str(indent);
            }
        }
    }

    fn write(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), ValueError> {
        if depth > 900 {
            return Err(ValueError::Value(
                "maximum recursion depth exceeded while encoding a JSON object".into(),
            ));
        }
        match value {
            Value::Undefined(what) => return Err(ValueError::Undefined(what.clone())),
            Value::Null => out.push_str("null"),
            Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
            Value::Int(int) => out.push_str(&int.to_string()),
            Value::Float(float) if float.is_finite() => out.push_str(&value.repr()),
            Value::Float(float) => {
                if !self.nan {
                    return Err(ValueError::Value(format!(
                        "Out of range float values are not JSON compliant: {}",
                        value.repr()
                    )));
                }
                out.push_str(if float.is_nan() {
                    "NaN"
                } else if *float > 0.0 {
                    "Infinity"
                } else {
                    "-Infinity"
                });
            }
            Value::Str(text) => write_text(text, self.ascii, out),
            Value::List(list) | Value::Tuple(list) => self.write_list(list, depth, out)?,
            Value::Map(map) => self.write_map(map, depth, out)?,
            Value::Date(_) | Value::DateTime(..) => {
                write_text(&value.to_str().replacen(' ', "T", 1), self.ascii, out);
            }
            Value::Object(object) => match value.clone().settle()? {
                Value::Object(_) => {
                    return Err(ValueError::Type(format!(
                        "Object of type {} is not JSON serializable",
                        object.type_name()
                    )));
                }
                plain => self.write(&plain, depth, out)?,
            },
        }
        Ok(())
    }

    fn write_list(&self, list: &[Value], depth: usize, out: &mut String) -> Result<(), ValueError> {
        out.push('[');
        for (at, item) in list.iter().enumerate() {
            if at > 0 {
                out.push_str(&self.item);
            }
            self.line(depth + 1, out);
            self.write(item, depth + 1, out)?;
        }
        if !list.is_empty() {
            self.line(depth, out);
        }
        out.push(']');
        Ok(())
    }

    fn write_map(&self, map: &Map, depth: usize, out: &mut String) -> Result<(), ValueError> {
        let mut entries: Vec<(&Key, &Value)> = map.iter().collect();
        if self.sort_keys {
            let mut keyed: Vec<(Value, Value)> = entries
                .iter()
                .enumerate()
                .map(|(at, (key, _))| (key.to_value(), Value::from(at)))
                .collect();
            super::select::sort_by_keys(&mut keyed, false)?;
            entries = keyed
                .iter()
                .filter_map(|(_, at)| {
                    at.as_int()
                        .and_then(|at| usize::try_from(at).ok())
                        .and_then(|at| entries.get(at).copied())
                })
                .collect();
        }
        out.push('{');
        let mut first = true;
        for (key, value) in entries {
            if matches!(key, Key::Tuple(_)) {
                if self.skip_keys {
                    continue;
                }
                return Err(ValueError::Type(
                    "keys must be str, int, float, bool or None, not tuple".into(),
                ));
            }
            if !first {
                out.push_str(&self.item);
            }
            self.line(depth + 1, out);
            write_text(&key.to_text(), self.ascii, out);
            out.push_str(&self.key);
            self.write(value, depth + 1, out)?;
            first = false;
        }
        if !first {
            self.line(depth, out);
        }
        out.push('}');
        Ok(())
    }
}

fn indent_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Str(text) => Some(text.to_string()),
        other => {
            let count = other.as_number().unwrap_or(0.0).clamp(0.0, 1000.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped just above"
            )]
            Some(" ".repeat(count as usize))
        }
    }
}

/// The value as compact JSON text, in Python's default form.
///
/// # Errors
/// For undefined values and objects without a JSON form.
pub fn to_text(value: &Value) -> Result<String, ValueError> {
    let mut out = String::new();
    Style::default().write(value, 0, &mut out)?;
    Ok(out)
}

fn dumps(call: &Call<'_>, value: &Value, mut style: Style) -> Answer {
    let mut separators = None;
    for (key, value) in &call.args.named {
        let value = call.deep(value)?;
        match key.to_text().as_str() {
            "indent" => style.indent = indent_of(&value),
            "separators" if !value.is_null() => separators = Some(crate::call::items_of(&value)?),
            "sort_keys" => style.sort_keys = value.truthy()?,
            "ensure_ascii" => style.ascii = value.truthy()?,
            "allow_nan" => style.nan = value.truthy()?,
            "skipkeys" => style.skip_keys = value.truthy()?,
            "separators" | "check_circular" | "vault_to_text" | "preprocess_unsafe" | "default"
            | "cls" | "profile" => {}
            other => {
                return Err(ValueError::Type(format!(
                    "JSONEncoder.__init__() got an unexpected keyword argument '{other}'"
                )));
            }
        }
    }
    match separators.as_deref() {
        Some([item, key]) => (style.item, style.key) = (item.to_str(), key.to_str()),
        Some(other) => {
            let count = other.len();
            return Err(ValueError::Value(if count < 2 {
                format!("not enough values to unpack (expected 2, got {count})")
            } else {
                "too many values to unpack (expected 2)".into()
            }));
        }
        None if style.indent.is_some() => style.item = ",".into(),
        None => {}
    }
    let mut out = String::new();
    style.write(value, 0, &mut out)?;
    Ok(out.into())
}

fn positional(call: &Call<'_>, name: &str, most: usize) -> Result<Value, ValueError> {
    let given = call.args.positional.len();
    if given > most {
        return Err(ValueError::Type(format!(
            "{name}() takes from 1 to {most} positional arguments but {given} were given"
        )));
    }
    match call.args.positional.first() {
        Some(value) => call.deep(value),
        None => {
            Err(ValueError::Type(format!("{name}() missing 1 required positional argument: 'a'")))
        }
    }
}

pub(super) fn to_json(call: &Call<'_>) -> Answer {
    let value = positional(call, "to_json", 4)?;
    dumps(call, &value, Style::default())
}

pub(super) fn to_nice_json(call: &Call<'_>) -> Answer {
    let value = positional(call, "to_nice_json", 3)?;
    let mut style = Style { indent: Some("    ".into()), sort_keys: true, ..Style::default() };
    if let Some(indent) = call.args.positional.get(1) {
        style.indent = indent_of(&call.deep(indent)?);
    }
    if let Some(sort) = call.args.positional.get(2) {
        style.sort_keys = call.deep(sort)?.truthy()?;
    }
    dumps(call, &value, style)
}

/// As Flask has it: sorted keys, and nothing that HTML would take as its own.
pub(super) fn tojson(call: &Call<'_>) -> Answer {
    let bound = call.bind_env("do_tojson", &["value", "indent"], 1)?;
    let mut style =
        Style { sort_keys: true, indent: bound.some(1).and_then(indent_of), ..Style::default() };
    if style.indent.is_some() {
        style.item = ",".into();
    }
    let mut out = String::new();
    style.write(&bound.value(0), 0, &mut out)?;
    Ok(out
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\'', "\\u0027")
        .into())
}

pub(super) fn from_json(call: &Call<'_>) -> Answer {
    let value = positional(call, "from_json", 2)?;
    for key in call.args.named.keys() {
        let key = key.to_text();
        if !matches!(
            key.as_str(),
            "profile"
                | "strict"
                | "cls"
                | "parse_float"
                | "parse_int"
                | "parse_constant"
                | "object_hook"
                | "object_pairs_hook"
        ) {
            return Err(ValueError::Type(format!(
                "JSONDecoder.__init__() got an unexpected keyword argument '{key}'"
            )));
        }
    }
    match value.as_str() {
        Some(text) => json_read::parse(text),
        None => Err(ValueError::Type(format!(
            "the JSON object must be str, bytes or bytearray, not {}",
            value.type_name()
        ))),
    }
}

pub(super) fn json_query(call: &Call<'_>) -> Answer {
    let bound = call.bind("json_query", &["data", "expr"], 2)?;
    let expression = bound.text(1);
    let compiled =
        jmespath::compile(&json_literals::with_quotes(&expression)).map_err(|error| {
            ValueError::Value(format!("JMESPathError in json_query filter plugin:\n{error}"))
        })?;
    let found = compiled.search(bound.value(0).to_json()).map_err(|error| {
        ValueError::Value(format!("Error in jmespath.search in json_query filter plugin:\n{error}"))
    })?;
    Ok(from_variable(&found))
}

fn from_variable(variable: &jmespath::Variable) -> Value {
    use jmespath::Variable;
    match variable {
        Variable::Null | Variable::Expref(_) => Value::Null,
        Variable::Bool(bool) => Value::Bool(*bool),
        Variable::String(text) => text.as_str().into(),
        Variable::Number(number) => match number.as_i64() {
            Some(int) => Value::from(int),
            None => {
                let float = number.as_f64().unwrap_or(f64::NAN);
                // Sums and the like come back as floats even of whole numbers.
                #[expect(clippy::cast_possible_truncation, reason = "checked in the condition")]
                if float.fract() == 0.0 && float.abs() < 9e15 && variable.is_number() {
                    Value::Int(float as i128)
                } else {
                    Value::Float(float)
                }
            }
        },
        Variable::Array(items) => {
            Value::list(items.iter().map(|item| from_variable(item)).collect())
        }
        Variable::Object(entries) => Value::from(
            entries
                .iter()
                .map(|(key, value)| (key.as_str(), from_variable(value)))
                .collect::<Map>(),
        ),
    }
}
