//! EC2 as its modules use it: reading lists, making changes through the gate, tags, and waiting
//! until what was made is seen everywhere.
//!
//! It knows no kind of resource.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use davit_aws::Error;
use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit};
use davit_module::{ModuleError, Outcome};
use serde_json::{Value as Json, json};

pub use super::args::State;
use super::client::{Aws, failure};
use super::filters;
use super::login::Login;
use super::names;
pub use super::parts::{shown, tags, text};
use super::patience::says;
use super::tagging::edits;
use super::tags::{Shape, TagChange, Tags};

/// For how long something that was just made may be missing: EC2 is eventually consistent.
pub const SETTLING: Duration = Duration::from_secs(120);
/// The first pause between two looks; each is twice the one before, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(250);
/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(5);

/// What was made, by id.
type Made = BTreeMap<String, Instant>;

/// EC2 for one task.
pub struct Ec2<'a> {
    control: &'a Control,
    aws: Aws,
    /// Ids of what the run has made, and since when they are known.
    made: Arc<Mutex<Made>>,
    /// What this task has changed, in words.
    done: Mutex<Vec<String>>,
}

impl<'a> Ec2<'a> {
    /// For what a task says of who calls.
    ///
    /// # Errors
    /// As [`Aws::new`].
    pub fn new(control: &'a Control, login: &Login) -> Result<Self, ModuleError> {
        let aws = Aws::new(control, login)?;
        let made = control.shared().get("ec2", Mutex::<Made>::default);
        Ok(Self { control, aws, made, done: Mutex::default() })
    }

