//! What modules for RDS share: instances and snapshots by name, their tags, waiting for them, and the shape in which
//! results show them.
//!
//! What can be set of an instance stands in [`super::database_settings`].

use std::time::Duration;

use davit_aws::Client;
use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit};
use davit_module::{ModuleError, Outcome};
use serde_json::{Value as Json, json};

use super::client::{Aws, failure};
use super::login::Login;
use super::names;
use super::parts::{items, text};
use super::patience::says;
use super::tagging::{TagOperations, Tagged};
use super::tags::{Shape, TagArgs, Tags};

/// RDS for one call of a module.
pub struct Rds<'a> {
    /// The gate of its changes.
    pub control: &'a Control,
    /// The client.
    pub aws: Aws,
}

/// What operations may answer with.
const KINDS: &[&str] = &["DBInstance", "DBSnapshot", "DBSubnetGroup"];

/// What is refused for a while: an instance is worked at, by whoever.
const BUSY: &[&str] = &["InvalidDBInstanceState", "InvalidDBInstanceStateFault"];
/// How it takes tags.
const TAGS: TagOperations =
    TagOperations::usual("rds").called("AddTagsToResource", "RemoveTagsFromResource").patient(BUSY);

/// In these states nothing better comes of waiting.
const BROKEN: &[&str] = &[
    "deleted",
    "deleting",
    "failed",
    "inaccessible-encryption-credentials",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "insufficient-capacity",
    "restore-error",
];

/// In these an instance can be used. A larger storage is optimised for hours, behind the user's back.
pub const USABLE: &[&str] = &["available", "storage-optimization"];

/// How often is looked, and the time between: as the service's waiters do.
const LOOKS: (u32, Duration) = (60, Duration::from_secs(30));

/// How often is looked whether a change has begun, and the time between.
const BEGINNING: (u32, Duration) = (12, Duration::from_secs(5));

impl<'a> Rds<'a> {
    /// For what a task says of who calls.
    ///
    /// # Errors
    /// As [`Aws::new`].
    pub fn new(control: &'a Control, login: &Login) -> Result<Self, ModuleError> {
        Ok(Self { control, aws: Aws::new(control, login)? })
    }

    /// Those of the parameters that an operation takes.
    ///
    /// # Errors
    /// Where the service has no such operation.
    pub fn taken(
        &self,
        operation: &str,
        params: serde_json::Map<String, Json>,
    ) -> Result<serde_json::Map<String, Json>, ModuleError> {
        let model = |error: &davit_aws::Error| failure(None, error);
        let service = self.aws.client().service("rds").map_err(|it| model(&it))?;
        let operation = Client::operation(service, operation).map_err(|it| model(&it))?;
        let input = operation.input.and_then(|it| service.structure(it));
        let takes = |name: &str| input.is_some_and(|it| it.member(name).is_some());
        Ok(params.into_iter().filter(|(name, _)| takes(name)).collect())
    }

    /// Makes a change, and tries it again for up to a minute while an instance is worked at.
    ///
    /// # Errors
    /// What RDS says.
    pub async fn change(
        &self,
        edit: Edit,
        operation: &str,
        params: impl Into<Value>,
    ) -> Result<Option<Map>, ModuleError> {
        let act = async || self.aws.insist("rds", operation, params, BUSY).await;
        let place = |made: &Map| {
            KINDS
                .iter()
                .find_map(|it| Some(made.get(*it)?.get(&format!("{it}Arn"))?.as_str()?.to_owned()))
        };
        self.control.create(edit, act, place).await
    }

