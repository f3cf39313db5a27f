//! How a run is to be done: what the command line and the configuration decide, as plain values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use davit_value::Map;

/// When a play that does not say so gathers facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gathering {
    /// Unless the play says no.
    #[default]
    Implicit,
    /// Where the play says yes.
    Explicit,
    /// As implicit, but not for hosts whose facts are there.
    Smart,
}

/// A text that is not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("********")
    }
}

/// How a run is to be done.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Hosts that run at the same time.
    pub forks: usize,
    /// Change nothing.
    pub check: bool,
    /// Show what changes in files.
    pub diff: bool,
    /// `--tags`.
    pub tags: Vec<String>,
    /// `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// `--start-at-task`.
    pub start_at_task: Option<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `-e`, all of them merged.
    pub extra_vars: Arc<Map>,
    /// `-v`, `-vv` ...
    pub verbosity: u8,
    /// Run notified handlers on failed hosts too.
    pub force_handlers: bool,
    /// When facts are gathered.
    pub gathering: Gathering,
    /// `gather_subset` where a play has none.
    pub gather_subset: Vec<String>,
    /// `gather_timeout` where a play has none, in seconds.
    pub gather_timeout: u64,
    /// Folder of custom facts on hosts.
    pub fact_path: Option<String>,
    /// `hash_behaviour = merge`.
    pub merge_hashes: bool,
    /// Facts are variables of their own too (`ansible_x`), not only members of `ansible_facts`.
    pub inject_facts: bool,
    /// A notified handler that does not exist is an error and not a warning.
    pub missing_handler_is_error: bool,
    /// `any_errors_fatal` where nothing says otherwise.
    pub any_errors_fatal: bool,
    /// `become` where nothing says otherwise, and the rest of it.
    pub become_defaults: BTreeMap<String, String>,
    /// What `become` asks for where no variable says it.
    pub become_password: Option<Hidden>,
    /// Connection where nothing says otherwise.
    pub connection: String,
    /// The user that hosts are logged in to as, where the command line or the configuration says so.
    pub remote_user: Option<String>,
    /// `no_log` for everything.
    pub no_log: bool,
    /// Strategy where a play has none.
    pub strategy: String,
    /// Time-out of each task, in seconds; 0 for none.
    pub task_timeout: u64,
    /// Between polls of asynchronous tasks, in seconds.
    pub poll_interval: u64,
    /// Where asynchronous tasks leave their results on hosts; `~` is the home folder there.
    pub async_folder: String,
    /// The user that the program runs as; empty where that is not known.
    pub user: String,
    /// Role variables stay inside their role.
    pub private_role_vars: bool,
    /// `error_on_undefined_vars` and `jinja2_native` are gone in 2.19; these remain of the engine.
    pub allow_broken_conditionals: bool,
    /// Folders in which roles are searched after those of the play.
    pub roles_path: Vec<PathBuf>,
    /// Folders in which collections are searched.
    pub collections_path: Vec<PathBuf>,
    /// Show each task's arguments in its event.
    pub show_args: bool,
    /// Show custom statistics at the end.
    pub show_custom_stats: bool,
    /// The working folder.
    pub folder: PathBuf,
    /// The environment that lookups and local programs see.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Where temporary files of the controller go.
    pub tmp: PathBuf,
    /// Path of the configuration file, where one was read.
    pub config_file: Option<String>,
    /// Inventory sources as given, for `ansible_inventory_sources`.
    pub inventory_sources: Vec<String>,
    /// What `ansible_playbook_python` says: the Python that playbooks may find here.
    pub python: String,
    /// What `ansible_version` says.
    pub version: [u32; 3],
    /// What hosts remember the run by; the same where it is taken up again. Empty = they do not.
    pub run_name: String,
    /// Ask before each task.
    pub step: bool,
    /// Forget cached facts first.
    pub flush_cache: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            forks: 100,
            check: false,
            diff: false,
            tags: vec!["all".into()],
            skip_tags: Vec::new(),
            start_at_task: None,
            limit: None,
            extra_vars: Arc::default(),
            verbosity: 0,
            force_handlers: false,
            gathering: Gathering::Implicit,
            gather_subset: Vec::new(),
            gather_timeout: 10,
            fact_path: None,
            merge_hashes: false,
            inject_facts: true,
            missing_handler_is_error: true,
            any_errors_fatal: false,
            become_defaults: BTreeMap::new(),
            become_password: None,
            connection: "ssh".into(),
            remote_user: None,
            no_log: false,
            strategy: "linear".into(),
            task_timeout: 0,
            poll_interval: 15,
            async_folder: "~/.ansible_async".into(),
            user: String::new(),
            private_role_vars: false,
            allow_broken_conditionals: false,
            roles_path: Vec::new(),
            collections_path: Vec::new(),
            show_args: false,
            show_custom_stats: false,
            folder: PathBuf::from("."),
            environment: Arc::default(),
            tmp: PathBuf::from("."),
            config_file: None,
            inventory_sources: Vec::new(),
            python: "python3".into(),
            version: [2, 19, 14],
            run_name: String::new(),
            step: false,
            flush_cache: false,
        }
    }
}
