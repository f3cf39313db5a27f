//! `ansible.builtin.gather_facts`: facts of the host, by the modules that are set for it.

use std::collections::BTreeMap;

use davit_module::Rules;
use davit_run::{Action, Outcome, Running, TaskContext};
use davit_value::Map;
use schemars::JsonSchema;

/// Gathers facts of the host: what plays do before their first task.
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
    run: |context, args| Box::pin(run(context, args)) as Running<'_>,
};

async fn run(context: &TaskContext, mut args: Map) -> Outcome {
    args.remove("parallel");
    let reply = TaskContext::reply_of(&args);
    let mut outcome = context.call_module("ansible.builtin.setup", reply, BTreeMap::new()).await;
    outcome.result.insert("_ansible_verbose_override", true.into());
    outcome
}
