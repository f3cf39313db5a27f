//! What happened: the one stream that the terminal, JSON, the run history and the web page read.
//!
//! ```text
//! engine ──Kind──▶ Bus ──Event──▶ { terminal, json, store, web socket }
//! ```
//!
//! **Invariant:** an [`Event`] owns its data and is the same value live, in JSON, in SQLite and
//! on the wire. A recorded run therefore replays through the same views, with no second type.
//!
//! **Invariant:** nothing outside this stream is printed about a run.
//!
//! **Invariant:** secrets are masked before an event reaches any sink: see [`Mask`].

mod bus;
mod mask;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::bus::{Bus, Sink};
pub use crate::mask::Mask;

/// The result of a module or action: the keys that a playbook reads after `register:`.
pub type Reply = serde_json::Map<String, serde_json::Value>;

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the run: 0, 1, 2, ... with no gap. An event that [passes](Kind::is_passing) takes no
    /// place: it carries the number of the next one that is kept.
    pub seq: u64,
    /// Milliseconds since the Unix epoch, UTC.
    pub at_ms: u64,
    /// What it was.
    pub kind: Kind,
}

/// What can happen in a run, in the order it can happen.
///
/// Adding a variant is a minor change; renaming or removing one breaks stored runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A run began: one call of `davit run`, with all its playbooks.
    RunStarted {
        /// Identifies the run in the store.
        run: String,
        /// Paths as the user typed them.
        playbooks: Vec<String>,
        /// True under `--check`: nothing is changed.
        check: bool,
        /// True under `--diff`.
        diff: bool,
        /// What is needed to start the run again: the working folder and the command line.
        command: Vec<String>,
        /// The working folder.
        folder: String,
    },
    /// A playbook file began.
    PlaybookStarted {
        /// Path as typed.
        path: String,
        /// How many plays it has, imported ones included.
        #[serde(default)]
        plays: u32,
    },
    /// A play began (once for each `serial` batch).
    PlayStarted {
        /// Index of the play in the run, from 0.
        play: u32,
        /// The `name:`, or the `hosts:` pattern where it has none; rendered.
        name: String,
        /// The hosts of this batch, in order.
        hosts: Vec<String>,
        /// True where the play runs in check mode.
        check: bool,
        /// `file:line` of the play.
        path: String,
    },
    /// The play's pattern matched no host.
    NoHostsMatched,
    /// Every host of the play has failed.
    NoHostsRemaining,
    /// A task began on the hosts of its play.
    TaskStarted {
        /// Index of the task's start in the run, from 0. Not the task's place in the file: a task
        /// that runs twice has two.
        task: u32,
        /// Name to show: `role : name`, or the module where it has none; rendered where it could be.
        name: String,
        /// The action as written: `copy`, `ansible.builtin.copy`.
        action: String,
        /// `file:line:column` of the task.
        path: String,
        /// It runs because it was notified.
        handler: bool,
        /// The task runs in check mode.
        check: bool,
        /// The task shows differences: `--diff`, or its own `diff: true`.
        #[serde(default)]
        diff: bool,
        /// The arguments as written, one line, for `display_args_to_stdout`; empty with `no_log`.
        args: String,
    },
    /// A task began on one host.
    HostStarted {
        /// Index of the task's start.
        task: u32,
        /// Inventory name.
        host: String,
    },
    /// A host is being connected to. [`Connected`](Kind::Connected) or [`Lost`](Kind::Lost) follows;
    /// a second one for the same host is a further attempt. Passes.
    Connecting {
        /// Inventory name.
        host: String,
        /// Where to: what a person would type, `deploy@10.0.0.7:2222` or `docker:web1`; without
        /// any password.
        address: String,
    },
    /// The agent of a host answers: from here on modules can run there.
    Connected {
        /// Inventory name.
        host: String,
        /// Milliseconds since the first [`Connecting`](Kind::Connecting).
        ms: u64,
        /// The agent was not there yet, and was sent over.
        pushed: bool,
    },
    /// A connection broke off, or was never there. Whether a task fails because of it is told by the
    /// task's [`HostDone`](Kind::HostDone).
    Lost {
        /// Inventory name.
        host: String,
        /// Why, as a person would say it; one line.
        why: String,
    },
    /// One round of a loop began on one host. Passes.
    ItemStarted {
        /// Index of the task's start.
        task: u32,
        /// Inventory name.
        host: String,
        /// The label of the item; none with `no_log`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<String>,
        /// Which round, from 1.
        number: u32,
        /// How many rounds there are.
        of: u32,
    },
    /// Something that takes its time goes on at a host. Passes; sent some ten times a second at
    /// most, whoever emits it sees to that.
    Progress {
        /// Index of the task's start; none while it belongs to no task, as when the agent is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<u32>,
        /// Inventory name.
        host: String,
        /// What goes on, in words that numbers can follow: `pushing agent`, `sending disk.img`.
        what: String,
        /// How many bytes of it are done.
        done: u64,
        /// How many there are, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// A program that still runs has written something. Passes; sent some ten times a second at
    /// most, so lines may be left out: all of them are in the result. Nothing is sent with `no_log`.
    Output {
        /// Index of the task's start.
        task: u32,
        /// Inventory name.
        host: String,
        /// Where it wrote it.
        stream: Stream,
        /// Whole lines: a secret that is cut in two would not be found to be masked. The last one
        /// may lack its end where the program waits in the middle of a line.
        text: String,
    },
    /// One round of a loop ended on one host.
    ItemDone {
        /// Index of the task's start.
        task: u32,
        /// Inventory name.
        host: String,
        /// How it ended.
        end: End,
    },
    /// An attempt of a task with `until` did not satisfy it.
    Retry {
        /// Index of the task's start.
        task: u32,
        /// Inventory name.
        host: String,
        /// Attempts that are left.
        left: u32,
        /// The result of this attempt.
        end: End,
    },
    /// A task with `async` and `poll` was looked after.
    Async {
        /// Index of the task's start.
        task: u32,
        /// Inventory name.
        host: String,
        /// The job's id.
        job: String,
        /// What was seen.
        seen: AsyncState,
    },
    /// A call of a module has changed a host. Comes before the [`HostDone`](Kind::HostDone) of its
    /// task, once for each call that changed something, and also where the call failed.
    Changes {
        /// Index of the task's start.
        task: u32,
        /// Inventory name of the host that the task is for.
        host: String,
        /// Where it happened, with `delegate_to`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delegated_to: Option<String>,
        /// How that place was reached.
        #[serde(default, skip_serializing_if = "Way::is_plain")]
        way: Way,
        /// What changed, oldest first, with what was there before: paths, modes and owners, and
        /// where the host itself keeps a copy; never a content. Only `undo` reads it.
        changes: Vec<serde_json::Value>,
    },
    /// A task ended on one host.
    HostDone {
        /// Index of the task's start.
        task: u32,
        /// Inventory name.
        host: String,
        /// How it ended.
        end: End,
        /// How long it took, in milliseconds.
        ms: u64,
    },
    /// A file of tasks, or a role, was included.
    Included {
        /// Path of the file, or name of the role.
        file: String,
        /// Hosts that include it.
        hosts: Vec<String>,
        /// The loop item's label, where there is one.
        item: Option<String>,
        /// `include_role` rather than `include_tasks`.
        role: bool,
    },
    /// A host notified a handler.
    Notified {
        /// Inventory name.
        host: String,
        /// The handler's name.
        handler: String,
    },
    /// Something to tell the user besides results.
    Message {
        /// What kind of message.
        level: Level,
        /// The text, without a prefix.
        text: String,
        /// `file:line:column` of what it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<String>,
        /// What to do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
    /// A journal entry that only `resume` reads: what a host's task left behind besides its result.
    Journal {
        /// Opaque to every reader but the engine.
        entry: serde_json::Value,
    },
    /// A playbook file ended; its recap covers the run so far.
    PlaybookFinished {
        /// By host.
        stats: BTreeMap<String, Counts>,
        /// Hosts in the order they first appeared.
        order: Vec<String>,
        /// What `set_stats` collected: by host, and for the whole run under `_run`.
        custom: BTreeMap<String, serde_json::Value>,
    },
    /// The run ended.
    RunFinished {
        /// By host, in order of first appearance in `order`.
        stats: BTreeMap<String, Counts>,
        /// Hosts in the order they first appeared.
        order: Vec<String>,
        /// What `set_stats` collected: by host, and for the whole run under `_run`.
        custom: BTreeMap<String, serde_json::Value>,
        /// It was cut off by the user.
        interrupted: bool,
    },
}

impl Kind {
    /// True for what tells only how far something is: of use while it goes on, and of none
    /// afterwards, when the event that ends it says more. The run history leaves such events out.
    /// They take no number, so that what is kept has no gap.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Connecting { .. }
                | Self::ItemStarted { .. }
                | Self::Progress { .. }
                | Self::Output { .. }
        )
    }
}

