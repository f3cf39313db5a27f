//! What the view knows of the run, and the lines it writes as things happen.

use std::collections::HashMap;
use std::io;

use davit_event::{Cause, End, Event, Kind, Level, Reply, Show, Status};
use serde_json::Value;

use crate::view::paint::{Screen, To, columns, paint};
use crate::view::timing::Durations;
use crate::view::traditional::{host_label, problem_path};
use crate::view::{Outputs, Settings, diff, dump, problem, result};

use super::task::Running;
use super::words::{count, cut, duration, plain, short};
use super::{failure, live, summary};

/// Lines are set for this many columns where there is no terminal.
const WIDTH: usize = 100;
/// So many hosts are named; more are counted.
const NAMED: usize = 4;
/// Of one task, so many hosts that failed are shown in full; the others are counted.
pub(super) const FAILURES: usize = 5;
/// Of one task, so many different messages or differences are shown.
const DIFFERENT: usize = 10;
/// A task that took longer says so.
const LONG_MS: u64 = 1000;

/// The view's state.
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) screen: Screen,
    pub(super) width: usize,
    pub(super) run: String,
    pub(super) began_ms: u64,
    check: bool,
    pub(super) tasks: HashMap<u32, Running>,
    /// The task that started last.
    pub(super) current: Option<u32>,
    /// The play has one host only, which need not be named.
    alone: bool,
    /// Hosts that are still in the play.
    pub(super) hosts: u32,
    pub(super) durations: Durations,
    pub(super) ran: u32,
    pub(super) spin: usize,
    /// The last line is one that is drawn anew.
    drawn: bool,
}

impl State {
    pub(super) fn new(settings: Settings, to: Outputs) -> Self {
        let screen = Screen::new(&settings, to);
        let width = settings.width.unwrap_or(WIDTH).max(20);
        Self {
            settings,
            screen,
            width,
            run: String::new(),
            began_ms: 0,
            check: false,
            tasks: HashMap::new(),
            current: None,
            alone: false,
            hosts: 0,
            durations: Durations::default(),
            ran: 0,
            spin: 0,
            drawn: false,
        }
    }

    pub(super) fn accept(&mut self, event: &Event) -> io::Result<()> {
        self.wipe();
        if self.began_ms == 0 {
            self.began_ms = event.at_ms;
        }
        self.durations.take(event);
        self.render(event);
        self.draw();
        self.screen.flush()
    }

    /// Draws the last line anew.
    pub(super) fn tick(&mut self) -> io::Result<()> {
        self.spin += 1;
        self.wipe();
        self.draw();
        self.screen.flush()
    }

