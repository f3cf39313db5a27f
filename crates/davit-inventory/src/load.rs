//! Sources: which plugin reads one, in which order, and what is said where none can. Knows no format itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_value::Value;
use davit_yaml::Node;
use fancy_regex::Regex;

use crate::address;
use crate::error::{Cause, Error, Place, Warning};
use crate::files::{convert, extension, parse_yaml_or_json, read_text};
use crate::model::{Inventory, UNGROUPED};
use crate::options::LoadOptions;
use crate::{constructed, generator, ini, plugin, script, toml_source, yaml};

/// How deep folders of sources may nest.
const MAX_DEPTH: usize = 40;

/// Names in folders that are no sources.
const NO_SOURCES: [&str; 3] = ["group_vars", "host_vars", "vars_plugins"];

/// A source as the plugins see it; what one has read of it, the next need not read again.
pub(crate) struct Source<'s> {
    pub(crate) path: &'s Path,
    pub(crate) name: Arc<str>,
    text: Option<String>,
    document: Option<(Option<Node>, Value)>,
}

impl<'s> Source<'s> {
    fn new(path: &'s Path) -> Self {
        Self { path, name: path.to_string_lossy().into(), text: None, document: None }
    }

    fn text(&mut self, options: &LoadOptions) -> Result<&str, Error> {
        if self.text.is_none() {
            self.text = Some(read_text(self.path, options)?);
        }
        Ok(self.text.as_deref().unwrap_or_default())
    }

    /// The YAML document and its value.
    fn document(
        &mut self,
        options: &LoadOptions,
        warnings: &mut Vec<Warning>,
    ) -> Result<&(Option<Node>, Value), Error> {
        if self.document.is_none() {
            let name = Arc::clone(&self.name);
            let text = self.text(options)?;
            let node = parse_yaml_or_json(text, &name)?;
            let value = match &node {
                Some(node) => convert(node, &name, text, options.duplicates, warnings)?,
                None => Value::Null,
            };
            self.document = Some((node, value));
        }
        self.document.as_ref().ok_or_else(|| Error::refused("there is no document"))
    }
}

/// The plugins that are always there; more may be handed in.
pub const PLUGINS: [&str; 9] = [
    "host_list",
    "advanced_host_list",
    "script",
    "auto",
    "yaml",
    "ini",
    "toml",
    "constructed",
    "generator",
];

/// The enabled plugins without those that are not there.
fn known_plugins(options: &LoadOptions, warnings: &mut Vec<Warning>) -> Result<Vec<String>, Error> {
    let (known, unknown): (Vec<String>, Vec<String>) =
        options.enabled.iter().cloned().partition(|name| {
            let name = name.strip_prefix("ansible.builtin.").unwrap_or(name);
            PLUGINS.contains(&name) || plugin::find(options, name).is_some()
        });
    warnings.extend(
        unknown
            .iter()
            .map(|name| Warning::new(format!("Failed to load inventory plugin, skipping {name}"))),
    );
    if known.is_empty() {
        return Err(Error::refused(
            "No inventory plugins available to generate inventory, make sure you have at least one enabled.",
        ));
    }
    Ok(known)
}

