//! `csvfile`: a cell of a table in a file.
//!
//! The first row is a row like any other.

use davit_value::{Value, ValueError};

use super::files::{content, find, warn_missing};
use super::parameters::{as_int, key_values, option, terms};
use crate::Call;
use crate::filters::encode;

pub(super) fn csvfile(call: &Call<'_>) -> Result<Value, ValueError> {
    let terms = terms(call)?;
    let refuse = |why: String| ValueError::Value(why);
    if terms.is_empty() {
        return Err(refuse("Search key is required but was not found".into()));
    }
    let mut out = Vec::new();
    for term in &terms {
        let (key, pairs) = key_values(&term.to_str());
        let mut settings = davit_value::Map::new();
        for name in ["file", "delimiter", "col", "keycol", "encoding", "default"] {
            if let Some(value) = option(call, name)? {
                settings.insert(name, value);
            }
        }
        for (name, value) in pairs {
            if !matches!(
                name.as_str(),
                "file" | "delimiter" | "col" | "keycol" | "encoding" | "default" | "key"
            ) {
                return Err(refuse(format!("{name} is not a valid option")));
            }
            settings.insert(name, value.into());
        }
        if key.is_empty() {
            return Err(refuse("Search key is required but was not found".into()));
        }
        let text_of = |name: &str, default: &str| {
            settings.get(name).map_or_else(|| default.to_owned(), Value::to_str)
        };
        let number = |name: &str, default: i128| {
            settings.get(name).map_or(Ok(default), |value| as_int("csvfile", name, value))
        };
        let (column, key_column) = (number("col", 1)?, number("keycol", 0)?);
        let name = text_of("file", "ansible.csv");
        let Some(path) = find(call, "files", &name) else {
            warn_missing(call, &name);
            return Err(ValueError::Type(
                "expected str, bytes or os.PathLike object, not NoneType".into(),
            ));
        };
        let delimiter = match text_of("delimiter", "TAB").as_str() {
            "TAB" | "t" => b'\t',
            other => match other.as_bytes() {
                [one] => *one,
                _ => {
                    return Err(ValueError::Type(
                        "\"delimiter\" must be a 1-character string".into(),
                    ));
                }
            },
        };
        let text = encode::decode(&content(call, &path)?, &text_of("encoding", "utf-8"))?;
        match cell(&text, delimiter, &key, (key_column, column))? {
            Some(found) => out.push(found.into()),
            None => out.extend(settings.get("default").cloned()),
        }
    }
    Ok(Value::list(out))
}

/// A place from the front or, where it is negative, from the back.
fn at(row: &csv::StringRecord, index: i128) -> Option<&str> {
    let length = row.len() as i128;
    let index = if index < 0 { index + length } else { index };
    usize::try_from(index).ok().and_then(|index| row.get(index))
}

fn cell(
    text: &str,
    delimiter: u8,
    key: &str,
    (key_column, column): (i128, i128),
) -> Result<Option<String>, ValueError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    for row in reader.records() {
        let row = row.map_err(|error| ValueError::Value(error.to_string()))?;
        let beyond = || ValueError::Value("list index out of range".into());
        if at(&row, key_column).ok_or_else(beyond)? == key {
            return Ok(Some(at(&row, column).ok_or_else(beyond)?.to_owned()));
        }
    }
    Ok(None)
}
