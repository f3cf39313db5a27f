//! A play as it runs: blocks and tasks, each with the chain of what it inherits from.
//!
//! Static imports and roles are expanded here into blocks; dynamic includes make blocks of the
//! same kind while the play runs. Nothing here runs anything.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use davit_playbook as written;
use davit_value::{Map, Origin, Value};

use crate::action::Action;
use crate::cursor::Section;

/// Tasks, and what to do when one fails.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) tasks: Vec<Node>,
    pub(crate) rescue: Vec<Node>,
    pub(crate) always: Vec<Node>,
    /// Places of `tasks` where they are not 0, 1, 2 ...: hosts that include different files.
    pub(crate) ordinals: Option<Vec<u32>>,
    /// The role whose tasks these are, all of them.
    pub(crate) role: Option<Arc<Role>>,
}

impl Block {
    /// The nodes of one section.
    pub(crate) fn section(&self, section: Section) -> &[Node] {
        match section {
            Section::Tasks => &self.tasks,
            Section::Rescue => &self.rescue,
            Section::Always => &self.always,
        }
    }

    /// What the node at `index` counts as in a [`Place`](crate::cursor::Place).
    pub(crate) fn ordinal(&self, section: Section, index: usize) -> u32 {
        let plain = u32::try_from(index).unwrap_or(u32::MAX);
        match &self.ordinals {
            Some(ordinals) if section == Section::Tasks => {
                ordinals.get(index).copied().unwrap_or(plain)
            }
            _ => plain,
        }
    }
}

/// A task or a block.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Task(Arc<Task>),
    Block(Arc<Block>),
}

/// What a task does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// `meta: x`, and the flushes and role ends that every play has.
    Meta(Meta),
    /// `include_tasks`.
    IncludeTasks,
    /// `include_role`.
    IncludeRole,
    /// An action of the controller.
    Action(&'static Action),
    /// A module of the host.
    Module(&'static davit_module::Entry),
    /// A module that talks to an API from the controller.
    Control(&'static davit_module::control::Entry),
}

/// What a meta task does.
#[derive(Clone, Debug)]
pub(crate) enum Meta {
    /// As written: rendered when it runs.
    Written,
    /// Between the sections of a play.
    Flush,
    /// After the last task of a role.
    RoleDone(Arc<Role>),
}

/// A task in its place.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) written: Arc<written::Task>,
    /// The variables of `written`, to be shared.
    pub(crate) vars: Arc<Map>,
    pub(crate) work: Work,
    pub(crate) parent: Arc<Parent>,
    /// It runs only when notified.
    pub(crate) handler: bool,
    /// Another name for the argument check, the long name of the action.
    pub(crate) full_name: Arc<str>,
}

/// What tasks inherit from.
#[derive(Debug, Default)]
pub(crate) struct Parent {
    /// Keywords that hold for everything inside.
    pub(crate) keywords: written::Keywords,
    /// Variables that hold for everything inside.
    pub(crate) vars: Arc<Map>,
    /// The variables are parameters of an include: above what tasks set.
    pub(crate) is_include: bool,
    /// Defaults for module arguments come from `keywords` as well.
    pub(crate) role: Option<Arc<Role>>,
    /// The file that the tasks inside are written in.
    pub(crate) file: Option<Arc<Path>>,
    pub(crate) up: Option<Arc<Self>>,
}

impl Parent {
    /// This and everything above, innermost first.
    pub(crate) fn chain(self: &Arc<Self>) -> Chain<'_> {
        Chain(Some(self))
    }

    /// The role that the tasks inside belong to.
    pub(crate) fn role(self: &Arc<Self>) -> Option<&Arc<Role>> {
        self.chain().find_map(|it| it.role.as_ref())
    }
}

/// Parents, innermost first.
pub(crate) struct Chain<'a>(Option<&'a Arc<Parent>>);

impl<'a> Iterator for Chain<'a> {
    type Item = &'a Parent;
    fn next(&mut self) -> Option<&'a Parent> {
        let this = self.0?;
        self.0 = this.up.as_ref();
        Some(this)
    }
}

impl Task {
    /// `written` in the place that `parent` says.
    pub(crate) fn new(
        written: Arc<written::Task>,
        work: Work,
        full_name: &str,
        parent: &Arc<Parent>,
    ) -> Self {
        Self {
            vars: Arc::new(written.vars.clone()),
            handler: written.is_handler,
            work,
            parent: Arc::clone(parent),
            full_name: full_name.into(),
            written,
        }
    }

    /// The name that was given to it, not rendered.
    pub(crate) fn name(&self) -> Option<&Value> {
        Some(&self.written.name).filter(|it| !it.is_null())
    }

    /// What to call it where nothing is rendered.
    pub(crate) fn label(&self) -> String {
        self.name().map_or_else(|| self.written.action.to_string(), Value::to_str)
    }

