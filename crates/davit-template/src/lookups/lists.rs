//! Lookups that rearrange lists: `items`, `nested`, `together`, `subelements` and their like.
//!
//! They reach nothing outside.

use davit_value::{Map, Value, ValueError};

use super::parameters::{as_bool, option, terms};
use crate::Call;
use crate::call::items_of;
use crate::filters::lists::rows;
use crate::filters::random::Twister;

type Answer = Result<Value, ValueError>;

/// One level of lists opened.
fn flatten_once(items: Vec<Value>) -> Vec<Value> {
    items
        .into_iter()
        .flat_map(|item| match &item {
            Value::List(list) | Value::Tuple(list) => list.to_vec(),
            _ => vec![item],
        })
        .collect()
}

pub(super) fn list(call: &Call<'_>) -> Answer {
    Ok(Value::list(call.args.positional.clone()))
}

pub(super) fn items(call: &Call<'_>) -> Answer {
    let terms: Vec<Value> =
        call.args.positional.iter().map(|term| call.shallow(term)).collect::<Result<_, _>>()?;
    Ok(Value::list(flatten_once(terms)))
}

pub(super) fn flattened(call: &Call<'_>) -> Answer {
    fn open(items: &[Value], out: &mut Vec<Value>) {
        for item in items {
            match item.as_list() {
                Some(list) => open(list, out),
                None if item.is_null() || matches!(item.as_str(), Some("None" | "null")) => {}
                None => out.push(item.clone()),
            }
        }
    }
    let mut out = Vec::new();
    open(&terms(call)?, &mut out);
    Ok(Value::list(out))
}

pub(super) fn indexed_items(call: &Call<'_>) -> Answer {
    let items = flatten_once(terms(call)?);
    Ok(Value::list(
        items
            .into_iter()
            .enumerate()
            .map(|(at, item)| Value::tuple(vec![at.into(), item]))
            .collect(),
    ))
}

pub(super) fn dict(call: &Call<'_>) -> Answer {
    let mut out = Vec::new();
    for term in terms(call)? {
        let settled = term.clone().settle()?;
        let Some(map) = settled.as_map() else {
            let class = match &term {
                Value::List(_) => {
                    "ansible._internal._templating._lazy_containers._AnsibleLazyTemplateList"
                }
                other => other.type_name(),
            };
            return Err(ValueError::Type(format!(
                "the 'dict' lookup plugin expects a dictionary, got '{}' of type <class '{class}'>)",
                term.to_str()
            )));
        };
        for (key, value) in map {
            let entry: Map =
                [("key", key.to_value()), ("value", value.clone())].into_iter().collect();
            out.push(entry.into());
        }
    }
    Ok(Value::list(out))
}

pub(super) fn nested(call: &Call<'_>) -> Answer {
    let lists = terms(call)?;
    let Some((first, rest)) = lists.split_first() else {
        return Err(ValueError::Value(
            "with_nested requires at least one element in the nested list".into(),
        ));
    };
    let mut out = items_of(first)?;
    for list in rest {
        let items = items_of(list)?;
        if out.len().saturating_mul(items.len()) > 10_000_000 {
            return Err(ValueError::Value("the result is too large".into()));
        }
        out = out
            .iter()
            .flat_map(|left| {
                items
                    .iter()
                    .map(move |right| Value::list(flatten_once(vec![left.clone(), right.clone()])))
            })
            .collect();
    }
    out.into_iter()
        .map(|row| Ok(Value::list(flatten_once(items_of(&row)?))))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::list)
}

pub(super) fn cartesian(call: &Call<'_>) -> Answer {
    let lists = terms(call)?;
    if lists.is_empty() {
        return Err(ValueError::Value(
            "with_cartesian requires at least one element in each list".into(),
        ));
    }
    let mut out: Vec<Vec<Value>> = vec![Vec::new()];
    for list in &lists {
        let items = items_of(list)?;
        if out.len().saturating_mul(items.len()) > 10_000_000 {
            return Err(ValueError::Value("the result is too large".into()));
        }
        out = out
            .iter()
            .flat_map(|row| {
                items.iter().map(move |item| [row.clone(), vec![item.clone()]].concat())
            })
            .collect();
    }
    Ok(Value::list(out.into_iter().map(|row| Value::list(flatten_once(row))).collect()))
}

