//! The live region: what runs now, on which hosts, and who is waited for.
//!
//! ```text
//! ⠹ restart web · 57/100 hosts · 4s                               task 12 · 1m 20s
//!   ✓ 53 ok  ~ 3 changed  ✗ 1 failed  ▸ 43 running
//!   web001 ✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓~✓✓✓✓✓ ✓✓✓✓✓✓✓✗✓✓ ✓✓✓✓~✓✓✓✓✓ ✓✓▸▸▸✓▸▸▸▸ ✓▸▸▸▸▸▸▸▸▸
//!   web061 ✓▸▸▸▸▸▸▸▸▸ ...
//!   waiting for: web042 4s, web043 4s, and 41 more
//! ```
//!
//! A few hosts have a line each. A task that is quick has the first line only, so that nothing jumps;
//! once there is more to see, the height stays the same until the play ends.

mod grid;
mod region;
mod rows;

use std::collections::HashMap;

use super::fleet::Fleet;
use super::marks::Signs;
use super::task::Running;
use super::words::{flat, seconds};
use crate::view::Palette;
use crate::view::paint::columns;
use region::Writer;
pub(super) use region::{Line, Region};

/// So many hosts have a line each.
const FEW: usize = 10;
/// The region has no more lines, however high the terminal is.
const MOST: usize = FEW + 2;
/// A time is told only when it is as long as this.
const SAY_TIME_MS: u64 = 1000;
/// Hosts are shown when the oldest has been at it as long as this.
const PATIENCE_MS: u64 = 400;

/// Columns and rows of the terminal.
pub(crate) type Size = (usize, usize);

/// What is to be shown.
pub(super) struct Picture<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) tasks: &'a HashMap<u32, Running>,
    /// The task that started last.
    pub(super) current: Option<u32>,
    /// How many tasks of the play have started.
    pub(super) started: u32,
    pub(super) play_began_ms: u64,
    pub(super) now_ms: u64,
    pub(super) width: usize,
    pub(super) frame: usize,
    pub(super) signs: &'static Signs,
    pub(super) palette: &'a Palette,
    pub(super) colour: bool,
}

/// How high the region is during a play.
#[derive(Default)]
pub(super) struct Height {
    is_whole: bool,
    lines: usize,
}

impl Picture<'_> {
    /// The lines, of which the terminal has `rows`; none where nothing runs.
    pub(super) fn lines(&self, height: &mut Height, rows: usize) -> Vec<Line> {
        let most = (rows / 2).clamp(1, MOST);
        let Some(head) = self.head() else { return Vec::new() };
        let hosts = self.fleet.hosts().len();
        height.is_whole |= hosts > 1 && self.fleet.longest(self.now_ms) >= PATIENCE_MS;
        let mut lines = vec![head];
        if height.is_whole && most > 1 {
            if hosts <= FEW && hosts < most {
                lines.extend(rows::lines(self));
            } else {
                lines.extend(grid::lines(self, most - 1));
            }
        }
        height.lines = height.lines.max(lines.len()).min(most);
        while lines.len() < height.lines {
            lines.push(Line::default());
        }
        lines
    }

    /// `⠹ restart web · 57/100 hosts · 4s        task 12 · 1m 20s`
    fn head(&self) -> Option<Line> {
        let hosts = self.fleet.hosts();
        let alone = match hosts {
            [host] => Some(host),
            _ => None,
        };
        let mut parts = Vec::new();
        match self.current.and_then(|task| self.tasks.get(&task)) {
            Some(task) => {
                self.tasks_now(task, &mut parts);
                if let Some(host) = alone.filter(|host| host.is_busy()) {
                    let doing = rows::doing(self, host, true);
                    parts.extend((!doing.is_empty()).then_some(doing));
                } else {
                    let ms = self.now_ms.saturating_sub(task.began_ms);
                    parts.extend((ms >= SAY_TIME_MS).then(|| seconds(ms)));
                }
            }
            None if hosts.iter().any(|host| host.address.is_some()) => {
                parts.push("connecting".to_owned());
            }
            None => return None,
        }
        let mut writer = self.writer();
        let text = format!("{} {}", self.signs.spinner(self.frame), parts.join(self.signs.between));
        let right = self.place();
        let room = writer.room();
        // Where it is in the play is left out rather than what it is.
        let both = columns(&text) + 2 + columns(&right) <= room;
        writer.put(&text, None);
        if both && !right.is_empty() {
            let fill = writer.room().saturating_sub(columns(&right));
            writer.put(&" ".repeat(fill), None);
            writer.put(&right, Some(&self.palette.debug));
        }
        Some(writer.done())
    }

    fn tasks_now(&self, task: &Running, parts: &mut Vec<String>) {
        let hosts = self.fleet.hosts().len();
        if self.fleet.is_apart() {
            let busy = self.fleet.hosts().iter().filter(|host| host.is_busy());
            let mut tasks: Vec<u32> = busy.filter_map(|host| host.task).collect();
            tasks.sort_unstable();
            tasks.dedup();
            match tasks.as_slice() {
                [] => parts.push(flat(&task.name)),
                [one] => parts.push(flat(self.name(*one).unwrap_or(&task.name))),
                several => parts.push(format!("{} tasks at once", several.len())),
            }
            return;
        }
        parts.push(flat(&task.name));
        let (done, all) = self.fleet.share();
        if hosts > 1 {
            parts.push(format!("{done}/{all} hosts"));
        }
    }

    fn place(&self) -> String {
        let ms = self.now_ms.saturating_sub(self.play_began_ms);
        let mut parts = Vec::new();
        if self.started > 1 {
            parts.push(format!("task {}", self.started));
        }
        if ms >= SAY_TIME_MS {
            parts.push(seconds(ms));
        }
        parts.join(self.signs.between)
    }

    fn name(&self, task: u32) -> Option<&str> {
        self.tasks.get(&task).map(|task| task.name.as_str())
    }

    /// A line that leaves the last column free.
    fn writer(&self) -> Writer {
        Writer::new(self.width.saturating_sub(1), self.signs.cut, self.colour)
    }
}
