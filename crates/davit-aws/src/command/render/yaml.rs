//! Answers as YAML: blocks, texts plain where nothing else could be meant. Knows nothing of other
//! formats.

use super::{float, plain, quoted};
use crate::value::Value;

pub(super) fn render(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Map(_) | Value::List(_) if !is_empty(value) => block(&mut out, value, 0, true),
        value => {
            inline(&mut out, value, 0);
            out.push('\n');
        }
    }
    out
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// A map or list with something in it. `fresh` means that nothing stands on the line yet.
fn block(out: &mut String, value: &Value, depth: usize, mut fresh: bool) {
    let mut start = |out: &mut String| {
        if fresh {
            indent(out, depth);
        }
        fresh = true;
    };
    match value {
        Value::Map(map) => {
            for (name, value) in map {
                start(out);
                scalar_text(out, name);
                out.push(':');
                match value {
                    Value::List(_) if !is_empty(value) => {
                        out.push('\n');
                        block(out, value, depth, true);
                    }
                    Value::Map(_) if !is_empty(value) => {
                        out.push('\n');
                        block(out, value, depth + 1, true);
                    }
                    value => {
                        out.push(' ');
                        inline(out, value, depth + 1);
                        out.push('\n');
                    }
                }
            }
        }
        Value::List(items) => {
            for item in items {
                start(out);
                out.push_str("- ");
                if matches!(item, Value::Map(_) | Value::List(_)) && !is_empty(item) {
                    block(out, item, depth + 1, false);
                } else {
                    inline(out, item, depth + 1);
                    out.push('\n');
                }
            }
        }
        _ => {}
    }
}

/// What stands behind a colon or dash; lines of a long text stand at `depth`.
fn inline(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
        Value::Int(it) => out.push_str(&it.to_string()),
        // Some readers take only what has a point in it for a number that is not whole.
        Value::Float(it) => match float(*it, [".nan", ".inf", "-.inf"]) {
            text if text.contains('.') => out.push_str(&text),
            text => out.push_str(&text.replacen('e', ".0e", 1)),
        },
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
        Value::String(text) if is_lines(text) => lines(out, text, depth.max(1)),
        other => scalar_text(out, &plain(other)),
    }
}

/// Whether a text is best shown as its lines.
fn is_lines(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with(['\n', ' '])
        && text.chars().all(|it| it == '\n' || is_plain_char(it))
        && !text.split('\n').any(|it| it.ends_with(' '))
}

fn lines(out: &mut String, text: &str, depth: usize) {
    let body = text.trim_end_matches('\n');
    out.push_str(match text.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
    }
    // The last line's end is written by who asked for it.
    for _ in 1..text.len() - body.len() {
        out.push('\n');
    }
}

/// Characters that stand for themselves.
fn is_plain_char(it: char) -> bool {
    !it.is_control()
        && !matches!(it, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn scalar_text(out: &mut String, text: &str) {
    if stands_plain(text) {
        out.push_str(text);
        return;
    }
    let start = out.len();
    quoted(out, text);
    if out[start..].chars().all(is_plain_char) {
        return;
    }
    let escaped: String =
        out[start..]
            .chars()
            .map(|it| {
                if is_plain_char(it) { it.to_string() } else { format!("\\u{:04x}", u32::from(it)) }
            })
            .collect();
    out.truncate(start);
    out.push_str(&escaped);
}

/// Whether a text without quotes is read as that text.
fn stands_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    // Whatever begins like a number or a time is put into quotes, and so are words for other values.
    (first.is_alphabetic() || first == '/' || first == '_')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(is_plain_char)
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "null"
        )
}
