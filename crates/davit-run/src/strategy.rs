//! One batch of hosts through the blocks of a play: in lock step, or each host for itself.
//!
//! This is the one mind of a run: results are taken in here, one host after another, and nothing
//! else changes variables, cursors or counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use davit_event::{Kind, Level};
use davit_template::{Env, ErrorKind};
use davit_value::Value;
use tokio::task::JoinSet;

use crate::cursor::{Cursor, Failed, Place};
use crate::error::Error;
use crate::execute::{Done, Job};
use crate::keyword::Keyword;
use crate::roles::is_done;
use crate::scope::TaskScope;
use crate::settle::Turn;
use crate::state::{read, write};
use crate::tags::Tags;
use crate::tree::{Block, Meta, Task, Work};
use crate::world::{Play, World};

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every host went through, or fell out on its own.
    Done,
    /// Too many hosts failed, or one where any is fatal: the playbook ends.
    Broken,
    /// `meta: end_play`.
    EndPlay,
    /// `meta: end_batch`.
    EndBatch,
    /// The user stopped it.
    Interrupted,
}

/// A batch of hosts in a play.
pub(crate) struct Batch {
    pub(crate) world: Arc<World>,
    pub(crate) play: Arc<Play>,
    pub(crate) hosts: Vec<Arc<str>>,
    pub(crate) cursors: HashMap<Arc<str>, Cursor>,
    pub(crate) max_fail_percentage: Option<f64>,
    pub(crate) force_handlers: bool,
    pub(crate) ending: Option<Ending>,
    /// Counts up, so that a task that runs again has another place in the journal.
    pub(crate) flushes: u32,
}

/// How the hosts of a play go through its tasks, by the last part of the names.
pub const STRATEGIES: &[&str] = &["debug", "free", "host_pinned", "linear"];

impl Batch {
    pub(crate) fn new(
        world: &Arc<World>,
        play: &Arc<Play>,
        root: &Arc<Block>,
        hosts: Vec<Arc<str>>,
    ) -> Self {
        let cursors =
            hosts.iter().map(|host| (Arc::clone(host), Cursor::new(Arc::clone(root)))).collect();
        Self {
            world: Arc::clone(world),
            play: Arc::clone(play),
            hosts,
            cursors,
            max_fail_percentage: None,
            force_handlers: world.settings.force_handlers,
            ending: None,
            flushes: 0,
        }
    }

    /// Hosts that are still in, in order.
    pub(crate) fn living(&self) -> Vec<Arc<str>> {
        let state = read(&self.play.hosts);
        self.hosts
            .iter()
            .filter(|host| !state.failed.contains(*host) && !state.unreachable.contains(*host))
            .cloned()
            .collect()
    }

    /// Runs the batch by the strategy of that name.
    pub(crate) async fn run(&mut self, strategy: &str) -> Result<Ending, Error> {
        let short = strategy.rsplit('.').next().unwrap_or(strategy);
        match short {
            "linear" | "debug" => self.linear().await?,
            "free" | "host_pinned" => self.free().await?,
            other => return Err(Error::plain(format!("Invalid play strategy specified: {other}"))),
        }
        if self.world.is_stopping() {
            return Ok(Ending::Interrupted);
        }
        Ok(self.ending.unwrap_or(Ending::Done))
    }

    async fn linear(&mut self) -> Result<(), Error> {
        loop {
            if self.ending.is_some() || self.world.is_stopping() {
                return Ok(());
            }
            let Some((place, task, hosts)) = self.least() else { return Ok(()) };
            self.step(&place, &task, hosts).await?;
        }
    }

    /// The next task in the order of the play, and the hosts for which it is next.
    fn least(&mut self) -> Option<(Place, Arc<Task>, Vec<Arc<str>>)> {
        let mut least: Option<(Place, Arc<Task>, Vec<Arc<str>>)> = None;
        let hosts = self.hosts.clone();
        for host in hosts {
            let Some((place, task)) = self.peek(&host) else { continue };
            match &mut least {
                Some((at, same, hosts)) if *at == place && Arc::ptr_eq(same, &task) => {
                    hosts.push(host);
                }
                Some((at, ..)) if *at <= place => {}
                _ => least = Some((place, task, vec![host])),
            }
        }
        least
    }

