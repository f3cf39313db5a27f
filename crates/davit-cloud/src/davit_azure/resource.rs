//! `davit.azure.resource`: any resource of Azure.

use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::State;
use crate::azure::arm::{Arm, Ask, Target, etag};
use crate::azure::client::Answer;
use crate::azure::compare::{self, Rules};
use crate::azure::error::{Error, failure};
use crate::azure::ids::Place;
use crate::azure::login::Login;
use crate::azure::operation::{Operation, Progress, Waiting, progress};
use crate::azure::secrets::SECRETS;

/// Make, change and delete any resource of Azure, through Azure Resource Manager.
///
/// The resource is asked for first, and written only where it is not as `body` wants it: what `body` says is
/// compared, and nothing else. Names of properties and of places and ids have no case, and lists of things with
/// names have no order.
///
/// `PUT` puts `body` in the place of the whole resource: what it does not say, the service may take away or set
/// back. `PATCH` changes what it says; lists are replaced as a whole.
///
/// Secrets that a service takes and never tells, such as passwords, would look like a change each time: name
/// them in `ignore`.
///
/// The result has `id` and `resource`, as the service tells it.
///
/// ```yaml
/// - davit.azure.resource:
///     resource_group: shop
///     resource_type: Microsoft.Network/virtualNetworks
///     resource_name: shop-net
///     body:
///       location: westeurope
///       tags: {team: shop}
///       properties:
///         addressSpace: {addressPrefixes: [10.0.0.0/16]}
///         subnets: [{name: front, properties: {addressPrefix: 10.0.1.0/24}}]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What the resource is to be: `location`, `tags`, `sku`, `properties` and so on.
    #[serde(default)]
    body: Option<serde_json::Map<String, Value>>,
    /// How `body` is written. A resource that is not there yet is always put.
    #[serde(default)]
    method: Method,
    /// Paths in `body` that are not compared: `properties.osProfile.adminPassword`. `*` stands for any one part,
    /// such as the place in a list.
    #[serde(default)]
    ignore: Vec<String>,
    /// Paths of lists in `body` whose order does not matter.
    #[serde(default)]
    ignore_order: Vec<String>,
    /// Write only what is still as it was read, where the service has tags for that; else fail.
    #[serde(default)]
    if_match: bool,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    #[serde(flatten)]
    waiting: Waiting,
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    login: Login,
}

/// How something is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// In the place of all that is there.
    #[default]
    Put,
    /// Over what is there.
    Patch,
}

/// `davit.azure.resource`.
pub(crate) struct Resource;

impl Module for Resource {
    const NAME: &'static str = "davit.azure.resource";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let (arm, target) = Arm::at(control, &args.login, &args.place).await?;
        if target.id.is_collection() {
            let text = format!("{} are several resources: the name is missing", target.id.path);
            return Err(ModuleError::failed(text));
        }
        let found = arm.find(&target).await;
        let found = found.map_err(|it| failure(&format!("GET {}", target.id.path), &it))?;
        let task = Task { control, args: &args, arm: &arm, target: &target };
        match args.state {
            State::Absent => task.delete(found).await,
            State::Present => task.write(found).await,
        }
    }
}

struct Task<'a> {
    control: &'a Control,
    args: &'a Args,
    arm: &'a Arm,
    target: &'a Target,
}

