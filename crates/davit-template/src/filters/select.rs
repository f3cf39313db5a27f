//! Filters that look at attributes of items or call other filters and tests on them: `map`,
//! `select`, `selectattr`, `groupby`, `sort`, `sum`, `min`, `max`, `unique`.
//!
//! An attribute is a dotted path whose numbers are indices, as Jinja2 has it.

use std::cmp::Ordering;
use std::collections::HashSet;

use davit_value::{Args, Key, Map, Value, ValueError};

use crate::Call;
use crate::call::Bound;

type Answer = Result<Value, ValueError>;

/// The value at a dotted path below `item`; undefined where it is not there.
pub(super) fn attribute_of(call: &Call<'_>, item: &Value, attribute: &Value) -> Answer {
    let parts: Vec<Value> = match attribute {
        Value::Str(path) => path
            .split('.')
            .map(|part| match part.parse::<i128>() {
                Ok(index) if part.bytes().all(|byte| byte.is_ascii_digit()) => Value::Int(index),
                _ => Value::from(part),
            })
            .collect(),
        Value::Null => return Ok(item.clone()),
        other => vec![other.clone()],
    };
    let mut value = item.clone();
    for part in &parts {
        value = call.env.item(&value, part)?;
    }
    Ok(value)
}

/// What is compared in place of an item: its attribute, in lower case unless case matters.
fn sort_key(call: &Call<'_>, item: &Value, attribute: Option<&Value>, lower: bool) -> Answer {
    let value = match attribute {
        Some(attribute) => attribute_of(call, item, attribute)?,
        None => item.clone(),
    };
    let value = call.deep(&value)?;
    Ok(match &value {
        Value::Str(text) if lower => text.to_lowercase().into(),
        _ => value,
    })
}

/// A stable sort by keys whose comparison may fail.
pub(super) fn sort_by_keys(keyed: &mut [(Value, Value)], reverse: bool) -> Result<(), ValueError> {
    let mut failure = None;
    let mut order = |a: &(Value, Value), b: &(Value, Value)| {
        if failure.is_some() {
            return Ordering::Equal;
        }
        // The first of the two stands later in the list, and Python asks whether that one is smaller.
        let compared = if reverse { b.0.compare(&a.0, "<") } else { a.0.compare(&b.0, "<") };
        compared.unwrap_or_else(|error| {
            failure = Some(error);
            Ordering::Equal
        })
    };
    keyed.sort_by(&mut order);
    failure.map_or(Ok(()), Err)
}

pub(super) fn sort(call: &Call<'_>) -> Answer {
    let bound = call.bind_as(
        crate::call::Signature {
            name: "do_sort",
            params: &["value", "reverse", "case_sensitive", "attribute"],
            required: 1,
            hidden: 1,
        },
        false,
    )?;
    let lower = !bound.truth(2, false)?;
    // Several attributes, separated by commas, are compared one after the other.
    let attributes: Vec<Value> = match bound.some(3) {
        Some(Value::Str(text)) => text.split(',').map(Value::from).collect(),
        Some(other) => vec![other.clone()],
        None => Vec::new(),
    };
    let mut keyed = Vec::new();
    for item in call.items(&bound.value(0))? {
        let key = if attributes.is_empty() {
            Value::list(vec![sort_key(call, &item, None, lower)?])
        } else {
            Value::list(
                attributes
                    .iter()
                    .map(|it| sort_key(call, &item, Some(it), lower))
                    .collect::<Result<_, _>>()?,
            )
        };
        keyed.push((key, item));
    }
    sort_by_keys(&mut keyed, bound.truth(1, false)?)?;
    Ok(Value::list(keyed.into_iter().map(|(_, item)| item).collect()))
}

pub(super) fn unique(call: &Call<'_>) -> Answer {
    let bound = call.bind_env("unique", &["a", "case_sensitive", "attribute"], 1)?;
    let lower = !bound.truth(1, false)?;
    let mut seen = Seen::default();
    let mut out = Vec::new();
    for item in call.items(&bound.value(0))? {
        let key = sort_key(call, &item, bound.some(2), lower)?;
        if seen.insert(&key) {
            out.push(item);
        }
    }
    Ok(Value::list(out))
}

