//! What each host of the play is at now.
//!
//! The events of a play are taken in one by one; what they come to is asked for when the live region
//! is drawn. Nothing here is text yet.

use std::collections::HashMap;

use davit_event::{End, Event, Kind, Status};

use super::marks::Mood;
use super::words::flat;

/// Characters that are kept of a line of output.
const LINE: usize = 300;

/// The hosts of the play, in order.
#[derive(Default)]
pub(super) struct Fleet {
    hosts: Vec<Host>,
    places: HashMap<String, usize>,
    /// Hosts do not wait for one another: `free`, `host_pinned`.
    apart: bool,
    busy: usize,
    /// Hosts that have ended the current task.
    ended: usize,
    /// Hosts that were in the play when it began.
    expected: usize,
}

/// A host of the play.
#[derive(Default)]
pub(super) struct Host {
    pub(super) name: String,
    /// How its last task ended; none where it runs one or waits for the next.
    end: Option<Mood>,
    /// It has left the play.
    pub(super) is_out: bool,
    running: bool,
    /// The task that it runs, or ran last.
    pub(super) task: Option<u32>,
    /// When that began, or when what it waits for began.
    since_ms: u64,
    /// How long its last task took.
    pub(super) took_ms: u64,
    /// Where it is connected to at this moment.
    pub(super) address: Option<String>,
    /// Why it could not be reached.
    pub(super) lost: Option<String>,
    pub(super) round: Option<Round>,
    /// Rounds of its loop that have ended.
    pub(super) rounds: u32,
    /// The attempt that goes on, and how many there may be.
    pub(super) attempt: Option<(u32, u32)>,
    pub(super) doing: Option<Doing>,
}

/// A round of a loop.
pub(super) struct Round {
    pub(super) item: Option<String>,
    pub(super) number: u32,
    pub(super) of: u32,
}

/// What was last heard of a task that goes on.
pub(super) enum Doing {
    Moves { what: String, done: u64, total: Option<u64> },
    Says(String),
}

impl Host {
    pub(super) fn mood(&self) -> Mood {
        match self.end {
            Some(mood) => mood,
            None if self.address.is_some() => Mood::Connecting,
            None if self.running => Mood::Running,
            None => Mood::Waiting,
        }
    }

    /// True where others may wait for it.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.mood(), Mood::Running | Mood::Connecting)
    }

    /// How long it has been at it.
    pub(super) fn elapsed(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.since_ms)
    }

    fn quiet(&mut self) {
        self.round = None;
        self.rounds = 0;
        self.attempt = None;
        self.doing = None;
    }
}

impl Fleet {
    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// True where hosts are at different tasks at the same time.
    pub(super) fn is_apart(&self) -> bool {
        self.apart
    }

    /// How many hosts have ended the task, and of how many.
    pub(super) fn share(&self) -> (usize, usize) {
        (self.ended, self.expected.max(self.ended))
    }

    /// The longest that any host has been at it.
    pub(super) fn longest(&self, now_ms: u64) -> u64 {
        let busy = self.hosts.iter().filter(|host| host.is_busy());
        busy.map(|host| host.elapsed(now_ms)).max().unwrap_or(0)
    }

    /// Takes an event in; `number` gives tasks the numbers that they are known by.
    pub(super) fn take(&mut self, event: &Event, number: impl Fn(u32) -> u32) {
        let at_ms = event.at_ms;
        match &event.kind {
            Kind::PlayStarted { hosts, .. } => *self = Self::of(hosts, at_ms),
            Kind::TaskStarted { .. } => self.task(at_ms),
            Kind::HostStarted { task, host } => self.started(number(*task), host, at_ms),
            Kind::HostDone { task, host, end, .. } => self.done(number(*task), host, end, at_ms),
            Kind::Connecting { host, address } => self.connecting(host, address, at_ms),
            Kind::Connected { host, .. } => self.change(host, |host| {
                host.address = None;
                host.lost = None;
                host.doing = None;
            }),
            Kind::Lost { host, why } => self.change(host, |host| {
                host.address = None;
                host.lost = Some(flat(why));
            }),
            Kind::ItemStarted { host, item, number, of, .. } => self.change(host, |host| {
                let item = item.as_deref().map(flat);
                host.round = Some(Round { item, number: *number, of: *of });
                (host.attempt, host.doing) = (None, None);
            }),
            Kind::ItemDone { host, .. } => self.change(host, |host| {
                host.rounds = host.rounds.saturating_add(1);
                (host.attempt, host.doing) = (None, None);
            }),
            Kind::Retry { host, left, .. } => self.change(host, |host| {
                let made = host.attempt.map_or(1, |(attempt, _)| attempt);
                host.attempt = Some((made.saturating_add(1), made.saturating_add(*left)));
                host.doing = None;
            }),
            Kind::Progress { host, what, done, total, .. } => self.change(host, |host| {
                let (done, total) = (*done, *total);
                host.doing = Some(Doing::Moves { what: flat(what), done, total });
            }),
            Kind::Output { host, text, .. } => self.change(host, |host| {
                // Progress bars write over their line.
                let last = text.rsplit(['\n', '\r']).map(str::trim).find(|line| !line.is_empty());
                if let Some(last) = last {
                    let kept: String = last.chars().take(LINE).collect();
                    host.doing = Some(Doing::Says(flat(&kept)));
                }
            }),
            _ => {}
        }
    }

