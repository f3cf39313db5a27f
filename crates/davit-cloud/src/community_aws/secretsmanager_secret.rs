//! `community.aws.secretsmanager_secret`: a secret of Secrets Manager.

use std::collections::BTreeSet;

use davit_aws::Value as Given;
use davit_aws::value::Map;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::args::{State, yes};
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagArgs, Tags};
use crate::aws::{names, policy};

/// Keep a secret in Secrets Manager, or have it deleted.
///
/// What the secret is, is never shown. Where `secret` and `json_secret` are left out, the secret stays what it is, and
/// so does the description.
///
/// A secret with `rotation_lambda` is rotated at once when that is set up, and from then on: with `overwrite` false, the
/// task does not set it back to what it was.
///
/// The result has `secret`, with `tags` as a list and `tags_dict`.
///
/// ```yaml
/// - community.aws.secretsmanager_secret:
///     name: web/password
///     secret: "{{ web_password }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The secret's name.
    name: String,
    /// Whether there should be such a secret.
    #[serde(default)]
    state: State,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// The secret as JSON.
    #[serde(default)]
    #[schemars(extend("x-type" = "json", "x-no-log" = true))]
    json_secret: Option<String>,
    /// The key of KMS for it: an ARN or alias.
    #[serde(default)]
    kms_key_id: Option<String>,
    /// Replace what is there. Without it, only a new secret is made.
    #[serde(default = "yes")]
    overwrite: bool,
    /// For how many days a deleted secret can be had back: 7 to 30, or 0 for not at all.
    #[serde(default = "thirty")]
    recovery_window: i64,
    /// The regions that have copies of it; others have none afterwards. Without it they stay. A secret with copies
    /// cannot be deleted.
    #[serde(default)]
    replica: Option<Vec<Replica>>,
    /// Who may do what with it: a policy document.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    resource_policy: Option<String>,
    /// From one rotation to the next, in days.
    #[serde(default = "thirty")]
    rotation_interval: i64,
    /// The ARN of the function that rotates it. Without it, it is not rotated any more.
    #[serde(default)]
    rotation_lambda: Option<String>,
    /// The secret.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    secret: String,
    /// Whether it is kept as text or as bytes.
    #[serde(default)]
    secret_type: Type,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

const fn thirty() -> i64 {
    30
}

/// A copy in another region.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
struct Replica {
    /// The region.
    region: String,
    /// The key of KMS in that region: an ARN or alias; without it that of Secrets Manager. The key of a copy that is
    /// there stays.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
}

/// How a secret is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    /// As bytes.
    Binary,
    /// As text.
    #[default]
    String,
}

const SERVICE: &str = "secretsmanager";
const MISSING: &[&str] = &["ResourceNotFoundException"];
/// How it takes tags.
const TAGS: TagOperations = TagOperations::usual(SERVICE);

/// `community.aws.secretsmanager_secret`.
pub(crate) struct SecretsmanagerSecret;

impl Module for SecretsmanagerSecret {
    const NAME: &'static str = "community.aws.secretsmanager_secret";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.aws_secret"];
    type Args = Args;
    const RULES: Rules = Rules { mutually_exclusive: &[&["secret", "json_secret"]], ..Rules::NONE };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let document =
            args.resource_policy.as_deref().map(|it| policy::document("resource_policy", it));
        let document = document.transpose()?;
        let aws = Aws::new(control, &args.login)?;
        let secret = Secret { control, aws: &aws, name: &args.name };
        let now = secret.find().await?;
        if args.state == State::Absent {
            if let Some(mut now) = now {
                let date = secret.delete(&now, args.recovery_window).await?;
                now["DeletionDate"] = date;
                return Ok(aws.tell(told(now)));
            }
            return Ok(aws.tell(Outcome::new()));
        }
        let is_new = now.is_none();
        match now {
            None => {
                if !args.make(&secret).await? {
                    return Ok(aws.tell(Outcome::new()));
                }
            }
            Some(now) if args.overwrite => {
                if !now["DeletedDate"].is_null() {
                    let edit = secret.edit("have it back").from("deleted").to("kept");
                    secret.change(edit, "RestoreSecret", Map::new()).await?;
                    if control.is_check() {
                        return Ok(aws.tell(told(now)));
                    }
                }
                args.update(&secret, &now).await?;
            }
            Some(_) => {}
        }
        if (is_new || args.overwrite)
            && let Some(document) = &document
        {
            secret.protect(document).await?;
        }
        if is_new || args.overwrite {
            args.rotate(&secret).await?;
        }
        let now = secret.find().await?.unwrap_or_default();
        Ok(aws.tell(told(now)))
    }
}

