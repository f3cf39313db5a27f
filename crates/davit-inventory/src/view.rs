//! Hosts and groups as they may be looked at from outside.

use std::sync::Arc;

use davit_value::{Map, Value};

use crate::model::{Group, Host, Inventory, short_name};

/// A host as it may be looked at.
#[derive(Clone, Copy, Debug)]
pub struct HostView<'i> {
    pub(crate) inventory: &'i Inventory,
    pub(crate) host: &'i Host,
}

/// A group as it may be looked at.
#[derive(Clone, Copy, Debug)]
pub struct GroupView<'i> {
    pub(crate) inventory: &'i Inventory,
    pub(crate) id: usize,
}

impl<'i> HostView<'i> {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'i Arc<str> {
        &self.host.name
    }

    /// Its own variables from inventory files.
    #[must_use]
    pub fn vars(self) -> &'i Arc<Map> {
        &self.host.vars.map
    }

    /// True for this machine where no source defines it.
    #[must_use]
    pub fn is_implicit(self) -> bool {
        self.host.implicit
    }

    /// The source that first named it: `inventory_file`.
    #[must_use]
    pub fn file(self) -> Option<&'i Arc<str>> {
        self.host.source.as_ref().map(|(file, _)| file)
    }

    /// The folder of that source: `inventory_dir`.
    #[must_use]
    pub fn folder(self) -> Option<&'i Arc<str>> {
        self.host.source.as_ref()?.1.as_ref()
    }

    /// The magic variables that the inventory knows: `inventory_hostname`, `inventory_hostname_short`, `inventory_file`, `inventory_dir`,
    /// `group_names`. (`groups` is [`Inventory::groups_map`].)
    #[must_use]
    pub fn magic(self) -> Map {
        let mut map = Map::new();
        let name = self.name();
        map.insert("inventory_hostname", Value::from(&**name));
        map.insert("inventory_hostname_short", Value::from(short_name(name)));
        let groups =
            self.inventory.groups_of(name).iter().map(|group| Value::from(&**group)).collect();
        map.insert("group_names", Value::list(groups));
        match &self.host.source {
            Some((file, folder)) => {
                map.insert("inventory_file", Value::from(&**file));
                map.insert("inventory_dir", Value::from(folder.as_deref().unwrap_or("None")));
            }
            None if self.host.implicit => {}
            // A host that a run has added.
            None => {
                map.insert("inventory_file", Value::Null);
                map.insert("inventory_dir", Value::Null);
            }
        }
        map
    }
}

impl<'i> GroupView<'i> {
    fn group(self) -> Option<&'i Group> {
        self.inventory.groups.get(self.id)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'i str {
        self.group().map_or("", |group| &group.name)
    }

    /// Its variables from inventory files.
    #[must_use]
    pub fn vars(self) -> Option<&'i Arc<Map>> {
        self.group().map(|group| &group.vars.map)
    }

    /// How far it is from `all` at most.
    #[must_use]
    pub fn depth(self) -> u32 {
        self.group().map_or(0, |group| group.depth)
    }

    /// `ansible_group_priority`, or 1.
    #[must_use]
    pub fn priority(self) -> i64 {
        self.group().map_or(1, |group| group.priority)
    }

    /// Its own hosts, in order.
    pub fn own_hosts(self) -> impl Iterator<Item = &'i Arc<str>> {
        let hosts = &self.inventory.hosts;
        self.group()
            .into_iter()
            .flat_map(|it| it.hosts.iter())
            .filter_map(|id| hosts.get(*id).map(|it| &it.name))
    }

    /// Its own children, in order.
    pub fn children(self) -> impl Iterator<Item = GroupView<'i>> {
        let inventory = self.inventory;
        self.group()
            .into_iter()
            .flat_map(|it| it.children.iter())
            .map(move |id| GroupView { inventory, id: *id })
    }

    /// Its hosts and those of every group below it.
    #[must_use]
    pub fn all_hosts(self) -> Vec<Arc<str>> {
        let hosts = self.inventory.hosts_of(self.id);
        hosts
            .iter()
            .filter_map(|id| self.inventory.hosts.get(*id).map(|it| Arc::clone(&it.name)))
            .collect()
    }
}
