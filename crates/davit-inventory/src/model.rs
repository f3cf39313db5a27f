//! Hosts, groups and how they hang together. Knows no file format; variables are merged in `vars`.

use std::path::Path;
use std::sync::{Arc, Mutex};

use davit_value::{Map, Origin, Value};
use indexmap::{IndexMap, IndexSet};

use crate::error::{Error, Place, Warning};
use crate::options::{GroupNames, HashBehaviour, LoadOptions};
use crate::reserved::is_reserved;
use crate::vars::{Cache, combine};
use crate::view::{GroupView, HostView};

/// Names that mean this machine where no source defines them.
pub(crate) const LOCALHOST: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// The group of every host.
pub(crate) const ALL: usize = 0;
/// The group of hosts that are in no other.
pub(crate) const UNGROUPED: usize = 1;

/// Variables of one place, and where those stand whose names are reserved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vars {
    pub(crate) map: Arc<Map>,
    pub(crate) reserved: Vec<(Arc<str>, Option<Place>)>,
}

impl Vars {
    /// Remembers where a reserved name stands; the first place counts, as Python keeps the first key.
    pub(crate) fn note(&mut self, name: &str, place: Option<Place>) {
        if is_reserved(name) && !self.reserved.iter().any(|(it, _)| &**it == name) {
            self.reserved.push((name.into(), place));
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) vars: Vars,
    pub(crate) hosts: IndexSet<usize>,
    pub(crate) children: IndexSet<usize>,
    pub(crate) parents: IndexSet<usize>,
    pub(crate) depth: u32,
    pub(crate) priority: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) name: Arc<str>,
    pub(crate) vars: Vars,
    pub(crate) groups: IndexSet<usize>,
    /// The source that first named it, and its folder.
    pub(crate) source: Option<(Arc<str>, Option<Arc<str>>)>,
    pub(crate) implicit: bool,
}

/// Hosts and groups with their variables.
#[derive(Debug)]
pub struct Inventory {
    pub(crate) hosts: Vec<Host>,
    pub(crate) host_ids: IndexMap<Arc<str>, usize>,
    pub(crate) groups: Vec<Group>,
    pub(crate) group_ids: IndexMap<Arc<str>, usize>,
    /// Folders beside which `group_vars` and `host_vars` are looked for, in the order of the sources.
    pub(crate) folders: Vec<Arc<Path>>,
    pub(crate) sources: Vec<String>,
    pub(crate) current: Option<(Arc<str>, Option<Arc<str>>)>,
    pub(crate) implicit: Vec<(Arc<str>, usize)>,
    pub(crate) options: Arc<LoadOptions>,
    pub(crate) odd_names: bool,
    pub(crate) cache: Mutex<Cache>,
}

impl Clone for Inventory {
    fn clone(&self) -> Self {
        Self {
            hosts: self.hosts.clone(),
            host_ids: self.host_ids.clone(),
            groups: self.groups.clone(),
            group_ids: self.group_ids.clone(),
            folders: self.folders.clone(),
            sources: self.sources.clone(),
            current: self.current.clone(),
            implicit: self.implicit.clone(),
            options: Arc::clone(&self.options),
            odd_names: self.odd_names,
            cache: Mutex::default(),
        }
    }
}

impl Default for Inventory {
    fn default() -> Self {
        Self::new(Arc::new(LoadOptions::default()))
    }
}

impl Inventory {
    /// An inventory without hosts.
    #[must_use]
    pub fn new(options: Arc<LoadOptions>) -> Self {
        let mut inventory = Self {
            hosts: Vec::new(),
            host_ids: IndexMap::new(),
            groups: Vec::new(),
            group_ids: IndexMap::new(),
            folders: Vec::new(),
            sources: Vec::new(),
            current: None,
            implicit: Vec::new(),
            options,
            odd_names: false,
            cache: Mutex::default(),
        };
        inventory.new_group("all");
        inventory.new_group("ungrouped");
        inventory.link(ALL, UNGROUPED);
        for name in LOCALHOST {
            inventory.implicit_localhost(name);
        }
        inventory
    }

    /// What it was loaded with.
    #[must_use]
    pub fn options(&self) -> &Arc<LoadOptions> {
        &self.options
    }

