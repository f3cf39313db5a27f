//! Dictionaries as TOML, laid out as Python's `tomli_w` does it. Knows no inventory.

use std::fmt::Write as _;

use davit_value::{Key, Map, Value};

use crate::Error;

/// Tables in arrays stay on one line up to this length.
const LINE: usize = 100;

/// How deep tables may nest.
const MAX_DEPTH: usize = 200;

/// The text of `map`.
///
/// # Errors
/// For null, which TOML does not have, and for what nests too deeply.
pub(crate) fn dump(map: &Map) -> Result<String, Error> {
    let mut out = String::new();
    table(&mut out, map, "", false, 0)?;
    Ok(out)
}

fn table(
    out: &mut String,
    map: &Map,
    name: &str,
    in_array: bool,
    depth: usize,
) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Unwritable("tables nest too deeply for TOML".into()));
    }
    let mut literals: Vec<(&Key, &Value)> = Vec::new();
    let mut tables: Vec<(&Key, &Map, bool)> = Vec::new();
    for (key, value) in map {
        match value {
            Value::Map(inner) => tables.push((key, inner, false)),
            Value::List(items) | Value::Tuple(items) if is_array_of_tables(items)? => {
                tables.extend(items.iter().filter_map(|item| Some((key, item.as_map()?, true))));
            }
            value => literals.push((key, value)),
        }
    }
    let mut begun = false;
    if in_array || (!name.is_empty() && (!literals.is_empty() || tables.is_empty())) {
        begun = true;
        let _ = if in_array { writeln!(out, "[[{name}]]") } else { writeln!(out, "[{name}]") };
    }
    for (key, value) in literals {
        begun = true;
        out.push_str(&key_part(key));
        out.push_str(" = ");
        literal(out, value, 0)?;
        out.push('\n');
    }
    for (key, inner, in_array) in tables {
        if begun {
            out.push('\n');
        }
        begun = true;
        let part = key_part(key);
        let name = if name.is_empty() { part } else { format!("{name}.{part}") };
        table(out, inner, &name, in_array, depth + 1)?;
    }
    Ok(())
}

/// True for lists of tables of which one is too long for a line of its own.
fn is_array_of_tables(items: &[Value]) -> Result<bool, Error> {
    if items.is_empty() || !items.iter().all(|item| matches!(item, Value::Map(_))) {
        return Ok(false);
    }
    for item in items {
        let mut text = String::new();
        literal(&mut text, item, 0)?;
        if text.contains('\n') || text.chars().count() + 5 > LINE {
            return Ok(true);
        }
    }
    Ok(false)
}

fn literal(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Unwritable("values nest too deeply for TOML".into()));
    }
    match value {
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(_) | Value::Float(_) | Value::Date(_) | Value::DateTime(..) => {
            out.push_str(&value.to_str());
        }
        Value::Str(text) => out.push_str(&quoted(text)),
        Value::List(items) | Value::Tuple(items) => {
            if items.is_empty() {
                out.push_str("[]");
                return Ok(());
            }
            out.push_str("[\n");
            for item in items.iter() {
                indent(out, depth + 1);
                literal(out, item, depth + 1)?;
                out.push_str(",\n");
            }
            indent(out, depth);
            out.push(']');
        }
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::Map(map) => {
            out.push_str("{ ");
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                out.push_str(&key_part(key));
                out.push_str(" = ");
                literal(out, value, depth)?;
            }
            out.push_str(" }");
        }
        Value::Undefined(_) | Value::Null | Value::Object(_) => {
            return Err(Error::Unwritable(format!(
                "Unexpected Exception, this is probably a bug: Object of type '{}' is not TOML serializable",
                value.type_name()
            )));
        }
    }
    Ok(())
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("    ");
    }
}

fn key_part(key: &Key) -> String {
    let text = key.to_text();
    let bare = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { text } else { quoted(&text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push('\t'),
            char if char.is_ascii_control() => {
                let _ = write!(out, "\\u{:04x}", char as u32);
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
