//! What differs between two recordings of a case, one line each.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::Value;

use super::{
    case::Case,
    normal::{self, TEMPORARY},
    record::{self, Happened, Told},
    side::{Ran, Recording},
};

/// Every difference that the case does not list, in reading order.
pub(super) fn differences(case: &Case, expected: &Recording, got: &Recording) -> Vec<String> {
    let mut found =
        Found { case, events: got.events, prints: false, run: String::new(), lines: Vec::new() };
    let plain = Default::default();
    let settings = case.settings.runs.as_deref().unwrap_or(std::slice::from_ref(&plain));
    for (number, (expected, got)) in expected.runs.iter().zip(&got.runs).enumerate() {
        found.prints = settings.get(number).is_some_and(|run| case.prints(run));
        found.run = if many(case) { format!("run {}: ", number + 1) } else { String::new() };
        found.ran(expected, got);
    }
    found.run.clear();
    let names: BTreeSet<&String> = expected.files.keys().chain(got.files.keys()).collect();
    for name in names {
        let (expected, got) = (expected.files.get(name), got.files.get(name));
        if expected != got {
            let absent = "absent".to_owned();
            let sides = (expected.unwrap_or(&absent), got.unwrap_or(&absent));
            found.say(None, "files", &format!("out/{name}"), sides.0, sides.1);
        }
    }
    found.lines
}

fn many(case: &Case) -> bool {
    case.settings.runs.as_ref().is_some_and(|runs| runs.len() > 1)
}

struct Found<'c> {
    case: &'c Case,
    /// The other side speaks davit's events.
    events: bool,
    /// What this run prints is compared.
    prints: bool,
    /// What stands before a difference: which run, where there are several.
    run: String,
    lines: Vec<String>,
}

impl Found<'_> {
    #[expect(clippy::too_many_arguments, reason = "where, what, and the two sides")]
    fn say(&mut self, task: Option<&str>, key: &str, what: &str, expected: &str, got: &str) {
        if self.case.accepts(task, key) {
            return;
        }
        let run = &self.run;
        let (expected, got) = (short(expected, got), short(got, expected));
        self.lines.push(format!("{run}{what}\n      expected {expected}\n      got      {got}"));
    }

    fn ran(&mut self, expected: &Ran, got: &Ran) {
        if expected.exit != got.exit {
            let said = |ran: &Ran| format!("{} {:?}", ran.exit, last_words(&ran.stderr));
            self.say(None, "exit", "exit code", &said(expected), &said(got));
        }
        if self.prints {
            self.printed(&expected.stdout, &got.stdout);
            return;
        }
        let volatile = &self.case.settings.volatile;
        let read = if self.events { record::events } else { record::recorded };
        match (record::recorded(&expected.lines, volatile), read(&got.lines, volatile)) {
            (Ok(expected), Ok(got)) => self.told(&expected, &got),
            (Err(error), _) => self.lines.push(format!("{}the recorder: {error}", self.run)),
            (_, Err(error)) => self.lines.push(format!("{}davit: {error}", self.run)),
        }
    }

    fn printed(&mut self, expected: &str, got: &str) {
        let (expected, got) = (printed(expected), printed(got));
        let same = expected.iter().zip(&got).take_while(|(left, right)| left == right).count();
        if expected.len() == same && got.len() == same {
            return;
        }
        let from = |lines: &[&str]| {
            lines.iter().skip(same).take(4).copied().collect::<Vec<_>>().join("\n")
        };
        let what = format!("line {} of what is printed", same + 1);
        self.say(None, "stdout", &what, &from(&expected), &from(&got));
    }

    fn told(&mut self, expected: &Told, got: &Told) {
        let hosts: BTreeSet<&String> = expected.hosts.keys().chain(got.hosts.keys()).collect();
        for host in hosts {
            let none = Vec::new();
            let sides =
                (expected.hosts.get(host).unwrap_or(&none), got.hosts.get(host).unwrap_or(&none));
            self.host(host, sides.0, sides.1);
        }
        if self.case.settings.starts.unwrap_or(true) && expected.starts != got.starts {
            let at = expected
                .starts
                .iter()
                .zip(&got.starts)
                .take_while(|(left, right)| left == right)
                .count();
            let one =
                |starts: &[String]| starts.get(at).cloned().unwrap_or_else(|| "the end".to_owned());
            let what = format!("start {at} of the run");
            self.say(None, "starts", &what, &one(&expected.starts), &one(&got.starts));
        }
        if expected.notified != got.notified {
            let sides = (format!("{:?}", expected.notified), format!("{:?}", got.notified));
            self.say(None, "notified", "handlers notified", &sides.0, &sides.1);
        }
        if expected.stats != got.stats {
            let text = |told: &Told| serde_json::to_string(&told.stats).unwrap_or_default();
            self.say(None, "stats", "recap", &text(expected), &text(got));
        }
    }

    fn host(&mut self, host: &str, expected: &[Happened], got: &[Happened]) {
        for at in 0..expected.len().max(got.len()) {
            let (Some(left), Some(right)) = (expected.get(at), got.get(at)) else {
                let one = |side: &[Happened]| side.get(at).map_or("the end".to_owned(), title);
                self.say(None, "tasks", &format!("{host}: event {at}"), &one(expected), &one(got));
                return;
            };
            if left.task != right.task
                || left.status.starts_with("item") != right.status.starts_with("item")
            {
                let what = format!("{host}: event {at}");
                self.say(Some(&left.task), "tasks", &what, &title(left), &title(right));
                return;
            }
            self.happened(host, left, right);
        }
    }

    fn happened(&mut self, host: &str, expected: &Happened, got: &Happened) {
        let task = Some(expected.task.as_str());
        let at = format!("{host}: {}", title(expected));
        if expected.status != got.status {
            let why = |one: &Happened| {
                format!("{} {}", one.status, one.reply.get("msg").unwrap_or(&Value::Null))
            };
            self.say(task, "status", &format!("{at}: status"), &why(expected), &why(got));
        }
        if expected.item != got.item {
            let text = |one: &Happened| format!("{:?}", one.item);
            self.say(task, "item", &format!("{at}: label"), &text(expected), &text(got));
        }
        let keys: BTreeSet<&String> = expected.reply.keys().chain(got.reply.keys()).collect();
        for key in keys {
            // In check mode davit says how a file would be; the original says less.
            let told = expected.reply.contains_key(key);
            if got.predicted && !told && PREDICTED.contains(&key.as_str()) {
                continue;
            }
            let (left, right) = (expected.reply.get(key), got.reply.get(key));
            if let Some((path, left, right)) = differs(key, left, right) {
                let text =
                    |side: Option<&Value>| side.map_or("absent".to_owned(), Value::to_string);
                self.say(task, key, &format!("{at}: {path}"), &text(left), &text(right));
            }
        }
    }
}

