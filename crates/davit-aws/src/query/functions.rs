//! The functions that JMESPath has. Source: <https://jmespath.org/specification.html#built-in-functions>.

use std::cmp::Ordering;

use jmespath::ast::Ast;

use super::{QueryError, evaluate, number};
use crate::value::{Map, Value};

/// Calls a function.
pub(super) fn call(
    name: &str,
    args: &[Ast],
    value: &Value,
    depth: usize,
) -> Result<Value, QueryError> {
    let Some((_, least, most, of_expression)) = TABLE.iter().find(|(known, ..)| *known == name)
    else {
        return Err(QueryError::Function { name: name.to_owned() });
    };
    if args.len() < *least || args.len() > *most {
        return Err(QueryError::Arity { function: name.to_owned(), given: args.len() });
    }
    if let Some(place) = of_expression {
        let list = 1 - place;
        let Ast::Expref { ast, .. } = &args[*place] else {
            return Err(wrong(name, "an expression (&name)", "a value"));
        };
        let list = evaluate(&args[list], value, depth)?.into_owned();
        return by_expression(name, ast, list, depth);
    }
    let mut given = Vec::with_capacity(args.len());
    for arg in args {
        given.push(evaluate(arg, value, depth)?.into_owned());
    }
    plain(name, given)
}

/// Each with how many arguments it takes, at least and at most, and which of them is an expression.
const TABLE: &[(&str, usize, usize, Option<usize>)] = &[
    ("abs", 1, 1, None),
    ("avg", 1, 1, None),
    ("ceil", 1, 1, None),
    ("contains", 2, 2, None),
    ("ends_with", 2, 2, None),
    ("floor", 1, 1, None),
    ("join", 2, 2, None),
    ("keys", 1, 1, None),
    ("length", 1, 1, None),
    ("map", 2, 2, Some(0)),
    ("max", 1, 1, None),
    ("max_by", 2, 2, Some(1)),
    ("merge", 1, usize::MAX, None),
    ("min", 1, 1, None),
    ("min_by", 2, 2, Some(1)),
    ("not_null", 1, usize::MAX, None),
    ("reverse", 1, 1, None),
    ("sort", 1, 1, None),
    ("sort_by", 2, 2, Some(1)),
    ("starts_with", 2, 2, None),
    ("sum", 1, 1, None),
    ("to_array", 1, 1, None),
    ("to_number", 1, 1, None),
    ("to_string", 1, 1, None),
    ("type", 1, 1, None),
    ("values", 1, 1, None),
];

fn wrong(function: &str, wanted: &'static str, given: &str) -> QueryError {
    QueryError::Argument { function: function.to_owned(), wanted, given: given.to_owned() }
}

fn by_expression(name: &str, by: &Ast, list: Value, depth: usize) -> Result<Value, QueryError> {
    let Value::List(items) = list else { return Err(wrong(name, "a list", list.kind())) };
    if name == "map" {
        let one = |it: &Value| evaluate(by, it, depth).map(std::borrow::Cow::into_owned);
        return Ok(Value::List(items.iter().map(one).collect::<Result<_, _>>()?));
    }
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let key = evaluate(by, &item, depth)?.into_owned();
        keyed.push((key, item));
    }
    let keys: Vec<&Value> = keyed.iter().map(|(key, _)| key).collect();
    all_comparable(name, &keys)?;
    if name == "sort_by" {
        keyed.sort_by(|left, right| order(&left.0, &right.0));
        return Ok(Value::List(keyed.into_iter().map(|(_, item)| item).collect()));
    }
    // Of equal ones the first counts.
    let best = if name == "max_by" {
        keyed.into_iter().rev().max_by(|left, right| order(&left.0, &right.0))
    } else {
        keyed.into_iter().min_by(|left, right| order(&left.0, &right.0))
    };
    Ok(best.map_or(Value::Null, |(_, item)| item))
}

fn all_comparable(name: &str, keys: &[&Value]) -> Result<(), QueryError> {
    let text = keys.iter().all(|it| matches!(it, Value::String(_)));
    let times = keys.iter().all(|it| matches!(it, Value::Timestamp(_)));
    let numbers = keys.iter().all(|it| number(it).is_some());
    if text || times || numbers {
        return Ok(());
    }
    let odd = keys
        .iter()
        .find(|it| !matches!(it, Value::String(_) | Value::Timestamp(_)) && number(it).is_none());
    let given = odd.map_or("values of several kinds", |it| it.kind());
    Err(wrong(name, "only strings or only numbers", given))
}

fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        _ => number(left).unwrap_or(0.0).total_cmp(&number(right).unwrap_or(0.0)),
    }
}

fn plain(name: &str, mut given: Vec<Value>) -> Result<Value, QueryError> {
    match name {
        "merge" => {
            let mut merged = Map::new();
            for map in given {
                let Value::Map(map) = map else { return Err(wrong(name, "maps", map.kind())) };
                merged.extend(map);
            }
            return Ok(Value::Map(merged));
        }
        "not_null" => {
            return Ok(given.into_iter().find(|it| *it != Value::Null).unwrap_or_default());
        }
        _ => {}
    }
    let second = if given.len() > 1 { given.pop() } else { None };
    let first = given.pop().unwrap_or_default();
    match second {
        Some(second) => of_two(name, &first, &second),
        None => of_one(name, first),
    }
}

