//! What every part of a run shares: settings, tables, inventory, hosts, the event stream.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use davit_event::{Bus, Counts, Kind, Level, Mask};
use davit_inventory::Inventory;
use davit_module::control::Shared;
use davit_playbook as written;
use davit_template::{Engine, Outside};
use davit_value::{Map, Value};

use crate::action::Tables;
use crate::connection::Connections;
use crate::facts::{FactCache, Keeper};
use crate::settings::Settings;
use crate::state::{HostState, Hosts, read, write};
use crate::tree::{Parent, Progress, Role};
use crate::underway::Underway;

/// True for the names that mean this machine when the inventory does not know them.
pub(crate) fn is_local_name(name: &str) -> bool {
    matches!(name, "localhost" | "127.0.0.1" | "::1")
}

/// What every part of a run shares.
pub struct World {
    /// How the run is to be done.
    pub settings: Settings,
    /// Modules and actions.
    pub tables: Tables,
    /// Templates.
    pub engine: Arc<Engine>,
    /// Reads playbook files.
    pub loader: written::Loader,
    /// What templates may reach; the search path is set for each task.
    pub outside: Outside,
    /// Hosts and groups; changes with `add_host` and `group_by`.
    pub inventory: RwLock<Inventory>,
    /// How hosts are reached.
    pub connections: Connections,
    /// Keeps facts between runs; without it they are forgotten.
    pub facts: Option<Arc<dyn FactCache>>,
    /// Answers prompts: `vars_prompt` and `pause`.
    pub prompt: Arc<dyn Prompt>,
    /// Secrets that events must not show.
    pub mask: Mask,
    /// What control modules keep between tasks, until the run ends.
    pub(crate) shared: Shared,
    /// Jobs of control modules, which are at work on this machine whatever host their task is for.
    jobs: Mutex<BTreeSet<String>>,
    bus: Mutex<Bus>,
    hosts: RwLock<HashMap<Arc<str>, Arc<HostState>>>,
    /// Hosts that an earlier play lost.
    pub(crate) lost: RwLock<Lost>,
    pub(crate) stats: Mutex<Stats>,
    pub(crate) replay: crate::resume::Replay,
    next_task: AtomicU32,
    next_play: AtomicU32,
    stop: AtomicU8,
    /// What runs now.
    pub(crate) underway: Underway,
    warned: Mutex<BTreeSet<String>>,
    started: AtomicBool,
    unasked: AtomicBool,
    /// The implicit host of this machine.
    local_name: Mutex<Option<Arc<str>>>,
}

/// Asks the person at the terminal.
pub trait Prompt: Send + Sync {
    /// Shows `text` and returns what was typed, or `None` where nobody can be asked.
    fn ask(&self, text: &str, secret: bool) -> Option<String>;

    /// The same where a script may answer: `--step`.
    fn ask_anyone(&self, text: &str) -> Option<String> {
        self.ask(text, false)
    }
}

/// Hosts that are out of the run.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    pub(crate) failed: BTreeSet<Arc<str>>,
    pub(crate) unreachable: BTreeSet<Arc<str>>,
}

/// What the recap shows.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) counts: BTreeMap<String, Counts>,
    pub(crate) order: Vec<String>,
    pub(crate) custom: BTreeMap<String, Map>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What a [`World`] is made of.
