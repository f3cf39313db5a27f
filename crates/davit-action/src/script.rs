//! `ansible.builtin.script`: the controller's half. It finds the script and sends it along.

use std::collections::BTreeMap;

use davit_module::Rules;
use davit_run::{Action, Outcome, Running, TaskContext};
use davit_value::Map;
use schemars::JsonSchema;

use crate::failure::{Attempt, as_action, as_refusal, broken, refused};
use crate::options::{flag, text};
use crate::source;

/// Runs a script of the controller's on the host. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.script",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: Some("_raw_params"),
    open: true,
    raw: false,
    inline: false,
    run: |context, args| {
        Box::pin(async move { run(context, args).await.unwrap_or_else(|it| it) }) as Running<'_>
    },
};

async fn run(context: &TaskContext, args: Map) -> Attempt {
    let line = text(&args, "_raw_params").or_else(|| text(&args, "cmd"));
    let mut attachments = BTreeMap::new();
    let mut missing = None;
    if let Some(line) = &line {
        let name = first_word(line.trim());
        if name.is_empty() {
            return Err(broken(context, "list index out of range"));
        }
        match source::find(context, "files", &name) {
            Some(path) if path.is_dir() => missing = Some(source::no_file(&path)),
            Some(path) => {
                let decrypt = flag(&args, "decrypt", true);
                attachments
                    .insert("script".to_owned(), source::attachment(context, &path, decrypt)?);
            }
            None => missing = Some(source::not_found(context, "files", &name)),
        }
    }
    let reply = TaskContext::reply_of(&args);
    let outcome = context.call_module("script", reply, attachments).await;
    if !outcome.is_failed() {
        return Ok(outcome);
    }
    // Whether there is anything to run counts before what is run.
    Err(match missing {
        Some(why) if !outcome.unreachable => refused(context, why),
        _ => worded(context, outcome),
    })
}

fn worded(context: &TaskContext, outcome: Outcome) -> Outcome {
    if outcome.result.contains("rc") {
        as_action(context, outcome)
    } else {
        as_refusal(context, outcome)
    }
}

/// The first word of a shell text, without its quotes.
fn first_word(text: &str) -> String {
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            (None | Some('"'), '\\') => word.extend(chars.next()),
            (None, _) if char.is_whitespace() => break,
            _ => word.push(char),
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_the_first_word() {
        for (text, expect) in [
            ("a.sh b c", "a.sh"),
            ("'my script.sh' x", "my script.sh"),
            ("my\\ script.sh x", "my script.sh"),
            ("\"a b\"c d", "a bc"),
            ("", ""),
            ("'open", "open"),
        ] {
            assert_eq!(first_word(text), expect, "{text}");
        }
    }
}