    /// The next task of one host; takes in that the host has fallen out.
    fn peek(&mut self, host: &Arc<str>) -> Option<(Place, Arc<Task>)> {
        {
            let state = read(&self.play.hosts);
            if state.unreachable.contains(host) || state.ended.contains(host) {
                return None;
            }
        }
        let cursor = self.cursors.get_mut(host)?;
        let next = cursor.next();
        if next.is_none() && cursor.is_failed() {
            write(&self.play.hosts).failed.insert(Arc::clone(host));
        }
        next
    }

    /// Runs one task on the hosts that stand before it.
    pub(crate) async fn step(
        &mut self,
        place: &Place,
        task: &Arc<Task>,
        mut hosts: Vec<Arc<str>>,
    ) -> Result<(), Error> {
        for host in &hosts {
            if let Some(cursor) = self.cursors.get_mut(host) {
                cursor.advance();
            }
        }
        hosts.retain(|host| !is_done(task, host));
        if hosts.is_empty() {
            return Ok(());
        }
        match &task.work {
            Work::Meta(Meta::RoleDone(role)) => {
                for host in &hosts {
                    role.progress.end(host);
                }
                Ok(())
            }
            Work::Meta(Meta::Flush) if !self.flushes() => Ok(()),
            Work::Meta(Meta::Flush) => {
                if self.force_handlers {
                    // Hosts that have fallen out run theirs with the others.
                    let state = read(&self.play.hosts);
                    hosts
                        .extend(self.hosts.iter().filter(|it| state.failed.contains(*it)).cloned());
                }
                self.flush(&hosts).await
            }
            Work::Meta(Meta::Written) => self.meta(task, &hosts).await,
            _ if !self.is_wanted(task).await => Ok(()),
            _ => self.run_task(place, task, hosts).await,
        }
    }

    /// Whether handlers run at the ends of sections: nobody wrote that, and it is tagged `always`.
    fn flushes(&self) -> bool {
        let settings = &self.world.settings;
        Tags { only: &settings.tags, skip: &settings.skip_tags }.allow(&["always".to_owned()])
    }

    /// `--step`: asks whether to run a task. Where nobody answers, it is not run.
    async fn is_wanted(&self, task: &Arc<Task>) -> bool {
        if !self.world.asks_before_tasks() {
            return true;
        }
        let name = task.name().map_or_else(|| task.written.action.to_string(), Value::to_str);
        let name = match task.role() {
            Some(role) => format!("{} : {name}", role.name),
            None => name,
        };
        let text = format!("Perform task: TASK: {name} (N)o/(y)es/(c)ontinue: ");
        let prompt = Arc::clone(&self.world.prompt);
        let answer = tokio::task::spawn_blocking(move || prompt.ask_anyone(&text)).await;
        match answer.ok().flatten().unwrap_or_default().trim().to_lowercase().as_str() {
            "y" | "yes" => true,
            "c" | "continue" => {
                self.world.ask_no_more();
                true
            }
            _ => false,
        }
    }

