//! Tests of what a task registered.
//!
//! Knows the keys of results and nothing of tasks.

use davit_value::{Map, Value, ValueError};

use crate::Call;

type Answer = Result<Value, ValueError>;

/// The result, as a dictionary.
fn result(call: &Call<'_>, function: &'static str, test: &str) -> Result<Map, ValueError> {
    let value = call.bind_lazy(function, &["result"], 1)?.value(0).settle()?;
    match value.as_map() {
        Some(map) => Ok(map.clone()),
        None => Err(ValueError::Type(format!("The '{test}' test expects a dictionary"))),
    }
}

fn truth(call: &Call<'_>, map: &Map, key: &str) -> Result<bool, ValueError> {
    map.get(key).map_or(Ok(false), |value| call.shallow(value)?.truthy())
}

pub(super) fn failed(call: &Call<'_>) -> Answer {
    let map = result(call, "failed", "failed")?;
    Ok(truth(call, &map, "failed")?.into())
}

pub(super) fn success(call: &Call<'_>) -> Answer {
    let map = result(call, "success", "failed")?;
    Ok((!truth(call, &map, "failed")?).into())
}

pub(super) fn unreachable(call: &Call<'_>) -> Answer {
    let map = result(call, "unreachable", "unreachable")?;
    Ok(truth(call, &map, "unreachable")?.into())
}

pub(super) fn reachable(call: &Call<'_>) -> Answer {
    let map = result(call, "reachable", "unreachable")?;
    Ok((!truth(call, &map, "unreachable")?).into())
}

pub(super) fn skipped(call: &Call<'_>) -> Answer {
    let map = result(call, "skipped", "skipped")?;
    Ok(truth(call, &map, "skipped")?.into())
}

/// A loop without an answer of its own has changed where one of its items has.
pub(super) fn changed(call: &Call<'_>) -> Answer {
    let map = result(call, "changed", "changed")?;
    if !map.contains("changed")
        && let Some(items) = map.get("results").and_then(Value::as_list)
    {
        for item in items {
            if let Some(item) = item.as_map()
                && truth(call, item, "changed")?
            {
                return Ok(true.into());
            }
        }
        return Ok(false.into());
    }
    Ok(truth(call, &map, "changed")?.into())
}

/// `finished` and `started` of a task that is not asynchronous are both true.
fn asynchronous(call: &Call<'_>, function: &'static str) -> Answer {
    let map = result(call, function, function)?;
    if !map.contains(function) {
        call.env.outside.warn(&format!(
            "The '{function}' test expects an async task, but a non-async task was tested"
        ));
        return Ok(true.into());
    }
    Ok(truth(call, &map, function)?.into())
}

pub(super) fn finished(call: &Call<'_>) -> Answer {
    asynchronous(call, "finished")
}

pub(super) fn started(call: &Call<'_>) -> Answer {
    asynchronous(call, "started")
}

pub(super) fn timedout(call: &Call<'_>) -> Answer {
    let map = result(call, "timedout", "timedout")?;
    let Some(found) = map.get("timedout") else { return Ok(false.into()) };
    let found = call.deep(found)?;
    Ok(match found.get("period") {
        Some(period) => period.truthy()?,
        None => false,
    }
    .into())
}
