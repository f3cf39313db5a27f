//! The two ends of a transfer: who they are, and asking them.
//!
//! It does not know what they are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use davit_event::Reply;
use davit_host::own::synchronize::{NAME, Step};
use davit_module::Attachment;
use davit_run::{Connection, TaskContext};
use davit_value::Value;
use serde::de::DeserializeOwned;

use super::options::Mode;
use crate::failure::{Attempt, broken, message};

/// One end.
pub(super) struct End {
    pub(super) context: TaskContext,
    pub(super) connection: Arc<dyn Connection>,
    /// This machine, in this very process.
    pub(super) is_here: bool,
}

impl End {
    fn new(context: TaskContext) -> Attempt<Self> {
        let connection = context.connection()?;
        let is_here = connection.is_local();
        Ok(Self { context, connection, is_here })
    }

    /// Asks for something.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        step: &Step,
        attachments: BTreeMap<String, Attachment>,
    ) -> Attempt<T> {
        let value = self.reply(step, attachments).await?;
        let odd = |why: String| broken(&self.context, format!("an answer cannot be read: {why}"));
        let answer = value.get("answer").map(Value::to_json).unwrap_or_default();
        serde_json::from_value(answer).map_err(|error| odd(error.to_string()))
    }

    /// All that is answered.
    pub(super) async fn reply(
        &self,
        step: &Step,
        attachments: BTreeMap<String, Attachment>,
    ) -> Attempt<davit_value::Map> {
        let step =
            serde_json::to_value(step).map_err(|error| broken(&self.context, error.to_string()))?;
        let mut args = Reply::new();
        args.insert("step".to_owned(), step);
        let outcome = self.context.call_module(NAME, args, attachments).await;
        if outcome.unreachable {
            return Err(outcome);
        }
        if outcome.is_failed() {
            let mut failed = davit_run::Outcome::failed(message(&outcome));
            failed.causes = outcome.causes;
            return Err(failed);
        }
        Ok(outcome.result)
    }
}

/// Both ends.
pub(super) struct Ends {
    pub(super) sender: End,
    pub(super) receiver: End,
    /// A path of one is a path of the other.
    pub(super) same: bool,
    /// The end that the task goes out from is the controller itself.
    pub(super) from_here: bool,
}

impl Ends {
    /// Who they are: the controller and the task's host, unless the task is delegated.
    pub(super) fn of(context: &TaskContext, mode: Mode) -> Attempt<Self> {
        let delegate = context.delegate();
        let from_here = delegate.is_none() || context.is_delegated_here();
        let at_home = delegate == Some(context.host()) && !from_here;
        let near = if from_here {
            context.controller()?
        } else if at_home {
            context.again()
        } else {
            context.unprivileged()
        };
        let far = if at_home { context.again() } else { context.undelegated() };
        let (near, far) = (End::new(near)?, End::new(far)?);
        let same = (near.is_here && far.is_here) || Arc::ptr_eq(&near.connection, &far.connection);
        let (sender, receiver) = match mode {
            Mode::Push => (near, far),
            Mode::Pull => (far, near),
        };
        Ok(Self { sender, receiver, same, from_here })
    }
}
