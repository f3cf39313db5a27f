//! What became of the changes that were to be undone.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use davit_event::{End, Event, Kind, Level, Sink, Status};
use davit_module::{Did, Undone};
use serde::Serialize;
use serde_json::Value;

use super::plan::{HostPlan, Part, Plan};
use super::play::task_name;
use crate::launch::Ended;
use crate::report::{exit, warn};
use crate::view;

/// What the hosts have answered: by host and name of the task.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<HashMap<(String, String), End>>>);

/// Listens for them.
struct Listener {
    answers: Answers,
    tasks: HashMap<u32, String>,
}

impl Answers {
    pub(super) fn listener(&self) -> Box<dyn Sink> {
        Box::new(Listener { answers: self.clone(), tasks: HashMap::new() })
    }

    fn of(&self, host: &str, step: usize) -> Option<End> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&(host.to_owned(), task_name(step))).cloned()
    }
}

impl Sink for Listener {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            Kind::TaskStarted { task, name, .. } => {
                self.tasks.insert(*task, name.clone());
            }
            Kind::HostDone { task, host, end, .. } if end.status != Status::Skipped => {
                let name = self.tasks.get(task).cloned().unwrap_or_default();
                let mut all = self.answers.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert((host.clone(), name), end.clone());
            }
            // Nothing else shows the run.
            Kind::Message { level: Level::Warning | Level::Error, text, .. } => warn(text),
            _ => {}
        }
        Ok(())
    }
}

/// What became of some changes of one path.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Line {
    path: String,
    did: Did,
    how: String,
    /// The tasks that had made them, newest first.
    tasks: Vec<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    diff: Value,
}

/// What became of a host's changes.
#[derive(Clone, Debug, Default, Serialize)]
struct HostReport {
    /// Why it was not reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable: Option<String>,
    changes: Vec<Line>,
}

/// What became of all of them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Undoing {
    /// The run that was undone.
    undone: String,
    /// The run that undid it.
    run: String,
    check: bool,
    hosts: BTreeMap<String, HostReport>,
    #[serde(skip)]
    interrupted: bool,
}

impl Undoing {
    /// Of run `id`; `strangers` are hosts that could not be asked.
    pub(super) fn new(
        id: &str,
        (plan, strangers): (&Plan, &Plan),
        answers: &Answers,
        ended: Option<&Ended>,
        check: bool,
    ) -> Self {
        let mut hosts: BTreeMap<String, HostReport> =
            plan.hosts.iter().map(|(host, it)| (host.clone(), report(host, it, answers))).collect();
        for host in strangers.hosts.keys().cloned() {
            let unreachable = Some("it is not in the inventory any more".to_owned());
            hosts.insert(host, HostReport { unreachable, changes: Vec::new() });
        }
        Self {
            undone: id.to_owned(),
            run: ended.map(|it| it.run.clone()).unwrap_or_default(),
            check,
            hosts,
            interrupted: ended.is_some_and(|it| it.summary.interrupted),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for (host, report) in &self.hosts {
            let _ = writeln!(out, "{host}");
            for line in report.changes.iter().filter(|it| it.did != Did::Already) {
                let word = word(line.did, self.check);
                let _ = writeln!(out, "  {word:12}{}: {}{}", line.path, line.how, whose(line));
                if !line.diff.is_null() {
                    out.push_str(&view::diff_text(&line.diff));
                }
            }
            let _ = writeln!(out, "  {}", self.sum(report));
        }
        out
    }

    /// A host's changes in numbers.
    fn sum(&self, report: &HostReport) -> String {
        let count = |did: Did| report.changes.iter().filter(|it| it.did == did).count();
        let mut parts: Vec<String> = report
            .unreachable
            .iter()
            .map(|why| format!("unreachable: {}", why.trim_end().trim_end_matches('.')))
            .collect();
        for did in [Did::Undone, Did::Skipped, Did::Impossible] {
            let number = count(did);
            if number > 0 {
                parts.push(format!("{number} {}", word(did, self.check)));
            }
        }
        if count(Did::Undone) == 0 && count(Did::Skipped) == 0 && report.unreachable.is_none() {
            parts.insert(0, "nothing is left to undo".to_owned());
        } else if count(Did::Already) > 0 {
            parts.push(format!("{} as before already", count(Did::Already)));
        }
        parts.join(", ")
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        // Texts, numbers and lists of them: nothing of it cannot be JSON.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        let mut all = self.hosts.values();
        let is_left = |it: &Line| matches!(it.did, Did::Skipped | Did::Impossible);
        if self.interrupted {
            exit::INTERRUPTED
        } else if all.clone().any(|it| it.unreachable.is_some()) {
            exit::UNREACHABLE
        } else if all.any(|it| it.changes.iter().any(is_left)) {
            exit::FAILED_HOSTS
        } else {
            exit::OK
        }
    }
}

/// The task behind what stays: there somebody has to look for themselves.
fn whose(line: &Line) -> String {
    match line.tasks.first() {
        Some(task) if line.did != Did::Undone && !line.path.starts_with("task ") => {
            format!(" (task '{task}')")
        }
        _ => String::new(),
    }
}

fn word(did: Did, check: bool) -> &'static str {
    match (did, check) {
        (Did::Undone, false) => "undone",
        (Did::Undone, true) => "would undo",
        (Did::Skipped, _) => "skipped",
        (Did::Already, _) => "as before",
        _ => "impossible",
    }
}

