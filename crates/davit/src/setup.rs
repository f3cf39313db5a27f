//! Puts together what commands need: configuration, vaults, templates, inventory, tables, settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use davit_event::Level;
use davit_inventory::Inventory;
use davit_playbook::{ActionGroups, Loader};
use davit_run::{Gathering, Hidden, Parts, Settings, World};
use davit_template::{Decrypt, Engine, Outside};
use davit_value::Map;
use davit_vault::Secrets;
use davit_yaml::Duplicates;

use crate::ask::Ask;
use crate::config::Config;
use crate::connections::{
    Login, Passwords, become_password, connections, new_run_name, privileges,
};
use crate::report::{Report, exit, warn};

/// The names of this machine.
const LOCALHOST: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What the command line means, in every command that reads playbooks or inventories.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) inventory: Vec<String>,
    pub(crate) limit: Option<String>,
    /// The hosts that a command names itself, where no play does.
    pub(crate) pattern: Option<String>,
    pub(crate) extra_vars: Vec<String>,
    /// `--tags`; without `-t`, what the configuration says.
    pub(crate) tags: Vec<String>,
    pub(crate) skip_tags: Vec<String>,
    pub(crate) start_at_task: Option<String>,
    pub(crate) check: bool,
    pub(crate) diff: bool,
    pub(crate) forks: Option<usize>,
    pub(crate) verbosity: u8,
    pub(crate) force_handlers: bool,
    pub(crate) flush_cache: bool,
    pub(crate) step: bool,
    pub(crate) vault_ids: Vec<String>,
    pub(crate) vault_password_files: Vec<String>,
    pub(crate) ask_vault_password: bool,
    pub(crate) connection: Option<String>,
    pub(crate) timeout: Option<u64>,
    pub(crate) task_timeout: Option<u64>,
    pub(crate) user: Option<String>,
    /// What else the command line says of connections.
    pub(crate) login: Login,
    /// Nothing is run: nobody is asked for passwords.
    pub(crate) only_lists: bool,
    /// `become`, `become_user`, `become_method` as the command line has them.
    pub(crate) privileges: BTreeMap<String, String>,
    pub(crate) strict: bool,
    /// Every tag is let through where none is chosen: for listings of tags.
    pub(crate) all_tags: bool,
    /// Stands for the playbook's folder where there is no playbook.
    pub(crate) playbook_dir: Option<PathBuf>,
    /// Where this machine keeps what the run replaces or removes.
    pub(crate) keep: Option<PathBuf>,
}

/// The vault secrets of a run.
pub(crate) struct Vault(pub(crate) Secrets);

impl Decrypt for Vault {
    fn decrypt(&self, ciphertext: &str) -> Result<String, String> {
        let plain = davit_vault::decrypt(ciphertext, &self.0).map_err(|error| error.to_string())?;
        String::from_utf8(plain).map_err(|error| error.to_string())
    }
}

/// The pieces that reading files needs, before there is a run.
pub(crate) struct Ground {
    pub(crate) config: Arc<Config>,
    pub(crate) folder: PathBuf,
    pub(crate) engine: Arc<Engine>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) tables: Arc<davit_run::Tables>,
    pub(crate) extra_vars: Arc<Map>,
    /// Answers templates and inventories that ask an API.
    pub(crate) ask: Ask,
    /// Asked for once, also where one run follows on another.
    passwords: OnceLock<Passwords>,
}

/// The working folder.
pub(crate) fn working_folder() -> Result<PathBuf, Report> {
    std::env::current_dir()
        .map_err(|error| Report::new(format!("cannot tell the working folder: {error}")))
}

