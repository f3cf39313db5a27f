//! Taking in what came of a task on a host: variables, facts, hosts, handlers, counts, failure.

use std::sync::{Arc, PoisonError};

use davit_event::{Counts, End, Kind, Level, Show, Status};
use davit_value::{Map, Origin, Value};

use crate::action::{Outcome, flag};
use crate::cursor::Failed;
use crate::error::Error;
use crate::execute::Done;
use crate::keyword::Keyword;
use crate::scope::TaskScope;
use crate::shown::reply_to_show;
use crate::state::write;
use crate::strategy::Batch;
use crate::tree::{Task, Work};

/// A task's turn on the hosts of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) task: &'a Arc<Task>,
    /// The task's number in the event stream; without one nothing is shown: the results are from
    /// the journal.
    pub(crate) number: Option<u32>,
    /// What comes of it on one host, all have.
    pub(crate) shared: bool,
}

impl Batch {
    /// Takes in one result.
    pub(crate) fn settle(
        &mut self,
        turn: &Turn<'_>,
        host: &Arc<str>,
        done: Done,
        includes: &mut Vec<(Arc<str>, Done)>,
    ) -> Result<(), Error> {
        let Turn { task, number, shared } = *turn;
        if done.dropped {
            // Without a result it is the first to run where the run is taken up again.
            let name = task.label();
            let text = format!("'{name}' on {host} was stopped before it changed anything");
            self.world.message(Level::Warning, &text, None, None);
            return Ok(());
        }
        if let Some(role) = task.role() {
            role.progress.begin(host);
        }
        let status = done.status();
        let everyone = if shared { self.living() } else { vec![Arc::clone(host)] };
        self.register(task, &everyone, &done);
        if status != Status::Unreachable {
            self.take_facts(task, &everyone, &done)?;
            self.take_hosts(host, &done)?;
            self.take_stats(host, &done);
        }
        let is_include = matches!(task.work, Work::IncludeTasks | Work::IncludeRole);
        let ignored = match status {
            Status::Failed => done.ignore_errors,
            Status::Unreachable => done.ignore_unreachable,
            _ => false,
        };
        // Only what went well notifies, and a handler that is missing comes before the result.
        if matches!(status, Status::Ok | Status::Changed) {
            self.notify(task, std::slice::from_ref(host), &done)?;
        }
        let fell = match status {
            Status::Failed if !ignored => Some(self.fail_with(task, host, &done)),
            Status::Unreachable if !ignored => {
                write(&self.play.hosts).unreachable.insert(Arc::clone(host));
                write(&self.world.lost).unreachable.insert(Arc::clone(host));
                Some(Failed::Fatal)
            }
            _ => None,
        };
        let rescued = fell == Some(Failed::Rescued);
        let quiet = is_include && matches!(status, Status::Ok | Status::Changed);
        let end = End {
            status,
            reply: reply_to_show(&done.outcome.result, done.no_log),
            ignored,
            rescued,
            delegated_to: elsewhere(done.delegated.as_ref(), host),
            item: None,
            no_log: done.no_log,
            show: show(task, &done.outcome.result, done.no_log),
            causes: if done.no_log { Vec::new() } else { done.outcome.causes.clone() },
        };
        // An include counts once for each file that it brings in.
        if !quiet {
            self.count(host, &end, flag(&done.outcome.result, "changed"));
        }
        if let Some(number) = number {
            let ms = u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX);
            self.world.emit(Kind::HostDone { task: number, host: host.to_string(), end, ms });
        }
        if quiet {
            includes.push((Arc::clone(host), done));
        }
        Ok(())
    }

    fn count(&self, host: &Arc<str>, end: &End, changed: bool) {
        self.world.count(host, |counts: &mut Counts| match end.status {
            Status::Ok | Status::Changed => {
                counts.ok += 1;
                counts.changed += u32::from(end.status == Status::Changed);
            }
            Status::Skipped => counts.skipped += 1,
            Status::Failed if end.ignored => {
                counts.ok += 1;
                counts.ignored += 1;
                counts.changed += u32::from(changed);
            }
            Status::Failed if end.rescued => counts.rescued += 1,
            Status::Failed => counts.failed += 1,
            Status::Unreachable if end.ignored => {
                counts.ok += 1;
                counts.ignored += 1;
            }
            Status::Unreachable => counts.unreachable += 1,
        });
    }

    fn fail_with(&mut self, task: &Arc<Task>, host: &Arc<str>, done: &Done) -> Failed {
        let fell = self.fail(host);
        match fell {
            Failed::Rescued => {
                let state = self.world.host(host);
                state.set_one("ansible_failed_task", crate::failed_task::describe(task));
                let mut result = done.outcome.result.clone();
                mark_failures(&mut result, done.is_loop);
                result.insert("_ansible_no_log", done.no_log.into());
                state.set_one("ansible_failed_result", result.into());
            }
            Failed::Fatal => {
                write(&self.play.hosts).failed.insert(Arc::clone(host));
            }
        }
        fell
    }

    /// A host could not include what it asked for: its failure, whether or not it is rescued.
    pub(crate) fn include_lost(&mut self, number: u32, host: &Arc<str>, outcome: &Outcome) {
        // `ansible_failed_task` stays what it was.
        let rescued = self.fail(host) == Failed::Rescued;
        if !rescued {
            write(&self.play.hosts).failed.insert(Arc::clone(host));
        }
        self.world.count(host, |counts| counts.failed += 1);
        let end = End {
            status: Status::Failed,
            reply: reply_to_show(&outcome.result, false),
            rescued,
            causes: outcome.causes.clone(),
            ..End::default()
        };
        self.world.emit(Kind::HostDone { task: number, host: host.to_string(), end, ms: 0 });
    }

    fn register(&self, task: &Arc<Task>, hosts: &[Arc<str>], done: &Done) {
        let Some((Value::Str(name), place)) = task.own("register") else { return };
        self.warn_of_name(name, place.unwrap_or(task.origin()));
        let mut result = done.outcome.result.clone();
        if !done.is_loop {
            // Rounds of a loop keep how the module was called; single results do not.
            result.remove("invocation");
        }
        if done.outcome.is_failed() || done.outcome.unreachable {
            mark_failures(&mut result, done.is_loop);
        }
        if done.outcome.unreachable {
            result.insert("unreachable", true.into());
        }
        let value = Value::from(result);
        for host in hosts {
            self.world.host(host).set_one(name.as_str(), value.clone());
        }
    }

    /// Says it where the variable `name` has a name that means something else.
    fn warn_of_name(&self, name: &str, place: &Origin) {
        if (self.world.loader.is_reserved)(name) {
            let text = format!("Found variable using reserved name '{name}'.");
            self.world.message(Level::Warning, &text, Some(place.to_string()), None);
        }
    }

    fn take_facts(&self, task: &Arc<Task>, hosts: &[Arc<str>], done: &Done) -> Result<(), Error> {
        for part in &done.parts {
            let Some(Value::Map(facts)) = part.result.get("ansible_facts") else { continue };
            let delegate = match &part.delegated {
                Some(target) if self.delegates_facts(task, hosts)? => Some(Arc::clone(target)),
                _ => None,
            };
            let targets = delegate.map_or_else(|| hosts.to_vec(), |target| vec![target]);
            let are_variables = matches!(
                &*task.full_name,
                "ansible.builtin.set_fact" | "ansible.builtin.include_vars"
            );
            for (name, value) in facts.iter().filter(|_| are_variables) {
                // A name does not know where it is written; what it stands for may.
                let place = value.origin().unwrap_or(&task.written.action_origin);
                self.warn_of_name(name.as_str().unwrap_or_default(), place);
            }
            for host in &targets {
                let state = self.world.host(host);
                match &*task.full_name {
                    "ansible.builtin.include_vars" => state.add_included(facts),
                    "ansible.builtin.set_fact" => {
                        state.add_set(facts);
                        if flag(&part.result, "_ansible_facts_cacheable") {
                            state.add_facts(facts);
                        }
                    }
                    _ => state.add_facts(facts),
                }
            }
        }
        Ok(())
    }

    fn delegates_facts(&self, task: &Arc<Task>, hosts: &[Arc<str>]) -> Result<bool, Error> {
        if task.keyword("delegate_facts").is_none() {
            return Ok(false);
        }
        let scope = TaskScope::new(&self.world, Some(&self.play), hosts.first(), Some(task));
        let outside = scope.outside();
        let keywords = Keyword { task, scope: &scope, outside: &outside };
        match keywords.flag("delegate_facts") {
            Ok(flag) => Ok(flag.unwrap_or(false)),
            Err(outcome) => Err(Error::at(
                outcome.result.get("msg").map(Value::to_str).unwrap_or_default(),
                task.origin(),
            )),
        }
    }

    /// `add_host` and `group_by`.
    fn take_hosts(&self, host: &Arc<str>, done: &Done) -> Result<(), Error> {
        for part in &done.parts {
            if let Some(Value::Map(new)) = part.result.get("add_host") {
                let name = new.get("host_name").map(Value::to_str).unwrap_or_default();
                let groups: Vec<String> = strings(new.get("groups"));
                let vars = match new.get("host_vars") {
                    Some(Value::Map(vars)) => (**vars).clone(),
                    _ => Map::new(),
                };
                let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
                write(&self.world.inventory).add_host(&name, &groups, &vars)?;
            }
            if let Some(group) = part.result.get("add_group") {
                let parents = strings(part.result.get("parent_groups"));
                let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
                write(&self.world.inventory).group_by(host, &group.to_str(), &parents)?;
            }
        }
        Ok(())
    }

    /// `set_stats`.
    fn take_stats(&self, host: &Arc<str>, done: &Done) {
        for part in &done.parts {
            let Some(Value::Map(said)) = part.result.get("ansible_stats") else { continue };
            let Some(Value::Map(data)) = said.get("data") else { continue };
            let of = if flag(said, "per_host") { host.to_string() } else { "_run".to_owned() };
            let aggregate = said.get("aggregate").is_none_or(|it| it.truthy().unwrap_or(true));
            let mut stats = self.world.stats.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = stats.custom.entry(of).or_default();
            for (key, value) in data.iter() {
                let sum = match kept.get_key(key) {
                    Some(old) if aggregate => add_up(old, value),
                    _ => value.clone(),
                };
                kept.insert(key.clone(), sum);
            }
        }
    }

    fn notify(&mut self, task: &Arc<Task>, hosts: &[Arc<str>], done: &Done) -> Result<(), Error> {
        if !flag(&done.outcome.result, "changed") {
            return Ok(());
        }
        for part in &done.parts {
            for name in &part.notify {
                for host in hosts {
                    crate::handlers::notify(&self.world, &self.play, host, name)
                        .map_err(|text| Error::at(text, task.origin()))?;
                }
            }
        }
        Ok(())
    }
}