    fn of(names: &[String], at_ms: u64) -> Self {
        let host = |name: &String| Host { name: flat(name), since_ms: at_ms, ..Host::default() };
        Self {
            hosts: names.iter().map(host).collect(),
            places: names.iter().cloned().zip(0..).collect(),
            expected: names.len(),
            ..Self::default()
        }
    }

    fn host(&mut self, name: &str) -> Option<&mut Host> {
        let place = *self.places.get(name)?;
        self.hosts.get_mut(place)
    }

    fn change(&mut self, name: &str, how: impl FnOnce(&mut Host)) {
        // Hosts of other plays are connected to as well: tasks may be delegated to them.
        if let Some(host) = self.host(name) {
            how(host);
        }
    }

    /// A task starts. Unless hosts go on for themselves, all of them wait for it.
    fn task(&mut self, at_ms: u64) {
        self.apart |= self.busy > 0;
        if self.apart {
            return;
        }
        (self.ended, self.expected) = (0, 0);
        for host in self.hosts.iter_mut().filter(|host| !host.is_out) {
            host.end = None;
            host.since_ms = at_ms;
            host.quiet();
            self.expected += 1;
        }
    }

    fn started(&mut self, task: u32, name: &str, at_ms: u64) {
        let Some(host) = self.host(name) else { return };
        let is_new = !std::mem::replace(&mut host.running, true);
        // A host that had left may have been taken back.
        host.is_out = false;
        host.end = None;
        host.task = Some(task);
        host.since_ms = at_ms;
        host.quiet();
        self.busy += usize::from(is_new);
    }

    fn done(&mut self, task: u32, name: &str, end: &End, at_ms: u64) {
        let Some(host) = self.host(name) else { return };
        let was_running = std::mem::replace(&mut host.running, false);
        let broken = matches!(end.status, Status::Failed | Status::Unreachable);
        host.end = Some(Mood::of(end.status));
        host.is_out = broken && !end.ignored && !end.rescued;
        host.task = Some(task);
        host.took_ms = if was_running { at_ms.saturating_sub(host.since_ms) } else { 0 };
        host.address = None;
        host.quiet();
        self.busy = self.busy.saturating_sub(usize::from(was_running));
        self.ended += 1;
    }

    fn connecting(&mut self, name: &str, address: &str, at_ms: u64) {
        self.change(name, |host| {
            if host.address.is_none() && !host.running {
                host.since_ms = at_ms;
            }
            host.address = Some(flat(address));
            host.doing = None;
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::view::fixture::{done, end, events, play_of, task};

    fn started(task: u32, host: &str) -> Kind {
        Kind::HostStarted { task, host: host.to_owned() }
    }

    #[track_caller]
    fn check(kinds: Vec<Kind>, expect: &[Mood]) -> Fleet {
        let mut fleet = Fleet::default();
        for event in events(kinds) {
            fleet.take(&event, |task| task);
        }
        let moods: Vec<Mood> = fleet.hosts().iter().map(Host::mood).collect();
        assert_eq!(moods, expect);
        fleet
    }

    #[test]
    fn hosts_that_wait_for_one_another_wait_for_the_next_task() {
        let fleet = check(
            vec![
                play_of(&["a", "b", "c"]),
                task(0, "x", "copy"),
                started(0, "a"),
                started(0, "b"),
                done(0, "a", end(Status::Failed, json!({}))),
                done(0, "b", end(Status::Ok, json!({}))),
                task(1, "y", "copy"),
                started(1, "b"),
            ],
            &[Mood::Failed, Mood::Running, Mood::Waiting],
        );
        assert_eq!(fleet.share(), (0, 2));
        assert!(!fleet.is_apart());
    }

    #[test]
    fn hosts_that_go_on_for_themselves_keep_their_state() {
        let fleet = check(
            vec![
                play_of(&["a", "b"]),
                task(0, "x", "copy"),
                started(0, "a"),
                task(1, "x", "copy"),
                started(1, "b"),
                done(0, "a", end(Status::Changed, json!({}))),
                task(2, "y", "copy"),
            ],
            &[Mood::Changed, Mood::Running],
        );
        assert!(fleet.is_apart());
    }

    #[test]
    fn a_host_is_connected_before_it_runs_and_others_are_nobodys_business() {
        let address = |host: &str| Kind::Connecting { host: host.into(), address: "x:22".into() };
        check(
            vec![play_of(&["a"]), task(0, "x", "copy"), address("other"), address("a")],
            &[Mood::Connecting],
        );
        let fleet = check(
            vec![
                play_of(&["a"]),
                task(0, "x", "copy"),
                started(0, "a"),
                address("a"),
                Kind::Connected { host: "a".to_owned(), ms: 7, pushed: true },
                Kind::Retry {
                    task: 0,
                    host: "a".to_owned(),
                    left: 3,
                    end: end(Status::Failed, json!({})),
                },
            ],
            &[Mood::Running],
        );
        assert_eq!(fleet.hosts()[0].attempt, Some((2, 4)));
    }
}
