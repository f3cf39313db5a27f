//! `ansible.builtin.fail`: fails with a message.

use davit_module::Rules;
use schemars::JsonSchema;

use super::text;
use crate::action::{Action, Outcome, Running};

/// Fails with a message of your own.
///
/// ```yaml
/// - ansible.builtin.fail:
///     msg: This release is not known here
///   when: release not in known
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// The message. `Failed as requested from task` where there is none.
    msg: Option<String>,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.fail",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: false,
    raw: false,
    inline: true,
    run: |_, args| {
        let msg = text(&args, "msg").unwrap_or_else(|| "Failed as requested from task".into());
        Box::pin(async move { Outcome::failed(msg) }) as Running<'_>
    },
};