/// Where a program wrote something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a task reached its host, as far as another task has to say the same to reach it so again.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Way {
    /// The connection: `ssh`, `local`, `docker`; empty = the usual one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub connection: String,
    /// Who logged in, where the task or its play says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_user: Option<String>,
    /// Who the task became; none = whoever is logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub become_user: Option<String>,
    /// By what, where it became somebody: `sudo`, `su`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub become_method: Option<String>,
}

impl Way {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// What a look at a task with `async` showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AsyncState {
    /// It runs on.
    Running,
    /// It has ended well.
    Ok,
    /// It has failed, or taken too long.
    Failed,
}

/// What kind of message a [`Kind::Message`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Only with `-v` or more.
    Verbose,
    /// Said plainly.
    Info,
    /// `[WARNING]:`.
    Warning,
    /// `[DEPRECATION WARNING]:`.
    Deprecated,
    /// `[ERROR]:`.
    Error,
}

/// How a task, or one round of its loop, ended on one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// In a word.
    pub status: Status,
    /// The result, `changed` and `msg` included; only a censored note with `no_log`.
    pub reply: Reply,
    /// A failure that `ignore_errors` or `ignore_unreachable` lets pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
    /// A failure that a `rescue` section will handle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rescued: bool,
    /// Where it really ran, with `delegate_to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_to: Option<String>,
    /// The label of the loop's item, where this is a round of a loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// It may be shown only in part: `no_log`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_log: bool,
    /// How readily the result is shown.
    #[serde(default, skip_serializing_if = "Show::is_default")]
    pub show: Show,
    /// Why it failed, outermost first, each with the place in the user's files; empty with `no_log`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}

