//! The table of what a task can do, and the contract of actions: what runs on the controller.
//!
//! An action may call modules through its [`TaskContext`]; it never touches a host by itself.
//! Of an action and a module with the same name, the action runs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use davit_event::Cause;
use davit_module::{Entry, Rules, Spec, control};
use davit_value::{Map, Value};
use schemars::Schema;

use crate::context::TaskContext;

/// What an action's `run` returns.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A line in a table of actions.
pub struct Action {
    /// The full name.
    pub name: &'static str,
    /// The JSON schema of its arguments, whose descriptions are the manual.
    pub schema: fn() -> Schema,
    /// How arguments depend on one another.
    pub rules: Rules,
    /// The argument that takes the text of `action: some text`, where there is one.
    pub free_form: Option<&'static str>,
    /// The arguments are not checked against the schema: any key is a variable, or the module
    /// behind the action checks them.
    pub open: bool,
    /// The arguments are handed over as written and not rendered.
    pub raw: bool,
    /// It never waits: many hosts are done in one go, in order.
    pub inline: bool,
    /// Does it. The arguments are rendered and, unless `open`, checked.
    pub run: for<'a> fn(&'a TaskContext, Map) -> Running<'a>,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Action {
    /// The last part of the name.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// What arguments it takes.
    #[must_use]
    pub fn spec(&self) -> Spec {
        Spec::from_schema(self.short_name(), &(self.schema)(), self.rules)
    }
}

/// The result of a task, with the reasons of a failure.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What `register` keeps.
    pub result: Map,
    /// Why it failed, outermost first.
    pub causes: Vec<Cause>,
    /// The host could not be reached.
    pub unreachable: bool,
}

impl Outcome {
    /// A result that says nothing but whether something changed.
    #[must_use]
    pub fn changed(changed: bool) -> Self {
        let mut result = Map::new();
        result.insert("changed", changed.into());
        Self { result, ..Self::default() }
    }

    /// A failure in a sentence.
    #[must_use]
    pub fn failed(msg: impl Into<String>) -> Self {
        Self::changed(false).with("failed", true).with("msg", msg.into())
    }

    /// The result with another key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.result.insert(key, value.into());
        self
    }

    /// A module's reply.
    #[must_use]
    pub fn of(reply: &davit_event::Reply) -> Self {
        let mut result = Map::new();
        for (key, value) in reply {
            result.insert(key.as_str(), Value::from_json(value));
        }
        Self { result, ..Self::default() }
    }

    /// True where it failed: by `failed_when`, where there is one, else by its own word.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let key = if self.result.contains("failed_when_result") {
            "failed_when_result"
        } else {
            "failed"
        };
        match self.result.get(key) {
            // A condition that could not be evaluated leaves its error here.
            Some(Value::Str(text)) if key == "failed_when_result" => !text.is_empty(),
            _ => flag(&self.result, key),
        }
    }
}

/// The truth of a key of a result.
pub(crate) fn flag(result: &Map, key: &str) -> bool {
    match result.get(key) {
        Some(Value::Str(text)) => {
            matches!(text.to_lowercase().as_str(), "true" | "yes" | "1" | "on")
        }
        Some(value) => value.truthy().unwrap_or(false),
        None => false,
    }
}

/// What tasks can do: modules and actions by name.
pub struct Tables {
    modules: HashMap<&'static str, &'static Entry>,
    actions: HashMap<&'static str, &'static Action>,
    controls: HashMap<&'static str, &'static control::Entry>,
    /// Names that control modules had once, and the ones that they have.
    former: HashMap<&'static str, &'static str>,
    /// Of modules of either kind.
    specs: HashMap<&'static str, OnceLock<Arc<Spec>>>,
    /// Of actions: one may have the name of the module behind it.
    action_specs: HashMap<&'static str, OnceLock<Arc<Spec>>>,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("modules", &self.modules.len()).finish_non_exhaustive()
    }
}

/// A line of a table, of any kind.
#[derive(Clone, Copy, Debug)]
pub enum Line {
    /// A module.
    Module(&'static Entry),
    /// An action.
    Action(&'static Action),
    /// A module that talks to an API from the controller.
    Control(&'static control::Entry),
}

impl Line {
    /// Its full name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Module(entry) => entry.name,
            Self::Action(action) => action.name,
            Self::Control(entry) => entry.name,
        }
    }

    /// The argument of its free form.
    #[must_use]
    pub fn free_form(self) -> Option<&'static str> {
        match self {
            Self::Module(entry) => entry.free_form,
            Self::Action(action) => action.free_form,
            Self::Control(entry) => entry.free_form,
        }
    }
}

