//! A recorded run for the tests of the views: two hosts, every way a task can end.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use davit_event::{Cause, Counts, End, Event, Kind, Level, Reply, Show, Sink, Status};
use serde_json::{Value, json};

use crate::view::{Outputs, Settings, create, create_timing};

/// What a view writes, to be looked at afterwards.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The file that the run's tasks come from.
pub(crate) fn source(path: &str) -> Option<String> {
    let text: String = (1..=30).map(|line| format!("line {line} of {path}\n")).collect();
    path.ends_with("site.yml").then_some(text)
}

/// Plays the run to a view.
pub(crate) fn show(name: &str, settings: &Settings) -> (String, String) {
    play(&run(), |to| create(name, &Settings { source, ..settings.clone() }, to).unwrap())
}

/// As [`show`], for the additional views.
pub(crate) fn show_timing(name: &str, settings: &Settings) -> (String, String) {
    play(&run(), |to| create_timing(name, settings, to).unwrap())
}

/// Plays events to a view, and returns what it wrote to both outputs.
pub(crate) fn play(
    events: &[Event],
    view: impl FnOnce(Outputs) -> Box<dyn Sink>,
) -> (String, String) {
    let (out, err) = (Shared::default(), Shared::default());
    let mut view = view(Outputs { out: Box::new(out.clone()), err: Box::new(err.clone()) });
    for event in events {
        view.accept(event).unwrap();
    }
    drop(view);
    (out.text(), err.text())
}

pub(crate) fn reply(json: Value) -> Reply {
    let Value::Object(reply) = json else { panic!("a reply is an object") };
    reply
}

pub(crate) fn end(status: Status, json: Value) -> End {
    End { status, reply: reply(json), ..End::default() }
}

fn item(status: Status, label: &str, json: Value) -> End {
    End { item: Some(label.to_owned()), ..end(status, json) }
}

/// Puts numbers and times on what happened, half a second apart.
pub(crate) fn events(kinds: Vec<Kind>) -> Vec<Event> {
    (0..)
        .zip(kinds)
        .map(|(seq, kind)| Event { seq, at_ms: 1_800_000_000_000 + 500 * seq, kind })
        .collect()
}

pub(crate) fn task(number: u32, name: &str, action: &str) -> Kind {
    Kind::TaskStarted {
        task: number,
        name: name.to_owned(),
        action: action.to_owned(),
        path: format!("/srv/site.yml:{}:7", 4 + 2 * number),
        handler: false,
        check: true,
        diff: true,
        args: "_raw_params=x".to_owned(),
    }
}

/// A play of these hosts.
pub(crate) fn play_of(hosts: &[&str]) -> Kind {
    Kind::PlayStarted {
        play: 0,
        name: "all".to_owned(),
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        check: false,
        path: "/srv/site.yml:1".to_owned(),
    }
}

pub(crate) fn done(task: u32, host: &str, end: End) -> Kind {
    Kind::HostDone { task, host: host.to_owned(), end, ms: 400 }
}

fn starts(kinds: &mut Vec<Kind>) {
    kinds.extend([
        Kind::RunStarted {
            run: "2sb0mq00".to_owned(),
            playbooks: vec!["site.yml".to_owned()],
            check: true,
            diff: true,
            command: vec!["davit".to_owned(), "run".to_owned(), "site.yml".to_owned()],
            folder: "/srv".to_owned(),
        },
        Kind::PlaybookStarted { path: "site.yml".to_owned(), plays: 2 },
        Kind::Message {
            level: Level::Warning,
            text: "Could not match supplied host pattern, ignoring: nobody".to_owned(),
            origin: None,
            help: None,
        },
        Kind::PlayStarted {
            play: 0,
            name: "nobody".to_owned(),
            hosts: Vec::new(),
            check: true,
            path: "/srv/site.yml:1".to_owned(),
        },
        Kind::NoHostsMatched,
        Kind::PlayStarted {
            play: 1,
            name: "web".to_owned(),
            hosts: vec!["web1".to_owned(), "web2".to_owned()],
            check: true,
            path: "/srv/site.yml:2".to_owned(),
        },
    ]);
}

