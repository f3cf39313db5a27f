//! `minimal` and `oneline`: the results only, as `ansible` prints them.

use std::collections::{HashMap, HashSet};
use std::io;

use davit_event::{Cause, End, Event, Kind, Reply, Show, Sink, Status};
use serde_json::Value;

use crate::view::dump::YamlStyle;
use crate::view::message::say;
use crate::view::paint::{Screen, To};
use crate::view::{Format, Outputs, Settings, diff, dump, problem, result};

/// Modules whose output is shown as it is.
const PLAIN: &[&str] = &["command", "win_command", "shell", "win_shell", "raw", "script"];
/// From this many `-v` on, results have several lines.
const EVERYTHING: u8 = 3;

/// What `oneline` says before a failure: it was made for tracebacks.
const NO_TRACEBACK: &str = "An exception occurred during task execution. To see the full traceback, use -vvv. The error was: (traceback unavailable)";

fn is_plain(action: &str, end: &End) -> bool {
    // What says that it is no command's own result.
    let foreign = match end.status {
        Status::Ok | Status::Changed => "ansible_job_id",
        _ => "module_stderr",
    };
    action.rsplit('.').next().is_some_and(|name| PLAIN.contains(&name))
        && !end.reply.contains_key(foreign)
}

fn field<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn code(reply: &Reply) -> String {
    reply.get("rc").map_or_else(|| "-1".to_owned(), |rc| dump::json(rc, None))
}

/// What both views know of the tasks of a run.
struct Tasks {
    settings: Settings,
    screen: Screen,
    actions: HashMap<u32, (String, bool)>,
    /// Loops that have ended a round, by task and host.
    looped: HashSet<(u32, String)>,
}

/// A result, and what there is to know of its task.
struct Outcome<'a> {
    action: String,
    diff: bool,
    looped: bool,
    host: &'a str,
    end: &'a End,
}

impl Tasks {
    fn new(settings: Settings, to: Outputs) -> Self {
        let screen = Screen::new(&settings, to);
        Self { settings, screen, actions: HashMap::new(), looped: HashSet::new() }
    }

    /// Takes what is no result; gives back what is.
    fn other<'a>(&mut self, kind: &'a Kind) -> Option<Outcome<'a>> {
        match kind {
            Kind::PlayStarted { .. } => {
                self.actions.clear();
                self.looped.clear();
            }
            Kind::ItemDone { task, host, .. } => {
                self.looped.insert((*task, host.clone()));
            }
            Kind::TaskStarted { task, action, diff, .. } => {
                self.actions.insert(*task, (action.clone(), *diff));
            }
            Kind::HostDone { task, host, end, .. } => {
                let (action, diff) = self.actions.get(task).cloned().unwrap_or_default();
                let looped = self.looped.contains(&(*task, host.clone()));
                return Some(Outcome { action, diff, looped, host, end });
            }
            Kind::Message { level, text, origin, help } => {
                let cause =
                    Cause { message: text.clone(), origin: origin.clone(), help: help.clone() };
                say(&mut self.screen, &self.settings, *level, &cause);
            }
            _ => {}
        }
        None
    }

    fn state(&self, end: &End) -> (&'static str, String) {
        let palette = &self.settings.palette;
        match end.status {
            Status::Changed => ("CHANGED", palette.changed.clone()),
            Status::Ok => ("SUCCESS", palette.ok.clone()),
            Status::Skipped => ("SKIPPED", palette.skip.clone()),
            Status::Failed => ("FAILED", palette.error.clone()),
            Status::Unreachable => ("UNREACHABLE!", palette.unreachable.clone()),
        }
    }

    fn warnings(&mut self, end: &End) {
        for warning in result::warnings(&end.reply) {
            let code = Some(self.settings.palette.warn.as_str());
            self.screen.line_once(To::Err, &format!("[WARNING]: {warning}"), code);
        }
    }
}

/// The view `minimal`.
pub(crate) struct Minimal(Tasks);

impl Minimal {
    pub(crate) fn new(settings: Settings, to: Outputs) -> Self {
        Self(Tasks::new(settings, to))
    }