impl Tables {
    /// The language's own actions, and these.
    #[must_use]
    pub fn new(modules: &[&'static [Entry]], actions: &[&'static [Action]]) -> Self {
        let modules: HashMap<_, _> =
            modules.iter().flat_map(|it| it.iter()).map(|it| (it.name, it)).collect();
        let actions: HashMap<_, _> = actions
            .iter()
            .copied()
            .chain([crate::actions::ACTIONS])
            .flatten()
            .map(|it| (it.name, it))
            .collect();
        let specs = modules.keys().map(|name| (*name, OnceLock::new())).collect();
        let action_specs = actions.keys().map(|name| (*name, OnceLock::new())).collect();
        let (controls, former) = (HashMap::new(), HashMap::new());
        Self { modules, actions, controls, former, specs, action_specs }
    }

    /// The same, with these control modules.
    #[must_use]
    pub fn with_controls(mut self, tables: &[&'static [control::Entry]]) -> Self {
        for entry in tables.iter().copied().flatten() {
            self.controls.insert(entry.name, entry);
            self.specs.insert(entry.name, OnceLock::new());
            self.former.extend(entry.former_names.iter().map(|it| (*it, entry.name)));
        }
        self
    }

    /// The full name behind a name that a task may use, which may be one that a module had once.
    #[must_use]
    pub fn full_name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let full = full_name(name);
        let bare = full.strip_prefix("ansible.builtin.").unwrap_or(&full);
        match self.former.get(bare) {
            Some(now) => (*now).into(),
            None => full,
        }
    }

    /// Names that the module of that full name had once and is still known by.
    #[must_use]
    pub fn former_names(&self, name: &str) -> &'static [&'static str] {
        self.controls.get(name).map_or(&[], |it| it.former_names)
    }

    /// What `name` means: `copy`, `ansible.builtin.copy`, `ansible.legacy.copy` are one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Line> {
        let full = self.full_name(name);
        if let Some(action) = self.actions.get(&*full) {
            return Some(Line::Action(action));
        }
        if let Some(entry) = self.controls.get(&*full) {
            return Some(Line::Control(entry));
        }
        self.modules.get(&*full).map(|entry| Line::Module(entry))
    }

    /// The module of that name, whether or not an action stands before it.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<&'static Entry> {
        self.modules.get(&*full_name(name)).copied()
    }

    /// The argument spec of a module, worked out once.
    #[must_use]
    pub fn spec(&self, entry: &'static Entry) -> Arc<Spec> {
        match self.specs.get(entry.name) {
            Some(slot) => Arc::clone(slot.get_or_init(|| Arc::new(entry.spec()))),
            None => Arc::new(entry.spec()),
        }
    }

    /// The argument spec of a control module, worked out once.
    #[must_use]
    pub fn control_spec(&self, entry: &'static control::Entry) -> Arc<Spec> {
        match self.specs.get(entry.name) {
            Some(slot) => Arc::clone(slot.get_or_init(|| Arc::new(entry.spec()))),
            None => Arc::new(entry.spec()),
        }
    }

    /// The argument spec of an action, worked out once.
    #[must_use]
    pub fn action_spec(&self, action: &'static Action) -> Arc<Spec> {
        match self.action_specs.get(action.name) {
            Some(slot) => Arc::clone(slot.get_or_init(|| Arc::new(action.spec()))),
            None => Arc::new(action.spec()),
        }
    }

    /// Every full name, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let controls = self.controls.keys();
        let mut names: Vec<_> =
            self.modules.keys().chain(self.actions.keys()).chain(controls).copied().collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Modules that have left `ansible.builtin` for a collection and keep their old names: the old
/// one's last part, and the new one.
pub const MOVED: &[(&str, &str)] = &[("synchronize", "ansible.posix.synchronize")];

/// The full name behind a name that a task may use.
#[must_use]
pub fn full_name(name: &str) -> Cow<'_, str> {
    let bare = ["ansible.builtin.", "ansible.legacy."]
        .iter()
        .find_map(|it| name.strip_prefix(it))
        .unwrap_or(name);
    if let Some((_, now)) = MOVED.iter().find(|(old, _)| *old == bare) {
        return (*now).into();
    }
    match name.strip_prefix("ansible.legacy.") {
        Some(short) => format!("ansible.builtin.{short}").into(),
        None if name.contains('.') => name.into(),
        None => format!("ansible.builtin.{name}").into(),
    }
}
