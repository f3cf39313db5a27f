//! What failed: the cause, the place, and the values that tell why.

use davit_event::End;
use serde_json::Value;

use crate::view::{dump, problem};

use super::groups::{self, Said};
use super::state::State;
use super::words::{plain, short};

/// Lines that are shown of an output: the last ones, where errors are told.
const LINES: usize = 8;
/// Characters that are shown of a value.
const VALUE: usize = 400;
/// What tells most of why something failed, in the order to show it.
const TELLING: &[&str] = &[
    "assertion",
    "evaluated_to",
    "rc",
    "cmd",
    "path",
    "dest",
    "src",
    "url",
    "status",
    "stdout",
    "stderr",
    "module_stdout",
    "module_stderr",
];

/// Tells a failure; with others that are the same, where there are any.
pub(super) fn write(state: &mut State, number: u32, host: &str, end: &End) {
    let item = end.item.as_ref().map(|item| format!(" ({item})")).unwrap_or_default();
    let cause = cause(end);
    let values = values(end, &plain(&cause), state.signs.cut);
    let (name, path) = state
        .tasks
        .get(&number)
        .map(|task| (task.name.clone(), task.path.clone()))
        .unwrap_or_default();
    let mut lines = groups::lines_of(&cause);
    lines.extend(place(end, &path, state).map(|place| format!("at {place}")));
    let causes = lines.len();
    let widest = values.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in values {
        for (at, line) in value.split('\n').enumerate() {
            let key = if at == 0 { key.as_str() } else { "" };
            lines.push(format!("  {key:<widest$}  {line}"));
        }
    }
    let said = Said {
        word: groups::failure_word(end),
        what: format!("{name}{item}"),
        lines,
        cause: causes,
        place: short(&path).to_owned(),
        is_failure: true,
        is_cut: true,
    };
    state.note(number, said, host, end);
}

/// Why, in the words of the task or of the deepest cause.
fn cause(end: &End) -> String {
    let msg = end.reply.get("msg").and_then(Value::as_str).filter(|msg| !msg.trim().is_empty());
    let text = match end.causes.as_slice() {
        // "Task failed: Module failed:" says nothing that the word before it does not.
        [] => msg.unwrap_or("it failed without saying why").to_owned(),
        causes => problem::headline(causes),
    };
    let text = ["Task failed: ", "Module failed: ", "Action failed: "]
        .iter()
        .fold(text.as_str(), |text, head| text.strip_prefix(head).unwrap_or(text));
    let unsaid = (text == UNSAID).then(|| condition(end));
    let text = unsaid.as_deref().unwrap_or(text);
    let help = end.causes.iter().filter_map(|cause| cause.help.as_deref()).next_back();
    match help {
        Some(help) => format!("{}\n{}", text.trim_end(), help.trim()),
        None => text.trim_end().to_owned(),
    }
}

/// What the default output says of a failure that came without a message.
const UNSAID: &str = "Unknown error.";

/// Which condition made a failure of a result that says nothing of one.
fn condition(end: &End) -> String {
    if let Some(attempts) = end.reply.get("attempts").and_then(Value::as_u64) {
        return format!("what `until` asks for is not so (attempts: {attempts})");
    }
    if end.reply.get("failed_when_result").and_then(Value::as_bool) == Some(true) {
        return "what `failed_when` asks for is so".to_owned();
    }
    "it failed without saying why".to_owned()
}

/// The place of the deepest cause with its line, where that is not the task's own.
fn place(end: &End, path: &str, state: &State) -> Option<String> {
    let origin = end.causes.iter().rev().find_map(|cause| cause.origin.as_deref())?;
    let (file, line, _) = problem::place(origin);
    let line = line?;
    if format!("{file}:{line}") == path {
        return None;
    }
    let text = (state.settings.source)(file)
        .and_then(|text| text.lines().nth(line - 1).map(|line| line.trim().to_owned()));
    Some(match text {
        Some(text) if !text.is_empty() => format!("{}: {text}", short(origin)),
        _ => short(origin).to_owned(),
    })
}

fn values(end: &End, cause: &str, cut: char) -> Vec<(String, String)> {
    let telling = TELLING.iter().filter_map(|key| {
        let text = match end.reply.get(*key)? {
            Value::String(text) => text.trim_end().to_owned(),
            Value::Array(words) if *key == "cmd" => words
                .iter()
                .map(|word| word.as_str().map_or_else(|| dump::json(word, None), ToOwned::to_owned))
                .collect::<Vec<_>>()
                .join(" "),
            Value::Null => return None,
            other => dump::json(other, None),
        };
        (!text.is_empty()).then(|| ((*key).to_owned(), last_lines(&plain(&text), cut)))
    });
    let message = end
        .reply
        .get("msg")
        .and_then(Value::as_str)
        .map(str::trim_end)
        .filter(|msg| !msg.is_empty() && !msg.ends_with(UNSAID))
        .filter(|msg| !cause.contains(msg) && !msg.contains(cause))
        .map(|msg| ("msg".to_owned(), last_lines(&plain(msg), cut)));
    message.into_iter().chain(telling).collect()
}

/// The end of a long text.
fn last_lines(text: &str, cut: char) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LINES);
    let mut kept = Vec::new();
    if first > 0 {
        kept.push(format!("{cut} {first} lines before"));
    }
    kept.extend(lines[first..].iter().map(|line| {
        if line.chars().count() > VALUE {
            line.chars().take(VALUE).chain([cut]).collect()
        } else {
            (*line).to_owned()
        }
    }));
    kept.join("\n")
}