pub struct Parts {
    /// See [`World::settings`].
    pub settings: Settings,
    /// See [`World::tables`].
    pub tables: Tables,
    /// See [`World::engine`].
    pub engine: Arc<Engine>,
    /// See [`World::loader`].
    pub loader: written::Loader,
    /// See [`World::outside`].
    pub outside: Outside,
    /// See [`World::inventory`].
    pub inventory: Inventory,
    /// See [`World::connections`].
    pub connections: Connections,
    /// See [`World::facts`].
    pub facts: Option<Arc<dyn FactCache>>,
    /// See [`World::prompt`].
    pub prompt: Arc<dyn Prompt>,
    /// Where events go.
    pub bus: Bus,
    /// The events of the run that is to be taken up again.
    pub resume: Vec<davit_event::Event>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl World {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let mask = parts.bus.mask().clone();
        let world = Arc::new_cyclic(|world: &std::sync::Weak<Self>| {
            let mut outside = parts.outside;
            let weak = world.clone();
            outside.warn = Some(Arc::new(move |text: &str| {
                if let Some(world) = weak.upgrade() {
                    world.warn(text);
                }
            }));
            let secrets = mask.clone();
            outside.secret = Some(Arc::new(move |text: &str| secrets.add(text)));
            let weak = world.clone();
            outside.inventory_hosts = Some(Arc::new(move |pattern: &str| {
                weak.upgrade().map_or_else(Vec::new, |world| world.select(pattern))
            }));
            Self {
                settings: parts.settings,
                tables: parts.tables,
                engine: parts.engine,
                loader: parts.loader,
                outside,
                inventory: RwLock::new(parts.inventory),
                connections: parts.connections,
                facts: parts.facts,
                prompt: parts.prompt,
                mask,
                shared: Shared::default(),
                jobs: Mutex::default(),
                bus: Mutex::new(parts.bus),
                hosts: RwLock::default(),
                lost: RwLock::default(),
                stats: Mutex::default(),
                replay: crate::resume::Replay::of(parts.resume),
                next_task: AtomicU32::new(0),
                next_play: AtomicU32::new(0),
                stop: AtomicU8::new(0),
                underway: Underway::default(),
                warned: Mutex::default(),
                local_name: Mutex::default(),
                started: AtomicBool::new(false),
                unasked: AtomicBool::new(false),
            }
        });
        let weak = Arc::downgrade(&world);
        world.connections.on_event(Arc::new(move |kind| {
            if let Some(world) = weak.upgrade() {
                world.emit(kind);
            }
        }));
        world
    }

    /// Sends an event to everybody who listens.
    pub(crate) fn emit(&self, kind: Kind) {
        let errors = self.bus.lock().unwrap_or_else(PoisonError::into_inner).emit(kind);
        for error in errors {
            tracing::warn!("a view was dropped: {error}");
            // Nobody reads any more what a closed pipe was to show; the run goes on without it.
        }
    }

    /// Tells the user of something that is not an error; each text once.
    pub fn warn(&self, text: &str) {
        self.message(Level::Warning, text, None, None);
    }

    /// Tells the user something, once for each text and place unless it is plain information or an error.
    pub fn message(&self, level: Level, text: &str, origin: Option<String>, help: Option<String>) {
        let first = self
            .warned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(format!("{level:?}{text}{origin:?}"));
        if first || matches!(level, Level::Info | Level::Error) {
            self.emit(Kind::Message { level, text: text.to_owned(), origin, help });
        }
    }

    /// This machine has one name in a run, whichever of its names comes first.
    pub(crate) fn settle_local_names(&self, hosts: &mut [Arc<str>]) {
        let inventory = read(&self.inventory);
        for host in hosts {
            if !is_local_name(host) || inventory.host(host).is_some_and(|it| !it.is_implicit()) {
                continue;
            }
            let mut first = self.local_name.lock().unwrap_or_else(PoisonError::into_inner);
            match &*first {
                Some(name) => *host = Arc::clone(name),
                None => *first = Some(Arc::clone(host)),
            }
        }
    }

    /// Reads the inventory's sources again; hosts that were added during the run are forgotten.
    pub(crate) fn refresh_inventory(&self) -> Result<(), davit_inventory::Error> {
        let mut warnings = Vec::new();
        let options = Arc::clone(read(&self.inventory).options());
        let sources = read(&self.inventory).sources().to_vec();
        let fresh = Inventory::load(&sources, &options, &mut warnings)?;
        *write(&self.inventory) = fresh;
        for warning in warnings {
            self.warn(&warning.text());
        }
        Ok(())
    }

    /// True until the task of `--start-at-task` has been found.
    #[must_use]
    pub fn is_before_start(&self) -> bool {
        self.settings.start_at_task.is_some() && !self.started.load(Ordering::Relaxed)
    }