    /// The instance of that name, where there is one.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn instance(&self, id: &str) -> Result<Option<Value>, ModuleError> {
        Ok(self.instances(json!({"DBInstanceIdentifier": id})).await?.into_iter().next())
    }

    /// Instances; none where the one that is asked for is not there.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn instances(&self, params: Json) -> Result<Vec<Value>, ModuleError> {
        let missing = &["DBInstanceNotFound", "DBInstanceNotFoundFault"];
        self.described("DescribeDBInstances", &params, "DBInstances", missing).await
    }

    /// What an operation describes, from all its pages; none where RDS says with one of these codes that it is not
    /// there.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn described(
        &self,
        operation: &str,
        params: &Json,
        key: &str,
        missing: &[&str],
    ) -> Result<Vec<Value>, ModuleError> {
        match self.aws.attempt_all("rds", operation, params.clone()).await {
            Ok(found) => Ok(items(&found, key).to_vec()),
            Err(error) if says(&error, missing) => Ok(Vec::new()),
            Err(error) => Err(failure(Some(("rds", operation)), &error)),
        }
    }

    /// The snapshot of that name, where there is one.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn snapshot(&self, id: &str) -> Result<Option<Value>, ModuleError> {
        let params = json!({"DBSnapshotIdentifier": id});
        let missing = &["DBSnapshotNotFound", "DBSnapshotNotFoundFault"];
        let found = self.described("DescribeDBSnapshots", &params, "DBSnapshots", missing).await?;
        Ok(found.into_iter().next())
    }

    /// Waits until an instance has one of these states, for half an hour at most. One that is not there yet may come.
    ///
    /// # Errors
    /// When it does not come about in time, or never will.
    pub async fn until(&self, id: &str, states: &[&str]) -> Result<Value, ModuleError> {
        let (looks, pause) = LOOKS;
        let mut state = String::new();
        for look in 0..looks {
            if look == 1 {
                self.control.tell(&format!("waiting until {id} is {}", states[0]));
            }
            if look > 0 {
                tokio::time::sleep(pause).await;
            }
            let Some(instance) = self.instance(id).await? else { continue };
            text(&instance, "DBInstanceStatus").clone_into(&mut state);
            if states.contains(&&*state) {
                return Ok(instance);
            }
            if BROKEN.contains(&&*state) {
                break;
            }
        }
        let is = if state.is_empty() { "not there" } else { &*state };
        Err(ModuleError::failed(format!("{id} is {is}, and did not get {}", states[0])))
    }

    /// Waits for a while until a change that is to be made at once is in hand: an instance says for some seconds that
    /// it is available before it is worked at.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn until_begun(&self, id: &str) -> Result<(), ModuleError> {
        let (looks, pause) = BEGINNING;
        for _ in 0..looks {
            let Some(instance) = self.instance(id).await? else { return Ok(()) };
            let pending = instance.get("PendingModifiedValues").and_then(Value::as_map);
            let is_at_rest = text(&instance, "DBInstanceStatus") == "available";
            if !is_at_rest || pending.is_none_or(Map::is_empty) {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Waits until none of an instance's roles is on the way.
    ///
    /// # Errors
    /// When it does not come about in time.
    pub async fn until_roles_are_set(&self, id: &str) -> Result<(), ModuleError> {
        let (looks, pause) = BEGINNING;
        for _ in 0..looks * 10 {
            let Some(instance) = self.instance(id).await? else { break };
            let roles = instance.get("AssociatedRoles").map(Value::items).unwrap_or_default();
            if !roles.iter().any(|it| text(it, "Status") == "PENDING") {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
        }
        Err(ModuleError::failed(format!("the roles of {id} were not set in time")))
    }

    /// Waits until an instance is gone.
    ///
    /// # Errors
    /// When it does not come about in time, or never will.
    pub async fn until_gone(&self, id: &str) -> Result<(), ModuleError> {
        self.control.tell(&format!("waiting until {id} is gone"));
        let (looks, pause) = LOOKS;
        let params = json!({"DBInstanceIdentifier": id});
        self.aws.wait("rds", "db_instance_deleted", params, pause * looks).await
    }

    /// The tags of what is described without them.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn tags_of(&self, arn: &str) -> Result<Tags, ModuleError> {
        let found =
            self.aws.call("rds", "ListTagsForResource", json!({"ResourceName": arn})).await?;
        Ok(Shape::USUAL.of(found.get("TagList")))
    }

    /// Brings the tags of something to what is wanted; those that it has then.
    ///
    /// # Errors
    /// What RDS says.
    pub async fn tag(
        &self,
        arn: &str,
        current: &Tags,
        wanted: &TagArgs,
    ) -> Result<Tags, ModuleError> {
        let (control, aws, of) = (self.control, &self.aws, json!({"ResourceName": arn}));
        let tagged = Tagged { control, aws, operations: TAGS, path: arn, of };
        tagged.bring(current, &wanted.change(current)).await
    }

    /// The result with all that something has to say of itself.
    #[must_use]
    pub fn told(&self, outcome: Outcome, value: Option<&Value>) -> Outcome {
        self.aws.tell(outcome).with_all(value.map(shown).unwrap_or_default())
    }
}

/// The tags of something that RDS described.
#[must_use]
pub fn tags(value: &Value) -> Tags {
    Shape::USUAL.of(value.get("TagList"))
}

/// Something that RDS described, as results show it: names in snake case, tags by name.
#[must_use]
pub fn shown(value: &Value) -> Json {
    let mut json = value.to_json();
    if let Some(map) = json.as_object_mut() {
        map.remove("TagList");
    }
    let mut shown = names::snake_all(json, &[]);
    if let Some(map) = shown.as_object_mut() {
        map.insert("tags".to_owned(), json!(tags(value)));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rds_described_is_shown_with_its_tags_by_name() {
        let one = Value::from(json!({
            "DBInstanceIdentifier": "shop",
            "TagList": [{"Key": "Team Name", "Value": "a"}],
            "DBSubnetGroup": {"DBSubnetGroupName": "inner"},
        }));
        let expect = json!({
            "db_instance_identifier": "shop",
            "tags": {"Team Name": "a"},
            "db_subnet_group": {"db_subnet_group_name": "inner"},
        });
        assert_eq!(shown(&one), expect);
    }
}
