//! Tasks: keywords, arguments, conditions, files and notifications.

use davit_playbook::{Field, Keywords, Task, TaskKind, coerce, keyword};
use davit_template::FileOptions;
use davit_value::Value;

use crate::finding::{did_you_mean, nearest};
use crate::templates::{Templates, Uses};
use crate::walk::{Seen, Walked, constant};
use crate::{Finding, Lint, Severity, arguments, conditions, files, names};

/// Checks every task that was found, and what surrounds them.
pub(crate) fn check_all(lint: &Lint<'_>, walked: &Walked) {
    let mut uses = Uses::default();
    let mut made: Vec<String> = Vec::new();
    for seen in &walked.tasks {
        task(lint, walked, seen, &mut uses, &made);
        remember(&seen.task, &mut made);
    }
    for (keywords, tolerated) in &walked.owners {
        let severity = if *tolerated { Severity::Warning } else { Severity::Error };
        let mut templates = Templates { lint, severity, conditional: true, uses: Some(&mut uses) };
        self::keywords(&mut templates, keywords);
    }
    for play in &walked.plays {
        let mut templates =
            Templates { lint, severity: Severity::Error, conditional: true, uses: Some(&mut uses) };
        templates.value(&play.hosts, &play.hosts_origin);
        keywords(&mut templates, &play.keywords);
    }
    let origin = walked.plays.first().map(|it| it.origin.clone());
    if let Some(near) = &origin {
        // A variable is rendered when it is used, which may be never.
        let mut templates = Templates {
            lint,
            severity: Severity::Warning,
            conditional: true,
            uses: Some(&mut uses),
        };
        walked.vars.iter().for_each(|it| templates.value(it, near));
    }
    names::undefined(lint, walked, &uses);
}

/// Keeps the texts that a task may make files of.
fn remember(task: &Task, made: &mut Vec<String>) {
    let mut texts = |value: &Value| {
        if let Some(text) = value.as_str() {
            made.push(text.to_owned());
        }
    };
    task.args.iter().filter(|(key, _)| key.as_str() != Some("src")).for_each(|(_, it)| texts(it));
    if let Some(raw) = &task.raw_params {
        texts(&Value::Str(raw.clone()));
    }
    if let Some(looped) = &task.loop_ {
        looped.value.as_list().into_iter().flatten().for_each(&mut texts);
    }
}

fn task(lint: &Lint<'_>, walked: &Walked, seen: &Seen, uses: &mut Uses, made: &[String]) {
    let task = &*seen.task;
    let severity =
        if seen.place.tolerated || seen.place.remote { Severity::Warning } else { Severity::Error };
    let conditional = seen.place.conditional;
    let mut templates = Templates { lint, severity, conditional, uses: Some(uses) };
    keywords(&mut templates, &task.keywords);
    if let Some(looped) = &task.loop_ {
        templates.value(&looped.value, &looped.origin);
    }
    expressions(&mut templates, task);
    let is_assert = task.short_action() == "assert";
    for (key, value) in &task.args {
        let skip = match key.as_str() {
            Some("that") => is_assert,
            Some("var") => task.short_action() == "debug",
            // What is applied are keywords, each rendered at its own time.
            Some("apply") => task.kind.is_include(),
            _ => false,
        };
        if !skip {
            templates.value(value, &task.origin);
        }
    }
    if let Some(raw) = &task.raw_params {
        templates.value(&Value::Str(raw.clone()), &task.action_origin);
    }
    templates.severity = Severity::Warning;
    templates.uses = None;
    templates.value(&task.name, &task.origin);
    if task.kind == TaskKind::Action {
        arguments::check(lint, seen, severity);
    }
    if let Some(path) = files::check(lint, seen, &walked.folder, made) {
        let plain = !task
            .args
            .keys()
            .filter_map(|it| it.as_str())
            .any(|it| it.ends_with("_string") || it.ends_with("_blocks"));
        let mut templates = Templates { lint, severity, conditional, uses: Some(uses) };
        if plain {
            templates.file(&path, &FileOptions::default());
        }
    }
    notifications(lint, walked, seen);
}