    /// The task.
    #[must_use]
    pub fn control(&self) -> &'a Control {
        self.control
    }

    /// Calls an operation that changes nothing. What was just made may not be seen everywhere yet:
    /// where EC2 says that it is not there, it is asked again for a while.
    ///
    /// # Errors
    /// What EC2 says.
    pub async fn call(&self, operation: &str, params: Json) -> Result<Map, ModuleError> {
        let mut pause = Pause::new(SETTLING);
        loop {
            match self.aws.attempt("ec2", operation, params.clone()).await {
                Err(error) if self.is_settling(&error) && pause.next().await => {}
                other => return other.map_err(|it| failure(Some(("ec2", operation)), &it)),
            }
        }
    }

    /// All that an operation lists under `key`; nothing where it says that there is no such thing.
    ///
    /// # Errors
    /// What else EC2 says.
    pub async fn list(
        &self,
        operation: &str,
        key: &str,
        params: Json,
    ) -> Result<Vec<Value>, ModuleError> {
        let mut pause = Pause::new(SETTLING);
        loop {
            match self.aws.attempt_all("ec2", operation, params.clone()).await {
                Ok(mut whole) => {
                    let Some(Value::List(items)) = whole.swap_remove(key) else {
                        return Ok(Vec::new());
                    };
                    return Ok(items);
                }
                Err(error) if self.is_settling(&error) && pause.next().await => {}
                Err(error) if is_missing(&error) => return Ok(Vec::new()),
                Err(error) => return Err(failure(Some(("ec2", operation)), &error)),
            }
        }
    }

    /// The first thing of a list that is as wanted, looked for until it is there or the time is over.
    ///
    /// # Errors
    /// Where it is not there in time, or what EC2 says.
    pub async fn until(
        &self,
        (operation, key): (&str, &str),
        params: Json,
        timeout: Duration,
        wanted: impl Fn(&Value) -> bool + Send,
    ) -> Result<Value, ModuleError> {
        let mut pause = Pause::new(timeout);
        loop {
            let items = self.list(operation, key, params.clone()).await?;
            if let Some(found) = items.into_iter().find(|it| wanted(it)) {
                return Ok(found);
            }
            if !pause.next().await {
                let seconds = timeout.as_secs();
                let text = format!("{operation}: not as wanted after {seconds} s: {params}");
                return Err(ModuleError::failed(text));
            }
        }
    }

    /// The first thing of a list; that it is not there yet is waited out.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub async fn seen(
        &self,
        operation: &str,
        key: &str,
        params: Json,
    ) -> Result<Value, ModuleError> {
        self.until((operation, key), params, SETTLING, |_| true).await
    }

    /// Waits until a list is empty.
    ///
    /// # Errors
    /// Where something is still there when the time is over, or what EC2 says.
    pub async fn gone(
        &self,
        (operation, key): (&str, &str),
        params: Json,
        timeout: Duration,
    ) -> Result<(), ModuleError> {
        let mut pause = Pause::new(timeout);
        while !self.list(operation, key, params.clone()).await?.is_empty() {
            if !pause.next().await {
                let seconds = timeout.as_secs();
                let text = format!("{operation}: still there after {seconds} s: {params}");
                return Err(ModuleError::failed(text));
            }
        }
        Ok(())
    }

    /// Waits by a waiter of EC2.
    ///
    /// # Errors
    /// When it does not come about in time, or never will.
    pub async fn wait(
        &self,
        waiter: &str,
        params: Json,
        timeout: Duration,
    ) -> Result<(), ModuleError> {
        self.control.tell(&format!("waiting for {waiter}"));
        self.aws.wait("ec2", waiter, params, timeout).await
    }

    /// Makes a change by one call; in check mode nothing is called and nothing comes back.
    ///
    /// # Errors
    /// What EC2 says.
    pub async fn change(
        &self,
        edit: Edit,
        operation: &str,
        params: Json,
    ) -> Result<Option<Map>, ModuleError> {
        let told = format!("{} ({})", edit.what, edit.path);
        if names::begins(operation, "Delete") {
            // What goes away is not to be waited for.
            lock(&self.made).remove(&edit.path);
        }
        let made = self.control.change(edit, async || self.call(operation, params).await).await?;
        if made.is_some() {
            lock(&self.done).push(told);
        }
        Ok(made)
    }

    /// Deletes something, again for a while where EC2 says one of these codes. What is gone by then is as good as
    /// deleted.
    ///
    /// # Errors
    /// What else EC2 says.
    pub async fn delete(
        &self,
        edit: Edit,
        operation: &str,
        params: Json,
        passing: &[&str],
    ) -> Result<(), ModuleError> {
        let told = format!("{} ({})", edit.what, edit.path);
        lock(&self.made).remove(&edit.path);
        let act = async || {
            let mut pause = Pause::new(SETTLING);
            loop {
                match self.aws.attempt("ec2", operation, params.clone()).await {
                    Err(error) if is_missing(&error) => return Ok(()),
                    Err(error) if says(&error, passing) && pause.next().await => {}
                    Err(error) => return Err(failure(Some(("ec2", operation)), &error)),
                    Ok(_) => return Ok(()),
                }
            }
        };
        if self.control.change(edit, act).await?.is_some() {
            lock(&self.done).push(told);
        }
        Ok(())
    }

    /// Makes something by one call. `id` is where its id stands in the answer. In check mode
    /// nothing is called and nothing comes back.
    ///
    /// # Errors
    /// What EC2 says.
    pub async fn create(
        &self,
        edit: Edit,
        operation: &str,
        params: Json,
        id: &[&str],
    ) -> Result<Option<(String, Map)>, ModuleError> {
        let what = edit.what.clone();
        let made = self
            .control
            .create(
                edit,
                async || {
                    let answer = Value::Map(self.call(operation, params).await?);
                    let found = answer.at(id).and_then(Value::as_str).map(str::to_owned);
                    let text = || format!("{operation} gave no {}", id.join("."));
                    let found = found.ok_or_else(|| ModuleError::failed(text()))?;
                    let Value::Map(answer) = answer else {
                        return Err(ModuleError::failed(text()));
                    };
                    Ok((found, answer))
                },
                |(id, _)| Some(id.clone()),
            )
            .await?;
        if let Some((id, _)) = &made {
            lock(&self.done).push(format!("{what} ({id})"));
            lock(&self.made).insert(id.clone(), Instant::now());
        }
        Ok(made)
    }

    /// Sets and removes tags; the tags afterwards.
    ///
    /// # Errors
    /// What EC2 says.
    pub async fn tag(
        &self,
        id: &str,
        current: &Tags,
        change: &TagChange,
    ) -> Result<Tags, ModuleError> {
        let (removal, setting) = edits(id, current, change);
        if let Some(edit) = removal {
            let params = json!({"Resources": [id], "Tags": change.keys()});
            self.change(edit, "DeleteTags", params).await?;
        }
        if let Some(edit) = setting {
            let tags = Shape::USUAL.list(&change.set).to_json();
            self.change(edit, "CreateTags", json!({"Resources": [id], "Tags": tags})).await?;
        }
        Ok(change.applied(current))
    }

    /// The result of the task: with the operations that were called, where the task asks for them,
    /// and a failure with what had been done before it.
    ///
    /// # Errors
    /// The one that came in.
    pub fn close(&self, outcome: Result<Outcome, ModuleError>) -> Result<Outcome, ModuleError> {
        match outcome {
            Ok(outcome) => Ok(self.aws.tell(outcome)),
            Err(error) => {
                let done = lock(&self.done);
                let error = if done.is_empty() { error } else { error.with("done", &*done) };
                Err(match self.aws.called() {
                    Some(called) => error.with("resource_actions", called),
                    None => error,
                })
            }
        }
    }

    /// EC2 does not know what the run has made, yet.
    fn is_settling(&self, error: &Error) -> bool {
        let told = error.service().map(|it| it.message.as_str()).unwrap_or_default();
        let is_meant = |(id, since): (&String, &Instant)| {
            since.elapsed() < SETTLING && told.contains(id.as_str())
        };
        is_missing(error) && lock(&self.made).iter().any(is_meant)
    }
}

