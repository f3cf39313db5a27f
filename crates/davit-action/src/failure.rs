//! How actions say that they fail: the three forms that the result's `msg` and the chain of causes
//! have. It does not know why anything fails.

use davit_event::Cause;
use davit_run::{Outcome, TaskContext};
use davit_template::Error;

/// What an action's `run` works out before there is a result: a failure is a result too.
pub(crate) type Attempt<T = Outcome> = Result<T, Outcome>;

/// The action refuses: `msg` is the reason alone.
pub(crate) fn refused(context: &TaskContext, msg: impl Into<String>) -> Outcome {
    let msg = msg.into();
    let said = format!("Task failed: {msg}");
    caused(context, Outcome::failed(msg), said)
}

/// The action found out that it cannot go on: `msg` says that the task failed.
pub(crate) fn broken(context: &TaskContext, msg: impl Into<String>) -> Outcome {
    let said = format!("Task failed: {}", msg.into());
    caused(context, Outcome::failed(said.clone()), said)
}

/// The action ran and returned a failure.
pub(crate) fn action_failed(context: &TaskContext, msg: impl Into<String>) -> Outcome {
    let outcome = Outcome::failed(msg);
    as_action(context, outcome)
}

/// A template of the action's failed, at a place in its own file.
pub(crate) fn template_failed(context: &TaskContext, error: &Error) -> Outcome {
    let mut cause = Cause { message: error.to_string(), ..Cause::default() };
    if let (Some(file), Some(line)) = (error.file(), error.line()) {
        cause.origin = Some(format!("{file}:{line}:{}", error.column().unwrap_or(1)));
    }
    if let (Some(name), Some(nearest)) = (error.name(), error.nearest()) {
        cause.help = Some(format!("Did you mean '{nearest}' instead of '{name}'?"));
    }
    let mut outcome = Outcome::failed(format!("Task failed: {error}"));
    outcome.causes = vec![place(context, "Task failed".to_owned()), cause];
    outcome
}

/// A module's failure told as the action's own.
pub(crate) fn as_action(context: &TaskContext, outcome: Outcome) -> Outcome {
    let said = format!("Task failed: Action failed: {}", message(&outcome));
    caused(context, outcome, said)
}

/// A module's failure told as a refusal of the action.
pub(crate) fn as_refusal(context: &TaskContext, outcome: Outcome) -> Outcome {
    let said = format!("Task failed: {}", message(&outcome));
    caused(context, outcome, said)
}

/// The `msg` of a result.
pub(crate) fn message(outcome: &Outcome) -> String {
    outcome.result.get("msg").map(davit_value::Value::to_str).unwrap_or_default()
}

fn caused(context: &TaskContext, mut outcome: Outcome, said: String) -> Outcome {
    // A host that refuses has said it all.
    if outcome.causes.is_empty() {
        outcome.causes = vec![place(context, said)];
    }
    outcome
}

fn place(context: &TaskContext, message: String) -> Cause {
    Cause { message, origin: Some(context.origin().to_string()), help: None }
}