/// Values met so far; those that hash are found at once.
#[derive(Default)]
pub(super) struct Seen {
    keys: HashSet<Key>,
    rest: Vec<Value>,
}

impl Seen {
    /// True where the value is new.
    pub(super) fn insert(&mut self, value: &Value) -> bool {
        if let Some(key) = Key::from_value(value) {
            return self.keys.insert(key);
        }
        if self.rest.contains(value) {
            return false;
        }
        self.rest.push(value.clone());
        true
    }

    /// True where the value is there.
    pub(super) fn contains(&self, value: &Value) -> bool {
        match Key::from_value(value) {
            Some(key) => self.keys.contains(&key),
            None => self.rest.contains(value),
        }
    }
}

fn extreme(call: &Call<'_>, name: &'static str, operator: &str, wanted: Ordering) -> Answer {
    let bound = call.bind_as(
        crate::call::Signature {
            name,
            params: &["value", "case_sensitive", "attribute"],
            required: 1,
            hidden: 1,
        },
        false,
    )?;
    let lower = !bound.truth(1, false)?;
    let mut best: Option<(Value, Value)> = None;
    for item in call.items(&bound.value(0))? {
        let key = sort_key(call, &item, bound.some(2), lower)?;
        let better = match &best {
            None => true,
            Some((held, _)) => key.compare(held, operator)? == wanted,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(
        || Value::undefined_because("No aggregated item, sequence was empty."),
        |(_, item)| item,
    ))
}

pub(super) fn min(call: &Call<'_>) -> Answer {
    extreme(call, "do_min", "<", Ordering::Less)
}

pub(super) fn max(call: &Call<'_>) -> Answer {
    extreme(call, "do_max", ">", Ordering::Greater)
}

pub(super) fn sum(call: &Call<'_>) -> Answer {
    let bound = call.bind_as(
        crate::call::Signature {
            name: "sync_do_sum",
            params: &["iterable", "attribute", "start"],
            required: 1,
            hidden: 1,
        },
        false,
    )?;
    let mut total = bound.get(2).cloned().unwrap_or(Value::Int(0));
    if total.as_str().is_some() {
        return Err(ValueError::Type("sum() can't sum strings [use ''.join(seq) instead]".into()));
    }
    for item in call.items(&bound.value(0))? {
        let item = match bound.some(1) {
            Some(attribute) => attribute_of(call, &item, attribute)?,
            None => item,
        };
        total = add(&total, &call.deep(&item)?)?;
    }
    Ok(total)
}

/// Python's `a + b` for what `sum` meets.
fn add(a: &Value, b: &Value) -> Answer {
    let whole = |value: &Value| match value {
        Value::Int(int) => Some(*int),
        Value::Bool(bool) => Some(i128::from(*bool)),
        _ => None,
    };
    if let (Some(a), Some(b)) = (whole(a), whole(b)) {
        return a
            .checked_add(b)
            .map(Value::Int)
            .ok_or_else(|| ValueError::Value("integer too large".into()));
    }
    match (a, b) {
        (Value::List(a), Value::List(b)) => {
            Ok(Value::list(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Value::Tuple(a), Value::Tuple(b)) => {
            Ok(Value::tuple(a.iter().chain(b.iter()).cloned().collect()))
        }
        (a, b) => match (a.as_number(), b.as_number()) {
            (Some(a), Some(b)) => Ok(Value::Float(a + b)),
            _ => Err(ValueError::Type(format!(
                "unsupported operand type(s) for +: '{}' and '{}'",
                a.type_name(),
                b.type_name()
            ))),
        },
    }
}

pub(super) fn groupby(call: &Call<'_>) -> Answer {
    let bound = call.bind_as(
        crate::call::Signature {
            name: "sync_do_groupby",
            params: &["value", "attribute", "default", "case_sensitive"],
            required: 2,
            hidden: 1,
        },
        false,
    )?;
    let lower = !bound.truth(3, false)?;
    let mut keyed = Vec::new();
    for item in call.items(&bound.value(0))? {
        // The default never comes into play: an undefined attribute is an error before that.
        let value = call.deep(&attribute_of(call, &item, &bound.value(1))?)?;
        let key = match &value {
            Value::Str(text) if lower => text.to_lowercase().into(),
            _ => value.clone(),
        };
        keyed.push((key, Value::tuple(vec![value, item])));
    }
    sort_by_keys(&mut keyed, false)?;
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for (key, pair) in keyed {
        let Some([value, item]) = pair.as_list() else { continue };
        match groups.last_mut() {
            Some((held, _, items)) if *held == key => items.push(item.clone()),
            _ => groups.push((key, value.clone(), vec![item.clone()])),
        }
    }
    Ok(Value::list(
        groups.into_iter().map(|(_, value, items)| super::group::pair(value, items)).collect(),
    ))
}

/// What a filter or a test that was named by text is called with.
fn onwards(item: Value, call: &Call<'_>, skip: usize, named: &Map) -> Args {
    let mut positional = vec![item];
    positional.extend(call.args.positional.iter().skip(skip).cloned());
    Args { positional, named: named.clone() }
}

pub(super) fn map(call: &Call<'_>) -> Answer {
    let input = call.input()?;
    let named = &call.args.named;
    if call.args.positional.len() < 2 && named.contains("attribute") {
        let mut others = named.clone();
        let attribute = others.remove("attribute").unwrap_or_default();
        let default = others.remove("default");
        if let Some(key) = others.keys().next() {
            return Err(ValueError::Type(format!(
                "Unexpected keyword argument '{}'",
                key.to_text()
            )));
        }
        let attribute = call.deep(&attribute)?;
        let mut out = Vec::new();
        for item in call.items(&input)? {
            let value = attribute_of(call, &item, &attribute)?;
            match (&value, &default) {
                (Value::Undefined(_), Some(default)) if !default.is_null() => {
                    out.push(default.clone());
                }
                // What is not there shows where it is touched: `select('defined')` passes it by.
                _ => out.push(value),
            }
        }
        return Ok(Value::list(out));
    }
    let Some(name) = call.args.positional.get(1) else {
        return Err(ValueError::Type("map requires a filter argument".into()));
    };
    let name = call.deep(name)?.to_str();
    let mut out = Vec::new();
    for item in call.items(&input)? {
        out.push(match call.env.call_filter(&name, onwards(item, call, 2, named)) {
            Err(ValueError::Undefined(what)) => Value::Undefined(what),
            other => other?,
        });
    }
    Ok(Value::list(out))
}

fn pick(call: &Call<'_>, wanted: bool, by_attribute: bool) -> Answer {
    let input = call.input()?;
    let skip = 1 + usize::from(by_attribute);
    let attribute = match call.args.positional.get(1) {
        Some(attribute) if by_attribute => call.deep(attribute)?,
        None if by_attribute => {
            return Err(ValueError::Type("Missing parameter for attribute name".into()));
        }
        _ => Value::Null,
    };
    let test = call
        .args
        .positional
        .get(skip)
        .map(|name| call.deep(name))
        .transpose()?
        .map(|name| name.to_str());
    let mut out = Vec::new();
    for item in call.items(&input)? {
        let value =
            if by_attribute { attribute_of(call, &item, &attribute)? } else { item.clone() };
        let truth = match &test {
            Some(test) => {
                call.env.call_test(test, onwards(value, call, skip + 1, &call.args.named))?
            }
            None => call.shallow(&value)?.truthy()?,
        };
        if truth == wanted {
            out.push(item);
        }
    }
    Ok(Value::list(out))
}

pub(super) fn select(call: &Call<'_>) -> Answer {
    pick(call, true, false)
}

pub(super) fn reject(call: &Call<'_>) -> Answer {
    pick(call, false, false)
}

pub(super) fn selectattr(call: &Call<'_>) -> Answer {
    pick(call, true, true)
}

pub(super) fn rejectattr(call: &Call<'_>) -> Answer {
    pick(call, false, true)
}

pub(super) fn attr(call: &Call<'_>) -> Answer {
    let bound: Bound = call.bind_as(
        crate::call::Signature {
            name: "do_attr",
            params: &["obj", "name"],
            required: 2,
            hidden: 1,
        },
        false,
    )?;
    let (input, name) = (bound.value(0), bound.text(1));
    let found = match &input {
        Value::Object(object) => object.get_attr(&name)?,
        _ => None,
    };
    Ok(found.unwrap_or_else(|| {
        Value::undefined_because(format!(
            "object of type '{}' has no attribute '{name}'",
            input.type_name()
        ))
    }))
}
