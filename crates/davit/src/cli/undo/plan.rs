//! What the events of a run say that it has changed, by host and newest first.
//!
//! It does not know what a change is, beyond its kind and path.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use davit_event::{Event, Kind, Reply, Status, Way};
use serde_json::Value;

/// Actions that change nothing on a host, whatever their results say.
const INERT: &[&str] = &[
    "add_host",
    "assert",
    "debug",
    "fail",
    "fetch",
    "group_by",
    "include_vars",
    "meta",
    "pause",
    "set_fact",
    "set_stats",
    "undo",
    "wait_for_connection",
];
/// What stands in the place of a secret.
const COVER: &str = "********";

/// A change, and whose it was.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The task's name.
    pub(super) task: String,
    /// The change as the host knows it.
    pub(super) change: Value,
}

/// Changes of a host that are undone in one go: they were made in the same way.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) way: Way,
    /// Newest first.
    pub(super) parts: Vec<Part>,
}

/// What is to be undone on a host.
#[derive(Clone, Debug, Default)]
pub(super) struct HostPlan {
    /// Newest first.
    pub(super) steps: Vec<Step>,
    /// Tasks that said that they changed something, without a word of what; newest first.
    pub(super) blind: Vec<String>,
    /// For which hosts it was done.
    behalf: BTreeSet<String>,
}

/// What is to be undone.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) hosts: BTreeMap<String, HostPlan>,
}

/// What is known of a task on a host once it is done.
struct Done {
    status: Status,
    no_log: bool,
}

impl Plan {
    /// Reads it from the events.
    pub(super) fn of(events: &[Event]) -> Self {
        let mut tasks: HashMap<u32, (&str, &str)> = HashMap::new();
        let mut done: HashMap<(u32, &str), Done> = HashMap::new();
        let mut told: HashSet<(u32, &str)> = HashSet::new();
        for event in events {
            match &event.kind {
                Kind::TaskStarted { task, name, action, .. } => {
                    tasks.insert(*task, (name, action));
                }
                Kind::HostDone { task, host, end, .. } => {
                    let it = Done { status: end.status, no_log: end.no_log };
                    done.insert((*task, host), it);
                }
                Kind::Changes { task, host, .. } => {
                    told.insert((*task, host));
                }
                _ => {}
            }
        }
        let mut plan = Self::default();
        for event in events.iter().rev() {
            match &event.kind {
                Kind::Changes { task, host, delegated_to, way, changes } => {
                    let end = done.get(&(*task, host.as_str()));
                    let name = tasks.get(task).map_or("", |it| it.0);
                    let entry = plan.hosts.entry(place(host, delegated_to.as_deref())).or_default();
                    entry.behalf.insert(host.clone());
                    for change in changes.iter().rev().filter(|it| counts(it, end)) {
                        let hidden = end.is_none_or(|it| it.no_log);
                        entry.add(way, part(name, change, hidden));
                    }
                }
                Kind::HostDone { task, host, end, .. } => {
                    let (name, action) = tasks.get(task).copied().unwrap_or_default();
                    let short = action.rsplit('.').next().unwrap_or(action);
                    let is_blind = (end.status == Status::Changed || was_stopped(&end.reply))
                        && !told.contains(&(*task, host.as_str()))
                        && !INERT.contains(&short);
                    if is_blind {
                        let place = place(host, end.delegated_to.as_deref());
                        let entry = plan.hosts.entry(place).or_default();
                        entry.behalf.insert(host.clone());
                        entry.blind.push(name.to_owned());
                    }
                }
                _ => {}
            }
        }
        plan.hosts.retain(|_, it| !it.steps.is_empty() || !it.blind.is_empty());
        plan
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Leaves out all other hosts.
    pub(super) fn only(&mut self, hosts: &BTreeSet<String>) {
        self.hosts.retain(|it, _| hosts.contains(it));
    }

    /// Takes out the hosts that are not known, and says what was to be undone there.
    pub(super) fn strangers(&mut self, is_known: impl Fn(&str) -> bool) -> Self {
        let (known, strange) =
            std::mem::take(&mut self.hosts).into_iter().partition(|(host, _)| is_known(host));
        self.hosts = known;
        Self { hosts: strange }
    }

    /// Other hosts on which something was done for these.
    pub(super) fn elsewhere(&self, hosts: &BTreeSet<String>) -> Vec<String> {
        self.hosts
            .iter()
            .filter(|(host, it)| !hosts.contains(*host) && !it.behalf.is_disjoint(hosts))
            .map(|(host, _)| host.clone())
            .collect()
    }
}

impl HostPlan {
    fn add(&mut self, way: &Way, part: Part) {
        match self.steps.last_mut().filter(|it| it.way == *way) {
            Some(step) => step.parts.push(part),
            None => self.steps.push(Step { way: way.clone(), parts: vec![part] }),
        }
    }
}

impl Part {
    /// The path, as far as it is text.
    pub(super) fn path(&self) -> &str {
        self.change.get("path").and_then(Value::as_str).unwrap_or_default()
    }