fn of_two(name: &str, first: &Value, second: &Value) -> Result<Value, QueryError> {
    match (name, first, second) {
        ("contains", Value::String(text), Value::String(part)) => {
            Ok(Value::Bool(text.contains(part.as_str())))
        }
        ("contains", Value::String(_), _) => Ok(Value::Bool(false)),
        ("contains", Value::List(items), wanted) => Ok(Value::Bool(items.contains(wanted))),
        ("contains", other, _) => Err(wrong(name, "a list or a string", other.kind())),
        ("starts_with", Value::String(text), Value::String(part)) => {
            Ok(Value::Bool(text.starts_with(part.as_str())))
        }
        ("ends_with", Value::String(text), Value::String(part)) => {
            Ok(Value::Bool(text.ends_with(part.as_str())))
        }
        ("join", Value::String(glue), Value::List(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let texts = texts.ok_or_else(|| wrong(name, "a list of strings", "another list"))?;
            Ok(Value::String(texts.join(glue)))
        }
        ("join", Value::String(_), other) => Err(wrong(name, "a list of strings", other.kind())),
        (_, Value::String(_), other) | (_, other, _) => {
            Err(wrong(name, "two strings", other.kind()))
        }
    }
}

fn of_one(name: &str, value: Value) -> Result<Value, QueryError> {
    match name {
        "abs" | "ceil" | "floor" => rounded(name, &value),
        "avg" | "sum" => total(name, &value),
        "max" | "min" | "sort" => sorted(name, value),
        "length" => match &value {
            Value::String(text) => Ok(count(text.chars().count())),
            Value::List(items) => Ok(count(items.len())),
            Value::Map(map) => Ok(count(map.len())),
            other => Err(wrong(name, "a string, a list or a map", other.kind())),
        },
        "keys" | "values" => match value {
            Value::Map(map) if name == "keys" => Ok(map.into_keys().collect()),
            Value::Map(map) => Ok(Value::List(map.into_values().collect())),
            other => Err(wrong(name, "a map", other.kind())),
        },
        "reverse" => match value {
            Value::String(text) => Ok(Value::String(text.chars().rev().collect())),
            Value::List(mut items) => {
                items.reverse();
                Ok(Value::List(items))
            }
            other => Err(wrong(name, "a list or a string", other.kind())),
        },
        "to_array" => Ok(match value {
            Value::List(_) => value,
            other => Value::List(vec![other]),
        }),
        "to_string" => Ok(match value {
            Value::String(_) => value,
            other => Value::String(other.to_json().to_string()),
        }),
        "to_number" => Ok(match value {
            Value::Int(_) | Value::Float(_) => value,
            Value::String(text) => text
                .parse()
                .map(Value::Int)
                .unwrap_or_else(|_| text.parse().map_or(Value::Null, Value::Float)),
            _ => Value::Null,
        }),
        _ => Ok(Value::from(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) | Value::Float(_) => "number",
            Value::String(_) | Value::Blob(_) | Value::Timestamp(_) => "string",
            Value::List(_) => "array",
            Value::Map(_) => "object",
        })),
    }
}

fn count(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn rounded(name: &str, value: &Value) -> Result<Value, QueryError> {
    match (name, value) {
        ("abs", Value::Int(it)) => Ok(Value::Int(it.saturating_abs())),
        (_, Value::Int(it)) => Ok(Value::Int(*it)),
        (_, Value::Float(it)) => {
            let number = match name {
                "abs" => return Ok(Value::Float(it.abs())),
                "ceil" => it.ceil(),
                _ => it.floor(),
            };
            #[expect(clippy::cast_possible_truncation, reason = "far larger ones stay floats")]
            Ok(if number.abs() < 9e15 { Value::Int(number as i64) } else { Value::Float(number) })
        }
        (_, other) => Err(wrong(name, "a number", other.kind())),
    }
}

fn total(name: &str, value: &Value) -> Result<Value, QueryError> {
    let Value::List(items) = value else {
        return Err(wrong(name, "a list of numbers", value.kind()));
    };
    let numbers: Option<Vec<f64>> = items.iter().map(number).collect();
    let numbers = numbers.ok_or_else(|| wrong(name, "a list of numbers", "another list"))?;
    let sum: f64 = numbers.iter().sum();
    if name == "sum" {
        return Ok(Value::Float(sum));
    }
    #[expect(clippy::cast_precision_loss, reason = "lists are far shorter than 2^53")]
    Ok(if numbers.is_empty() { Value::Null } else { Value::Float(sum / numbers.len() as f64) })
}

fn sorted(name: &str, value: Value) -> Result<Value, QueryError> {
    let Value::List(mut items) = value else {
        return Err(wrong(name, "a list", value.kind()));
    };
    all_comparable(name, &items.iter().collect::<Vec<_>>())?;
    items.sort_by(order);
    Ok(match name {
        "max" => items.pop().unwrap_or_default(),
        "min" => items.into_iter().next().unwrap_or_default(),
        _ => Value::List(items),
    })
}
