//! Stacks of CloudFormation: how they stand, what happened to them, and waiting until they rest.
//!
//! It does not know what a task wants of a stack.

use std::time::Duration;

use davit_aws::Error;
use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::Control;
use serde_json::{Value as Json, json};

use super::client::{Aws, failure};

const SERVICE: &str = "cloudformation";
/// How soon a stack that is being worked on is looked at again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// How often a stack that was there a moment ago is looked for.
const LOOKS: u32 = 10;
/// With these, a service says that there were too many calls.
const THROTTLED: &[&str] =
    &["Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"];
/// These begin an operation on a stack.
const BEGINNINGS: &[&str] = &[
    "CREATE_IN_PROGRESS",
    "UPDATE_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "REVIEW_IN_PROGRESS",
];

/// How often, and how soon, a call is made again that was one too many.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// So often at most.
    pub retries: u32,
    /// Before the first time; twice as long before each further one.
    pub delay: Duration,
    /// As long at most.
    pub most: Duration,
}

/// Stacks, as one task sees them.
#[derive(Clone, Copy)]
pub struct Stacks<'a> {
    aws: &'a Aws,
    control: &'a Control,
    backoff: Backoff,
}

impl<'a> Stacks<'a> {
    /// Those that `aws` reaches.
    #[must_use]
    pub fn new(aws: &'a Aws, control: &'a Control, backoff: Backoff) -> Self {
        Self { aws, control, backoff }
    }

    /// Calls an operation; again, where it was one call too many.
    ///
    /// # Errors
    /// As the client's.
    pub async fn attempt(&self, operation: &str, params: &Json) -> Result<Json, Error> {
        let mut delay = self.backoff.delay;
        for _ in 0..self.backoff.retries {
            match self.aws.attempt(SERVICE, operation, params.clone()).await {
                Err(error) if is_throttled(&error) => tokio::time::sleep(delay).await,
                other => return other.map(|it| Value::Map(it).to_json()),
            }
            delay = (delay * 2).min(self.backoff.most);
        }
        self.aws
            .attempt(SERVICE, operation, params.clone())
            .await
            .map(|it| Value::Map(it).to_json())
    }

    /// The same, with an error of a module.
    ///
    /// # Errors
    /// What the service says, or why it was not asked.
    pub async fn call(&self, operation: &str, params: &Json) -> Result<Json, ModuleError> {
        let outcome = self.attempt(operation, params).await;
        outcome.map_err(|error| failure(Some((SERVICE, operation)), &error))
    }

    /// All that stands under a name in the pages of an answer, up to so many.
    ///
    /// # Errors
    /// As for `call`.
    pub async fn pages(
        &self,
        operation: &str,
        mut params: Json,
        key: &str,
        most: usize,
    ) -> Result<Vec<Json>, ModuleError> {
        let mut all = Vec::new();
        loop {
            let mut answer = self.call(operation, &params).await?;
            if let Json::Array(items) = answer[key].take() {
                all.extend(items);
            }
            match answer["NextToken"].take() {
                Json::String(token) if all.len() < most => params["NextToken"] = token.into(),
                _ => break,
            }
        }
        all.truncate(most);
        Ok(all)
    }

    /// The stack with a name or an id. By its id one that is deleted is found as well.
    ///
    /// # Errors
    /// As for `call`.
    pub async fn find(&self, name: &str) -> Result<Option<Json>, ModuleError> {
        match self.attempt("DescribeStacks", &json!({"StackName": name})).await {
            Ok(mut answer) => Ok(answer["Stacks"].get_mut(0).map(Json::take)),
            Err(error) if is_not_there(&error) => Ok(None),
            Err(error) => Err(failure(Some((SERVICE, "DescribeStacks")), &error)),
        }
    }

