//! `ansible.builtin.group_by`: puts the host in a group named by an expression.

use davit_module::Rules;
use davit_value::{Map, Value};
use schemars::JsonSchema;

use crate::action::{Action, Outcome, Running};
use crate::context::TaskContext;
use crate::state::read;

/// Puts the host in a group whose name may depend on its facts.
///
/// ```yaml
/// - ansible.builtin.group_by:
///     key: os_{{ ansible_facts.distribution }}
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// The group's name. Spaces become hyphens.
    key: String,
    /// Groups that the group is a child of.
    #[schemars(extend("default" = "all", "x-type" = "list"))]
    parents: Option<Vec<String>>,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.group_by",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: true,
    raw: false,
    inline: true,
    run: |context, args| {
        let outcome = run(context, &args);
        Box::pin(async move { outcome }) as Running<'_>
    },
};

fn run(context: &TaskContext, args: &Map) -> Outcome {
    let odd: Vec<&str> = args
        .keys()
        .filter_map(davit_value::Key::as_str)
        .filter(|it| !matches!(*it, "key" | "parents"))
        .collect();
    if !odd.is_empty() {
        return Outcome::failed(format!("Invalid options for group_by: {}", odd.join(",")));
    }
    let Some(key) = args.get("key") else {
        return Outcome::failed("the 'key' param is required when using group_by");
    };
    let group = key.to_str().replace(' ', "-");
    let parents: Vec<String> = match args.get("parents") {
        None | Some(Value::Null) => vec!["all".into()],
        Some(Value::List(list)) => list.iter().map(|it| it.to_str().replace(' ', "-")).collect(),
        Some(other) => other.to_str().split(',').map(|it| it.trim().replace(' ', "-")).collect(),
    };
    let inventory = read(&context.world.inventory);
    let member = inventory.groups_of(context.host()).iter().any(|it| **it == *group);
    let parents = Value::list(parents.iter().map(|it| it.as_str().into()).collect());
    Outcome::changed(!member).with("add_group", group).with("parent_groups", parents)
}
