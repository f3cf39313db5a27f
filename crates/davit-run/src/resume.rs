//! Taking up a run that was cut off: what its journal says was done is not done again.
//!
//! The run is started anew with the same playbooks and options. A task whose result on a host is
//! in the journal is not run there: its result is taken in as if it had just come, so variables,
//! facts and notified handlers are as they were. The first task without a result, or with a
//! failure that nothing let pass, is the first to run.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use davit_event::{End, Event, Kind, Status};
use davit_value::{Map, Value};

use crate::action::Outcome;
use crate::cursor::Place;
use crate::execute::{Done, Part};
use crate::tree::{Task, Work};

/// What stands where a secret was.
const COVERED: &str = "********";

/// The journal's entry about the start of a task.
pub(crate) fn entry(task: u32, play: u32, flushes: u32, place: &Place) -> serde_json::Value {
    serde_json::json!({ "task": task, "key": key(play, flushes, place) })
}

/// What names a task's start in any run of the same playbooks.
pub(crate) fn key(play: u32, flushes: u32, place: &Place) -> String {
    let mut key = format!("{play}/{flushes}");
    for part in place {
        key.push('.');
        key.push_str(&part.to_string());
    }
    key
}

/// The journal's entry about the name by which hosts remember the run.
pub(crate) fn name_entry(name: &str) -> serde_json::Value {
    serde_json::json!({ "name": name })
}

/// The name by which hosts remember the run of these events.
#[must_use]
pub fn run_name(events: &[Event]) -> Option<String> {
    events.iter().find_map(|event| match &event.kind {
        Kind::Journal { entry } => Some(entry.get("name")?.as_str()?.to_owned()),
        _ => None,
    })
}

/// Results of an earlier run.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    results: HashMap<(String, String), End>,
}

impl Replay {
    /// What the events of a run say was done.
    pub(crate) fn of(events: Vec<Event>) -> Self {
        let mut keys: BTreeMap<u32, String> = BTreeMap::new();
        let mut results = HashMap::new();
        for event in events {
            match event.kind {
                Kind::Journal { entry } => {
                    let task = entry.get("task").and_then(serde_json::Value::as_u64);
                    let key = entry.get("key").and_then(serde_json::Value::as_str);
                    if let (Some(task), Some(key)) =
                        (task.and_then(|it| u32::try_from(it).ok()), key)
                    {
                        keys.insert(task, key.to_owned());
                    }
                }
                Kind::HostDone { task, host, end, .. } => {
                    if let Some(key) = keys.get(&task) {
                        results.insert((key.clone(), host), end);
                    }
                }
                _ => {}
            }
        }
        results.retain(|_, end| is_past(end));
        Self { results }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// The result of `task` on `host`, where it is known well enough not to run the task again.
    pub(crate) fn find(&self, key: &str, host: &Arc<str>, task: &Task) -> Option<Done> {
        let end = self.results.get(&(key.to_owned(), host.to_string()))?;
        // Variables from files are templates, which results do not keep; a hidden or covered
        // result cannot stand for what the task registered.
        let lost = end.no_log || covered(&serde_json::Value::Object(end.reply.clone()));
        let kept = task.own("register").is_some() || end.reply.contains_key("ansible_facts");
        if &*task.full_name == "ansible.builtin.include_vars"
            || matches!(task.work, Work::IncludeTasks | Work::IncludeRole)
            || (lost && kept)
        {
            return None;
        }
        Some(done(end, task))
    }
}

/// True where the run went on after it.
fn is_past(end: &End) -> bool {
    match end.status {
        Status::Ok | Status::Changed | Status::Skipped => true,
        Status::Failed => end.ignored || end.rescued,
        Status::Unreachable => false,
    }
}

fn covered(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::String(text) => text.contains(COVERED),
        serde_json::Value::Array(items) => items.iter().any(covered),
        serde_json::Value::Object(entries) => entries.values().any(covered),
        _ => false,
    }
}

fn done(end: &End, task: &Task) -> Done {
    let mut outcome = Outcome { causes: end.causes.clone(), ..Outcome::of(&end.reply) };
    match end.status {
        Status::Skipped => outcome.result.insert("skipped", true.into()),
        Status::Failed => outcome.result.insert("failed", true.into()),
        _ => outcome.result.insert("failed", false.into()),
    };
    let is_loop = task.written.loop_.is_some();
    let parts = match outcome.result.get("results") {
        Some(Value::List(results)) if is_loop => {
            results.iter().filter_map(Value::as_map).map(|result| part(result, task)).collect()
        }
        _ => vec![part(&outcome.result, task)],
    };
    Done {
        parts,
        is_loop,
        no_log: end.no_log,
        ignore_errors: end.ignored,
        ignore_unreachable: end.ignored,
        delegated: end.delegated_to.as_deref().map(Arc::from),
        outcome,
        ..Done::default()
    }
}

fn part(result: &Map, task: &Task) -> Part {
    let mut notify = Vec::new();
    if crate::action::flag(result, "changed") {
        for (value, _) in task.keywords("notify") {
            match value {
                Value::List(list) => notify.extend(list.iter().map(Value::to_str)),
                Value::Null => {}
                other => notify.push(other.to_str()),
            }
        }
    }
    Part { result: result.clone(), notify, ..Part::default() }
}