impl Ground {
    /// Reads the configuration, the vault secrets and the extra variables.
    pub(crate) fn new(request: &Request) -> Result<Self, Report> {
        let folder = working_folder()?;
        let config = Config::load(&folder)?;
        for text in &config.warnings {
            warn(text);
        }
        let duplicates = match config
            .choice("DUPLICATE_YAML_DICT_KEY", &["error", "ignore", "warn"])?
            .as_str()
        {
            "error" => Duplicates::Error,
            "ignore" => Duplicates::Ignore,
            _ => Duplicates::Warn,
        };
        let broken = config.is("ALLOW_BROKEN_CONDITIONALS")?;
        let engine = Arc::new(Engine::new(davit_template::Settings {
            extensions: config.list_or_default("DEFAULT_JINJA2_EXTENSIONS"),
            allow_broken_conditionals: broken && !request.strict,
            duplicates,
            ..crate::ask::template_settings()
        }));
        let vault = Arc::new(Vault(crate::secrets::of_run(request, &config)?));
        let tables = Arc::new(crate::tables::all());
        let config = Arc::new(config);
        let mut ground = Self {
            config,
            folder,
            engine,
            vault,
            tables,
            extra_vars: Arc::default(),
            ask: Ask::default(),
            passwords: OnceLock::new(),
        };
        ground.extra_vars = Arc::new(ground.extra_vars(&request.extra_vars)?);
        Ok(ground)
    }

    /// What to do with a mapping that has a key twice.
    pub(crate) fn duplicates(&self) -> Duplicates {
        self.engine.settings().duplicates
    }

    /// A reader of playbook files.
    pub(crate) fn loader(
        &self,
        warn: Arc<dyn Fn(davit_playbook::Warning) + Send + Sync>,
    ) -> Loader {
        let tables = Arc::clone(&self.tables);
        let engine = Arc::clone(&self.engine);
        let vault = Arc::clone(&self.vault);
        Loader {
            is_action: Arc::new(move |name, collections| {
                tables.find(name).is_some()
                    || collections.iter().any(|it| tables.find(&format!("{it}.{name}")).is_some())
            }),
            is_lookup: Arc::new(move |name| engine.has_lookup(name)),
            vault: Some(Arc::new(move |bytes: &[u8]| {
                vault.decrypt(&String::from_utf8_lossy(bytes))
            })),
            is_reserved: Arc::new(davit_inventory::is_reserved),
            duplicates: self.duplicates(),
            groups: Arc::new(ActionGroups::new(self.config.paths("COLLECTIONS_PATHS"))),
            warn,
        }
    }

    /// What templates may reach.
    pub(crate) fn outside(&self) -> Outside {
        let config = Arc::clone(&self.config);
        Outside {
            environment: Arc::new(self.config.environment.clone()),
            folder: self.folder.clone(),
            vault: Some(Arc::<Vault>::clone(&self.vault)),
            config: Some(Arc::new(move |name: &str| config.value(name))),
            fetch: self
                .tables
                .module("ansible.builtin.uri")
                .map(|uri| crate::fetch::by(uri, &self.config.environment)),
            lookups: Some(self.ask.lookups()),
            ..Outside::none()
        }
    }

    /// The Python that playbooks may find here, for those that start it themselves.
    pub(crate) fn python(&self) -> String {
        let configured = self.config.get("INTERPRETER_PYTHON").filter(|it| it.starts_with('/'));
        if let Some(path) = configured {
            return path.to_owned();
        }
        let path = self.config.environment.get("PATH").map(String::as_str).unwrap_or_default();
        std::env::split_paths(path)
            .map(|it| it.join("python3"))
            .find(|it| it.is_file())
            .map_or_else(|| "/usr/bin/python3".to_owned(), |it| it.to_string_lossy().into_owned())
    }

    /// How much is said: the command line's word, else the configuration's.
    pub(crate) fn verbosity(&self, request: &Request) -> Result<u8, Report> {
        let configured = self.config.number("DEFAULT_VERBOSITY")?.unwrap_or(0);
        Ok(request.verbosity.max(u8::try_from(configured).unwrap_or(u8::MAX)))
    }

