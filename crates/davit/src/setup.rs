//! Puts a run together from options and configuration: inventory, vaults, tables, views, store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_inventory::{Inventory, LoadOptions};
use davit_playbook::Loader;
use davit_run::{Connections, Gathering, Parts, Settings, World};
use davit_template::{Decrypt, Engine, Outside};
use davit_value::{Map, Value};
use davit_vault::{IdSpec, Secrets, Source};
use davit_yaml::Convert;

use crate::config::Config;
use crate::report::Report;

/// What the command line says about a run, in every command that makes one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) inventory: Vec<String>,
    pub(crate) limit: Option<String>,
    pub(crate) extra_vars: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) skip_tags: Vec<String>,
    pub(crate) start_at_task: Option<String>,
    pub(crate) check: bool,
    pub(crate) diff: bool,
    pub(crate) forks: Option<usize>,
    pub(crate) verbosity: u8,
    pub(crate) force_handlers: bool,
    pub(crate) vault_ids: Vec<String>,
    pub(crate) vault_password_files: Vec<String>,
    pub(crate) ask_vault_password: bool,
    pub(crate) connection: Option<String>,
    pub(crate) strict: bool,
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
    pub(crate) config: Config,
    pub(crate) folder: PathBuf,
    pub(crate) engine: Arc<Engine>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) tables: Arc<davit_run::Tables>,
    pub(crate) extra_vars: Arc<Map>,
}

impl Ground {
    /// Reads the configuration, the vault secrets and the extra variables.
    pub(crate) fn new(request: &Request) -> Result<Self, Report> {
        let folder = std::env::current_dir()
            .map_err(|error| Report::new(format!("cannot tell the working folder: {error}")))?;
        let config = Config::load(&folder);
        let engine = Arc::new(Engine::new(davit_template::Settings {
            extensions: config
                .list("ANSIBLE_JINJA2_EXTENSIONS", "defaults", "jinja2_extensions")
                .unwrap_or_default(),
            allow_broken_conditionals: !request.strict
                && config
                    .flag("ANSIBLE_ALLOW_BROKEN_CONDITIONALS", "defaults", "allow_broken_conditionals")
                    .unwrap_or(false),
            ..davit_template::Settings::default()
        }));
        let vault = Arc::new(Vault(secrets(request, &config)?));
        let tables = Arc::new(crate::tables::all());
        let mut ground =
            Self { config, folder, engine, vault, tables, extra_vars: Arc::default() };
        ground.extra_vars = Arc::new(ground.extra_vars(&request.extra_vars)?);
        Ok(ground)
    }

