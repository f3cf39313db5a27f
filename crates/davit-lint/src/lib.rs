//! The static check: what is wrong before it runs.
//!
//! [`check`] walks playbooks, the files they include and the roles they use as far as names are constant, and
//! says what is wrong in them with the place and the nearest right word. What is only known at run time is
//! left alone: a value that is a template is not checked, and a variable is only called undefined where
//! nothing could define it.
//!
//! **Invariant:** nothing is run, no template is evaluated, nothing is printed.
//!
//! **Invariant:** it knows no module: what there is is asked for through [`Context::lookup`].

mod arguments;
mod conditions;
mod defaults;
mod files;
mod finding;
mod flow;
mod lookups;
mod names;
mod places;
mod report;
mod schema;
mod task;
mod templates;
mod walk;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use davit_inventory::Inventory;
use davit_module::Spec;
use davit_module::control::Look;
use davit_playbook::{Error, Loader, Warning};
use davit_template::Engine;
use davit_value::{Map, Origin};

pub use crate::finding::{Finding, RULES, Severity};
pub use crate::report::{json, sarif, text};
pub use crate::schema::{Shape, schema};

use crate::finding::{did_you_mean, nearest};
use crate::places::{Sources, moved};

/// What there is to know of a module or action.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its arguments, where they are known.
    pub spec: Option<Arc<Spec>>,
    /// The argument that takes free text.
    pub free_form: Option<String>,
    /// It takes any argument; what is in `spec` is only part of it.
    pub open: bool,
    /// What it says itself of arguments, where it does.
    pub look: Option<Look>,
}

/// What the check may ask.
pub struct Context<'c> {
    /// Reads files, and knows which actions and lookups there are.
    pub loader: Loader,
    /// Parses templates, and knows which filters and tests there are.
    pub engine: &'c Engine,
    /// The module or action of a name.
    pub lookup: &'c dyn Fn(&str) -> Option<Target>,
    /// The options of the lookup of a name, where they are known.
    pub lookup_spec: &'c dyn Fn(&str) -> Option<Spec>,
    /// Every module and action, for suggestions.
    pub names: Vec<String>,
    /// Keywords that name one of several ways, such as `connection`, and the ways there are.
    pub choices: &'c [(&'static str, &'static [&'static str])],
    /// The inventory, where it is known.
    pub inventory: Option<&'c Inventory>,
    /// The environment of the program that runs the plays, for modules that look at their arguments.
    pub environment: &'c BTreeMap<String, String>,
    /// Variables from the command line.
    pub extra_vars: &'c Map,
    /// Folders with roles.
    pub roles_path: Vec<PathBuf>,
    /// Folders that hold `ansible_collections`.
    pub collections_path: Vec<PathBuf>,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// What is wrong with `playbooks`, in the order of files and lines, each thing once.
#[must_use]
pub fn check(playbooks: &[PathBuf], context: &Context<'_>) -> Vec<Finding> {
    find(playbooks, context, true)
}

fn find(playbooks: &[PathBuf], context: &Context<'_>, looks: bool) -> Vec<Finding> {
    let mut all = Vec::new();
    for playbook in playbooks {
        let warnings: Arc<Mutex<Vec<Warning>>> = Arc::default();
        let mut loader = context.loader.clone();
        let sink = Arc::clone(&warnings);
        loader.warn = Arc::new(move |warning| {
            if let Ok(mut kept) = sink.lock() {
                kept.push(warning);
            }
        });
        let sources = Sources::new(&context.loader);
        let (found, lenient) = (RefCell::default(), Cell::new(false));
        let lint = Lint { context, loader, sources, looks, found, lenient };
        let walked = walk::walk(&lint, playbook);
        let warnings = warnings.lock().map(|it| it.clone()).unwrap_or_default();
        warnings.iter().for_each(|it| lint.warning(it));
        task::check_all(&lint, &walked);
        names::check(&lint, &walked);
        all.append(&mut lint.found.into_inner());
    }
    let mut seen = HashSet::new();
    all.retain(|it| seen.insert(it.clone()));
    all.sort_by(|a, b| {
        (&a.file, a.line, a.column, a.severity, a.rule, &a.message)
            .cmp(&(&b.file, b.line, b.column, b.severity, b.rule, &b.message))
    });
    all
}

