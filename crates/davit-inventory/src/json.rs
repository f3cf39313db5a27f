//! Values as Python's `json.dumps(indent=4, sort_keys=True)` prints them, with the marks of the original's inventory profile.

use std::fmt::Write as _;

use davit_value::{Key, Value};

/// How texts without trust are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As themselves.
    Plain,
    /// As `{"__ansible_unsafe": ...}`, which [`load`](crate::Inventory::load) understands.
    Inventory,
}

/// Appends `value`, which begins at `depth` levels of four blanks.
pub(crate) fn write(out: &mut String, value: &Value, depth: usize, profile: Profile) {
    match value {
        Value::Undefined(_) | Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => {
            let _ = write!(out, "{int}");
        }
        Value::Float(float) if float.is_nan() => out.push_str("NaN"),
        Value::Float(float) if float.is_infinite() => {
            out.push_str(if *float > 0.0 { "Infinity" } else { "-Infinity" });
        }
        Value::Float(_) => out.push_str(&value.repr()),
        Value::Str(text) if text.is_vault() => marked(out, "__ansible_vault", text, depth),
        Value::Str(text) if profile == Profile::Inventory && !text.is_trusted() => {
            marked(out, "__ansible_unsafe", text, depth);
        }
        Value::Str(text) => write_text(out, text),
        Value::List(list) | Value::Tuple(list) => {
            if list.is_empty() {
                out.push_str("[]");
                return;
            }
            out.push('[');
            for (at, item) in list.iter().enumerate() {
                separate(out, at, depth + 1);
                write(out, item, depth + 1, profile);
            }
            close(out, depth, ']');
        }
        Value::Map(map) => {
            if map.is_empty() {
                out.push_str("{}");
                return;
            }
            let mut entries: Vec<(std::borrow::Cow<'_, str>, &Value)> =
                map.iter().map(|(key, value)| (text_of(key), value)).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                separate(out, at, depth + 1);
                write_text(out, &key);
                out.push_str(": ");
                write(out, value, depth + 1, profile);
            }
            close(out, depth, '}');
        }
        Value::Date(_) => write_text(out, &value.to_str()),
        Value::DateTime(..) => write_text(out, &value.to_str().replacen(' ', "T", 1)),
        Value::Object(object) => match value.clone().settle() {
            Ok(Value::Object(_)) | Err(_) => write_text(out, &object.repr()),
            Ok(settled) => write(out, &settled, depth, profile),
        },
    }
}

fn text_of(key: &Key) -> std::borrow::Cow<'_, str> {
    match key.as_str() {
        Some(text) => text.into(),
        None => key.to_text().into(),
    }
}

fn marked(out: &mut String, mark: &str, text: &str, depth: usize) {
    out.push('{');
    separate(out, 0, depth + 1);
    write_text(out, mark);
    out.push_str(": ");
    write_text(out, text);
    close(out, depth, '}');
}

/// A comma but before the first item, and a new line.
pub(crate) fn separate(out: &mut String, at: usize, depth: usize) {
    out.push_str(if at == 0 { "\n" } else { ",\n" });
    blanks(out, depth);
}

/// A new line and the closing bracket.
pub(crate) fn close(out: &mut String, depth: usize, bracket: char) {
    out.push('\n');
    blanks(out, depth);
    out.push(bracket);
}

fn blanks(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("    ");
    }
}

/// A string in quotes, letters beyond ASCII as they are.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // By far most texts have nothing to escape.
    while let Some(at) = rest.find(|char: char| matches!(char, '"' | '\\') || (char as u32) < 0x20)
    {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next().unwrap_or_default() {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            char @ ('"' | '\\') => out.extend(['\\', char]),
            char => {
                let _ = write!(out, "\\u{:04x}", char as u32);
            }
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_python_escapes_them() {
        let mut out = String::new();
        write_text(&mut out, "a\"b\\c\n\t\u{1}\u{7f}\u{e9}");
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\t\\u0001\u{7f}\u{e9}\"");
    }
}
