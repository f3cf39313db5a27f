//! The walk through playbooks, included files and roles, as far as names are constant.
//!
//! It collects what there is (tasks, variables, handlers) and notes what cannot be read. What is wrong inside a
//! task is for others to say, once everything is known.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_playbook::{
    Block, Entry, Error, Import, Item, Keywords, Play, Role, RoleFrom, RoleUse, Task, TaskKind,
};
use davit_value::{Map, Origin, Value};

use crate::{Lint, files, flow};

/// How deep files and roles may bring in one another.
const DEPTH: usize = 40;
/// No more tasks than this are looked at.
const TASKS: usize = 200_000;

/// A task, and where it stands.
pub(crate) struct Seen {
    pub(crate) task: Arc<Task>,
    pub(crate) place: Place,
    /// The number of its play.
    pub(crate) play: usize,
}

/// What holds for the tasks of a list.
#[derive(Clone, Default)]
pub(crate) struct Place {
    /// A failure is rescued or ignored.
    pub(crate) tolerated: bool,
    /// It may be skipped.
    pub(crate) conditional: bool,
    /// It stands in a file or role that may never be looked at, such as one for another system.
    pub(crate) remote: bool,
    /// What `module_defaults` says, outermost first.
    pub(crate) defaults: Vec<Value>,
    /// The role's folder.
    pub(crate) role: Option<PathBuf>,
    /// The folder of the file with the tasks.
    pub(crate) folder: PathBuf,
    /// It stands among handlers.
    pub(crate) handlers: bool,
    /// The files and roles that brought it in.
    stack: Vec<PathBuf>,
}

/// The handlers of a play.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) names: BTreeSet<String>,
    /// There may be more.
    pub(crate) open: bool,
}

/// Everything that was found.
#[derive(Default)]
pub(crate) struct Walked {
    pub(crate) tasks: Vec<Seen>,
    pub(crate) handlers: Vec<Handlers>,
    pub(crate) plays: Vec<Arc<Play>>,
    /// Conditions of blocks and uses of roles.
    pub(crate) owners: Vec<(Keywords, bool)>,
    /// Values of variables.
    pub(crate) vars: Vec<Value>,
    /// The names of variables.
    pub(crate) names: HashSet<String>,
    /// Something may define variables that are not seen.
    pub(crate) open: bool,
    /// Hosts and groups may come up while it runs.
    pub(crate) new_hosts: bool,
    /// The playbook's folder.
    pub(crate) folder: PathBuf,
}

pub(crate) struct Walk<'w, 'c> {
    lint: &'w Lint<'c>,
    out: Walked,
    roles: HashMap<(PathBuf, RoleFrom), Option<Arc<Role>>>,
    playbooks: HashSet<PathBuf>,
}

/// Walks through `playbook` and everything that it brings in.
pub(crate) fn walk(lint: &Lint<'_>, playbook: &Path) -> Walked {
    let mut walk =
        Walk { lint, out: Walked::default(), roles: HashMap::new(), playbooks: HashSet::new() };
    walk.out.folder = playbook.parent().map(Path::to_owned).unwrap_or_default();
    walk.playbook(playbook, &start(playbook), 0);
    walk.out
}

fn start(path: &Path) -> Origin {
    Origin { file: Arc::from(path.to_string_lossy()), line: 1, column: 1 }
}

/// The text of `value` where it is no template.
pub(crate) fn constant(value: &Value) -> Option<&str> {
    value.as_str().filter(|_| !value.is_live())
}

/// Writes `true`, in one of its spellings, or a template.
fn may_be_true(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Str(text)) => {
            !matches!(text.to_lowercase().as_str(), "no" | "false" | "off" | "0" | "n" | "f")
        }
        Some(_) => true,
    }
}

/// Whether defaults may be meant for `set_fact`, which no usual group of actions holds.
fn may_name_facts(defaults: &Value) -> bool {
    let list = defaults.as_list().unwrap_or(std::slice::from_ref(defaults));
    list.iter().any(|it| {
        it.as_map().is_none_or(|it| it.keys().any(|key| !key.to_text().starts_with("group/")))
    })
}

