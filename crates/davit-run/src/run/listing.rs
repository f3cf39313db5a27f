//! What a run would do, without doing it: plays, their hosts, tasks and tags.
//!
//! Only what is static is seen: what an `include_tasks` brings is known when it runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use davit_playbook as written;
use davit_template::Env;
use davit_value::Value;

use super::setup::Setup;
use super::{DEEPEST, Runner, absolute, imported_vars};
use crate::compile::Compiler;
use crate::error::Error;
use crate::scope::TaskScope;
use crate::tree::{Block, Meta, Node, Parent, Task, Work};
use crate::world::{Play, World};

/// A play as a listing shows it.
#[derive(Clone, Debug)]
pub struct PlayOutline {
    /// The `name`, or the pattern where it has none.
    pub name: String,
    /// The parts of `hosts`.
    pub pattern: Vec<String>,
    /// The hosts it would run on.
    pub hosts: Vec<String>,
    /// The play's own tags, sorted.
    pub tags: Vec<String>,
    /// Its tasks that the tags leave.
    pub tasks: Vec<TaskOutline>,
}

/// A task as a listing shows it.
#[derive(Clone, Debug)]
pub struct TaskOutline {
    /// `role : name`, `name`, or the action where it has no name; not rendered.
    pub name: String,
    /// Its tags, those around it included, sorted.
    pub tags: Vec<String>,
}

/// The plays of a playbook, imported ones included. Nothing runs.
///
/// # Errors
/// Where a file is wrong.
pub fn outline(world: &Arc<World>, path: &Path) -> Result<Vec<PlayOutline>, Error> {
    let playbook = world.loader.playbook(&world.settings.folder.join(path))?;
    let runner = Runner { world: Arc::clone(world), broken: false, interrupted: false };
    let mut plays = Vec::new();
    runner.outline(&playbook, None, 0, &mut plays)?;
    Ok(plays)
}

impl Runner {
    fn outline(
        &self,
        playbook: &written::Playbook,
        imported: Option<&Arc<Parent>>,
        depth: usize,
        plays: &mut Vec<PlayOutline>,
    ) -> Result<(), Error> {
        for entry in &playbook.entries {
            match entry {
                written::Entry::Play(play) => {
                    plays.push(self.outline_play(play, &playbook.path, imported)?);
                }
                written::Entry::Import(import) => {
                    if depth >= DEEPEST {
                        return Err(Error::at(
                            "playbooks import one another in a circle",
                            &import.origin,
                        ));
                    }
                    let inner = Arc::new(Parent {
                        keywords: import.keywords.clone(),
                        vars: Arc::new(import.vars.clone()),
                        up: imported.cloned(),
                        ..Parent::default()
                    });
                    let playbook = self.import(import, &playbook.path, &inner)?;
                    self.outline(&playbook, Some(&inner), depth + 1, plays)?;
                }
            }
        }
        Ok(())
    }

    fn outline_play(
        &self,
        written: &Arc<written::Play>,
        path: &Path,
        imported: Option<&Arc<Parent>>,
    ) -> Result<PlayOutline, Error> {
        let world = &self.world;
        let folder =
            path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = absolute(&world.settings.folder, folder);
        let mut vars = imported_vars(imported);
        vars.extend(&written.vars);
        let setup = Setup { world, written, folder: &folder, vars: &vars };
        let pattern = setup.pattern()?;
        let name = setup.name()?;
        let name = name.filter(|it| !it.is_empty()).unwrap_or_else(|| pattern.clone());
        let hosts = setup.hosts()?;
        let play = Arc::new(Play::new(
            Arc::clone(written),
            0,
            name.clone(),
            folder.clone(),
            Arc::new(vars.clone()),
            imported.cloned(),
        ));
        let root = Compiler::new(world, &play, None).play()?;
        let mut tasks = Vec::new();
        add(world, &play, &root, &mut tasks)?;
        let parts = match setup.render(&written.hosts)? {
            Value::List(list) => list.iter().map(Value::to_str).collect(),
            other => vec![other.to_str()],
        };
        let own = written.keywords.get("tags").into_iter();
        let around = imported.into_iter().flat_map(Parent::chain);
        let values: Vec<&Value> =
            own.chain(around.filter_map(|it| it.keywords.get("tags"))).collect();
        Ok(PlayOutline {
            name,
            pattern: parts,
            hosts: hosts.iter().map(ToString::to_string).collect(),
            tags: tags(world, &play, &values)?,
            tasks,
        })
    }
}

/// Adds the tasks of a block, those of `rescue` and `always` not included: as the original has it.
fn add(
    world: &Arc<World>,
    play: &Arc<Play>,
    block: &Block,
    out: &mut Vec<TaskOutline>,
) -> Result<(), Error> {
    for node in &block.tasks {
        match node {
            Node::Block(inner) => add(world, play, inner, out)?,
            Node::Task(task) => {
                if !matches!(task.work, Work::Meta(Meta::Flush | Meta::RoleDone(_))) {
                    let values: Vec<&Value> =
                        task.keywords("tags").into_iter().map(|(it, _)| it).collect();
                    out.push(TaskOutline {
                        name: shown_name(task),
                        tags: tags(world, play, &values)?,
                    });
                }
            }
        }
    }
    Ok(())
}

fn shown_name(task: &Task) -> String {
    match (task.name(), task.role()) {
        (Some(name), Some(role)) => format!("{} : {}", role.name, name.to_str()),
        (Some(name), None) => name.to_str(),
        (None, _) => task.written.action.as_str().to_owned(),
    }
}

fn tags(world: &Arc<World>, play: &Arc<Play>, values: &[&Value]) -> Result<Vec<String>, Error> {
    let scope = TaskScope::new(world, Some(play), None, None);
    let outside = scope.outside();
    let env = Env::new(&world.engine, &scope, &outside);
    let mut all = BTreeSet::new();
    for value in values {
        let value = env.resolve(value).map_err(|error| Error::template(&error, value.origin()))?;
        let texts = match value {
            Value::List(list) => list.iter().map(Value::to_str).collect(),
            Value::Null => Vec::new(),
            other => vec![other.to_str()],
        };
        all.extend(
            texts
                .iter()
                .flat_map(|it| it.split(','))
                .map(|it| it.trim().to_owned())
                .filter(|it| !it.is_empty()),
        );
    }
    Ok(all.into_iter().collect())
}