    /// Runs a task on hosts and takes in what came of it.
    pub(crate) async fn run_task(
        &mut self,
        place: &Place,
        task: &Arc<Task>,
        hosts: Vec<Arc<str>>,
    ) -> Result<(), Error> {
        let shared = self.runs_once(task, &hosts)?;
        let once = shared || passes_hosts_by(task).is_some();
        let targets: Vec<Arc<str>> =
            if once { hosts.iter().take(1).cloned().collect() } else { hosts.clone() };
        let number = self.announce(place, task, &targets);
        let throttle = self.throttle(task, &targets)?;
        let mut results: Vec<(Arc<str>, Done)> = Vec::new();
        let mut late: Vec<Arc<str>> = Vec::new();
        for host in &targets {
            match self.recorded(place, task, host) {
                Some(done) => results.push((Arc::clone(host), done)),
                None => late.push(Arc::clone(host)),
            }
        }
        let mut includes: Vec<(Arc<str>, Done)> = Vec::new();
        for (host, done) in results {
            let past = Turn { task, number: None, shared };
            self.settle(&past, &host, done, &mut includes)?;
        }
        let turn = Turn { task, number: Some(number), shared };
        if is_inline(task) {
            for host in &late {
                if self.world.is_stopping() {
                    break;
                }
                let job = self.job(place, task, host, number);
                let done = job.run().await;
                self.settle(&turn, host, done, &mut includes)?;
            }
        } else {
            self.run_wide((place, &turn), &late, throttle, &mut includes).await?;
        }
        if !includes.is_empty() {
            // Hosts in the order of the play, whichever was done first.
            let order: HashMap<&Arc<str>, usize> =
                targets.iter().enumerate().map(|(at, host)| (host, at)).collect();
            includes.sort_by_key(|(host, _)| order.get(host).copied());
            self.include(task, number, includes)?;
        }
        self.after_task(task, &targets, once)
    }