impl Place {
    /// What holds for what has these keywords, written here.
    fn with(&self, keywords: &Keywords) -> Self {
        let mut out = self.clone();
        out.tolerated |= may_be_true(keywords.get("ignore_errors"));
        out.conditional |= keywords.contains("when");
        out.defaults.extend(keywords.get("module_defaults").cloned());
        out
    }
}

impl Walk<'_, '_> {
    /// Notes why something could not be read; from here on there may be more than is seen.
    fn unread(&mut self, error: &Error, near: &Origin) {
        self.lint.unread(error, near);
        self.out.open = true;
        if let Some(handlers) = self.out.handlers.last_mut() {
            handlers.open = true;
        }
    }

    fn mistakes(&mut self, mistakes: RefCell<Vec<Error>>, near: &Origin) {
        for error in mistakes.into_inner() {
            self.unread(&error, near);
        }
    }

    /// Keeps what a dictionary of variables defines.
    pub(crate) fn define(&mut self, vars: &Map) {
        for (name, value) in vars {
            self.out.names.insert(name.to_text());
            if value.is_live() {
                self.out.vars.push(value.clone());
            }
        }
    }

    fn playbook(&mut self, path: &Path, near: &Origin, depth: usize) {
        if depth > DEPTH || !self.playbooks.insert(path.to_owned()) {
            return;
        }
        let mistakes = RefCell::default();
        let read = self.lint.loader.playbook_forgiving(path, &mistakes);
        self.mistakes(mistakes, near);
        let playbook = match read {
            Ok(playbook) => playbook,
            Err(error) => return self.unread(&error, near),
        };
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        for entry in &playbook.entries {
            match entry {
                Entry::Import(import) => self.import(import, &folder, depth),
                Entry::Play(play) => self.play(play, &folder),
            }
        }
    }

    fn import(&mut self, import: &Import, folder: &Path, depth: usize) {
        self.define(&import.vars);
        self.out.owners.push((import.keywords.clone(), false));
        let Some(name) = constant(&import.file) else {
            self.out.open = true;
            return;
        };
        // `namespace.collection.playbook`
        if name.split('.').count() == 3 && !name.contains('/') && !folder.join(name).exists() {
            self.out.open = true;
            return;
        }
        self.playbook(&folder.join(name), &import.file_origin, depth + 1);
    }

    fn play(&mut self, play: &Arc<Play>, folder: &Path) {
        self.out.plays.push(Arc::clone(play));
        self.out.handlers.push(Handlers::default());
        self.define(&play.vars);
        for question in &play.vars_prompt {
            self.out.names.insert(question.name.clone());
        }
        self.vars_files(play, folder);
        let place = Place { folder: folder.to_owned(), ..Place::default() };
        let mut place = place.with(&play.keywords);
        // Conditions are no keyword of plays, but a play without hosts is skipped.
        place.conditional = false;
        self.items(&play.pre_tasks, &place);
        for used in &play.roles {
            self.role_use(used, &place);
        }
        self.items(&play.tasks, &place);
        self.items(&play.post_tasks, &place);
        self.items(&play.handlers, &Place { handlers: true, ..place.clone() });
        flow::check(self.lint, &[&play.pre_tasks, &play.tasks, &play.post_tasks], place.tolerated);
    }

    fn vars_files(&mut self, play: &Play, folder: &Path) {
        for entry in &play.vars_files {
            let choices: Vec<&Value> = match entry {
                Value::List(items) => items.iter().collect(),
                other => vec![other],
            };
            if choices.iter().any(|it| it.is_live()) {
                self.out.open = true;
                continue;
            }
            let paths = choices.iter().filter_map(|it| it.as_str());
            let paths: Vec<PathBuf> = paths
                .flat_map(|name| [folder.join("vars").join(name), folder.join(name)])
                .collect();
            match paths.iter().find(|it| it.is_file()) {
                Some(path) => self.vars_file(path, &play.origin),
                None => {
                    self.out.open = true;
                    let names: Vec<&str> = choices.iter().filter_map(|it| it.as_str()).collect();
                    let at = choices
                        .first()
                        .and_then(|it| it.origin())
                        .or(play.vars_files_origin.as_ref());
                    let message = format!("vars file '{}' was not found", names.join("', '"));
                    if !names.is_empty() {
                        self.lint.error(
                            "file-not-found",
                            at.unwrap_or(&play.origin),
                            message,
                            None,
                        );
                    }
                }
            }
        }
    }

