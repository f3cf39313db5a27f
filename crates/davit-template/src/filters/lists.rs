//! Sequences: Jinja2's `batch`, `slice`, `first` ..., `flatten`, and the iterators of Python's `itertools`.
//!
//! What Python gives as an iterator is a list here, as templates see it there too.

use davit_value::{Value, ValueError};

use crate::Call;
use crate::call::{Signature, index_of};

type Answer = Result<Value, ValueError>;

/// Results larger than this are refused rather than built.
const MOST: usize = 10_000_000;

pub(super) fn list(call: &Call<'_>) -> Answer {
    let bound = call.bind_lazy("sync_do_list", &["value"], 1)?;
    let items = call.items(&bound.value(0))?;
    match items.iter().find(|item| item.is_undefined()) {
        Some(undefined) => Ok(undefined.clone()),
        None => Ok(Value::list(items)),
    }
}

pub(super) fn length(call: &Call<'_>) -> Answer {
    if !call.args.named.is_empty() {
        return Err(ValueError::Type("len() takes no keyword arguments".into()));
    }
    if call.args.positional.len() != 1 {
        return Err(ValueError::Type(format!(
            "len() takes exactly one argument ({} given)",
            call.args.positional.len()
        )));
    }
    let value = call.input()?;
    let length = match &value {
        Value::Str(text) => Some(text.chars().count()),
        Value::List(list) | Value::Tuple(list) => Some(list.len()),
        Value::Map(map) => Some(map.len()),
        Value::Object(object) => match object.keys() {
            Some(keys) => Some(keys.len()),
            None => object.items()?.map(|items| items.len()),
        },
        _ => None,
    };
    length.map(Value::from).ok_or_else(|| {
        ValueError::Type(format!("object of type '{}' has no len()", value.type_name()))
    })
}

const ONE: &[&str] = &["seq"];

pub(super) fn first(call: &Call<'_>) -> Answer {
    let bound = call
        .bind_as(Signature { name: "sync_do_first", params: ONE, required: 1, hidden: 1 }, false)?;
    let value = bound.value(0);
    let found = match &value {
        Value::List(list) | Value::Tuple(list) => list.first().cloned(),
        other => crate::call::items_of(other)?.into_iter().next(),
    };
    found.map_or_else(
        || Ok(Value::undefined_because("No first item, sequence was empty.")),
        |value| call.shallow(&value),
    )
}

pub(super) fn last(call: &Call<'_>) -> Answer {
    let bound =
        call.bind_as(Signature { name: "do_last", params: ONE, required: 1, hidden: 1 }, false)?;
    let value = bound.value(0);
    if matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Null) {
        return Err(ValueError::Type(format!("'{}' object is not reversible", value.type_name())));
    }
    let found = match &value {
        Value::List(list) | Value::Tuple(list) => list.last().cloned(),
        other => crate::call::items_of(other)?.pop(),
    };
    found.map_or_else(
        || Ok(Value::undefined_because("No last item, sequence was empty.")),
        |value| call.shallow(&value),
    )
}

pub(super) fn reverse(call: &Call<'_>) -> Answer {
    let value = call.bind_lazy("do_reverse", &["value"], 1)?.value(0);
    if let Value::Str(text) = &value {
        return Ok(text.chars().rev().collect::<String>().into());
    }
    let mut items = call.items(&value).map_err(|error| match error {
        ValueError::Type(text) => ValueError::Type(format!("argument must be iterable: {text}")),
        other => other,
    })?;
    items.reverse();
    Ok(Value::list(items))
}

pub(super) fn batch(call: &Call<'_>) -> Answer {
    let bound = call.bind_lazy("do_batch", &["value", "linecount", "fill_with"], 2)?;
    let size = index_of(&bound.value(1))?;
    let mut out: Vec<Value> = Vec::new();
    let mut row: Vec<Value> = Vec::new();
    for item in call.items(&bound.value(0))? {
        if row.len() as i128 == size {
            out.push(Value::list(std::mem::take(&mut row)));
        }
        row.push(item);
    }
    if !row.is_empty() {
        if let Some(fill) = bound.some(2) {
            while (row.len() as i128) < size.min(MOST as i128) {
                row.push(fill.clone());
            }
        }
        out.push(Value::list(row));
    }
    Ok(Value::list(out))
}

