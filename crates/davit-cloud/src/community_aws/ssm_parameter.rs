//! `community.aws.ssm_parameter`: a parameter of Systems Manager.

use std::time::Duration;

use davit_aws::Value as Given;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::args::{State, yes};
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagArgs, Tags};

/// Keep a parameter in the store of Systems Manager, or delete it.
///
/// Without `value` a parameter that is there keeps the one that it has. The value is never shown.
///
/// The result has `parameter_metadata`, with `tags`.
///
/// ```yaml
/// - community.aws.ssm_parameter:
///     name: /web/password
///     string_type: SecureString
///     value: "{{ web_password }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The parameter's name.
    name: String,
    /// Whether there should be such a parameter.
    #[serde(default)]
    state: State,
    /// What it holds. A new parameter needs it.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    value: Option<String>,
    /// What it is for.
    #[serde(default)]
    description: Option<String>,
    /// What kind of text it holds.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["type"]))]
    string_type: Type,
    /// The key of KMS for a `SecureString`.
    #[serde(default = "own_key")]
    key_id: String,
    /// Read a `SecureString` to compare it. Without it, it is put each time.
    #[serde(default = "yes")]
    decryption: bool,
    /// When what is there is replaced.
    #[serde(default)]
    overwrite_value: Overwrite,
    /// How large it may be, and what it costs. It can be raised only.
    #[serde(default = "standard")]
    #[schemars(extend("x-choices" = ["Standard", "Advanced", "Intelligent-Tiering"]))]
    tier: String,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

fn own_key() -> String {
    "alias/aws/ssm".to_owned()
}

fn standard() -> String {
    "Standard".to_owned()
}

/// Kinds of text.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
enum Type {
    /// Any text.
    #[default]
    String,
    /// Texts with commas between them.
    StringList,
    /// A secret.
    SecureString,
}

/// When something is replaced.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Overwrite {
    /// It is not.
    Never,
    /// Where it differs.
    #[default]
    Changed,
    /// Each time.
    Always,
}

/// So often it is looked whether a change is known everywhere, once a second.
const LOOKS: u32 = 15;
/// How it takes tags.
const TAGS: TagOperations =
    TagOperations::usual("ssm").called("AddTagsToResource", "RemoveTagsFromResource");

/// `community.aws.ssm_parameter`.
pub(crate) struct SsmParameter;

impl Module for SsmParameter {
    const NAME: &'static str = "community.aws.ssm_parameter";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.aws_ssm_parameter_store"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let params = json!({"Name": args.name, "WithDecryption": args.decryption});
        let found = aws.find("ssm", "GetParameter", params, &["ParameterNotFound"]).await?;
        let found = found.and_then(|it| it.get("Parameter").map(Given::to_json));
        if args.state == State::Absent {
            if let Some(found) = &found {
                let edit = Edit::new("delete the parameter", path(found, &args.name))
                    .from(json!({"name": args.name, "type": found["Type"]}));
                let named = json!({"Name": args.name});
                let act = async || {
                    aws.find("ssm", "DeleteParameter", named, &["ParameterNotFound"]).await
                };
                control.change(edit, act).await?;
            }
            return Ok(aws.tell(Outcome::new()));
        }
        let now = match &found {
            Some(_) => args.metadata(&aws, 0).await?,
            None => Value::Null,
        };
        let version = args.put(control, &aws, found.as_ref(), &now).await?;
        let tags = match &found {
            Some(_) => args.tag(control, &aws).await?,
            None => args.tags.tags.clone().unwrap_or_default(),
        };
        let now = if version > 0 { args.metadata(&aws, version).await? } else { now };
        if now.is_null() {
            return Ok(aws.tell(Outcome::new()));
        }
        let mut told = names::snake_all(now, &[]);
        told["tags"] = json!(tags);
        Ok(aws.tell(Outcome::new().with("parameter_metadata", told)))
    }
}

fn path(found: &Value, name: &str) -> String {
    found["ARN"].as_str().map_or_else(|| format!("ssm:parameter/{name}"), str::to_owned)
}

