//! Variables as a task sees them: every level of precedence, and the magic ones.
//!
//! A [`TaskScope`] holds shared layers and copies nothing; names are looked up from the highest
//! layer down. Templates in values are rendered by whoever uses them.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use davit_inventory::RUN_VARIABLES;
use davit_template::{Env, Outside, Scope};
use davit_value::{Key, Map, Object, Value};

use crate::state::read;
use crate::tree::{Ancestor, Role, Task};
use crate::world::{Play, World};

/// What `omit` is: an argument whose value it is is left out.
#[derive(Debug)]
pub(crate) struct Omit;

impl Object for Omit {
    fn type_name(&self) -> &'static str {
        "Omit"
    }
    fn repr(&self) -> String {
        "<<Omit>>".into()
    }
    fn text(&self) -> String {
        String::new()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// True for the value of `omit`.
pub(crate) fn is_omit(value: &Value) -> bool {
    matches!(value, Value::Object(object) if object.as_any().is::<Omit>())
}

/// Takes every `omit` out of lists and dictionaries inside `value`.
pub(crate) fn without_omit(value: Value) -> Value {
    fn has(value: &Value) -> bool {
        match value {
            Value::List(list) | Value::Tuple(list) => list.iter().any(has),
            Value::Map(map) => map.values().any(has),
            other => is_omit(other),
        }
    }
    if !has(&value) {
        return value;
    }
    match &value {
        Value::List(list) | Value::Tuple(list) => {
            Value::list(list.iter().filter(|it| !is_omit(it)).cloned().map(without_omit).collect())
        }
        Value::Map(map) => map
            .iter()
            .filter(|(_, it)| !is_omit(it))
            .map(|(key, it)| (key.clone(), without_omit(it.clone())))
            .collect::<Map>()
            .into(),
        _ => value,
    }
}

/// The variables of one task on one host.
#[derive(Clone)]
pub(crate) struct TaskScope {
    pub(crate) world: Arc<World>,
    pub(crate) play: Option<Arc<Play>>,
    pub(crate) host: Option<Arc<str>>,
    pub(crate) task: Option<Arc<Task>>,
    /// The folder of the playbook, for the variables beside it.
    folder: Option<PathBuf>,
    /// Highest first.
    layers: Vec<Arc<Map>>,
    /// Above everything: loop variables, what the task has registered so far.
    pub(crate) locals: Map,
    omit: Arc<Omit>,
}

impl TaskScope {
    /// The scope of `task` of `play` on `host`; each of the three may be missing.
    pub(crate) fn new(
        world: &Arc<World>,
        play: Option<&Arc<Play>>,
        host: Option<&Arc<str>>,
        task: Option<&Arc<Task>>,
    ) -> Self {
        let folder = play.map(|play| play.folder.clone());
        Self::in_folder(world, play, host, task, folder)
    }

    pub(crate) fn in_folder(
        world: &Arc<World>,
        play: Option<&Arc<Play>>,
        host: Option<&Arc<str>>,
        task: Option<&Arc<Task>>,
        folder: Option<PathBuf>,
    ) -> Self {
        let mut scope = Self {
            folder,
            world: Arc::clone(world),
            play: play.cloned(),
            host: host.cloned(),
            task: task.cloned(),
            layers: Vec::with_capacity(16),
            locals: Map::new(),
            omit: Arc::new(Omit),
        };
        scope.fill();
        scope
    }

    fn push(&mut self, layer: Arc<Map>) {
        if !layer.is_empty() {
            self.layers.push(layer);
        }
    }

    fn fill(&mut self) {
        let world = Arc::clone(&self.world);
        let task = self.task.clone();
        let role = task.as_ref().and_then(|it| it.role().cloned());
        let state = self.host.as_ref().map(|host| world.host(host));
        self.push(Arc::clone(&world.settings.extra_vars));
        self.push_task_vars(task.as_ref(), true);
        if let Some(role) = &role {
            self.push(Arc::clone(&role.params));
        }
        if let Some(state) = &state {
            self.push(state.set());
            self.push(state.included());
        }
        self.push_task_vars(task.as_ref(), false);
        if let Some(role) = &role {
            self.push(Arc::clone(&role.vars));
        }
        if let Some(play) = self.play.clone() {
            self.push(play.role_vars());
            for file in play.vars_files(self.host.as_ref()) {
                self.push(file);
            }
            self.push(play.prompted());
            self.push(Arc::clone(&play.vars));
        }
        if let Some(state) = &state
            && world.settings.inject_facts
        {
            self.push(state.facts());
        }
        if let Some(host) = &self.host {
            let inventory = read(&world.inventory);
            let folder = self.folder.as_deref();
            // A host that nobody knows is still one of all. Files that cannot be read have stopped
            // the play before.
            let vars = match inventory.host(host) {
                Some(_) => inventory.host_vars(host, folder),
                None => inventory.group_vars("all", folder),
            };
            drop(inventory);
            if let Ok(vars) = vars {
                self.push(vars);
            }
        }
        if let Some(role) = &role {
            self.push(Arc::clone(&role.defaults));
        }
        if let Some(play) = self.play.clone() {
            self.push(play.role_defaults());
        }
        if world.settings.merge_hashes {
            self.merge();
        }
    }

    /// Variables of the task and of what is around it, nearest first: those of includes, which
    /// stand above what tasks set, or the others.
    fn push_task_vars(&mut self, task: Option<&Arc<Task>>, includes: bool) {
        let Some(task) = task else { return };
        if !includes {
            self.push(Arc::clone(&task.vars));
        }
        for parent in task.parent.chain().filter(|it| it.is_include == includes) {
            self.push(Arc::clone(&parent.vars));
        }
    }

    /// `hash_behaviour = merge`: one layer in which dictionaries of several are merged.
    fn merge(&mut self) {
        let mut merged = Map::new();
        for layer in self.layers.iter().rev() {
            merge_into(&mut merged, layer);
        }
        self.layers = vec![Arc::new(merged)];
    }

    /// Folders in which files that the task names are searched, nearest first.
    pub(crate) fn search_path(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = Vec::new();
        let mut add = |folder: PathBuf| {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        };
        if let Some(task) = &self.task {
            if let Some(role) = task.role() {
                add(role.path.clone());
                for parent in role.parents.iter().rev() {
                    add(parent.path.clone());
                }
            }
            add(task.folder());
        }
        if let Some(play) = &self.play {
            add(play.folder.clone());
        }
        folders
    }

    /// What templates of the task may reach.
    pub(crate) fn outside(&self) -> Outside {
        Outside { search_path: self.search_path(), ..self.world.outside.clone() }
    }

    /// The value of a name, rendered.
    pub(crate) fn value(&self, name: &str) -> Result<Option<Value>, davit_template::Error> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        let outside = self.outside();
        Env::new(&self.world.engine, self, &outside).resolve(&raw).map(Some)
    }

    fn magic(&self, name: &str) -> Option<Value> {
        let world = &self.world;
        let settings = &world.settings;
        Some(match name {
            "omit" => Value::Object(Arc::<Omit>::clone(&self.omit)),
            "vars" => self.all().into(),
            "hostvars" => crate::hostvars::all(world, self.folder.as_ref()),
            "groups" => world.groups(),
            "group_names" => world.group_names(self.host.as_ref()?),
            "inventory_hostname" => (&**self.host.as_ref()?).into(),
            "inventory_file" | "inventory_dir" => {
                read(&world.inventory).host(self.host.as_ref()?)?.magic().get(name)?.clone()
            }
            "inventory_hostname_short" => {
                self.host.as_ref()?.split('.').next().unwrap_or_default().into()
            }
            "ansible_facts" => Value::Map(world.host(self.host.as_ref()?).short_facts()),
            "ansible_check_mode" => settings.check.into(),
            "ansible_diff_mode" => settings.diff.into(),
            "ansible_verbosity" => settings.verbosity.into(),
            "ansible_forks" => settings.forks.into(),
            "ansible_version" => world.version(),
            "ansible_run_tags" => strings(&settings.tags),
            "ansible_skip_tags" => strings(&settings.skip_tags),
            "ansible_limit" => settings.limit.as_deref()?.into(),
            "ansible_inventory_sources" => strings(&settings.inventory_sources),
            "ansible_config_file" => {
                settings.config_file.as_deref().map_or(Value::Null, Value::from)
            }
            "ansible_playbook_python" => settings.python.as_str().into(),
            "ansible_search_path" => Value::list(
                self.search_path().iter().map(|it| it.to_string_lossy().as_ref().into()).collect(),
            ),
            "environment" => self.environment(),
            // Of another host too, whose variables know no play.
            "playbook_dir" => self.folder.as_ref()?.to_string_lossy().as_ref().into(),
            _ => return self.play_magic(name),
        })
    }

    fn play_magic(&self, name: &str) -> Option<Value> {
        let play = self.play.as_ref()?;
        let role = || self.task.as_ref().and_then(|task| task.role());
        let hosts =
            |list: Vec<Arc<str>>| Value::list(list.iter().map(|it| (&**it).into()).collect());
        Some(match name {
            "ansible_play_name" => play.name.as_str().into(),
            "ansible_play_hosts" => hosts(read(&play.hosts).living()),
            "ansible_play_hosts_all" => hosts(read(&play.hosts).all.clone()),
            "ansible_play_batch" | "play_hosts" => hosts(read(&play.hosts).living_batch()),
            "role_name" | "ansible_role_name" => role()?.name.as_str().into(),
            "role_path" => role()?.path.to_string_lossy().as_ref().into(),
            "role_uuid" => format!("{:p}", Arc::as_ptr(role()?)).into(),
            "ansible_collection_name" => collection(role()?)?.into(),
            "ansible_parent_role_names" => {
                let parents = including(role()?)?;
                Value::list(parents.iter().map(|it| it.name.as_str().into()).collect())
            }
            "ansible_parent_role_paths" => {
                let parents = including(role()?)?;
                Value::list(
                    parents.iter().map(|it| it.path.to_string_lossy().as_ref().into()).collect(),
                )
            }
            "role_names" | "ansible_play_role_names" => strings(&play.role_names()),
            "ansible_dependent_role_names" => strings(&play.dependency_names()),
            "ansible_role_names" => {
                let mut names = play.role_names();
                names.extend(play.dependency_names());
                let mut seen = std::collections::BTreeSet::new();
                names.retain(|it| seen.insert(it.clone()));
                strings(&names)
            }
            _ => return None,
        })
    }

    fn environment(&self) -> Value {
        let Some(task) = &self.task else { return Value::list(Vec::new()) };
        let mut all = Vec::new();
        for (value, _) in task.keywords("environment").into_iter().rev() {
            match value {
                Value::List(list) => all.extend(list.iter().cloned()),
                Value::Null => {}
                other => all.push(other.clone()),
            }
        }
        Value::list(all)
    }

    /// Every variable, highest level first taken; `vars` and `hostvars` themselves left out of
    /// what has no end.
    pub(crate) fn all(&self) -> Map {
        let mut all = Map::new();
        let magic = magic_names();
        for name in &magic {
            if let Some(value) = self.magic(name) {
                all.insert(*name, value);
            }
        }
        for layer in self.layers.iter().rev() {
            for (key, value) in &**layer {
                if key.as_str().is_none_or(|name| magic.binary_search(&name).is_err()) {
                    all.insert(key.clone(), value.clone());
                }
            }
        }
        all.extend(&self.locals);
        all
    }
}

