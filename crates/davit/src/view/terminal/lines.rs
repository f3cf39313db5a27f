//! The lines that stay: what tasks came to, what hosts said, warnings.

use davit_event::{Cause, End, Kind, Level, Reply, Show, Status};
use serde_json::Value;

use crate::view::paint::{To, columns, paint};
use crate::view::problem::path_of;
use crate::view::{diff, dump, problem, result};

use super::failure;
use super::groups::{self, Said};
use super::state::State;
use super::task::Running;
use super::words::{count, cut, duration, flat, short};

/// Of more hosts, attempts are not told one by one.
const WIDE: usize = 10;
/// Columns for the names of hosts that changed something.
const NAMES: usize = 40;
/// The same in a file, whose lines may be longer.
const NAMES_IN_FILE: usize = 200;
/// A task that took longer says so.
const LONG_MS: u64 = 1000;
/// From this many `-v` on, connections are told.
const CONNECTIONS: u8 = 2;

impl State {
    /// A line, cut to the width of a terminal.
    pub(super) fn line(&mut self, text: &str, code: Option<&str>) {
        let text = match self.settings.width {
            Some(width) => cut(text, width, self.signs.cut),
            None => text.to_owned(),
        };
        self.screen.line(To::Out, &text, code);
    }

    /// `  word     text        at the right`, the word in its colour.
    pub(super) fn state(&mut self, word: &str, text: &str, right: &str) {
        let head = format!("  {word:<8} ");
        let room = self.width.saturating_sub(head.len());
        let right_room = if right.is_empty() { 0 } else { columns(right) + 2 };
        // What stands at the right is left out rather than the text.
        let (text, right) = if columns(text) + right_room <= room {
            (text.to_owned(), right)
        } else {
            (
                if self.settings.width.is_some() {
                    cut(text, room, self.signs.cut)
                } else {
                    text.to_owned()
                },
                "",
            )
        };
        let painted = match self.code(word).filter(|_| self.screen.colour()) {
            Some(code) => {
                paint(head.trim_end(), &code) + &" ".repeat(head.len() - head.trim_end().len())
            }
            None => head,
        };
        let fill =
            if right.is_empty() { 0 } else { room.saturating_sub(columns(&text) + columns(right)) };
        self.screen.put(To::Out, &format!("{painted}{text}{}{right}\n", " ".repeat(fill)));
    }

    fn code(&self, word: &str) -> Option<String> {
        let palette = &self.settings.palette;
        Some(match word {
            "ok" => palette.ok.clone(),
            "changed" => palette.changed.clone(),
            "skipped" => palette.skip.clone(),
            "FAILED" => palette.error.clone(),
            "UNREACHABLE" => palette.unreachable.clone(),
            "ignored" | "rescued" | "warning" => palette.warn.clone(),
            _ => return None,
        })
    }

    pub(super) fn play(&mut self, name: &str, hosts: &[String], path: &str) {
        self.close_all();
        self.tasks.clear();
        self.open.clear();
        self.same.clear();
        self.first.clear();
        self.apart = false;
        self.gone = 0;
        self.hosts = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
        self.alone = hosts.len() == 1;
        self.is_wide = hosts.len() > WIDE;
        let hosts = count(self.hosts, "host");
        let head = format!("PLAY {}{}{hosts}", name.trim(), self.signs.between);
        let place = short(&path_of(path)).to_owned();
        let fill = self.width.saturating_sub(columns(&head) + columns(&place));
        self.screen.line(To::Out, "", None);
        if fill >= 2 {
            self.line(&format!("{head}{}{place}", " ".repeat(fill)), None);
        } else {
            self.line(&head, None);
        }
    }