impl Inventory {
    /// Reads `sources` in order: paths of files, scripts and folders, and lists of hosts such as `a,b,`. What is odd goes to `warnings`; so
    /// do sources that cannot be read, unless the options make them errors.
    ///
    /// # Errors
    /// For what cannot be read, where the options want that.
    pub fn load(
        sources: &[String],
        options: &LoadOptions,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, Error> {
        let enabled = known_plugins(options, warnings)?;
        let mut inventory = Self::new(Arc::new(LoadOptions { enabled, ..options.clone() }));
        let mut parsed = false;
        let mut skip = Vec::new();
        for extension in &options.ignore_extensions {
            let escaped = fancy_regex::escape(extension);
            skip.extend(Regex::new(&format!("{escaped}$")));
        }
        for pattern in &options.ignore_patterns {
            skip.push(
                Regex::new(pattern)
                    .map_err(|error| Error::refused(format!("{pattern}: {error}")))?,
            );
        }
        for source in sources {
            let path = options.folder.join(source);
            let is_list = source.contains(',') && !path.exists();
            let shown =
                if is_list { source.clone() } else { clean(&path).to_string_lossy().into_owned() };
            inventory.sources.push(shown.clone());
            if !is_list {
                inventory.add_folder(&path);
            }
            parsed |= inventory.source(&shown, &skip, 0, warnings)?;
        }
        inventory.current = None;
        if parsed {
            inventory.reconcile(warnings);
        } else if options.unparsed_is_failed {
            return Err(Error::Nothing);
        } else if options.unparsed_warning {
            warnings.push(Warning::new(
                "No inventory was parsed, only implicit localhost is available",
            ));
        }
        Ok(inventory)
    }

    /// `group_vars` and `host_vars` are looked for beside this source.
    fn add_folder(&mut self, path: &Path) {
        let path = clean(path);
        let folder: Arc<Path> = if path.is_dir() {
            path.into()
        } else {
            match path.parent() {
                Some(parent) => parent.into(),
                None => return,
            }
        };
        self.folders.retain(|it| *it != folder);
        self.folders.push(folder);
    }

    fn source(
        &mut self,
        source: &str,
        skip: &[Regex],
        depth: usize,
        warnings: &mut Vec<Warning>,
    ) -> Result<bool, Error> {
        let path = PathBuf::from(source);
        let mut parsed = false;
        let mut failures = Vec::new();
        if path.is_dir() && depth < MAX_DEPTH {
            let mut names: Vec<String> = std::fs::read_dir(&path)
                .map(|entries| {
                    entries.flatten().filter_map(|it| it.file_name().into_string().ok()).collect()
                })
                .unwrap_or_default();
            names.sort_unstable();
            for name in names {
                let skipped = name.starts_with('.')
                    || NO_SOURCES.contains(&name.as_str())
                    || skip.iter().any(|pattern| pattern.is_match(&name).unwrap_or(false));
                if !skipped {
                    let inner = path.join(&name);
                    parsed |= self.source(&inner.to_string_lossy(), skip, depth + 1, warnings)?;
                }
            }
        } else {
            parsed = self.file(source, &path, warnings, &mut failures);
        }
        if parsed {
            return Ok(true);
        }
        if source == "/etc/ansible/hosts" && !path.exists() {
            return Ok(false);
        }
        warnings.extend(failures);
        if self.options.any_unparsed_is_failed {
            return Err(Error::Source(source.to_owned()));
        }
        warnings.push(Warning::new(format!("Unable to parse {source} as an inventory source")));
        Ok(false)
    }

    /// Tries the plugins in order; true where one could read it.
    fn file(
        &mut self,
        source: &str,
        path: &Path,
        warnings: &mut Vec<Warning>,
        failures: &mut Vec<Warning>,
    ) -> bool {
        let options = Arc::clone(&self.options);
        let exists = path.exists();
        let folder =
            (exists).then(|| path.parent().map(|it| Arc::from(&*it.to_string_lossy()))).flatten();
        self.current = Some((source.into(), folder));
        let mut it = Source::new(path);
        for plugin in &options.enabled {
            let plugin = plugin.strip_prefix("ansible.builtin.").unwrap_or(plugin);
            if !accepts(plugin, source, path, &options) {
                continue;
            }
            match self.plugin(plugin, source, &mut it, warnings) {
                Ok(()) => return true,
                Err(error) => failures.push(failure(plugin, source, &error)),
            }
        }
        false
    }

    fn plugin(
        &mut self,
        plugin: &str,
        source: &str,
        it: &mut Source<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Error> {
        let options = Arc::clone(&self.options);
        match plugin {
            "host_list" => self.host_list(source, false),
            "advanced_host_list" => self.host_list(source, true),
            "script" => script::read(self, it.path, warnings),
            "ini" => {
                let name = Arc::clone(&it.name);
                ini::read(self, it.text(&options)?, &name, warnings)
            }
            "yaml" => {
                let name = Arc::clone(&it.name);
                let (node, value) = it.document(&options, warnings)?;
                yaml::read(self, value, node.as_ref(), &name, warnings)
            }
            "toml" => {
                let name = Arc::clone(&it.name);
                toml_source::read(self, it.text(&options)?, &name, warnings)
            }
            "auto" | "constructed" | "generator" => self.configured(plugin, it, warnings),
            other if plugin::find(&options, other).is_some() => {
                self.configured(other, it, warnings)
            }
            other => Err(Error::refused(format!("unknown inventory plugin '{other}'"))),
        }
    }

    /// A file that configures a plugin, named by its key `plugin`.
    fn configured(
        &mut self,
        by: &str,
        it: &mut Source<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Error> {
        let options = Arc::clone(&self.options);
        let name = Arc::clone(&it.name);
        let (node, value) = it.document(&options, warnings)?;
        let config = value.as_map();
        let plugin =
            config.and_then(|config| config.get("plugin")).filter(|plugin| !plugin.is_null());
        let (Some(config), Some(plugin)) = (config, plugin) else {
            return Err(Error::refused(if by == "auto" {
                format!(
                    "no root 'plugin' key found, '{name}' is not a valid YAML inventory plugin config file"
                )
            } else {
                "Incorrect plugin name in file: none found".to_owned()
            }));
        };
        let named = plugin.to_str();
        let wanted = named
            .strip_prefix("ansible.builtin.")
            .or_else(|| named.strip_prefix("ansible.legacy."))
            .unwrap_or(&named);
        let handed_in = plugin::find(&options, wanted);
        let is_same = wanted == by
            || handed_in.is_some_and(|it| {
                plugin::find(&options, by).is_some_and(|by| by.name() == it.name())
            });
        if by != "auto" && !is_same {
            return Err(Error::refused(format!("Incorrect plugin name in file: {named}")));
        }
        match wanted {
            "constructed" => constructed::read(self, config, &name),
            "generator" => generator::read(self, config, (node.as_ref(), &name), warnings),
            _ if let Some(it) = handed_in => {
                plugin::read(self, &**it, config, (node.as_ref(), &name), warnings)
            }
            _ => Err(Error::refused(format!(
                "inventory config '{name}' specifies unknown plugin '{named}'"
            ))),
        }
    }

    fn host_list(&mut self, source: &str, ranges: bool) -> Result<(), Error> {
        for pattern in source.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
            let (hosts, port) = if ranges {
                address::expand_pattern(pattern)?
            } else {
                let (host, port) = address::single(pattern);
                (vec![host.to_owned()], port)
            };
            for host in hosts {
                let id = self.ensure_host(&host, port)?;
                self.join(UNGROUPED, id);
            }
        }
        Ok(())
    }
}

/// True where the plugin may try this source.
fn accepts(plugin: &str, source: &str, path: &Path, options: &LoadOptions) -> bool {
    let extension = extension(path.file_name().and_then(|name| name.to_str()).unwrap_or(""));
    let yaml = |more: &[&str]| {
        extension.is_empty()
            || options.yaml_extensions.iter().any(|it| it == extension)
            || more.contains(&extension)
    };
    match plugin {
        "host_list" | "advanced_host_list" => source.contains(',') && !path.exists(),
        _ if !path.exists() => false,
        "script" => script::is_executable(path),
        "auto" => matches!(extension, ".yml" | ".yaml"),
        "yaml" => yaml(&[]),
        "toml" => extension == ".toml",
        "ini" => extension != ".toml",
        "constructed" | "generator" => yaml(&[".config"]),
        _ if let Some(it) = plugin::find(options, plugin) => {
            it.file_endings().iter().any(|it| source.ends_with(it))
        }
        _ => true,
    }
}

/// The warning of a plugin that could not read a source, with the chain of its causes.
fn failure(plugin: &str, source: &str, error: &Error) -> Warning {
    let mut warning =
        Warning::new(format!("Failed to parse inventory with '{plugin}' plugin: {error}"));
    let named = Place::Named(format!("<inventory plugin '{plugin}' with source '{source}'>"));
    let first = Cause {
        message: format!("Failed to parse inventory with '{plugin}' plugin."),
        place: None,
        help: None,
    };
    warning.causes.push(first);
    let place = match error.place() {
        // The original reads the text apart from its file here.
        Some(_) if plugin == "yaml" => named,
        Some(place) => place,
        None => named,
    };
    match error {
        // The text could not be had; the original says both who wanted it and which file it was.
        Error::Vars { message, .. } if plugin == "ini" => {
            warning.message = format!(
                "Failed to parse inventory with 'ini' plugin: Failed to parse inventory: {message}"
            );
            let wanted = Place::Named(format!("<inventory plugin 'ini' with source '{source}'>"));
            warning.causes.push(Cause {
                message: "Failed to parse inventory.".into(),
                place: Some(wanted),
                help: None,
            });
            warning.causes.push(Cause { message: message.clone(), place: Some(place), help: None });
        }
        Error::Yaml(problem) => {
            let help = problem.help.clone().filter(|_| plugin != "yaml");
            warning.causes.push(Cause { message: problem.message(), place: Some(place), help });
        }
        Error::Refused { message, beneath: Some(beneath), .. } => {
            warning.causes.push(Cause {
                message: format!("{message}."),
                place: Some(place),
                help: None,
            });
            warning.causes.push(Cause { message: beneath.clone(), place: None, help: None });
        }
        Error::Script { message, stderr } => {
            warning.message =
                format!("Failed to parse inventory with '{plugin}' plugin: {message}");
            let help = (!stderr.is_empty())
                .then(|| format!("Standard error from inventory script:\n{stderr}"));
            warning.causes.push(Cause { message: message.clone(), place: Some(place), help });
        }
        other => warning.causes.push(Cause {
            message: other.to_string(),
            place: Some(place),
            help: None,
        }),
    }
    warning
}

/// The path without `.` and `..`, as far as that goes without asking the disk.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
