//! Lists taken as sets: `union`, `intersect`, `difference`, `symmetric_difference`.
//!
//! Small integers come in the order of Python's hash table; Python shuffles text anew in each
//! process, so here it keeps the order of the lists.

use davit_value::{Key, Value, ValueError};

use super::select::Seen;
use crate::Call;
use crate::call::Signature;

type Answer = Result<Value, ValueError>;

fn operands(call: &Call<'_>, name: &'static str) -> Result<(Vec<Value>, Vec<Value>), ValueError> {
    let bound =
        call.bind_as(Signature { name, params: &["a", "b"], required: 2, hidden: 1 }, true)?;
    let a = call.items(&bound.value(0))?;
    let b = call.items(&bound.value(1)).map_err(|error| match error {
        ValueError::Type(_) => ValueError::Type(format!(
            "argument of type '{}' is not iterable",
            bound.value(1).type_name()
        )),
        other => other,
    })?;
    Ok((a, b))
}

/// The items once each, where `keep` says so.
pub(super) fn distinct(
    items: impl IntoIterator<Item = Value>,
    keep: impl Fn(&Value) -> bool,
) -> Vec<Value> {
    let mut seen = Seen::default();
    items.into_iter().filter(|item| keep(item) && seen.insert(item)).collect()
}

/// The values as a set that answers "is it in".
pub(super) fn set_of(items: &[Value]) -> Seen {
    let mut seen = Seen::default();
    for item in items {
        seen.insert(item);
    }
    seen
}

/// Puts integers in the order in which a Python set holds them; anything else stays.
fn table_order(items: Vec<Value>) -> Value {
    if !items.iter().all(|item| matches!(item, Value::Int(int) if *int >= 0)) {
        return Value::list(items);
    }
    let mut size = 8_usize;
    while items.len() * 5 >= (size - 1) * 3 {
        size *= 4;
    }
    let mut table: Vec<Option<Value>> = vec![None; size];
    let mut overflow = Vec::new();
    for item in items {
        let Value::Int(int) = item else { continue };
        let start = usize::try_from(int.unsigned_abs() % size as u128).unwrap_or(0);
        match (start..size).find(|at| table[*at].is_none()) {
            Some(at) => table[at] = Some(item),
            None => overflow.push(item),
        }
    }
    Value::list(table.into_iter().flatten().chain(overflow).collect())
}

/// True where all values hash, so that Python takes real sets.
fn all_hash(items: &[&[Value]]) -> bool {
    items.iter().all(|items| items.iter().all(|item| Key::from_value(item).is_some()))
}

fn finish(items: Vec<Value>, hashed: bool) -> Value {
    if hashed { table_order(items) } else { Value::list(items) }
}

pub(super) fn union(call: &Call<'_>) -> Answer {
    let (a, b) = operands(call, "union")?;
    let hashed = all_hash(&[&a, &b]);
    Ok(finish(distinct(a.into_iter().chain(b), |_| true), hashed))
}

pub(super) fn intersect(call: &Call<'_>) -> Answer {
    let (a, b) = operands(call, "intersect")?;
    let (hashed, set) = (all_hash(&[&a, &b]), set_of(&b));
    Ok(finish(distinct(a, |item| set.contains(item)), hashed))
}

pub(super) fn difference(call: &Call<'_>) -> Answer {
    let (a, b) = operands(call, "difference")?;
    let (hashed, set) = (all_hash(&[&a, &b]), set_of(&b));
    Ok(finish(distinct(a, |item| !set.contains(item)), hashed))
}

pub(super) fn symmetric_difference(call: &Call<'_>) -> Answer {
    let (a, b) = operands(call, "symmetric_difference")?;
    let hashed = all_hash(&[&a, &b]);
    let (in_a, in_b) = (set_of(&a), set_of(&b));
    let all = distinct(a.into_iter().chain(b), |item| in_a.contains(item) != in_b.contains(item));
    Ok(finish(all, hashed))
}

fn every_list(call: &Call<'_>) -> Result<Vec<Vec<Value>>, ValueError> {
    let mut lists = Vec::new();
    for value in &call.args.positional {
        let value = call.deep(value)?;
        let Some(list) = value.as_list() else {
            return Err(ValueError::Value(format!(
                "All arguments must be lists. {} is {}",
                value.to_str(),
                value.type_name()
            )));
        };
        lists.push(list.to_vec());
    }
    // `flatten=true` means that the first argument is a list of lists.
    if call.args.named.get("flatten").map_or(Ok(false), Value::truthy)? && lists.len() == 1 {
        lists = lists.concat().iter().map(crate::call::items_of).collect::<Result<_, _>>()?;
    }
    Ok(lists)
}

pub(super) fn lists_union(call: &Call<'_>) -> Answer {
    Ok(Value::list(distinct(every_list(call)?.concat(), |_| true)))
}

pub(super) fn lists_intersect(call: &Call<'_>) -> Answer {
    let mut lists = every_list(call)?.into_iter();
    let mut out = distinct(lists.next().unwrap_or_default(), |_| true);
    for list in lists {
        let set = set_of(&list);
        out.retain(|item| set.contains(item));
    }
    Ok(Value::list(out))
}

pub(super) fn lists_difference(call: &Call<'_>) -> Answer {
    let mut lists = every_list(call)?.into_iter();
    let mut out = distinct(lists.next().unwrap_or_default(), |_| true);
    for list in lists {
        let set = set_of(&list);
        out.retain(|item| !set.contains(item));
    }
    Ok(Value::list(out))
}

pub(super) fn lists_symmetric_difference(call: &Call<'_>) -> Answer {
    let mut lists = every_list(call)?.into_iter();
    let mut out = distinct(lists.next().unwrap_or_default(), |_| true);
    for list in lists {
        let (a, b) = (set_of(&out), set_of(&list));
        out = distinct(out.into_iter().chain(list), |item| a.contains(item) != b.contains(item));
    }
    Ok(Value::list(out))
}