/// The secret as results have it.
fn told(secret: Value) -> Outcome {
    let tags = Shape::USUAL.tags(&secret["Tags"].clone().into());
    let mut told = names::snake_all(secret, &["VersionIdsToStages"]);
    told["tags_dict"] = json!(tags);
    Outcome::new().with("secret", told)
}

impl Args {
    /// What it is to be, under the name of its kind.
    fn given(&self) -> Option<(&'static str, Given)> {
        let text = self.json_secret.as_deref().unwrap_or(&self.secret);
        match self.secret_type {
            _ if text.is_empty() => None,
            Type::String => Some(("SecretString", text.into())),
            Type::Binary => Some(("SecretBinary", Given::Blob(text.as_bytes().to_vec().into()))),
        }
    }

    /// Whether it was made, and not in check mode.
    async fn make(&self, secret: &Secret<'_>) -> Result<bool, ModuleError> {
        let mut params = Map::from_iter([("Name".to_owned(), Given::from(self.name.as_str()))]);
        params.extend(self.given().map(|(name, value)| (name.to_owned(), value)));
        if !self.description.is_empty() {
            params.insert("Description".to_owned(), self.description.as_str().into());
        }
        if let Some(key) = &self.kms_key_id {
            params.insert("KmsKeyId".to_owned(), key.as_str().into());
        }
        if let Some(copies) = self.replica.as_ref().filter(|it| !it.is_empty()) {
            params.insert("AddReplicaRegions".to_owned(), json!(copies).into());
        }
        if let Some(tags) = &self.tags.tags {
            params.insert("Tags".to_owned(), Shape::USUAL.list(tags));
        }
        let edit = secret.edit("make the secret").to(json!({
            "name": self.name, "description": self.description, "tags": self.tags.tags,
            "replica": self.replica,
        }));
        let act = async || {
            let made = secret.aws.call(SERVICE, "CreateSecret", Given::Map(params)).await?;
            Ok(made.get("ARN").and_then(Given::as_str).unwrap_or_default().to_owned())
        };
        let made = secret.control.create(edit, act, |arn: &String| Some(arn.clone())).await?;
        Ok(made.is_some())
    }

    async fn update(&self, secret: &Secret<'_>, now: &Value) -> Result<(), ModuleError> {
        let mut params = Map::new();
        let (mut before, mut after) = (json!({}), json!({}));
        let said = [
            ("Description", Some(&self.description).filter(|it| !it.is_empty())),
            ("KmsKeyId", self.kms_key_id.as_ref()),
        ];
        for (name, said) in said {
            if let Some(said) = said.filter(|it| now[name] != it.as_str()) {
                params.insert(name.to_owned(), said.as_str().into());
                before[name] = now[name].clone();
                after[name] = said.as_str().into();
            }
        }
        if let Some((name, value)) = self.given() {
            let old = secret.value(name).await?;
            let is_json = self.json_secret.is_some();
            if !is_same(old.as_ref(), &value, is_json) {
                params.insert(name.to_owned(), value);
                after["secret"] = "another".into();
            }
        }
        if !params.is_empty() {
            let edit = secret.edit("change the secret").from(before).to(after);
            secret.change(edit, "UpdateSecret", params).await?;
        }
        let tags = Shape::USUAL.tags(&now["Tags"].clone().into());
        secret.tag(&self.tags, &tags).await?;
        self.copy(secret, now).await
    }

    /// Adds and removes copies in other regions.
    async fn copy(&self, secret: &Secret<'_>, now: &Value) -> Result<(), ModuleError> {
        let Some(wanted) = &self.replica else { return Ok(()) };
        let there = now["ReplicationStatus"].as_array().map(Vec::as_slice).unwrap_or_default();
        let there: BTreeSet<&str> = there.iter().filter_map(|it| it["Region"].as_str()).collect();
        let after: BTreeSet<&str> = wanted.iter().map(|it| it.region.as_str()).collect();
        let missing: Vec<&Replica> =
            wanted.iter().filter(|it| !there.contains(it.region.as_str())).collect();
        let strange = &there - &after;
        for (what, operation, name, these) in [
            ("copy it", "ReplicateSecretToRegions", "AddReplicaRegions", json!(missing)),
            (
                "remove copies",
                "RemoveRegionsFromReplication",
                "RemoveReplicaRegions",
                json!(strange),
            ),
        ] {
            if these.as_array().is_some_and(|it| !it.is_empty()) {
                let edit = secret.edit(what).from(&there).to(&after);
                let params = Map::from_iter([(name.to_owned(), Given::from(these))]);
                secret.change(edit, operation, params).await?;
            }
        }
        Ok(())
    }

