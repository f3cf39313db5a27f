//! `async`: tasks that go on by themselves on their host, and looking after them.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use davit_event::{AsyncState, Kind};
use davit_module::Job as Started;
use davit_value::Map;

use crate::action::{Outcome, flag};
use crate::context::{Asked, TaskContext};
use crate::execute::Job;
use crate::failure::cause;
use crate::keyword::Keyword;
use crate::tree::Work;

/// The module that says how a job is getting on.
pub(crate) const STATUS: &str = "ansible.builtin.async_status";

/// Actions that are no more than their module, which may go on by itself.
const SIMPLE_ACTIONS: &[&str] = &["ansible.builtin.uri"];

/// What a task says of going on by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Background {
    /// How long it may take, in seconds.
    limit: u64,
    /// How often to look; `None` = nobody waits for it.
    poll: Option<Duration>,
}

impl Background {
    /// `async` and `poll`; `None` for a task that is waited for as any other.
    pub(crate) fn of(keywords: &Keyword<'_>) -> Result<Option<Self>, Outcome> {
        let Some(limit) = keywords.number("async")?.filter(|it| *it >= 1.0) else {
            return Ok(None);
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let usual = keywords.scope.world.settings.poll_interval as f64;
        let poll = keywords.number("poll")?.unwrap_or(usual);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        let limit = limit.min(1e9) as u64;
        let poll = (poll > 0.0).then(|| Duration::from_secs_f64(poll.min(1e9)));
        Ok(Some(Self { limit, poll }))
    }

    /// A job of its own for each attempt.
    pub(crate) fn new_job(self, folder: String) -> Started {
        // Each `RandomState` has keys of its own, from the system's source of random numbers.
        let number = || RandomState::new().build_hasher().finish();
        let id = format!("j{}.{}", number() % 1_000_000_000_000, number() % 100_000);
        Started { id, limit: self.limit, folder }
    }
}

/// The folder on the host where jobs leave their results.
pub(crate) fn folder(context: &TaskContext) -> Result<String, Outcome> {
    let named = context.variable("ansible_async_dir")?.map(|it| it.to_str());
    Ok(named.unwrap_or_else(|| context.world.settings.async_folder.clone()))
}

impl Job {
    /// What the original says of an action that has more to do than to call a module.
    pub(crate) fn refuse_background(&self) -> Result<(), Outcome> {
        let refuses = match &self.task.work {
            Work::Action(action) => !SIMPLE_ACTIONS.contains(&action.name),
            _ => false,
        };
        if !refuses {
            return Ok(());
        }
        let name = &self.task.written.action;
        let text = format!("This action ({name}) does not support async.");
        let why = cause(format!("Task failed: {text}"), Some(self.task.origin()));
        Err(Outcome { causes: vec![why], ..Outcome::failed(text) })
    }

    /// Looks after a job that was started until it is done or its time is up.
    pub(crate) async fn look_after(
        &self,
        context: &TaskContext,
        plan: Background,
        job: &Started,
        begun: Outcome,
    ) -> Outcome {
        let Some(poll) = plan.poll else { return begun };
        if begun.is_failed() || begun.unreachable || !begun.result.contains("ansible_job_id") {
            return begun;
        }
        let start = Instant::now();
        let limit = Duration::from_secs(plan.limit);
        let mut last = begun;
        while start.elapsed() < limit {
            if !context.pause(poll).await {
                return Outcome::failed("stopped before it was done");
            }
            last = self.status(context, job, "status").await;
            // How it was asked is of no interest.
            last.result.remove("invocation");
            if last.unreachable {
                // The job goes on without us; the next look connects again.
                continue;
            }
            if last.is_failed() || flag(&last.result, "finished") {
                let seen = if last.is_failed() { AsyncState::Failed } else { AsyncState::Ok };
                self.tell(context, job, seen);
                // What cannot be tidied up is no failure of the task.
                let _ = self.status(context, job, "cleanup").await;
                return last;
            }
            self.tell(context, job, AsyncState::Running);
        }
        if last.unreachable {
            return last;
        }
        self.tell(context, job, AsyncState::Failed);
        self.overdue(plan.limit, last.result)
    }

    async fn status(&self, context: &TaskContext, job: &Started, mode: &str) -> Outcome {
        let mut args = davit_event::Reply::new();
        args.insert("jid".into(), job.id.as_str().into());
        args.insert("mode".into(), mode.into());
        args.insert("_async_dir".into(), job.folder.as_str().into());
        // A dry run's job is there to be looked at all the same.
        let asked =
            Asked { name: STATUS, args, attachments: BTreeMap::new(), job: None, check: false };
        context.call(asked).await
    }

    fn tell(&self, context: &TaskContext, job: &Started, seen: AsyncState) {
        let job = if context.no_log { "None".to_owned() } else { job.id.clone() };
        let host = self.host.to_string();
        self.world.emit(Kind::Async { task: self.number, host, job, seen });
    }

    fn overdue(&self, limit: u64, mut last: Map) -> Outcome {
        let msg = format!("async task did not complete within the requested time - {limit}s");
        let text = format!("Task failed: Action failed: {msg}");
        for key in ["changed", "failed"] {
            last.remove(key);
        }
        let mut outcome = Outcome::failed(msg).with("async_result", last);
        outcome.causes = vec![cause(text, Some(self.task.origin()))];
        outcome
    }
}