pub(super) fn slice(call: &Call<'_>) -> Answer {
    let bound = call.bind_lazy("sync_do_slice", &["value", "slices", "fill_with"], 2)?;
    let items = call.items(&bound.value(0))?;
    let count = index_of(&bound.value(1))?;
    if count == 0 {
        return Err(ValueError::ZeroDivision("integer division or modulo by zero".into()));
    }
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= MOST) else {
        return Ok(Value::list(Vec::new()));
    };
    let (each, longer) = (items.len() / count, items.len() % count);
    let mut out = Vec::with_capacity(count);
    let mut at = 0;
    for number in 0..count {
        let size = each + usize::from(number < longer);
        let mut part = items[at..at + size].to_vec();
        at += size;
        if let Some(fill) = bound.some(2)
            && number >= longer
        {
            part.push(fill.clone());
        }
        out.push(Value::list(part));
    }
    Ok(Value::list(out))
}

pub(super) fn flatten(call: &Call<'_>) -> Answer {
    let bound = call.bind("flatten", &["mylist", "levels", "skip_nulls"], 1)?;
    let levels = bound.some(1).map(index_of).transpose()?;
    let mut out = Vec::new();
    flatten_into(&call.items(&bound.value(0))?, levels, bound.truth(2, true)?, &mut out);
    Ok(Value::list(out))
}

fn flatten_into(items: &[Value], levels: Option<i128>, skip: bool, out: &mut Vec<Value>) {
    for item in items {
        let empty = item.is_null() || matches!(item.as_str(), Some("None" | "null"));
        if skip && empty {
            continue;
        }
        match item.as_list() {
            Some(inner) if levels.is_none_or(|levels| levels >= 1) => {
                flatten_into(inner, levels.map(|levels| levels - 1), skip, out);
            }
            _ => out.push(item.clone()),
        }
    }
}

fn too_large() -> ValueError {
    ValueError::Value("the result is too large".into())
}

/// `r` of `combinations` and `permutations`.
fn picked(
    call: &Call<'_>,
    name: &'static str,
    required: bool,
) -> Result<(Vec<Value>, Option<Value>), ValueError> {
    let given = call.args.positional.len() + call.args.named.len();
    if given > 2 {
        return Err(ValueError::Type(format!(
            "{name}() takes at most 2 arguments ({given} given)"
        )));
    }
    let r = call.args.positional.get(1).or_else(|| call.args.named.get("r"));
    if required && r.is_none() {
        return Err(ValueError::Type(format!("{name}() missing required argument 'r' (pos 2)")));
    }
    if let Some(key) = call.args.named.keys().map(davit_value::Key::to_text).find(|key| key != "r")
    {
        return Err(ValueError::Type(format!(
            "'{key}' is an invalid keyword argument for {name}()"
        )));
    }
    let items = call.items(&call.input()?)?;
    Ok((items, r.map(|r| call.deep(r)).transpose()?))
}

fn not_negative(r: i128) -> Result<usize, ValueError> {
    usize::try_from(r).map_err(|_| ValueError::Value("r must be non-negative".into()))
}

pub(super) fn permutations(call: &Call<'_>) -> Answer {
    let (items, r) = picked(call, "permutations", false)?;
    let r = match r {
        None | Some(Value::Null) => items.len(),
        Some(Value::Int(r)) => not_negative(r)?,
        Some(_) => return Err(ValueError::Type("Expected int as r".into())),
    };
    let mut out = Vec::new();
    if r <= items.len() {
        permute(&items, r, &mut Vec::new(), &mut vec![false; items.len()], &mut out)?;
    }
    Ok(Value::list(out))
}

fn permute(
    items: &[Value],
    r: usize,
    chosen: &mut Vec<Value>,
    used: &mut [bool],
    out: &mut Vec<Value>,
) -> Result<(), ValueError> {
    if chosen.len() == r {
        out.push(Value::tuple(chosen.clone()));
        return if out.len() > MOST { Err(too_large()) } else { Ok(()) };
    }
    for at in 0..items.len() {
        if !used[at] {
            used[at] = true;
            chosen.push(items[at].clone());
            permute(items, r, chosen, used, out)?;
            chosen.pop();
            used[at] = false;
        }
    }
    Ok(())
}