    /// How the run is to be done.
    pub(crate) fn settings(&self, request: &Request) -> Result<Settings, Report> {
        let config = &self.config;
        let defaults = Settings::default();
        let forks = config.number("DEFAULT_FORKS")?.and_then(|it| usize::try_from(it).ok());
        Ok(Settings {
            forks: request.forks.or(forks).unwrap_or(defaults.forks).max(1),
            check: request.check || config.is("CHECK_MODE_DEFAULT")?,
            diff: request.diff || config.is("DIFF_ALWAYS")?,
            tags: tags(request, config),
            skip_tags: if request.skip_tags.is_empty() {
                config.list_or_default("TAGS_SKIP")
            } else {
                request.skip_tags.clone()
            },
            start_at_task: request.start_at_task.clone(),
            limit: request.limit.clone(),
            extra_vars: Arc::clone(&self.extra_vars),
            verbosity: self.verbosity(request)?,
            force_handlers: request.force_handlers || config.is("DEFAULT_FORCE_HANDLERS")?,
            gathering: match config
                .choice("DEFAULT_GATHERING", &["implicit", "explicit", "smart"])?
                .as_str()
            {
                "explicit" => Gathering::Explicit,
                "smart" => Gathering::Smart,
                _ => Gathering::Implicit,
            },
            merge_hashes: config.text("DEFAULT_HASH_BEHAVIOUR") == "merge",
            inject_facts: config.is("INJECT_FACTS_AS_VARS")?,
            missing_handler_is_error: config.is("ERROR_ON_MISSING_HANDLER")?,
            any_errors_fatal: config.is("ANY_ERRORS_FATAL")?,
            become_defaults: privileges(request, config)?,
            become_password: become_password(config).map(Hidden::new),
            async_folder: config
                .plugin(&["ANSIBLE_ASYNC_DIR"], &[("defaults", "async_dir")])
                .map_or(defaults.async_folder, str::to_owned),
            connection: request
                .connection
                .clone()
                .unwrap_or_else(|| config.text("DEFAULT_TRANSPORT")),
            remote_user: request
                .user
                .clone()
                .or_else(|| config.get("DEFAULT_REMOTE_USER").map(str::to_owned)),
            no_log: config.is("DEFAULT_NO_LOG")?,
            strategy: config.text("DEFAULT_STRATEGY"),
            task_timeout: request.task_timeout.or(config.number("TASK_TIMEOUT")?).unwrap_or(0),
            poll_interval: config
                .number("DEFAULT_POLL_INTERVAL")?
                .unwrap_or(defaults.poll_interval),
            private_role_vars: config.is("DEFAULT_PRIVATE_ROLE_VARS")?,
            allow_broken_conditionals: self.engine.settings().allow_broken_conditionals,
            roles_path: config.paths("DEFAULT_ROLES_PATH"),
            collections_path: config.paths("COLLECTIONS_PATHS"),
            show_args: config.is("DISPLAY_ARGS_TO_STDOUT")?,
            show_custom_stats: config.is("SHOW_CUSTOM_STATS")?,
            folder: self.folder.clone(),
            environment: Arc::new(config.environment.clone()),
            tmp: std::env::temp_dir(),
            config_file: config.file.as_ref().map(|it| it.to_string_lossy().into_owned()),
            inventory_sources: self
                .sources(request)
                .iter()
                .map(|it| match it.contains(',') {
                    true => it.clone(),
                    false => self.folder.join(it).to_string_lossy().into_owned(),
                })
                .collect(),
            python: self.python(),
            user: current_user(),
            step: request.step,
            flush_cache: request.flush_cache,
            ..defaults
        })
    }

    fn passwords(&self, request: &Request) -> Result<Passwords, Report> {
        if let Some(known) = self.passwords.get() {
            return Ok(known.clone());
        }
        let asked = Passwords::of(request, &self.config)?;
        Ok(self.passwords.get_or_init(|| asked).clone())
    }

