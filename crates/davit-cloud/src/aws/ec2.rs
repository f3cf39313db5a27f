
                        return Err(ModuleError::failed(text()));
                        return Ok(Vec::new());
                    None => error,
                    Ok((found, answer))
                    Some(called) => error.with("resource_actions", called),
                    let Some(Value::List(items)) = whole.swap_remove(key) else {
                    let Value::Map(answer) = answer else {
                    let answer = Value::Map(self.call(operation, params).await?);
                    let found = answer.at(id).and_then(Value::as_str).map(str::to_owned);
                    let found = found.ok_or_else(|| ModuleError::failed(text()))?;
                    let text = || format!("{operation} gave no {}", id.join("."));
                    return Ok(items);
                    };
                Err(error) => return Err(failure(Some(("ec2", operation)), &error)),
                Err(error) if is_missing(&error) => return Ok(Vec::new()),
                Err(error) if self.is_settling(&error) && pause.next().await => {}
                Err(match called {
                None => outcome,
                Ok(mut whole) => {
                Some(called) => outcome.with("resource_actions", called),
                async || {
                edit,
                let done = lock(&self.done);
                let error = if done.is_empty() { error } else { error.with("done", &*done) };
                let seconds = timeout.as_secs();
                let text = format!("{operation}: not as wanted after {seconds} s: {params}");
                let text = format!("{operation}: still there after {seconds} s: {params}");
                other => return other.map_err(|it| failure(Some(("ec2", operation)), &it)),
                return Err(ModuleError::failed(text));
                return Ok(found);
                |(id, _)| Some(id.clone()),
                }
                })
                },
            ("ResourceType".to_owned(), Value::from(*kind)),
            ("Tags".to_owned(), Shape::USUAL.list(tags)),
            )
            .await?;
            .control
            .create(
            // What goes away is not to be waited for.
            Err(error) => {
            Ok(outcome) => Ok(match called {
            aws.call("ec2", "CreateTags", json!({"Resources": [id], "Tags": tags})).await?;
            aws.call("ec2", "DeleteTags", json!({"Resources": [id], "Tags": keys})).await?;
            if !pause.next().await {
            if let Some(found) = items.into_iter().find(|it| wanted(it)) {
            let edit = Edit::new("remove tags", id).from(current).to(&between);
            let edit = Edit::new("set tags", id).from(&between).to(&after);
            let items = self.list(operation, key, params.clone()).await?;
            let keys: Vec<Json> = change.remove.iter().map(|it| json!({"Key": it})).collect();
            let keys: Vec<Json> = change.remove.iter().map(|key| json!({"Key": key})).collect();
            let tags = Shape::USUAL.list(&change.set).to_json();
            lock(&self.done).push(format!("{what} ({id})"));
            lock(&self.done).push(told);
            lock(&self.made).insert(id.clone(), Instant::now());
            lock(&self.made).remove(&edit.path);
            match self.aws.attempt("ec2", operation, params.clone()).await {
            match self.aws.attempt_all("ec2", operation, params.clone()).await {
            return false;
            self.change(edit, "CreateTags", json!({"Resources": [id], "Tags": tags})).await?;
            self.change(edit, "DeleteTags", json!({"Resources": [id], "Tags": keys})).await?;
            since.elapsed() < SETTLING && told.contains(id.as_str())
            }
            }),
        && let Some(id) = map.remove(name)
        &self,
        (operation, key): (&str, &str),
        .from(json!({"tags": current}))
        .to(json!({"tags": change.applied(current)}));
        // Removed first: something that has all the tags it can have takes no further ones.
        Map::from_iter([
        Ok(())
        Ok(Self { control, aws, made, done: Mutex::default() })
        Ok(after)
        Ok(made)
        Self { end: Instant::now() + timeout, pause: SHORTEST }
        ])
        change: &TagChange,
        current: &Tags,
        edit: Edit,
        id: &[&str],
        id: &str,
        if !change.remove.is_empty() {
        if !change.set.is_empty() {
        if !removal.is_empty() {
        if left.is_zero() {
        if let Some((id, _)) = &made {
        if made.is_some() {
        if names::begins(operation, "Delete") {
        is_missing(error) && lock(&self.made).iter().any(is_meant)
        key: &str,
        let after = change.applied(current);
        let aws = Aws::new(control, login)?;
        let between = removal.applied(current);
        let called = self.aws.called();
        let is_meant = |(id, since): (&String, &Instant)| {
        let left = self.end.saturating_duration_since(Instant::now());
        let made = control.shared().get("ec2", Mutex::<Made>::default);
        let made = self
        let made = self.control.change(edit, async || self.call(operation, params).await).await?;
        let mut pause = Pause::new(SETTLING);
        let mut pause = Pause::new(timeout);
        let removal = TagChange { set: Tags::new(), ..change.clone() };
        let tags = Shape::USUAL.list(tags).to_json();
        let told = error.service().map(|it| it.message.as_str()).unwrap_or_default();
        let told = format!("{} ({})", edit.what, edit.path);
        let what = edit.what.clone();
        loop {
        map.insert("Tags".to_owned(), json!(tags(value)));
        map.insert("id".to_owned(), id);
        match outcome {
        operation: &str,
        params: Json,
        params["TagSpecifications"] = json!([{"ResourceType": kind, "Tags": tags}]);
        return Ok(());
        return Value::Null;
        self.aws.wait("ec2", waiter, params, timeout).await
        self.control
        self.control.tell(&format!("waiting for {waiter}"));
        self.pause = (self.pause * 2).min(LONGEST);
        self.until((operation, key), params, SETTLING, |_| true).await
        timeout: Duration,
        tokio::time::sleep(self.pause.min(left)).await;
        true
        waiter: &str,
        wanted: impl Fn(&Value) -> bool + Send,
        while !self.list(operation, key, params.clone()).await?.is_empty() {
        }
        };
    #[default]
    #[must_use]
    ) -> Result<(), ModuleError> {
    ) -> Result<Option<(String, Map)>, ModuleError> {
    ) -> Result<Option<Map>, ModuleError> {
    ) -> Result<Tags, ModuleError> {
    ) -> Result<Value, ModuleError> {
    ) -> Result<Vec<Value>, ModuleError> {
    // Lists of texts are whole at any time.
    ///
    /// # Errors
    /// All that an operation lists under `key`; nothing where it says that there is no such thing.
    /// As [`Aws::new`].
    /// As [`Self::until`].
    /// Calls an operation that changes nothing. What was just made may not be seen everywhere yet:
    /// EC2 does not know what the run has made, yet.
    /// For what a task says of who calls.
    /// Ids of what the run has made, and since when they are known.
    /// It is deleted.
    /// It is made or changed.
    /// Makes a change by one call; in check mode nothing is called and nothing comes back.
    /// Makes something by one call. `id` is where its id stands in the answer. In check mode
    /// Pauses; whether there was time left for it.
    /// Sets and removes tags; the tags afterwards.
    /// The first thing of a list that is as wanted, looked for until it is there or the time is over.
    /// The first thing of a list; that it is not there yet is waited out.
    /// The one that came in.
    /// The result of the task: with the operations that were called, where the task asks for them,
    /// The task.
    /// Waits by a waiter of EC2.
    /// Waits until a list is empty.
    /// What EC2 says.
    /// What else EC2 says.
    /// What this task has changed, in words.
    /// When it does not come about in time, or never will.
    /// Where it is not there in time, or what EC2 says.
    /// Where something is still there when the time is over, or what EC2 says.
    /// and a failure with what had been done before it.
    /// nothing is called and nothing comes back.
    /// where EC2 says that it is not there, it is asked again for a while.
    Absent,
    Present,
    answer.get(name).map(Value::items).unwrap_or_default()
    async fn next(&mut self) -> bool {
    aws: &Aws,
    aws: Aws,
    change: &TagChange,
    control.change(edit, act).await.map(drop)
    control: &'a Control,
    control: &Control,
    current: &Tags,
    done: Mutex<Vec<String>>,
    end: Instant,
    error.code().is_some_and(|it| it.ends_with("NotFound"))
    fn is_settling(&self, error: &Error) -> bool {
    fn new(timeout: Duration) -> Self {
    id: &str,
    if !tags.is_empty() {
    if change.is_empty() {
    if let Some(map) = json.as_object_mut() {
    if let Some(map) = shown.as_object_mut()
    if tags.is_empty() {
    it.lock().unwrap_or_else(PoisonError::into_inner)
    item.get("Tags").map(|it| Shape::USUAL.tags(it)).unwrap_or_default()
    item.get(name).and_then(Value::as_str).unwrap_or_default()
    json!({"Filters": list.map(|it| it.to_json())})
    kinds.iter().map(of).collect()
    let act = async || {
    let edit = Edit::new("change the tags", id)
    let list = filters.as_object().map(filters::list);
    let mut json = value.to_json();
    let mut shown = names::snake_all(item.to_json(), &["Tags"]);
    let of = |kind: &&str| {
    made: Arc<Mutex<Made>>,
    names::snake_all(item.to_json(), &[])
    names::snake_all(json, &["Tags"])
    params
    pause: Duration,
    pub async fn call(&self, operation: &str, params: Json) -> Result<Map, ModuleError> {
    pub async fn change(
    pub async fn create(
    pub async fn gone(
    pub async fn list(
    pub async fn seen(
    pub async fn tag(
    pub async fn until(
    pub async fn wait(
    pub fn close(&self, outcome: Result<Outcome, ModuleError>) -> Result<Outcome, ModuleError> {
    pub fn control(&self) -> &'a Control {
    pub fn new(control: &'a Control, login: &Login) -> Result<Self, ModuleError> {
    shown
    shown["tags"] = json!(tags(item));
    value.get("Tags").map(|it| Shape::USUAL.tags(it)).unwrap_or_default()
    value.get(name).and_then(Value::as_str).unwrap_or_default()
    value.get(name).map(Value::items).unwrap_or_default()
    {
    }
    };
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[must_use]
#[serde(rename_all = "lowercase")]
) -> Result<(), ModuleError> {
//!
//! EC2 as its modules use it: reading lists, making changes through the gate, tags, and waiting
//! It knows no kind of resource.
//! What modules for EC2 share: the tags of anything that EC2 has, and how results show it.
//! until what was made is seen everywhere.
///
/// # Errors
/// A text of something that EC2 lists; empty where there is none.
/// Brings the tags of something to what is wanted, through the gate.
/// Calls the id of what is shown `id`.
/// EC2 for one task.
/// EC2's codes for what is not there end alike: `InvalidVpcID.NotFound`, `NatGatewayNotFound`.
/// For how long something that was just made may be missing: EC2 is eventually consistent.
/// Part of something that EC2 lists, as results have it.
/// Pauses that grow, until a time is over.
/// Something that EC2 described, as results show it: names in snake case, tags by name.
/// Something that EC2 lists as results have it: names in small letters, tags by name.
/// The first pause between two looks; each is twice the one before, up to [`LONGEST`].
/// The list under a name of a value; none where there is none.
/// The list under a name of an answer; none where there is none.
/// The longest pause between two looks.
/// The parameters with tags that something is made with, so that it never is without them.
/// The tags of something that EC2 described.
/// The tags of something that EC2 lists.
/// The tags that something new begins with, as operations that create it take them.
/// The text under a name; nothing where there is none.
/// What EC2 says.
/// What was made, by id.
/// Whether something is to be there.
/// `{"vpc-id": "a"}` as the parameters of an operation that lists.
const LONGEST: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_millis(250);
fn is_missing(error: &Error) -> bool {
fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
impl Pause {
impl<'a> Ec2<'a> {
pub async fn tag(
pub const SETTLING: Duration = Duration::from_secs(120);
pub enum State {
pub fn as_id(shown: &mut Json, name: &str) {
pub fn by(filters: &Json) -> Json {
pub fn items<'a>(answer: &'a Map, name: &str) -> &'a [Value] {
pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
pub fn names_of(item: &Value) -> Json {
pub fn shown(item: &Value) -> Json {
pub fn shown(value: &Value) -> Json {
pub fn tag_specifications(kinds: &[&str], tags: &Tags) -> Value {
pub fn tags(item: &Value) -> Tags {
pub fn tags(value: &Value) -> Tags {
pub fn text<'a>(item: &'a Value, name: &str) -> &'a str {
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
pub fn with_tags(mut params: Json, kind: &str, tags: &Tags) -> Json {
pub struct Ec2<'a> {
struct Pause {
type Made = BTreeMap<String, Instant>;
use davit_aws::Error;
use davit_aws::value::{Map, Value};
use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use super::client::Aws;
use super::client::{Aws, failure};
use super::filters;
use super::login::Login;
use super::names;
use super::tags::{Shape, TagChange, Tags};
}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]

            "InstanceId": "i-1",
            "NetworkInterfaces": [{"Ipv6Addresses": []}],
            "Tags": [{"Key": "Team Name", "Value": "a"}],
            "instance_id": "i-1",
            "network_interfaces": [{"ipv6_addresses": []}],
            "tags": {"Team Name": "a"},
            json!({"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "1"}]})
            said[1],
        );
        assert_eq!(
        assert_eq!(shown(&json!({"VpcId": "v"}).into()), json!({"vpc_id": "v", "tags": {}}));
        assert_eq!(shown(&json!({}).into()), json!({"tags": {}}));
        assert_eq!(shown(&one), expect);
        assert_eq!(shown(&vpc), json!({"vpc_id": "v", "tags": {"aB": "1"}}));
        assert_eq!(tag_specifications(&["instance"], &Tags::new()), Value::Null);
        assert_eq!(with_tags(json!({"a": 1}), "vpc", &Tags::new()), json!({"a": 1}));
        assert_eq!(with_tags(json!({}), "vpc", &tags)["TagSpecifications"], expect);
        let expect = json!([{"ResourceType": "vpc", "Tags": [{"Key": "k", "Value": "v"}]}]);
        let expect = json!({
        let one = Value::from(json!({
        let said = tag_specifications(&["instance", "volume"], &tags).to_json();
        let tags = Tags::from([("a".to_owned(), "1".to_owned())]);
        let tags = Tags::from([("k".to_owned(), "v".to_owned())]);
        let vpc: Value = json!({"VpcId": "v", "Tags": [{"Key": "aB", "Value": "1"}]}).into();
        }));
        });
    #[test]
    fn nothing_is_said_of_no_tags() {
    fn something_without_tags_is_made_without_any() {
    fn things_are_shown_with_their_tags_by_name() {
    fn what_ec2_described_is_shown_with_its_tags_by_name() {
    }
    }
}
