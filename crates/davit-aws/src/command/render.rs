//! Answers as people and scripts read them: JSON, text, tables and YAML. Knows no operation.
//!
//! Source: the AWS CLI's formatters; their output is the same to the byte, but for YAML, which its
//! version 1 does not have.

mod table;
mod text;
mod width;
mod yaml;

use std::fmt::Write;

use crate::value::{Map, Value};

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON, four spaces deep.
    #[default]
    Json,
    /// A line a thing, with tabs.
    Text,
    /// Tables in tables.
    Table,
    /// YAML.
    Yaml,
}

impl Format {
    /// The format of a name: `json`, `text`, `table`, `yaml`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "text" => Some(Self::Text),
            "table" => Some(Self::Table),
            "yaml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// What matters for tables alone.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The title: the operation's name in the model.
    pub title: &'a str,
    /// How many columns there are; wider tables are turned on their side.
    pub width: usize,
    /// Whether there are colours.
    pub colour: bool,
}

impl Default for Look<'_> {
    fn default() -> Self {
        Self { title: "", width: 80, colour: false }
    }
}

/// An answer, or what a query gave of it, with the line's end behind it. Nothing at all for an answer
/// with nothing in it. What an answer says of itself (`ResponseMetadata`) is not shown.
#[must_use]
pub fn render(value: &Value, format: Format, look: Look<'_>) -> String {
    let shorter;
    let value = match value {
        Value::Map(map) if map.contains_key("ResponseMetadata") => {
            let mut map: Map = map.clone();
            map.shift_remove("ResponseMetadata");
            shorter = Value::Map(map);
            &shorter
        }
        value => value,
    };
    match format {
        Format::Text => text::render(value),
        Format::Table => table::render(value, look),
        Format::Json | Format::Yaml if matches!(value, Value::Map(map) if map.is_empty()) => {
            String::new()
        }
        Format::Json => {
            let mut out = String::new();
            json(&mut out, value, 0);
            out.push('\n');
            out
        }
        Format::Yaml => yaml::render(value),
    }
}

/// Whether it is neither a list nor a map.
const fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_))
}

/// Anything but a list or map as text and tables show it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => float(*number, ["nan", "inf", "-inf"]),
        Value::String(text) => text.clone(),
        Value::Blob(bytes) => crate::base64(bytes),
        Value::Timestamp(time) => crate::time::iso8601_offset(*time),
        Value::List(_) | Value::Map(_) => {
            let mut out = String::new();
            json(&mut out, value, 0);
            out
        }
    }
}

/// A number as Python writes it: the shortest that reads as the same, `1e+16`, `1e-05`.
fn float(number: f64, names: [&str; 3]) -> String {
    if number.is_nan() {
        return names[0].to_owned();
    }
    if number.is_infinite() {
        return names[if number > 0.0 { 1 } else { 2 }].to_owned();
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{}e{sign}{exponent:0>2}", digits.trim_end_matches(".0"))
        }
    }
}

fn json(out: &mut String, value: &Value, depth: usize) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", depth));
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
        Value::Float(it) => out.push_str(&float(*it, ["NaN", "Infinity", "-Infinity"])),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                json(out, item, depth + 1);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (place, (name, item)) in map.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                quoted(out, name);
                out.push_str(": ");
                json(out, item, depth + 1);
            }
            line(out, depth);
            out.push('}');
        }
        Value::Int(it) => out.push_str(&it.to_string()),
        other => quoted(out, &plain(other)),
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for it in text.chars() {
        match it {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\0'..='\x1f' => {
                write!(out, "\\u{:04x}", u32::from(it)).expect("a string takes all");
            }
            _ => out.push(it),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_written_as_python_does() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5e-7, "-2.5e-07"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(float(number, ["", "", ""]), text);
        }
    }

    #[test]
    fn answers_without_anything_are_not_shown() {
        let value: Value = json!({"ResponseMetadata": {"RequestId": "1"}}).into();
        for format in [Format::Json, Format::Text, Format::Table, Format::Yaml] {
            assert_eq!(render(&value, format, Look::default()), "");
        }
        assert_eq!(render(&Value::Null, Format::Json, Look::default()), "null\n");
    }
}