impl Args {
    /// What is known of it, once it has at least this version.
    async fn metadata(&self, aws: &Aws, version: i64) -> Result<Value, ModuleError> {
        let filter = json!({"ParameterFilters": [{"Key": "Name", "Option": "Equals", "Values": [self.name]}]});
        let mut looks = 0;
        loop {
            let found = aws.all("ssm", "DescribeParameters", filter.clone()).await?;
            let found = found.get("Parameters").and_then(|it| it.items().first());
            let found = found.map(Given::to_json).unwrap_or_default();
            looks += 1;
            if found["Version"].as_i64().unwrap_or_default() >= version || looks >= LOOKS {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Puts it where that is due: the new version, or 0.
    async fn put(
        &self,
        control: &Control,
        aws: &Aws,
        found: Option<&Value>,
        now: &Value,
    ) -> Result<i64, ModuleError> {
        let is_due = match found {
            None if self.value.is_none() => {
                return Err(ModuleError::failed("a new parameter needs a value"));
            }
            None => true,
            Some(found) => match self.overwrite_value {
                Overwrite::Never => false,
                Overwrite::Always => true,
                Overwrite::Changed => self.differs(found, now),
            },
        };
        if !is_due {
            return Ok(0);
        }
        let kind = match found {
            Some(found) if self.value.is_none() => found["Type"].clone(),
            _ => json!(self.string_type),
        };
        let old = |name: &str| now[name].as_str();
        let tier = if old("Tier") == Some("Advanced") && self.tier == "Standard" {
            "Advanced"
        } else {
            &self.tier
        };
        let description = self.description.as_deref().or(old("Description"));
        let value = self.value.as_deref().or(found.and_then(|it| it["Value"].as_str()));
        let mut params = json!({
            "Name": self.name, "Value": value, "Type": kind, "Tier": tier, "Description": description,
        });
        if kind == "SecureString" {
            params["KeyId"] = self.key_id.as_str().into();
        }
        let side = |kind: &Value, tier: Option<&str>, about: Option<&str>| json!({"type": kind, "tier": tier, "description": about});
        let mut edit =
            Edit::new("put the parameter", path(found.unwrap_or(&Value::Null), &self.name))
                .to(side(&kind, Some(tier), description));
        if let Some(found) = found {
            params["Overwrite"] = true.into();
            edit = edit.from(side(&found["Type"], old("Tier"), old("Description")));
        } else if let Some(tags) = self.tags.tags.as_ref().filter(|it| !it.is_empty()) {
            params["Tags"] = Shape::USUAL.list(tags).to_json();
        }
        let act = async || aws.call("ssm", "PutParameter", params).await;
        let put = control.change(edit, act).await?;
        Ok(put.and_then(|it| it.get("Version").and_then(Given::as_int)).unwrap_or_default())
    }

    fn differs(&self, found: &Value, now: &Value) -> bool {
        let is_new = |said: Option<&str>, old: &Value| {
            said.is_some_and(|it| it != old.as_str().unwrap_or_default())
        };
        let is_typed = self.value.is_some();
        is_new(self.value.as_deref(), &found["Value"])
            || is_new(self.description.as_deref(), &now["Description"])
            || is_typed && json!(self.string_type) != found["Type"]
            || is_typed
                && self.string_type == Type::SecureString
                && now["KeyId"].as_str().is_some_and(|it| it != self.key_id)
            || self.tier == "Advanced" && now["Tier"] == "Standard"
    }

    async fn tag(&self, control: &Control, aws: &Aws) -> Result<Tags, ModuleError> {
        let of = json!({"ResourceType": "Parameter", "ResourceId": self.name});
        let found = aws.call("ssm", "ListTagsForResource", of.clone()).await?;
        let now = Shape::USUAL.of(found.get("TagList"));
        let path = &format!("ssm:parameter/{}", self.name);
        let tagged = Tagged { control, aws, operations: TAGS, path, of };
        tagged.bring(&now, &self.tags.change(&now)).await
    }
}
