//! A run: its playbooks, their plays, the batches of each play.

mod listing;
mod setup;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use davit_event::{Counts, Kind};
use davit_playbook as written;
use davit_template::Env;
use davit_value::{Map, Value};

use crate::compile::Compiler;
use crate::error::Error;
use crate::scope::TaskScope;
use crate::settings::Gathering;
use crate::state::{Hosts, read, write};
use crate::strategy::{Batch, Ending};
use crate::tree::{Block, Node, Parent};
use crate::world::{Play, World};

use self::setup::Setup;

pub use self::listing::{PlayOutline, TaskOutline, outline};

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// By host.
    pub stats: BTreeMap<String, Counts>,
    /// Hosts with a failure that nothing rescued.
    pub failed: Vec<String>,
    /// Hosts that were not reached.
    pub unreachable: Vec<String>,
    /// A failure broke the play off for all hosts.
    pub broken: bool,
    /// The user stopped it.
    pub interrupted: bool,
}

/// Where a run begins: what is asked of it besides the settings.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Identifies the run in the store.
    pub run: String,
    /// Paths as the user typed them.
    pub playbooks: Vec<String>,
    /// The command line.
    pub command: Vec<String>,
}

/// Runs playbooks.
///
/// # Errors
/// Where a file is wrong in a way that no host can help; hosts' failures are in the summary.
pub async fn run(world: &Arc<World>, start: Start) -> Result<Summary, Error> {
    let mut loaded = Vec::new();
    for path in &start.playbooks {
        let full = world.settings.folder.join(path);
        loaded.push((path.clone(), world.loader.playbook(&full)?));
    }
    run_loaded(world, start, loaded).await
}

/// Runs playbooks that are there already, each with the path to show: those of the command line.
///
/// # Errors
/// As [`run`].
pub async fn run_loaded(
    world: &Arc<World>,
    start: Start,
    loaded: Vec<(String, written::Playbook)>,
) -> Result<Summary, Error> {
    if let Some(limit) = &world.settings.limit {
        let mut warnings = Vec::new();
        let hosts = read(&world.inventory).match_hosts("all", Some(limit), &mut warnings)?;
        for warning in warnings {
            world.warn(&warning.text());
        }
        if hosts.is_empty() {
            return Err(Error::plain(
                "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.",
            ));
        }
    }
    if world.settings.flush_cache {
        world.forget_facts();
    }
    world.emit(Kind::RunStarted {
        run: start.run,
        playbooks: start.playbooks,
        check: world.settings.check,
        diff: world.settings.diff,
        command: start.command,
        folder: world.settings.folder.display().to_string(),
    });
    if !world.settings.run_name.is_empty() {
        let entry = crate::resume::name_entry(&world.settings.run_name);
        world.emit(Kind::Journal { entry });
    }
    let mut runner = Runner { world: Arc::clone(world), broken: false, interrupted: false };
    let mut problem = None;
    for (path, playbook) in loaded {
        let plays = u32::try_from(playbook.entries.len()).unwrap_or(u32::MAX);
        world.emit(Kind::PlaybookStarted { path, plays });
        if let Err(error) = runner.playbook(&playbook, None, 0).await {
            problem = Some(error);
            break;
        }
        runner.finish_playbook();
        if runner.broken || runner.interrupted || runner.has_failures() {
            break;
        }
    }
    let ended = match problem {
        // The stream breaks off: once the file is mended, the run can be taken up again.
        Some(error) => Err(error),
        None => {
            let summary = runner.summary();
            runner.finish();
            Ok(summary)
        }
    };
    world.shared.clear();
    // A host that cannot be told any more finds out by itself.
    let _ = tokio::time::timeout(FAREWELL, world.connections.close()).await;
    ended
}

/// How long hosts may take to hear that the run is over.
const FAREWELL: Duration = Duration::from_secs(3);

/// By host, in which order, and what `set_stats` collected.
type Counted = (BTreeMap<String, Counts>, Vec<String>, BTreeMap<String, serde_json::Value>);

struct Runner {
    world: Arc<World>,
    broken: bool,
    interrupted: bool,
}

/// Deeper imports are playbooks that import themselves.
const DEEPEST: usize = 50;

