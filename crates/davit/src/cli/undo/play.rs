//! A play that has each host undo its changes: a task for each step and each way to hosts.
//!
//! It does not know what comes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use davit_event::Way;
use davit_playbook::{Item, Keyword, Keywords, Play, Task, TaskKind};
use davit_value::{Map, Origin, Str, Value};
use serde_json::json;

use super::plan::{Part, Plan};

/// The module that undoes.
const MODULE: &str = "davit.host.undo";
/// The variable of the play that holds the changes, by host.
const VARIABLE: &str = "davit_undo";

/// What the task of a step is called: its answers are told by it.
pub(super) fn task_name(step: usize) -> String {
    format!("undo {step}")
}

/// The play.
pub(super) fn of(plan: &Plan, run: &str) -> Play {
    let origin =
        Origin { file: format!("<undo of run {run}>").as_str().into(), line: 0, column: 0 };
    let mut keywords = Keywords::default();
    set(&mut keywords, &origin, "gather_facts", Value::Bool(false));
    set(&mut keywords, &origin, "strategy", "linear".into());
    set(&mut keywords, &origin, "any_errors_fatal", Value::Bool(false));
    let mut ways = Vec::new();
    let longest = plan.hosts.values().map(|it| it.steps.len()).max().unwrap_or(0);
    for step in 0..longest {
        let of_step: BTreeSet<&Way> =
            plan.hosts.values().filter_map(|it| it.steps.get(step)).map(|it| &it.way).collect();
        ways.extend(of_step.into_iter().map(|way| (step, way)));
    }
    let tasks = ways
        .iter()
        .enumerate()
        .map(|(number, (step, way))| Item::Task(Arc::new(task(&origin, *step, number, way))));
    let mut vars = Map::new();
    vars.insert(VARIABLE, variable(plan, &ways));
    Play {
        name: format!("undo of run {run}").into(),
        hosts: Value::list(plan.hosts.keys().map(|it| Value::from(it.as_str())).collect()),
        hosts_origin: origin.clone(),
        keywords,
        vars,
        vars_files: Vec::new(),
        vars_files_origin: None,
        vars_prompt: Vec::new(),
        roles: Vec::new(),
        pre_tasks: Vec::new(),
        tasks: tasks.collect(),
        post_tasks: Vec::new(),
        handlers: Vec::new(),
        collections: Vec::new(),
        origin,
    }
}

/// Of each host: of each step, which task does it and with which changes.
fn variable(plan: &Plan, ways: &[(usize, &Way)]) -> Value {
    let hosts: serde_json::Map<String, serde_json::Value> = plan
        .hosts
        .iter()
        .map(|(host, it)| {
            let steps = it.steps.iter().enumerate().map(|(at, step)| {
                let task =
                    ways.iter().position(|(step_of, way)| *step_of == at && **way == step.way);
                let asked = step.parts.iter().filter(|it| it.refusal().is_none());
                let changes: Vec<&serde_json::Value> =
                    asked.map(|part: &Part| &part.change).collect();
                // Where nothing is left to ask for, the host is not asked.
                let task = task.filter(|_| !changes.is_empty());
                json!({"task": task, "changes": changes})
            });
            (host.clone(), steps.collect())
        })
        .collect();
    Value::from_json(&serde_json::Value::Object(hosts))
}

fn task(origin: &Origin, step: usize, number: usize, way: &Way) -> Task {
    let template = |text: String| Value::from(Str::trusted(text, Some(origin.clone())));
    let mut keywords = Keywords::default();
    let own = format!("{VARIABLE}[inventory_hostname]");
    let is_theirs = format!("{own} | length > {step} and {own}[{step}].task == {number}");
    set(&mut keywords, origin, "when", template(is_theirs));
    set(&mut keywords, origin, "tags", "always".into());
    let mut args = Map::new();
    args.insert("changes", template(format!("{{{{ {own}[{step}].changes }}}}")));
    Task {
        origin: origin.clone(),
        name: task_name(step).into(),
        action: Str::new(MODULE),
        action_origin: origin.clone(),
        kind: TaskKind::Action,
        args,
        raw_params: None,
        loop_: None,
        loop_control: None,
        keywords,
        vars: vars(way),
        listen: Vec::new(),
        is_handler: false,
        is_local_action: false,
    }
}

/// Variables, since those stand above what the inventory says of the same.
fn vars(way: &Way) -> Map {
    let mut vars = Map::new();
    if !way.connection.is_empty() {
        vars.insert("ansible_connection", way.connection.as_str().into());
    }
    if let Some(user) = &way.remote_user {
        vars.insert("ansible_user", user.as_str().into());
    }
    vars.insert("ansible_become", way.become_user.is_some().into());
    if let Some(user) = &way.become_user {
        vars.insert("ansible_become_user", user.as_str().into());
    }
    if let Some(method) = &way.become_method {
        vars.insert("ansible_become_method", method.as_str().into());
    }
    vars
}

fn set(keywords: &mut Keywords, origin: &Origin, name: &str, value: Value) {
    keywords.set(name, Keyword { value, key_origin: origin.clone(), origin: origin.clone() });
}