    fn result(&mut self, outcome: &Outcome<'_>) {
        let Outcome { action, diff, looped, host, end } = outcome;
        let (state, code_of) = self.0.state(end);
        let settings = &self.0.settings;
        let ran = matches!(end.status, Status::Ok | Status::Changed);
        if ran && *diff && diff::is_some(end.reply.get("diff")) {
            let palette = self.0.screen.colour().then_some(&settings.palette);
            let text =
                end.reply.get("diff").map(|it| diff::text(it, settings.diff_context, palette));
            self.0.screen.line(To::Out, &text.unwrap_or_default(), None);
        }
        let keys = || {
            let keys = result::shown_keys(&end.reply, action, settings.verbosity);
            let indent = settings.result_indentation;
            match settings.result_format {
                Format::Json => dump::json_map(&keys, Some(indent)),
                Format::Yaml => {
                    let pretty = settings.pretty_results.unwrap_or(true);
                    dump::yaml(&keys, YamlStyle { pretty, indent })
                }
            }
        };
        let text = match end.status {
            Status::Skipped => format!("{host} | SKIPPED"),
            Status::Unreachable => format!("{host} | UNREACHABLE! => {}", keys()),
            _ if is_plain(action, end) => format!(
                "{host} | {state} | rc={} >>\n{}{}{}\n",
                code(&end.reply),
                field(&end.reply, "stdout"),
                field(&end.reply, "stderr"),
                field(&end.reply, "msg"),
            ),
            Status::Failed => format!("{host} | FAILED! => {}", keys()),
            _ => format!("{host} | {state} => {}", keys()),
        };
        self.0.warnings(end);
        if !end.causes.is_empty() && !looped {
            let settings = &self.0.settings;
            let problem = format!("[ERROR]: {}", problem::text(&end.causes, settings.source));
            self.0.screen.line_once(To::Out, &problem, Some(&settings.palette.error));
        }
        self.0.screen.line(To::Out, &text, Some(&code_of));
    }
}

impl Sink for Minimal {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        if let Some(outcome) = self.0.other(&event.kind) {
            self.result(&outcome);
        }
        self.0.screen.flush()
    }
}

/// The view `oneline`.
pub(crate) struct Oneline(Tasks);

impl Oneline {
    pub(crate) fn new(settings: Settings, to: Outputs) -> Self {
        Self(Tasks::new(settings, to))
    }

    fn result(&mut self, outcome: &Outcome<'_>) {
        let Outcome { action, looped, host, end, .. } = outcome;
        let (state, code_of) = self.0.state(end);
        let settings = &self.0.settings;
        let keys = || {
            let mut keys = result::shown_keys(&end.reply, "", settings.verbosity);
            if let Some(results) = end.reply.get("results") {
                keys.insert("results".to_owned(), results.clone());
            }
            let wide = end.show == Show::Always || settings.verbosity >= EVERYTHING;
            let indent = if wide { settings.result_indentation } else { 0 };
            dump::json_map(&keys, Some(indent)).replace('\n', "")
        };
        let flat = |name| field(&end.reply, name).replace('\n', "\\n").replace('\r', "\\r");
        let plain = || {
            let mut text =
                format!("{host} | {state} | rc={} | (stdout) {}", code(&end.reply), flat("stdout"));
            if !field(&end.reply, "stderr").is_empty() {
                text.push_str(&format!(" (stderr) {}", flat("stderr")));
            }
            text
        };
        let is_plain = is_plain(action, end);
        let lines = match end.status {
            Status::Skipped => vec![format!("{host} | SKIPPED")],
            Status::Unreachable => {
                vec![format!("{host} | UNREACHABLE!: {}", field(&end.reply, "msg"))]
            }
            Status::Failed if is_plain && end.reply.contains_key("rc") => {
                vec![plain(), format!("{host} | FAILED! => {}", keys())]
            }
            Status::Failed => {
                let brief = settings.verbosity < EVERYTHING && !end.causes.is_empty() && !looped;
                let line = format!("{host} | FAILED! => {}", keys());
                if brief { vec![NO_TRACEBACK.to_owned(), line] } else { vec![line] }
            }
            _ if is_plain => vec![plain()],
            _ => vec![format!("{host} | {state} => {}", keys())],
        };
        self.0.warnings(end);
        for line in lines {
            self.0.screen.line(To::Out, &line, Some(&code_of));
        }
    }
}

