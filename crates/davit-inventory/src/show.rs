//! What `ansible-inventory` prints: `--list`, `--host` and `--graph`, each as one text.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use davit_value::{Map, Value};
use davit_yaml::{DumpOptions, FlowStyle};

use crate::error::{Error, Warning};
use crate::json::{self, Profile};
use crate::model::{ALL, Inventory};
use crate::reserved::is_internal;
use crate::toml_text;

/// The language of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON, as inventory scripts print it.
    #[default]
    Json,
    /// YAML, as an inventory file.
    Yaml,
    /// TOML, as an inventory file.
    Toml,
}

/// How a listing is made.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Its language.
    pub format: Format,
    /// Variables stand where they were defined (`--export`) and not merged at each host.
    pub export: bool,
    /// Only these hosts: a pattern.
    pub limit: Option<String>,
    /// `group_vars` and `host_vars` are also looked for here. For merged variables the original takes the working folder where it is not told.
    pub playbook: Option<PathBuf>,
    /// The same for variables that stand where they were defined; the original takes no folder where it is not told.
    pub export_playbook: Option<PathBuf>,
}

/// One listing in the making.
struct Listing<'i> {
    inventory: &'i Inventory,
    options: &'i ListOptions,
    /// The hosts that the limit leaves; none where there is no limit.
    limit: Option<HashSet<Arc<str>>>,
    warnings: &'i mut Vec<Warning>,
}

impl Inventory {
    /// Every host and group: `--list`. Ends with a line break. Empty TOML is an empty text.
    ///
    /// # Errors
    /// For files of variables that cannot be read, a limit that is none, and values that the format does not have.
    pub fn list(
        &self,
        options: &ListOptions,
        warnings: &mut Vec<Warning>,
    ) -> Result<String, Error> {
        let limit = match &options.limit {
            Some(limit) => {
                Some(self.match_hosts("all", Some(limit), warnings)?.into_iter().collect())
            }
            None => None,
        };
        let mut listing = Listing { inventory: self, options, limit, warnings };
        let out = match options.format {
            Format::Json => listing.json(),
            Format::Yaml => listing.yaml(),
            Format::Toml => listing.toml(),
        };
        warnings.extend(self.take_warnings());
        out
    }

    /// One host's variables: `--host`. Ends with a line break.
    ///
    /// # Errors
    /// For a name that is not exactly one host, and as [`list`](Self::list).
    pub fn show_host(
        &self,
        host: &str,
        options: &ListOptions,
        warnings: &mut Vec<Warning>,
    ) -> Result<String, Error> {
        let hosts = self.match_hosts(host, None, warnings)?;
        let [only] = hosts.as_slice() else {
            return Err(Error::Usage(
                "You must pass a single valid host to --host parameter".into(),
            ));
        };
        let mut listing = Listing { inventory: self, options, limit: None, warnings };
        let vars = listing.host_vars(only)?;
        warnings.extend(self.take_warnings());
        match options.format {
            Format::Json => {
                let mut out = String::new();
                json::write(&mut out, &Value::Map(vars), 0, Profile::Plain);
                out.push('\n');
                Ok(out)
            }
            Format::Yaml => yaml(&Value::Map(vars)),
            Format::Toml => toml_text::dump(&vars),
        }
    }

    /// The tree of groups below `group` (default `all`), with variables on request: `--graph`. Ends with a line break.
    ///
    /// # Errors
    /// For a group that is not there, and as [`list`](Self::list).
    pub fn graph(
        &self,
        group: Option<&str>,
        vars: bool,
        options: &ListOptions,
        warnings: &mut Vec<Warning>,
    ) -> Result<String, Error> {
        let Some(id) = self.group_ids.get(group.unwrap_or("all")) else {
            return Err(Error::Usage("Pattern must be valid group name when using --graph".into()));
        };
        let mut listing = Listing { inventory: self, options, limit: None, warnings };
        let mut out = String::new();
        listing.graph_group(&mut out, *id, vars, 0)?;
        warnings.extend(self.take_warnings());
        Ok(out)
    }
}

