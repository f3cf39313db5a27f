//! A host's variables from all levels of the inventory, merged in order and kept.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_value::{Map, Value};

use crate::error::{Error, Place, Warning};
use crate::files::{Kind, VarsFolder};
use crate::model::{ALL, Inventory, Vars};
use crate::options::{HashBehaviour, Level};

/// What was worked out from hosts, groups and files of variables.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    pub(crate) groups_map: Option<Arc<Map>>,
    pub(crate) group_hosts: HashMap<usize, Arc<[usize]>>,
    folders: HashMap<PathBuf, Arc<VarsFolder>>,
    layers: HashMap<(Vec<usize>, Option<PathBuf>), Vars>,
    hosts: HashMap<(usize, Option<PathBuf>), Vars>,
    /// What was odd about files of variables; not yet told.
    warnings: Vec<Warning>,
}

impl Cache {
    /// Forgets everything but the files.
    pub(crate) fn forget_hosts(&mut self) {
        self.groups_map = None;
        self.group_hosts.clear();
        self.layers.clear();
        self.hosts.clear();
    }
}

/// Dictionaries on top of one another; with [`HashBehaviour::Merge`] the dictionaries in them too.
pub(crate) fn combine(low: &Map, high: &Map, behaviour: HashBehaviour) -> Map {
    let mut out = low.clone();
    match behaviour {
        HashBehaviour::Replace => out.extend(high),
        HashBehaviour::Merge => {
            for (key, value) in high {
                let merged = match (out.get_key(key), value) {
                    (Some(Value::Map(old)), Value::Map(new)) => combine(old, new, behaviour).into(),
                    _ => value.clone(),
                };
                out.insert(key.clone(), merged);
            }
        }
    }
    out
}

/// `high` on top of `low`, which is changed in place.
fn stack(low: &mut Vars, high: &Vars, behaviour: HashBehaviour) {
    if high.map.is_empty() {
        return;
    }
    if low.map.is_empty() {
        *low = high.clone();
        return;
    }
    match behaviour {
        HashBehaviour::Replace => Arc::make_mut(&mut low.map).extend(&high.map),
        HashBehaviour::Merge => low.map = Arc::new(combine(&low.map, &high.map, behaviour)),
    }
    for (name, place) in &high.reserved {
        low.note(name, place.clone());
    }
}

impl Inventory {
    /// The variables of a host from the inventory and from `group_vars/` and `host_vars/` beside its sources and, where one is given, beside
    /// the playbook; merged, kept until the inventory changes. From low to high: variables of groups in the order of
    /// [`precedence`](crate::LoadOptions::precedence) (in each level `all` first, then by depth, priority and name), the host's own, `host_vars`
    /// beside the inventory, `host_vars` beside the playbook.
    ///
    /// # Errors
    /// For a host that is not there, and for files that are not YAML dictionaries or cannot be decrypted.
    pub fn host_vars(&self, host: &str, playbook: Option<&Path>) -> Result<Arc<Map>, Error> {
        self.merged(host, playbook).map(|vars| vars.map)
    }

    /// The variables of a group: its own from inventory files, then `group_vars` beside the inventory and the playbook.
    ///
    /// # Errors
    /// As [`host_vars`](Self::host_vars).
    pub fn group_vars(&self, group: &str, playbook: Option<&Path>) -> Result<Arc<Map>, Error> {
        let id = *self
            .group_ids
            .get(group)
            .ok_or_else(|| Error::Unknown(format!("no such group: {group}")))?;
        let Some(it) = self.groups.get(id) else { return Ok(Arc::default()) };
        let mut vars = it.vars.clone();
        let behaviour = self.options.hash_behaviour;
        for folder in self.vars_folders().chain(playbook) {
            stack(&mut vars, &self.file_vars(folder, Kind::Group, group)?, behaviour);
        }
        Ok(vars.map)
    }

