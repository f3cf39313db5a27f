//! `include_*`, `import_*` and `meta`: statements of the language that are written like modules.
//!
//! The engine does them itself; what stands here is their arguments, for the argument check and
//! the manual.

use davit_module::Rules;
use davit_value::Map;
use schemars::JsonSchema;

use crate::action::{Action, Outcome, Running};
use crate::context::TaskContext;

/// Tasks of a file, read when the play comes to this task.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here")]
struct IncludeTasks {
    /// The file. The usual form is `include_tasks: file.yml`.
    file: Option<String>,
    /// Keywords for the included tasks.
    apply: Option<serde_json::Map<String, serde_json::Value>>,
    /// The file, without a key.
    #[schemars(rename = "free-form")]
    free_form: Option<String>,
}

/// A role, run when the play comes to this task.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here")]
struct IncludeRole {
    /// The role.
    #[schemars(extend("x-aliases" = ["role"]))]
    name: String,
    /// The file of its `tasks` folder, instead of `main`.
    #[schemars(extend("default" = "main"))]
    tasks_from: String,
    /// The file of its `vars` folder, instead of `main`.
    #[schemars(extend("default" = "main"))]
    vars_from: String,
    /// The file of its `defaults` folder, instead of `main`.
    #[schemars(extend("default" = "main"))]
    defaults_from: String,
    /// The file of its `handlers` folder, instead of `main`.
    #[schemars(extend("default" = "main"))]
    handlers_from: String,
    /// Keywords for the role's tasks.
    apply: Option<serde_json::Map<String, serde_json::Value>>,
    /// Run it even where it ran before.
    #[schemars(extend("default" = true))]
    allow_duplicates: bool,
    /// Let the rest of the play see its variables.
    #[schemars(default)]
    public: bool,
    /// Check its arguments against its specs first.
    #[schemars(extend("default" = true))]
    rolespec_validate: bool,
}

/// Something that the engine does: flush handlers, end a play, forget facts.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here")]
struct Meta {
    /// `flush_handlers`, `refresh_inventory`, `noop`, `clear_facts`, `clear_host_errors`,
    /// `end_play`, `end_batch`, `end_host`, `end_role` or `reset_connection`.
    #[schemars(rename = "free_form")]
    free_form: String,
}

/// The plays of another playbook.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here")]
struct ImportPlaybook {
    /// The file.
    #[schemars(rename = "free-form")]
    free_form: String,
}

const fn statement(
    name: &'static str,
    schema: fn() -> schemars::Schema,
    free_form: Option<&'static str>,
) -> Action {
    Action { name, schema, rules: Rules::NONE, free_form, open: true, raw: true, inline: true, run }
}

/// Never asked for: the engine sees to statements before actions.
fn run(_: &TaskContext, _: Map) -> Running<'_> {
    Box::pin(async { Outcome::failed("a statement cannot be run as an action") })
}

pub(super) const INCLUDE_TASKS: Action = statement(
    "ansible.builtin.include_tasks",
    || schemars::schema_for!(IncludeTasks),
    Some("_raw_params"),
);
pub(super) const IMPORT_TASKS: Action = statement(
    "ansible.builtin.import_tasks",
    || schemars::schema_for!(IncludeTasks),
    Some("_raw_params"),
);
pub(super) const INCLUDE_ROLE: Action =
    statement("ansible.builtin.include_role", || schemars::schema_for!(IncludeRole), None);
pub(super) const IMPORT_ROLE: Action =
    statement("ansible.builtin.import_role", || schemars::schema_for!(IncludeRole), None);
pub(super) const META: Action =
    statement("ansible.builtin.meta", || schemars::schema_for!(Meta), Some("_raw_params"));
pub(super) const IMPORT_PLAYBOOK: Action = statement(
    "ansible.builtin.import_playbook",
    || schemars::schema_for!(ImportPlaybook),
    Some("_raw_params"),
);
