//! `ansible.builtin.set_fact`: sets variables of the host.

use davit_module::Rules;
use davit_value::{Map, Value};
use schemars::JsonSchema;

use super::{flag, is_name};
use crate::action::{Action, Outcome, Running};
use crate::keyword::to_flag;

/// Sets variables of the host, for the rest of the run.
///
/// ```yaml
/// - ansible.builtin.set_fact:
///     release: "{{ now(fmt='%Y%m%d') }}"
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// Keep them with the host's facts as well, in the fact cache where one is on.
    #[schemars(default)]
    cacheable: bool,
    /// Any other key is a variable.
    #[schemars(extend("x-type" = "raw"))]
    key_value: Option<serde_json::Value>,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.set_fact",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: true,
    raw: false,
    inline: true,
    run: |_, args| {
        let outcome = run(&args);
        Box::pin(async move { outcome }) as Running<'_>
    },
};

fn run(args: &Map) -> Outcome {
    if let Some(value) = args.get("cacheable")
        && to_flag(value).is_none()
    {
        return Outcome::failed(format!(
            "Task failed: The value '{}' is not a valid boolean. Valid booleans include: 0, 1, '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'",
            value.to_str()
        ));
    }
    let cacheable = flag(args, "cacheable", false);
    let mut facts = Map::new();
    for (key, value) in args {
        let name = key.to_text();
        if name == "cacheable" {
            continue;
        }
        if !is_name(&name) {
            return Outcome::failed(format!(
                "Task failed: Invalid variable name {}.",
                Value::from(name.as_str()).repr()
            ));
        }
        facts.insert(name, value.clone());
    }
    if facts.is_empty() {
        return Outcome::failed(
            "No key/value pairs provided, at least one is required for this action to succeed",
        );
    }
    let mut outcome = Outcome::changed(false).with("ansible_facts", facts);
    if cacheable {
        outcome.result.insert("_ansible_facts_cacheable", true.into());
    }
    outcome
}
