//! `json` and `jsonl`: the structures of the callbacks `ansible.posix.json` and `ansible.posix.jsonl`.

use std::collections::{BTreeMap, HashMap};
use std::io;

use davit_event::{Counts, End, Event, Kind, Sink, Status};
use serde_json::{Map, Value, json};

use crate::view::problem::path_of;
use crate::view::{Outputs, Settings, dump};

/// Plays and tasks of a run with their names, places and times, by number.
#[derive(Default)]
struct Record {
    run: String,
    play: Value,
    tasks: HashMap<u32, Task>,
}

struct Task {
    action: String,
    about: Value,
}

impl Record {
    /// Identifiers look as the original's do, and say which run they are of.
    fn id(&self, what: u8, number: u32) -> String {
        let hash = self.run.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        format!(
            "{:08x}-{:04x}-{:04x}-{what:04x}-{number:012x}",
            hash >> 32,
            hash >> 16 & 0xffff,
            hash & 0xffff
        )
    }

    fn play(&mut self, number: u32, name: &str, path: &str, at: &str) -> Value {
        self.tasks.clear();
        self.play = json!({
            "duration": {"start": at},
            "id": self.id(1, number),
            "name": name,
            "path": path,
        });
        self.play.clone()
    }

    fn task(&mut self, event: &Kind, at: &str) -> Option<Value> {
        let Kind::TaskStarted { task, name, action, path, .. } = event else { return None };
        let about = json!({
            "duration": {"start": at},
            "id": self.id(2, *task),
            "name": name,
            "path": path_of(path),
        });
        self.tasks.insert(*task, Task { action: action.clone(), about: about.clone() });
        Some(about)
    }

    /// A host's result with the keys that the original adds.
    fn result(&self, task: u32, end: &End) -> Value {
        let mut result = end.reply.clone();
        if let Some(task) = self.tasks.get(&task) {
            result.insert("action".to_owned(), task.action.as_str().into());
        }
        result.insert("_ansible_no_log".to_owned(), end.no_log.into());
        let mut flag = |name: &str| {
            result.insert(name.to_owned(), true.into());
        };
        match end.status {
            Status::Failed => flag("failed"),
            Status::Unreachable => flag("unreachable"),
            Status::Skipped => flag("skipped"),
            Status::Changed => flag("changed"),
            Status::Ok => {}
        }
        if !result.contains_key("changed") {
            result.insert("changed".to_owned(), false.into());
        }
        Value::Object(result)
    }
}

