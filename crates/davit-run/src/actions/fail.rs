//! `ansible.builtin.fail`: fails with a message.

use davit_module::Rules;
use schemars::JsonSchema;

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
    /// The message, of any type. `Failed as requested from task` where there is none.
    #[schemars(extend("x-type" = "raw"))]
    msg: Option<serde_json::Value>,
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
        let msg = args.get("msg").cloned();
        let msg = msg.unwrap_or_else(|| "Failed as requested from task".into());
        Box::pin(async move { Outcome::changed(false).with("failed", true).with("msg", msg) })
            as Running<'_>
    },
};
