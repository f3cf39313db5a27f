//! What is seen of a result: without what is hidden, and without what only the engine reads.

use davit_value::{Map, Value};

use crate::context::TaskContext;

/// A result as events show it.
pub(crate) fn reply_to_show(result: &Map, no_log: bool) -> davit_event::Reply {
    if no_log {
        let mut censored = davit_event::Reply::new();
        censored.insert(
            "censored".into(),
            "the output has been hidden due to the fact that 'no_log: true' was specified for this result".into(),
        );
        for key in ["changed", "unreachable"] {
            if let Some(value) = result.get(key) {
                censored.insert(key.into(), value.to_json());
            }
        }
        if let Some(Value::List(rounds)) = result.get("results") {
            let rounds = rounds.iter().filter_map(Value::as_map);
            let hidden = rounds.map(|it| serde_json::Value::Object(reply_to_show(it, true)));
            censored.insert("results".into(), hidden.collect());
        }
        return censored;
    }
    // How it ended is the event's status, and said there alone.
    let mut reply = TaskContext::reply_of(result);
    reply.shift_remove("failed");
    reply.shift_remove("skipped");
    reply.values_mut().for_each(without_marks);
    reply
}

/// Takes out of what is inside a result the keys that only the engine reads.
fn without_marks(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(map) => {
            map.retain(|key, _| !key.starts_with("_ansible_"));
            map.values_mut().for_each(without_marks);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_marks),
        _ => {}
    }
}