/// What results say of a file.
const PREDICTED: &[&str] =
    &["checksum", "dest", "gid", "group", "md5sum", "mode", "owner", "size", "src", "state", "uid"];

fn title(happened: &Happened) -> String {
    let mut text = format!("{:?} {}", happened.task, happened.status);
    if let Some(item) = &happened.item {
        let _ = write!(text, " ({})", item.chars().take(40).collect::<String>());
    }
    text
}

/// Where two values differ, and in what: the path of the first place inside them.
type Place<'v> = (String, Option<&'v Value>, Option<&'v Value>);

/// The first place where they differ. A temporary path agrees with anything, and the order of
/// keys does not matter.
fn differs<'v>(
    path: &str,
    expected: Option<&'v Value>,
    got: Option<&'v Value>,
) -> Option<Place<'v>> {
    let temporary = |side: Option<&Value>| side.and_then(Value::as_str) == Some(TEMPORARY);
    if temporary(expected) || temporary(got) || expected == got {
        return None;
    }
    let here = || Some((path.to_owned(), expected, got));
    match (expected, got) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => left
            .keys()
            .chain(right.keys())
            .find_map(|key| differs(&format!("{path}.{key}"), left.get(key), right.get(key))),
        (Some(Value::Array(left)), Some(Value::Array(right))) if left.len() == right.len() => {
            left.iter().zip(right).enumerate().find_map(|(at, (left, right))| {
                differs(&format!("{path}[{at}]"), Some(left), Some(right))
            })
        }
        _ => here(),
    }
}

/// The part of a long text around the first place where it differs from the other.
fn short(text: &str, other: &str) -> String {
    let differs = text.chars().zip(other.chars()).take_while(|(left, right)| left == right).count();
    let skip = if text.chars().count() > 300 { differs.saturating_sub(60) } else { 0 };
    let mut short: String = text.chars().skip(skip).take(300).collect();
    if skip > 0 {
        short.insert_str(0, "...");
    }
    if text.chars().count() > skip + 300 {
        short.push_str("...");
    }
    short.replace('\n', "\n               ")
}

/// What was printed, line by line, without lines that name temporary files.
fn printed(text: &str) -> Vec<&str> {
    // davit names the user's own file where the original names a copy of it.
    text.trim()
        .lines()
        .map(str::trim_end)
        .filter(|line| normal::text(line) != TEMPORARY)
        .filter(|line| !line.starts_with("+++ after: ") && !line.trim_start().starts_with("src: "))
        .collect()
}

fn last_words(stderr: &str) -> String {
    let skip = stderr.chars().count().saturating_sub(200);
    stderr.chars().skip(skip).collect()
}
