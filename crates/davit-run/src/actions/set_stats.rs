//! `ansible.builtin.set_stats`: collects statistics for the end of the run.

use davit_module::Rules;
use davit_value::{Map, Value};
use schemars::JsonSchema;

use super::{flag, is_name};
use crate::action::{Action, Outcome, Running};

/// Collects statistics of your own, shown at the end of the run.
///
/// ```yaml
/// - ansible.builtin.set_stats:
///     data:
///       deployed: 1
/// ```
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the arguments are described here and read by name")]
struct Args {
    /// Names and values.
    data: serde_json::Map<String, serde_json::Value>,
    /// For this host, and not for the whole run.
    #[schemars(default)]
    per_host: bool,
    /// Add to what was there instead of replacing it.
    #[schemars(extend("default" = true))]
    aggregate: bool,
}

pub(super) const ACTION: Action = Action {
    name: "ansible.builtin.set_stats",
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
    let mut stats = Map::new();
    let data = match args.get("data") {
        Some(Value::Map(data)) => data.clone(),
        None => std::sync::Arc::default(),
        Some(_) => {
            return Outcome::failed("The 'data' option needs to be a dictionary/hash");
        }
    };
    for key in data.keys() {
        let name = key.to_text();
        if !is_name(&name) {
            return Outcome::failed(format!(
                "The variable name {} is not valid. Variables must start with a letter or underscore character, and contain only letters, numbers and underscores.",
                Value::from(name.as_str()).repr()
            ));
        }
    }
    stats.insert("data", Value::Map(data));
    stats.insert("per_host", flag(args, "per_host", false).into());
    stats.insert("aggregate", flag(args, "aggregate", true).into());
    Outcome::changed(false).with("ansible_stats", stats)
}
