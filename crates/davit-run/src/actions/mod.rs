//! The actions that belong to the language itself. One file each, one line each in the table.

mod add_host;
mod assert;
mod async_status;
mod debug;
mod fail;
mod group_by;
mod include_vars;
mod pause;
mod set_fact;
mod set_stats;
mod statements;
mod validate_argument_spec;

use davit_value::{Map, Value};

use crate::action::{Action, Outcome};
use crate::context::TaskContext;

/// The language's own actions, by name.
pub(crate) const ACTIONS: &[Action] = &[
    add_host::ACTION,
    assert::ACTION,
    async_status::ACTION,
    debug::ACTION,
    fail::ACTION,
    group_by::ACTION,
    statements::IMPORT_PLAYBOOK,
    statements::IMPORT_ROLE,
    statements::IMPORT_TASKS,
    statements::INCLUDE_ROLE,
    statements::INCLUDE_TASKS,
    include_vars::ACTION,
    statements::META,
    pause::ACTION,
    set_fact::ACTION,
    set_stats::ACTION,
    validate_argument_spec::ACTION,
];

/// The text of an argument that is there and not null.
fn text(args: &Map, name: &str) -> Option<String> {
    args.get(name).filter(|it| !it.is_null()).map(Value::to_str)
}

/// Renders an argument of an action that takes them as written.
fn render(context: &TaskContext, name: &str, value: &Value) -> Result<Value, Outcome> {
    context.env().resolve(value).map(crate::scope::without_omit).map_err(|error| {
        let near = value.origin().or(Some(&context.task.written.action_origin));
        crate::failure::task_failed(
            context.origin(),
            vec![
                crate::failure::cause(
                    format!("Finalization of task args for '{}' failed", context.task.full_name),
                    Some(&context.task.written.action_origin),
                ),
                crate::failure::template_cause(
                    &format!("Error while resolving value for '{name}': "),
                    &error,
                    near,
                ),
            ],
        )
    })
}

/// A boolean argument.
fn flag(args: &Map, name: &str, default: bool) -> bool {
    args.get(name).and_then(crate::keyword::to_flag).unwrap_or(default)
}

/// True for what may name a variable.
pub(crate) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|it| it == '_' || it.is_ascii_alphabetic())
        && chars.all(|it| it == '_' || it.is_ascii_alphanumeric())
        && !KEYWORDS.contains(&name)
}

/// Words of the template language that name no variable.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        let names: Vec<_> = ACTIONS.iter().map(|it| it.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "sort, and name each once: {names:?}");
    }

    #[test]
    fn names_of_variables() {
        for (name, good) in
            [("a", true), ("_a1", true), ("1a", false), ("a-b", false), ("is", false), ("", false)]
        {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