impl Runner {
    async fn playbook(
        &mut self,
        playbook: &written::Playbook,
        imported: Option<&Arc<Parent>>,
        depth: usize,
    ) -> Result<(), Error> {
        for entry in &playbook.entries {
            if self.broken || self.interrupted || self.world.is_stopping() {
                self.interrupted |= self.world.is_stopping();
                return Ok(());
            }
            match entry {
                written::Entry::Play(play) => self.play(play, &playbook.path, imported).await?,
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
                    Box::pin(self.playbook(&playbook, Some(&inner), depth + 1)).await?;
                }
            }
        }
        Ok(())
    }

    fn import(
        &self,
        import: &written::Import,
        from: &Path,
        around: &Arc<Parent>,
    ) -> Result<written::Playbook, Error> {
        let mut scope = TaskScope::new(&self.world, None, None, None);
        scope.locals = imported_vars(Some(around));
        scope.locals.extend(&self.world.settings.extra_vars);
        let outside = scope.outside();
        let name = Env::new(&self.world.engine, &scope, &outside)
            .resolve(&import.file)
            .map_err(|error| Error::template(&error, Some(&import.origin)))?
            .to_str();
        let path = from.parent().unwrap_or(Path::new("")).join(name);
        Ok(self.world.loader.playbook(&path)?)
    }

    async fn play(
        &mut self,
        written: &Arc<written::Play>,
        path: &Path,
        imported: Option<&Arc<Parent>>,
    ) -> Result<(), Error> {
        let world = Arc::clone(&self.world);
        let folder =
            path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = absolute(&world.settings.folder, folder);
        let mut vars = imported_vars(imported);
        vars.extend(&written.vars);
        let setup = Setup { world: &world, written, folder: &folder, vars: &vars };
        let pattern = setup.pattern()?;
        let name = setup.name()?.filter(|it| !it.is_empty()).unwrap_or_else(|| pattern.clone());
        let play = Arc::new(Play::new(
            Arc::clone(written),
            world.next_play(),
            name,
            folder.clone(),
            Arc::new(vars.clone()),
            imported.cloned(),
        ));
        *write(&play.prompted) = Arc::new(setup.prompts()?);
        let hosts = setup.hosts()?;
        for host in &hosts {
            read(&world.inventory).host_vars(host, Some(&folder))?;
        }
        let mut compiler = Compiler::new(&world, &play, None);
        crate::files::load(&world, &play, &hosts)?;
        let root = compiler.play()?;
        let announce = |hosts: &[Arc<str>]| {
            world.emit(Kind::PlayStarted {
                play: play.index,
                name: play.name.clone(),
                hosts: hosts.iter().map(ToString::to_string).collect(),
                check: world.settings.check,
                path: written.origin.to_string(),
            });
        };
        if hosts.is_empty() {
            announce(&[]);
            world.emit(Kind::NoHostsMatched);
            return Ok(());
        }
        *write(&play.hosts) = Hosts { all: hosts.clone(), ..Hosts::default() };
        self.forget_lost(&play);
        let batches = setup.batches(&setup.in_order(&hosts)?)?;
        for batch in batches {
            let batch: Vec<Arc<str>> = batch
                .into_iter()
                .filter(|host| {
                    let lost = read(&world.lost);
                    !lost.failed.contains(host) && !lost.unreachable.contains(host)
                })
                .collect();
            announce(&batch);
            if batch.is_empty() {
                continue;
            }
            self.batch(&play, &setup, &root, batch).await?;
            if self.broken || self.interrupted {
                return Ok(());
            }
            if read(&play.hosts).ended_play {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Hosts that an earlier play lost take no part in this one.
    fn forget_lost(&self, play: &Arc<Play>) {
        let lost = read(&self.world.lost);
        let mut hosts = write(&play.hosts);
        hosts.failed = lost.failed.iter().filter(|it| hosts.all.contains(it)).cloned().collect();
        hosts.unreachable =
            lost.unreachable.iter().filter(|it| hosts.all.contains(it)).cloned().collect();
    }

    async fn batch(
        &mut self,
        play: &Arc<Play>,
        setup: &Setup<'_>,
        root: &Arc<Block>,
        hosts: Vec<Arc<str>>,
    ) -> Result<(), Error> {
        let world = Arc::clone(&self.world);
        write(&play.hosts).batch.clone_from(&hosts);
        let gather = setup.gather(play, &hosts)?;
        let gathers = gather.is_some();
        let root = match gather {
            Some(task) => {
                let mut tasks = vec![Node::Task(task)];
                tasks.push(Node::Block(Arc::clone(root)));
                Arc::new(Block { tasks, ..Block::default() })
            }
            None => Arc::clone(root),
        };
        let mut batch = Batch::new(&world, play, &root, hosts.clone());
        if gathers && world.settings.gathering == Gathering::Smart {
            batch.pass_gathering();
        }
        if world.is_before_start() {
            let gather = usize::from(gathers);
            batch.skip_to_start(gather);
        }
        batch.max_fail_percentage = setup.number("max_fail_percentage")?;
        if let Some(force) = setup.keyword("force_handlers")? {
            batch.force_handlers = crate::keyword::to_flag(&force).unwrap_or(false);
        }
        let strategy = setup
            .keyword("strategy")?
            .map_or_else(|| world.settings.strategy.clone(), |it| it.to_str());
        let ending = batch.run(&strategy).await?;
        if batch.force_handlers && matches!(ending, Ending::Done | Ending::Broken) {
            batch.ending = None;
            let failed: Vec<Arc<str>> = {
                let state = read(&play.hosts);
                hosts.iter().filter(|it| state.failed.contains(*it)).cloned().collect()
            };
            if !failed.is_empty() {
                batch.flush(&failed).await?;
            }
        }
        let state = read(&play.hosts);
        {
            let mut lost = write(&world.lost);
            lost.failed.extend(state.failed.iter().cloned());
            lost.unreachable.extend(state.unreachable.iter().cloned());
        }
        let out = hosts
            .iter()
            .filter(|it| state.failed.contains(*it) || state.unreachable.contains(*it))
            .count();
        drop(state);
        match ending {
            Ending::Broken => self.broken = true,
            Ending::Interrupted => self.interrupted = true,
            Ending::EndPlay => write(&play.hosts).ended_play = true,
            Ending::Done | Ending::EndBatch => {}
        }
        if out == hosts.len() {
            self.broken = true;
        }
        Ok(())
    }

    fn has_failures(&self) -> bool {
        let lost = read(&self.world.lost);
        !lost.failed.is_empty() || !lost.unreachable.is_empty()
    }

    fn summary(&self) -> Summary {
        let lost = read(&self.world.lost);
        let stats = self.world.stats.lock().unwrap_or_else(PoisonError::into_inner);
        Summary {
            stats: stats.counts.clone(),
            failed: lost.failed.iter().map(ToString::to_string).collect(),
            unreachable: lost.unreachable.iter().map(ToString::to_string).collect(),
            broken: self.broken,
            interrupted: self.interrupted || self.world.is_stopping(),
        }
    }

    fn finish_playbook(&self) {
        let (stats, order, custom) = self.counted();
        self.world.emit(Kind::PlaybookFinished { stats, order, custom });
    }

    fn finish(&self) {
        let (stats, order, custom) = self.counted();
        let interrupted = self.interrupted || self.world.is_stopping();
        self.world.emit(Kind::RunFinished { stats, order, custom, interrupted });
    }

    fn counted(&self) -> Counted {
        let stats = self.world.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let custom = stats
            .custom
            .iter()
            .map(|(of, data)| (of.clone(), Value::from(data.clone()).to_json()))
            .collect();
        (stats.counts.clone(), stats.order.clone(), custom)
    }
}

/// The variables that imports around a play set, the outermost first.
fn imported_vars(imported: Option<&Arc<Parent>>) -> Map {
    let mut vars = Map::new();
    let around: Vec<&Parent> = imported.into_iter().flat_map(Parent::chain).collect();
    for parent in around.into_iter().rev() {
        vars.extend(&parent.vars);
    }
    vars
}

/// `folder`, seen from `base` where it is relative.
pub(crate) fn absolute(base: &Path, folder: &Path) -> PathBuf {
    let joined = base.join(folder);
    // `playbooks/.` and the like read badly in messages and in `playbook_dir`.
    let mut clean = PathBuf::new();
    for part in joined.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if clean.file_name().is_some() => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

impl Batch {
    /// Hosts whose facts are known pass over the first task of the play, which gathers them.
    fn pass_gathering(&mut self) {
        for (host, cursor) in &mut self.cursors {
            if self.world.host(host).was_asked() && cursor.next().is_some() {
                cursor.advance();
            }
        }
    }
}