    /// Reads a file of variables.
    pub(crate) fn vars_file(&mut self, path: &Path, near: &Origin) {
        match self.lint.loader.vars_file(path) {
            Ok(vars) => self.define(&vars),
            Err(error) => self.unread(&error, near),
        }
    }

    fn items(&mut self, items: &[Item], place: &Place) {
        for item in items {
            if self.out.tasks.len() > TASKS || place.stack.len() > DEPTH {
                self.out.open = true;
                return;
            }
            match item {
                Item::Task(task) => self.task(task, place),
                Item::Block(block) => self.block(block, place),
            }
        }
    }

    fn block(&mut self, block: &Block, place: &Place) {
        self.define(&block.vars);
        let within = place.with(&block.keywords);
        self.out.owners.push((block.keywords.clone(), within.tolerated));
        self.items(
            &block.block,
            &Place { tolerated: within.tolerated || block.has_rescue, ..within.clone() },
        );
        let later = Place { conditional: true, ..within.clone() };
        self.items(&block.rescue, &later);
        self.items(&block.always, &within);
    }

    fn task(&mut self, task: &Arc<Task>, place: &Place) {
        let mut here = place.with(&task.keywords);
        here.tolerated |= task.keywords.contains("failed_when") || place.tolerated;
        self.define(&task.vars);
        if let Some(name) = task.keywords.get("register").and_then(Value::as_str) {
            self.out.names.insert(name.to_owned());
        }
        self.loop_names(task);
        if place.handlers || task.is_handler {
            self.handler(task);
        }
        let play = self.out.handlers.len().saturating_sub(1);
        self.out.tasks.push(Seen { task: Arc::clone(task), place: here.clone(), play });
        match task.kind {
            TaskKind::Meta => {}
            TaskKind::Action => {
                self.leniently(here.tolerated || here.remote, |walk| walk.definitions(task, &here));
            }
            TaskKind::IncludeTasks | TaskKind::ImportTasks => self.include_tasks(task, &here),
            TaskKind::IncludeRole | TaskKind::ImportRole => self.include_role(task, &here),
        }
    }

    fn loop_names(&mut self, task: &Task) {
        if task.loop_.is_some() {
            self.out.names.insert("item".to_owned());
        }
        let Some(control) = &task.loop_control else { return };
        for name in [&control.loop_var, &control.index_var] {
            match constant(name) {
                Some(name) => {
                    self.out.names.insert(name.to_owned());
                }
                None => self.out.open |= name.is_live(),
            }
        }
    }

    fn handler(&mut self, task: &Task) {
        let Some(handlers) = self.out.handlers.last_mut() else { return };
        for name in std::iter::once(&task.name).chain(&task.listen) {
            match constant(name) {
                Some(name) => {
                    handlers.names.insert(name.to_owned());
                }
                None => handlers.open |= name.is_live(),
            }
        }
    }

    /// What the actions that define variables or hosts define.
    fn definitions(&mut self, task: &Task, place: &Place) {
        match task.short_action() {
            "set_fact" => {
                for name in task.args.keys() {
                    let name = name.to_text();
                    self.out.open |= name.contains("{{") || name == "_variable_params";
                    self.out.names.insert(name);
                }
                self.out.open |=
                    task.raw_params.is_some() || place.defaults.iter().any(may_name_facts);
            }
            "include_vars" => self.include_vars(task, place),
            "add_host" | "group_by" => {
                self.out.open = true;
                self.out.new_hosts = true;
            }
            "meta" | "debug" => {}
            // What is not known may bring facts.
            _ if task.action.is_live() => self.out.open = true,
            _ => {}
        }
    }

    fn include_vars(&mut self, task: &Task, place: &Place) {
        if let Some(name) = task.args.get("name") {
            match constant(name) {
                Some(name) => {
                    self.out.names.insert(name.to_owned());
                    // What is in the file is beneath the name.
                    return;
                }
                None => self.out.open = true,
            }
        }
        let file =
            task.args.get("file").cloned().or_else(|| task.raw_params.clone().map(Value::Str));
        let found = file
            .as_ref()
            .and_then(constant)
            .and_then(|name| files::find(place, &self.out.folder, "vars", name));
        match found {
            Some(path) => self.vars_file(&path, &task.origin),
            None => self.out.open = true,
        }
    }

