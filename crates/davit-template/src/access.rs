//! Reaching into values: attributes, items, iteration, and rendering what is live on the way.

use std::sync::Arc;

use davit_value::{List, Map, Str, Undefined, Value, ValueError};

use crate::methods::{self, Bound};
use crate::objects::{self, Loop, LoopMethod, Nothing, Shared, as_object, locked};
use crate::{Env, Error, ErrorKind, limits, ops};

/// The value behind `value`: what a live string renders to, what a shared container holds. It may be undefined.
pub(crate) fn touch(env: &Env<'_>, value: Value) -> Result<Value, Error> {
    match value {
        Value::Str(text) if text.is_live() => env.live(&text),
        Value::Object(_) => match as_object::<Shared>(&value) {
            Some(shared) => {
                let inner = locked(&shared.0).clone();
                touch(env, inner)
            }
            None => Ok(value),
        },
        value => Ok(value),
    }
}

/// `value` with everything inside rendered. Undefined members stay undefined.
pub(crate) fn plain(env: &Env<'_>, value: &Value) -> Result<Value, Error> {
    if !value.is_live() {
        return Ok(value.clone());
    }
    limits::deeper(|| match value {
        Value::Str(text) => {
            let rendered = env.live(text)?;
            plain(env, &rendered)
        }
        Value::List(list) => Ok(Value::List(Arc::new(plain_list(env, list)?))),
        Value::Tuple(list) => Ok(Value::Tuple(Arc::new(plain_list(env, list)?))),
        Value::Map(map) => {
            let mut out = Map::new();
            for (key, value) in map.iter() {
                out.insert(key.clone(), plain(env, value)?);
            }
            Ok(out.into())
        }
        Value::Object(_) => {
            let inner = touch(env, value.clone())?;
            if as_object::<Shared>(&inner).is_some() { Ok(inner) } else { plain(env, &inner) }
        }
        other => Ok(other.clone()),
    })
}

fn plain_list(env: &Env<'_>, list: &List) -> Result<List, Error> {
    list.iter().map(|item| plain(env, item)).collect::<Result<Vec<_>, _>>().map(List::from)
}

/// `value` as the result of a template: all of it rendered, tuples as lists, an error for what is undefined or cannot be kept.
pub(crate) fn finish(env: &Env<'_>, value: Value) -> Result<Value, Error> {
    if let Value::Undefined(what) = &value {
        return Err(Error::undefined(what));
    }
    if value.is_live() {
        let value = plain(env, &value)?;
        return finish_plain(value);
    }
    finish_plain(value)
}

fn finish_plain(value: Value) -> Result<Value, Error> {
    if needs_finish(&value) { limits::deeper(|| finished(&value)) } else { Ok(value) }
}

/// True where something inside is not yet what a result may be.
fn needs_finish(value: &Value) -> bool {
    match value {
        Value::Undefined(_) | Value::Tuple(_) | Value::Object(_) => true,
        Value::List(list) => list.iter().any(needs_finish),
        Value::Map(map) => map.values().any(needs_finish),
        _ => false,
    }
}

fn finished(value: &Value) -> Result<Value, Error> {
    match value {
        Value::Undefined(what) => Err(Error::undefined(what)),
        Value::List(list) | Value::Tuple(list) => Ok(Value::list(
            list.iter().map(|item| limits::deeper(|| finished(item))).collect::<Result<_, _>>()?,
        )),
        Value::Map(map) => {
            let mut out = Map::new();
            for (key, value) in map.iter() {
                out.insert(key.clone(), limits::deeper(|| finished(value))?);
            }
            Ok(out.into())
        }
        Value::Object(object) if objects::is_transient(&**object) => Err(Error::new(
            ErrorKind::Runtime,
            format!("Type '{}' is unsupported for variable storage.", object.type_name()),
        )),
        Value::Object(_) => {
            let settled = value.clone().settle()?;
            if matches!(settled, Value::Object(_)) {
                Ok(settled)
            } else {
                limits::deeper(|| finished(&settled))
            }
        }
        other => Ok(other.clone()),
    }
}

/// `value` as what a template prints in the middle of text: like a result, and objects as they print.
pub(crate) fn printable(env: &Env<'_>, value: Value) -> Result<Value, Error> {
    let value = if value.is_live() { plain(env, &value)? } else { value };
    Ok(match value {
        Value::Tuple(_) | Value::List(_) | Value::Map(_) if needs_finish(&value) => {
            limits::deeper(|| printed(&value))?
        }
        value => value,
    })
}

fn printed(value: &Value) -> Result<Value, Error> {
    match value {
        Value::Undefined(what) => Err(Error::undefined(what)),
        Value::List(list) | Value::Tuple(list) => Ok(Value::list(
            list.iter().map(|item| limits::deeper(|| printed(item))).collect::<Result<_, _>>()?,
        )),
        Value::Map(map) => {
            let mut out = Map::new();
            for (key, value) in map.iter() {
                out.insert(key.clone(), limits::deeper(|| printed(value))?);
            }
            Ok(out.into())
        }
        other => Ok(other.clone()),
    }
}

