//! `default`: what `ansible-playbook` prints, byte for byte.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use davit_event::{AsyncState, Cause, Counts, End, Event, Kind, Level, Sink, Status};
use serde_json::Value;

use crate::view::paint::{Screen, To, columns};
use crate::view::{Outputs, Settings, diff, message, problem, recap, result};

/// The width that banners fill where the terminal is narrower, or is none.
const NARROWEST: usize = 79;
/// From this many `-v` on, a task's place is shown.
const SHOW_PATHS: u8 = 2;
/// From this many `-v` on, the result of an attempt is shown.
const SHOW_ATTEMPTS: u8 = 3;

/// What stands for the item of a loop with `no_log`.
const CENSORED: &str = "(censored due to no_log)";

/// A task that has started.
struct Task {
    name: String,
    action: String,
    banner: String,
    path: String,
    diff: bool,
    handler: bool,
}

/// The view.
pub(crate) struct Traditional {
    settings: Settings,
    screen: Screen,
    check: bool,
    /// Tasks of the current play by number: results of several may come mixed.
    tasks: HashMap<u32, Task>,
    /// Whose banner stands above.
    banner_of: Option<u32>,
    /// The task that started last.
    last: Option<u32>,
    /// On how many hosts tasks of the play are going on.
    running: HashMap<u32, u32>,
    /// Loops that have shown a round, by task and host.
    looped: HashSet<(u32, String)>,
    /// Starts on hosts that were told, by task and host.
    started: HashSet<(u32, String)>,
    recapped: bool,
}

impl Traditional {
    pub(crate) fn new(settings: Settings, to: Outputs) -> Self {
        let screen = Screen::new(&settings, to);
        Self {
            settings,
            screen,
            check: false,
            tasks: HashMap::new(),
            banner_of: None,
            last: None,
            running: HashMap::new(),
            looped: HashSet::new(),
            started: HashSet::new(),
            recapped: false,
        }
    }

    fn render(&mut self, kind: &Kind) {
        match kind {
            Kind::RunStarted { check, .. } => self.check = *check,
            Kind::PlaybookStarted { path, plays } => self.playbook(path, *plays),
            Kind::PlayStarted { name, check, .. } => self.play(name.trim(), *check),
            Kind::NoHostsMatched => {
                let code = self.settings.palette.skip.clone();
                self.screen.line(To::Out, "skipping: no hosts matched", Some(&code));
            }
            Kind::NoHostsRemaining => self.banner("NO MORE HOSTS LEFT"),
            Kind::TaskStarted { .. } => self.task(kind),
            Kind::HostStarted { task, host } => self.host_started(*task, host),
            Kind::ItemDone { task, host, end } => self.item(*task, host, end),
            Kind::Retry { task, host, left, end } => self.retry(*task, host, *left, end),
            Kind::HostDone { task, host, end, .. } => self.done(*task, host, end),
            Kind::Included { file, hosts, item, .. } => self.included(file, hosts, item.as_deref()),
            Kind::Notified { host, handler } if self.settings.verbosity >= SHOW_PATHS => {
                let code = self.settings.palette.verbose.clone();
                let text = format!("NOTIFIED HANDLER {handler} for {host}");
                self.screen.line(To::Out, &text, Some(&code));
            }
            Kind::Async { host, job, seen, .. } => self.looked_after(host, job, *seen),
            Kind::Message { level, text, origin, help } => {
                let cause =
                    Cause { message: text.clone(), origin: origin.clone(), help: help.clone() };
                self.message(*level, &cause);
            }
            Kind::PlaybookFinished { stats, custom, .. } => {
                self.recap(stats, custom);
                self.recapped = true;
            }
            Kind::RunFinished { stats, custom, .. } if !self.recapped => self.recap(stats, custom),
            _ => {}
        }
    }

    fn banner(&mut self, text: &str) {
        let text = text.trim();
        let width =
            self.settings.width.map_or(NARROWEST, |width| NARROWEST.max(width.saturating_sub(1)));
        let stars = width.saturating_sub(columns(text)).max(3);
        self.screen.put(To::Out, &format!("\n{text} {}\n", "*".repeat(stars)));
    }