    /// The variables of a host that no group gives it: its own from inventory files, then `host_vars` beside the inventory and the playbook.
    ///
    /// # Errors
    /// As [`host_vars`](Self::host_vars).
    pub fn own_vars(&self, host: &str, playbook: Option<&Path>) -> Result<Arc<Map>, Error> {
        let id = self.host_id(host).ok_or_else(|| unknown_host(host))?;
        let mut vars = self.hosts.get(id).map(|host| host.vars.clone()).unwrap_or_default();
        self.stack_host_files(&mut vars, host, playbook)?;
        Ok(vars.map)
    }

    /// Warnings of files of variables that were read since the last time this was asked.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<Warning> {
        self.cache.lock().map(|mut cache| std::mem::take(&mut cache.warnings)).unwrap_or_default()
    }

    /// The variables of a host with reserved names, as warnings.
    ///
    /// # Errors
    /// As [`host_vars`](Self::host_vars).
    pub fn reserved_names(
        &self,
        host: &str,
        playbook: Option<&Path>,
    ) -> Result<Vec<Warning>, Error> {
        let vars = self.merged(host, playbook)?;
        Ok(vars
            .reserved
            .iter()
            .map(|(name, place)| {
                let warning = Warning::new(format!("Found variable using reserved name '{name}'."));
                warning.at(place.clone().unwrap_or_else(|| Place::Named("<unknown>".into())))
            })
            .collect())
    }

    /// A host's variables while sources are still being read: those of the groups it is in so far and its own, with files on request.
    pub(crate) fn vars_so_far(&self, host: usize, with_files: bool) -> Result<Map, Error> {
        let Some(it) = self.hosts.get(host) else { return Ok(Map::new()) };
        let behaviour = self.options.hash_behaviour;
        let known = self.ancestors_of_host(host);
        let direct: Vec<usize> = it.groups.iter().copied().collect();
        let groups: Vec<usize> = known
            .contains(&ALL)
            .then_some(ALL)
            .into_iter()
            .chain(self.in_order_of_vars(&direct))
            .collect();
        let groups = groups.iter().filter_map(|group| self.groups.get(*group));
        let mut vars = Vars::default();
        for group in groups.clone() {
            stack(&mut vars, &group.vars, behaviour);
        }
        if with_files {
            for folder in self.vars_folders() {
                for group in groups.clone() {
                    stack(&mut vars, &self.file_vars(folder, Kind::Group, &group.name)?, behaviour);
                }
            }
        }
        stack(&mut vars, &it.vars, behaviour);
        if with_files {
            self.stack_host_files(&mut vars, &it.name, None)?;
        }
        Ok(Arc::unwrap_or_clone(vars.map))
    }

    fn merged(&self, host: &str, playbook: Option<&Path>) -> Result<Vars, Error> {
        let id = self.host_id(host).ok_or_else(|| unknown_host(host))?;
        let key = (id, playbook.map(Path::to_path_buf));
        if let Ok(cache) = self.cache.lock()
            && let Some(vars) = cache.hosts.get(&key)
        {
            return Ok(vars.clone());
        }
        let it = self.hosts.get(id).ok_or_else(|| unknown_host(host))?;
        let mut groups: Vec<usize> = it.groups.iter().copied().collect();
        groups.sort_unstable();
        let mut vars = self.group_layer(groups, playbook)?;
        stack(&mut vars, &it.vars, self.options.hash_behaviour);
        self.stack_host_files(&mut vars, host, playbook)?;
        if let Ok(mut cache) = self.cache.lock() {
            cache.hosts.insert(key, vars.clone());
        }
        Ok(vars)
    }

    fn stack_host_files(
        &self,
        vars: &mut Vars,
        host: &str,
        playbook: Option<&Path>,
    ) -> Result<(), Error> {
        for folder in self.vars_folders().chain(playbook) {
            stack(vars, &self.file_vars(folder, Kind::Host, host)?, self.options.hash_behaviour);
        }
        Ok(())
    }

    fn vars_folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(|folder| &**folder)
    }

    /// Everything that hosts with exactly these groups have from groups. Hosts with the same groups share it.
    fn group_layer(&self, direct: Vec<usize>, playbook: Option<&Path>) -> Result<Vars, Error> {
        let key = (direct, playbook.map(Path::to_path_buf));
        if let Ok(cache) = self.cache.lock()
            && let Some(vars) = cache.layers.get(&key)
        {
            return Ok(vars.clone());
        }
        let groups = self.in_order_of_vars(&key.0);
        let mut out = Vars::default();
        for level in &self.options.precedence {
            self.stack_level(&mut out, *level, &groups, playbook)?;
        }
        if let Ok(mut cache) = self.cache.lock() {
            cache.layers.insert(key, out.clone());
        }
        Ok(out)
    }

    /// The groups but `all` with everything above them: by depth, priority and name.
    fn in_order_of_vars(&self, direct: &[usize]) -> Vec<usize> {
        let mut groups: Vec<usize> = self
            .ancestors(direct.iter().copied())
            .into_iter()
            .filter(|group| *group != ALL)
            .collect();
        groups.sort_by(|a, b| match (self.groups.get(*a), self.groups.get(*b)) {
            (Some(a), Some(b)) => {
                (a.depth, a.priority, &a.name).cmp(&(b.depth, b.priority, &b.name))
            }
            _ => a.cmp(b),
        });
        groups
    }

    fn stack_level(
        &self,
        out: &mut Vars,
        level: Level,
        groups: &[usize],
        playbook: Option<&Path>,
    ) -> Result<(), Error> {
        let behaviour = self.options.hash_behaviour;
        let all = [ALL];
        let groups = match level {
            Level::AllInventory | Level::AllPluginsInventory | Level::AllPluginsPlay => &all[..],
            _ => groups,
        };
        let groups = groups.iter().filter_map(|group| self.groups.get(*group));
        match level {
            Level::AllInventory | Level::GroupsInventory => {
                for group in groups {
                    stack(out, &group.vars, behaviour);
                }
            }
            Level::AllPluginsInventory | Level::GroupsPluginsInventory => {
                for folder in self.vars_folders() {
                    for group in groups.clone() {
                        stack(out, &self.file_vars(folder, Kind::Group, &group.name)?, behaviour);
                    }
                }
            }
            Level::AllPluginsPlay | Level::GroupsPluginsPlay => {
                let Some(folder) = playbook else { return Ok(()) };
                for group in groups {
                    stack(out, &self.file_vars(folder, Kind::Group, &group.name)?, behaviour);
                }
            }
        }
        Ok(())
    }

    /// The variables that files below `folder` give a group or a host.
    fn file_vars(&self, folder: &Path, kind: Kind, name: &str) -> Result<Vars, Error> {
        let known = self.cache.lock().ok().and_then(|cache| cache.folders.get(folder).cloned());
        let mut warnings = Vec::new();
        let known = match known {
            Some(known) => known,
            None => {
                let read = Arc::new(VarsFolder::new(folder, &self.options, &mut warnings));
                if let Ok(mut cache) = self.cache.lock() {
                    cache.folders.insert(folder.to_path_buf(), Arc::clone(&read));
                }
                read
            }
        };
        let vars = known.vars(kind, name, &self.options, &mut warnings);
        if !warnings.is_empty()
            && let Ok(mut cache) = self.cache.lock()
        {
            cache.warnings.append(&mut warnings);
        }
        vars
    }
}

fn unknown_host(host: &str) -> Error {
    Error::Unknown(format!("'{host}' is not a host in inventory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_replace_or_merge() {
        let map = |text: &str| {
            let json: serde_json::Value = serde_json::from_str(text).unwrap();
            Value::from_json(&json).as_map().unwrap().clone()
        };
        let low = map(r#"{"a": {"x": 1, "l": [1]}, "b": 1}"#);
        let high = map(r#"{"a": {"y": 2, "l": [2]}}"#);
        let show = |behaviour| Value::from(combine(&low, &high, behaviour)).repr();
        assert_eq!(show(HashBehaviour::Replace), "{'a': {'y': 2, 'l': [2]}, 'b': 1}");
        assert_eq!(show(HashBehaviour::Merge), "{'a': {'x': 1, 'l': [2], 'y': 2}, 'b': 1}");
    }
}