/// Python's `str(value)`, as output has it.
pub(crate) fn write_text(value: &Value, out: &mut String) {
    match value {
        Value::Str(text) => out.push_str(text),
        Value::Null => {}
        Value::Object(object) if object.as_any().is::<Nothing>() => {}
        Value::Tuple(list) => Value::List(Arc::clone(list)).write_repr(out),
        Value::Date(_) | Value::DateTime(..) | Value::Object(_) => out.push_str(&value.to_str()),
        other => other.write_repr(out),
    }
}

/// `value.name`: the attribute, then the item.
pub(crate) fn attribute(env: &Env<'_>, value: &Value, name: &str) -> Result<Value, Error> {
    match value {
        Value::Undefined(_) => return Ok(value.clone()),
        Value::Object(object) => {
            if let Some(found) = object_attribute(object, value, name)? {
                return touch(env, found);
            }
            let item = object.get_item(&Value::from(name)).map_err(Error::from)?;
            if let Some(found) = item {
                return touch(env, found);
            }
            // A dictionary in disguise has a dictionary's methods.
            if object.keys().is_some() && name == "get" {
                return Ok(bound(value, name));
            }
            if object.keys().is_some() && methods::has(&Value::map(), name) {
                return Ok(bound(&value.clone().settle()?, name));
            }
        }
        _ => {
            if methods::has(value, name) {
                return Ok(bound(value, name));
            }
            if let Some(found) = methods::attribute(value, name) {
                return Ok(found);
            }
            if let Value::Map(map) = value
                && let Some(found) = map.get(name)
            {
                return touch(env, found.clone());
            }
        }
    }
    missing(env, value, &Value::from(name))
}

fn bound(value: &Value, name: &str) -> Value {
    Value::Object(Arc::new(Bound { value: value.clone(), name: name.into() }))
}

fn object_attribute(
    object: &Arc<dyn davit_value::Object>,
    value: &Value,
    name: &str,
) -> Result<Option<Value>, Error> {
    if let Some(nothing) = as_object::<Nothing>(value) {
        return Err(Error::new(ErrorKind::Runtime, nothing.message()));
    }
    if object.as_any().is::<Loop>() && matches!(name, "cycle" | "changed") {
        return Ok(Some(Value::Object(Arc::new(LoopMethod {
            of: Arc::clone(object),
            changed: name == "changed",
        }))));
    }
    Ok(object.get_attr(name)?)
}

/// `value[key]`: the item, then the attribute.
pub(crate) fn item(env: &Env<'_>, value: &Value, key: &Value) -> Result<Value, Error> {
    if let Value::Undefined(_) = value {
        return Ok(value.clone());
    }
    if let Value::Undefined(what) = key {
        return Err(Error::undefined(what));
    }
    let index = match key {
        Value::Int(int) => Some(*int),
        Value::Bool(bool) => Some(i128::from(*bool)),
        _ => None,
    };
    let found = match value {
        Value::Map(map) => match key {
            Value::Str(name) => map.get(name).cloned(),
            key => davit_value::Key::from_value(key).and_then(|key| map.get_key(&key).cloned()),
        },
        Value::List(list) | Value::Tuple(list) => index
            .and_then(|index| ops::place(index, list.len()))
            .and_then(|at| list.get(at).cloned()),
        Value::Str(text) => index.and_then(|index| methods::char_at(text, index)),
        Value::Object(object) => {
            if let Some(nothing) = as_object::<Nothing>(value) {
                return Err(Error::new(ErrorKind::Runtime, nothing.message()));
            }
            object.get_item(key)?
        }
        _ => None,
    };
    if let Some(found) = found {
        return touch(env, found);
    }
    if let Value::Str(name) = key {
        match value {
            Value::Object(object) => {
                if let Some(found) = object_attribute(object, value, name)? {
                    return touch(env, found);
                }
            }
            _ if methods::has(value, name) => return Ok(bound(value, name)),
            _ => {
                if let Some(found) = methods::attribute(value, name) {
                    return Ok(found);
                }
            }
        }
    }
    missing(env, value, key)
}

/// The undefined value for a member that is not there.
fn missing(env: &Env<'_>, value: &Value, key: &Value) -> Result<Value, Error> {
    let internal = key
        .as_str()
        .filter(|name| name.starts_with("__") && name.ends_with("__") && name.len() > 4);
    let own = match value {
        Value::Object(object) => object.missing(key),
        _ => None,
    };
    let message = match internal {
        _ if own.is_some() => own.unwrap_or_default(),
        Some(name) => {
            format!("access to attribute '{name}' of '{}' object is unsafe.", value.type_name())
        }
        None => {
            let key = if key.is_live() { plain(env, key)? } else { key.clone() };
            match (value, &key) {
                (Value::Null, Value::Int(_) | Value::Bool(_)) => {
                    format!("None has no element {}", key.repr())
                }
                _ => format!(
                    "object of type '{}' has no attribute {}",
                    value.type_name(),
                    key.repr()
                ),
            }
        }
    };
    let what = Arc::new(Undefined { message, name: key.as_str().map(str::to_owned) });
    env.remember_missing(&what, value);
    Ok(Value::Undefined(what))
}

/// What iterating `value` gives. The items may be live.
pub(crate) fn iterate(value: &Value) -> Result<Vec<Value>, ValueError> {
    methods::container::iterated(value)
}

/// A text that stands for nothing but itself.
pub(crate) fn text(value: &str) -> Value {
    Value::Str(Str::new(value))
}