    /// The value of a keyword: the task's own, or the nearest around it.
    pub(crate) fn keyword(&self, name: &str) -> Option<(&Value, Option<&Origin>)> {
        if let Some(own) = self.own(name) {
            return Some(own);
        }
        self.parent
            .chain()
            .find_map(|it| it.keywords.entry(name).map(|it| (&it.value, Some(&it.origin))))
    }

    /// The task's own value of a keyword.
    pub(crate) fn own(&self, name: &str) -> Option<(&Value, Option<&Origin>)> {
        self.written.keywords.entry(name).map(|it| (&it.value, Some(&it.origin)))
    }

    /// Every value of a keyword that adds up, outermost first.
    pub(crate) fn keywords(&self, name: &str) -> Vec<(&Value, &Origin)> {
        let mut all: Vec<_> = self.written.keywords.entry(name).into_iter().collect();
        all.extend(self.parent.chain().filter_map(|it| it.keywords.entry(name)));
        all.reverse();
        all.into_iter().map(|it| (&it.value, &it.origin)).collect()
    }

    /// The role that the task belongs to.
    pub(crate) fn role(&self) -> Option<&Arc<Role>> {
        self.parent.role()
    }

    /// Where it was written.
    pub(crate) fn origin(&self) -> &Origin {
        &self.written.origin
    }

    /// The folder of the file that the task was written in.
    pub(crate) fn folder(&self) -> PathBuf {
        let file: &Path = Path::new(&*self.written.origin.file);
        file.parent().map(Path::to_path_buf).unwrap_or_default()
    }
}

/// A role that depends on the one at hand.
#[derive(Clone, Debug)]
pub(crate) struct Ancestor {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) vars: Arc<Map>,
    pub(crate) defaults: Arc<Map>,
    pub(crate) params: Arc<Map>,
    /// The role at hand is a dependency of it, and not included by it.
    pub(crate) by_dependency: bool,
}

/// A role as one play uses it.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) written: Arc<written::Role>,
    /// Defaults as its tasks see them: of its dependencies, of its parents, its own.
    pub(crate) defaults: Arc<Map>,
    /// Variables as its tasks see them.
    pub(crate) vars: Arc<Map>,
    /// Parameters, those of its parents included.
    pub(crate) params: Arc<Map>,
    /// The roles that depend on it or include it, outermost first.
    pub(crate) parents: Vec<Ancestor>,
    pub(crate) dependencies: Vec<Arc<Self>>,
    pub(crate) allow_duplicates: bool,
    /// Which of its argument specs holds: `main`, or what `tasks_from` names.
    pub(crate) entry_point: String,
    /// Shared by all uses of the role that are alike.
    pub(crate) progress: Arc<Progress>,
}

/// How far a role is on each host.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    done: Mutex<HashSet<Arc<str>>>,
    began: Mutex<HashSet<Arc<str>>>,
}

impl Role {
    /// The chain of roles for one that this one includes.
    pub(crate) fn chain(&self) -> Vec<Ancestor> {
        let mut chain = self.parents.clone();
        chain.push(Ancestor {
            name: self.name.clone(),
            path: self.path.clone(),
            vars: Arc::new(self.written.vars.clone()),
            defaults: Arc::new(self.written.defaults.clone()),
            params: Arc::clone(&self.params),
            by_dependency: false,
        });
        chain
    }
}

impl Progress {
    /// A task of it ran on `host`.
    pub(crate) fn begin(&self, host: &Arc<str>) {
        self.began.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(host));
    }

    /// Its last task is past on `host`.
    pub(crate) fn end(&self, host: &Arc<str>) {
        if self.began.lock().unwrap_or_else(PoisonError::into_inner).contains(host) {
            self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(host));
        }
    }

    /// It ran on `host` already.
    pub(crate) fn has_run(&self, host: &str) -> bool {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).contains(host)
    }
}

/// A task that nobody wrote.
pub(crate) fn implicit(action: &str, origin: Origin) -> written::Task {
    written::Task {
        name: Value::Null,
        action: davit_value::Str::new(action),
        action_origin: origin.clone(),
        origin,
        kind: written::TaskKind::Action,
        args: Map::new(),
        raw_params: None,
        loop_: None,
        loop_control: None,
        keywords: written::Keywords::default(),
        vars: Map::new(),
        listen: Vec::new(),
        is_handler: false,
        is_local_action: false,
    }
}

/// Sets a keyword of a task or include that nobody wrote.
pub(crate) fn set_keyword(
    keywords: &mut written::Keywords,
    name: &str,
    value: Value,
    origin: &Origin,
) {
    let keyword = written::Keyword { value, key_origin: origin.clone(), origin: origin.clone() };
    keywords.set(name, keyword);
}