    /// Has it rotated, or not any more.
    async fn rotate(&self, secret: &Secret<'_>) -> Result<(), ModuleError> {
        let now = secret.find().await?.unwrap_or_default();
        let before = if now["RotationEnabled"] == true {
            let days = &now["RotationRules"]["AutomaticallyAfterDays"];
            json!({"lambda": now["RotationLambdaARN"], "days": days})
        } else {
            Value::Null
        };
        let lambda = self.rotation_lambda.as_deref().filter(|it| !it.is_empty());
        let after = lambda.map(|it| json!({"lambda": it, "days": self.rotation_interval}));
        let after = after.unwrap_or_default();
        if before == after {
            return Ok(());
        }
        let edit = secret.edit("rotate it").from(&before).to(&after);
        let Some(lambda) = lambda else {
            return secret.change(edit, "CancelRotateSecret", Map::new()).await.map(drop);
        };
        let params = json!({
            "RotationLambdaARN": lambda,
            "RotationRules": {"AutomaticallyAfterDays": self.rotation_interval},
        });
        let Given::Map(params) = Given::from(params) else { return Ok(()) };
        secret.change(edit, "RotateSecret", params).await.map(drop)
    }
}

/// Whether two secrets are the same; as JSON, whatever the order of their keys.
fn is_same(one: Option<&Given>, other: &Given, is_json: bool) -> bool {
    let Some(one) = one else { return false };
    let read = |it: &Given| serde_json::from_str::<Value>(it.as_str()?).ok();
    one == other || is_json && read(one).is_some_and(|it| Some(it) == read(other))
}

/// A secret that is looked after.
struct Secret<'a> {
    control: &'a Control,
    aws: &'a Aws,
    name: &'a str,
}

impl Secret<'_> {
    fn edit(&self, what: &str) -> Edit {
        Edit::new(what, self.path())
    }

    fn path(&self) -> String {
        format!("secretsmanager:{}", self.name)
    }

    async fn find(&self) -> Result<Option<Value>, ModuleError> {
        let named = json!({"SecretId": self.name});
        let found = self.aws.find(SERVICE, "DescribeSecret", named, MISSING).await?;
        Ok(found.map(|it| Given::Map(it).to_json()))
    }

    /// What it is, where it is of this kind.
    async fn value(&self, kind: &str) -> Result<Option<Given>, ModuleError> {
        let named = json!({"SecretId": self.name});
        let found = self.aws.find(SERVICE, "GetSecretValue", named, MISSING).await?;
        Ok(found.and_then(|mut it| it.shift_remove(kind)))
    }

    async fn change(
        &self,
        edit: Edit,
        operation: &str,
        mut params: Map,
    ) -> Result<Option<Map>, ModuleError> {
        params.insert("SecretId".to_owned(), self.name.into());
        let act = async || self.aws.call(SERVICE, operation, Given::Map(params)).await;
        self.control.change(edit, act).await
    }

    async fn tag(&self, wanted: &TagArgs, tags: &Tags) -> Result<(), ModuleError> {
        let (control, aws, path) = (self.control, self.aws, &self.path());
        let of = json!({"SecretId": self.name});
        let tagged = Tagged { control, aws, operations: TAGS, path, of };
        tagged.bring(tags, &wanted.change(tags)).await.map(drop)
    }

    async fn protect(&self, wanted: &Value) -> Result<(), ModuleError> {
        let named = json!({"SecretId": self.name});
        let found = self.aws.find(SERVICE, "GetResourcePolicy", named, MISSING).await?;
        let found = found.and_then(|it| it.get("ResourcePolicy")?.as_str().map(str::to_owned));
        let now: Value = found.and_then(|it| serde_json::from_str(&it).ok()).unwrap_or_default();
        if policy::is_same(&now, wanted) {
            return Ok(());
        }
        let edit = self.edit("set its policy").from(&now).to(wanted);
        let text = wanted.to_string();
        let params = Map::from_iter([("ResourcePolicy".to_owned(), Given::from(text.as_str()))]);
        self.change(edit, "PutResourcePolicy", params).await.map(drop)
    }

    /// Deletes it, and says when it will be gone.
    async fn delete(&self, now: &Value, days: i64) -> Result<Value, ModuleError> {
        if !now["DeletedDate"].is_null() && days > 0 {
            return Ok(now["DeletedDate"].clone());
        }
        let (name, value) = if days > 0 {
            ("RecoveryWindowInDays", Given::Int(days))
        } else {
            ("ForceDeleteWithoutRecovery", Given::Bool(true))
        };
        let edit = self.edit("delete the secret").from(json!({"name": self.name}));
        let params = Map::from_iter([(name.to_owned(), value)]);
        let told = self.change(edit, "DeleteSecret", params).await?;
        Ok(told.and_then(|it| it.get("DeletionDate").map(Given::to_json)).unwrap_or_default())
    }
}
