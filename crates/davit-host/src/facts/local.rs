//! `ansible_local`: what the host's owner says of it, in `*.fact` files.
//!
//! A file holds JSON or INI; one that may be run is run, and prints JSON or INI. A file that says
//! nothing sensible becomes a sentence about what is wrong with it, and a warning.

use std::path::Path;

use serde_json::{Map, Value};

use super::Gathering;

/// Gathers `local`.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let folder = to.request.fact_path.clone();
    let mut facts = Map::new();
    for name in to.place.list(&folder) {
        let Some(key) = name.strip_suffix(".fact") else { continue };
        if key.starts_with('.') {
            continue;
        }
        let path = folder.join(&name);
        if to.place.is_dir(&path) {
            continue;
        }
        let told = if to.place.is_executable(&path) { run(to, &path) } else { read(to, &path) };
        let value = told.unwrap_or_else(|complaint| {
            to.warnings.push(complaint.clone());
            complaint.into()
        });
        facts.insert(key.to_owned(), value);
    }
    to.set("local", facts);
}

fn run(to: &Gathering<'_>, path: &Path) -> Result<Value, String> {
    let shown = path.display();
    let real = to.place.real(path);
    let Some(ran) = to.place.run(&[&real.to_string_lossy()]) else {
        return Err(format!("Could not execute fact script ({shown})"));
    };
    if ran.rc != 0 {
        let err = String::from_utf8_lossy(&ran.stderr);
        return Err(format!("Failure executing fact script ({shown}), rc: {}, err: {err}", ran.rc));
    }
    let text = String::from_utf8(ran.stdout)
        .map_err(|_| format!("Could not decode output of fact script ({shown})"))?;
    parse(&text).map_err(|why| {
        format!("error loading facts as ini - please check content: {shown} ({why})")
    })
}

fn read(to: &Gathering<'_>, path: &Path) -> Result<Value, String> {
    let text = std::fs::read(to.place.real(path)).ok().and_then(|it| String::from_utf8(it).ok());
    parse(&text.unwrap_or_default()).map_err(|_| {
        format!("error loading facts as JSON or ini - please check content: {}", path.display())
    })
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).or_else(|_| ini(text).map(Value::Object))
}

/// Sections of names and values, as Python's `configparser` reads them.
fn ini(text: &str) -> Result<Map<String, Value>, String> {
    let mut sections: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut defaults: Vec<(String, String)> = Vec::new();
    let mut in_defaults = false;
    let mut indent = 0;
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let current = if in_defaults {
            Some(&mut defaults)
        } else {
            sections.last_mut().map(|(_, options)| options)
        };
        let depth = line.len() - line.trim_start().len();
        if open && depth > indent {
            if let Some((_, value)) = current.and_then(|it| it.last_mut()) {
                value.push('\n');
                value.push_str(trimmed);
                continue;
            }
        } else if let Some(name) = trimmed.strip_prefix('[').and_then(|it| it.split_once(']')) {
            let name = name.0;
            in_defaults = name == "DEFAULT";
            if !in_defaults {
                if sections.iter().any(|(it, _)| it == name) {
                    return Err(format!("line {number}: section '{name}' already exists"));
                }
                sections.push((name.to_owned(), Vec::new()));
            }
            open = false;
        } else {
            let Some(current) = current else {
                return Err(format!("line {number}: there is no section header"));
            };
            let Some((key, value)) = trimmed.split_once(['=', ':']) else {
                return Err(format!("line {number}: neither a section nor an option"));
            };
            let key = key.trim().to_lowercase();
            if key.is_empty() || current.iter().any(|(it, _)| *it == key) {
                return Err(format!("line {number}: option '{key}' already exists"));
            }
            current.push((key, value.trim().to_owned()));
            (open, indent) = (true, depth);
        }
    }
    let mut facts = Map::new();
    for (name, options) in sections {
        let mut values = Map::new();
        let all: Vec<&(String, String)> = defaults
            .iter()
            .filter(|(key, _)| !options.iter().any(|it| it.0 == *key))
            .chain(&options)
            .collect();
        for (key, value) in &all {
            values.insert(key.clone(), interpolate(value, &all, 0)?.into());
        }
        facts.insert(name, values.into());
    }
    Ok(facts)
}

/// Replaces `%(name)s` by the option of that name, and `%%` by `%`.
fn interpolate(text: &str, options: &[&(String, String)], depth: u8) -> Result<String, String> {
    if depth > 10 {
        return Err("values that contain one another are too deep".to_owned());
    }
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            result.push('%');
            rest = after;
        } else if let Some(named) = after.strip_prefix('(') {
            let Some((name, after)) = named.split_once(")s") else {
                return Err(format!("bad interpolation variable reference '%{after}'"));
            };
            let value = options.iter().find(|it| it.0 == name.to_lowercase());
            let Some((_, value)) = value else {
                return Err(format!("the option '{name}' is not there"));
            };
            result.push_str(&interpolate(value, options, depth + 1)?);
            rest = after;
        } else {
            return Err(format!("'%' must be followed by '%' or '(', found: '%{after}'"));
        }
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ini_and_json_become_maps() {
        let check = |text: &str, expect: Value| assert_eq!(parse(text).unwrap(), expect, "{text}");
        check("{\"a\": [1, null]}", json!({"a": [1, null]}));
        check("\"text\"", json!("text"));
        check("", json!({}));
        check(
            "[general]\nasdf=1\nBar = True\nmulti = a\n  b\n[other]\nX: y # c\n",
            json!({
                "general": {"asdf": "1", "bar": "True", "multi": "a\nb"},
                "other": {"x": "y # c"},
            }),
        );
        check("[DEFAULT]\nd=0\n[a]\nk=%(d)s%%\n", json!({"a": {"d": "0", "k": "0%"}}));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in
            ["not ini", "[a]\nk\n", "[a]\n[a]\n", "[a]\nk=1\nk=2\n", "[a]\nk=%(x)s\n", "[a]\nk=%d"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("[a]\na=%(b)s\nb=%(a)s\n").is_err());
    }
}