    /// The sources it was loaded from, as `ansible_inventory_sources` has them.
    #[must_use]
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// The host of that name; for the names of this machine the implicit one, where no source defines them.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<HostView<'_>> {
        let id = self.host_id(name)?;
        Some(HostView { inventory: self, host: self.hosts.get(id)? })
    }

    /// The group of that name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<GroupView<'_>> {
        self.group_ids.get(name).map(|id| GroupView { inventory: self, id: *id })
    }

    /// Every host in order of definition; no implicit localhost.
    pub fn hosts(&self) -> impl Iterator<Item = HostView<'_>> {
        self.host_ids
            .values()
            .filter_map(|id| Some(HostView { inventory: self, host: self.hosts.get(*id)? }))
    }

    /// Every group in order of definition, `all` and `ungrouped` first.
    pub fn groups(&self) -> impl Iterator<Item = GroupView<'_>> {
        self.group_ids.values().map(|id| GroupView { inventory: self, id: *id })
    }

    /// Names of the groups of `host` but for `all`, sorted: `group_names`.
    #[must_use]
    pub fn groups_of(&self, host: &str) -> Vec<Arc<str>> {
        let Some(id) = self.host_id(host) else { return Vec::new() };
        let mut names: Vec<_> = self
            .ancestors_of_host(id)
            .into_iter()
            .filter(|group| *group != ALL)
            .filter_map(|group| self.groups.get(group).map(|group| Arc::clone(&group.name)))
            .collect();
        names.sort_unstable();
        names
    }

    /// The magic variable `groups`: every group's hosts, by name.
    #[must_use]
    pub fn groups_map(&self) -> Arc<Map> {
        if let Ok(cache) = self.cache.lock()
            && let Some(map) = &cache.groups_map
        {
            return Arc::clone(map);
        }
        let names: Vec<Value> = self.hosts.iter().map(|host| Value::from(&*host.name)).collect();
        let map: Map = self
            .group_ids
            .iter()
            .map(|(name, id)| {
                let hosts = self.hosts_of(*id);
                let hosts = hosts.iter().filter_map(|id| names.get(*id).cloned()).collect();
                (Arc::clone(name), Value::list(hosts))
            })
            .collect();
        let map = Arc::new(map);
        if let Ok(mut cache) = self.cache.lock() {
            cache.groups_map = Some(Arc::clone(&map));
        }
        map
    }

    pub(crate) fn host_id(&self, name: &str) -> Option<usize> {
        self.host_ids
            .get(name)
            .copied()
            .or_else(|| self.implicit.iter().find(|(it, _)| &**it == name).map(|(_, id)| *id))
    }

    pub(crate) fn host_mut(&mut self, id: usize) -> Result<&mut Host, Error> {
        self.hosts.get_mut(id).ok_or_else(|| Error::refused("no such host"))
    }

    /// Forgets what was worked out from hosts and groups.
    pub(crate) fn changed(&mut self) {
        if let Ok(cache) = self.cache.get_mut() {
            cache.forget_hosts();
        }
    }

    fn new_group(&mut self, name: &str) -> usize {
        let name: Arc<str> = name.into();
        let id = self.groups.len();
        self.groups.push(Group {
            name: Arc::clone(&name),
            vars: Vars::default(),
            hosts: IndexSet::new(),
            children: IndexSet::new(),
            parents: IndexSet::new(),
            depth: 0,
            priority: 1,
        });
        self.group_ids.insert(name, id);
        id
    }

    /// The group of that name, made where it does not exist.
    pub(crate) fn ensure_group(
        &mut self,
        name: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<usize, Error> {
        if name.is_empty() {
            return Err(Error::refused("Invalid empty/false group name provided: "));
        }
        let name = &*self.group_name(name, warnings);
        Ok(match self.group_ids.get(name) {
            Some(id) => *id,
            None => {
                self.changed();
                self.new_group(name)
            }
        })
    }

    /// The name as the settings want it.
    fn group_name<'n>(
        &mut self,
        name: &'n str,
        warnings: &mut Vec<Warning>,
    ) -> std::borrow::Cow<'n, str> {
        if is_identifier(name) {
            return name.into();
        }
        let how = self.options.group_names;
        if matches!(how, GroupNames::Never | GroupNames::Always) && !self.odd_names {
            self.odd_names = true;
            let what = if how == GroupNames::Never {
                "but not replaced"
            } else {
                "and automatically replaced"
            };
            warnings.push(Warning::new(format!(
                "Invalid characters were found in group names {what}, use -vvvv to see details"
            )));
        }
        match how {
            GroupNames::Never | GroupNames::Ignore => name.into(),
            GroupNames::Always | GroupNames::Silently => identifier(name).into(),
        }
    }

    /// The host of that name, made where it does not exist.
    pub(crate) fn ensure_host(&mut self, name: &str, port: Option<u32>) -> Result<usize, Error> {
        if name.is_empty() {
            return Err(Error::refused("Invalid empty host name provided: "));
        }
        let id = match self.host_ids.get(name) {
            Some(id) => *id,
            None => {
                let name: Arc<str> = name.into();
                let id = self.hosts.len();
                self.hosts.push(Host {
                    name: Arc::clone(&name),
                    vars: Vars::default(),
                    groups: IndexSet::new(),
                    source: self.current.clone(),
                    implicit: false,
                });
                self.host_ids.insert(name, id);
                if let Some(port) = port {
                    self.set_host_var(id, "ansible_port".into(), Value::from(port))?;
                }
                self.changed();
                id
            }
        };
        Ok(id)
    }

    /// Sets a variable of a host.
    pub(crate) fn set_host_var(
        &mut self,
        id: usize,
        name: davit_value::Key,
        value: Value,
    ) -> Result<(), Error> {
        let behaviour = self.options.hash_behaviour;
        set(&mut self.host_mut(id)?.vars, name, value, behaviour);
        Ok(())
    }

    /// Sets variables of a host; where it has none yet, it shares theirs.
    pub(crate) fn set_host_vars(&mut self, id: usize, vars: &Arc<Map>) -> Result<(), Error> {
        let behaviour = self.options.hash_behaviour;
        let host = self.host_mut(id)?;
        if host.vars.map.is_empty() {
            host.vars.map = Arc::clone(vars);
        } else {
            for (name, value) in &**vars {
                set(&mut host.vars, name.clone(), value.clone(), behaviour);
            }
        }
        Ok(())
    }

    /// Sets a variable of a group.
    pub(crate) fn set_group_var(
        &mut self,
        id: usize,
        name: davit_value::Key,
        value: Value,
    ) -> Result<(), Error> {
        let behaviour = self.options.hash_behaviour;
        let group = self.groups.get_mut(id).ok_or_else(|| Error::refused("no such group"))?;
        if name.as_str() == Some("ansible_group_priority") {
            group.priority = to_int(&value)?;
            return Ok(());
        }
        set(&mut group.vars, name, value, behaviour);
        Ok(())
    }

    /// Puts a host into a group; false where it is there.
    pub(crate) fn join(&mut self, group: usize, host: usize) -> bool {
        let Some(it) = self.hosts.get_mut(host) else { return false };
        it.groups.insert(group);
        let new = self.groups.get_mut(group).is_some_and(|group| group.hosts.insert(host));
        if new {
            self.changed();
        }
        new
    }

    fn leave(&mut self, group: usize, host: usize) {
        if let (Some(it), Some(group_it)) = (self.hosts.get_mut(host), self.groups.get_mut(group)) {
            it.groups.shift_remove(&group);
            group_it.hosts.shift_remove(&host);
        }
    }

    fn link(&mut self, parent: usize, child: usize) {
        if let Some(it) = self.groups.get_mut(parent) {
            it.children.insert(child);
        }
        let depth = self.groups.get(parent).map_or(0, |it| it.depth) + 1;
        if let Some(it) = self.groups.get_mut(child) {
            it.parents.insert(parent);
        }
        self.sink(child, depth);
    }

    /// Makes `group` at least `depth` deep, and what is below it deeper.
    fn sink(&mut self, group: usize, depth: u32) {
        let mut todo = vec![(group, depth)];
        while let Some((group, depth)) = todo.pop() {
            let Some(it) = self.groups.get_mut(group) else { continue };
            if it.depth < depth {
                it.depth = depth;
                todo.extend(it.children.iter().map(|child| (*child, depth + 1)));
            }
        }
    }

    /// Makes `child` a child of `parent`; false where it is one.
    pub(crate) fn add_child(&mut self, parent: usize, child: usize) -> Result<bool, Error> {
        if parent == child {
            return Err(Error::refused("can't add group to itself"));
        }
        if self.groups.get(parent).is_some_and(|it| it.children.contains(&child)) {
            return Ok(false);
        }
        if self.ancestors([parent]).contains(&child) {
            let name = |id: usize| self.groups.get(id).map_or("", |it| &it.name);
            return Err(Error::refused(format!(
                "Adding group '{}' as child to '{}' creates a recursive dependency loop.",
                name(child),
                name(parent)
            )));
        }
        self.link(parent, child);
        self.changed();
        Ok(true)
    }

    /// `groups` and everything above them.
    pub(crate) fn ancestors(&self, groups: impl IntoIterator<Item = usize>) -> IndexSet<usize> {
        let mut found: IndexSet<usize> = groups.into_iter().collect();
        let mut at = 0;
        while let Some(group) = found.get_index(at).copied() {
            at += 1;
            if let Some(group) = self.groups.get(group) {
                found.extend(group.parents.iter().copied());
            }
        }
        found
    }

    /// Every group of a host, `all` included.
    pub(crate) fn ancestors_of_host(&self, host: usize) -> IndexSet<usize> {
        self.hosts
            .get(host)
            .map(|host| self.ancestors(host.groups.iter().copied()))
            .unwrap_or_default()
    }

    /// The hosts of a group and of those below it, level by level.
    pub(crate) fn hosts_of(&self, group: usize) -> Arc<[usize]> {
        if let Ok(cache) = self.cache.lock()
            && let Some(hosts) = cache.group_hosts.get(&group)
        {
            return Arc::clone(hosts);
        }
        let mut groups: IndexSet<usize> = IndexSet::from([group]);
        let mut hosts: IndexSet<usize> = IndexSet::new();
        let mut at = 0;
        while let Some(group) = groups.get_index(at).copied() {
            at += 1;
            if let Some(group) = self.groups.get(group) {
                hosts.extend(group.hosts.iter().copied());
                groups.extend(group.children.iter().copied());
            }
        }
        let hosts: Arc<[usize]> = hosts.into_iter().collect();
        if let Ok(mut cache) = self.cache.lock() {
            cache.group_hosts.insert(group, Arc::clone(&hosts));
        }
        hosts
    }

    /// What every inventory has in the end: groups without parents below `all`, hosts without groups in `ungrouped`.
    pub(crate) fn reconcile(&mut self, warnings: &mut Vec<Warning>) {
        self.reconcile_groups();
        for host in 0..self.hosts.len() {
            self.reconcile_host_quick(host);
        }
        let ungrouped = self.groups.get_mut(UNGROUPED);
        if let Some(group) = ungrouped {
            let hosts = &self.hosts;
            group.hosts.retain(|host| {
                hosts.get(*host).is_some_and(|host| host.groups.contains(&UNGROUPED))
            });
        }
        for name in self.group_ids.keys() {
            if self.host_ids.contains_key(name) {
                warnings.push(Warning::new(format!(
                    "Found both group and host with same name: {name}"
                )));
            }
        }
        self.changed();
    }

    pub(crate) fn reconcile_groups(&mut self) {
        for group in 0..self.groups.len() {
            if group != ALL && self.groups.get(group).is_some_and(|it| it.parents.is_empty()) {
                self.link(ALL, group);
            }
        }
    }

    /// As [`reconcile_host`](Self::reconcile_host), but the group's own list is left for one sweep at the end.
    fn reconcile_host_quick(&mut self, host: usize) {
        let Some(it) = self.hosts.get_mut(host) else { return };
        if it.implicit {
            return;
        }
        let others = it.groups.iter().any(|group| *group != ALL && *group != UNGROUPED);
        if others {
            it.groups.shift_remove(&UNGROUPED);
        } else if !it.groups.contains(&UNGROUPED) {
            self.join(UNGROUPED, host);
        }
    }

    pub(crate) fn reconcile_host(&mut self, host: usize) {
        let Some(it) = self.hosts.get(host) else { return };
        let others = it.groups.iter().any(|group| *group != ALL && *group != UNGROUPED);
        if others {
            self.leave(UNGROUPED, host);
        } else if !it.implicit {
            self.join(UNGROUPED, host);
        }
    }

    /// This machine under one of its names, where no source defines it.
    fn implicit_localhost(&mut self, name: &str) {
        let id = self.hosts.len();
        let mut vars = Map::new();
        vars.insert("ansible_connection", Value::from("local"));
        if let Some(interpreter) = &self.options.local_interpreter {
            vars.insert("ansible_python_interpreter", Value::from(interpreter.as_str()));
        }
        let name: Arc<str> = name.into();
        self.hosts.push(Host {
            name: Arc::clone(&name),
            vars: Vars { map: Arc::new(vars), reserved: Vec::new() },
            groups: IndexSet::from([ALL]),
            source: None,
            implicit: true,
        });
        self.implicit.push((name, id));
    }

    /// Warns of variable names that are no identifiers.
    pub(crate) fn check_name(
        name: &davit_value::Key,
        place: Option<Place>,
        warnings: &mut Vec<Warning>,
    ) {
        if name.as_str().is_some_and(is_variable_name) {
            return;
        }
        let warning = Warning::new(format!(
            "Accepting inventory variable with invalid name {}. This feature will be removed from ansible-core version 2.23.",
            name.to_value().repr()
        ))
        .deprecation()
        .help(
            "Variable names must be strings starting with a letter or underscore character, and contain only letters, numbers and underscores.",
        );
        warnings.push(match place {
            Some(place) => warning.at(place),
            None => warning,
        });
    }
}