fn time(at_ms: u64) -> String {
    let stamp = i64::try_from(at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(String::new, |stamp| format!("{stamp:.6}"))
}

fn stats(stats: &BTreeMap<String, Counts>) -> Value {
    let hosts = stats.iter().map(|(host, counts)| {
        let counts = json!({
            "changed": counts.changed,
            "failures": counts.failed,
            "ignored": counts.ignored,
            "ok": counts.ok,
            "rescued": counts.rescued,
            "skipped": counts.skipped,
            "unreachable": counts.unreachable,
        });
        (host.clone(), counts)
    });
    Value::Object(hosts.collect())
}

/// Collected values: of hosts, and of the whole run.
fn customs(custom: &BTreeMap<String, Value>) -> (Value, Value) {
    let hosts: Map<String, Value> = custom
        .iter()
        .filter(|(host, _)| *host != "_run")
        .map(|(host, value)| (host.clone(), value.clone()))
        .collect();
    (Value::Object(hosts), custom.get("_run").cloned().unwrap_or_else(|| json!({})))
}

/// The view `json`: one document when the run has ended.
pub(crate) struct Document {
    settings: Settings,
    to: Outputs,
    record: Record,
    plays: Vec<Value>,
    /// Where the tasks of the current play stand, by number.
    places: HashMap<u32, usize>,
}

impl Document {
    pub(crate) fn new(settings: Settings, to: Outputs) -> Self {
        Self { settings, to, record: Record::default(), plays: Vec::new(), places: HashMap::new() }
    }

    fn tasks(&mut self) -> Option<&mut Vec<Value>> {
        self.plays.last_mut()?.get_mut("tasks")?.as_array_mut()
    }

    fn done(&mut self, task: u32, host: &str, end: &End, at: &str) {
        let result = self.record.result(task, end);
        let Some(place) = self.places.get(&task).copied() else { return };
        if let Some(entry) = self.tasks().and_then(|tasks| tasks.get_mut(place)) {
            entry["hosts"][host] = result;
            entry["task"]["duration"]["end"] = at.into();
        }
        if let Some(play) = self.plays.last_mut() {
            play["play"]["duration"]["end"] = at.into();
        }
    }
}

impl Sink for Document {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        let at = time(event.at_ms);
        match &event.kind {
            Kind::RunStarted { run, .. } => self.record.run.clone_from(run),
            Kind::PlayStarted { play, name, path, .. } => {
                let about = self.record.play(*play, name, path, &at);
                self.plays.push(json!({"play": about, "tasks": []}));
                self.places.clear();
            }
            Kind::TaskStarted { task, .. } => {
                if let Some(about) = self.record.task(&event.kind, &at)
                    && let Some(tasks) = self.tasks()
                {
                    tasks.push(json!({"hosts": {}, "task": about}));
                    let place = tasks.len() - 1;
                    self.places.insert(*task, place);
                }
            }
            Kind::HostDone { task, host, end, .. } => self.done(*task, host, end, &at),
            Kind::RunFinished { stats: counts, custom, .. } => {
                let (custom, global) = customs(custom);
                let document = json!({
                    "custom_stats": custom,
                    "global_custom_stats": global,
                    "plays": std::mem::take(&mut self.plays),
                    "stats": stats(counts),
                });
                let text = dump::json(&document, Some(self.settings.result_indentation));
                self.to.out.write_all(text.as_bytes())?;
                self.to.out.write_all(b"\n")?;
                self.to.out.flush()?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The view `jsonl`: a line for each of the original's callbacks.
pub(crate) struct Lines {
    to: Outputs,
    record: Record,
}

impl Lines {
    pub(crate) fn new(_: Settings, to: Outputs) -> Self {
        Self { to, record: Record::default() }
    }

    fn line(&mut self, name: &str, at: &str, mut entry: Value) -> io::Result<()> {
        entry["_event"] = name.into();
        entry["_timestamp"] = at.into();
        let text = dump::json(&entry, None);
        writeln!(self.to.out, "{text}")?;
        self.to.out.flush()
    }

    fn result(
        &mut self,
        name: &str,
        at: &str,
        task: u32,
        (host, end): (&str, &End),
    ) -> io::Result<()> {
        let result = self.record.result(task, end);
        let mut about =
            self.record.tasks.get(&task).map_or_else(|| json!({}), |task| task.about.clone());
        about["duration"]["end"] = at.into();
        self.line(name, at, json!({"hosts": {host: result}, "task": about}))
    }
}

impl Sink for Lines {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        let at = time(event.at_ms);
        match &event.kind {
            Kind::RunStarted { run, .. } => {
                self.record.run.clone_from(run);
                Ok(())
            }
            Kind::PlayStarted { play, name, path, .. } => {
                let about = self.record.play(*play, name, path, &at);
                self.line("v2_playbook_on_play_start", &at, json!({"play": about, "tasks": []}))
            }
            Kind::NoHostsMatched => self.line("v2_playbook_on_no_hosts_matched", &at, json!({})),
            Kind::TaskStarted { handler, .. } => {
                let about = self.record.task(&event.kind, &at).unwrap_or_default();
                let name = if *handler {
                    "v2_playbook_on_handler_task_start"
                } else {
                    "v2_playbook_on_task_start"
                };
                self.line(name, &at, json!({"hosts": {}, "task": about}))
            }
            Kind::ItemDone { task, host, end } => {
                let name = match end.status {
                    Status::Ok | Status::Changed => "v2_runner_item_on_ok",
                    Status::Skipped => "v2_runner_item_on_skipped",
                    _ => "v2_runner_item_on_failed",
                };
                self.result(name, &at, *task, (host, end))
            }
            Kind::Retry { task, host, end, .. } => {
                self.result("v2_runner_retry", &at, *task, (host, end))
            }
            Kind::HostDone { task, host, end, .. } => {
                let name = match end.status {
                    Status::Ok | Status::Changed => "v2_runner_on_ok",
                    Status::Skipped => "v2_runner_on_skipped",
                    Status::Failed => "v2_runner_on_failed",
                    Status::Unreachable => "v2_runner_on_unreachable",
                };
                self.result(name, &at, *task, (host, end))
            }
            Kind::RunFinished { stats: counts, custom, .. } => {
                let (custom, global) = customs(custom);
                let entry = json!({
                    "custom_stats": custom, "global_custom_stats": global, "stats": stats(counts),
                });
                self.line("v2_playbook_on_stats", &at, entry)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::view::{Settings, fixture};

    #[test]
    fn one_document() {
        let (out, _) = fixture::show("ansible.posix.json", &Settings::default());
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(document["plays"][1]["play"]["name"], "web");
        assert_eq!(document["stats"]["web2"]["failures"], 1);
        let first = &document["plays"][1]["tasks"][0];
        insta::assert_snapshot!(crate::view::dump::json(first, Some(4)), @r#"
        {
            "hosts": {
                "web1": {
                    "_ansible_no_log": false,
                    "action": "debug",
                    "changed": false,
                    "msg": "hello web1"
                },
                "web2": {
                    "_ansible_no_log": false,
                    "action": "debug",
                    "changed": false,
                    "msg": "hello web2"
                }
            },
            "task": {
                "duration": {
                    "end": "2027-01-15T08:00:04.500000Z",
                    "start": "2027-01-15T08:00:03.000000Z"
                },
                "id": "b35ccea9-3e3e-2dc2-0002-000000000000",
                "name": "say",
                "path": "/srv/site.yml:4"
            }
        }
        "#);
    }

    #[test]
    fn one_line_for_each_callback() {
        let (out, _) = fixture::show("jsonl", &Settings::default());
        let names: Vec<String> = out
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["_event"].as_str().unwrap().to_owned()
            })
            .collect();
        insta::assert_snapshot!(names.join("\n"), @r#"
        v2_playbook_on_play_start
        v2_playbook_on_no_hosts_matched
        v2_playbook_on_play_start
        v2_playbook_on_task_start
        v2_runner_on_ok
        v2_runner_on_ok
        v2_playbook_on_task_start
        v2_runner_on_ok
        v2_runner_on_ok
        v2_playbook_on_task_start
        v2_runner_item_on_ok
        v2_runner_item_on_skipped
        v2_runner_on_ok
        v2_runner_on_skipped
        v2_playbook_on_task_start
        v2_runner_on_ok
        v2_playbook_on_task_start
        v2_runner_retry
        v2_runner_on_failed
        v2_runner_on_ok
        v2_playbook_on_task_start
        v2_runner_on_failed
        v2_runner_on_unreachable
        v2_playbook_on_stats
        "#);
    }
}