    /// Why the host need not be asked.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        if self.change.get("kind").and_then(Value::as_str) == Some("api") {
            return Some("what was done through an API cannot be undone");
        }
        let is_masked = self.change.to_string().contains(COVER);
        is_masked.then_some("what was written down of it is masked, as it holds a secret")
    }
}

fn place(host: &str, delegated_to: Option<&str>) -> String {
    delegated_to.unwrap_or(host).to_owned()
}

/// A program of a task that says that it has changed nothing is nothing to undo.
fn counts(change: &Value, end: Option<&Done>) -> bool {
    let is_program = change.get("kind").and_then(Value::as_str) == Some("program");
    !(is_program && end.is_some_and(|it| it.status == Status::Ok))
}

/// A task that was stopped in the middle has not told what it had done by then.
fn was_stopped(reply: &Reply) -> bool {
    reply.contains_key("timedout")
}

fn part(task: &str, change: &Value, hidden: bool) -> Part {
    let mut change = change.clone();
    if let Value::Object(map) = &mut change
        && hidden
    {
        map.insert("no_log".to_owned(), true.into());
    }
    Part { task: task.to_owned(), change }
}

#[cfg(test)]
mod tests {
    use davit_event::End;
    use serde_json::json;

    use super::*;

    fn event(kind: Kind) -> Event {
        Event { seq: 0, at_ms: 0, kind }
    }

    fn changes(task: u32, at: Option<&str>, user: Option<&str>, changes: Vec<Value>) -> Event {
        let way = Way { become_user: user.map(str::to_owned), ..Way::default() };
        let delegated_to = at.map(str::to_owned);
        event(Kind::Changes { task, host: "web".into(), delegated_to, way, changes })
    }

    fn done(task: u32, status: Status) -> Event {
        let end = End { status, ..End::default() };
        event(Kind::HostDone { task, host: "web".into(), end, ms: 0 })
    }

    #[test]
    fn changes_come_newest_first_and_by_the_way_they_were_made() {
        let write = |path: &str| json!({"kind": "write", "path": path});
        let events = [
            changes(0, None, None, vec![write("/1"), write("/2")]),
            done(0, Status::Changed),
            changes(1, None, Some("root"), vec![write("/3")]),
            changes(1, None, Some("root"), vec![write("/4********")]),
            done(1, Status::Failed),
            changes(2, Some("lb"), None, vec![write("/5")]),
            changes(2, Some("lb"), None, vec![json!({"kind": "api", "path": "arn:x"})]),
            changes(3, None, None, vec![json!({"kind": "program", "path": "uptime"})]),
            done(3, Status::Ok),
            done(4, Status::Changed),
        ];
        let mut plan = Plan::of(&events);
        let paths: Vec<Vec<&str>> = plan.hosts["web"]
            .steps
            .iter()
            .map(|it| it.parts.iter().map(Part::path).collect())
            .collect();
        assert_eq!(paths, [vec!["/4********", "/3"], vec!["/2", "/1"]]);
        assert!(plan.hosts["web"].steps[0].parts[0].refusal().is_some());
        assert_eq!(plan.hosts["web"].blind.len(), 1);
        let lb = &plan.hosts["lb"].steps;
        assert_eq!((lb.len(), lb[0].parts.len()), (1, 2));
        assert!(lb[0].parts[0].refusal().is_some_and(|it| it.contains("API")));
        assert!(lb[0].parts[1].refusal().is_none());
        let failed = BTreeSet::from(["web".to_owned()]);
        assert_eq!(plan.elsewhere(&failed), ["lb"]);
        plan.only(&failed);
        assert_eq!(plan.hosts.len(), 1);
    }
}
