//! `ansible.builtin.gather_facts`: facts of the host, by the modules that are set for it.

use std::collections::BTreeMap;

use davit_event::Cause;
use davit_module::Rules;
use davit_run::{Action, Outcome, Running, TaskContext, full_name};
use davit_value::{Map, Value};
use schemars::JsonSchema;

use crate::failure::{Attempt, message};
use crate::options::no_raw_params;

/// Gathers facts of the host: what plays do before their first task.
///
/// The modules are those of the variable `ansible_facts_modules`, where there is one; else `setup`,
/// which gets all other arguments.
///
/// ```yaml
/// - name: Gather once more what a task has changed
///   ansible.builtin.gather_facts:
///     gather_subset: ["!all", network]
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and handed on by name")]
struct Args {
    /// Ask several fact modules at the same time.
    parallel: Option<bool>,
}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.gather_facts",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: true,
    raw: false,
    inline: false,
    run: |context, args| {
        Box::pin(async move { run(context, args).await.unwrap_or_else(|it| it) }) as Running<'_>
    },
};

/// What gathers facts where nothing else is set.
const SETUP: &str = "ansible.legacy.setup";

async fn run(context: &TaskContext, mut args: Map) -> Attempt {
    no_raw_params(context, &args, "gather_facts")?;
    args.remove("parallel");
    let modules = modules(context.variable("ansible_facts_modules")?.as_ref());
    let mut facts = Map::new();
    let mut warnings = Vec::new();
    let mut broken = Vec::new();
    let mut skipped = Vec::new();
    for module in &modules {
        let reply = match full_name(module).as_ref() {
            "ansible.builtin.setup" => TaskContext::reply_of(&args),
            _ => davit_event::Reply::new(),
        };
        let outcome = context.call_module(module, reply, BTreeMap::new()).await;
        if outcome.unreachable {
            return Err(outcome);
        }
        if outcome.is_failed() {
            broken.push((module.clone(), outcome));
            continue;
        }
        if outcome.result.get("skipped").is_some_and(|it| it.truthy().unwrap_or(false)) {
            skipped.push((module.clone(), outcome));
            continue;
        }
        if let Some(found) = outcome.result.get("ansible_facts").and_then(Value::as_map) {
            facts.extend(found);
        }
        if let Some(Value::List(list)) = outcome.result.get("warnings") {
            warnings.extend(list.iter().cloned());
        }
    }
    let mut outcome = Outcome::changed(false);
    outcome.result.insert("ansible_facts", facts.into());
    outcome.result.insert("_ansible_verbose_override", true.into());
    if !warnings.is_empty() {
        outcome.result.insert("warnings", Value::list(warnings));
    }
    if !skipped.is_empty() {
        let msg = format!("The following modules were skipped: {}\n", names(&skipped));
        outcome.result.insert("msg", msg.into());
        outcome.result.insert("skipped_modules", told(&skipped));
        if skipped.len() == modules.len() {
            outcome.result.insert("skipped", true.into());
        }
    }
    if !broken.is_empty() {
        let msg = format!("The following modules failed to execute: {}.", names(&broken));
        outcome.result.insert("failed_modules", told(&broken));
        outcome.result.insert("failed", true.into());
        outcome.result.insert("msg", msg.as_str().into());
        outcome.result.remove("_ansible_verbose_override");
        outcome.causes = causes(context, msg, &broken);
    }
    Ok(outcome)
}

/// Why it failed: the summary, then what each module says.
fn causes(context: &TaskContext, msg: String, broken: &[(String, Outcome)]) -> Vec<Cause> {
    let said: Vec<String> = broken.iter().map(|(_, it)| message(it)).collect();
    vec![
        Cause {
            message: "Task failed: Action failed".to_owned(),
            origin: Some(context.origin().to_string()),
            help: None,
        },
        Cause { message: msg, help: Some(said.join("\n")), ..Cause::default() },
    ]
}

fn names(modules: &[(String, Outcome)]) -> String {
    modules.iter().map(|it| it.0.as_str()).collect::<Vec<_>>().join(", ")
}

fn told(modules: &[(String, Outcome)]) -> Value {
    let mut map = Map::new();
    for (name, outcome) in modules {
        map.insert(name.as_str(), outcome.result.clone().into());
    }
    map.into()
}

/// The names of the modules that a setting asks for.
fn modules(setting: Option<&Value>) -> Vec<String> {
    let named: Vec<String> = match setting {
        Some(Value::List(list)) => list.iter().map(Value::to_str).collect(),
        Some(Value::Str(text)) => text.split(',').map(|it| it.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    let mut modules: Vec<String> = Vec::new();
    for name in named.into_iter().filter(|it| !it.is_empty()) {
        let is_setup = full_name(&name) == "ansible.builtin.setup";
        let name = if name == "smart" || is_setup { SETUP.to_owned() } else { name };
        if !modules.contains(&name) {
            modules.push(name);
        }
    }
    if modules.is_empty() {
        modules.push(SETUP.to_owned());
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setup_gathers_unless_told_otherwise() {
        let list = |names: &[&str]| Value::list(names.iter().map(|it| (*it).into()).collect());
        for (setting, expect) in [
            (Value::Null, vec![SETUP]),
            ("smart".into(), vec![SETUP]),
            (list(&["ansible.builtin.setup", "service_facts"]), vec![SETUP, "service_facts"]),
            (list(&[]), vec![SETUP]),
            ("setup, smart".into(), vec![SETUP]),
        ] {
            assert_eq!(modules(Some(&setting)), expect, "{setting:?}");
        }
        assert_eq!(modules(None), [SETUP]);
    }
}