pub(super) fn combinations(call: &Call<'_>) -> Answer {
    let (items, r) = picked(call, "combinations", true)?;
    let r = not_negative(index_of(&r.unwrap_or_default())?)?;
    let mut out = Vec::new();
    if r <= items.len() {
        let mut at: Vec<usize> = (0..r).collect();
        loop {
            out.push(Value::tuple(at.iter().map(|at| items[*at].clone()).collect()));
            if out.len() > MOST {
                return Err(too_large());
            }
            let Some(turn) = (0..r).rev().find(|turn| at[*turn] != turn + items.len() - r) else {
                break;
            };
            at[turn] += 1;
            for next in turn + 1..r {
                at[next] = at[next - 1] + 1;
            }
        }
    }
    Ok(Value::list(out))
}

/// Every positional argument as items.
fn columns(call: &Call<'_>) -> Result<Vec<Vec<Value>>, ValueError> {
    call.args.positional.iter().map(|value| call.items(&call.shallow(value)?)).collect()
}

/// The one named argument that is allowed.
fn only_named(call: &Call<'_>, name: &str, allowed: &str) -> Result<Option<Value>, ValueError> {
    if let Some(key) =
        call.args.named.keys().map(davit_value::Key::to_text).find(|key| key != allowed)
    {
        return Err(ValueError::Type(format!(
            "'{key}' is an invalid keyword argument for {name}()"
        )));
    }
    call.args.named.get(allowed).map(|value| call.deep(value)).transpose()
}

pub(super) fn product(call: &Call<'_>) -> Answer {
    let repeat = only_named(call, "product", "repeat")?.map_or(Ok(1), |value| index_of(&value))?;
    let repeat = usize::try_from(repeat)
        .map_err(|_| ValueError::Value("repeat argument cannot be negative".into()))?;
    let once = columns(call)?;
    let columns: Vec<&Vec<Value>> = (0..repeat.min(10_000)).flat_map(|_| once.iter()).collect();
    let size = columns.iter().try_fold(1_usize, |size, column| size.checked_mul(column.len()));
    if size.is_none_or(|size| size > MOST) {
        return Err(too_large());
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for column in columns {
        rows = rows
            .iter()
            .flat_map(|row| {
                column.iter().map(move |item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    Ok(Value::list(rows.into_iter().map(Value::tuple).collect()))
}

pub(super) fn zip(call: &Call<'_>) -> Answer {
    let strict = only_named(call, "zip", "strict")?.map_or(Ok(false), |value| value.truthy())?;
    let columns = columns(call)?;
    let shortest = columns.iter().map(Vec::len).min().unwrap_or(0);
    if strict {
        let first = columns.first().map_or(0, Vec::len);
        if let Some((at, column)) =
            columns.iter().enumerate().find(|(_, column)| column.len() != first)
        {
            let than = if column.len() > first { "longer" } else { "shorter" };
            let before =
                if at == 1 { "argument 1".to_owned() } else { format!("arguments 1-{at}") };
            return Err(ValueError::Value(format!(
                "zip() argument {} is {than} than {before}",
                at + 1
            )));
        }
    }
    Ok(rows(&columns, shortest, &Value::Null))
}

pub(super) fn zip_longest(call: &Call<'_>) -> Answer {
    if call.args.named.keys().any(|key| key.as_str() != Some("fillvalue")) {
        return Err(ValueError::Type("zip_longest() got an unexpected keyword argument".into()));
    }
    let fill = call
        .args
        .named
        .get("fillvalue")
        .map(|value| call.deep(value))
        .transpose()?
        .unwrap_or_default();
    let columns = columns(call)?;
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    Ok(rows(&columns, longest, &fill))
}

/// The columns turned into rows.
pub(crate) fn rows(columns: &[Vec<Value>], count: usize, fill: &Value) -> Value {
    Value::list(
        (0..count)
            .map(|at| {
                Value::tuple(
                    columns.iter().map(|column| column.get(at).unwrap_or(fill).clone()).collect(),
                )
            })
            .collect(),
    )
}