/// The rules whose errors are certain whatever the hosts and variables turn out to be.
const CERTAIN: &[&str] = &[
    "conflicting-actions",
    "duplicate-loop",
    "invalid-choice",
    "invalid-structure",
    "invalid-type",
    "invalid-variable-name",
    "missing-argument",
    "no-action",
    "role-not-found",
    "template-syntax",
    "unknown-argument",
    "unknown-filter",
    "unknown-keyword",
    "unknown-lookup",
    "unknown-module",
    "unknown-test",
    "yaml-syntax",
];

/// What is certainly wrong with `playbooks`: reason enough not to start them.
#[must_use]
pub fn check_for_run(playbooks: &[PathBuf], context: &Context<'_>) -> Vec<Finding> {
    let mut found = find(playbooks, context, false);
    found.retain(|it| it.severity == Severity::Error && CERTAIN.contains(&it.rule));
    found
}

/// One check: what it asks, and what it found so far.
pub(crate) struct Lint<'c> {
    pub(crate) context: &'c Context<'c>,
    pub(crate) loader: Loader,
    pub(crate) sources: Sources<'c>,
    /// Modules look at their arguments themselves. What they say stops no run, and takes time.
    pub(crate) looks: bool,
    found: RefCell<Vec<Finding>>,
    /// What goes wrong now is rescued or ignored when it runs.
    pub(crate) lenient: Cell<bool>,
}

