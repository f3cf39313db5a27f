//! Methods of lists, tuples and dictionaries.

use davit_value::{Args, Key, List, Map, Value, ValueError};

use super::{Outcome, Taken, no_such};
use crate::ops;

pub(super) const LIST_METHODS: &[&str] = &[
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse",
    "sort",
];
pub(super) const TUPLE_METHODS: &[&str] = &["count", "index"];
pub(super) const MAP_METHODS: &[&str] = &[
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

pub(super) fn call(value: &Value, name: &str, args: &Args) -> Outcome {
    let function = format!("{}.{name}", value.type_name());
    let take = |names: &'static [&'static str], required: usize| {
        Taken::new(&function, args, names, required)
    };
    match (value, name) {
        (Value::List(list) | Value::Tuple(list), "count") => {
            let taken = take(&["value"], 1)?;
            Ok(Value::from(list.iter().filter(|item| Some(*item) == taken.get(0)).count()))
        }
        (Value::List(list) | Value::Tuple(list), "index") => {
            let taken = take(&["value", "start", "stop"], 1)?;
            let wanted = taken.get(0).cloned().unwrap_or_default();
            let length = i128::try_from(list.len()).unwrap_or(i128::MAX);
            let fixed = |index: i128| if index < 0 { (index + length).max(0) } else { index };
            let start = usize::try_from(fixed(taken.int(1)?.unwrap_or(0))).unwrap_or(usize::MAX);
            let stop =
                usize::try_from(fixed(taken.int(2)?.unwrap_or(length))).unwrap_or(usize::MAX);
            let found = list
                .iter()
                .enumerate()
                .find(|(at, item)| *at >= start && *at < stop && **item == wanted);
            match (found, value) {
                (Some((at, _)), _) => Ok(Value::from(at)),
                (None, Value::List(_)) => {
                    Err(ValueError::Value(format!("{} is not in list", wanted.repr())))
                }
                (None, _) => Err(ValueError::Value("tuple.index(x): x not in tuple".into())),
            }
        }
        (Value::List(_) | Value::Map(_), "copy") => take(&[], 0).map(|_| value.clone()),
        (Value::Map(map), "get") => {
            let taken = take(&["key", "default"], 1)?;
            let key = ops::hashed(taken.get(0).unwrap_or(&Value::Null))?;
            Ok(map.get_key(&key).or(taken.get(1)).cloned().unwrap_or_default())
        }
        (Value::Map(map), "keys") => {
            take(&[], 0).map(|_| Value::list(map.keys().map(Key::to_value).collect()))
        }
        (Value::Map(map), "values") => {
            take(&[], 0).map(|_| Value::list(map.values().cloned().collect()))
        }
        (Value::Map(map), "items") => take(&[], 0).map(|_| {
            Value::list(
                map.iter()
                    .map(|(key, value)| Value::tuple(vec![key.to_value(), value.clone()]))
                    .collect(),
            )
        }),
        (Value::Map(_), "fromkeys") => {
            let taken = take(&["iterable", "value"], 1)?;
            let mut out = Map::new();
            for key in taken.get(0).and_then(Value::as_list).unwrap_or_default() {
                out.insert(ops::hashed(key)?, taken.get(1).cloned().unwrap_or_default());
            }
            Ok(out.into())
        }
        _ => Err(no_such(value, name)),
    }
}

pub(super) fn change_list(list: &mut List, name: &str, args: &Args) -> Outcome {
    let function = format!("list.{name}");
    let take = |names: &'static [&'static str], required: usize| {
        Taken::new(&function, args, names, required)
    };
    match name {
        "append" => list.push(take(&["object"], 1)?.get(0).cloned().unwrap_or_default()),
        "extend" => {
            let taken = take(&["iterable"], 1)?;
            for item in iterated(taken.get(0).unwrap_or(&Value::Null))? {
                list.push(item);
            }
        }
        "insert" => {
            let taken = take(&["index", "object"], 2)?;
            let index = taken.int(0)?.unwrap_or(0);
            let length = i128::try_from(list.len()).unwrap_or(i128::MAX);
            let at = if index < 0 { (index + length).max(0) } else { index.min(length) };
            list.insert(
                usize::try_from(at).unwrap_or(0),
                taken.get(1).cloned().unwrap_or_default(),
            );
        }
        "pop" => {
            let taken = take(&["index"], 0)?;
            if list.is_empty() {
                return Err(ValueError::Value("pop from empty list".into()));
            }
            let at = ops::place(taken.int(0)?.unwrap_or(-1), list.len());
            return at
                .and_then(|at| list.remove(at))
                .ok_or_else(|| ValueError::Value("pop index out of range".into()));
        }
        "remove" => {
            let taken = take(&["value"], 1)?;
            let at = list.iter().position(|item| Some(item) == taken.get(0));
            if at.and_then(|at| list.remove(at)).is_none() {
                return Err(ValueError::Value("list.remove(x): x not in list".into()));
            }
        }
        "clear" => *list = List::default(),
        "reverse" => {
            let mut items = list.to_vec();
            items.reverse();
            *list = List::from(items);
        }
        "sort" => {
            let taken = take(&["key", "reverse"], 0)?;
            let reverse = taken.bool(1)?;
            let mut failure = None;
            let mut items = list.to_vec();
            items.sort_by(|a, b| {
                let (a, b) = if reverse { (b, a) } else { (a, b) };
                a.compare(b, "<").unwrap_or_else(|error| {
                    failure.get_or_insert(error);
                    std::cmp::Ordering::Equal
                })
            });
            if let Some(error) = failure {
                return Err(error);
            }
            *list = List::from(items);
        }
        _ => return Err(no_such(&Value::list(Vec::new()), name)),
    }
    Ok(Value::Null)
}