    /// The stack with this id, once nothing is being done to it any more. It tells what is.
    ///
    /// # Errors
    /// As for `call`, and where the stack is not found for a while.
    pub async fn settled(&self, id: &str) -> Result<Json, ModuleError> {
        let (mut pause, longest) = PAUSES;
        let (mut told, mut missing) = (String::new(), 0);
        loop {
            let found = self.find(id).await?;
            match &found {
                Some(stack) if !is_busy(stack) => return Ok(found.unwrap_or_default()),
                Some(stack) => {
                    let said = format!("{} is {}", text(stack, "StackName"), status(stack));
                    if told != said {
                        self.control.tell(&said);
                        told = said;
                    }
                }
                None if missing < LOOKS => missing += 1,
                None => return Err(ModuleError::failed(format!("the stack {id} is not found"))),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// The events of the operation that was begun last, newest first, up to so many.
    ///
    /// # Errors
    /// As for `call`.
    pub async fn events(&self, id: &str, most: usize) -> Result<Vec<Json>, ModuleError> {
        let params = json!({"StackName": id});
        let mut events = self.pages("DescribeStackEvents", params, "StackEvents", most).await?;
        let is_beginning = |it: &Json| {
            text(it, "PhysicalResourceId") == text(it, "StackId")
                && BEGINNINGS.contains(&text(it, "ResourceStatus"))
        };
        if let Some(first) = events.iter().position(is_beginning) {
            events.truncate(first + 1);
        }
        Ok(events)
    }
}

/// How a stack stands: `CREATE_COMPLETE`.
#[must_use]
pub fn status(stack: &Json) -> &str {
    text(stack, "StackStatus")
}

/// Whether something is being done to a stack.
#[must_use]
pub fn is_busy(stack: &Json) -> bool {
    let status = status(stack);
    // This one waits for somebody to execute its change set.
    status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS"
}

/// A member that is a text; empty where there is none.
#[must_use]
pub fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A list of pairs as a map.
#[must_use]
pub fn map_of(pairs: &Json, key: &str, value: &str) -> Json {
    let items = pairs.as_array().into_iter().flatten();
    items.map(|it| (text(it, key).to_owned(), it[value].clone())).collect()
}

/// The events of `StackEvents` as results list them.
#[must_use]
pub fn lines(events: &[Json]) -> Vec<String> {
    let line = |it: &Json| {
        format!(
            "StackEvent {} {} {}",
            text(it, "ResourceType"),
            text(it, "LogicalResourceId"),
            text(it, "ResourceStatus"),
        )
    };
    events.iter().map(line).collect()
}

/// What went wrong, by the events: the first thing first.
#[must_use]
pub fn reasons(events: &[Json]) -> Vec<String> {
    let failed = events.iter().rev().filter(|it| {
        text(it, "ResourceStatus").ends_with("_FAILED")
            // What did not fail, but was stopped as something else did.
            && !text(it, "ResourceStatusReason").contains("cancelled")
    });
    let line = |it: &Json| {
        let (name, kind) = (text(it, "LogicalResourceId"), text(it, "ResourceType"));
        let said = format!("{name} ({kind}) is {}", text(it, "ResourceStatus"));
        match text(it, "ResourceStatusReason") {
            "" => said,
            reason => format!("{said}: {reason}"),
        }
    };
    failed.map(line).collect()
}

/// The failure of an operation on a stack, by what happened to it.
#[must_use]
pub fn failed(operation: &str, stack: &Json, events: &[Json]) -> ModuleError {
    let mut told =
        format!("{operation} of the stack {} failed: {}", text(stack, "StackName"), status(stack));
    let reason = text(stack, "StackStatusReason");
    if !reason.is_empty() {
        told = format!("{told}: {reason}");
    }
    let reasons = reasons(events);
    for reason in &reasons {
        told = format!("{told}\n{reason}");
    }
    ModuleError::failed(told)
        .with("stack_id", text(stack, "StackId"))
        .with("events", lines(events))
        .with("log", reasons)
}

/// Whether the service says that there is nothing to be updated.
#[must_use]
pub fn is_up_to_date(text: &str) -> bool {
    text.contains("No updates are to be performed") || text.contains("didn't contain changes")
}

/// There is no code of its own for it.
fn is_not_there(error: &Error) -> bool {
    error
        .service()
        .is_some_and(|it| it.code == "ValidationError" && it.message.contains("does not exist"))
}

fn is_throttled(error: &Error) -> bool {
    error.service().is_some_and(|it| it.throttling || THROTTLED.contains(&it.code.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, status: &str, reason: &str) -> Json {
        json!({
            "LogicalResourceId": name, "ResourceType": "AWS::EC2::Instance",
            "ResourceStatus": status, "ResourceStatusReason": reason,
        })
    }

    #[test]
    fn a_failure_tells_what_went_wrong_first() {
        let events = [
            event("app", "ROLLBACK_COMPLETE", ""),
            event("Db", "CREATE_FAILED", "Resource creation cancelled"),
            event("Disk", "CREATE_FAILED", ""),
            event("Web", "CREATE_FAILED", "no such image"),
            event("Web", "CREATE_IN_PROGRESS", ""),
        ];
        let stack = json!({
            "StackName": "app", "StackStatus": "ROLLBACK_COMPLETE", "StackStatusReason": "see above",
        });
        let told = failed("CREATE", &stack, &events).message();
        assert_eq!(
            told,
            "CREATE of the stack app failed: ROLLBACK_COMPLETE: see above\n\
             Web (AWS::EC2::Instance) is CREATE_FAILED: no such image\n\
             Disk (AWS::EC2::Instance) is CREATE_FAILED"
        );
        assert_eq!(lines(&events)[0], "StackEvent AWS::EC2::Instance app ROLLBACK_COMPLETE");
    }

    #[test]
    fn stacks_are_busy_until_they_rest() {
        for (status, expect) in [
            ("CREATE_IN_PROGRESS", true),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", true),
            ("UPDATE_ROLLBACK_IN_PROGRESS", true),
            ("REVIEW_IN_PROGRESS", false),
            ("UPDATE_ROLLBACK_FAILED", false),
            ("CREATE_COMPLETE", false),
            ("", false),
        ] {
            assert_eq!(is_busy(&json!({"StackStatus": status})), expect, "{status}");
        }
    }
}
