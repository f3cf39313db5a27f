//! A task that is going on: how many hosts ended it how.

use crate::view::result;

use super::groups::Groups;
use super::names;
use super::words::count;

/// A task that is going on.
pub(super) struct Running {
    pub(super) name: String,
    pub(super) action: String,
    pub(super) path: String,
    pub(super) diff: bool,
    pub(super) began_ms: u64,
    /// Hosts on which it is going on, where that is told.
    pub(super) started: u32,
    /// Hosts by how they ended.
    pub(super) ok: u32,
    pub(super) changed: Vec<String>,
    pub(super) skipped: u32,
    pub(super) failed: u32,
    pub(super) unreachable: u32,
    pub(super) ignored: u32,
    pub(super) rescued: u32,
    pub(super) items: u32,
    /// Hosts that have left the play at it.
    pub(super) left: u32,
    /// What its hosts said.
    pub(super) groups: Groups,
}

impl Running {
    /// A task that starts now.
    pub(super) fn new(name: String, action: &str, path: String, diff: bool, began_ms: u64) -> Self {
        Self {
            name,
            action: action.to_owned(),
            path,
            diff,
            began_ms,
            started: 0,
            ok: 0,
            changed: Vec::new(),
            skipped: 0,
            failed: 0,
            unreachable: 0,
            ignored: 0,
            rescued: 0,
            items: 0,
            left: 0,
            groups: Groups::default(),
        }
    }

    /// Ready for the next hosts, after its line has been written.
    pub(super) fn reset(&mut self, at_ms: u64) {
        self.started = self.started.saturating_sub(self.done());
        (self.ok, self.skipped, self.failed, self.unreachable) = (0, 0, 0, 0);
        (self.ignored, self.rescued, self.items, self.left) = (0, 0, 0, 0);
        self.changed.clear();
        self.groups.reset();
        self.began_ms = at_ms;
    }

    pub(super) fn is_through(&self) -> bool {
        self.done() > 0 && self.started <= self.done()
    }

    pub(super) fn done(&self) -> u32 {
        let changed = u32::try_from(self.changed.len()).unwrap_or(u32::MAX);
        self.ok + self.skipped + self.failed + self.unreachable + changed
    }

    /// The word for how it went as a whole.
    pub(super) fn word(&self) -> &'static str {
        let failures = self.failures();
        if failures > self.ignored + self.rescued {
            "FAILED"
        } else if failures > 0 {
            if self.ignored > 0 { "ignored" } else { "rescued" }
        } else if !self.changed.is_empty() {
            "changed"
        } else if self.ok > 0 {
            "ok"
        } else {
            "skipped"
        }
    }

    /// Hosts that failed or could not be reached.
    pub(super) fn failures(&self) -> u32 {
        self.failed + self.unreachable
    }

    /// True where its line would tell nothing that has not been told.
    pub(super) fn is_told(&self) -> bool {
        let (done, failures) = (self.done(), self.failures());
        let at_once =
            failures == done && self.items == 0 && self.groups.told_at_once() == Some(done);
        let said = result::is_debug(&self.action)
            && failures == 0
            && self.skipped == 0
            && self.groups.unshown == 0
            && self.groups.told() >= done.max(self.items);
        done == 0 || (result::is_include(&self.action) && failures == 0) || at_once || said
    }

    /// How many hosts ended how, where that is not all said by the word before it; those that changed
    /// by name where that takes no more than `room` columns.
    pub(super) fn outcome(&self, room: usize) -> Vec<String> {
        let mut parts = Vec::new();
        let done = self.done();
        let changed = u32::try_from(self.changed.len()).unwrap_or(u32::MAX);
        if changed > 0 && changed < done {
            parts.push(match names::whole(&self.changed, room) {
                Some(names) => format!("changed: {names}"),
                None => format!("{changed} changed"),
            });
        } else if changed > 1 {
            parts.push(count(changed, "host"));
        }
        let mixed = done > self.ok && done > self.skipped;
        for (number, word) in [
            (self.ok, "ok"),
            (self.skipped, "skipped"),
            (self.failed, "failed"),
            (self.unreachable, "unreachable"),
            (self.ignored, "ignored"),
            (self.rescued, "rescued"),
        ] {
            if number > 0 && mixed {
                parts.push(format!("{number} {word}"));
            }
        }
        if !mixed && done > 1 {
            parts.push(count(done, "host"));
        }
        parts
    }
}
