//! Answers as lines of words with tabs between them. Knows nothing of other formats.

use std::collections::BTreeSet;

use super::{is_scalar, plain};
use crate::value::{Map, Value};

pub(super) fn render(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, None, None);
    out
}

/// Names of scalars that all maps of a list have a column for.
type Columns<'a> = BTreeSet<&'a str>;

fn write(out: &mut String, value: &Value, name: Option<&str>, columns: Option<&Columns<'_>>) {
    match value {
        Value::Map(map) => write_map(out, map, name, columns),
        Value::List(items) => write_list(out, items, name),
        scalar => line(out, [plain(scalar)]),
    }
}

fn line(out: &mut String, words: impl IntoIterator<Item = String>) {
    for (place, word) in words.into_iter().enumerate() {
        if place > 0 {
            out.push('\t');
        }
        out.push_str(&word);
    }
    out.push('\n');
}

fn write_list(out: &mut String, items: &[Value], name: Option<&str>) {
    if items.iter().any(|it| matches!(it, Value::Map(_))) {
        let columns: Columns<'_> = items
            .iter()
            .filter_map(Value::as_map)
            .flatten()
            .filter(|(_, value)| is_scalar(value))
            .map(|(key, _)| key.as_str())
            .collect();
        for item in items {
            write(out, item, name, Some(&columns));
        }
        return;
    }
    let (scalars, others): (Vec<_>, Vec<_>) = items.iter().partition(|it| is_scalar(it));
    if !scalars.is_empty() {
        match name {
            Some(name) => {
                scalars.iter().for_each(|it| line(out, [name.to_uppercase(), plain(it)]));
            }
            None => line(out, scalars.iter().map(|it| plain(it))),
        }
    }
    for other in others {
        write(out, other, name, None);
    }
}

fn write_map(out: &mut String, map: &Map, name: Option<&str>, columns: Option<&Columns<'_>>) {
    let mut keys: Vec<&str> = map.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let words: Vec<String> = match columns {
        Some(columns) => {
            columns.iter().map(|key| map.get(*key).map_or_else(String::new, plain)).collect()
        }
        None => keys.iter().map(|key| &map[*key]).filter(|it| is_scalar(it)).map(plain).collect(),
    };
    if !words.is_empty() {
        line(out, name.map(str::to_uppercase).into_iter().chain(words));
    }
    for key in keys {
        let shown = columns.map_or_else(|| is_scalar(&map[key]), |it| it.contains(key));
        if !shown {
            write(out, &map[key], Some(key), None);
        }
    }
}
