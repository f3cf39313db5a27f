//! What all inventory plugins take for groups and for what is kept. The inventory reads these options
//! itself; here they are for the check and for the manual.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

fn yes() -> bool {
    true
}

/// What makes variables and groups of hosts that were found.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the inventory reads them from the file")]
pub(super) struct Grouping {
    /// The plugin that the file is for.
    plugin: Option<String>,
    /// Variables, by name: each an expression over those of the host.
    #[serde(default)]
    compose: Map<String, Value>,
    /// Groups, by name: each an expression that is true of the hosts in it.
    #[serde(default)]
    groups: Map<String, Value>,
    /// Groups that are named by the values of a variable. Each has a `key`, which is an expression; `prefix`,
    /// `separator`, `parent_group`, `default_value` and `trailing_separator` say how its values become names.
    #[serde(default)]
    keyed_groups: Vec<Map<String, Value>>,
    /// Names of groups without a prefix begin with the separator.
    #[serde(default = "yes")]
    leading_separator: bool,
    /// An expression that fails is an error.
    #[serde(default)]
    strict: bool,
    /// Expressions see the variables of the command line. Without it the setting `use_extra_vars` counts.
    #[serde(default)]
    use_extra_vars: Option<bool>,
}

/// How what was fetched is kept.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the inventory reads them from the file")]
pub(super) struct Keeping {
    /// Keep what was fetched, and do not ask again until it is too old. Without it the setting `cache`
    /// of `[inventory]` counts, or the variable `ANSIBLE_INVENTORY_CACHE`; likewise for what follows.
    #[serde(default)]
    cache: Option<bool>,
    /// What keeps it: `memory`, which forgets it with the program, or `jsonfile`.
    #[serde(default)]
    cache_plugin: Option<String>,
    /// The folder of the files, for `jsonfile`.
    #[serde(default)]
    cache_connection: Option<String>,
    /// For how many seconds it counts; 0 is for ever. An hour where nothing is said.
    #[serde(default)]
    cache_timeout: Option<u64>,
    /// How names of the files begin.
    #[serde(default)]
    cache_prefix: Option<String>,
}