/// The host that did a task for `host`, as events name it: not where that is the host itself.
pub(crate) fn elsewhere(delegated: Option<&Arc<str>>, host: &Arc<str>) -> Option<String> {
    delegated.filter(|it| *it != host).map(ToString::to_string)
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::List(list)) => list.iter().map(Value::to_str).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(other) => vec![other.to_str()],
    }
}

/// How two values of a statistic are one.
fn add_up(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_add(*b)),
        (Value::Str(a), Value::Str(b)) => format!("{a}{b}").into(),
        (Value::List(a), Value::List(b)) => {
            Value::list(a.iter().chain(b.iter()).cloned().collect())
        }
        (Value::Map(a), Value::Map(b)) => {
            let mut both = (**a).clone();
            both.extend(b);
            both.into()
        }
        (a, b) => match (a.as_number(), b.as_number()) {
            (Some(a), Some(b)) => Value::Float(a + b),
            _ => new.clone(),
        },
    }
}

/// The original keeps a traceback with what failed, and this where it has none: in the rounds of a
/// loop, and not in what is said of all of them.
fn mark_failures(result: &mut Map, is_loop: bool) {
    if !is_loop {
        result.insert("exception", "(traceback unavailable)".into());
        return;
    }
    let Some(Value::List(rounds)) = result.get("results") else { return };
    let marked = rounds.iter().map(|round| match round {
        Value::Map(map) if flag(map, "failed") => {
            let mut map = (**map).clone();
            map.insert("exception", "(traceback unavailable)".into());
            map.into()
        }
        other => other.clone(),
    });
    let marked = Value::list(marked.collect());
    result.insert("results", marked);
}

/// How readily a result is shown.
pub(crate) fn show(task: &Task, result: &Map, no_log: bool) -> Show {
    if no_log {
        Show::Verbose
    } else if flag(result, "_ansible_verbose_always") {
        Show::Always
    } else if matches!(&*task.full_name, "ansible.builtin.setup" | "ansible.builtin.gather_facts") {
        Show::Seldom
    } else {
        Show::Verbose
    }
}