    fn marker(&self, check: bool) -> &'static str {
        if check && self.settings.check_mode_markers { " [CHECK MODE]" } else { "" }
    }

    fn playbook(&mut self, path: &str, plays: u32) {
        self.recapped = false;
        if self.settings.verbosity >= SHOW_PATHS {
            let name = path.rsplit('/').next().unwrap_or(path);
            self.banner(&format!("PLAYBOOK: {name}"));
            let code = self.settings.palette.verbose.clone();
            self.screen.line(To::Out, &format!("{plays} plays in {path}"), Some(&code));
        }
        if self.check && self.settings.check_mode_markers {
            self.banner("DRY RUN");
        }
    }

    fn play(&mut self, name: &str, check: bool) {
        let marker = self.marker(check);
        self.tasks.clear();
        self.looped.clear();
        self.started.clear();
        self.running.clear();
        self.banner_of = None;
        self.last = None;
        let text = if name.is_empty() {
            format!("PLAY{marker}")
        } else {
            format!("PLAY [{name}]{marker}")
        };
        self.banner(&text);
    }

    fn task(&mut self, kind: &Kind) {
        let Kind::TaskStarted { task, name, action, path, handler, check, diff, args } = kind
        else {
            return;
        };
        let args = if self.settings.display_args_to_stdout && !args.is_empty() {
            format!(" {args}")
        } else {
            String::new()
        };
        let prefix = if *handler { "RUNNING HANDLER" } else { "TASK" };
        let banner = format!("{prefix} [{}{args}]{}", name.trim(), self.marker(*check));
        let started = Task {
            name: name.trim().to_owned(),
            action: action.clone(),
            banner,
            path: problem::path_of(path),
            diff: *diff,
            handler: *handler,
        };
        self.tasks.insert(*task, started);
        self.last = Some(*task);
        // Where results may be left out, a task without any to show has no banner.
        // Where hosts do not wait for one another, each result has the banner of its task.
        let apart = self.running.iter().any(|(other, hosts)| other != task && *hosts > 0);
        if self.settings.display_skipped_hosts && self.settings.display_ok_hosts && !apart {
            self.task_banner(*task);
        }
    }

    /// The banner of a task, unless it is the last one that was shown.
    fn task_banner(&mut self, task: u32) {
        if self.banner_of == Some(task) {
            return;
        }
        self.banner_of = Some(task);
        let Some((banner, path)) =
            self.tasks.get(&task).map(|task| (task.banner.clone(), task.path.clone()))
        else {
            return;
        };
        self.banner(&banner);
        if self.settings.verbosity >= SHOW_PATHS {
            self.task_path(&path);
        }
    }

    fn task_path(&mut self, path: &str) {
        let code = self.settings.palette.debug.clone();
        self.screen.line(To::Out, &format!("task path: {path}"), Some(&code));
    }

    fn host_started(&mut self, task: u32, host: &str) {
        *self.running.entry(task).or_default() += 1;
        self.tell_start(task, host);
    }

    /// Says that a task begins on a host. What is done at once has no event for that.
    fn tell_start(&mut self, task: u32, host: &str) {
        if !self.settings.show_per_host_start || !self.started.insert((task, host.to_owned())) {
            return;
        }
        let Some(known) = self.tasks.get(&task) else { return };
        let kind = if known.handler { "HANDLER" } else { "TASK" };
        let text = format!(" [started {kind}: {} on {host}]", known.name);
        let code = self.settings.palette.ok.clone();
        self.screen.line(To::Out, &text, Some(&code));
    }

    fn action(&self, task: u32) -> String {
        self.tasks.get(&task).map(|task| task.action.clone()).unwrap_or_default()
    }

    fn item(&mut self, task: u32, host: &str, end: &End) {
        self.tell_start(task, host);
        self.looped.insert((task, host.to_owned()));
        let action = self.action(task);
        let label = if end.no_log { CENSORED } else { end.item.as_deref().unwrap_or_default() };
        let to = result::host_label(host, end);
        match end.status {
            Status::Ok | Status::Changed => {
                self.difference(task, end);
                if result::is_include(&action) {
                    return;
                }
                let changed = end.status == Status::Changed;
                if !changed && !self.settings.display_ok_hosts {
                    return;
                }
                self.task_banner(task);
                self.warnings(end);
                let word = if changed { "changed" } else { "ok" };
                self.result(word, &format!("[{to}] => (item={label})"), &action, end);
            }
            Status::Skipped => {
                if self.settings.display_skipped_hosts {
                    self.task_banner(task);
                    self.result("skipping", &format!("[{host}] => (item={label}) "), &action, end);
                }
            }
            Status::Failed | Status::Unreachable => {
                self.task_banner(task);
                self.problem(end);
                let (word, code) = match end.status {
                    Status::Failed => ("failed", self.settings.palette.error.clone()),
                    _ => ("failed", self.settings.palette.unreachable.clone()),
                };
                let text = result::text(end, &action, &self.settings);
                let to_where = self.failures();
                self.screen.line(
                    to_where,
                    &format!("{word}: [{to}] (item={label}) => {text}"),
                    Some(&code),
                );
            }
        }
    }

    fn retry(&mut self, task: u32, host: &str, left: u32, end: &End) {
        self.tell_start(task, host);
        let name = self.tasks.get(&task).map(|task| task.name.clone()).unwrap_or_default();
        let mut text = format!(
            "FAILED - RETRYING: [{}]: {name} ({left} retries left).",
            result::host_label(host, end)
        );
        if self.settings.verbosity >= SHOW_ATTEMPTS {
            text.push_str("Result was: ");
            text.push_str(&result::text(end, &self.action(task), &self.settings));
        }
        let code = self.settings.palette.debug.clone();
        self.screen.line(To::Out, &text, Some(&code));
    }

    fn done(&mut self, task: u32, host: &str, end: &End) {
        if let Some(hosts) = self.running.get_mut(&task) {
            *hosts = hosts.saturating_sub(1);
        }
        self.tell_start(task, host);
        let action = self.action(task);
        let looped = self.looped.contains(&(task, host.to_owned()));
        let to = result::host_label(host, end);
        match end.status {
            Status::Ok | Status::Changed => {
                if looped {
                    return;
                }
                self.difference(task, end);
                let changed = end.status == Status::Changed;
                if result::is_include(&action) || (!changed && !self.settings.display_ok_hosts) {
                    return;
                }
                self.task_banner(task);
                self.warnings(end);
                let word = if changed { "changed" } else { "ok" };
                self.result(word, &format!("[{to}]"), &action, end);
            }
            Status::Skipped => {
                if self.settings.display_skipped_hosts {
                    self.task_banner(task);
                    self.warnings(end);
                    self.result("skipping", &format!("[{host}]"), &action, end);
                }
            }
            Status::Failed => {
                self.task_banner(task);
                // The rounds of a loop have told their own failures; that of `debug` is told twice.
                if !looped || end.reply.get("results").is_none() {
                    self.problem(end);
                }
                let told = looped && end.reply.get("results").is_some();
                if !told || result::is_debug(&action) {
                    if self.settings.show_task_path_on_failure
                        && self.settings.verbosity < SHOW_PATHS
                    {
                        let path = self.tasks.get(&task).map(|task| task.path.clone());
                        self.task_path(&path.unwrap_or_default());
                    }
                    self.fatal(&to, &action, end);
                }
                self.ignoring(end);
            }
            Status::Unreachable => {
                self.task_banner(task);
                self.problem(end);
                self.fatal(&to, &action, end);
                self.ignoring(end);
            }
        }
    }

    fn fatal(&mut self, to: &str, action: &str, end: &End) {
        let (word, code) = match end.status {
            Status::Unreachable => ("UNREACHABLE", self.settings.palette.unreachable.clone()),
            _ => ("FAILED", self.settings.palette.error.clone()),
        };
        let text = result::text(end, action, &self.settings);
        let to_where = self.failures();
        self.screen.line(to_where, &format!("fatal: [{to}]: {word}! => {text}"), Some(&code));
    }

    fn ignoring(&mut self, end: &End) {
        if end.ignored {
            let code = self.settings.palette.skip.clone();
            self.screen.line(To::Out, "...ignoring", Some(&code));
        }
    }

    fn failures(&self) -> To {
        if self.settings.display_failed_stderr { To::Err } else { To::Out }
    }

    /// A result that is no failure: the word, who, and what there is to show.
    fn result(&mut self, word: &str, who: &str, action: &str, end: &End) {
        let palette = &self.settings.palette;
        let code = match end.status {
            Status::Changed => &palette.changed,
            Status::Skipped => &palette.skip,
            _ => &palette.ok,
        }
        .clone();
        let mut text = format!("{word}: {who}");
        // A skipped task has not run, so what it would show always is no reason.
        let shown = if end.status == Status::Skipped {
            self.settings.verbosity > 0 && result::is_shown(end, &self.settings)
        } else {
            result::is_shown(end, &self.settings)
        };
        if shown {
            text.push_str(" => ");
            text.push_str(&result::text(end, action, &self.settings));
        }
        self.screen.line(To::Out, &text, Some(&code));
    }

    /// The chain of causes of a failure.
    fn problem(&mut self, end: &End) {
        self.warnings(end);
        if end.causes.is_empty() {
            return;
        }
        let text = format!("[ERROR]: {}", problem::text(&end.causes, self.settings.source));
        let code = self.settings.palette.error.clone();
        let to = self.failures();
        self.screen.line_once(to, &text, Some(&code));
    }

    fn warnings(&mut self, end: &End) {
        for warning in result::warnings(&end.reply) {
            let code = Some(self.settings.palette.warn.as_str());
            self.screen.line_once(To::Err, &format!("[WARNING]: {warning}"), code);
        }
        for deprecation in result::deprecations(&end.reply) {
            self.message(Level::Deprecated, &Cause { message: deprecation, ..Cause::default() });
        }
    }

    fn difference(&mut self, task: u32, end: &End) {
        let wanted = self.tasks.get(&task).is_some_and(|task| task.diff);
        let diff = end.reply.get("diff");
        let changed = end.reply.get("changed").and_then(Value::as_bool) == Some(true);
        if !wanted || !changed || !diff::is_some(diff) {
            return;
        }
        let palette = self.screen.colour().then_some(&self.settings.palette);
        let text = diff.map(|diff| diff::text(diff, self.settings.diff_context, palette));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.task_banner(task);
            self.screen.line(To::Out, &text, None);
        }
    }

    fn included(&mut self, file: &str, hosts: &[String], item: Option<&str>) {
        if let Some(last) = self.last.filter(|last| result::is_include(&self.action(*last))) {
            self.task_banner(last);
        }
        let mut text = format!("included: {file} for {}", hosts.join(", "));
        if let Some(item) = item {
            text.push_str(&format!(" => (item={item})"));
        }
        let code = self.settings.palette.included.clone();
        self.screen.line(To::Out, &text, Some(&code));
    }

    fn looked_after(&mut self, host: &str, job: &str, seen: AsyncState) {
        let text = match seen {
            AsyncState::Running => {
                format!("ASYNC POLL on {host}: jid={job} started=True finished=False")
            }
            AsyncState::Ok => format!("ASYNC OK on {host}: jid={job}"),
            AsyncState::Failed => format!("ASYNC FAILED on {host}: jid={job}"),
        };
        let code = self.settings.palette.debug.clone();
        self.screen.line(To::Out, &text, Some(&code));
    }

    fn message(&mut self, level: Level, cause: &Cause) {
        message::say(&mut self.screen, &self.settings, level, cause);
    }

    fn recap(&mut self, stats: &BTreeMap<String, Counts>, custom: &BTreeMap<String, Value>) {
        self.banner("PLAY RECAP");
        let palette = self.screen.colour().then(|| self.settings.palette.clone());
        for (host, counts) in stats {
            let line = recap::line(host, counts, palette.as_ref());
            self.screen.line(To::Out, &line, None);
        }
        self.screen.line(To::Out, "", None);
        if self.settings.show_custom_stats && !custom.is_empty() {
            self.banner("CUSTOM STATS: ");
            for line in recap::custom(custom) {
                self.screen.line(To::Out, &line, None);
            }
        }
        if self.check && self.settings.check_mode_markers {
            self.banner("DRY RUN");
        }
    }
}

impl Sink for Traditional {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        self.render(&event.kind);
        self.screen.flush()
    }
}