impl Listing<'_> {
    fn playbook(&self) -> Option<PathBuf> {
        if self.options.export {
            self.options.export_playbook.clone()
        } else {
            self.options.playbook.clone()
        }
    }

    /// What is shown of a host's variables.
    fn host_vars(&mut self, host: &str) -> Result<Arc<Map>, Error> {
        let playbook = self.playbook();
        let playbook = playbook.as_deref();
        if self.options.export {
            return self.inventory.own_vars(host, playbook).map(shown);
        }
        let vars = self.inventory.host_vars(host, playbook)?;
        self.warnings.extend(self.inventory.reserved_names(host, playbook)?);
        let extra = &self.inventory.options.extra_vars;
        if extra.is_empty() {
            return Ok(shown(vars));
        }
        let behaviour = self.inventory.options.hash_behaviour;
        Ok(shown(Arc::new(crate::vars::combine(&vars, extra, behaviour))))
    }

    /// What is shown of a group's variables, its priority included.
    fn group_vars(&mut self, id: usize) -> Result<Arc<Map>, Error> {
        let Some(group) = self.inventory.groups.get(id) else { return Ok(Arc::default()) };
        let mut vars =
            shown(self.inventory.group_vars(&group.name, self.options.export_playbook.as_deref())?);
        if group.priority != 1 {
            Arc::make_mut(&mut vars).insert("ansible_group_priority", Value::from(group.priority));
        }
        Ok(vars)
    }

    fn is_shown(&self, host: &str) -> bool {
        self.limit.as_ref().is_none_or(|limit| limit.contains(host))
    }

    /// Names of a group's own hosts, as far as the limit leaves them.
    fn own_hosts(&self, id: usize) -> Vec<Arc<str>> {
        let Some(group) = self.inventory.groups.get(id) else { return Vec::new() };
        let names = group
            .hosts
            .iter()
            .filter_map(|host| self.inventory.hosts.get(*host))
            .map(|host| &host.name);
        names.filter(|name| self.is_shown(name)).cloned().collect()
    }

    fn children(&self, id: usize) -> Vec<usize> {
        self.inventory
            .groups
            .get(id)
            .map(|group| group.children.iter().copied().collect())
            .unwrap_or_default()
    }

    fn name(&self, id: usize) -> Arc<str> {
        self.inventory.groups.get(id).map(|group| Arc::clone(&group.name)).unwrap_or_default()
    }

    /// Every group that hangs below `all`, in the order in which a walk meets them.
    fn reachable(&self) -> Vec<usize> {
        let mut seen: HashSet<usize> = HashSet::new();
        let mut order = Vec::new();
        let mut todo = vec![ALL];
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                order.push(id);
                todo.extend(self.children(id).into_iter().rev());
            }
        }
        order
    }

    fn json(&mut self) -> Result<String, Error> {
        let mut out = String::from("{");
        let mut groups: Vec<(Arc<str>, Option<usize>)> =
            self.reachable().into_iter().map(|id| (self.name(id), Some(id))).collect();
        groups.push(("_meta".into(), None));
        groups.sort_unstable();
        let mut at = 0;
        for (name, id) in groups {
            match id {
                None => {
                    json::separate(&mut out, at, 1);
                    self.json_meta(&mut out)?;
                    at += 1;
                }
                Some(id) => {
                    if self.json_group(&mut out, &name, id, at)? {
                        at += 1;
                    }
                }
            }
        }
        out.push_str("\n}\n");
        Ok(out)
    }

    fn json_meta(&mut self, out: &mut String) -> Result<(), Error> {
        let hosts = self.inventory.hosts_of(ALL);
        let hosts = hosts
            .iter()
            .filter_map(|id| self.inventory.hosts.get(*id).map(|host| Arc::clone(&host.name)));
        let hosts: Vec<Arc<str>> = hosts.collect();
        let mut entries: Vec<(Arc<str>, Arc<Map>)> = Vec::with_capacity(hosts.len());
        for host in hosts {
            if self.is_shown(&host) {
                let vars = self.host_vars(&host)?;
                if !vars.is_empty() {
                    entries.push((host, vars));
                }
            }
        }
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        out.push_str("\"_meta\": {\n        \"hostvars\": {");
        for (at, (host, vars)) in entries.iter().enumerate() {
            json::separate(out, at, 3);
            json::write_text(out, host);
            out.push_str(": ");
            json::write(out, &Value::Map(Arc::clone(vars)), 3, Profile::Inventory);
        }
        if entries.is_empty() {
            out.push('}');
        } else {
            json::close(out, 2, '}');
        }
        out.push_str(",\n        \"profile\": \"inventory_legacy\"\n    }");
        Ok(())
    }

    /// One group; false where there is nothing to say about it.
    fn json_group(
        &mut self,
        out: &mut String,
        name: &str,
        id: usize,
        at: usize,
    ) -> Result<bool, Error> {
        let children: Vec<Arc<str>> =
            self.children(id).into_iter().map(|child| self.name(child)).collect();
        let hosts = if id == ALL { Vec::new() } else { self.own_hosts(id) };
        let vars = if self.options.export { self.group_vars(id)? } else { Arc::default() };
        if children.is_empty() && hosts.is_empty() && vars.is_empty() {
            return Ok(false);
        }
        json::separate(out, at, 1);
        json::write_text(out, name);
        out.push_str(": {");
        let mut part = 0;
        for (key, names) in [("children", &children), ("hosts", &hosts)] {
            if names.is_empty() {
                continue;
            }
            json::separate(out, part, 2);
            part += 1;
            json::write_text(out, key);
            out.push_str(": [");
            for (at, name) in names.iter().enumerate() {
                json::separate(out, at, 3);
                json::write_text(out, name);
            }
            json::close(out, 2, ']');
        }
        if !vars.is_empty() {
            json::separate(out, part, 2);
            out.push_str("\"vars\": ");
            json::write(out, &Value::Map(vars), 2, Profile::Inventory);
        }
        json::close(out, 1, '}');
        Ok(true)
    }

    fn yaml(&mut self) -> Result<String, Error> {
        let mut seen = HashSet::new();
        let mut path = Vec::new();
        let all = self.yaml_group(ALL, &mut seen, &mut path)?;
        let mut top = Map::new();
        if !all.is_empty() {
            top.insert("all", all.into());
        }
        yaml(&top.into())
    }

    fn yaml_group(
        &mut self,
        id: usize,
        seen: &mut HashSet<Arc<str>>,
        path: &mut Vec<usize>,
    ) -> Result<Map, Error> {
        let mut out = Map::new();
        let mut children = Map::new();
        path.push(id);
        for child in self.children(id) {
            let inner = self.yaml_group(child, seen, path)?;
            if !inner.is_empty() {
                children.insert(self.name(child), inner.into());
            }
        }
        path.pop();
        if !children.is_empty() {
            out.insert("children", children.into());
        }
        if id != ALL {
            let hosts = self.hosts_once(id, seen)?;
            if !hosts.is_empty() {
                out.insert("hosts", hosts.into());
            }
        }
        if self.options.export {
            let vars = self.group_vars(id)?;
            if !vars.is_empty() {
                out.insert("vars", Value::Map(vars));
            }
        }
        Ok(out)
    }

    /// A group's own hosts, each with its variables where it was not met before.
    fn hosts_once(&mut self, id: usize, seen: &mut HashSet<Arc<str>>) -> Result<Map, Error> {
        let mut hosts = Map::new();
        for host in self.own_hosts(id) {
            // Not shared with other hosts: only what is shared inside counts as the same in YAML.
            let vars = if seen.insert(Arc::clone(&host)) {
                (*self.host_vars(&host)?).clone()
            } else {
                Map::new()
            };
            hosts.insert(host, vars.into());
        }
        Ok(hosts)
    }

    fn toml(&mut self) -> Result<String, Error> {
        let mut seen = HashSet::new();
        let mut top = Map::new();
        for id in self.reachable() {
            let mut group = Map::new();
            if id != ALL {
                let children: Vec<Value> = self
                    .children(id)
                    .into_iter()
                    .map(|child| Value::from(&*self.name(child)))
                    .collect();
                if !children.is_empty() {
                    group.insert("children", Value::list(children));
                }
                let hosts = self.hosts_once(id, &mut seen)?;
                if !hosts.is_empty() {
                    group.insert("hosts", hosts.into());
                }
            }
            if self.options.export {
                let vars = self.group_vars(id)?;
                if !vars.is_empty() {
                    group.insert("vars", Value::Map(vars));
                }
            }
            if !group.is_empty() {
                top.insert(self.name(id), group.into());
            }
        }
        if top.is_empty() {
            return Ok(String::new());
        }
        toml_text::dump(&top)
    }

    fn graph_group(
        &mut self,
        out: &mut String,
        id: usize,
        vars: bool,
        depth: usize,
    ) -> Result<(), Error> {
        graph_line(out, &format!("@{}:", self.name(id)), depth);
        for child in self.children(id) {
            self.graph_group(out, child, vars, depth + 1)?;
        }
        if id != ALL {
            for host in self.own_hosts(id) {
                graph_line(out, &host, depth + 1);
                if vars {
                    let vars = self.host_vars(&host)?;
                    self.graph_vars(out, &vars, depth + 2)?;
                }
            }
        }
        if vars {
            let vars = self.group_vars(id)?;
            self.graph_vars(out, &vars, depth + 1)?;
        }
        Ok(())
    }

    fn graph_vars(&mut self, out: &mut String, vars: &Map, depth: usize) -> Result<(), Error> {
        let mut entries: Vec<(String, &Value)> =
            vars.iter().map(|(key, value)| (key.to_text(), value)).collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, value) in entries {
            let text = match value {
                Value::Str(text) if text.is_vault() => match &self.inventory.options.decrypt {
                    Some(decrypt) => decrypt(text, "").map_err(Error::refused)?,
                    None => {
                        return Err(Error::refused(
                            "Attempting to decrypt but no vault secrets found.",
                        ));
                    }
                },
                value => value.to_str(),
            };
            graph_line(out, &format!("{{{name} = {text}}}"), depth);
        }
        Ok(())
    }
}

fn graph_line(out: &mut String, text: &str, depth: usize) {
    for _ in 0..depth {
        out.push_str("  |");
    }
    if depth > 0 {
        out.push_str("--");
    }
    out.push_str(text);
    out.push('\n');
}

/// Without the variables that belong to a run.
fn shown(vars: Arc<Map>) -> Arc<Map> {
    let internal = |key: &davit_value::Key| key.as_str().is_some_and(is_internal);
    if !vars.keys().any(internal) {
        return vars;
    }
    Arc::new(
        vars.iter()
            .filter(|(key, _)| !internal(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}

/// YAML as the original writes it: sorted, in blocks, the very same collection only once.
pub(crate) fn yaml(value: &Value) -> Result<String, Error> {
    let options = DumpOptions {
        default_flow_style: FlowStyle::Never,
        aliases: true,
        ..DumpOptions::default()
    };
    davit_yaml::dump(value, &options).map_err(|error| Error::Unwritable(error.to_string()))
}