impl Lint<'_> {
    /// Notes a finding.
    pub(crate) fn add(&self, finding: Finding) {
        self.found.borrow_mut().push(finding);
    }

    /// Notes an error at a place.
    pub(crate) fn error(
        &self,
        rule: &'static str,
        at: &Origin,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let severity = if self.lenient.get() { Severity::Warning } else { Severity::Error };
        self.add(Finding::new(rule, severity, at, message).with_help(help));
    }

    /// Notes something odd at a place.
    pub(crate) fn odd(
        &self,
        rule: &'static str,
        at: &Origin,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.add(Finding::new(rule, Severity::Warning, at, message).with_help(help));
    }

    fn warning(&self, warning: &Warning) {
        let Some(origin) = &warning.origin else { return };
        let rule = if warning.message.starts_with("Found duplicate mapping key") {
            "duplicate-key"
        } else {
            "warning"
        };
        self.odd(rule, origin, &*warning.message, warning.help.clone());
    }

    /// Notes what reading a file came upon; `near` is where the file is asked for.
    pub(crate) fn unread(&self, error: &Error, near: &Origin) {
        let at = error.origin().unwrap_or_else(|| near.clone());
        let message = error.to_string();
        let help = error.help().map(str::to_owned);
        match error {
            Error::Yaml(_) => self.error("yaml-syntax", &at, message, help),
            Error::Read { path, .. } => {
                self.error(
                    "file-not-found",
                    &at,
                    format!("file '{}' cannot be read", path.display()),
                    help,
                );
            }
            Error::Vault { path, .. } => {
                self.odd(
                    "vault",
                    near,
                    format!("file '{}' cannot be decrypted: {message}", path.display()),
                    help,
                );
            }
            Error::NoRole { name, .. } => self.no_role(name, &at),
            _ => self.invalid(&at, message, help),
        }
    }

    /// Notes a role that is not there, with the nearest that is beside where roles are looked for.
    fn no_role(&self, name: &str, at: &Origin) {
        let mut known: Vec<String> = Vec::new();
        let beside = std::path::Path::new(&*at.file).parent().map(|it| it.join("roles"));
        for folder in beside.iter().chain(&self.context.roles_path) {
            let Ok(read) = std::fs::read_dir(folder) else { continue };
            known.extend(
                read.filter_map(Result::ok).filter_map(|it| it.file_name().into_string().ok()),
            );
        }
        let near = nearest(name, known.iter().map(String::as_str));
        self.error(
            "role-not-found",
            at,
            format!("role '{name}' was not found"),
            did_you_mean(near),
        );
    }

    fn invalid(&self, at: &Origin, message: String, help: Option<String>) {
        if let Some(rest) = message.strip_prefix("couldn't resolve module/action '") {
            let name = rest.split('\'').next().unwrap_or_default();
            let at =
                self.sources.key(at, name).map_or_else(|| at.clone(), |key| moved(at, key.place));
            let near = self.nearest_action(name).map(|it| format!("Did you mean '{it}'?"));
            self.error(
                "unknown-module",
                &at,
                format!("there is no module or action '{name}'"),
                near.or(help),
            );
            return;
        }
        if message.starts_with("conflicting action statements") {
            self.conflict(at, message, help);
            return;
        }
        let rule = if message.contains("is not a valid attribute for a") {
            "unknown-keyword"
        } else if message.starts_with("no module/action detected") {
            "no-action"
        } else if message.starts_with("Invalid variable name")
            || message.starts_with("Invalid 'register'")
        {
            "invalid-variable-name"
        } else if message.starts_with("duplicate loop") {
            "duplicate-loop"
        } else if message.starts_with("Error processing keyword")
            || message.starts_with("The field '")
        {
            "invalid-value"
        } else {
            "invalid-structure"
        };
        let lookup = message.strip_prefix("'with_").and_then(|it| it.split('\'').next());
        let near = lookup.and_then(|it| nearest(it, self.context.engine.lookups()));
        let help = near.map(|it| format!("Did you mean 'with_{it}'?")).or(help);
        self.error(rule, at, message, help);
    }

    /// Two keys that may be actions: one that is neither action nor keyword is a misspelt word.
    fn conflict(&self, at: &Origin, message: String, help: Option<String>) {
        let keywords: Vec<&str> = davit_playbook::keywords().iter().map(|it| it.name).collect();
        let keys = self.sources.keys(at);
        let is_keyword =
            |name: &str| keywords.contains(&name) || name.starts_with("with_") || name == "listen";
        let unknown: Vec<_> = keys
            .iter()
            .filter(|key| !is_keyword(&key.name) && !(self.loader.is_action)(&key.name, &[]))
            .collect();
        if unknown.is_empty() {
            self.error("conflicting-actions", at, message, help);
        }
        for key in unknown {
            let near = nearest(&key.name, keywords.iter().copied()).map(str::to_owned);
            let near = near.or_else(|| self.nearest_action(&key.name));
            let message = format!("'{}' is neither a keyword nor a module", key.name);
            self.error(
                "unknown-keyword",
                &moved(at, key.place),
                message,
                did_you_mean(near.as_deref()),
            );
        }
    }

    /// The action whose name is most like `name`, written as long as that is.
    fn nearest_action(&self, name: &str) -> Option<String> {
        let names = || self.context.names.iter().map(String::as_str);
        let last = |name: &'_ str| name.rsplit('.').next().unwrap_or_default().to_owned();
        if !name.contains('.') {
            let short = names().filter_map(|it| it.strip_prefix("ansible.builtin."));
            return nearest(name, short).or_else(|| nearest(name, names())).map(str::to_owned);
        }
        let bare = last(name);
        let same = names().find(|it| *it != name && last(it) == bare);
        // A long collection does not make two modules alike, and one that only reads is not one that makes.
        let alike = names().filter(|it| {
            let other = last(it);
            bare.ends_with("_info") == other.ends_with("_info")
                && nearest(&bare, [other.as_str()]).is_some()
        });
        same.or_else(|| nearest(name, alike)).map(str::to_owned)
    }
}
