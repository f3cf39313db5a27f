//! What reading an inventory depends on besides its sources. Knows no file format.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use davit_template::{Engine, Outside, Settings};
use davit_value::Map;
use davit_yaml::Duplicates;

use crate::cache::CacheOptions;
use crate::plugin::Plugin;

/// Turns the content of a vault file into its text; the second argument is the path, for messages.
pub type Decrypt = dyn Fn(&str, &str) -> Result<String, String> + Send + Sync;

/// What happens to group names that are no identifiers (`TRANSFORM_INVALID_GROUP_CHARS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupNames {
    /// They stay, with a warning.
    #[default]
    Never,
    /// They stay.
    Ignore,
    /// Their odd characters become `_`, with a warning.
    Always,
    /// Their odd characters become `_`.
    Silently,
}

/// What happens where two levels have a dictionary of the same name (`DEFAULT_HASH_BEHAVIOUR`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashBehaviour {
    /// The higher level's counts.
    #[default]
    Replace,
    /// They are merged.
    Merge,
}

/// What happens with patterns that match nothing (`HOST_PATTERN_MISMATCH`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatternMismatch {
    /// A warning.
    #[default]
    Warning,
    /// An error.
    Error,
    /// Nothing.
    Ignore,
}

/// A level of group variables (`VARIABLE_PRECEDENCE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Variables of `all` from inventory files.
    AllInventory,
    /// Variables of groups from inventory files.
    GroupsInventory,
    /// `group_vars/all` beside inventories.
    AllPluginsInventory,
    /// `group_vars/all` beside the playbook.
    AllPluginsPlay,
    /// `group_vars/*` beside inventories.
    GroupsPluginsInventory,
    /// `group_vars/*` beside the playbook.
    GroupsPluginsPlay,
}

impl Level {
    /// The default order.
    pub const DEFAULT: [Self; 6] = [
        Self::AllInventory,
        Self::GroupsInventory,
        Self::AllPluginsInventory,
        Self::AllPluginsPlay,
        Self::GroupsPluginsInventory,
        Self::GroupsPluginsPlay,
    ];

    /// The level of that name in the configuration: `all_inventory` ...
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "all_inventory" => Self::AllInventory,
            "groups_inventory" => Self::GroupsInventory,
            "all_plugins_inventory" => Self::AllPluginsInventory,
            "all_plugins_play" => Self::AllPluginsPlay,
            "groups_plugins_inventory" => Self::GroupsPluginsInventory,
            "groups_plugins_play" => Self::GroupsPluginsPlay,
            _ => return None,
        })
    }
}

/// What reading an inventory depends on. The defaults are the original's.
#[derive(Clone)]
pub struct LoadOptions {
    /// Where relative sources start, and where programs run.
    pub folder: PathBuf,
    /// Plugins in the order they are tried: `host_list`, `script`, `auto`, `yaml`, `ini`, `toml`; also `constructed`, `generator`, `advanced_host_list`, and those that are handed in.
    pub enabled: Vec<String>,
    /// A source that cannot be parsed is an error.
    pub any_unparsed_is_failed: bool,
    /// It is an error where no source can be parsed.
    pub unparsed_is_failed: bool,
    /// It is a warning where no source can be parsed.
    pub unparsed_warning: bool,
    /// Endings of names that are skipped in folders.
    pub ignore_extensions: Vec<String>,
    /// Expressions for names that are skipped in folders.
    pub ignore_patterns: Vec<String>,
    /// Endings of YAML files.
    pub yaml_extensions: Vec<String>,
    /// What becomes of group names that are no identifiers.
    pub group_names: GroupNames,
    /// What to do with a mapping that has a key twice.
    pub duplicates: Duplicates,
    /// How dictionaries of several levels combine.
    pub hash_behaviour: HashBehaviour,
    /// The order of the levels of group variables, lowest first.
    pub precedence: Vec<Level>,
    /// What happens with patterns that match nothing.
    pub pattern_mismatch: PatternMismatch,
    /// The environment of scripts.
    pub environment: Arc<BTreeMap<String, String>>,
    /// What scripts write on stderr is reported even where they succeed.
    pub script_stderr: bool,
    /// Decrypts vault files among the variables and inventories.
    pub decrypt: Option<Arc<Decrypt>>,
    /// Evaluates the expressions of `constructed` and `generator`.
    pub engine: Arc<Engine>,
    /// What those expressions may reach.
    pub outside: Arc<Outside>,
    /// Extra variables, for `constructed` with `use_extra_vars`.
    pub extra_vars: Arc<Map>,
    /// `use_extra_vars` where a `constructed` source does not say it.
    pub use_extra_vars: bool,
    /// Plugins that are not this crate's own.
    pub plugins: Vec<Arc<dyn Plugin>>,
    /// How what those fetch is kept.
    pub cache: CacheOptions,
    /// `ansible_python_interpreter` of the implicit localhost.
    pub local_interpreter: Option<String>,
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("folder", &self.folder)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect();
        Self {
            folder: PathBuf::from("."),
            enabled: texts(&["host_list", "script", "auto", "yaml", "ini", "toml"]),
            any_unparsed_is_failed: false,
            unparsed_is_failed: false,
            unparsed_warning: true,
            ignore_extensions: texts(&[
                ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig",
                ".cfg", ".retry",
            ]),
            ignore_patterns: Vec::new(),
            yaml_extensions: texts(&[".yml", ".yaml", ".json"]),
            group_names: GroupNames::default(),
            duplicates: Duplicates::default(),
            hash_behaviour: HashBehaviour::default(),
            precedence: Level::DEFAULT.to_vec(),
            pattern_mismatch: PatternMismatch::default(),
            environment: Arc::default(),
            script_stderr: true,
            decrypt: None,
            engine: Arc::new(Engine::new(Settings::default())),
            outside: Arc::new(Outside::none()),
            extra_vars: Arc::default(),
            use_extra_vars: false,
            plugins: Vec::new(),
            cache: CacheOptions::default(),
            local_interpreter: None,
        }
    }
}
