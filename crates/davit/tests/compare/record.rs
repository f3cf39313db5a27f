//! One form for what both sides report: the recorder's lines and davit's events.

use std::collections::BTreeMap;

use davit_event::{Counts, End, Event, Kind};
use serde_json::{Map, Value};

use super::normal;

/// A run, as far as it is compared.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Plays, tasks and handlers in the order they began.
    pub(super) starts: Vec<String>,
    /// By host, what happened to it, in order.
    pub(super) hosts: BTreeMap<String, Vec<Happened>>,
    /// By host, the handlers it notified, sorted.
    pub(super) notified: BTreeMap<String, Vec<String>>,
    /// By host, the counts of the recap; and what `set_stats` collected.
    pub(super) stats: BTreeMap<String, Value>,
}

/// One thing that happened to a host.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    /// The task's name, or the path of what was included.
    pub(super) task: String,
    /// `ok`, `changed`, ..., with `item` or `retry` before it; or `included`.
    pub(super) status: String,
    /// The label of the loop's item.
    pub(super) item: Option<String>,
    /// The result.
    pub(super) reply: Map<String, Value>,
    /// It is davit's, in check mode.
    pub(super) predicted: bool,
}

impl Happened {
    fn in_check(self, predicted: bool) -> Self {
        Self { predicted, ..self }
    }
}

impl Told {
    fn happened(&mut self, host: &str, happened: Happened) {
        self.hosts.entry(host.to_owned()).or_default().push(happened);
    }

    fn sorted(mut self) -> Self {
        self.notified.values_mut().for_each(|names| names.sort());
        self
    }
}

/// Reads what the recorder wrote.
pub(super) fn recorded(lines: &[String], volatile: &[String]) -> Result<Told, String> {
    let mut told = Told::default();
    for line in lines {
        let record: Value =
            serde_json::from_str(line).map_err(|error| format!("{error} in {line}"))?;
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        match record["e"].as_str().unwrap_or_default() {
            "play" => told.starts.push(format!("play {}", text("name"))),
            "task" => {
                let kind = if record["handler"] == true { "handler" } else { "task" };
                told.starts.push(format!("{kind} {}", text("name")));
            }
            "no_hosts_matched" => told.starts.push("no hosts matched".to_owned()),
            "notify" => told.notified.entry(text("host")).or_default().push(text("handler")),
            "include" => {
                let happened = Happened {
                    task: text("file"),
                    status: "included".to_owned(),
                    item: record["item"].as_str().map(normal::text),
                    reply: Map::new(),
                    predicted: false,
                };
                for host in record["hosts"].as_array().into_iter().flatten() {
                    told.happened(host.as_str().unwrap_or_default(), happened.clone());
                }
            }
            "stats" => {
                for (host, counts) in record["stats"].as_object().into_iter().flatten() {
                    told.stats.insert(host.clone(), counts.clone());
                }
                if record["custom"].as_object().is_some_and(|custom| !custom.is_empty()) {
                    told.stats.insert("set_stats".to_owned(), record["custom"].clone());
                }
            }
            kind @ ("host" | "item" | "retry") => {
                let ignored = if record["ignored"] == true { " ignored" } else { "" };
                let status = match kind {
                    "host" => format!("{}{ignored}", text("status")),
                    "item" => format!("item {}", text("status")),
                    _ => format!("retry, {} left", record["left"]),
                };
                let reply = record["reply"].as_object().cloned().unwrap_or_default();
                let item = record["item"].as_str().map(normal::text);
                let reply = normal::reply(reply, volatile);
                told.happened(
                    &text("host"),
                    Happened { task: text("task"), status, item, reply, predicted: false },
                );
            }
            _ => {}
        }
    }
    Ok(told.sorted())
}

/// Reads davit's events.
pub(super) fn events(lines: &[String], volatile: &[String]) -> Result<Told, String> {
    let mut told = Told::default();
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    let mut checks: Vec<u32> = Vec::new();
    let name_of =
        |names: &BTreeMap<u32, String>, task: u32| names.get(&task).cloned().unwrap_or_default();
    for line in lines {
        let event: Event = serde_json::from_str(line)
            .map_err(|error| format!("not an event: {error} in {line}"))?;
        match event.kind {
            Kind::PlayStarted { name, .. } => told.starts.push(format!("play {}", name.trim())),
            Kind::NoHostsMatched => told.starts.push("no hosts matched".to_owned()),
            Kind::TaskStarted { task, name, handler, check, .. } => {
                if check {
                    checks.push(task);
                }
                let kind = if handler { "handler" } else { "task" };
                told.starts.push(format!("{kind} {}", name.trim()));
                names.insert(task, name.trim().to_owned());
            }
            Kind::ItemDone { task, host, end } => {
                let status = format!("item {}", status(&end));
                told.happened(
                    &host,
                    happened(name_of(&names, task), status, end, volatile)
                        .in_check(checks.contains(&task)),
                );
            }
            Kind::Retry { task, host, left, end } => {
                let status = format!("retry, {left} left");
                told.happened(
                    &host,
                    happened(name_of(&names, task), status, end, volatile)
                        .in_check(checks.contains(&task)),
                );
            }
            Kind::HostDone { task, host, end, .. } => {
                let ignored = if end.ignored && status(&end) == "failed" { " ignored" } else { "" };
                let status = format!("{}{ignored}", status(&end));
                told.happened(
                    &host,
                    happened(name_of(&names, task), status, end, volatile)
                        .in_check(checks.contains(&task)),
                );
            }
            Kind::Included { file, hosts, item, .. } => {
                let item = item.as_deref().map(normal::text);
                let status = "included".to_owned();
                let one =
                    Happened { task: file, status, item, reply: Map::new(), predicted: false };
                hosts.iter().for_each(|host| told.happened(host, one.clone()));
            }
            Kind::Notified { host, handler } => {
                told.notified.entry(host).or_default().push(handler);
            }
            Kind::RunFinished { stats, custom, .. } => {
                told.stats.extend(stats.into_iter().map(|(host, counts)| (host, counted(counts))));
                if !custom.is_empty() {
                    let custom: Map<String, Value> = custom.into_iter().collect();
                    told.stats.insert("set_stats".to_owned(), custom.into());
                }
            }
            _ => {}
        }
    }
    Ok(told.sorted())
}

fn happened(task: String, status: String, end: End, volatile: &[String]) -> Happened {
    let item =
        if status.starts_with("item") { end.item.as_deref().map(normal::text) } else { None };
    Happened { task, status, item, reply: normal::reply(end.reply, volatile), predicted: false }
}

fn status(end: &End) -> String {
    serde_json::to_value(end.status)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The counts under the original's names.
fn counted(counts: Counts) -> Value {
    serde_json::json!({
        "ok": counts.ok,
        "failures": counts.failed,
        "unreachable": counts.unreachable,
        "changed": counts.changed,
        "skipped": counts.skipped,
        "rescued": counts.rescued,
        "ignored": counts.ignored,
    })
}
