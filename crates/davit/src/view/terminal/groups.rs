//! What several hosts said alike is written once, with the hosts named.
//!
//! What a host says waits a moment for others to say the same. What is said again later waits for
//! the end of the task, so that hosts which come one by one do not fill the screen.

use davit_event::{End, Status};

use crate::view::paint::To;

use super::names;
use super::state::State;
use super::words::{count, plain};

/// How long the first host of a group waits for others.
const GATHER_MS: u64 = 1000;
/// Of one task, so many different failures are shown in full; of others the cause only.
const FAILURES: usize = 5;
/// Of one task, so many different messages, differences or further causes are shown.
const DIFFERENT: usize = 10;
/// Columns for names of hosts where there is no terminal.
const NAMES: usize = 200;
pub(super) const INDENT: &str = "           ";

/// What hosts said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `FAILED`, `says`, `diff`.
    pub(super) word: &'static str,
    /// The name of the task, and of the loop's item.
    pub(super) what: String,
    /// The lines below, each as it is.
    pub(super) lines: Vec<String>,
    /// Of them, so many tell the cause; the others are details.
    pub(super) cause: usize,
    /// Where.
    pub(super) place: String,
    pub(super) is_failure: bool,
    /// Lines may be cut.
    pub(super) is_cut: bool,
}

/// Hosts that said the same.
pub(super) struct Group {
    said: Said,
    hosts: Vec<String>,
    first_ms: u64,
    /// It has been written, for that host first.
    written: Option<String>,
    /// How many hosts have said it.
    said_by: u32,
}

/// What the hosts of a task said.
#[derive(Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Results that were not shown.
    pub(super) unshown: u32,
}

impl Groups {
    /// Takes in what a host said.
    fn add(&mut self, mut said: Said, host: String, at_ms: u64) {
        let of_kind = |groups: &[Group], said: &Said| {
            groups.iter().filter(|group| group.said.is_failure == said.is_failure).count()
        };
        let known = |groups: &mut Vec<Group>, said: &Said| {
            groups.iter().position(|group| group.said == *said)
        };
        let mut place = known(&mut self.groups, &said);
        if place.is_none() && said.is_failure && of_kind(&self.groups, &said) >= FAILURES {
            // More of the same kind: details differ, the cause is what counts.
            said.lines.truncate(said.cause);
            place = known(&mut self.groups, &said);
        }
        if place.is_none() && of_kind(&self.groups, &said) >= DIFFERENT {
            if !said.is_failure {
                self.unshown = self.unshown.saturating_add(1);
                return;
            }
            said.lines = vec!["for other reasons".to_owned()];
            place = known(&mut self.groups, &said);
        }
        match place.and_then(|place| self.groups.get_mut(place)) {
            Some(group) => {
                // The rounds of a loop may all say the same.
                if group.hosts.last() != Some(&host) {
                    group.hosts.push(host);
                }
                group.said_by = group.said_by.saturating_add(1);
            }
            None => {
                let hosts = vec![host];
                self.groups.push(Group { said, hosts, first_ms: at_ms, written: None, said_by: 1 });
            }
        }
    }

    /// How many results have been told, where all of them are alike.
    pub(super) fn told_at_once(&self) -> Option<u32> {
        match self.groups.as_slice() {
            [only] => Some(only.said_by),
            _ => None,
        }
    }

    /// How many results have been told.
    pub(super) fn told(&self) -> u32 {
        self.groups.iter().map(|group| group.said_by).fold(0, u32::saturating_add)
    }

    /// Ready for the next hosts; what has been written stays known.
    pub(super) fn reset(&mut self) {
        self.unshown = 0;
        self.groups.iter_mut().for_each(|group| group.said_by = 0);
    }