    /// The task of `--start-at-task` has been found.
    pub(crate) fn start_found(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// `--step`, until somebody says to go on without asking.
    pub(crate) fn asks_before_tasks(&self) -> bool {
        self.settings.step && !self.unasked.load(Ordering::Relaxed)
    }

    /// The rest of the run is not asked about.
    pub(crate) fn ask_no_more(&self) {
        self.unasked.store(true, Ordering::Relaxed);
    }

    /// A number that differs between runs: for `order: shuffle`.
    pub(crate) fn seed(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |it| u64::from(it.subsec_nanos()) ^ it.as_secs())
    }

    /// The state of a host, made where it is not there yet.
    pub(crate) fn host(&self, name: &str) -> Arc<HostState> {
        if let Some(state) = read(&self.hosts).get(name) {
            return Arc::clone(state);
        }
        let host: Arc<str> = name.into();
        let state = match &self.facts {
            Some(cache) => HostState::kept_by(Keeper {
                cache: Arc::clone(cache),
                host: Arc::clone(&host),
                warn: self.outside.warn.clone(),
            }),
            None => HostState::default(),
        };
        Arc::clone(write(&self.hosts).entry(host).or_insert_with(|| Arc::new(state)))
    }

    /// `--flush-cache`: what was kept of the hosts is forgotten.
    pub(crate) fn forget_facts(&self) {
        if self.facts.is_none() {
            return;
        }
        let names: Vec<Arc<str>> =
            read(&self.inventory).hosts().map(|it| Arc::clone(it.name())).collect();
        for name in names.iter().map(|it| &**it).chain(["localhost"]) {
            self.host(name).clear_facts();
        }
    }

