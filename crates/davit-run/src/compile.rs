//! From what is written to what runs: static imports, roles and tags.
//!
//! Everything that can be known before a play starts is made into [`Block`]s here. Dynamic
//! includes come back while the play runs, with the variables of their host.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_playbook as written;
use davit_template::Env;
use davit_value::{Map, Origin, Value};

use crate::error::Error;
use crate::execute::line_to_work;
use crate::handlers::Handler;
use crate::roles::RoleRequest;
use crate::scope::TaskScope;
use crate::state::write;
use crate::tags::Tags;
use crate::tree::{Block, Meta, Node, Parent, Role, Task, Work, implicit};
use crate::world::{Play, World};

/// Makes the blocks of one play.
pub(crate) struct Compiler<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) play: &'a Arc<Play>,
    /// The host whose variables name files, for dynamic includes.
    pub(crate) host: Option<Arc<str>>,
    /// How many imports are around, against files that import themselves.
    depth: usize,
}

/// Deeper imports are files that import themselves.
const DEEPEST: usize = 100;

impl<'a> Compiler<'a> {
    pub(crate) fn new(world: &'a Arc<World>, play: &'a Arc<Play>, host: Option<Arc<str>>) -> Self {
        Self { world, play, host, depth: 0 }
    }

    /// The whole play as one block; its handlers go into the play.
    pub(crate) fn play(&mut self) -> Result<Arc<Block>, Error> {
        let written = Arc::clone(&self.play.written);
        let top = Arc::new(Parent {
            keywords: written.keywords.clone(),
            file: Some(Path::new(&*written.origin.file).into()),
            up: self.play.imported.clone(),
            ..Parent::default()
        });
        let mut root = Block::default();
        let flush = |root: &mut Block| root.tasks.push(flush_marker(&written.origin, &top));
        // Roles first: their variables are the whole play's, in the names of imported files too.
        let mut roles = Vec::new();
        let mut handlers = Vec::new();
        for used in &written.roles {
            let request = RoleRequest::of_use(used, &top);
            let role = self.load_role(&request, &[], false)?;
            roles.push((request, role));
        }
        for (request, role) in &roles {
            handlers.extend(self.role_handlers(role, &request.parent)?);
        }
        root.tasks.extend(self.items(&written.pre_tasks, &top, false)?);
        flush(&mut root);
        for (request, role) in &roles {
            root.tasks.extend(self.role_block(role, &request.parent, true)?);
        }
        root.tasks.extend(self.items(&written.tasks, &top, false)?);
        flush(&mut root);
        root.tasks.extend(self.items(&written.post_tasks, &top, false)?);
        flush(&mut root);
        handlers.extend(self.handlers(&written.handlers, &top)?);
        write(&self.play.handlers).extend(handlers);
        Ok(Arc::new(root))
    }

    /// Tasks and blocks, imports expanded, those that tags leave out gone.
    pub(crate) fn items(
        &mut self,
        items: &[written::Item],
        parent: &Arc<Parent>,
        handler: bool,
    ) -> Result<Vec<Node>, Error> {
        let mut nodes = Vec::with_capacity(items.len());
        for item in items {
            match item {
                written::Item::Task(task) => self.task(task, parent, handler, &mut nodes)?,
                written::Item::Block(block) => {
                    let inner = Arc::new(Parent {
                        keywords: block.keywords.clone(),
                        vars: Arc::new(block.vars.clone()),
                        up: Some(Arc::clone(parent)),
                        ..Parent::default()
                    });
                    let made = Block {
                        tasks: self.items(&block.block, &inner, handler)?,
                        rescue: self.items(&block.rescue, &inner, handler)?,
                        always: self.items(&block.always, &inner, handler)?,
                        ordinals: None,
                        role: None,
                    };
                    if !(made.tasks.is_empty() && made.always.is_empty()) {
                        nodes.push(Node::Block(Arc::new(made)));
                    }
                }
            }
        }
        Ok(nodes)
    }

