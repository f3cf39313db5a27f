//! Arguments of modules, as far as they are written as they will be.

use davit_module::control::Look;
use davit_module::{ArgError, Reply, Spec};
use davit_playbook::{Task, takes_raw_params};
use davit_value::{Origin, Value};
use serde_json::Value as Json;

use crate::finding::{did_you_mean, nearest};
use crate::places::moved;
use crate::walk::Seen;
use crate::{Finding, Lint, Severity, defaults};

/// What stands for a value that is only known at run time.
pub(crate) const UNKNOWN: &str = "{{ unknown }}";
/// How deep values may nest.
const DEPTH: usize = 60;

/// Checks the arguments of a task against what its module takes.
pub(crate) fn check(lint: &Lint<'_>, seen: &Seen, severity: Severity) {
    let task = &*seen.task;
    if task.action.is_live() {
        return;
    }
    let Some(target) = (lint.context.lookup)(&task.action) else {
        return stated(lint, task, severity);
    };
    let Some(spec) = target.spec.as_deref() else { return };
    let mut args = Reply::new();
    for (key, value) in &task.args {
        args.insert(key.to_text(), to_json(value, 0));
    }
    let templated = args.remove("_variable_params").is_some();
    if let Some(raw) = &task.raw_params {
        match &target.free_form {
            Some(name) => {
                let text = Value::Str(raw.clone());
                args.entry(name.clone()).or_insert_with(|| to_json(&text, 0));
            }
            None if takes_raw_params(&task.action) || target.open => return,
            None => return free_text(lint, task, raw, severity),
        }
    }
    if let Some(look) = target.look.filter(|_| lint.looks) {
        look_at(lint, task, &args, look);
    }
    let unknown = |value: &Json| value.as_str() == Some(UNKNOWN);
    let given = defaults::add(lint, seen, spec, &mut args);
    let complete = given.complete && !templated;
    for name in given.unknown.iter().filter(|_| !target.open) {
        let message =
            format!("'{}' has no argument '{name}', which module_defaults gives it", task.action);
        lint.add(Finding::new("unknown-argument", severity, &task.action_origin, message));
    }
    for error in spec.check_static(&args, &unknown) {
        report(
            &Asked { lint, task, spec, args: &args, severity, open: target.open, complete },
            error,
        );
    }
}

/// What the module itself says of its arguments. It need not be right: there may be more on the machine that runs
/// the play than is known here.
fn look_at(lint: &Lint<'_>, task: &Task, args: &Reply, look: Look) {
    let mut known = Json::Object(args.clone());
    forget_unknown(&mut known);
    let Json::Object(known) = known else { return };
    for odd in look(&known, lint.context.environment) {
        let at = if odd.argument.contains('.') {
            key_place(lint, task, &odd.argument)
        } else {
            value_place(lint, task, &odd.argument)
        };
        lint.odd("odd-argument", &at, odd.message, None);
    }
}

/// Null in the place of what is only known at run time.
fn forget_unknown(value: &mut Json) {
    match value {
        Json::String(text) if text == UNKNOWN => *value = Json::Null,
        Json::Array(items) => items.iter_mut().for_each(forget_unknown),
        Json::Object(entries) => entries.values_mut().for_each(forget_unknown),
        _ => {}
    }
}

/// A task's arguments and what they are held against.
struct Asked<'a, 'c> {
    lint: &'a Lint<'c>,
    task: &'a Task,
    spec: &'a Spec,
    args: &'a Reply,
    severity: Severity,
    open: bool,
    /// Every argument is written at the task.
    complete: bool,
}

/// An action that is stated as `action: name` and that there is not.
fn stated(lint: &Lint<'_>, task: &Task, severity: Severity) {
    if task.kind.is_include() || (lint.context.loader.is_action)(&task.action, &[]) {
        return;
    }
    let at = lint.sources.word(&task.action_origin, &task.action);
    let near = lint.nearest_action(&task.action).map(|it| format!("Did you mean '{it}'?"));
    let message = format!("there is no module or action '{}'", task.action);
    lint.add(Finding::new("unknown-module", severity, &at, message).with_help(near));
}

fn free_text(lint: &Lint<'_>, task: &Task, raw: &str, severity: Severity) {
    let value =
        lint.sources.key(&task.origin, &task.action).map(|it| moved(&task.origin, it.value));
    let at = value.unwrap_or_else(|| task.action_origin.clone());
    let first = raw.split_whitespace().next().unwrap_or_default();
    let at = lint.sources.word(&at, first);
    let message = format!("'{}' takes no free text: '{}'", task.action, raw.trim());
    lint.add(Finding::new("unexpected-text", severity, &at, message));
}

/// The value as JSON, with [`UNKNOWN`] for what is still to be rendered.
pub(crate) fn to_json(value: &Value, depth: usize) -> Json {
    match value {
        Value::Str(text) if text.is_live() => Json::String(UNKNOWN.to_owned()),
        _ if depth > DEPTH => Json::String(UNKNOWN.to_owned()),
        Value::List(items) if value.is_live() => {
            items.iter().map(|it| to_json(it, depth + 1)).collect()
        }
        Value::Map(map) if value.is_live() => {
            let pairs = map.iter().map(|(key, it)| (key.to_text(), to_json(it, depth + 1)));
            Json::Object(pairs.collect())
        }
        other => other.to_json(),
    }
}