    fn include_tasks(&mut self, task: &Task, place: &Place) {
        let target = task.target();
        self.apply(task);
        let Some(name) = target.as_ref().and_then(constant) else { return self.unknown() };
        let folders =
            [&place.folder].into_iter().chain(place.role.iter()).chain([&self.out.folder]);
        let mut tried: Vec<PathBuf> = Vec::new();
        for folder in folders {
            tried.extend([folder.join(name), folder.join("tasks").join(name)]);
            if place.handlers {
                tried.push(folder.join("handlers").join(name));
            }
        }
        // Files may include one another from anywhere above them.
        tried.extend(place.stack.iter().rev().filter_map(|it| it.parent()).map(|it| it.join(name)));
        let Some(path) = tried.into_iter().find(|it| it.is_file()) else {
            self.unknown();
            let at = target.as_ref().and_then(Value::origin).unwrap_or(&task.origin);
            let at = self.lint.sources.word(at, name);
            let skipped = place.tolerated || place.conditional;
            files::missing(
                self.lint,
                &at,
                name,
                place.remote || (skipped && task.kind == TaskKind::IncludeTasks),
            );
            return;
        };
        let path = std::path::absolute(&path).unwrap_or(path);
        if place.stack.contains(&path) {
            return;
        }
        let shown = shown(&path);
        let mistakes = RefCell::default();
        let read = self.lint.loader.tasks_forgiving(&shown, place.handlers, &mistakes);
        let dynamic = task.kind == TaskKind::IncludeTasks;
        let remote = place.remote || (dynamic && place.conditional);
        let tolerated = remote || (dynamic && place.tolerated);
        self.leniently(tolerated, |walk| walk.mistakes(mistakes, &task.origin));
        match read {
            Ok(items) => {
                let mut inner = Place { remote, ..place.clone() };
                inner.folder = shown.parent().map(Path::to_owned).unwrap_or_default();
                inner.stack.push(path);
                flow::check(self.lint, &[&items], place.tolerated);
                self.items(&items, &inner);
            }
            Err(error) => self.leniently(tolerated, |walk| walk.unread(&error, &task.origin)),
        }
    }

    /// Does `work`; where a failure is `tolerated`, what it finds are no errors.
    fn leniently(&mut self, tolerated: bool, work: impl FnOnce(&mut Self)) {
        let before = self.lint.lenient.get();
        self.lint.lenient.set(before || tolerated);
        work(self);
        self.lint.lenient.set(before);
    }

    /// What `apply` gives to what is included.
    fn apply(&mut self, task: &Task) {
        let Some(apply) = task.args.get("apply") else { return };
        match apply.get("vars") {
            Some(Value::Map(vars)) => self.define(&vars.clone()),
            Some(_) => self.out.open = true,
            None => self.out.open |= apply.as_map().is_none(),
        }
    }

    /// Something is brought in that is only known at run time.
    fn unknown(&mut self) {
        self.out.open = true;
        if let Some(handlers) = self.out.handlers.last_mut() {
            handlers.open = true;
        }
    }

    fn include_role(&mut self, task: &Task, place: &Place) {
        self.apply(task);
        let text = |key: &str| task.args.get(key).filter(|it| !it.is_null());
        let from_names = ["tasks_from", "vars_from", "defaults_from", "handlers_from"];
        let target = task.target();
        let (Some(name), false) = (
            target.as_ref().and_then(constant),
            from_names.iter().filter_map(|it| text(it)).any(Value::is_live),
        ) else {
            return self.unknown();
        };
        let text = |key: &str| text(key).map(Value::to_str);
        let from = RoleFrom {
            tasks: text("tasks_from"),
            vars: text("vars_from"),
            defaults: text("defaults_from"),
            handlers: text("handlers_from"),
        };
        let at = target.as_ref().and_then(Value::origin).unwrap_or(&task.origin).clone();
        let at = self.lint.sources.word(&at, name);
        let dynamic = task.kind == TaskKind::IncludeRole;
        let remote = place.remote || (dynamic && place.conditional);
        let tolerated = remote || (dynamic && place.tolerated);
        let (name, place) = (name.to_owned(), Place { remote, ..place.clone() });
        let mut found = None;
        self.leniently(tolerated, |walk| found = walk.find_role(&name, &from, &at, &place));
        if let Some((role, path)) = found {
            self.role_content(&role, path, &place);
        }
    }