pub(super) fn change_map(map: &mut Map, name: &str, args: &Args) -> Outcome {
    let function = format!("dict.{name}");
    let take = |names: &'static [&'static str], required: usize| {
        Taken::new(&function, args, names, required)
    };
    match name {
        "update" => {
            if args.positional.len() > 1 {
                return Err(ValueError::Type(format!(
                    "update expected at most 1 argument, got {}",
                    args.positional.len()
                )));
            }
            if let Some(other) = args.positional.first() {
                map.extend(&dictionary(other)?);
            }
            map.extend(&args.named);
        }
        "setdefault" => {
            let taken = take(&["key", "default"], 1)?;
            let key = ops::hashed(taken.get(0).unwrap_or(&Value::Null))?;
            if let Some(value) = map.get_key(&key) {
                return Ok(value.clone());
            }
            let value = taken.get(1).cloned().unwrap_or_default();
            map.insert(key, value.clone());
            return Ok(value);
        }
        "pop" => {
            let taken = take(&["key", "default"], 1)?;
            let key = taken.get(0).unwrap_or(&Value::Null);
            return map
                .remove_key(&ops::hashed(key)?)
                .or_else(|| taken.get(1).cloned())
                .ok_or_else(|| ValueError::Value(key.repr()));
        }
        "popitem" => {
            let last = map.keys().last().cloned();
            let Some(key) = last else {
                return Err(ValueError::Value("'popitem(): dictionary is empty'".into()));
            };
            let value = map.remove_key(&key).unwrap_or_default();
            return Ok(Value::tuple(vec![key.to_value(), value]));
        }
        "clear" => *map = Map::new(),
        _ => return Err(no_such(&Value::map(), name)),
    }
    Ok(Value::Null)
}

/// What iterating a rendered value gives.
pub(crate) fn iterated(value: &Value) -> Result<Vec<Value>, ValueError> {
    match value {
        Value::List(list) | Value::Tuple(list) => Ok(list.to_vec()),
        Value::Map(map) => Ok(map.keys().map(Key::to_value).collect()),
        Value::Str(text) => Ok(text.chars().map(|char| Value::from(char.to_string())).collect()),
        Value::Undefined(what) => Err(ValueError::Undefined(what.clone())),
        Value::Object(object) => match object.keys() {
            Some(keys) => Ok(keys.iter().map(Key::to_value).collect()),
            None => object.items()?.ok_or_else(|| not_iterable(value)),
        },
        other => Err(not_iterable(other)),
    }
}

pub(crate) fn not_iterable(value: &Value) -> ValueError {
    ValueError::Type(format!("'{}' object is not iterable", value.type_name()))
}

/// What `dict(value)` makes: of a dictionary a copy, of pairs their dictionary.
pub(crate) fn dictionary(value: &Value) -> Result<Map, ValueError> {
    if let Value::Map(map) = value {
        return Ok((**map).clone());
    }
    if let Value::Object(object) = value
        && let (Some(_), Value::Map(map)) = (object.keys(), value.clone().settle()?)
    {
        return Ok((*map).clone());
    }
    let mut out = Map::new();
    for (at, pair) in iterated(value)?.iter().enumerate() {
        let parts = iterated(pair).map_err(|_| {
            ValueError::Type(format!(
                "cannot convert dictionary update sequence element #{at} to a sequence"
            ))
        })?;
        let [key, value] = parts.as_slice() else {
            return Err(ValueError::Value(format!(
                "dictionary update sequence element #{at} has length {}; 2 is required",
                parts.len()
            )));
        };
        out.insert(ops::hashed(key)?, value.clone());
    }
    Ok(out)
}
