//! A task that is going on: how many hosts ended it how.

use std::time::Instant;

use crate::view::result;

use super::words::count;

/// A task that is going on.
pub(super) struct Running {
    pub(super) name: String,
    pub(super) action: String,
    pub(super) path: String,
    pub(super) diff: bool,
    pub(super) began_ms: u64,
    pub(super) began: Instant,
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
    /// What the last host is at: a round of a loop, an attempt.
    pub(super) note: Option<String>,
    /// Messages and differences that were shown, and on how many more hosts they are the same.
    pub(super) shown: Vec<(String, u32)>,
    /// Failures that were not shown.
    pub(super) unshown: u32,
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
            began: Instant::now(),
            started: 0,
            ok: 0,
            changed: Vec::new(),
            skipped: 0,
            failed: 0,
            unreachable: 0,
            ignored: 0,
            rescued: 0,
            items: 0,
            note: None,
            shown: Vec::new(),
            unshown: 0,
        }
    }

    /// Ready for the next hosts, after its line has been written.
    pub(super) fn reset(&mut self, at_ms: u64) {
        self.started = self.started.saturating_sub(self.done());
        (self.ok, self.skipped, self.failed, self.unreachable) = (0, 0, 0, 0);
        (self.ignored, self.rescued, self.items, self.unshown) = (0, 0, 0, 0);
        self.changed.clear();
        self.shown.iter_mut().for_each(|(_, more)| *more = 0);
        self.note = None;
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
        let failures = self.failures();
        let alone = self.done() == 1 && failures == 1 && self.unshown == 0 && self.items == 0;
        let told: u32 = u32::try_from(self.shown.len()).unwrap_or(u32::MAX);
        let said = result::is_debug(&self.action)
            && failures == 0
            && self.skipped == 0
            && told >= self.done().max(self.items);
        self.done() == 0 || (result::is_include(&self.action) && failures == 0) || alone || said
    }

    /// How many hosts ended how, where that is not all said by the word before it.
    pub(super) fn outcome(&self, named: usize) -> Vec<String> {
        let mut parts = Vec::new();
        let done = self.done();
        let changed = u32::try_from(self.changed.len()).unwrap_or(u32::MAX);
        if self.changed.len() > named {
            parts.push(format!("{changed} changed"));
        } else if changed > 0 && changed < done {
            parts.push(format!("changed: {}", self.changed.join(" ")));
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
