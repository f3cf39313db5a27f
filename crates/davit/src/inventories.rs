//! What inventories are read from, and what reading them depends on: all from the configuration and the
//! command line.

use std::sync::Arc;

use davit_inventory::{
    CacheOptions, GroupNames, HashBehaviour, Inventory, LoadOptions, PatternMismatch,
};
use davit_template::Decrypt;

use crate::config::Config;
use crate::report::{Report, warn_of};
use crate::setup::{Ground, Request};

impl Ground {
    /// The sources of the inventory: the command line's, else the configuration's.
    pub(crate) fn sources(&self, request: &Request) -> Vec<String> {
        if !request.inventory.is_empty() {
            return request.inventory.clone();
        }
        // A list of hosts is no path, though it has commas between them.
        match self.config.get("DEFAULT_HOST_LIST") {
            Some(text) if text.trim_end().ends_with(',') => vec![text.to_owned()],
            _ => {
                let paths = self.config.paths("DEFAULT_HOST_LIST");
                paths.iter().map(|it| it.to_string_lossy().into_owned()).collect()
            }
        }
    }

    /// What reading inventories depends on.
    pub(crate) fn load_options(&self, request: &Request) -> Result<LoadOptions, Report> {
        let vault = Arc::clone(&self.vault);
        let config = &self.config;
        let names = ["always", "never", "ignore", "silently"];
        let environment = Arc::new(config.environment.clone());
        Ok(LoadOptions {
            folder: self.folder.clone(),
            enabled: config.list_or_default("INVENTORY_ENABLED"),
            any_unparsed_is_failed: config.is("INVENTORY_ANY_UNPARSED_IS_FAILED")?,
            unparsed_is_failed: config.is("INVENTORY_UNPARSED_IS_FAILED")?,
            unparsed_warning: config.is("INVENTORY_UNPARSED_WARNING")?,
            ignore_extensions: config.list_or_default("INVENTORY_IGNORE_EXTS"),
            ignore_patterns: config.list_or_default("INVENTORY_IGNORE_PATTERNS"),
            yaml_extensions: config.list_or_default("YAML_FILENAME_EXTENSIONS"),
            group_names: match config.choice("TRANSFORM_INVALID_GROUP_CHARS", &names)?.as_str() {
                "always" => GroupNames::Always,
                "silently" => GroupNames::Silently,
                "ignore" => GroupNames::Ignore,
                _ => GroupNames::Never,
            },
            hash_behaviour: match config
                .choice("DEFAULT_HASH_BEHAVIOUR", &["replace", "merge"])?
                .as_str()
            {
                "merge" => HashBehaviour::Merge,
                _ => HashBehaviour::Replace,
            },
            duplicates: self.duplicates(),
            precedence: config
                .list_or_default("VARIABLE_PRECEDENCE")
                .iter()
                .filter_map(|it| davit_inventory::Level::from_name(it))
                .collect(),
            pattern_mismatch: match config
                .choice("HOST_PATTERN_MISMATCH", &["warning", "error", "ignore"])?
                .as_str()
            {
                "error" => PatternMismatch::Error,
                "ignore" => PatternMismatch::Ignore,
                _ => PatternMismatch::Warning,
            },
            plugins: self.ask.inventories(&environment),
            cache: cache(config, request.flush_cache)?,
            use_extra_vars: is_on(config.plugin(
                &["ANSIBLE_INVENTORY_USE_EXTRA_VARS"],
                &[("inventory_plugins", "use_extra_vars")],
            )),
            environment,
            decrypt: Some(Arc::new(move |text: &str, _path: &str| vault.decrypt(text))),
            engine: Arc::clone(&self.engine),
            outside: Arc::new(self.outside()),
            extra_vars: Arc::clone(&self.extra_vars),
            local_interpreter: Some(self.python()),
            ..LoadOptions::default()
        })
    }

    /// Reads the inventory.
    pub(crate) fn inventory(
        &self,
        request: &Request,
        warnings: &mut Vec<davit_inventory::Warning>,
    ) -> Result<Inventory, Report> {
        let loaded =
            Inventory::load(&self.sources(request), &self.load_options(request)?, warnings);
        if loaded.is_err() {
            // What led there would be lost with the warnings.
            let deprecations = self.config.is("DEPRECATION_WARNINGS")?;
            warnings.drain(..).for_each(|it| warn_of(&it, deprecations));
        }
        Ok(loaded?)
    }
}

/// How what inventory plugins fetch is kept, where their files do not say it.
fn cache(config: &Config, refresh: bool) -> Result<CacheOptions, Report> {
    // Settings for facts count where there are none for inventories.
    let setting = |of_facts: &str, own: &str, fact_key: &str, key: &str| {
        let keys = [("defaults", fact_key), ("inventory", key)];
        config.plugin(&[of_facts, own], &keys).map(str::to_owned)
    };
    let plugin = setting(
        "ANSIBLE_CACHE_PLUGIN",
        "ANSIBLE_INVENTORY_CACHE_PLUGIN",
        "fact_caching",
        "cache_plugin",
    );
    let connection = setting(
        "ANSIBLE_CACHE_PLUGIN_CONNECTION",
        "ANSIBLE_INVENTORY_CACHE_CONNECTION",
        "fact_caching_connection",
        "cache_connection",
    );
    let prefix = setting(
        "ANSIBLE_CACHE_PLUGIN_PREFIX",
        "ANSIBLE_INVENTORY_CACHE_PLUGIN_PREFIX",
        "fact_caching_prefix",
        "cache_prefix",
    );
    let timeout = setting(
        "ANSIBLE_CACHE_PLUGIN_TIMEOUT",
        "ANSIBLE_INVENTORY_CACHE_TIMEOUT",
        "fact_caching_timeout",
        "cache_timeout",
    );
    let usual = CacheOptions::default();
    let timeout = match timeout {
        Some(text) => text.trim().parse().map_err(|_| {
            Report::new(format!("the cache_timeout of inventories is no number of seconds: {text}"))
        })?,
        None => usual.timeout,
    };
    Ok(CacheOptions {
        enabled: is_on(config.plugin(&["ANSIBLE_INVENTORY_CACHE"], &[("inventory", "cache")])),
        plugin: plugin.unwrap_or(usual.plugin),
        connection,
        timeout,
        prefix: prefix.unwrap_or(usual.prefix),
        refresh,
    })
}

/// A setting that is true or false.
fn is_on(text: Option<&str>) -> bool {
    let is = |it: &str| {
        matches!(it.trim().to_lowercase().as_str(), "1" | "on" | "t" | "true" | "y" | "yes")
    };
    text.is_some_and(is)
}
