//! `ansible.builtin.raw`: the controller's half, which says what the module does not take.

use std::collections::BTreeMap;

use davit_module::Rules;
use davit_run::{Action, Outcome, Running, TaskContext};
use davit_value::{Map, Value};
use schemars::JsonSchema;

use crate::failure::{as_action, broken};
use crate::options::{filled, text};

/// Hands a text to the host's shell as it is. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.raw",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: Some("_raw_params"),
    open: true,
    raw: false,
    inline: false,
    run: |context, args| Box::pin(run(context, args)) as Running<'_>,
};

async fn run(context: &TaskContext, args: Map) -> Outcome {
    if context.has_environment() {
        context.world().warn("raw module does not support the environment keyword");
    }
    // So says the original of a task without a text.
    if text(&args, "_raw_params").is_none() {
        return broken(context, "'NoneType' object is not iterable");
    }
    let outcome = match context.connection() {
        Ok(connection) if !connection.is_local() => over_there(context, &args).await,
        Ok(_) => context.call_module("raw", TaskContext::reply_of(&args), BTreeMap::new()).await,
        Err(outcome) => return outcome,
    };
    if outcome.is_failed() { as_action(context, outcome) } else { outcome }
}

/// Runs the text on a host on which nothing of ours is needed.
async fn over_there(context: &TaskContext, args: &Map) -> Outcome {
    if context.check {
        return Outcome::changed(false).with("skipped", true);
    }
    let text = text(args, "_raw_params").unwrap_or_default();
    let line = match filled(args, "executable") {
        Some(shell) => format!("{shell} -c '{}'", text.replace('\'', r"'\''")),
        None => text,
    };
    let ran = match context.raw(&line).await {
        Ok(ran) => ran,
        Err(outcome) => return outcome,
    };
    let mut outcome = Outcome::changed(true).with("rc", ran.code);
    for (name, bytes) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        let text = String::from_utf8_lossy(bytes);
        let lines = Value::list(text.lines().map(Value::from).collect());
        outcome = outcome.with(name, &*text).with(&format!("{name}_lines"), lines);
    }
    if ran.code == 0 {
        outcome
    } else {
        outcome.with("failed", true).with("msg", "non-zero return code")
    }
}