fn good_tasks(kinds: &mut Vec<Kind>) {
    let said = |host: &str| End {
        show: Show::Always,
        ..end(Status::Ok, json!({"msg": format!("hello {host}"), "changed": false}))
    };
    kinds.extend([
        task(0, "say", "debug"),
        Kind::HostStarted { task: 0, host: "web1".to_owned() },
        done(0, "web1", said("web1")),
        done(0, "web2", said("web2")),
        task(1, "write config", "copy"),
        done(
            1,
            "web1",
            end(
                Status::Changed,
                json!({
                    "changed": true, "dest": "/etc/c", "invocation": {"module_args": {}},
                    "warnings": ["mode is unset"],
                    "diff": {"before": "a\n", "after": "b\n", "after_header": "/etc/c"},
                }),
            ),
        ),
        done(1, "web2", end(Status::Ok, json!({"changed": false, "dest": "/etc/c"}))),
        task(2, "loop", "command"),
        Kind::ItemDone {
            task: 2,
            host: "web1".to_owned(),
            end: item(Status::Changed, "a", json!({"changed": true, "rc": 0, "item": "a"})),
        },
        Kind::ItemDone {
            task: 2,
            host: "web1".to_owned(),
            end: item(
                Status::Skipped,
                "b",
                json!({"changed": false, "skip_reason": "Conditional result was False", "item": "b"}),
            ),
        },
        done(2, "web1", end(Status::Changed, json!({"changed": true, "msg": "All items completed"}))),
        done(2, "web2", end(Status::Skipped, json!({"changed": false, "skip_reason": "Conditional result was False"}))),
        task(3, "more", "include_tasks"),
        Kind::Included {
            file: "/srv/more.yml".to_owned(),
            hosts: vec!["web1".to_owned()],
            item: Some("1".to_owned()),
            role: false,
        },
        done(3, "web1", end(Status::Ok, json!({"changed": false, "include": "more.yml"}))),
    ]);
}

fn bad_tasks(kinds: &mut Vec<Kind>) {
    let cause = |message: &str, place: Option<&str>| Cause {
        message: message.to_owned(),
        origin: place.map(ToOwned::to_owned),
        help: None,
    };
    let failed = End {
        causes: vec![
            cause("Task failed", Some("/srv/site.yml:12:7")),
            cause("Module failed", None),
            cause("non-zero return code", None),
        ],
        ..end(
            Status::Failed,
            json!({
                "changed": true, "rc": 1, "cmd": ["systemctl", "restart", "web"], "failed": true,
                "msg": "non-zero return code", "stdout": "", "stdout_lines": [],
                "stderr": "first\nJob for web.service failed.", "stderr_lines": ["first", "Job for web.service failed."],
            }),
        )
    };
    let undefined = End {
        causes: vec![
            cause("Task failed.", Some("/srv/site.yml:14:7")),
            cause("'port' is undefined", Some("/srv/site.yml:15:12")),
        ],
        ..end(Status::Failed, json!({"msg": "Task failed: 'port' is undefined"}))
    };
    let unreachable = End {
        causes: vec![cause("Task failed: no route to host", Some("/srv/site.yml:14:7"))],
        delegated_to: Some("db1".to_owned()),
        ..end(
            Status::Unreachable,
            json!({"changed": false, "unreachable": true, "msg": "Task failed: no route to host"}),
        )
    };
    kinds.extend([
        task(4, "restart", "command"),
        Kind::Retry { task: 4, host: "web1".to_owned(), left: 2, end: failed.clone() },
        done(4, "web1", End { ignored: true, ..failed }),
        done(4, "web2", end(Status::Ok, json!({"changed": false, "rc": 0, "stdout": "up"}))),
        task(5, "role : open port", "template"),
        done(5, "web2", undefined),
        done(5, "web1", unreachable),
        Kind::NoHostsRemaining,
    ]);
}

/// The run.
pub(crate) fn run() -> Vec<Event> {
    let mut kinds = Vec::new();
    starts(&mut kinds);
    good_tasks(&mut kinds);
    bad_tasks(&mut kinds);
    let counts = |ok, changed, failed, unreachable| Counts {
        ok,
        changed,
        failed,
        unreachable,
        ignored: unreachable,
        ..Counts::default()
    };
    let stats = BTreeMap::from([
        ("web1".to_owned(), counts(4, 2, 0, 1)),
        ("web2".to_owned(), Counts { skipped: 1, ..counts(3, 0, 1, 0) }),
    ]);
    let order = vec!["web1".to_owned(), "web2".to_owned()];
    let custom = BTreeMap::from([("_run".to_owned(), json!({"a": 1}))]);
    kinds.push(Kind::PlaybookFinished {
        stats: stats.clone(),
        order: order.clone(),
        custom: custom.clone(),
    });
    kinds.push(Kind::RunFinished { stats, order, custom, interrupted: false });
    events(kinds)
}