impl TaskScope {
    /// The variable `name` as somebody set it; [`get`](Scope::get) also knows what a task's keywords make of its connection.
    pub(crate) fn written(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.locals.get(name) {
            return Some(value.clone());
        }
        if let Some(value) = self.magic(name) {
            return Some(value);
        }
        let found = self.layers.iter().find_map(|layer| layer.get(name)).cloned();
        match (found, name, &self.host) {
            // Tasks know where their host is; the inventory need not say it.
            (None, "ansible_host", Some(host)) if self.task.is_some() => {
                Some(if self.is_this_machine() { "127.0.0.1" } else { &**host }.into())
            }
            (found, ..) => found,
        }
    }

    /// True where the host is this machine and no inventory names it.
    fn is_this_machine(&self) -> bool {
        let listed = |host: &str| {
            let inventory = read(&self.world.inventory);
            inventory.host(host).is_some_and(|it| !it.is_implicit())
        };
        self.host.as_ref().is_some_and(|it| crate::world::is_local_name(it) && !listed(it))
    }

    /// How the task reaches its host, as templates see it where no variable says so.
    fn way(&self, name: &str) -> Option<Value> {
        let task = self.task.as_ref()?;
        let keyword = |name: &str| {
            let value = task.keyword(name)?.0;
            Some(value.clone()).filter(|it| !it.is_null())
        };
        match name {
            "ansible_connection" => {
                if self.is_this_machine() {
                    return Some("local".into());
                }
                keyword("connection").or_else(|| Some((&*self.world.settings.connection).into()))
            }
            "ansible_user" | "ansible_ssh_user" | "ansible_connection_user" => {
                let names = ["ansible_user", "ansible_ssh_user"];
                let usual = || self.world.settings.remote_user.as_deref().map(Value::from);
                let written = names.iter().find_map(|it| self.written(it));
                written.or_else(|| keyword("remote_user")).or_else(usual)
            }
            "ansible_ssh_host" => self.written("ansible_host"),
            "ansible_shell_executable" => Some("/bin/sh".into()),
            _ => None,
        }
    }
}