/// Pauses that grow, until a time is over.
struct Pause {
    end: Instant,
    pause: Duration,
}

impl Pause {
    fn new(timeout: Duration) -> Self {
        Self { end: Instant::now() + timeout, pause: SHORTEST }
    }

    /// Pauses; whether there was time left for it.
    async fn next(&mut self) -> bool {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        tokio::time::sleep(self.pause.min(left)).await;
        self.pause = (self.pause * 2).min(LONGEST);
        true
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    // Lists of texts are whole at any time.
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// EC2's codes for what is not there end alike: `InvalidVpcID.NotFound`, `NatGatewayNotFound`.
fn is_missing(error: &Error) -> bool {
    error.code().is_some_and(|it| it.ends_with("NotFound"))
}

/// `{"vpc-id": "a"}` as the parameters of an operation that lists.
#[must_use]
pub fn by(filters: &Json) -> Json {
    let list = filters.as_object().map(filters::list);
    json!({"Filters": list.map(|it| it.to_json())})
}

/// The parameters with tags that something is made with, so that it never is without them.
#[must_use]
pub fn with_tags(mut params: Json, kind: &str, tags: &Tags) -> Json {
    if !tags.is_empty() {
        let tags = Shape::USUAL.list(tags).to_json();
        params["TagSpecifications"] = json!([{"ResourceType": kind, "Tags": tags}]);
    }
    params
}

/// Part of something that EC2 lists, as results have it.
#[must_use]
pub fn names_of(item: &Value) -> Json {
    names::snake_all(item.to_json(), &[])
}

/// Calls the id of what is shown `id`.
pub fn as_id(shown: &mut Json, name: &str) {
    if let Some(map) = shown.as_object_mut()
        && let Some(id) = map.remove(name)
    {
        map.insert("id".to_owned(), id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_shown_with_their_tags_by_name() {
        let vpc: Value = json!({"VpcId": "v", "Tags": [{"Key": "aB", "Value": "1"}]}).into();
        assert_eq!(shown(&vpc), json!({"vpc_id": "v", "tags": {"aB": "1"}}));
        assert_eq!(shown(&json!({"VpcId": "v"}).into()), json!({"vpc_id": "v", "tags": {}}));
    }

    #[test]
    fn something_without_tags_is_made_without_any() {
        assert_eq!(with_tags(json!({"a": 1}), "vpc", &Tags::new()), json!({"a": 1}));
        let tags = Tags::from([("k".to_owned(), "v".to_owned())]);
        let expect = json!([{"ResourceType": "vpc", "Tags": [{"Key": "k", "Value": "v"}]}]);
        assert_eq!(with_tags(json!({}), "vpc", &tags)["TagSpecifications"], expect);
    }
}