fn set(vars: &mut Vars, name: davit_value::Key, value: Value, behaviour: HashBehaviour) {
    let map = Arc::make_mut(&mut vars.map);
    let value = match (map.get_key(&name), &value, behaviour) {
        (Some(Value::Map(old)), Value::Map(new), HashBehaviour::Merge) => {
            combine(old, new, behaviour).into()
        }
        _ => value,
    };
    map.insert(name, value);
}

/// The part of a host name before the first dot; addresses stay whole.
pub(crate) fn short_name(name: &str) -> &str {
    if name.parse::<std::net::IpAddr>().is_ok() {
        return name;
    }
    name.split('.').next().unwrap_or(name)
}

fn to_int(value: &Value) -> Result<i64, Error> {
    let refuse = |text: &str| {
        Error::refused(format!(
            "invalid literal for int() with base 10: {}",
            Value::from(text).repr()
        ))
    };
    match value {
        Value::Int(int) => {
            Ok(i64::try_from(*int).unwrap_or(if *int < 0 { i64::MIN } else { i64::MAX }))
        }
        Value::Bool(bool) => Ok(i64::from(*bool)),
        #[expect(clippy::cast_possible_truncation, reason = "Python truncates too")]
        Value::Float(float) => Ok(*float as i64),
        Value::Str(text) => text.trim().parse().map_err(|_| refuse(text)),
        other => Err(Error::refused(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            other.type_name()
        ))),
    }
}

/// True for letters, digits and `_` that do not begin with a digit: what group names should be.
pub(crate) fn is_identifier(name: &str) -> bool {
    !name.starts_with(|char: char| char.is_ascii_digit())
        && name.chars().all(|char| char == '_' || char.is_alphanumeric())
}

/// `name` with `_` for every character that a group name should not have.
pub(crate) fn identifier(name: &str) -> String {
    name.chars()
        .enumerate()
        .map(|(at, char)| {
            let good = char == '_' || char.is_alphanumeric();
            if !good || (at == 0 && char.is_ascii_digit()) { '_' } else { char }
        })
        .collect()
}

fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|char| char == '_' || char.is_ascii_alphabetic())
        && chars.all(|char| char == '_' || char.is_ascii_alphanumeric())
}

/// The place of a line of a source.
pub(crate) fn line_origin(file: &Arc<str>, line: u32) -> Origin {
    Origin { file: Arc::clone(file), line, column: 0 }
}