impl Sink for Oneline {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        if let Some(outcome) = self.0.other(&event.kind) {
            self.result(&outcome);
        }
        self.0.screen.flush()
    }
}

#[cfg(test)]
mod tests {
    use crate::view::{Settings, fixture};

    #[test]
    fn results_only() {
        let (out, err) = fixture::show("minimal", &Settings::default());
        insta::assert_snapshot!(out, @r#"
        web1 | SUCCESS => {
            "msg": "hello web1"
        }
        web2 | SUCCESS => {
            "msg": "hello web2"
        }
        --- before
        +++ after: /etc/c
        @@ -1 +1 @@
        -a
        +b

        web1 | CHANGED => {
            "changed": true,
            "dest": "/etc/c"
        }
        web2 | SUCCESS => {
            "changed": false,
            "dest": "/etc/c"
        }
        web1 | CHANGED | rc=-1 >>
        All items completed
        web2 | SKIPPED
        web1 | SUCCESS => {
            "changed": false,
            "include": "more.yml"
        }
        [ERROR]: Task failed: Module failed: non-zero return code
        Origin: /srv/site.yml:12:7

        10 line 10 of /srv/site.yml
        11 line 11 of /srv/site.yml
        12 line 12 of /srv/site.yml
                 ^ column 7

        web1 | FAILED | rc=1 >>
        first
        Job for web.service failed.non-zero return code
        web2 | SUCCESS | rc=0 >>
        up
        [ERROR]: Task failed: 'port' is undefined

        Task failed.
        Origin: /srv/site.yml:14:7

        12 line 12 of /srv/site.yml
        13 line 13 of /srv/site.yml
        14 line 14 of /srv/site.yml
                 ^ column 7

        <<< caused by >>>

        'port' is undefined
        Origin: /srv/site.yml:15:12

        13 line 13 of /srv/site.yml
        14 line 14 of /srv/site.yml
        15 line 15 of /srv/site.yml
                      ^ column 12

        web2 | FAILED! => {
            "msg": "Task failed: 'port' is undefined"
        }
        [ERROR]: Task failed: no route to host
        Origin: /srv/site.yml:14:7

        12 line 12 of /srv/site.yml
        13 line 13 of /srv/site.yml
        14 line 14 of /srv/site.yml
                 ^ column 7

        web1 | UNREACHABLE! => {
            "changed": false,
            "msg": "Task failed: no route to host",
            "unreachable": true
        }
        "#);
        insta::assert_snapshot!(err, @r#"
        [WARNING]: Could not match supplied host pattern, ignoring: nobody
        [WARNING]: mode is unset
        "#);
    }

    #[test]
    fn one_line_each() {
        let (out, _) = fixture::show("oneline", &Settings::default());
        insta::assert_snapshot!(out, @r#"
        web1 | SUCCESS => {    "changed": false,    "msg": "hello web1"}
        web2 | SUCCESS => {    "changed": false,    "msg": "hello web2"}
        web1 | CHANGED => {"changed": true,"dest": "/etc/c"}
        web2 | SUCCESS => {"changed": false,"dest": "/etc/c"}
        web1 | CHANGED | rc=-1 | (stdout) 
        web2 | SKIPPED
        web1 | SUCCESS => {"changed": false,"include": "more.yml"}
        web1 | FAILED | rc=1 | (stdout)  (stderr) first\nJob for web.service failed.
        web1 | FAILED! => {"changed": true,"cmd": ["systemctl","restart","web"],"msg": "non-zero return code","rc": 1,"stderr": "first\nJob for web.service failed.","stderr_lines": ["first","Job for web.service failed."],"stdout": "","stdout_lines": []}
        web2 | SUCCESS | rc=0 | (stdout) up
        An exception occurred during task execution. To see the full traceback, use -vvv. The error was: (traceback unavailable)
        web2 | FAILED! => {"msg": "Task failed: 'port' is undefined"}
        web1 | UNREACHABLE!: Task failed: no route to host
        "#);
    }
}