    /// Runs a task on many hosts at the same time, results taken in as they come.
    async fn run_wide(
        &mut self,
        (place, turn): (&Place, &Turn<'_>),
        hosts: &[Arc<str>],
        width: usize,
        includes: &mut Vec<(Arc<str>, Done)>,
    ) -> Result<(), Error> {
        let mut waiting = hosts.iter();
        let mut running: JoinSet<(Arc<str>, Done)> = JoinSet::new();
        loop {
            while running.len() < width && !self.world.is_stopping() {
                let Some(host) = waiting.next() else { break };
                let job = self.job(place, turn.task, host, turn.number.unwrap_or_default());
                let started = Kind::HostStarted { task: job.number, host: host.to_string() };
                self.world.emit(started);
                running.spawn(async move { (Arc::clone(&job.host), job.run().await) });
            }
            match running.join_next().await {
                Some(Ok((host, done))) => {
                    self.settle(turn, &host, done, includes)?;
                }
                Some(Err(error)) => {
                    return Err(Error::plain(format!("a task broke off: {error}")));
                }
                None => return Ok(()),
            }
        }
    }

    pub(crate) fn job(&self, place: &Place, task: &Arc<Task>, host: &Arc<str>, number: u32) -> Job {
        Job {
            world: Arc::clone(&self.world),
            play: Arc::clone(&self.play),
            host: Arc::clone(host),
            task: Arc::clone(task),
            number,
            key: crate::resume::key(self.play.index, self.flushes, place),
        }
    }

    fn runs_once(&self, task: &Arc<Task>, hosts: &[Arc<str>]) -> Result<bool, Error> {
        let Some((value, _)) = task.keyword("run_once") else { return Ok(false) };
        if !value.is_live() {
            return Ok(crate::keyword::to_flag(value).unwrap_or(false));
        }
        self.with_keywords(task, hosts.first(), |keywords| keywords.flag("run_once"))
            .map(|it| it.unwrap_or(false))
    }

    fn throttle(&self, task: &Arc<Task>, hosts: &[Arc<str>]) -> Result<usize, Error> {
        let forks = self.world.settings.forks.max(1);
        if task.keyword("throttle").is_none() {
            return Ok(forks);
        }
        let number =
            self.with_keywords(task, hosts.first(), |keywords| keywords.number("throttle"))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        Ok(match number {
            Some(number) if number >= 1.0 => forks.min(number.min(1e6) as usize),
            _ => forks,
        })
    }

    /// Reads keywords as the first host sees them.
    fn with_keywords<T>(
        &self,
        task: &Arc<Task>,
        host: Option<&Arc<str>>,
        read: impl FnOnce(&Keyword<'_>) -> Result<T, crate::action::Outcome>,
    ) -> Result<T, Error> {
        let scope = TaskScope::new(&self.world, Some(&self.play), host, Some(task));
        let outside = scope.outside();
        read(&Keyword { task, scope: &scope, outside: &outside }).map_err(|outcome| {
            let text = outcome.result.get("msg").map(Value::to_str).unwrap_or_default();
            Error::at(text, task.origin())
        })
    }

    /// The event of a task's start; its number.
    pub(crate) fn announce(&self, place: &Place, task: &Arc<Task>, hosts: &[Arc<str>]) -> u32 {
        let number = self.world.next_task();
        let silent = hosts.iter().all(|host| self.recorded(place, task, host).is_some());
        if silent && !hosts.is_empty() {
            return number;
        }
        let scope = TaskScope::new(&self.world, Some(&self.play), hosts.first(), Some(task));
        let outside = scope.outside();
        let env = Env::new(&self.world.engine, &scope, &outside);
        let name = match task.name() {
            Some(name) => match env.resolve(name) {
                Ok(value) => value.to_str(),
                Err(error) => self.partly_rendered(env, name, &error),
            },
            None => String::new(),
        };
        let name = match (&task.work, task.role()) {
            // Named by the role that it brings in, not by the one that it is in.
            (Work::IncludeRole, _) if name.is_empty() => {
                let role = task.written.target().map(|it| it.to_str()).unwrap_or_default();
                format!("{} : {role}", task.written.action)
            }
            (_, Some(role)) if name.is_empty() => {
                format!("{} : {}", role.name, task.written.action)
            }
            (_, Some(role)) => format!("{} : {name}", role.name),
            (_, None) if name.is_empty() => task.written.action.to_string(),
            (_, None) => name,
        };
        let keywords = Keyword { task, scope: &scope, outside: &outside };
        let check = keywords.flag("check_mode").ok().flatten().unwrap_or(self.world.settings.check);
        let diff = keywords.flag("diff").ok().flatten().unwrap_or(self.world.settings.diff);
        let hidden = keywords.flag("no_log").ok().flatten().unwrap_or(self.world.settings.no_log);
        let args =
            if self.world.settings.show_args && !hidden { show_args(task) } else { String::new() };
        self.world.emit(Kind::TaskStarted {
            task: number,
            name,
            action: task.written.action.to_string(),
            path: task.origin().to_string(),
            handler: task.handler,
            check,
            diff,
            args,
        });
        self.world.emit(Kind::Journal {
            entry: crate::resume::entry(number, self.play.index, self.flushes, place),
        });
        number
    }

    /// The name of a task as far as it can be told, and why there is no more of it.
    fn partly_rendered(&self, env: Env<'_>, name: &Value, error: &davit_template::Error) -> String {
        let (text, errors) = partly_rendered(env, name, error);
        let noun = if errors.len() == 1 { "error" } else { "errors" };
        let mut warning = format!("Encountered {} template {noun}.", errors.len());
        for (number, error) in (1..).zip(&errors) {
            warning.push_str(&format!("\nerror {number} - {error}"));
        }
        let place = name.origin().map(ToString::to_string);
        self.world.message(Level::Warning, &warning, place, None);
        text
    }

    /// What a task that broke off left in the journal.
    fn recorded(&self, place: &Place, task: &Arc<Task>, host: &Arc<str>) -> Option<Done> {
        if self.world.replay.is_empty() {
            return None;
        }
        let key = crate::resume::key(self.play.index, self.flushes, place);
        self.world.replay.find(&key, host, task)
    }

    /// What the failures of a task mean for the other hosts.
    pub(crate) fn after_task(
        &mut self,
        task: &Arc<Task>,
        hosts: &[Arc<str>],
        once: bool,
    ) -> Result<(), Error> {
        let failed: Vec<&Arc<str>> = {
            let state = read(&self.play.hosts);
            hosts
                .iter()
                .filter(|host| {
                    state.unreachable.contains(*host)
                        || self
                            .cursors
                            .get(*host)
                            .is_some_and(|it| it.is_failed() || it.has_failed_now())
                })
                .collect()
        };
        if failed.is_empty() {
            return Ok(());
        }
        let fatal = match task.keyword("any_errors_fatal") {
            // What one host was to do for all has failed for all.
            _ if once => true,
            Some(_) => self
                .with_keywords(task, hosts.first(), |keywords| keywords.flag("any_errors_fatal"))?
                .unwrap_or(false),
            None => self.world.settings.any_errors_fatal,
        };
        if fatal {
            let living = self.living();
            for host in &living {
                let Some(cursor) = self.cursors.get_mut(host) else { continue };
                if !cursor.is_failed() && !cursor.has_failed_now() {
                    cursor.fail();
                }
            }
            for cursor in self.cursors.values_mut() {
                cursor.clear_failed_now();
            }
            self.take_in_failed(&living);
            if self.cursors.values().all(Cursor::is_out) {
                self.ending = Some(Ending::Broken);
            }
            return Ok(());
        }
        let newly: Vec<Arc<str>> = failed
            .into_iter()
            .filter(|host| {
                read(&self.play.hosts).unreachable.contains(*host)
                    || self.cursors.get(*host).is_none_or(Cursor::has_failed_now)
            })
            .cloned()
            .collect();
        for cursor in self.cursors.values_mut() {
            cursor.clear_failed_now();
        }
        self.take_in_failed(hosts);
        if newly.iter().any(|host| self.is_lost(host)) {
            self.count_lost();
        }
        Ok(())
    }

    /// True once nothing is left to run for a host that failed: what is always run has been.
    fn is_lost(&self, host: &Arc<str>) -> bool {
        let state = read(&self.play.hosts);
        state.unreachable.contains(host)
            || (state.failed.contains(host) && self.cursors.get(host).is_none_or(Cursor::is_out))
    }

    /// Ends the batch where more of its hosts are lost than may be.
    fn count_lost(&mut self) {
        let Some(most) = self.max_fail_percentage else { return };
        let lost = self.hosts.iter().filter(|it| self.is_lost(it)).count();
        #[expect(clippy::cast_precision_loss, reason = "counts of hosts")]
        let share = lost as f64 * 100.0 / self.hosts.len().max(1) as f64;
        if share <= most {
            return;
        }
        for host in self.living() {
            if let Some(cursor) = self.cursors.get_mut(&host) {
                cursor.end();
            }
            write(&self.play.hosts).failed.insert(host);
        }
        self.ending = Some(Ending::Broken);
        // Told for those who still wait and for those who go on: the original's two lines.
        self.world.emit(Kind::NoHostsRemaining);
        self.world.emit(Kind::NoHostsRemaining);
    }

    /// Hosts whose cursors have come to the end of a failure.
    fn take_in_failed(&mut self, hosts: &[Arc<str>]) {
        for host in hosts {
            self.peek(host);
        }
    }

    /// A task failed on a host.
    pub(crate) fn fail(&mut self, host: &Arc<str>) -> Failed {
        self.cursors.get_mut(host).map_or(Failed::Fatal, Cursor::fail)
    }

    /// Every host for itself: one of its tasks at a time, no host waiting for another.
    async fn free(&mut self) -> Result<(), Error> {
        let mut running: JoinSet<(Arc<str>, Arc<Task>, u32, Done)> = JoinSet::new();
        let mut busy: BTreeMap<Arc<str>, ()> = BTreeMap::new();
        loop {
            let mut moved = false;
            for host in self.hosts.clone() {
                if self.ending.is_some() || self.world.is_stopping() {
                    break;
                }
                if busy.contains_key(&host) || running.len() >= self.world.settings.forks.max(1) {
                    continue;
                }
                let Some((place, task)) = self.peek(&host) else { continue };
                moved = true;
                if let Some(cursor) = self.cursors.get_mut(&host) {
                    cursor.advance();
                }
                if is_done(&task, &host) {
                    continue;
                }
                let one = std::slice::from_ref(&host);
                match &task.work {
                    Work::Meta(Meta::RoleDone(role)) => role.progress.end(&host),
                    Work::Meta(Meta::Flush) if !self.flushes() => {}
                    Work::Meta(Meta::Flush) => self.flush(one).await?,
                    Work::Meta(Meta::Written) => self.meta(&task, one).await?,
                    _ if self.recorded(&place, &task, &host).is_some() => {
                        self.run_task(&place, &task, vec![Arc::clone(&host)]).await?;
                    }
                    _ => {
                        if let Some(name) = passes_hosts_by(&task) {
                            return Err(no_bypass(name, &task));
                        }
                        let number = self.announce(&place, &task, one);
                        let job = self.job(&place, &task, &host, number);
                        busy.insert(Arc::clone(&host), ());
                        self.world.emit(Kind::HostStarted { task: number, host: host.to_string() });
                        running.spawn(async move {
                            let done = job.run().await;
                            (job.host, job.task, number, done)
                        });
                    }
                }
            }
            if moved && running.is_empty() {
                continue;
            }
            match running.join_next().await {
                Some(Ok((host, task, number, done))) => {
                    busy.remove(&host);
                    let mut includes = Vec::new();
                    let turn = Turn { task: &task, number: Some(number), shared: false };
                    self.settle(&turn, &host, done, &mut includes)?;
                    if !includes.is_empty() {
                        self.include(&task, number, includes)?;
                    }
                    self.after_task(&task, &[host], false)?;
                }
                Some(Err(error)) => return Err(Error::plain(format!("a task broke off: {error}"))),
                None if !moved => return Ok(()),
                None => {}
            }
        }
    }
}

/// The action that is done for the first host and for nobody else, where the task is one.
fn passes_hosts_by(task: &Task) -> Option<&'static str> {
    match &task.work {
        Work::Action(action) => {
            Some(action.short_name()).filter(|it| matches!(*it, "add_host" | "pause"))
        }
        _ => None,
    }
}

fn no_bypass(name: &str, task: &Task) -> Error {
    Error::at(
        format!(
            "The '{name}' module bypasses the host loop, which is currently not supported in the \
             free strategy and would instead execute for every host in the inventory list."
        ),
        task.origin(),
    )
}

/// True for work that never waits: done for one host after the other.
fn is_inline(task: &Task) -> bool {
    match &task.work {
        Work::Action(action) => {
            action.inline && task.own("until").is_none() && task.own("retries").is_none()
        }
        Work::Module(_) | Work::Control(_) => false,
        Work::Meta(_) | Work::IncludeTasks | Work::IncludeRole => true,
    }
}

/// A template of which not all can be rendered: what cannot be is said in its place.
///
/// What is undefined leaves a gap; what cannot be worked out at all ends the text.
fn partly_rendered(
    env: Env<'_>,
    name: &Value,
    whole: &davit_template::Error,
) -> (String, Vec<String>) {
    let mut errors: Vec<String> = Vec::new();
    let mut note = |message: String| {
        errors.push(message);
        let number = errors.len();
        format!("<< error {number} - {} >>", errors[number - 1])
    };
    if whole.kind() == ErrorKind::Syntax {
        return (note(whole.to_string()), errors);
    }
    let text = name.to_str();
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (piece, later) = first_piece(rest);
        rest = later;
        match env.render_text(piece, name.origin()) {
            Ok(value) => out.push_str(&value.to_str()),
            Err(error) => {
                out.push_str(&note(error.to_string()));
                if error.kind() != ErrorKind::Undefined || !piece.starts_with("{{") {
                    out.push_str(&note("template potentially truncated".to_owned()));
                    break;
                }
            }
        }
    }
    (out, errors)
}

/// Plain text or an expression at the beginning, and what comes after it. Statements belong
/// together and are not cut.
fn first_piece(text: &str) -> (&str, &str) {
    let end = if text.starts_with("{%") {
        text.len()
    } else if text.starts_with("{{") {
        text.find("}}").map_or(text.len(), |at| at + 2)
    } else {
        let marks = ["{{", "{%"].iter().filter_map(|mark| text.find(mark));
        marks.min().unwrap_or(text.len())
    };
    text.split_at(end)
}

/// The arguments of a task in one line, as written.
fn show_args(task: &Task) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(text) = &task.written.raw_params {
        parts.push(format!("_raw_params={text}"));
    }
    for (key, value) in &task.written.args {
        parts.push(format!("{}={}", key.to_text(), value.to_str()));
    }
    parts.join(", ")
}
