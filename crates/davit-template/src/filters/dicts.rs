//! Dictionaries: merging, turning into lists and back, picking from them.
//!
//! Knows nothing of where the dictionaries came from; what they hold is rendered by the caller.

use davit_value::{Key, Map, Value, ValueError};

use super::math::whole_name;
use crate::Call;
use crate::call::{Signature, items_of};

type Answer = Result<Value, ValueError>;

/// What becomes of two lists under the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListMerge {
    /// The new one.
    Replace,
    /// The old one.
    Keep,
    /// Old, then new.
    Append,
    /// New, then old.
    Prepend,
    /// Old without what is in the new one, then new.
    AppendUnique,
    /// New, then old without what is in the new one.
    PrependUnique,
}

impl ListMerge {
    /// By the name that playbooks use.
    ///
    /// # Errors
    /// For a name that is none of them.
    pub fn named(name: &str) -> Result<Self, ValueError> {
        Ok(match name {
            "replace" => Self::Replace,
            "keep" => Self::Keep,
            "append" => Self::Append,
            "prepend" => Self::Prepend,
            "append_rp" => Self::AppendUnique,
            "prepend_rp" => Self::PrependUnique,
            _ => {
                return Err(ValueError::Value(
                    "merge_hash: 'list_merge' argument can only be equal to 'replace', 'keep', 'append', 'prepend', 'append_rp' or 'prepend_rp'"
                        .into(),
                ));
            }
        })
    }

    fn merge(self, old: &[Value], new: &[Value]) -> Value {
        let without = |from: &[Value], what: &[Value]| -> Vec<Value> {
            let set = super::sets::set_of(what);
            from.iter().filter(|item| !set.contains(item)).cloned().collect()
        };
        Value::list(match self {
            Self::Replace => new.to_vec(),
            Self::Keep => old.to_vec(),
            Self::Append => [old, new].concat(),
            Self::Prepend => [new, old].concat(),
            Self::AppendUnique => [without(old, new), new.to_vec()].concat(),
            Self::PrependUnique => [new.to_vec(), without(old, new)].concat(),
        })
    }
}

/// Merges `new` over `old`.
#[must_use]
pub fn merge(old: &Map, new: &Map, recursive: bool, lists: ListMerge) -> Map {
    let mut out = old.clone();
    if !recursive && lists == ListMerge::Replace {
        out.extend(new);
        return out;
    }
    for (key, value) in new {
        let merged = match (old.get_key(key), value) {
            (Some(Value::Map(a)), Value::Map(b)) if recursive => {
                merge(a, b, recursive, lists).into()
            }
            (Some(Value::List(a)), Value::List(b)) => lists.merge(a, b),
            _ => value.clone(),
        };
        out.insert(key.clone(), merged);
    }
    out
}

/// The dictionary behind a value, objects such as `hostvars` included.
pub(super) fn dictionary(value: &Value) -> Result<Option<Value>, ValueError> {
    Ok(match value {
        Value::Map(_) => Some(value.clone()),
        Value::Object(object) if object.keys().is_some() => Some(value.clone().settle()?),
        _ => None,
    })
}

pub(super) fn combine(call: &Call<'_>) -> Answer {
    let mut recursive = false;
    let mut lists = ListMerge::Replace;
    for (key, value) in &call.args.named {
        match key.as_str() {
            Some("recursive") => recursive = call.deep(value)?.truthy()?,
            Some("list_merge") => lists = ListMerge::named(&call.deep(value)?.to_str())?,
            _ => {
                return Err(ValueError::Value(
                    "'recursive' and 'list_merge' are the only valid keyword arguments".into(),
                ));
            }
        }
    }
    // One level of lists is opened, and what is None is passed over.
    let mut terms = Vec::new();
    for value in &call.args.positional {
        match call.shallow(value)? {
            Value::Null => {}
            list @ (Value::List(_) | Value::Tuple(_)) => {
                for item in call.items(&list)? {
                    if !item.is_null() {
                        terms.push(call.shallow(&item)?);
                    }
                }
            }
            other => terms.push(other),
        }
    }
    merge_terms(call, &terms, recursive, lists)
}

