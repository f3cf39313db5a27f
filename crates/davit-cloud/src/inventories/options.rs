//! What all inventory plugins take for groups and for what is kept, and those for AWS for who asks and where. The
//! inventory reads the options of the former kind itself; here they are for the check and for the manual.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ask::Wanted;
use super::data::named;
use crate::aws::args::yes;
use crate::aws::plugin_login::PluginLogin;

/// What every plugin for AWS takes: flatten it into its options.
#[derive(Deserialize, JsonSchema)]
pub(super) struct AwsOptions {
    #[serde(flatten)]
    #[expect(dead_code, reason = "the inventory reads them from the file")]
    grouping: Grouping,
    #[serde(flatten)]
    #[expect(dead_code, reason = "the inventory reads them from the file")]
    keeping: Keeping,
    #[serde(flatten)]
    login: PluginLogin,
    /// A role to take before asking.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["iam_role_arn"]))]
    pub(super) assume_role_arn: Option<String>,
    /// The regions to ask. Without any all are asked that the account has.
    #[serde(default)]
    pub(super) regions: Vec<String>,
    /// What stands before the names of variables that come from AWS.
    #[serde(default)]
    hostvars_prefix: Option<String>,
    /// What stands behind them.
    #[serde(default)]
    hostvars_suffix: Option<String>,
    /// A region that may not be asked is an error. Otherwise it has no hosts.
    #[serde(default = "yes")]
    pub(super) strict_permissions: bool,
}

impl AwsOptions {
    /// Who asks, and where.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        let role = self.assume_role_arn.as_deref().filter(|it| !it.is_empty());
        Wanted { login: &self.login, role, regions: &self.regions }
    }

    /// Variables with what is put before and behind their names.
    pub(super) fn named(&self, vars: &Value) -> davit_value::Map {
        named(vars, self.hostvars_prefix.as_deref(), self.hostvars_suffix.as_deref())
    }
}

/// What makes variables and groups of hosts that were found.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the inventory reads them from the file")]
struct Grouping {
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
struct Keeping {
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
