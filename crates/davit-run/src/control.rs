//! Control modules: run here, in this process, whatever host the task is for and however that is
//! reached. `become` and connections have no part in it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use davit_event::{Kind, Reply, Way};
use davit_module::control::{ApiChange, Entry, Lent};
use davit_module::{Call, ModuleError};
use davit_value::Map;

use crate::action::Outcome;
use crate::context::TaskContext;
use crate::underway::Mark;

impl TaskContext {
    /// Runs a control module. The future is dropped where the task is to stop: at the second Ctrl-C, and
    /// at the first where the task has changed nothing on its host so far.
    pub(crate) async fn control(&self, entry: &'static Entry, args: &Map) -> Outcome {
        let spec = self.world.tables.control_spec(entry);
        let args = Self::reply_of(args);
        for secret in spec.secrets(&args) {
            self.world.mask.add(&secret);
        }
        let call = Call {
            name: self.task.written.action.to_string(),
            args,
            check: self.check,
            diff: self.diff,
            environment: self.environment.clone(),
            no_log: self.no_log,
            verbosity: self.world.settings.verbosity,
            cancel: self.cancel.clone(),
            tmp: self.world.settings.tmp.clone(),
            folder: self.play.folder.clone(),
            listener: self.listener(true),
            job: self.job.clone(),
            ..Call::default()
        };
        if let Some(job) = &self.job {
            self.world.note_job(&job.id);
            return Outcome::of(&self.world.connections.start_here(entry.name, call).await);
        }
        let mark = self.world.underway.mark(self.number, &self.host);
        let halfway: Arc<Mutex<Option<ApiChange>>> = Arc::default();
        let lent = self.lent(&mark, &halfway);
        let reply = tokio::select! {
            // A task that was stopped before it began does not begin.
            biased;
            () = self.cancelled() => Err(stopped(&halfway)),
            () = self.world.stopped_before(&mark) => {
                mark.drop_it();
                Err(ModuleError::Cancelled)
            }
            reply = caught(entry.call(&spec, call, lent)) => reply.map_err(|why| {
                ModuleError::failed(format!("the module {} broke off: {why}", entry.name))
            }),
        };
        Outcome::of(&reply.unwrap_or_else(ModuleError::into_reply))
    }

    /// What the run lends to the module. `halfway` keeps the change that it is stopped in.
    fn lent(&self, mark: &Arc<Mark>, halfway: &Arc<Mutex<Option<ApiChange>>>) -> Lent {
        let (mark, halfway) = (Arc::clone(mark), Arc::clone(halfway));
        let world = Arc::downgrade(&self.world);
        let (task, host) = (self.number, self.host.to_string());
        let delegated_to = crate::settle::elsewhere(self.delegated.as_ref(), &self.host);
        let journal = move |change: ApiChange| {
            if change.cut_off {
                *halfway.lock().unwrap_or_else(PoisonError::into_inner) = Some(change.clone());
            }
            if let Some(world) = world.upgrade() {
                world.emit(Kind::Changes {
                    task,
                    host: host.clone(),
                    delegated_to: delegated_to.clone(),
                    way: Way::default(),
                    changes: serde_json::to_value(&change).into_iter().collect(),
                });
            }
        };
        Lent {
            environment: Arc::clone(&self.world.settings.environment),
            mask: self.world.mask.clone(),
            shared: self.world.shared.clone(),
            journal: Some(Arc::new(journal)),
            begins: Some(Arc::new(move || mark.begin_change())),
        }
    }
}

/// Why a module that was stopped has no result, with the change that it was at.
fn stopped(halfway: &Mutex<Option<ApiChange>>) -> ModuleError {
    match halfway.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(ApiChange { what, path, .. }) if !what.is_empty() => ModuleError::failed(format!(
            "stopped in the middle of a change ({what}: {path}): whether it was made is not known"
        )),
        Some(_) => ModuleError::failed(
            "stopped in the middle of a change: whether it was made is not known",
        ),
        None => ModuleError::Cancelled,
    }
}

/// What a future gives, or what it says when it panics: one module's mistake is one task's failure.
async fn caught(running: impl Future<Output = Reply>) -> Result<Reply, String> {
    let mut running = pin!(running);
    poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            // It is not polled again.
            Err(panic) => Poll::Ready(Err(said(&*panic))),
        }
    })
    .await
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked").to_owned()
}
