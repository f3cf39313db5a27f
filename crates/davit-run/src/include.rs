//! Dynamic includes: files of tasks and roles that come in while the play runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use davit_event::Kind;
use davit_playbook as written;
use davit_template::{Env, Outside};
use davit_value::{Map, Value};

use crate::action::Outcome;
use crate::compile::Compiler;
use crate::error::Error;
use crate::execute::{Done, Job, Part};
use crate::failure::{cause, task_failed, template_cause};
use crate::roles::RoleRequest;
use crate::scope::TaskScope;
use crate::state::write;
use crate::strategy::Batch;
use crate::tree::{Block, Node, Parent, Task, Work, set_keyword};

/// What an include asks for on one host: the result that the task has there.
pub(crate) fn request(job: &Job, scope: &TaskScope, outside: &Outside) -> Outcome {
    let env = Env::new(&job.world.engine, scope, outside);
    let task = &job.task;
    let failed = |key: &str, value: &Value, error: &davit_template::Error| {
        let lead = format!("Error while resolving value for '{key}': ");
        let near = value.origin().or(Some(&task.written.action_origin));
        task_failed(
            task.origin(),
            vec![
                cause(
                    format!("Finalization of task args for '{}' failed", task.full_name),
                    Some(&task.written.action_origin),
                ),
                template_cause(&lead, error, near),
            ],
        )
    };
    let mut args = Map::new();
    for (key, value) in &task.written.args {
        if key.as_str() == Some("file") {
            continue;
        }
        match env.resolve(value) {
            // `apply` is rendered for the tasks that it applies to; here it is only shown.
            Err(_) if key.as_str() == Some("apply") => {}
            Ok(value) => {
                args.insert(key.clone(), value);
            }
            Err(error) => return failed(&key.to_text(), value, &error),
        }
    }
    let mut outcome = Outcome::default();
    if matches!(task.work, Work::IncludeTasks) {
        let Some(file) = task.written.target() else {
            return Outcome::failed("No file specified for ansible.builtin.include_tasks");
        };
        match env.resolve(&file) {
            Ok(name) => outcome.result.insert("include", name),
            Err(error) => return failed("_raw_params", &file, &error),
        };
    }
    outcome.result.insert("include_args", args.into());
    outcome
}

/// One file or role, and the hosts that include it.
struct Group {
    key: String,
    name: String,
    args: Map,
    part: Part,
    hosts: Vec<Arc<str>>,
}

impl Batch {
    /// Puts what hosts include before the rest of their tasks.
    pub(crate) fn include(
        &mut self,
        task: &Arc<Task>,
        number: u32,
        results: Vec<(Arc<str>, Done)>,
    ) -> Result<(), Error> {
        let groups = self.groups(task, results);
        let mut made: BTreeMap<Arc<str>, (Vec<Node>, Vec<u32>)> = BTreeMap::new();
        for (at, group) in groups.iter().enumerate() {
            let hosts = group.hosts.clone();
            match self.expand(task, group) {
                Ok((shown, block)) => {
                    for host in &hosts {
                        self.world.count(host, |counts| counts.ok += 1);
                    }
                    self.world.emit(Kind::Included {
                        file: shown,
                        hosts: hosts.iter().map(ToString::to_string).collect(),
                        item: group.part.label.clone(),
                        role: matches!(task.work, Work::IncludeRole),
                    });
                    for host in hosts {
                        let (nodes, ordinals) = made.entry(host).or_default();
                        nodes.push(Node::Block(Arc::clone(&block)));
                        ordinals.push(u32::try_from(at).unwrap_or(u32::MAX));
                    }
                }
                // What is written wrong is wrong for everybody; a file that is missing fails the
                // hosts that asked for it.
                Err(Error::Written(error)) if error.is_parser_error() => return Err(error.into()),
                Err(error) => self.include_failed(task, number, group, &error),
            }
        }
        for (host, (tasks, ordinals)) in made {
            if let Some(cursor) = self.cursors.get_mut(&host)
                && !cursor.is_out()
            {
                cursor.enter(Arc::new(Block {
                    tasks,
                    ordinals: Some(ordinals),
                    ..Block::default()
                }));
            }
        }
        Ok(())
    }

