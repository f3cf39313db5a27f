//! `ansible_failed_task`: the task that failed, as data for `rescue`.
//!
//! Every keyword of a task is there, with what it is where nobody wrote it. It knows no results.

use std::sync::Arc;

use davit_value::{Key, Map, Value};

use crate::tree::Task;

/// Keywords that are lists, whatever is written.
const LISTS: &[&str] =
    &["changed_when", "environment", "failed_when", "module_defaults", "until", "when"];

/// Keywords that are nothing where they are not written.
const NOTHING: &[&str] = &[
    "become_exe",
    "become_flags",
    "become_user",
    "debugger",
    "delegate_facts",
    "delegate_to",
    "ignore_errors",
    "ignore_unreachable",
    "loop",
    "loop_control",
    "loop_with",
    "notify",
    "port",
    "register",
    "remote_user",
    "retries",
    "run_once",
];

/// The task as data.
pub(crate) fn describe(task: &Arc<Task>) -> Value {
    let mut about = Map::new();
    about.insert("name", task.name().map_or_else(String::new, Value::to_str).into());
    about.insert("action", task.written.action.as_str().into());
    about.insert("_resolved_action", (&*task.full_name).into());
    about.insert("args", args(task).into());
    for name in ["any_errors_fatal", "become", "check_mode", "diff", "no_log"] {
        about.insert(name, inherited(task, name).unwrap_or_else(|| false.into()));
    }
    for name in ["async", "async_val", "throttle", "timeout"] {
        about.insert(name, inherited(task, name).unwrap_or(Value::Int(0)));
    }
    for name in NOTHING {
        about.insert(*name, inherited(task, name).unwrap_or_default());
    }
    for name in LISTS {
        let list = match inherited(task, name) {
            None | Some(Value::Null) => Value::list(Vec::new()),
            Some(list @ Value::List(_)) => list,
            Some(one) => Value::list(vec![one]),
        };
        about.insert(*name, list);
    }
    about.insert("tags", tags(task));
    about.insert("collections", Value::list(Vec::new()));
    about.insert("become_method", inherited(task, "become_method").unwrap_or("sudo".into()));
    about.insert("connection", inherited(task, "connection").unwrap_or("ssh".into()));
    about.insert("delay", inherited(task, "delay").unwrap_or(Value::Float(5.0)));
    about.insert("poll", inherited(task, "poll").unwrap_or(Value::Int(15)));
    about.insert("vars", inherited(task, "vars").unwrap_or_else(Value::map));
    about.insert("finalized", true.into());
    about.insert("squashed", true.into());
    about.insert("uuid", format!("{:p}", Arc::as_ptr(task)).into());
    about.into()
}

fn inherited(task: &Task, name: &str) -> Option<Value> {
    task.keyword(name).map(|(value, _)| value.clone())
}

/// Its own tags and those around it.
fn tags(task: &Task) -> Value {
    let mut tags = Vec::new();
    for (value, _) in task.keywords("tags") {
        match value {
            Value::List(list) => tags.extend(list.iter().cloned()),
            Value::Null => {}
            Value::Str(text) => tags.extend(text.split(',').map(|it| Value::from(it.trim()))),
            other => tags.push(other.clone()),
        }
    }
    Value::list(tags)
}

fn args(task: &Task) -> Map {
    let mut args = Map::new();
    if let Some(text) = &task.written.raw_params {
        args.insert(Key::from("_raw_params"), Value::Str(text.clone()));
    }
    for (key, value) in &task.written.args {
        args.insert(key.clone(), value.clone());
    }
    args
}