/// How readily a result that is not a failure is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// From `-v` on.
    #[default]
    Verbose,
    /// Always, and set out over several lines: `debug`, `assert`.
    Always,
    /// From `-vvv` on, since it is long: `setup`.
    Seldom,
}

impl Show {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One link in the chain of reasons of a failure or a warning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What happened, such as `Task failed: 'foo' is undefined`.
    pub message: String,
    /// `file:line:column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How it ended, in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be already.
    #[default]
    Ok,
    /// Brought to how it should be.
    Changed,
    /// Not done: a condition was false.
    Skipped,
    /// It failed.
    Failed,
    /// The host could not be reached.
    Unreachable,
}

/// How many tasks ended how on one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Ok, changed ones included.
    pub ok: u32,
    /// Changed.
    pub changed: u32,
    /// Unreachable.
    pub unreachable: u32,
    /// Failed, rescued and ignored ones not included.
    pub failed: u32,
    /// Skipped.
    pub skipped: u32,
    /// Failed and rescued.
    pub rescued: u32,
    /// Failed and ignored.
    pub ignored: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_events_read_back() {
        // As they stand in histories: a name or a field that changes would lose them.
        let lines = [
            r#"{"seq":0,"at_ms":1,"kind":{"type":"connecting","host":"a","address":"a:22"}}"#,
            r#"{"seq":0,"at_ms":1,"kind":{"type":"connected","host":"a","ms":7,"pushed":true}}"#,
            r#"{"seq":1,"at_ms":1,"kind":{"type":"lost","host":"a","why":"no route"}}"#,
            r#"{"seq":2,"at_ms":1,"kind":{"type":"host_started","task":0,"host":"a"}}"#,
            r#"{"seq":3,"at_ms":1,"kind":{"type":"item_started","task":0,"host":"a","item":"x","number":1,"of":2}}"#,
            r#"{"seq":3,"at_ms":1,"kind":{"type":"progress","host":"a","what":"pushing agent","done":1,"total":2}}"#,
            r#"{"seq":3,"at_ms":1,"kind":{"type":"output","task":0,"host":"a","stream":"stderr","text":"x\n"}}"#,
            r#"{"seq":3,"at_ms":1,"kind":{"type":"changes","task":0,"host":"a","delegated_to":"b","way":{"connection":"ssh","become_user":"root","become_method":"sudo"},"changes":[{"kind":"folder","path":"/x"}]}}"#,
        ];
        for line in lines {
            let event: Event = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
    }
}