pub(super) fn together(call: &Call<'_>) -> Answer {
    let lists = terms(call)?;
    if lists.is_empty() {
        return Err(ValueError::Value(
            "with_together requires at least one element in each list".into(),
        ));
    }
    let columns = lists.iter().map(items_of).collect::<Result<Vec<_>, _>>()?;
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let rows = rows(&columns, longest, &Value::Null);
    Ok(Value::list(
        items_of(&rows)?
            .iter()
            .map(|row| Ok(Value::list(flatten_once(items_of(row)?))))
            .collect::<Result<_, ValueError>>()?,
    ))
}

pub(super) fn random_choice(call: &Call<'_>) -> Answer {
    let terms = &call.args.positional;
    if terms.is_empty() {
        return Ok(Value::list(Vec::new()));
    }
    let at = Twister::unforeseen().index(terms.len());
    Ok(Value::list(vec![terms[at].clone()]))
}

/// The value at a path, and the element without it.
fn take(element: &Map, path: &[&str]) -> Option<(Value, Map)> {
    let (first, rest) = path.split_first()?;
    let found = element.get(first)?;
    let mut left = element.clone();
    if rest.is_empty() {
        left.remove(first);
        return Some((found.clone(), left));
    }
    let (value, inner) = take(found.as_map()?, rest)?;
    left.insert(*first, inner.into());
    Some((value, left))
}

pub(super) fn subelements(call: &Call<'_>) -> Answer {
    let terms = terms(call)?;
    let expects = |what: &str| {
        ValueError::Value(format!(
            "subelements lookup expects a list of two or three items, {what}"
        ))
    };
    let (list, key, flags) = match terms.as_slice() {
        [list, key] => (list, key, None),
        [list, key, flags] => (list, key, Some(flags)),
        _ => {
            return Err(ValueError::Value(
                "subelements lookup expects a list of two or three items,".into(),
            ));
        }
    };
    let elements = match list {
        Value::List(list) | Value::Tuple(list) => list.to_vec(),
        Value::Map(map) => map.values().cloned().collect(),
        _ => return Err(expects("first a dict or a list, second a string pointing to the subkey")),
    };
    let Some(path) = key.as_str() else {
        return Err(expects("first a dict or a list, second a string pointing to the subkey"));
    };
    let mut skip = option(call, "skip_missing")?;
    if let Some(flags) = flags {
        let Some(map) = flags.as_map() else {
            return Err(expects(
                "the optional third item must be a dict with flags ('skip_missing',)",
            ));
        };
        if map.keys().any(|key| key.as_str() != Some("skip_missing")) {
            return Err(expects(
                "the optional third item must be a dict with flags ('skip_missing',)",
            ));
        }
        skip = map.get("skip_missing").cloned().or(skip);
    }
    let skip = skip.map_or(Ok(false), |value| as_bool("subelements", "skip_missing", &value))?;
    let parts: Vec<&str> = path.split('.').collect();
    let last = parts.last().copied().unwrap_or_default();
    let mut out = Vec::new();
    for element in &elements {
        let Some(map) = element.as_map() else {
            return Err(expects(&format!(
                "item has to be a dictionary, got '{}'",
                element.to_str()
            )));
        };
        if map.get("skipped").is_some_and(|skipped| skipped.truthy().unwrap_or(false)) {
            continue;
        }
        let Some((found, left)) = take(map, &parts) else {
            if skip {
                continue;
            }
            let missing = first_missing(map, &parts);
            return Err(ValueError::Value(format!(
                "could not find '{missing}' key in iterated item '{}'",
                element.to_str()
            )));
        };
        let Some(items) = found.as_list() else {
            return Err(ValueError::Value(format!(
                "the key {last} should point to a list, got {}",
                found.repr()
            )));
        };
        let left = Value::from(left);
        out.extend(items.iter().map(|item| Value::tuple(vec![left.clone(), item.clone()])));
    }
    Ok(Value::list(out))
}

fn first_missing<'p>(map: &Map, path: &[&'p str]) -> &'p str {
    match path {
        [] => "",
        [one] => one,
        [first, rest @ ..] => match map.get(first).and_then(Value::as_map) {
            Some(inner) => first_missing(inner, rest),
            None => first,
        },
    }
}