    fn task(
        &mut self,
        written: &Arc<written::Task>,
        parent: &Arc<Parent>,
        handler: bool,
        nodes: &mut Vec<Node>,
    ) -> Result<(), Error> {
        let name = crate::action::full_name(&written.action);
        let work = match &*name {
            "ansible.builtin.import_tasks" => {
                return self.import_tasks(written, parent, handler, nodes);
            }
            "ansible.builtin.import_role" => {
                return self.import_role(written, parent, handler, nodes);
            }
            "ansible.builtin.include_tasks" | "ansible.builtin.include" => Work::IncludeTasks,
            "ansible.builtin.include_role" => Work::IncludeRole,
            "ansible.builtin.meta" => Work::Meta(Meta::Written),
            _ => match self.world.tables.find(&written.action) {
                Some(line) => line_to_work(line),
                None => {
                    return Err(Error::at(
                        format!(
                            "couldn't resolve module/action '{}'. This often indicates a misspelling, missing collection, or incorrect module path.",
                            written.action
                        ),
                        &written.action_origin,
                    ));
                }
            },
        };
        let found = self.world.tables.find(&written.action);
        let full_name = found.map_or_else(|| name.to_string(), |line| line.name().to_owned());
        let mut task = Task::new(Arc::clone(written), work, &full_name, parent);
        task.handler = handler;
        // Handlers run when notified, whatever their tags; includes look at their own.
        if handler || self.is_tagged(&task)? {
            nodes.push(Node::Task(Arc::new(task)));
        }
        Ok(())
    }

    /// Whether `--tags` and `--skip-tags` let the task run.
    pub(crate) fn is_tagged(&self, task: &Task) -> Result<bool, Error> {
        if matches!(task.work, Work::Meta(_))
            && task.own("tags").is_none()
            && task.keywords("tags").is_empty()
        {
            return Ok(true);
        }
        let mut tags = Vec::new();
        let scope = self.scope(Some(task));
        let outside = scope.outside();
        let env = Env::new(&self.world.engine, &scope, &outside);
        for (value, origin) in task.keywords("tags") {
            let rendered =
                env.resolve(value).map_err(|error| Error::template(&error, Some(origin)))?;
            match rendered {
                Value::List(list) => {
                    tags.extend(list.iter().flat_map(|it| split_tags(&it.to_str())));
                }
                Value::Null => {}
                other => tags.extend(split_tags(&other.to_str())),
            }
        }
        let settings = &self.world.settings;
        Ok(Tags { only: &settings.tags, skip: &settings.skip_tags }.allow(&tags))
    }

    fn scope(&self, task: Option<&Task>) -> TaskScope {
        let task = task.map(|task| {
            let work = Work::Meta(Meta::Written);
            Arc::new(Task::new(Arc::clone(&task.written), work, &task.full_name, &task.parent))
        });
        TaskScope::new(self.world, Some(self.play), self.host.as_ref(), task.as_ref())
    }

    /// A name in an import, rendered with what is known before hosts are.
    fn render_name(
        &self,
        value: &Value,
        written: &Arc<written::Task>,
        parent: &Arc<Parent>,
        locals: &Map,
    ) -> Result<String, Error> {
        let task = Task::new(Arc::clone(written), Work::Meta(Meta::Written), "", parent);
        let mut scope = self.scope(Some(&task));
        scope.locals = locals.clone();
        let outside = scope.outside();
        let env = Env::new(&self.world.engine, &scope, &outside);
        env.resolve(value)
            .map(|it| it.to_str())
            .map_err(|error| Error::template(&error, value.origin().or(Some(&written.origin))))
    }

    fn import_tasks(
        &mut self,
        written: &Arc<written::Task>,
        parent: &Arc<Parent>,
        handler: bool,
        nodes: &mut Vec<Node>,
    ) -> Result<(), Error> {
        if written.loop_.is_some() {
            return Err(Error::at(
                "You cannot use loops on 'import_tasks' statements. You should use 'include_tasks' instead.",
                &written.origin,
            ));
        }
        let file = written
            .target()
            .ok_or_else(|| Error::at("import_tasks needs the name of a file", &written.origin))?;
        let name = self.render_name(&file, written, parent, &Map::new())?;
        let path = self.find_tasks_file(&name, written, parent)?;
        let inner = Arc::new(Parent {
            keywords: written.keywords.clone(),
            vars: Arc::new(written.vars.clone()),
            file: Some(path.as_path().into()),
            up: Some(Arc::clone(parent)),
            ..Parent::default()
        });
        let items = self.load_tasks(&path, handler)?;
        self.deeper(&written.origin, |this| {
            nodes.extend(this.items(&items, &inner, handler)?);
            Ok(())
        })
    }