    /// Takes the last line away.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.wipe();
        self.screen.flush()
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.drawn) {
            self.screen.put(To::Out, "\r\u{1b}[2K");
        }
    }

    fn draw(&mut self) {
        if !self.settings.live {
            return;
        }
        if let Some(line) = live::line(self) {
            self.screen.put(To::Out, &line);
            self.drawn = true;
        }
    }

    fn render(&mut self, event: &Event) {
        match &event.kind {
            Kind::RunStarted { run, check, .. } => {
                self.run.clone_from(run);
                self.began_ms = event.at_ms;
                self.check = *check;
                if *check {
                    self.line("check mode: nothing is changed", None);
                }
            }
            Kind::PlayStarted { name, hosts, path, .. } => {
                self.play(name, hosts, path, event.at_ms);
            }
            Kind::NoHostsMatched => self.state("skipped", "no hosts match", ""),
            Kind::NoHostsRemaining => {
                self.close_all(event.at_ms);
                self.line("no hosts are left", Some(&self.settings.palette.error.clone()));
            }
            Kind::TaskStarted { .. } => self.task(&event.kind, event.at_ms),
            Kind::HostStarted { task, .. } => {
                if let Some(task) = self.tasks.get_mut(task) {
                    task.started += 1;
                }
            }
            Kind::ItemDone { task, host, end } => self.item(*task, host, end),
            Kind::Retry { task, host, left, .. } => self.retry(*task, host, *left),
            Kind::HostDone { task, host, end, .. } => self.host(*task, host, end, event.at_ms),
            Kind::Message { level, text, origin, help } => {
                let cause =
                    Cause { message: text.clone(), origin: origin.clone(), help: help.clone() };
                self.message(*level, &cause);
            }
            Kind::RunFinished { stats, order, custom, interrupted } => {
                self.close_all(event.at_ms);
                summary::write(self, event.at_ms, stats, order, *interrupted);
                if self.settings.show_custom_stats {
                    summary::custom(self, custom);
                }
            }
            _ => {}
        }
    }

    /// A line, cut to the width of a terminal.
    pub(super) fn line(&mut self, text: &str, code: Option<&str>) {
        let text = match self.settings.width {
            Some(width) => cut(text, width),
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
            (if self.settings.width.is_some() { cut(text, room) } else { text.to_owned() }, "")
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

    fn play(&mut self, name: &str, hosts: &[String], path: &str, at_ms: u64) {
        self.close_all(at_ms);
        self.tasks.clear();
        self.current = None;
        self.hosts = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
        self.alone = hosts.len() == 1;
        let head = format!("PLAY {} · {}", name.trim(), count(self.hosts, "host"));
        let place = short(&problem_path(path)).to_owned();
        let fill = self.width.saturating_sub(columns(&head) + columns(&place));
        self.screen.line(To::Out, "", None);
        if fill >= 2 {
            self.line(&format!("{head}{}{place}", " ".repeat(fill)), None);
        } else {
            self.line(&head, None);
        }
    }

    fn task(&mut self, kind: &Kind, at_ms: u64) {
        let Kind::TaskStarted { task, name, action, path, handler, diff, .. } = kind else {
            return;
        };
        // Where hosts do not wait for one another, a task may be going on while the next one starts.
        let mut through: Vec<u32> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.is_through())
            .map(|(number, _)| *number)
            .collect();
        through.sort_unstable();
        for number in through {
            self.close(number, at_ms);
        }
        let name =
            if *handler { format!("handler: {}", name.trim()) } else { name.trim().to_owned() };
        let running = Running::new(name, action, problem_path(path), *diff, at_ms);
        self.tasks.insert(*task, running);
        self.current = Some(*task);
        self.ran += 1;
    }

    fn item(&mut self, task: u32, host: &str, end: &End) {
        let label = end.item.clone().unwrap_or_default();
        if let Some(task) = self.tasks.get_mut(&task) {
            task.items += 1;
            task.note = Some(format!("{host}: {label}"));
        }
        match end.status {
            Status::Failed | Status::Unreachable => self.failure(task, host, end),
            Status::Ok | Status::Changed => self.show(task, host, end),
            Status::Skipped => {}
        }
    }

    fn retry(&mut self, task: u32, host: &str, left: u32) {
        let Some(task) = self.tasks.get_mut(&task) else { return };
        let text = format!("{host}: {} · {} left", task.name, count(left, "attempt"));
        if self.settings.live {
            task.note = Some(format!("{host}: {} left", count(left, "attempt")));
        } else {
            self.state("retry", &text, "");
        }
    }

    fn host(&mut self, number: u32, host: &str, end: &End, at_ms: u64) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        let failed = matches!(end.status, Status::Failed | Status::Unreachable);
        match end.status {
            Status::Ok => task.ok += 1,
            Status::Changed => task.changed.push(host.to_owned()),
            Status::Skipped => task.skipped += 1,
            Status::Failed => task.failed += 1,
            Status::Unreachable => task.unreachable += 1,
        }
        let passes = end.ignored || end.rescued;
        if failed {
            task.ignored += u32::from(end.ignored);
            task.rescued += u32::from(end.rescued && !end.ignored);
        }
        // The rounds of a loop have shown what there was to show.
        if task.items == 0
            || (failed && !end.causes.is_empty() && end.status == Status::Unreachable)
        {
            if failed {
                self.failure(number, host, end);
            } else if end.status != Status::Skipped {
                self.show(number, host, end);
            }
        }
        if failed && !passes {
            self.hosts = self.hosts.saturating_sub(1);
        }
        let through =
            self.tasks.get(&number).is_some_and(|task| task.started > 0 && task.is_through());
        if self.current != Some(number) && through {
            self.close(number, at_ms);
        }
    }

    fn failure(&mut self, number: u32, host: &str, end: &End) {
        failure::write(self, number, host, end);
    }

    /// True where another failure of this task is shown; counts it where not.
    pub(super) fn shows_failure(&mut self, number: u32, text: &str) -> bool {
        let Some(task) = self.tasks.get_mut(&number) else { return true };
        if let Some((_, more)) = task.shown.iter_mut().find(|(shown, _)| shown == text) {
            *more += 1;
            task.unshown += 1;
            return false;
        }
        let room = task.shown.len() < FAILURES;
        if room {
            task.shown.push((text.to_owned(), 0));
        } else {
            task.unshown += 1;
        }
        room
    }

    /// Differences and what `debug` has to say; the same on several hosts is shown once.
    fn show(&mut self, number: u32, host: &str, end: &End) {
        let Some(task) = self.tasks.get(&number) else { return };
        let who = self.who(host, end);
        let (action, name, wants_diff) = (task.action.clone(), task.name.clone(), task.diff);
        for warning in result::warnings(&end.reply).map(ToOwned::to_owned).collect::<Vec<_>>() {
            self.message(Level::Warning, &Cause { message: warning, ..Cause::default() });
        }
        if wants_diff && end.status == Status::Changed {
            let palette = self.screen.colour().then_some(&self.settings.palette);
            let text =
                end.reply.get("diff").map(|it| diff::text(it, self.settings.diff_context, palette));
            if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
                self.show_once(number, &text, "diff", &format!("{who}{name}"));
            }
        }
        if end.show == Show::Always || self.settings.verbosity > 0 && end.show == Show::Verbose {
            let keys = result::shown_keys(&end.reply, &action, self.settings.verbosity);
            let text = said(&keys);
            if action.ends_with("assert") && self.settings.verbosity == 0 {
                return;
            }
            let item = end.item.as_ref().map(|item| format!(" ({item})")).unwrap_or_default();
            self.show_once(number, &text, "says", &format!("{who}{name}{item}"));
        }
    }

    /// `host: `, or nothing where there is only one.
    pub(super) fn who(&self, host: &str, end: &End) -> String {
        let label = host_label(host, end);
        if self.alone && end.delegated_to.is_none() { String::new() } else { format!("{label}: ") }
    }

    fn show_once(&mut self, number: u32, text: &str, word: &str, head: &str) {
        if let Some(task) = self.tasks.get_mut(&number) {
            if let Some((_, more)) = task.shown.iter_mut().find(|(shown, _)| shown == text) {
                *more += 1;
                return;
            }
            if task.shown.len() >= DIFFERENT {
                return;
            }
            task.shown.push((text.to_owned(), 0));
        }
        self.state(word, head, "");
        let text = if word == "diff" { text.to_owned() } else { plain(text) };
        for line in text.trim_end_matches('\n').split('\n') {
            self.screen.line(To::Out, format!("           {line}").trim_end(), None);
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
    fn close(&mut self, number: u32, at_ms: u64) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        let failures = task.failures();
        let word = task.word();
        if task.is_told() {
            task.reset(at_ms);
            return;
        }
        if (word == "ok" && !self.settings.display_ok_hosts)
            || (word == "skipped" && !self.settings.display_skipped_hosts)
        {
            task.reset(at_ms);
            return;
        }
        let mut parts = vec![task.name.clone()];
        // Lines of a file may be longer.
        let named = if self.settings.width.is_none() { 5 * NAMED } else { NAMED };
        if !self.alone {
            parts.extend(task.outcome(named));
        }
        if task.items > 0 {
            parts.push(count(task.items, "item"));
        }
        let ms = at_ms.saturating_sub(task.began_ms);
        if ms >= LONG_MS {
            parts.push(duration(ms));
        }
        let same: u32 = task.shown.iter().map(|(_, more)| more).sum();
        if same > 0 && failures == 0 {
            parts.push(format!("the same on {same} more"));
        }
        let place = if word == "FAILED" { short(&task.path).to_owned() } else { String::new() };
        let unshown = if failures == 0 {
            String::new()
        } else if same > 0 && task.unshown <= same {
            format!("           the same on {}", count(same, "more host"))
        } else if task.unshown > 0 {
            format!("           {} not shown", count(task.unshown, "more failure"))
        } else {
            String::new()
        };
        task.reset(at_ms);
        self.state(word, &parts.join(" · "), &place);
        if !unshown.is_empty() {
            self.line(&unshown, None);
        }
    }

    fn close_all(&mut self, at_ms: u64) {
        let mut open: Vec<u32> = self.tasks.keys().copied().collect();
        open.sort_unstable();
        for number in open {
            self.close(number, at_ms);
        }
        self.current = None;
    }
}

/// What a result says: its message, its only value, or all of it.
fn said(keys: &Reply) -> String {
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