/// Arguments and loop controls that are expressions.
fn expressions(templates: &mut Templates<'_, '_>, task: &Task) {
    let sources = &templates.lint.sources;
    let place = |name: &str| {
        let action = sources.key(&task.origin, &task.action)?;
        let args = crate::places::moved(&task.origin, action.value);
        Some(crate::places::moved(&args, sources.key(&args, name)?.value))
    };
    match (task.short_action(), task.args.get("that"), task.args.get("var")) {
        ("assert", Some(that), _) => {
            let near = place("that").unwrap_or_else(|| task.origin.clone());
            conditions::many(templates, "that", that, &near);
        }
        ("debug", _, Some(Value::Str(var))) => {
            if crate::templates::is_template(var) {
                templates.value(&Value::Str(var.clone()), &task.origin);
            } else {
                // An undefined variable is shown as such.
                let uses = templates.uses.take();
                templates.expression(var, &task.origin);
                templates.uses = uses;
            }
        }
        _ => {}
    }
    if let Some(control) = &task.loop_control {
        for value in [&control.label, &control.pause] {
            templates.value(value, &control.origin);
        }
        conditions::many(templates, "break_when", &control.break_when, &control.origin);
    }
}

/// Checks the values of keywords.
fn keywords(templates: &mut Templates<'_, '_>, keywords: &Keywords) {
    for (name, it) in keywords.iter() {
        let Some(info) = keyword(name) else { continue };
        if info.implicit {
            conditions::check(templates, name, it);
            continue;
        }
        templates.value(&it.value, &it.origin);
        let plain = matches!(info.field, Field::Bool | Field::Int | Field::Float | Field::Percent);
        if plain
            && !it.value.is_live()
            && let Err(problem) = coerce(info, it.value.clone())
        {
            let message = format!("'{name}': {problem}");
            templates.lint.add(Finding::new(
                "invalid-value",
                templates.severity,
                &it.origin,
                message,
            ));
        }
        choice(templates, name, it);
    }
}

/// A keyword that names one of several ways names one that there is.
fn choice(templates: &Templates<'_, '_>, name: &str, it: &davit_playbook::Keyword) {
    let Some((_, known)) = templates.lint.context.choices.iter().find(|(it, _)| *it == name) else {
        return;
    };
    let Some(value) = constant(&it.value) else { return };
    let short = value.rsplit('.').next().unwrap_or(value);
    if known.contains(&short) {
        return;
    }
    let message = format!("'{name}' is none of {}: '{value}'", known.join(", "));
    let near = did_you_mean(nearest(short, known.iter().copied()));
    let found = Finding::new("invalid-value", templates.severity, &it.origin, message);
    templates.lint.add(found.with_help(near));
}

/// Checks that something defines what a task notifies.
fn notifications(lint: &Lint<'_>, walked: &Walked, seen: &Seen) {
    let Some(keyword) = seen.task.keywords.entry("notify") else { return };
    let Some(handlers) = walked.handlers.get(seen.play).filter(|it| !it.open) else { return };
    let places = lint.sources.items(&keyword.origin);
    for (at, name) in seen.task.keywords.list("notify").iter().enumerate() {
        let Some(name) = constant(name).filter(|name| !handlers.names.contains(*name)) else {
            continue;
        };
        let near = nearest(name, handlers.names.iter().map(String::as_str));
        let place = places.get(at).unwrap_or(&keyword.origin);
        let skipped = seen.place.tolerated || seen.place.conditional || seen.place.remote;
        let severity = if skipped { Severity::Warning } else { Severity::Error };
        let finding = Finding::new(
            "unknown-handler",
            severity,
            place,
            format!("nothing defines the handler '{name}'"),
        );
        lint.add(finding.with_help(did_you_mean(near)));
    }
}