/// Holds what a host was to undo against what it has answered.
fn report(host: &str, plan: &HostPlan, answers: &Answers) -> HostReport {
    let mut report = HostReport::default();
    for (number, step) in plan.steps.iter().enumerate() {
        for part in &step.parts {
            if let Some(why) = part.refusal() {
                report.add(line(&[part], part.path(), Did::Impossible, why));
            }
        }
        let asked: Vec<&Part> = step.parts.iter().filter(|it| it.refusal().is_none()).collect();
        let end = answers.of(host, number);
        if let Some(undone) = end.as_ref().and_then(answer) {
            for it in undone {
                let parts: Vec<&Part> =
                    it.numbers.iter().filter_map(|at| asked.get(*at).copied()).collect();
                report.add(Line { diff: it.diff, ..line(&parts, &it.path, it.did, &it.how) });
            }
            continue;
        }
        let why = end.as_ref().and_then(|it| it.reply.get("msg")?.as_str()).unwrap_or_default();
        match end.as_ref().map(|it| it.status) {
            Some(Status::Unreachable) => report.unreachable = Some(why.to_owned()),
            Some(_) => {
                for part in asked {
                    report.add(line(&[part], part.path(), Did::Skipped, why));
                }
            }
            None if report.unreachable.is_some() => {}
            None => {
                for part in asked {
                    report.add(line(&[part], part.path(), Did::Skipped, "it was not tried"));
                }
            }
        }
    }
    for task in &plan.blind {
        let how = "what it did is not known";
        let name = format!("task '{task}'");
        let tasks = vec![task.clone()];
        report.add(Line {
            path: name,
            did: Did::Impossible,
            how: how.into(),
            tasks,
            diff: Value::Null,
        });
    }
    report
}

impl HostReport {
    /// What is said already is not said again.
    fn add(&mut self, line: Line) {
        let is_known = line.did == Did::Impossible && self.changes.contains(&line);
        if !is_known {
            self.changes.push(line);
        }
    }
}

fn answer(end: &End) -> Option<Vec<Undone>> {
    serde_json::from_value(end.reply.get("undone")?.clone()).ok()
}

fn line(parts: &[&Part], path: &str, did: Did, how: &str) -> Line {
    let mut tasks: Vec<String> = parts.iter().map(|it| it.task.clone()).collect();
    tasks.dedup();
    Line { path: path.to_owned(), did, how: how.to_owned(), tasks, diff: Value::Null }
}
