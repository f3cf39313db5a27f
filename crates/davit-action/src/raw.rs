//! `ansible.builtin.raw`: the controller's half, which says what the module does not take.

use std::collections::BTreeMap;

use davit_module::Rules;
use davit_run::{Action, Running, TaskContext};
use davit_value::Map;
use schemars::JsonSchema;

use crate::failure::{as_action, broken};

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

async fn run(context: &TaskContext, args: Map) -> davit_run::Outcome {
    if context.has_environment() {
        context.world().warn("raw module does not support the environment keyword");
    }
    // So says the original of a task without a text.
    if crate::options::text(&args, "_raw_params").is_none() {
        return broken(context, "'NoneType' object is not iterable");
    }
    let reply = TaskContext::reply_of(&args);
    let outcome = context.call_module("raw", reply, BTreeMap::new()).await;
    if outcome.is_failed() { as_action(context, outcome) } else { outcome }
}
