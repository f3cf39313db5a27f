//! JSON as Python writes it: keys in order, `", "` and `": "`, floats as `repr` has them; and YAML
//! as the original's callbacks write it.
//!
//! Knows no results: which keys are shown is for the caller.

use std::fmt::Write;

use davit_value::Value as DavitValue;
use davit_yaml::{DumpOptions, FlowStyle};
use serde_json::{Map, Value};

/// Values deeper than this are cut: nothing that a module returns is.
const MAX_DEPTH: usize = 500;

/// `json.dumps(value, sort_keys=True, ensure_ascii=False, indent=indent)`.
pub(crate) fn json(value: &Value, indent: Option<usize>) -> String {
    let mut out = String::new();
    write_value(&mut out, value, indent, 0);
    out
}

/// As [`json`], for an object.
pub(crate) fn json_map(map: &Map<String, Value>, indent: Option<usize>) -> String {
    let mut out = String::new();
    write_map(&mut out, map, indent, 0);
    out
}

fn write_value(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) {
    match value {
        _ if depth > MAX_DEPTH => out.push_str("null"),
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            let items = items.iter();
            write_all(out, ('[', ']'), indent, depth, items, |out, item| {
                write_value(out, item, indent, depth + 1);
            });
        }
        Value::Object(map) => write_map(out, map, indent, depth),
    }
}

fn write_map(out: &mut String, map: &Map<String, Value>, indent: Option<usize>, depth: usize) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    write_all(out, ('{', '}'), indent, depth, entries.into_iter(), |out, (key, value)| {
        write_string(out, key);
        out.push_str(": ");
        write_value(out, value, indent, depth + 1);
    });
}

#[expect(
    clippy::too_many_arguments,
    reason = "one bracket, one level, one way to write: a struct would be used once"
)]
fn write_all<T>(
    out: &mut String,
    (open, close): (char, char),
    indent: Option<usize>,
    depth: usize,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push(open);
    let mut any = false;
    for item in items {
        if any {
            out.push(',');
        }
        match indent {
            Some(indent) => new_line(out, indent * (depth + 1)),
            None if any => out.push(' '),
            None => {}
        }
        any = true;
        write(out, item);
    }
    if let Some(indent) = indent.filter(|_| any) {
        new_line(out, indent * depth);
    }
    out.push(close);
}

fn new_line(out: &mut String, spaces: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', spaces));
}

pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn write_number(out: &mut String, number: &serde_json::Number) {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => out.push_str(&float_repr(float)),
        None => out.push_str(&number.to_string()),
    }
}

/// A float as Python's `repr` writes it.
fn float_repr(float: f64) -> String {
    const PLAIN: std::ops::Range<i32> = -4..16;
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if PLAIN.contains(&exponent) {
        let plain = float.to_string();
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// How YAML results are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct YamlStyle {
    /// Changed for people: long texts as blocks, doubled lists left out, wider levels.
    pub(crate) pretty: bool,
    /// Columns of a level.
    pub(crate) indent: usize,
}

/// What a YAML result looks like after `=> `: lines, indented.
pub(crate) fn yaml(map: &Map<String, Value>, style: YamlStyle) -> String {
    let mut map = map.clone();
    if style.pretty {
        for name in ["stdout", "stderr"] {
            let lines = format!("{name}_lines");
            if map.contains_key(name) && map.contains_key(&lines) {
                map.insert(lines, "<omitted>".into());
            }
        }
    }
    let mut value = Value::Object(map);
    if style.pretty {
        make_readable(&mut value, 0);
    }
    let options = DumpOptions {
        indent: if style.pretty { i32::try_from(style.indent).unwrap_or(4) } else { 2 },
        default_flow_style: FlowStyle::Never,
        block_lines: true,
        ..DumpOptions::default()
    };
    let text = davit_yaml::dump(&DavitValue::from_json(&value), &options)
        .unwrap_or_else(|_| json(&value, Some(style.indent)));
    let mut out = String::new();
    for line in text.trim_end().lines() {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', style.indent));
            out.push_str(line);
        }
    }
    out
}

/// Texts of several lines become blocks, for which trailing spaces and tabs must go.
fn make_readable(value: &mut Value, depth: usize) {
    match value {
        Value::String(text) if text.contains('\n') => {
            let tidy: Vec<String> =
                text.trim_end().lines().map(|line| line.trim_end().replace('\t', "    ")).collect();
            *text = tidy.join("\n");
        }
        Value::Array(items) if depth < MAX_DEPTH => {
            items.iter_mut().for_each(|item| make_readable(item, depth + 1));
        }
        Value::Object(map) if depth < MAX_DEPTH => {
            map.values_mut().for_each(|item| make_readable(item, depth + 1));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (float, text) in [
            (1.0, "1.0"),
            (1e22, "1e+22"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-0.5, "-0.5"),
            (1.5e-7, "1.5e-07"),
            (1795248933.1158285, "1795248933.1158285"),
        ] {
            assert_eq!(float_repr(float), text);
        }
    }

    #[test]
    fn objects_are_sorted_and_set_out() {
        let object = value!({"b": [], "a": [1, {"é": "\u{1}\"\\/\n"}], "c": {}});
        assert_eq!(json(&object, None), r#"{"a": [1, {"é": "\u0001\"\\/\n"}], "b": [], "c": {}}"#);
        assert_eq!(
            json(&object, Some(2)),
            "{\n  \"a\": [\n    1,\n    {\n      \"é\": \"\\u0001\\\"\\\\/\\n\"\n    }\n  ],\n  \"b\": [],\n  \"c\": {}\n}"
        );
    }

    #[test]
    fn yaml_results_are_indented() {
        let Value::Object(map) =
            value!({"a": [1, {"b": "c"}], "m": "x \ny\n", "stdout": "", "stdout_lines": []})
        else {
            unreachable!()
        };
        assert_eq!(
            yaml(&map, YamlStyle { pretty: true, indent: 4 }),
            "\n    a:\n    - 1\n    -   b: c\n    m: |-\n        x\n        y\n    stdout: ''\n    stdout_lines: <omitted>"
        );
        assert_eq!(
            yaml(&map, YamlStyle { pretty: false, indent: 4 }),
            "\n    a:\n    - 1\n    - b: c\n    m: \"x \\ny\\n\"\n    stdout: ''\n    stdout_lines: []"
        );
    }
}