    pub(super) fn task(&mut self, kind: &Kind) {
        let Kind::TaskStarted { task, name, action, path, handler, diff, .. } = kind else {
            return;
        };
        // Hosts that do not wait for one another are at different tasks; each starts its own.
        let is_going_on = |task: &Running| task.started > task.done();
        self.apart |= self.open.iter().filter_map(|it| self.tasks.get(it)).any(is_going_on);
        if !self.apart {
            let through = |number: &u32| self.tasks.get(number).is_some_and(Running::is_through);
            let through: Vec<u32> = self.open.iter().copied().filter(through).collect();
            through.into_iter().for_each(|number| self.close(number));
        }
        let name =
            if *handler { format!("handler: {}", name.trim()) } else { name.trim().to_owned() };
        let key = (name.clone(), path.clone());
        if let Some(first) = self.first.get(&key).copied().filter(|_| self.apart) {
            self.same.insert(*task, first);
            self.current = Some(first);
            return;
        }
        self.first.insert(key, *task);
        let running = Running::new(name, action, path_of(path), *diff, self.now_ms);
        self.tasks.insert(*task, running);
        self.open.insert(*task);
        self.current = Some(*task);
        self.ran += 1;
    }

    pub(super) fn item(&mut self, task: u32, host: &str, end: &End) {
        if let Some(task) = self.tasks.get_mut(&task) {
            task.items += 1;
        }
        self.open.insert(task);
        match end.status {
            Status::Failed | Status::Unreachable => failure::write(self, task, host, end),
            Status::Ok | Status::Changed => self.show(task, host, end),
            Status::Skipped => {}
        }
    }

    pub(super) fn retry(&mut self, task: u32, host: &str, left: u32) {
        // A live region shows it.
        if self.settings.live || self.is_wide {
            return;
        }
        let Some(task) = self.tasks.get(&task) else { return };
        let between = self.signs.between;
        let text = format!("{host}: {}{between}{} left", task.name, count(left, "attempt"));
        self.state("retry", &text, "");
    }

    pub(super) fn connected(&mut self, host: &str, ms: u64, pushed: bool) {
        if self.settings.verbosity >= CONNECTIONS {
            let agent = if pushed { "agent sent" } else { "agent was there" };
            let between = self.signs.between;
            let text = format!("{}{between}{agent}{between}{}", flat(host), duration(ms));
            self.state("reached", &text, "");
        }
    }

    /// A task that fails because of it says so itself.
    pub(super) fn lost(&mut self, host: &str, why: &str) {
        if self.settings.verbosity > 0 {
            self.state("lost", &format!("{}: {}", flat(host), flat(why)), "");
        }
    }

