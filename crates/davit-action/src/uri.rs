//! `ansible.builtin.uri`: the controller's half. It finds the files to send and sends them along.

use std::collections::BTreeMap;

use davit_module::{Attachment, Rules};
use davit_run::{Action, Outcome, Running, TaskContext};
use davit_value::{Map, Value};
use schemars::JsonSchema;

use crate::failure::{Attempt, broken};
use crate::options::{filled, flag, no_raw_params, text};
use crate::source;

/// Speaks to a web service from the host. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.uri",
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

const MODULE: &str = "ansible.legacy.uri";

async fn run(context: &TaskContext, args: Map) -> Attempt<Outcome> {
    no_raw_params(context, &args, "uri")?;
    let mut attachments = BTreeMap::new();
    if !flag(&args, "remote_src", false) {
        if let Some(src) = filled(&args, "src") {
            attachments.insert("src".to_owned(), find(context, &src)?);
        }
        if text(&args, "body_format").as_deref() == Some("form-multipart") {
            for (field, path) in files(&args) {
                attachments.insert(format!("body.{field}"), find(context, &path)?);
            }
        }
    }
    Ok(context.call_module(MODULE, TaskContext::reply_of(&args), attachments).await)
}

/// The fields of a form that are files, and which.
fn files(args: &Map) -> Vec<(String, String)> {
    let Some(Value::Map(body)) = args.get("body") else { return Vec::new() };
    let fields = body.iter().filter_map(|(field, value)| {
        let Value::Map(value) = value else { return None };
        let path = filled(value, "filename").filter(|_| filled(value, "content").is_none())?;
        Some((field.as_str()?.to_owned(), path))
    });
    fields.collect()
}

fn find(context: &TaskContext, name: &str) -> Attempt<Attachment> {
    match source::find(context, "files", name) {
        Some(path) => source::attachment(context, &path, false),
        None => Err(broken(context, source::not_found(context, "files", name))),
    }
}
