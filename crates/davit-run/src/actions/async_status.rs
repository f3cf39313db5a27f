//! `ansible.builtin.async_status`: the controller's half, which knows where results are kept.

use std::collections::BTreeMap;

use davit_module::Rules;
use davit_value::Map;
use schemars::JsonSchema;

use crate::action::{Action, Outcome, Running};
use crate::background::{STATUS, folder};
use crate::context::TaskContext;

/// Says how a job is getting on. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(super) const ACTION: Action = Action {
    name: STATUS,
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

async fn run(context: &TaskContext, mut args: Map) -> Result<Outcome, Outcome> {
    if !args.contains("_async_dir") {
        args.insert("_async_dir", folder(context)?.into());
    }
    Ok(context.call_module(STATUS, TaskContext::reply_of(&args), BTreeMap::new()).await)
}