/// Merges from the right, so that errors name the pair that the original names.
fn merge_terms(call: &Call<'_>, terms: &[Value], recursive: bool, lists: ListMerge) -> Answer {
    let Some((last, rest)) = terms.split_last() else { return Ok(Value::map()) };
    if rest.is_empty() {
        return Ok(last.clone());
    }
    let mut maps = Vec::with_capacity(terms.len());
    let mut after = last;
    for (at, term) in terms.iter().enumerate().rev() {
        let Some(found) = dictionary(term)? else {
            let (a, b) = if at + 1 == terms.len() {
                (rest.last().unwrap_or(term), term)
            } else {
                (term, after)
            };
            return Err(ValueError::Value(format!(
                "failed to combine variables, expected dicts but got a '{}' and a '{}'.",
                whole_name(a),
                whole_name(b)
            )));
        };
        none_undefined(call, &found)?;
        // Lists and inner dictionaries are looked into, so what stands for them is rendered first.
        maps.push(if recursive || lists != ListMerge::Replace {
            call.deep(&found)?
        } else {
            found
        });
        after = term;
    }
    let mut merged = Map::new();
    for map in maps.iter().rev().filter_map(Value::as_map) {
        merged = if merged.is_empty() {
            map.clone()
        } else {
            if recursive {
                none_undefined_below(call, &merged, map)?;
            }
            merge(&merged, map, recursive, lists)
        };
    }
    Ok(merged.into())
}

/// Each value of a dictionary is looked at: one that is undefined shows.
fn none_undefined(call: &Call<'_>, found: &Value) -> Result<(), ValueError> {
    for value in found.as_map().into_iter().flat_map(Map::values) {
        call.shallow(value)?;
    }
    Ok(())
}

/// The same for the dictionaries inside that are merged.
fn none_undefined_below(call: &Call<'_>, old: &Map, new: &Map) -> Result<(), ValueError> {
    for (key, value) in new {
        if let (Some(inner @ Value::Map(a)), Value::Map(b)) = (old.get_key(key), value) {
            none_undefined(call, inner)?;
            none_undefined(call, value)?;
            none_undefined_below(call, a, b)?;
        }
    }
    Ok(())
}

/// `<class 'str'>`, containers by the names they have inside templates.
fn class_of(value: &Value) -> String {
    let place = "ansible._internal._templating._lazy_containers.";
    match value {
        Value::List(_) | Value::Map(_) => format!("<class '{place}{}'>", whole_name(value)),
        other => format!("<class '{}'>", other.type_name()),
    }
}

pub(super) fn dict2items(call: &Call<'_>) -> Answer {
    let bound = call.bind_lazy(
        "dict_to_list_of_dict_key_value_elements",
        &["mydict", "key_name", "value_name"],
        1,
    )?;
    let input = bound.value(0);
    let Some(found) = dictionary(&input)? else {
        return Err(ValueError::Type(format!(
            "dict2items requires a dictionary, got {} instead.",
            class_of(&input)
        )));
    };
    let (key_name, value_name) = (bound.text_or(1, "key"), bound.text_or(2, "value"));
    let entries = found.as_map().map(|map| {
        map.iter()
            .map(|(key, value)| {
                Value::from(
                    [(key_name.as_str(), key.to_value()), (value_name.as_str(), value.clone())]
                        .into_iter()
                        .collect::<Map>(),
                )
            })
            .collect::<Vec<_>>()
    });
    Ok(Value::list(entries.unwrap_or_default()))
}

/// The key for a value, or Python's complaint.
pub(crate) fn key_of(value: &Value) -> Result<Key, ValueError> {
    Key::from_value(value)
        .ok_or_else(|| ValueError::Type(format!("unhashable type: '{}'", value.type_name())))
}