impl Scope for TaskScope {
    fn get(&self, name: &str) -> Option<Value> {
        self.written(name).or_else(|| self.way(name))
    }

    fn names(&self) -> Vec<String> {
        let magic = magic_names().into_iter().filter(|it| self.magic(it).is_some());
        let mut names: Vec<String> = magic.map(str::to_owned).collect();
        names.push("vars".into());
        names.push("omit".into());
        for layer in self.layers.iter().map(|it| &**it).chain([&self.locals]) {
            names.extend(layer.keys().filter_map(Key::as_str).map(str::to_owned));
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Magic variables that `vars` lists, and inventories would not hide.
const MORE_MAGIC: &[&str] = &[
    "ansible_check_mode",
    "ansible_parent_role_names",
    "ansible_parent_role_paths",
    "ansible_play_name",
    "environment",
];

/// Magic variables that `vars` lists, in order.
fn magic_names() -> Vec<&'static str> {
    let mut names = [RUN_VARIABLES, MORE_MAGIC].concat();
    names.sort_unstable();
    names
}

/// The roles that include this one, nearest first; none for a dependency.
fn including(role: &Role) -> Option<Vec<&Ancestor>> {
    let around: Vec<_> = role.parents.iter().rev().take_while(|it| !it.by_dependency).collect();
    (!around.is_empty()).then_some(around)
}

fn strings(list: &[String]) -> Value {
    Value::list(list.iter().map(|it| it.as_str().into()).collect())
}

fn collection(role: &Role) -> Option<String> {
    let mut parts = role.name.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(collection), Some(_)) => Some(format!("{namespace}.{collection}")),
        _ => None,
    }
}

fn merge_into(into: &mut Map, from: &Map) {
    for (key, value) in from {
        let merged = match (into.get_key(key), value) {
            (Some(Value::Map(old)), Value::Map(new)) => {
                let mut both = (**old).clone();
                merge_into(&mut both, new);
                both.into()
            }
            _ => value.clone(),
        };
        into.insert(key.clone(), merged);
    }
}
