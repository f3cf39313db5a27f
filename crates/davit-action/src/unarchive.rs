//! `ansible.builtin.unarchive`: the controller's half. It finds the archive and sends it along.

use std::collections::BTreeMap;

use davit_module::Rules;
use davit_run::{Action, Running, TaskContext};
use davit_value::Map;
use schemars::JsonSchema;

use crate::failure::{Attempt, as_refusal, broken, message, refused};
use crate::options::{flag, no_raw_params, text};
use crate::source;

/// Unpacks an archive of the controller's on the host. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.unarchive",
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

const MODULE: &str = "ansible.legacy.unarchive";

async fn run(context: &TaskContext, mut args: Map) -> Attempt {
    no_raw_params(context, &args, "unarchive")?;
    if args.contains("remote_src") && args.contains("copy") {
        return Err(refused(context, "parameters are mutually exclusive: ('copy', 'remote_src')"));
    }
    let (Some(src), Some(_)) = (text(&args, "src"), text(&args, "dest")) else {
        return Err(refused(context, "src (or content) and dest are required"));
    };
    let on_host = flag(&args, "remote_src", false) || !flag(&args, "copy", true);
    if !on_host && src.contains("://") {
        return Err(refused(
            context,
            format!(
                "Unsupported option, an URI src ({src}) is only supported when remote_src is True"
            ),
        ));
    }
    let mut attachments = BTreeMap::new();
    let mut missing = None;
    if !on_host {
        match source::find(context, "files", &src) {
            Some(path) if path.is_file() => {
                let decrypt = flag(&args, "decrypt", true);
                attachments.insert("src".to_owned(), source::attachment(context, &path, decrypt)?);
                args.insert("src", path.to_string_lossy().as_ref().into());
            }
            Some(path) => missing = Some(source::no_file(&path)),
            None => missing = Some(source::not_found(context, "files", &src)),
        }
    }
    let outcome = context.call_module(MODULE, TaskContext::reply_of(&args), attachments).await;
    if !outcome.is_failed() {
        return Ok(outcome);
    }
    // `creates` counts before what is unpacked.
    if let Some(why) = missing.filter(|_| !outcome.unreachable) {
        return Err(broken(context, why));
    }
    if message(&outcome).starts_with("dest '") {
        return Err(as_refusal(context, outcome));
    }
    Err(outcome)
}