    /// Keeps in mind that a job is at work on this machine.
    pub(crate) fn note_job(&self, id: &str) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    /// Whether it is one of those.
    pub(crate) fn has_job(&self, id: &str) -> bool {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    pub(crate) fn next_task(&self) -> u32 {
        self.next_task.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_play(&self) -> u32 {
        self.next_play.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks the run to stop: once lets running tasks finish, but for control modules that have changed
    /// nothing so far; twice stops them too.
    pub fn stop(&self) {
        let before = self.stop.fetch_add(1, Ordering::Relaxed);
        self.underway.stop();
        if before > 0 {
            self.connections.cancel();
        }
    }

    /// True once the user asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn count(&self, host: &str, add: impl FnOnce(&mut Counts)) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        if !stats.counts.contains_key(host) {
            stats.order.push(host.to_owned());
        }
        add(stats.counts.entry(host.to_owned()).or_default());
    }

    /// The names of the hosts that `pattern` selects.
    pub(crate) fn select(&self, pattern: &str) -> Vec<String> {
        read(&self.inventory)
            .match_hosts(pattern, None, &mut Vec::new())
            .map(|hosts| hosts.iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    /// `groups`: the hosts of every group.
    pub(crate) fn groups(&self) -> Value {
        Value::Map(read(&self.inventory).groups_map())
    }

    pub(crate) fn group_names(&self, host: &str) -> Value {
        let names = read(&self.inventory).groups_of(host);
        Value::list(names.iter().map(|it| (&**it).into()).collect())
    }

    pub(crate) fn version(&self) -> Value {
        let [major, minor, revision] = self.settings.version;
        let full = format!("{major}.{minor}.{revision}");
        [
            ("string", Value::from(full.as_str())),
            ("full", full.as_str().into()),
            ("major", major.into()),
            ("minor", minor.into()),
            ("revision", revision.into()),
        ]
        .into_iter()
        .collect::<Map>()
        .into()
    }
}

/// A play while it runs.
#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) written: Arc<written::Play>,
    pub(crate) index: u32,
    pub(crate) name: String,
    /// `playbook_dir`.
    pub(crate) folder: PathBuf,
    pub(crate) vars: Arc<Map>,
    pub(crate) hosts: RwLock<Hosts>,
    pub(crate) prompted: RwLock<Arc<Map>>,
    files: RwLock<Files>,
    roles: RwLock<Roles>,
    pub(crate) handlers: RwLock<Vec<Arc<crate::handlers::Handler>>>,
    handler_lists: AtomicU32,
    /// What the playbook's import says of all its plays.
    pub(crate) imported: Option<Arc<Parent>>,
}

/// Variables of `vars_files`, lowest first: those that are the same for every host, and those that are not.
#[derive(Debug, Default)]
struct Files {
    by_host: HashMap<Arc<str>, Vec<Arc<Map>>>,
    common: Vec<Arc<Map>>,
}

#[derive(Debug, Default)]
struct Roles {
    /// Roles whose variables the whole play sees, in order.
    public: Vec<Arc<Role>>,
    defaults: Arc<Map>,
    vars: Arc<Map>,
    /// By what tells uses apart.
    progress: HashMap<String, Arc<Progress>>,
}

impl Play {
    #[expect(clippy::too_many_arguments, reason = "each is a field")]
    pub(crate) fn new(
        written: Arc<written::Play>,
        index: u32,
        name: String,
        folder: PathBuf,
        vars: Arc<Map>,
        imported: Option<Arc<Parent>>,
    ) -> Self {
        Self {
            written,
            index,
            name,
            folder,
            vars,
            hosts: RwLock::default(),
            prompted: RwLock::default(),
            files: RwLock::default(),
            roles: RwLock::default(),
            handlers: RwLock::default(),
            handler_lists: AtomicU32::new(0),
            imported,
        }
    }

    /// Numbers lists of handlers in the order in which they come in.
    pub(crate) fn next_handler_list(&self) -> u32 {
        self.handler_lists.fetch_add(1, Ordering::Relaxed)
    }

    /// Variables of `vars_files` for `host`, highest first.
    pub(crate) fn vars_files(&self, host: Option<&Arc<str>>) -> Vec<Arc<Map>> {
        let files = read(&self.files);
        let found = host.and_then(|host| files.by_host.get(host)).unwrap_or(&files.common);
        found.iter().rev().cloned().collect()
    }

    pub(crate) fn set_vars_files(&self, host: Option<&Arc<str>>, loaded: Vec<Arc<Map>>) {
        let mut files = write(&self.files);
        match host {
            Some(host) => {
                files.by_host.insert(Arc::clone(host), loaded);
            }
            None => files.common = loaded,
        }
    }

    pub(crate) fn prompted(&self) -> Arc<Map> {
        Arc::clone(&read(&self.prompted))
    }

    pub(crate) fn role_vars(&self) -> Arc<Map> {
        Arc::clone(&read(&self.roles).vars)
    }

    pub(crate) fn role_defaults(&self) -> Arc<Map> {
        Arc::clone(&read(&self.roles).defaults)
    }

    /// Makes the variables of `role` visible to the whole play.
    pub(crate) fn publish(&self, role: &Arc<Role>) {
        let mut roles = write(&self.roles);
        if roles.public.iter().any(|it| Arc::ptr_eq(it, role)) {
            return;
        }
        roles.public.push(Arc::clone(role));
        Arc::make_mut(&mut roles.defaults).extend(&role.defaults);
        Arc::make_mut(&mut roles.vars).extend(&role.vars);
    }

    /// How far the uses of a role are that are alike: for `allow_duplicates`.
    pub(crate) fn progress_of_role(&self, key: String) -> Arc<Progress> {
        Arc::clone(write(&self.roles).progress.entry(key).or_default())
    }

    /// Names of the roles in `roles:`.
    pub(crate) fn role_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for role in &read(&self.roles).public {
            if role.parents.is_empty() {
                names.push(role.name.clone());
            }
        }
        names
    }

    /// Names of the roles that those depend on.
    pub(crate) fn dependency_names(&self) -> Vec<String> {
        fn add(role: &Role, names: &mut Vec<String>) {
            for dependency in &role.dependencies {
                add(dependency, names);
                if !names.contains(&dependency.name) {
                    names.push(dependency.name.clone());
                }
            }
        }
        let mut names = Vec::new();
        for role in &read(&self.roles).public {
            add(role, &mut names);
        }
        names
    }
}
