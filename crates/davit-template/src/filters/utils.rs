//! Filters of the collection ansible.utils on nested data: paths, positions, consolidation.
//!
//! Not here: `validate`, which needs engines of its own, and the XML filters.

use davit_value::{Args, Key, Map, Value, ValueError};

use crate::Call;
use crate::call::items_of;

type Answer = Result<Value, ValueError>;

fn refuse(text: impl Into<String>) -> ValueError {
    ValueError::Value(text.into())
}

/// `a.b[0]['c d']` as keys and indices.
fn path_parts(path: &str) -> Vec<Value> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let Some(end) = inner.find(']') else {
                out.push(inner.into());
                break;
            };
            let part = inner[..end].trim();
            let bare = part.trim_matches(['\'', '"']);
            out.push(match part.parse::<i128>() {
                Ok(index) if bare == part => Value::Int(index),
                _ => bare.into(),
            });
            rest = inner[end + 1..].trim_start_matches('.');
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            out.push(rest[..end].into());
            rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
        }
    }
    out
}

pub(super) fn get_path(call: &Call<'_>) -> Answer {
    let bound = call.bind("get_path", &["var", "path", "environment", "wantlist"], 2)?;
    let mut value = bound.value(0);
    for part in path_parts(&bound.text(1)) {
        value = call.env.item(&value, &part)?;
    }
    Ok(if bound.truth(3, false)? { Value::list(vec![value]) } else { value })
}

fn walk(value: &Value, path: String, out: &mut Map) {
    match value {
        Value::Map(map) if !map.is_empty() => {
            for (key, value) in map.iter() {
                let key = key.to_text();
                let plain = !key.is_empty()
                    && key.chars().all(|char| char.is_alphanumeric() || char == '_')
                    && !key.starts_with(|char: char| char.is_ascii_digit());
                let next = match (path.is_empty(), plain) {
                    (true, _) => key,
                    (false, true) => format!("{path}.{key}"),
                    (false, false) => format!("{path}['{key}']"),
                };
                walk(value, next, out);
            }
        }
        Value::List(list) | Value::Tuple(list) if !list.is_empty() => {
            for (at, value) in list.iter().enumerate() {
                walk(value, format!("{path}[{at}]"), out);
            }
        }
        other => drop(out.insert(path, other.clone())),
    }
}

pub(super) fn to_paths(call: &Call<'_>) -> Answer {
    let bound = call.bind("to_paths", &["var", "prepend", "wantlist"], 1)?;
    let mut out = Map::new();
    walk(&bound.value(0), bound.some(1).map(Value::to_str).unwrap_or_default(), &mut out);
    Ok(if bound.truth(2, false)? { Value::list(vec![out.into()]) } else { out.into() })
}

pub(super) fn index_of(call: &Call<'_>) -> Answer {
    let bound =
        call.bind("index_of", &["data", "test", "value", "key", "fail_on_missing", "wantlist"], 2)?;
    let items = items_of(&bound.value(0))?;
    let test = bound.text(1);
    let keys = match bound.some(3) {
        None => Vec::new(),
        Some(list @ (Value::List(_) | Value::Tuple(_))) => items_of(list)?,
        Some(one) => vec![one.clone()],
    };
    let mut out = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let mut value = item;
        for key in &keys {
            value = match value
                .as_map()
                .and_then(|map| Key::from_value(key).and_then(|key| map.get_key(&key).cloned()))
            {
                Some(found) => found,
                None if bound.truth(4, false)? => {
                    return Err(refuse(format!(
                        "'{}' was not found in '{}' at [{at}]",
                        key.to_str(),
                        value.to_str()
                    )));
                }
                None => Value::undefined_because("missing key"),
            };
        }
        if value.is_undefined() {
            continue;
        }
        let mut positional = vec![value];
        positional.extend(bound.get(2).cloned());
        let (negated, name) = match test.strip_prefix('!').or_else(|| test.strip_prefix("not ")) {
            Some(name) => (true, name.trim()),
            None => (false, test.as_str()),
        };
        if call.env.call_test(name, Args { positional, named: Map::new() })? != negated {
            out.push(Value::from(at));
        }
    }
    Ok(match out.as_slice() {
        [one] if !bound.truth(5, false)? => one.clone(),
        _ => Value::list(out),
    })
}