    pub(super) fn host(&mut self, number: u32, host: &str, end: &End) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        let failed = matches!(end.status, Status::Failed | Status::Unreachable);
        match end.status {
            Status::Ok => task.ok += 1,
            Status::Changed => task.changed.push(host.to_owned()),
            Status::Skipped => task.skipped += 1,
            Status::Failed => task.failed += 1,
            Status::Unreachable => task.unreachable += 1,
        }
        if failed {
            task.ignored += u32::from(end.ignored);
            task.rescued += u32::from(end.rescued && !end.ignored);
        }
        // The rounds of a loop have shown what there was to show.
        let tells_more = failed && !end.causes.is_empty() && end.status == Status::Unreachable;
        let hosts = self.hosts.saturating_sub(self.gone);
        let left = failed && !end.ignored && !end.rescued;
        let through = if self.apart {
            // Hosts that left before do not come any more.
            task.done() >= hosts.saturating_add(task.left)
        } else {
            self.current != Some(number) && task.started > 0 && task.is_through()
        };
        task.left += u32::from(left);
        self.gone += u32::from(left);
        self.open.insert(number);
        if task.items == 0 || tells_more {
            if failed {
                failure::write(self, number, host, end);
            } else if end.status != Status::Skipped {
                self.show(number, host, end);
            }
        }
        if through {
            self.close(number);
        }
    }

    /// Differences and what `debug` has to say.
    fn show(&mut self, number: u32, host: &str, end: &End) {
        let Some(task) = self.tasks.get(&number) else { return };
        let (action, name, wants_diff) = (task.action.clone(), task.name.clone(), task.diff);
        for warning in result::warnings(&end.reply).map(ToOwned::to_owned).collect::<Vec<_>>() {
            self.message(Level::Warning, &Cause { message: warning, ..Cause::default() });
        }
        let said = |word, what, lines| Said { word, what, lines, ..Said::default() };
        if wants_diff && end.status == Status::Changed {
            let palette = self.screen.colour().then_some(&self.settings.palette);
            let text =
                end.reply.get("diff").map(|it| diff::text(it, self.settings.diff_context, palette));
            if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
                let lines = text.trim_end_matches('\n').split('\n').map(ToOwned::to_owned);
                self.note(number, said("diff", name.clone(), lines.collect()), host, end);
            }
        }
        let is_wanted =
            end.show == Show::Always || self.settings.verbosity > 0 && end.show == Show::Verbose;
        if is_wanted && (!action.ends_with("assert") || self.settings.verbosity > 0) {
            let keys = result::shown_keys(&end.reply, &action, self.settings.verbosity);
            let item = end.item.as_ref().map(|item| format!(" ({item})")).unwrap_or_default();
            let lines = groups::lines_of(&text_of(&keys));
            self.note(number, said("says", format!("{name}{item}"), lines), host, end);
        }
    }

    pub(super) fn message(&mut self, level: Level, cause: &Cause) {
        let word = match level {
            Level::Verbose if self.settings.verbosity == 0 => return,
            Level::Verbose | Level::Info => "",
            Level::Warning => "warning: ",
            Level::Deprecated => "deprecated: ",
            Level::Error => "error: ",
        };
        let to = if word.is_empty() { To::Out } else { To::Err };
        let palette = &self.settings.palette;
        let code = match level {
            Level::Error => Some(palette.error.as_str()),
            Level::Warning | Level::Deprecated => Some(palette.warn.as_str()),
            _ => None,
        };
        let text = problem::text(std::slice::from_ref(cause), self.settings.source);
        let text = format!("{word}{}", text.trim_end());
        self.screen.line_once(to, &text, code);
    }

    /// The line of a task that is through.
    fn close(&mut self, number: u32) {
        self.write_rest(number);
        self.open.remove(&number);
        self.first.retain(|_, first| *first != number);
        let at_ms = self.now_ms;
        let Some(task) = self.tasks.get_mut(&number) else { return };
        let word = task.word();
        let hidden = (word == "ok" && !self.settings.display_ok_hosts)
            || (word == "skipped" && !self.settings.display_skipped_hosts);
        if hidden || task.is_told() {
            task.reset(at_ms);
            return;
        }
        let mut parts = vec![task.name.clone()];
        let room = if self.settings.width.is_none() { NAMES_IN_FILE } else { NAMES };
        if !self.alone {
            parts.extend(task.outcome(room));
        }
        if task.items > 0 {
            parts.push(count(task.items, "item"));
        }
        let ms = at_ms.saturating_sub(task.began_ms);
        if ms >= LONG_MS {
            parts.push(duration(ms));
        }
        if task.groups.unshown > 0 {
            parts.push(format!("{} not shown", count(task.groups.unshown, "more message")));
        }
        let place = if word == "FAILED" { short(&task.path).to_owned() } else { String::new() };
        task.reset(at_ms);
        self.state(word, &parts.join(self.signs.between), &place);
    }

    pub(super) fn close_all(&mut self) {
        while let Some(number) = self.open.first().copied() {
            self.close(number);
        }
        self.current = None;
    }
}

/// What a result says: its message, its only value, or all of it.
fn text_of(keys: &Reply) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => dump::json(other, Some(2)),
    };
    let mut entries = keys.iter();
    match (entries.next(), entries.next()) {
        (Some((key, value)), None) if key == "msg" => text(value),
        (Some((key, value)), None) => format!("{key}: {}", text(value)),
        _ => dump::json_map(keys, Some(2)),
    }
}