    /// The run itself.
    pub(crate) fn world(
        &self,
        request: &Request,
        bus: davit_event::Bus,
        resume: Vec<davit_event::Event>,
    ) -> Result<Arc<World>, Report> {
        let mut warnings = Vec::new();
        let inventory = self.inventory(request, &mut warnings)?;
        self.check_hosts(request, &inventory, &mut warnings)?;
        let mut settings = self.settings(request)?;
        settings.run_name = davit_run::run_name(&resume).unwrap_or_else(new_run_name);
        let passwords =
            if request.only_lists { Passwords::default() } else { self.passwords(request)? };
        passwords.all().for_each(|it| bus.mask().add(it));
        settings.become_password = passwords.for_become().or(settings.become_password);
        let target: Arc<OnceLock<Weak<World>>> = Arc::default();
        let loader = self.loader(self.warner(&target));
        let mut environment = self.config.environment.clone();
        // What a shell would have set for the modules.
        environment.entry("PWD".to_owned()).or_insert_with(|| self.folder.display().to_string());
        let options = davit_module::Options {
            dry_run: settings.check,
            keep: request.keep.clone(),
            environment: environment.into_iter().collect(),
        };
        let name = settings.run_name.clone();
        let connections = connections(request, &self.config, &passwords, (options, name))?;
        let world = World::new(Parts {
            settings,
            tables: crate::tables::of_run(),
            engine: Arc::clone(&self.engine),
            loader,
            outside: self.outside(),
            inventory,
            connections,
            facts: crate::facts::cache(&self.config)?,
            prompt: Arc::new(crate::prompt::Terminal),
            bus,
            resume,
        });
        // Nobody else has it yet.
        let _ = target.set(Arc::downgrade(&world));
        for warning in &warnings {
            tell(&world, warning);
        }
        Ok(world)
    }

    /// Passes what is odd in playbook files on to the run.
    fn warner(
        &self,
        target: &Arc<OnceLock<Weak<World>>>,
    ) -> Arc<dyn Fn(davit_playbook::Warning) + Send + Sync> {
        let target = Arc::clone(target);
        Arc::new(move |warning| {
            if let Some(world) = target.get().and_then(Weak::upgrade) {
                let level = if warning.deprecated { Level::Deprecated } else { Level::Warning };
                let origin = warning.origin.map(|it| it.to_string());
                world.message(level, &warning.message, origin, warning.help);
            }
        })
    }

    /// No host at all is worth a word, and an error where it is the limit's doing.
    pub(crate) fn check_hosts(
        &self,
        request: &Request,
        inventory: &Inventory,
        warnings: &mut Vec<davit_inventory::Warning>,
    ) -> Result<(), Report> {
        let nobody = inventory.hosts().next().is_none();
        // Who names this machine knows what there is.
        let meant = request.pattern.as_deref().is_some_and(|it| LOCALHOST.contains(&it));
        if nobody && !meant && self.config.is("LOCALHOST_WARNING")? {
            warnings.push(davit_inventory::Warning::new(
                "provided hosts list is empty, only localhost is available. Note that the implicit localhost does not match 'all'",
            ));
        }
        if request.pattern.is_some() {
            // The caller has looked at the hosts itself.
            return Ok(());
        }
        let Some(limit) = &request.limit else { return Ok(()) };
        let mut said = Vec::new();
        let left = inventory.match_hosts("all", Some(limit), &mut said)?;
        if left.is_empty() && !nobody {
            for warning in &said {
                warn(&warning.text());
            }
            return Err(Report::new(
                "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.",
            )
            .code(exit::ERROR));
        }
        Ok(())
    }
}

/// Tells the user what is odd in an inventory.
pub(crate) fn tell(world: &World, warning: &davit_inventory::Warning) {
    let level = match warning.severity {
        davit_inventory::Severity::Deprecation => Level::Deprecated,
        davit_inventory::Severity::Error => Level::Error,
        davit_inventory::Severity::Warning => Level::Warning,
    };
    if warning.causes.is_empty() {
        let origin = warning.place.as_ref().map(ToString::to_string);
        world.message(level, &warning.message, origin, warning.help.clone());
    } else {
        world.message(level, &warning.text(), None, None);
    }
}

fn tags(request: &Request, config: &Config) -> Vec<String> {
    let configured = config.list_or_default("TAGS_RUN");
    let chosen = [&request.tags, &request.skip_tags, &configured].iter().any(|it| !it.is_empty());
    if request.all_tags && !chosen && config.list_or_default("TAGS_SKIP").is_empty() {
        return Vec::new();
    }
    match (request.tags.is_empty(), configured.is_empty()) {
        (false, _) => request.tags.clone(),
        (true, false) => configured,
        (true, true) => vec!["all".into()],
    }
}

/// The name of the user that the program runs as.
fn current_user() -> String {
    let id = nix::unistd::geteuid();
    match nix::unistd::User::from_uid(id) {
        Ok(Some(user)) => user.name,
        _ => id.to_string(),
    }
}
