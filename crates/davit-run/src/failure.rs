//! How failures are worded: the chain of causes that events carry, and the `msg` made of it.

use davit_event::Cause;
use davit_template::Error;
use davit_value::Origin;

use crate::action::Outcome;

/// One link of a chain.
pub(crate) fn cause(message: impl Into<String>, origin: Option<&Origin>) -> Cause {
    Cause { message: message.into(), origin: origin.map(ToString::to_string), help: None }
}

/// What a template error is about, at its own place or else at `near`.
pub(crate) fn template_cause(lead: &str, error: &Error, near: Option<&Origin>) -> Cause {
    let mut cause = cause(format!("{lead}{error}"), near);
    if let (Some(file), Some(line)) = (error.file(), error.line()) {
        cause.origin = Some(format!("{file}:{line}:{}", error.column().unwrap_or(1)));
    }
    if let (Some(name), Some(nearest)) = (error.name(), error.nearest()) {
        cause.help = Some(format!("Did you mean '{nearest}' instead of '{name}'?"));
    }
    if error.kind() == davit_template::ErrorKind::Conditional {
        cause.help = Some(
            "Broken conditionals can be temporarily allowed with the `ALLOW_BROKEN_CONDITIONALS` configuration option."
                .into(),
        );
    }
    cause
}

/// A task that failed before its action ran: `Task failed: ` and the rest of the chain.
pub(crate) fn task_failed(task: &Origin, causes: Vec<Cause>) -> Outcome {
    let mut chain = vec![cause("Task failed", Some(task))];
    chain.extend(causes);
    let msg = join(&chain);
    let mut outcome = Outcome::failed(msg);
    outcome.causes = chain;
    outcome
}

/// The chain in one line.
pub(crate) fn join(causes: &[Cause]) -> String {
    causes.iter().map(|it| it.message.as_str()).collect::<Vec<_>>().join(": ")
}

/// The chain of a failure that a module or an action reported itself.
pub(crate) fn reported(outcome: &mut Outcome, task: &Origin, kind: &str) {
    if !outcome.causes.is_empty() {
        return;
    }
    if !outcome.result.contains("msg") {
        let msg = format!("Task failed: {kind} failed: Unknown error.");
        outcome.result.insert("msg", msg.into());
    }
    let msg = outcome.result.get("msg").map(davit_value::Value::to_str).unwrap_or_default();
    let text = if msg.starts_with("Task failed: ") {
        msg
    } else if msg.is_empty() {
        format!("Task failed: {kind} failed.")
    } else {
        format!("Task failed: {kind} failed: {msg}")
    };
    outcome.causes = vec![cause(text, Some(task))];
}