    /// A reader of playbook files.
    pub(crate) fn loader(&self, warn: Arc<dyn Fn(davit_playbook::Warning) + Send + Sync>) -> Loader {
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
            warn,
        }
    }

    /// What templates may reach.
    pub(crate) fn outside(&self) -> Outside {
        Outside {
            environment: Arc::new(self.config.environment.clone()),
            folder: self.folder.clone(),
            vault: Some(Arc::<Vault>::clone(&self.vault)),
            ..Outside::none()
        }
    }

    /// `-e`: `k=v k=v`, JSON, YAML, or `@file`.
    fn extra_vars(&self, given: &[String]) -> Result<Map, Report> {
        let mut all = Map::new();
        for text in given {
            let loader = self.loader(Arc::new(|_| {}));
            if let Some(path) = text.strip_prefix('@') {
                let path = self.folder.join(self.config.expand(path));
                all.extend(&loader.vars_file(&path)?);
            } else if text.trim_start().starts_with(['{', '[']) {
                let file: Arc<str> = "<extra vars>".into();
                let node = davit_yaml::parse(text, &file)
                    .map_err(|error| Report::new(error.to_string()))?;
                let value = match node {
                    Some(node) => Convert::trusted()
                        .value(&node, &file, text)
                        .map_err(|error| Report::new(error.to_string()))?,
                    None => Value::Null,
                };
                match value {
                    Value::Map(map) => all.extend(&map),
                    other => {
                        return Err(Report::new(format!(
                            "Invalid extra vars data supplied. '{}' could not be made into a dictionary",
                            other.to_str()
                        )));
                    }
                }
            } else {
                let text = davit_value::Str::trusted(text.as_str(), None);
                let parts = davit_playbook::free_form("set_fact", &text).map_err(Report::new)?;
                if let Some(raw) = parts.raw {
                    return Err(Report::new(format!(
                        "Invalid extra vars data supplied. '{raw}' could not be made into a dictionary"
                    )));
                }
                all.extend(&parts.args);
            }
        }
        Ok(all)
    }

    /// The sources of the inventory: the command line's, else the configuration's.
    pub(crate) fn sources(&self, request: &Request) -> Vec<String> {
        if !request.inventory.is_empty() {
            return request.inventory.clone();
        }
        let configured = self.config.get("ANSIBLE_INVENTORY", "defaults", "inventory");
        match configured {
            Some(text) => {
                let from_file = !self.config.environment.contains_key("ANSIBLE_INVENTORY");
                let base = self.config.file.as_deref().and_then(Path::parent).filter(|_| from_file);
                text.split(',')
                    .map(str::trim)
                    .filter(|it| !it.is_empty())
                    .map(|it| {
                        let path = self.config.expand(it);
                        let path = base.map_or_else(|| path.clone(), |base| base.join(&path));
                        path.to_string_lossy().into_owned()
                    })
                    .collect()
            }
            None => vec!["/etc/ansible/hosts".to_owned()],
        }
    }

    /// Reads the inventory.
    pub(crate) fn inventory(
        &self,
        request: &Request,
        warnings: &mut Vec<davit_inventory::Warning>,
    ) -> Result<Inventory, Report> {
        let vault = Arc::clone(&self.vault);
        let options = LoadOptions {
            folder: self.folder.clone(),
            environment: Arc::new(self.config.environment.clone()),
            decrypt: Some(Arc::new(move |text: &str, _path: &str| vault.decrypt(text))),
            engine: Arc::clone(&self.engine),
            outside: Arc::new(self.outside()),
            extra_vars: Arc::clone(&self.extra_vars),
            local_interpreter: Some(self.python()),
            ..LoadOptions::default()
        };
        Inventory::load(&self.sources(request), &options, warnings)
            .map_err(|error| Report::new(error.to_string()))
    }

    /// The Python that playbooks may find here, for those that start it themselves.
    pub(crate) fn python(&self) -> String {
        let path = self.config.environment.get("PATH").map(String::as_str).unwrap_or_default();
        std::env::split_paths(path)
            .map(|it| it.join("python3"))
            .find(|it| it.is_file())
            .map_or_else(|| "/usr/bin/python3".to_owned(), |it| it.to_string_lossy().into_owned())
    }

    /// How the run is to be done.
    pub(crate) fn settings(&self, request: &Request) -> Settings {
        let config = &self.config;
        let defaults = Settings::default();
        let flag = |variable: &str, key: &str| config.flag(variable, "defaults", key);
        Settings {
            forks: request
                .forks
                .or_else(|| usize::try_from(config.number("ANSIBLE_FORKS", "defaults", "forks")?).ok())
                .unwrap_or(defaults.forks),
            check: request.check || flag("ANSIBLE_CHECK_MODE_DEFAULT", "check_mode").unwrap_or(false),
            diff: request.diff || config.flag("ANSIBLE_DIFF_ALWAYS", "diff", "always").unwrap_or(false),
            tags: match (request.tags.is_empty(), config.list("ANSIBLE_RUN_TAGS", "tags", "run")) {
                (false, _) => request.tags.clone(),
                (true, Some(tags)) if !tags.is_empty() => tags,
                _ => vec!["all".into()],
            },
            skip_tags: if request.skip_tags.is_empty() {
                config.list("ANSIBLE_SKIP_TAGS", "tags", "skip").unwrap_or_default()
            } else {
                request.skip_tags.clone()
            },
            start_at_task: request.start_at_task.clone(),
            limit: request.limit.clone(),
            extra_vars: Arc::clone(&self.extra_vars),
            verbosity: request
                .verbosity
                .max(config.number("ANSIBLE_VERBOSITY", "defaults", "verbosity").and_then(|it| u8::try_from(it).ok()).unwrap_or(0)),
            force_handlers: request.force_handlers
                || flag("ANSIBLE_FORCE_HANDLERS", "force_handlers").unwrap_or(false),
            gathering: match config.get("ANSIBLE_GATHERING", "defaults", "gathering") {
                Some("explicit") => Gathering::Explicit,
                Some("smart") => Gathering::Smart,
                _ => Gathering::Implicit,
            },
            merge_hashes: config.get("ANSIBLE_HASH_BEHAVIOUR", "defaults", "hash_behaviour")
                == Some("merge"),
            inject_facts: flag("ANSIBLE_INJECT_FACT_VARS", "inject_facts_as_vars").unwrap_or(true),
            missing_handler_is_error: flag("ANSIBLE_ERROR_ON_MISSING_HANDLER", "error_on_missing_handler")
                .unwrap_or(true),
            any_errors_fatal: flag("ANSIBLE_ANY_ERRORS_FATAL", "any_errors_fatal").unwrap_or(false),
            connection: request
                .connection
                .clone()
                .or_else(|| config.get("ANSIBLE_TRANSPORT", "defaults", "transport").map(str::to_owned))
                .unwrap_or(defaults.connection),
            no_log: flag("ANSIBLE_NO_LOG", "no_log").unwrap_or(false),
            strategy: config
                .get("ANSIBLE_STRATEGY", "defaults", "strategy")
                .map_or(defaults.strategy, str::to_owned),
            task_timeout: config.number("ANSIBLE_TASK_TIMEOUT", "defaults", "task_timeout").unwrap_or(0),
            private_role_vars: flag("ANSIBLE_PRIVATE_ROLE_VARS", "private_role_vars").unwrap_or(false),
            allow_broken_conditionals: self.engine.settings().allow_broken_conditionals,
            roles_path: config.paths("ANSIBLE_ROLES_PATH", "defaults", "roles_path").unwrap_or_else(|| {
                ["~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles"]
                    .iter()
                    .map(|it| config.expand(it))
                    .collect()
            }),
            collections_path: config
                .paths("ANSIBLE_COLLECTIONS_PATH", "defaults", "collections_path")
                .unwrap_or_else(|| {
                    vec![config.expand("~/.ansible/collections"), "/usr/share/ansible/collections".into()]
                }),
            show_args: flag("ANSIBLE_DISPLAY_ARGS_TO_STDOUT", "display_args_to_stdout").unwrap_or(false),
            show_custom_stats: flag("ANSIBLE_SHOW_CUSTOM_STATS", "show_custom_stats").unwrap_or(false),
            folder: self.folder.clone(),
            environment: Arc::new(config.environment.clone()),
            tmp: std::env::temp_dir(),
            config_file: config.file.as_ref().map(|it| it.to_string_lossy().into_owned()),
            inventory_sources: self.sources(request).iter().map(|it| self.folder.join(it).to_string_lossy().into_owned()).collect(),
            python: self.python(),
            ..defaults
        }
    }

    /// The run itself.
    pub(crate) fn world(
        self,
        request: &Request,
        bus: davit_event::Bus,
        resume: Vec<davit_event::Event>,
    ) -> Result<Arc<World>, Report> {
        let mut warnings = Vec::new();
        let inventory = self.inventory(request, &mut warnings)?;
        let settings = self.settings(request);
        let kept: Arc<std::sync::Mutex<Vec<davit_playbook::Warning>>> = Arc::default();
        let loader = {
            let kept = Arc::clone(&kept);
            self.loader(Arc::new(move |warning| {
                if let Ok(mut kept) = kept.lock() {
                    kept.push(warning);
                }
            }))
        };
        let options = davit_module::Options {
            dry_run: settings.check,
            keep: None,
            environment: self.config.environment.clone().into_iter().collect(),
        };
        let outside = self.outside();
        let world = World::new(Parts {
            settings,
            tables: crate::tables::all(),
            engine: Arc::clone(&self.engine),
            loader,
            outside,
            inventory,
            connections: Connections::new(options),
            prompt: Arc::new(crate::prompt::Terminal),
            bus,
            resume,
        });
        for warning in warnings {
            world.warn(&warning.text());
        }
        Ok(world)
    }
}