    fn groups(&self, task: &Arc<Task>, results: Vec<(Arc<str>, Done)>) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (host, done) in results {
            for part in done.parts {
                if crate::action::flag(&part.result, "skipped")
                    || crate::action::flag(&part.result, "failed")
                {
                    continue;
                }
                let args = match part.result.get("include_args") {
                    Some(Value::Map(args)) => (**args).clone(),
                    _ => Map::new(),
                };
                let name = match &task.work {
                    Work::IncludeRole => {
                        args.get("name").or_else(|| args.get("role")).map(Value::to_str)
                    }
                    _ => part.result.get("include").map(Value::to_str),
                }
                .unwrap_or_default();
                let key = format!(
                    "{name}|{}|{}",
                    Value::from(args.clone()).to_json(),
                    Value::from(part.locals.clone()).to_json()
                );
                match groups.iter_mut().find(|it| it.key == key && !it.hosts.contains(&host)) {
                    Some(group) => group.hosts.push(Arc::clone(&host)),
                    None => {
                        groups.push(Group {
                            key,
                            name,
                            args,
                            part,
                            hosts: vec![Arc::clone(&host)],
                        });
                    }
                }
            }
        }
        groups
    }

    /// The block of one group, and how it is shown.
    fn expand(&self, task: &Arc<Task>, group: &Group) -> Result<(String, Arc<Block>), Error> {
        let host = group.hosts.first().cloned();
        let mut compiler = Compiler::new(&self.world, &self.play, host);
        let parent = self.include_parent(task, group);
        if parent.chain().count() > DEEPEST {
            return Err(Error::at(
                "includes go too deep: does a file include itself?",
                task.origin(),
            ));
        }
        if matches!(task.work, Work::IncludeRole) {
            let request = RoleRequest::of_args(&group.args, parent, task.origin())?;
            let chain = task.role().map_or_else(Vec::new, |role| role.chain());
            let role = compiler.load_role(&request, &chain, true)?;
            let handlers = compiler.role_handlers(&role, &request.parent)?;
            write(&self.play.handlers).extend(handlers);
            let tasks = compiler.role_block(&role, &request.parent, request.validate)?;
            return Ok((role.name.clone(), Arc::new(Block { tasks, ..Block::default() })));
        }
        let path: PathBuf = compiler.find_tasks_file(&group.name, &task.written, &task.parent)?;
        let inner = Arc::new(Parent {
            file: Some(path.as_path().into()),
            up: Some(parent),
            ..Parent::default()
        });
        let items = compiler.load_tasks(&path, task.handler)?;
        let tasks = compiler.items(&items, &inner, task.handler)?;
        Ok((path.display().to_string(), Arc::new(Block { tasks, ..Block::default() })))
    }

    /// What included tasks inherit: the include's variables, its loop's, and what `apply` says;
    /// the include's own keywords are for itself alone.
    fn include_parent(&self, task: &Arc<Task>, group: &Group) -> Arc<Parent> {
        let mut vars = task.written.vars.clone();
        vars.extend(&group.part.locals);
        let params = Arc::new(Parent {
            vars: Arc::new(vars),
            is_include: true,
            up: Some(Arc::clone(&task.parent)),
            ..Parent::default()
        });
        let Some(Value::Map(apply)) = task.written.args.get("apply") else { return params };
        let mut keywords = written::Keywords::default();
        let mut applied = Map::new();
        for (key, value) in apply.iter() {
            match (key.as_str(), value) {
                (Some("vars"), Value::Map(vars)) => applied.extend(vars),
                (Some(name), value) => {
                    set_keyword(&mut keywords, name, value.clone(), task.origin());
                }
                (None, _) => {}
            }
        }
        Arc::new(Parent {
            keywords,
            vars: Arc::new(applied),
            up: Some(params),
            ..Parent::default()
        })
    }

    fn include_failed(&mut self, task: &Arc<Task>, number: u32, group: &Group, error: &Error) {
        for host in &group.hosts {
            let mut outcome = Outcome { result: group.part.result.clone(), ..Outcome::default() };
            outcome.result.remove("include_args");
            let origin = match error {
                Error::At { origin: Some(origin), .. } => origin.clone(),
                _ => task.origin().clone(),
            };
            outcome.causes = vec![cause(error.to_string(), Some(&origin))];
            outcome.result.insert("reason", error.to_string().into());
            outcome.result.insert("failed", true.into());
            self.include_lost(number, host, &outcome);
        }
    }
}

/// Deeper includes are files that include themselves.
const DEEPEST: usize = 500;