    fn role_use(&mut self, used: &RoleUse, place: &Place) {
        self.define(&used.vars);
        self.define(&used.params);
        let inner = place.with(&used.keywords);
        self.out.owners.push((used.keywords.clone(), inner.tolerated));
        match constant(&used.name) {
            Some(name) => {
                let mut found = None;
                let from = RoleFrom::default();
                self.leniently(inner.remote, |walk| {
                    found = walk.find_role(name, &from, &used.origin, &inner);
                });
                if let Some((role, path)) = found {
                    self.role_content(&role, path, &Place { handlers: false, ..inner });
                }
            }
            None => self.unknown(),
        }
    }

    /// The role `name` and its folder; none where it is not there, cannot be read, or is being walked through.
    fn find_role(
        &mut self,
        name: &str,
        from: &RoleFrom,
        at: &Origin,
        place: &Place,
    ) -> Option<(Arc<Role>, PathBuf)> {
        let mut folders: Vec<PathBuf> = vec![self.out.folder.join("roles")];
        folders.extend(self.lint.context.roles_path.iter().cloned());
        folders.extend(place.role.as_ref().and_then(|it| it.parent()).map(Path::to_owned));
        folders.push(self.out.folder.clone());
        folders.push(place.folder.join("roles"));
        let mut collections = vec![self.out.folder.join("collections")];
        collections.extend(self.lint.context.collections_path.iter().cloned());
        let path = match davit_playbook::find_role(name, &folders, &collections) {
            Ok(path) => path,
            Err(error) => {
                self.unread(&error.or_at(Some(at)), at);
                return None;
            }
        };
        if place.stack.contains(&path) || place.stack.len() > DEPTH {
            return None;
        }
        let key = (path.clone(), from.clone());
        if !self.roles.contains_key(&key) {
            let mistakes = RefCell::default();
            let read = self.lint.loader.role_forgiving(&path, name, from, &mistakes);
            self.mistakes(mistakes, at);
            if let Err(error) = &read {
                self.unread(&error.clone().or_at(Some(at)), at);
            }
            self.roles.insert(key.clone(), read.ok().map(Arc::new));
        }
        match self.roles.get(&key).cloned().flatten() {
            Some(role) => Some((role, path)),
            None => {
                self.unknown();
                None
            }
        }
    }

    fn role_content(&mut self, role: &Role, path: PathBuf, place: &Place) {
        self.define(&role.defaults);
        self.define(&role.vars);
        if let Some(Value::Map(specs)) = &role.meta.argument_specs {
            for spec in specs.values() {
                if let Some(Value::Map(options)) = spec.get("options") {
                    self.out.names.extend(options.keys().map(davit_value::Key::to_text));
                }
            }
        }
        let mut inner = place.clone();
        inner.role = Some(path.clone());
        inner.folder = path.join("tasks");
        inner.stack.push(path);
        for dependency in &role.meta.dependencies {
            self.role_use(dependency, &inner);
        }
        flow::check(self.lint, &[&role.tasks], place.tolerated);
        self.items(&role.tasks, &inner);
        let before = self.take_handlers();
        self.items(
            &role.handlers,
            &Place { handlers: true, folder: inner.folder.with_file_name("handlers"), ..inner },
        );
        // Handlers of roles may also be called `role : handler`.
        if let Some(handlers) = self.out.handlers.last_mut() {
            let full: Vec<String> =
                handlers.names.iter().map(|it| format!("{} : {it}", role.name)).collect();
            handlers.names.extend(full);
            handlers.names.extend(before);
        }
    }

    fn take_handlers(&mut self) -> BTreeSet<String> {
        self.out.handlers.last_mut().map(|it| std::mem::take(&mut it.names)).unwrap_or_default()
    }
}

/// The path without `.` and `..` in it, where that is the same file.
fn shown(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if out.exists() { out } else { path.to_owned() }
}