pub(super) fn items2dict(call: &Call<'_>) -> Answer {
    let bound = call.bind(
        "list_of_dict_key_value_elements_to_dict",
        &["mylist", "key_name", "value_name"],
        1,
    )?;
    let input = bound.value(0);
    let settled = input.clone().settle()?;
    let Some(list) = settled.as_list() else {
        return Err(ValueError::Type(format!(
            "items2dict requires a list, got {} instead.",
            class_of(&input)
        )));
    };
    let (key_name, value_name) = (bound.text_or(1, "key"), bound.text_or(2, "value"));
    let mut out = Map::new();
    for item in list {
        let members = match item {
            Value::Map(map) => (map.get(&key_name), map.get(&value_name)),
            // Pairs, with numbers for names.
            Value::List(pair) | Value::Tuple(pair)
                if matches!(
                    (bound.get(1), bound.get(2)),
                    (Some(Value::Int(_)), Some(Value::Int(_)))
                ) =>
            {
                let at = |name: &str| name.parse().ok().and_then(|at: usize| pair.get(at));
                (at(&key_name), at(&value_name))
            }
            _ => {
                return Err(ValueError::Type(format!(
                    "items2dict requires a list of dictionaries, got {} instead.",
                    settled.repr()
                )));
            }
        };
        let (Some(key), Some(value)) = members else {
            return Err(ValueError::Value(format!(
                "items2dict requires each dictionary in the list to contain the keys '{key_name}' and '{value_name}', got {} instead.",
                settled.repr()
            )));
        };
        out.insert(key_of(key)?, value.clone());
    }
    Ok(out.into())
}

fn pairs(map: &Map) -> Vec<Value> {
    map.iter().map(|(key, value)| Value::tuple(vec![key.to_value(), value.clone()])).collect()
}

pub(super) fn items(call: &Call<'_>) -> Answer {
    let bound = call.bind_lazy("do_items", &["value"], 1)?;
    let found = dictionary(&bound.value(0))?;
    found
        .as_ref()
        .and_then(Value::as_map)
        .map(|map| Value::list(pairs(map)))
        .ok_or_else(|| ValueError::Type("Can only get item pairs from a mapping.".into()))
}

pub(super) fn dictsort(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_dictsort", &["value", "case_sensitive", "by", "reverse"], 1)?;
    let at = match bound.text_or(2, "key").as_str() {
        "key" => 0,
        "value" => 1,
        _ => {
            return Err(ValueError::Value(
                "You can only sort by either \"key\" or \"value\"".into(),
            ));
        }
    };
    let lower = !bound.truth(1, false)?;
    let input = bound.value(0);
    let found = dictionary(&input)?;
    let Some(map) = found.as_ref().and_then(Value::as_map) else {
        return Err(ValueError::Type(format!(
            "'{}' object has no attribute 'items'",
            whole_name(&input)
        )));
    };
    let mut keyed: Vec<(Value, Value)> = pairs(map)
        .into_iter()
        .map(|pair| {
            let key = pair.as_list().and_then(|pair| pair.get(at)).cloned().unwrap_or_default();
            match &key {
                Value::Str(text) if lower => (text.to_lowercase().into(), pair),
                _ => (key, pair),
            }
        })
        .collect();
    super::select::sort_by_keys(&mut keyed, bound.truth(3, false)?)?;
    Ok(Value::list(keyed.into_iter().map(|(_, pair)| pair).collect()))
}

pub(super) fn extract(call: &Call<'_>) -> Answer {
    let bound = call.bind_as(
        Signature {
            name: "extract",
            params: &["item", "container", "morekeys"],
            required: 2,
            hidden: 1,
        },
        false,
    )?;
    let mut keys = vec![bound.value(0)];
    match bound.get(2) {
        None | Some(Value::Null) => {}
        Some(list @ (Value::List(_) | Value::Tuple(_))) => keys.extend(call.items(list)?),
        Some(other) => keys.push(other.clone()),
    }
    let mut value = bound.value(1);
    for key in &keys {
        value = call.env.item(&value, key)?;
    }
    Ok(value)
}