    fn deeper<T>(
        &mut self,
        origin: &Origin,
        inside: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth >= DEEPEST {
            return Err(Error::at("imports go too deep: does a file import itself?", origin));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    fn import_role(
        &mut self,
        written: &Arc<written::Task>,
        parent: &Arc<Parent>,
        handler: bool,
        nodes: &mut Vec<Node>,
    ) -> Result<(), Error> {
        if written.loop_.is_some() {
            return Err(Error::at(
                "You cannot use loops on 'import_role' statements. You should use 'include_role' instead.",
                &written.origin,
            ));
        }
        let mut args = Map::new();
        for (key, value) in &written.args {
            let rendered = if value.is_live() {
                self.render_name(value, written, parent, &Map::new())?.into()
            } else {
                value.clone()
            };
            args.insert(key.clone(), rendered);
        }
        let inner = Arc::new(Parent {
            keywords: written.keywords.clone(),
            vars: Arc::new(written.vars.clone()),
            up: Some(Arc::clone(parent)),
            ..Parent::default()
        });
        let request = RoleRequest::of_args(&args, inner, &written.origin)?;
        let parents = parent.role().map_or_else(Vec::new, |role| role.chain());
        self.deeper(&written.origin, |this| {
            let role = this.load_role(&request, &parents, false)?;
            let handlers = this.role_handlers(&role, &request.parent)?;
            write(&this.play.handlers).extend(handlers);
            let block = this.role_block(&role, &request.parent, request.validate)?;
            if handler {
                // A role in a handler's place: its tasks are the handlers.
                for node in block {
                    nodes.push(node);
                }
            } else {
                nodes.extend(block);
            }
            Ok(())
        })
    }

    /// Tasks of a file.
    pub(crate) fn load_tasks(
        &self,
        path: &Path,
        handler: bool,
    ) -> Result<Vec<written::Item>, Error> {
        Ok(self.world.loader.tasks(path, handler)?)
    }

    /// The file of tasks that an import or include names: beside the file around it, in the
    /// role's `tasks` (or `handlers`) folder, beside the playbook.
    pub(crate) fn find_tasks_file(
        &self,
        name: &str,
        written: &written::Task,
        parent: &Arc<Parent>,
    ) -> Result<PathBuf, Error> {
        let tried = self.tasks_files(name, written, parent);
        match tried.iter().find(|it| it.is_file()) {
            Some(found) => Ok(found.clone()),
            None => {
                let first = tried.last().cloned().unwrap_or_else(|| PathBuf::from(name));
                Err(Error::at(
                    format!(
                        "Could not find or access '{0}' on the Ansible Controller: Unable to retrieve file contents.\nCould not find or access '{0}' on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see the remote_src option: [Errno 2] No such file or directory: '{0}'",
                        first.display()
                    ),
                    &written.origin,
                ))
            }
        }
    }

    fn tasks_files(
        &self,
        name: &str,
        written: &written::Task,
        parent: &Arc<Parent>,
    ) -> Vec<PathBuf> {
        let path = Path::new(name);
        if path.is_absolute() {
            return vec![path.to_path_buf()];
        }
        let mut tried = Vec::new();
        let beside = Path::new(&*written.origin.file).parent().map(|it| it.join(name));
        let role = parent.role();
        if let Some(role) = role {
            let section =
                if beside.as_ref().is_some_and(|it| it.starts_with(role.path.join("handlers"))) {
                    "handlers"
                } else {
                    "tasks"
                };
            tried.extend(beside.clone());
            tried.push(role.path.join(section).join(name));
            tried.push(role.path.join("tasks").join(name));
            tried.push(role.path.join(name));
        }
        tried.extend(beside);
        for around in parent.chain().filter_map(|it| it.file.as_ref()) {
            tried.extend(around.parent().map(|it| it.join(name)));
        }
        tried.push(self.play.folder.join("tasks").join(name));
        tried.push(self.play.folder.join(name));
        tried
    }

    /// The blocks of a role: its dependencies, then its tasks.
    pub(crate) fn role_block(
        &mut self,
        role: &Arc<Role>,
        parent: &Arc<Parent>,
        validate: bool,
    ) -> Result<Vec<Node>, Error> {
        let mut nodes = Vec::new();
        for (dependency, used) in role.dependencies.iter().zip(&role.written.meta.dependencies) {
            let request = RoleRequest::of_use(used, parent);
            nodes.extend(self.role_block(dependency, &request.parent, true)?);
        }
        let inner = self.role_parent(role, parent);
        let mut tasks = self.items(&role.written.tasks, &inner, false)?;
        if validate {
            tasks.splice(0..0, crate::roles::argument_check(self.world, role, &inner));
        }
        if tasks.is_empty() {
            return Ok(nodes);
        }
        tasks.push(marker(Meta::RoleDone(Arc::clone(role)), &inner, &origin_of(role)));
        nodes.push(Node::Block(Arc::new(Block {
            tasks,
            role: Some(Arc::clone(role)),
            ..Block::default()
        })));
        Ok(nodes)
    }

    /// What the tasks of a role inherit from.
    pub(crate) fn role_parent(&self, role: &Arc<Role>, parent: &Arc<Parent>) -> Arc<Parent> {
        Arc::new(Parent {
            role: Some(Arc::clone(role)),
            file: Some(role.path.join("tasks/main.yml").as_path().into()),
            up: Some(Arc::clone(parent)),
            ..Parent::default()
        })
    }

    /// The handlers of a role and of what it depends on.
    pub(crate) fn role_handlers(
        &mut self,
        role: &Arc<Role>,
        parent: &Arc<Parent>,
    ) -> Result<Vec<Arc<Handler>>, Error> {
        let mut handlers = Vec::new();
        for (dependency, used) in role.dependencies.iter().zip(&role.written.meta.dependencies) {
            let request = RoleRequest::of_use(used, parent);
            handlers.extend(self.role_handlers(dependency, &request.parent)?);
        }
        let inner = self.role_parent(role, parent);
        handlers.extend(self.handlers(&role.written.handlers, &inner)?);
        Ok(handlers)
    }

    /// A list of handlers, imports expanded.
    pub(crate) fn handlers(
        &mut self,
        items: &[written::Item],
        parent: &Arc<Parent>,
    ) -> Result<Vec<Arc<Handler>>, Error> {
        fn add(nodes: Vec<Node>, list: u32, handlers: &mut Vec<Arc<Handler>>) {
            for node in nodes {
                match node {
                    Node::Task(task) => handlers.push(Arc::new(Handler::new(task, list))),
                    Node::Block(block) => add(block.tasks.clone(), list, handlers),
                }
            }
        }
        let list = self.play.next_handler_list();
        let nodes = self.items(items, parent, true)?;
        let mut handlers = Vec::new();
        add(nodes, list, &mut handlers);
        Ok(handlers)
    }
}

fn split_tags(text: &str) -> Vec<String> {
    text.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

fn origin_of(role: &Role) -> Origin {
    Origin { file: role.path.to_string_lossy().as_ref().into(), line: 1, column: 1 }
}

fn flush_marker(origin: &Origin, parent: &Arc<Parent>) -> Node {
    marker(Meta::Flush, parent, origin)
}

/// A task that nobody wrote.
pub(crate) fn marker(meta: Meta, parent: &Arc<Parent>, origin: &Origin) -> Node {
    let written = Arc::new(implicit("meta", origin.clone()));
    Node::Task(Arc::new(Task::new(written, Work::Meta(meta), "ansible.builtin.meta", parent)))
}