impl Task<'_> {
    async fn delete(&self, found: Option<Answer>) -> Result<Outcome, ModuleError> {
        let outcome = Outcome::new().with("id", &self.target.id.path);
        let Some(found) = found else { return Ok(outcome.with("resource", Value::Null)) };
        SECRETS.cover(self.control, &found.json, false);
        let edit = Edit::new("delete the resource", &self.target.id.path)
            .from(SECRETS.without(&found.json));
        self.control.change(edit, async || self.send("DELETE", None, &found).await).await?;
        Ok(outcome.with("resource", Value::Null))
    }

    async fn write(&self, found: Option<Answer>) -> Result<Outcome, ModuleError> {
        let body = self.args.body.clone().map(Value::Object);
        let nothing = Answer { status: 404, headers: Default::default(), json: Value::Null };
        let rules = Rules::new(&self.args.ignore, &self.args.ignore_order);
        let found = self.settled(found).await?;
        let is_due = match (&found, &body) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(found), Some(body)) => {
                // One that failed is written again, as it was or not.
                let is_as_wanted = rules.differences(body, &found.json).is_empty();
                !is_as_wanted || progress(&found.json) == Progress::Failed
            }
        };
        let is_new = found.is_none();
        let before = found.unwrap_or(nothing);
        SECRETS.cover(self.control, &before.json, false);
        let outcome = Outcome::new().with("id", &self.target.id.path);
        if !is_due {
            return Ok(outcome.with("resource", before.json));
        }
        let body = body.unwrap_or_else(|| json!({}));
        SECRETS.cover(self.control, &body, false);
        let method = match self.args.method {
            Method::Patch if !is_new => "PATCH",
            _ => "PUT",
        };
        let what = if is_new { "create the resource" } else { "change the resource" };
        let mut edit = Edit::new(what, &self.target.id.path).to(SECRETS.without(&body));
        if !is_new {
            edit = edit.from(SECRETS.without(&compare::part(&body, &before.json)));
        }
        let act = async || self.send(method, Some(&body), &before).await;
        if self.control.change(edit, act).await?.is_none() {
            return Ok(outcome.with("resource", predicted(&body, before.json)));
        }
        let now = self.arm.find(self.target).await;
        let now = now.map_err(|it| failure(&format!("GET {}", self.target.id.path), &it))?;
        let now = now.map(|it| it.json).unwrap_or_default();
        SECRETS.cover(self.control, &now, false);
        let left = rules.differences(&body, &now);
        if self.args.waiting.wait && !now.is_null() && !left.is_empty() {
            self.control.warn(format!(
                "the service took it and tells something else of {}: the next run will write it again \
                 unless `ignore` names it",
                left.join(", ")
            ));
        }
        Ok(outcome.with("resource", now))
    }

    /// Waits for what somebody else began, or a run that was cut off: nothing can be written meanwhile.
    async fn settled(&self, found: Option<Answer>) -> Result<Option<Answer>, ModuleError> {
        let is_under = found.as_ref().is_some_and(|it| progress(&it.json) == Progress::Under);
        let Some(first) = found.clone().filter(|_| is_under) else { return Ok(found) };
        if !self.args.waiting.wait || self.control.is_check() {
            return Ok(found);
        }
        let query = self.target.query();
        let path = &self.target.path;
        let operation = Operation { arm: self.arm, method: "PUT", path, query: &query, first };
        let failed = |it| failure(&format!("waiting for {}", self.target.id.path), &it);
        match operation.finish(self.args.waiting.patience(), &|state| self.tell(state)).await {
            // That it failed is seen when it is read.
            Ok(_) | Err(Error::Operation { .. }) => {
                self.arm.find(self.target).await.map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn tell(&self, state: &str) {
        self.control.tell(&format!("{}: {state}", self.target.id.name()));
    }

    async fn send(
        &self,
        method: &str,
        body: Option<&Value>,
        before: &Answer,
    ) -> Result<(), ModuleError> {
        let query = self.target.query();
        let tag = etag(&before.json, &before.headers).filter(|_| self.args.if_match);
        let path = &self.target.path;
        let ask = Ask { method, path, query: &query, body, if_match: tag };
        let failed = |it| failure(&format!("{method} {}", self.target.id.path), &it);
        let first = match self.arm.ask(&ask).await {
            // One that was gone meanwhile, or at the first of two attempts.
            Err(error) if method == "DELETE" && error.is_missing() => return Ok(()),
            first => first.map_err(failed)?,
        };
        if !self.args.waiting.wait {
            return Ok(());
        }
        let operation = Operation { arm: self.arm, method, path, query: &query, first };
        let outcome =
            operation.finish(self.args.waiting.patience(), &|state| self.tell(state)).await;
        outcome.map(drop).map_err(failed)
    }
}

/// What will be there, as far as that can be known: what there is with what is wanted over it.
fn predicted(wanted: &Value, actual: Value) -> Value {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(mut actual)) => {
            for (name, value) in wanted {
                let known = actual.remove(name).unwrap_or_default();
                actual.insert(name.clone(), predicted(value, known));
            }
            Value::Object(actual)
        }
        (wanted, _) => wanted.clone(),
    }
}