pub(super) fn rekey_on_member(call: &Call<'_>) -> Answer {
    let bound = call.bind("rekey_on_member", &["data", "key", "duplicates"], 2)?;
    let duplicates = bound.text_or(2, "error");
    if duplicates != "error" && duplicates != "overwrite" {
        return Err(ValueError::Value(format!(
            "duplicates parameter to rekey_on_member has unknown value '{duplicates}'"
        )));
    }
    let input = bound.value(0);
    let found = dictionary(&input)?;
    let items = match found.as_ref().and_then(Value::as_map) {
        Some(map) => map.values().cloned().collect(),
        None if matches!(input, Value::List(_) | Value::Tuple(_) | Value::Object(_)) => {
            items_of(&input)?
        }
        None => return Err(ValueError::Type("Type is not a valid list, set, or dict".into())),
    };
    let name = bound.value(1);
    let mut out = Map::new();
    for item in items {
        let Some(map) = item.as_map() else {
            return Err(ValueError::Type("List item is not a valid dict".into()));
        };
        let Some(member) = map.get_key(&key_of(&name)?) else {
            return Err(ValueError::Value(format!("Key {} was not found.", name.repr())));
        };
        let key = key_of(member)?;
        if out.get_key(&key).is_some_and(|held| held.truthy().unwrap_or(true))
            && duplicates == "error"
        {
            return Err(ValueError::Value(format!(
                "Key {} is not unique, cannot convert to dict.",
                member.repr()
            )));
        }
        out.insert(key, item);
    }
    Ok(out.into())
}

pub(super) fn subelements(call: &Call<'_>) -> Answer {
    let bound = call.bind("subelements", &["obj", "subelements", "skip_missing"], 2)?;
    let input = bound.value(0);
    let elements = match &input {
        Value::List(list) | Value::Tuple(list) => list.to_vec(),
        Value::Map(map) => map.values().cloned().collect(),
        _ => return Err(ValueError::Type("obj must be a list of dicts or a nested dict".into())),
    };
    let path: Vec<String> = match bound.get(1) {
        Some(Value::Str(text)) => text.split('.').map(str::to_owned).collect(),
        Some(Value::List(list) | Value::Tuple(list)) => list.iter().map(Value::to_str).collect(),
        _ => return Err(ValueError::Type("subelements must be a list or a string".into())),
    };
    let skip = bound.truth(2, false)?;
    let mut out = Vec::new();
    for element in elements {
        let mut values = element.clone();
        for (at, name) in path.iter().enumerate() {
            let found = match &values {
                Value::Map(map) => map.get(name).cloned(),
                other => {
                    return Err(ValueError::Type(format!(
                        "the key {name} should point to a dictionary, got '{}': '{}' object is not subscriptable",
                        other.to_str(),
                        other.type_name()
                    )));
                }
            };
            values = match found {
                Some(found) => found,
                None if skip => Value::list(Vec::new()),
                None => {
                    return Err(ValueError::Value(format!(
                        "could not find {} key in iterated item {}",
                        Value::from(name.as_str()).repr(),
                        values.repr()
                    )));
                }
            };
            if at + 1 < path.len() && matches!(values.as_list(), Some([])) {
                break;
            }
        }
        let Some(list) = values.as_list() else {
            let name =
                path.last().map(|name| Value::from(name.as_str()).repr()).unwrap_or_default();
            return Err(ValueError::Type(format!(
                "the key {name} should point to a list, got {}",
                values.repr()
            )));
        };
        out.extend(list.iter().map(|item| Value::tuple(vec![element.clone(), item.clone()])));
    }
    Ok(Value::list(out))
}