pub(super) fn consolidate(call: &Call<'_>) -> Answer {
    let bound = call.bind(
        "consolidate",
        &["data_sources", "fail_missing_match_key", "fail_missing_match_value", "fail_duplicate"],
        1,
    )?;
    let mut out = Map::new();
    for source in items_of(&bound.value(0))? {
        let part = |name: &str| {
            source
                .get(name)
                .cloned()
                .ok_or_else(|| refuse(format!("missing required argument: {name}")))
        };
        let (data, match_key, name) =
            (part("data")?, part("match_key")?.to_str(), part("name")?.to_str());
        for (at, item) in items_of(&data)?.into_iter().enumerate() {
            let Some(value) = item.get(&match_key) else {
                if bound.truth(1, false)? {
                    return Err(refuse(format!(
                        "missing match key '{match_key}' in data source {name} in list entry {at}"
                    )));
                }
                continue;
            };
            let key = super::dicts::key_of(value)?;
            let mut held = out.get_key(&key).and_then(Value::as_map).cloned().unwrap_or_default();
            if held.insert(name.as_str(), item.clone()).is_some() && bound.truth(3, false)? {
                return Err(refuse(format!(
                    "duplicate match value {} in data source {name}",
                    value.to_str()
                )));
            }
            out.insert(key, held.into());
        }
    }
    Ok(out.into())
}

/// Applies to every dictionary at every depth.
fn prune(value: &Value, keep: &dyn Fn(&str) -> Result<bool, ValueError>, removing: bool) -> Answer {
    Ok(match value {
        Value::Map(map) => {
            let mut out = Map::new();
            for (key, value) in map.iter() {
                let hit = keep(&key.to_text())?;
                let inner = prune(value, keep, removing)?;
                let nested = matches!(value, Value::Map(_) | Value::List(_));
                if removing {
                    if !hit {
                        out.insert(key.clone(), inner);
                    }
                } else if hit {
                    out.insert(key.clone(), if nested { value.clone() } else { inner });
                } else if nested && inner.truthy()? {
                    out.insert(key.clone(), inner);
                }
            }
            out.into()
        }
        Value::List(list) => {
            let mut out = Vec::new();
            for item in list.iter() {
                let inner = prune(item, keep, removing)?;
                let nested = matches!(item, Value::Map(_) | Value::List(_));
                if if nested { inner.truthy()? } else { removing } {
                    out.push(inner);
                }
            }
            Value::list(out)
        }
        other => other.clone(),
    })
}

fn pruned(call: &Call<'_>, name: &'static str, removing: bool) -> Answer {
    let bound = call.bind(name, &["data", "target", "matching_parameter"], 2)?;
    let targets: Vec<String> = match bound.get(1) {
        Some(list @ (Value::List(_) | Value::Tuple(_))) => {
            items_of(list)?.iter().map(Value::to_str).collect()
        }
        other => other.map(Value::to_str).into_iter().collect(),
    };
    let how = bound.text_or(2, "equality");
    let keep = |key: &str| -> Result<bool, ValueError> {
        for target in &targets {
            let hit = match how.as_str() {
                "starts_with" => key.starts_with(target),
                "ends_with" => key.ends_with(target),
                "regex" => super::pattern::Pattern::new(target, super::pattern::Flags::default())?
                    .find_from(key, 0)?
                    .is_some_and(|found| found.get(0).is_some_and(|it| it.start() == 0)),
                _ => key == target,
            };
            if hit {
                return Ok(true);
            }
        }
        Ok(false)
    };
    prune(&bound.value(0), &keep, removing)
}

pub(super) fn utils_keep_keys(call: &Call<'_>) -> Answer {
    pruned(call, "keep_keys", false)
}

pub(super) fn utils_remove_keys(call: &Call<'_>) -> Answer {
    pruned(call, "remove_keys", true)
}