/// The vault secrets that the command line and the configuration name.
fn secrets(request: &Request, config: &Config) -> Result<Secrets, Report> {
    let mut specs: Vec<IdSpec> = Vec::new();
    for id in config
        .list("ANSIBLE_VAULT_IDENTITY_LIST", "defaults", "vault_identity_list")
        .unwrap_or_default()
        .iter()
        .chain(&request.vault_ids)
    {
        specs.push(IdSpec::parse(id));
    }
    for file in &request.vault_password_files {
        specs.push(IdSpec::parse(file));
    }
    if request.vault_password_files.is_empty() && !request.ask_vault_password {
        if let Some(file) =
            config.get("ANSIBLE_VAULT_PASSWORD_FILE", "defaults", "vault_password_file")
        {
            specs.push(IdSpec::parse(file));
        }
    }
    if request.ask_vault_password {
        specs.push(IdSpec::parse("prompt_ask_vault_pass"));
    }
    let mut secrets = Secrets::default();
    for spec in specs {
        let secret = match &spec.source {
            Source::Prompt | Source::AskPass => {
                let text = spec.prompt().unwrap_or_default();
                let typed = davit_run::Prompt::ask(&crate::prompt::Terminal, &text, true)
                    .ok_or_else(|| Report::new("a vault password is to be asked for, and there is no terminal"))?;
                davit_vault::Secret::new(typed)
            }
            Source::File(path) => {
                let path = config.expand(&path.to_string_lossy());
                davit_vault::load_password(&path, &spec.label)
                    .map_err(|error| Report::new(error.to_string()))?
            }
        };
        secrets.add(spec.label, secret);
    }
    Ok(secrets)
}