    /// The groups that are to be written now: those that are due, or at the end all.
    fn due(&mut self, now_ms: u64, is_end: bool) -> Vec<(Said, Vec<String>, Option<String>)> {
        let mut due = Vec::new();
        for group in &mut self.groups {
            let is_due = is_end
                || (group.written.is_none() && now_ms.saturating_sub(group.first_ms) >= GATHER_MS);
            if !is_due || group.hosts.is_empty() {
                continue;
            }
            let hosts = std::mem::take(&mut group.hosts);
            let before = group.written.clone();
            if before.is_none() {
                group.written = hosts.first().cloned();
            }
            due.push((group.said.clone(), hosts, before));
        }
        due
    }
}

impl State {
    /// Takes in what a host said of a task.
    pub(super) fn note(&mut self, number: u32, said: Said, host: &str, end: &End) {
        let label = crate::view::result::host_label(host, end);
        if self.alone {
            let hosts = if end.delegated_to.is_some() { vec![label] } else { Vec::new() };
            if let Some(task) = self.tasks.get_mut(&number) {
                // It counts as told, so that it is not told again in full.
                let known = task.groups.groups.iter().any(|group| group.said == said);
                task.groups.add(said.clone(), String::new(), self.now_ms);
                task.groups.due(self.now_ms, true);
                if known && !said.is_failure {
                    return;
                }
            }
            self.write_group(&said, &hosts, None);
            return;
        }
        match self.tasks.get_mut(&number) {
            Some(task) => task.groups.add(said, label, self.now_ms),
            None => self.write_group(&said, &[label], None),
        }
    }

    /// Writes what has waited for long enough.
    pub(super) fn write_due(&mut self) {
        if self.alone {
            return;
        }
        let mut due = Vec::new();
        for number in &self.open {
            if let Some(task) = self.tasks.get_mut(number) {
                due.extend(task.groups.due(self.now_ms, false));
            }
        }
        for (said, hosts, before) in due {
            self.write_group(&said, &hosts, before.as_deref());
        }
    }

    /// Writes what hosts have said of a task that is through.
    pub(super) fn write_rest(&mut self, number: u32) {
        if self.alone {
            return;
        }
        let now_ms = self.now_ms;
        let due = self.tasks.get_mut(&number).map(|task| task.groups.due(now_ms, true));
        for (said, hosts, before) in due.unwrap_or_default() {
            self.write_group(&said, &hosts, before.as_deref());
        }
    }

    fn write_group(&mut self, said: &Said, hosts: &[String], before: Option<&str>) {
        let room = self.settings.width.map_or(NAMES, |_| self.width / 2);
        let names = names::whole(hosts, room).or_else(|| match hosts {
            [only] => Some(only.clone()),
            _ => None,
        });
        let who = match &names {
            _ if hosts.is_empty() => String::new(),
            Some(names) => format!("{names}: "),
            None => format!("{}: ", count(u32::try_from(hosts.len()).unwrap_or(u32::MAX), "host")),
        };
        self.state(said.word, &format!("{who}{}", said.what), &said.place);
        if let Some(before) = before {
            let cause = said.lines.first().map_or("", String::as_str);
            self.line(&format!("{INDENT}as on {before}: {cause}"), None);
        } else {
            for line in &said.lines {
                let line = format!("{INDENT}{line}");
                let line = line.trim_end();
                if said.is_cut {
                    self.line(line, None);
                } else {
                    self.screen.line(To::Out, line, None);
                }
            }
        }
        if names.is_none() {
            let room =
                self.settings.width.map_or(NAMES, |width| width.saturating_sub(INDENT.len() + 3));
            self.line(&format!("{INDENT}on {}", names::list(hosts, room)), None);
        }
    }
}

/// The word for how a result that is a failure is told.
pub(super) fn failure_word(end: &End) -> &'static str {
    match end.status {
        Status::Unreachable => "UNREACHABLE",
        _ if end.ignored => "ignored",
        _ if end.rescued => "rescued",
        _ => "FAILED",
    }
}

/// The lines of a text that comes from a host.
pub(super) fn lines_of(text: &str) -> Vec<String> {
    plain(text).trim_end_matches('\n').split('\n').map(ToOwned::to_owned).collect()
}
