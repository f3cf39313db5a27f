//! What a run adds to an inventory: `add_host`, `group_by`. Knows no actions, only what they do here.

use std::sync::Arc;

use davit_value::Map;

use crate::error::Error;
use crate::model::{ALL, Inventory};

impl Inventory {
    /// Adds a host during a run, as `add_host` does: to `groups`, which are made where they do not exist, with variables. True where
    /// anything changed.
    ///
    /// # Errors
    /// For a name that can be none.
    pub fn add_host(&mut self, name: &str, groups: &[&str], vars: &Map) -> Result<bool, Error> {
        let mut warnings = Vec::new();
        let known = self.host_ids.contains_key(name);
        let id = self.ensure_host(name, None)?;
        self.join(ALL, id);
        let mut changed = !known;
        let host = self.host_mut(id)?;
        let mut map = (*host.vars.map).clone();
        for (key, value) in vars {
            if map.get_key(key) != Some(value) {
                changed = true;
            }
            map.insert(key.clone(), value.clone());
        }
        host.vars.map = Arc::new(map);
        for group in groups {
            if !self.group_ids.contains_key(*group) {
                changed = true;
            }
            let group = self.ensure_group(group, &mut warnings)?;
            changed |= self.join(group, id);
        }
        self.reconcile_groups();
        self.reconcile_host(id);
        self.changed();
        Ok(changed)
    }

    /// Adds a group during a run, below `parents`, which are made where they do not exist. True where it, or a link, is new.
    ///
    /// # Errors
    /// For a name that can be none, and for parents that are its descendants.
    pub fn add_group(&mut self, name: &str, parents: &[&str]) -> Result<bool, Error> {
        let mut warnings = Vec::new();
        let mut changed = !self.group_ids.contains_key(name);
        let id = self.ensure_group(name, &mut warnings)?;
        // New groups hang below `all` before they get their parents.
        self.reconcile_groups();
        for parent in parents {
            changed |= !self.group_ids.contains_key(*parent);
            let parent = self.ensure_group(parent, &mut warnings)?;
            self.reconcile_groups();
            changed |= self.add_child(parent, id)?;
        }
        self.changed();
        Ok(changed)
    }

    /// Puts hosts into a group, as `group_by` does. True where anything changed.
    ///
    /// # Errors
    /// As [`add_group`](Self::add_group), and for hosts that are not there.
    pub fn group_by(&mut self, host: &str, group: &str, parents: &[&str]) -> Result<bool, Error> {
        let mut changed = self.add_group(group, parents)?;
        let host_id = self
            .host_id(host)
            .ok_or_else(|| Error::Unknown(format!("'{host}' is not a host in inventory")))?;
        let group_id = self.group_ids.get(group).copied().unwrap_or(ALL);
        changed |= self.join(group_id, host_id);
        self.reconcile_host(host_id);
        self.changed();
        Ok(changed)
    }
}