fn report(asked: &Asked<'_, '_>, error: ArgError) {
    let Asked { lint, task, spec, args, severity, open, complete } = *asked;
    let unknown = |name: &String| args.get(name).and_then(Json::as_str) == Some(UNKNOWN);
    let message = error.to_string();
    let add = |rule: &'static str, at: &Origin, message: String, help: Option<String>| {
        lint.add(Finding::new(rule, severity, at, message).with_help(help));
    };
    let action = &task.action_origin;
    match error {
        ArgError::Unsupported { names, .. } => {
            for name in names.iter().filter(|_| !open) {
                let at = key_place(lint, task, name);
                let (within, last) = place_of(spec, name);
                let known: Vec<&str> = within
                    .options
                    .iter()
                    .filter(|it| !it.hidden)
                    .map(|it| it.name.as_str())
                    .collect();
                let near = within.nearest(last).or_else(|| nearest(last, known.iter().copied()));
                let help = did_you_mean(near).or_else(|| list(&known));
                let message = format!("'{}' has no argument '{name}'", task.action);
                // These never look at what they do not know.
                if matches!(task.short_action(), "raw" | "fetch") {
                    lint.odd("unknown-argument", &at, message, help);
                } else {
                    add("unknown-argument", &at, message, help);
                }
            }
        }
        _ if !complete
            && !matches!(
                error,
                ArgError::Choice { .. } | ArgError::Type { .. } | ArgError::NotDict { .. }
            ) => {}
        ArgError::Missing { .. } => add("missing-argument", action, message, None),
        ArgError::OneOf { .. } | ArgError::If { .. } | ArgError::By { .. } => {
            add("argument-rule", action, message, None);
        }
        ArgError::Together { names, .. } if !names.iter().any(unknown) => {
            add("argument-rule", action, message, None);
        }
        ArgError::Exclusive { groups_, .. } if !groups_.iter().flatten().any(unknown) => {
            let last = groups_
                .first()
                .and_then(|group| group.iter().rev().find(|it| args.contains_key(*it)));
            let at = last.map_or_else(|| action.clone(), |name| key_place(lint, task, name));
            add("argument-rule", &at, message, None);
        }
        ArgError::Choice { key, choices, got, .. } => {
            let near = nearest(&got, choices.iter().map(String::as_str));
            add("invalid-choice", &value_place(lint, task, &key), message, did_you_mean(near));
        }
        ArgError::Type { key, .. } | ArgError::NotDict { key, .. } => {
            add("invalid-type", &value_place(lint, task, &key), message, None);
        }
        _ => {}
    }
}

/// The arguments among which the last part of a dotted name should be, and that part.
fn place_of<'s, 'n>(spec: &'s Spec, name: &'n str) -> (&'s Spec, &'n str) {
    let mut parts = name.split('.');
    let mut last = parts.next().unwrap_or(name);
    let mut within = spec;
    for part in parts {
        let Some(inner) = within.option(last).and_then(|it| it.options.as_deref()) else {
            return (within, name.rsplit('.').next().unwrap_or(name));
        };
        (within, last) = (inner, part);
    }
    (within, last)
}

pub(crate) fn list(known: &[&str]) -> Option<String> {
    if known.is_empty() {
        return Some("It takes no arguments.".to_owned());
    }
    Some(format!("It takes: {}.", known.join(", ")))
}

/// Where the argument `name` is written, and its value.
fn places(lint: &Lint<'_>, task: &Task, name: &str) -> Option<(Origin, Origin)> {
    let first = name.split('.').next().unwrap_or(name);
    for holder in [task.action.as_str(), "args", "action", "local_action"] {
        let Some(key) = lint.sources.key(&task.origin, holder) else { continue };
        let at = moved(&task.origin, key.value);
        if let Some(mut found) = lint.sources.key(&at, first) {
            for part in name.split('.').skip(1) {
                let inner = moved(&at, found.value);
                let items = lint.sources.items(&inner);
                let holders = std::iter::once(inner).chain(items);
                match holders.into_iter().find_map(|it| lint.sources.key(&it, part)) {
                    Some(key) => found = key,
                    None => break,
                }
            }
            return Some((moved(&at, found.place), moved(&at, found.value)));
        }
        // In one line: `name=value`.
        if holder != "args"
            && let Some(word) = lint.sources.find(&at, &format!("{first}="))
        {
            let shift = u32::try_from(first.chars().count() + 1).unwrap_or(0);
            let value = Origin { column: word.column.saturating_add(shift), ..word.clone() };
            return Some((word, value));
        }
    }
    None
}

fn key_place(lint: &Lint<'_>, task: &Task, name: &str) -> Origin {
    places(lint, task, name).map_or_else(|| task.action_origin.clone(), |it| it.0)
}

fn value_place(lint: &Lint<'_>, task: &Task, name: &str) -> Origin {
    places(lint, task, name).map_or_else(|| task.action_origin.clone(), |it| it.1)
}
