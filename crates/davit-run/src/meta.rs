//! Meta tasks: flushing handlers, ending early, forgetting.

use std::sync::Arc;

use davit_event::{End, Kind, Status};
use davit_template::Env;
use davit_value::Value;

use crate::cursor::{Cursor, Place};
use crate::error::Error;
use crate::execute::Job;
use crate::scope::TaskScope;
use crate::state::{read, write};
use crate::strategy::{Batch, Ending};
use crate::tree::Task;

/// What `meta` may be told.
const KNOWN: &[&str] = &[
    "clear_facts",
    "clear_host_errors",
    "end_batch",
    "end_host",
    "end_play",
    "end_role",
    "flush_handlers",
    "noop",
    "refresh_inventory",
    "reset_connection",
];

/// Of those, what each host does for itself.
const PER_HOST: &[&str] = &["end_host", "end_role", "flush_handlers", "noop", "reset_connection"];

/// The message and the reason of a meta task that a condition skipped.
fn skipped(what: &str, host: &str, role: &str) -> (String, String) {
    let rest = match what {
        "flush_handlers" => format!(", not running handlers for {host}"),
        "refresh_inventory" => ", not refreshing the inventory".to_owned(),
        "clear_facts" => ", not clearing facts and fact cache for all hosts".to_owned(),
        "clear_host_errors" => ", not clearing host error state for all hosts".to_owned(),
        "end_batch" => ", continuing current batch".to_owned(),
        "end_play" => ", continuing play".to_owned(),
        "end_host" => {
            let reason =
                format!("{what} conditional evaluated to False, continuing execution for {host}");
            let msg =
                format!("{what} conditional evaluated to false, continuing execution for {host}");
            return (msg, reason);
        }
        "end_role" => format!("continuing role {role} for {host}"),
        "reset_connection" => ", not resetting connection".to_owned(),
        _ => String::new(),
    };
    (what.to_owned(), format!("{what} conditional evaluated to False{rest}"))
}

impl Batch {
    /// A meta task as somebody wrote it, on the hosts that stand before it.
    pub(crate) async fn meta(&mut self, task: &Arc<Task>, hosts: &[Arc<str>]) -> Result<(), Error> {
        let mut flush: Vec<Arc<str>> = Vec::new();
        for host in hosts {
            let what = self.meta_name(task, host)?;
            let number = self.announce(&Place::new(), task, std::slice::from_ref(host));
            if !KNOWN.contains(&what.as_str()) {
                return Err(Error::at(
                    format!("invalid meta action requested: {what}"),
                    task.origin(),
                ));
            }
            let job = self.job(&Place::new(), task, host, number);
            // These two ask no condition.
            let always = matches!(what.as_str(), "noop" | "reset_connection");
            if always || self.meta_applies(&job, &what, number)? {
                self.do_meta(&what, task, host, &mut flush).await?;
            }
            // These are for all hosts, and asked of the first alone.
            if !PER_HOST.contains(&what.as_str()) {
                break;
            }
        }
        if flush.is_empty() { Ok(()) } else { self.flush(&flush).await }
    }

    fn meta_name(&self, task: &Arc<Task>, host: &Arc<str>) -> Result<String, Error> {
        let raw = match &task.written.raw_params {
            Some(text) => Value::Str(text.clone()),
            None => task.written.args.get("_raw_params").cloned().unwrap_or_default(),
        };
        let scope = TaskScope::new(&self.world, Some(&self.play), Some(host), Some(task));
        let outside = scope.outside();
        Env::new(&self.world.engine, &scope, &outside)
            .resolve(&raw)
            .map(|it| it.to_str())
            .map_err(|error| Error::template(&error, Some(task.origin())))
    }

    /// `when`, with the event of a skip.
    fn meta_applies(&mut self, job: &Job, what: &str, number: u32) -> Result<bool, Error> {
        let scope = job.scope();
        let outside = scope.outside();
        match job.applies(&scope, &outside) {
            Ok(None) => Ok(true),
            Ok(Some(_)) => {
                let host = job.host.to_string();
                let role = job.task.role().map(|role| role.name.clone()).unwrap_or_default();
                let (msg, reason) = skipped(what, &host, &role);
                let mut end = End { status: Status::Skipped, ..End::default() };
                end.reply.insert("msg".into(), msg.into());
                end.reply.insert("skip_reason".into(), reason.into());
                self.world.emit(Kind::HostDone { task: number, host, end, ms: 0 });
                Ok(false)
            }
            Err(outcome) => {
                let text = outcome.result.get("msg").map(Value::to_str).unwrap_or_default();
                Err(Error::at(text, job.task.origin()))
            }
        }
    }

    async fn do_meta(
        &mut self,
        what: &str,
        task: &Arc<Task>,
        host: &Arc<str>,
        flush: &mut Vec<Arc<str>>,
    ) -> Result<(), Error> {
        match what {
            "noop" => {}
            "flush_handlers" => flush.push(Arc::clone(host)),
            "clear_facts" => {
                for host in self.living() {
                    self.world.host(&host).clear_facts();
                }
            }
            "clear_host_errors" => self.clear_host_errors(task),
            "refresh_inventory" => self.world.refresh_inventory()?,
            "reset_connection" => self.world.connections.reset(host).await,
            "end_host" => {
                self.leave(host);
                write(&self.play.hosts).ended.insert(Arc::clone(host));
            }
            "end_role" => {
                let Some(role) = task.role() else {
                    return Err(Error::at(
                        "Cannot execute 'end_role' from outside of a role",
                        task.origin(),
                    ));
                };
                role.progress.end(host);
                let role = Arc::clone(role);
                if let Some(cursor) = self.cursors.get_mut(host) {
                    cursor.leave_while(|block| {
                        block.role.as_ref().is_some_and(|it| Arc::ptr_eq(it, &role))
                    });
                }
            }
            "end_batch" => self.end_all(Ending::EndBatch),
            "end_play" => self.end_all(Ending::EndPlay),
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, host: &Arc<str>) {
        if let Some(cursor) = self.cursors.get_mut(host) {
            cursor.end();
        }
    }

    fn end_all(&mut self, ending: Ending) {
        for host in self.living() {
            self.leave(&host);
        }
        self.ending = Some(ending);
    }

    fn clear_host_errors(&mut self, task: &Arc<Task>) {
        let mut hosts = write(&self.play.hosts);
        let mut lost = write(&self.world.lost);
        for host in &self.hosts {
            hosts.failed.remove(host);
            hosts.unreachable.remove(host);
            lost.failed.remove(host);
            lost.unreachable.remove(host);
            // Hosts that come back by this task are past it.
            if let Some(cursor) = self.cursors.get_mut(host)
                && cursor.next().is_some_and(|(_, next)| Arc::ptr_eq(&next, task))
            {
                cursor.advance();
            }
        }
    }

    /// Runs the handlers that these hosts have notified, in the order of their definition.
    pub(crate) async fn flush(&mut self, hosts: &[Arc<str>]) -> Result<(), Error> {
        self.flushes += 1;
        let mut at = 0;
        loop {
            // Handlers may bring more handlers in.
            let handler = match read(&self.play.handlers).get(at) {
                Some(handler) => Arc::clone(handler),
                None => return Ok(()),
            };
            at += 1;
            if self.world.is_stopping() || self.ending.is_some() {
                return Ok(());
            }
            let targets: Vec<Arc<str>> = hosts
                .iter()
                .filter(|host| self.takes_handlers(host))
                .filter(|host| handler.take(host))
                .cloned()
                .collect();
            if targets.is_empty() {
                continue;
            }
            let before = self.depths(&targets);
            let place = vec![u32::MAX, u32::try_from(at).unwrap_or(u32::MAX)];
            self.run_task(&place, &handler.task, targets.clone()).await?;
            self.run_included(&targets, &before).await?;
        }
    }

    /// Failed hosts run handlers only where that is forced.
    fn takes_handlers(&self, host: &Arc<str>) -> bool {
        let hosts = read(&self.play.hosts);
        !hosts.unreachable.contains(host)
            && (self.force_handlers
                || !hosts.failed.contains(host)
                    && self.cursors.get(host).is_none_or(|it| !it.is_failed()))
    }

    fn depths(&self, hosts: &[Arc<str>]) -> Vec<usize> {
        hosts.iter().map(|host| self.cursors.get(host).map_or(0, Cursor::depth)).collect()
    }

    /// Runs what a handler included, before the next handler.
    async fn run_included(&mut self, hosts: &[Arc<str>], before: &[usize]) -> Result<(), Error> {
        loop {
            let mut least: Option<(Place, Arc<Task>, Vec<Arc<str>>)> = None;
            for (host, depth) in hosts.iter().zip(before) {
                let Some(cursor) = self.cursors.get_mut(host) else { continue };
                if cursor.depth() <= *depth || !cursor.finish_above(*depth) {
                    continue;
                }
                let Some((place, task)) = cursor.next() else { continue };
                match &mut least {
                    Some((at, same, hosts)) if *at == place && Arc::ptr_eq(same, &task) => {
                        hosts.push(Arc::clone(host));
                    }
                    Some((at, ..)) if *at <= place => {}
                    _ => least = Some((place, task, vec![Arc::clone(host)])),
                }
            }
            let Some((place, task, targets)) = least else { return Ok(()) };
            if self.world.is_stopping() {
                return Ok(());
            }
            Box::pin(self.step(&place, &task, targets)).await?;
        }
    }
}
