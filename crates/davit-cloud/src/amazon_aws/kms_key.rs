//! `amazon.aws.kms_key`: a key of KMS.

use davit_aws::Value as Given;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::aws::args::{State, yes};
use crate::aws::client::{Aws, failure};
use crate::aws::iam;
use crate::aws::login::Login;
use crate::aws::patience::says;
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagArgs, Tags};
use crate::aws::{names, policy};

/// Make a key of KMS, bring it to what it should be, or have it deleted in some days.
///
/// The result has what KMS says of the key, with `key_arn`, `aliases`, `enable_key_rotation`, `grants`, `key_policies`
/// and `tags`.
///
/// ```yaml
/// - amazon.aws.kms_key:
///     alias: backups
///     enable_key_rotation: true
///     tags: {team: web}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// A name of the key, with or without `alias/`. A new key needs one; a key that `key_id` names gets it besides those
    /// that it has.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["key_alias"]))]
    alias: Option<String>,
    /// The id or ARN of a key that is there.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["key_arn"]))]
    key_id: Option<String>,
    /// Whether there should be such a key.
    #[serde(default)]
    state: State,
    /// What the key is for.
    #[serde(default)]
    description: Option<String>,
    /// Whether AWS makes it anew each year.
    #[serde(default)]
    enable_key_rotation: Option<bool>,
    /// Whether it can be used.
    #[serde(default = "yes")]
    enabled: bool,
    /// Who besides may do what with it.
    #[serde(default)]
    grants: Vec<Grant>,
    /// What kind of key a new one is.
    #[serde(default = "symmetric")]
    #[schemars(extend(
        "x-aliases" = ["customer_master_key_spec"],
        "x-choices" = [
            "SYMMETRIC_DEFAULT", "RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384",
            "ECC_NIST_P521", "ECC_SECG_P256K1",
        ]
    ))]
    key_spec: String,
    /// What a new key is used for.
    #[serde(default = "encrypt")]
    #[schemars(extend("x-choices" = ["ENCRYPT_DECRYPT", "SIGN_VERIFY"]))]
    key_usage: String,
    /// Whether a new key can be copied to other regions.
    #[serde(default)]
    multi_region: bool,
    /// In how many days a key is deleted: 7 to 30.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["deletion_delay"]))]
    pending_window: Option<i64>,
    /// Who may do what with it: a policy document.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    policy: Option<String>,
    /// Take back the grants that `grants` does not name.
    #[serde(default)]
    purge_grants: bool,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

fn symmetric() -> String {
    "SYMMETRIC_DEFAULT".to_owned()
}

fn encrypt() -> String {
    "ENCRYPT_DECRYPT".to_owned()
}

/// Who may do what.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
struct Grant {
    /// Its name.
    #[serde(default)]
    name: Option<String>,
    /// Who: an ARN.
    grantee_principal: String,
    /// Who may take it back: an ARN.
    #[serde(default)]
    retiring_principal: Option<String>,
    /// What.
    #[serde(default)]
    #[schemars(extend("x-choices" = [
        "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
        "ReEncryptTo", "CreateGrant", "RetireGrant", "DescribeKey", "Verify", "Sign",
    ]))]
    operations: Option<Vec<String>>,
    /// Only with this context: `encryption_context_equals` or `encryption_context_subset`, and a map.
    #[serde(default)]
    constraints: Option<Map<String, Value>>,
}

impl Grant {
    /// As KMS has it.
    fn params(&self) -> Value {
        let constraint = |name: &str| match name {
            "encryption_context_equals" => "EncryptionContextEquals".to_owned(),
            "encryption_context_subset" => "EncryptionContextSubset".to_owned(),
            other => other.to_owned(),
        };
        let constraints = self.constraints.iter().flatten();
        let constraints: Map<String, Value> =
            constraints.map(|(name, value)| (constraint(name), value.clone())).collect();
        let mut params = json!({"GranteePrincipal": self.grantee_principal});
        for (name, value) in
            [("Name", json!(self.name)), ("RetiringPrincipal", json!(self.retiring_principal))]
        {
            if !value.is_null() {
                params[name] = value;
            }
        }
        params["Operations"] = json!(self.operations.clone().unwrap_or_default());
        if !constraints.is_empty() {
            params["Constraints"] = constraints.into();
        }
        params
    }
}

/// What of a grant tells it from others, whatever the order of its operations.
fn comparable(grant: &Value) -> Value {
    let mut operations = grant["Operations"].as_array().cloned().unwrap_or_default();
    operations.sort_by_key(Value::to_string);
    let constraints = grant["Constraints"].as_object().cloned().unwrap_or_default();
    json!([
        grant["Name"].as_str().unwrap_or_default(),
        grant["GranteePrincipal"],
        grant["RetiringPrincipal"],
        operations,
        constraints,
    ])
}

/// `amazon.aws.kms_key`.
pub(crate) struct KmsKey;

impl Module for KmsKey {
    const NAME: &'static str = "amazon.aws.kms_key";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.aws_kms"];
    type Args = Args;
    const RULES: Rules = Rules { required_one_of: &[&["alias", "key_id"]], ..Rules::NONE };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let document =
            args.policy.as_deref().map(|it| policy::document("policy", it)).transpose()?;
        let aws = Aws::new(control, &args.login)?;
        let alias =
            args.alias.as_ref().map(|it| it.strip_prefix("alias/").unwrap_or(it).to_owned());
        let named = match (&args.key_id, &alias) {
            (Some(id), _) => id.clone(),
            (None, alias) => format!("alias/{}", alias.as_deref().unwrap_or_default()),
        };
        let found =
            aws.find("kms", "DescribeKey", json!({"KeyId": named}), &["NotFoundException"]).await?;
        let found = found.and_then(|it| it.get("KeyMetadata").map(Given::to_json));
        if args.state == State::Absent {
            let is_there = |it: &Value| it["KeyState"] != "PendingDeletion";
            let Some(metadata) = found.filter(is_there) else {
                return Ok(aws.tell(Outcome::new()));
            };
            let mut key = Key::read(control, &aws, metadata).await?;
            key.schedule(args.pending_window).await?;
            return Ok(aws.tell(key.told()));
        }
        let (metadata, is_new) = match found {
            Some(metadata) => (metadata, false),
            None => match args.make(control, &aws, document.as_ref()).await? {
                Some(made) => (made, true),
                None => return Ok(aws.tell(Outcome::new())),
            },
        };
        let id = metadata["KeyId"].clone();
        let settled = args.settle(control, &aws, metadata, (alias, document)).await;
        // A new key whose name could not be made is found by nothing else.
        let key = settled.map_err(|error| if is_new { error.with("key_id", id) } else { error })?;
        Ok(aws.tell(key.told()))
    }
}

impl Args {
    /// Makes a key: what is known of it, but for check mode.
    async fn make(
        &self,
        control: &Control,
        aws: &Aws,
        document: Option<&Value>,
    ) -> Result<Option<Value>, ModuleError> {
        if self.key_id.is_some() || self.alias.is_none() {
            let text = "there is no such key, and a new one is made by its alias alone";
            return Err(ModuleError::failed(text));
        }
        let tags = self.tags.tags.as_ref().map(|it| Shape::PREFIXED.list(it).to_json());
        let params = json!({
            "Description": self.description, "KeySpec": self.key_spec, "KeyUsage": self.key_usage,
            "MultiRegion": self.multi_region, "Policy": document.map(Value::to_string), "Tags": tags,
        });
        let alias = self.alias.as_deref().unwrap_or_default();
        let edit = Edit::new("make the key", format!("kms:{alias}"))
            .to(json!({"alias": alias, "description": self.description, "tags": self.tags.tags}));
        let act = async || {
            // Whom the policy trusts may have been made just now.
            let codes = ["MalformedPolicyDocumentException"];
            let made = aws.insist("kms", "CreateKey", params, &codes).await?;
            Ok(made.get("KeyMetadata").map(Given::to_json).unwrap_or_default())
        };
        let place = |made: &Value| made["Arn"].as_str().map(str::to_owned);
        control.create(edit, act, place).await
    }

    async fn settle<'a>(
        &self,
        control: &'a Control,
        aws: &'a Aws,
        metadata: Value,
        (alias, document): (Option<String>, Option<Value>),
    ) -> Result<Key<'a>, ModuleError> {
        let mut key = Key::read(control, aws, metadata).await?;
        if let Some(alias) = alias.filter(|it| !key.aliases.contains(it)) {
            let edit = key.edit("give it a name").to(&alias);
            key.change(edit, "CreateAlias", json!({"AliasName": format!("alias/{alias}")})).await?;
            key.aliases.push(alias);
        }
        if key.metadata["KeyState"] == "PendingDeletion" {
            let edit =
                key.edit("keep it from being deleted").from("PendingDeletion").to("Disabled");
            key.change(edit, "CancelKeyDeletion", json!({})).await?;
            if !control.is_check() {
                key.grants = key.granted().await?;
            }
            key.is("KeyState", "Disabled").is("DeletionDate", Value::Null).is("Enabled", false);
        }
        if self.enabled && key.metadata["Enabled"] != true {
            let edit = key.edit("enable it").from(false).to(true);
            key.change(edit, "EnableKey", json!({})).await?;
            key.is("KeyState", "Enabled").is("Enabled", true);
        }
        let old = key.metadata["Description"].as_str().unwrap_or_default();
        if let Some(description) = self.description.as_deref().filter(|it| *it != old) {
            let edit = key.edit("set its description").from(old).to(description);
            key.change(edit, "UpdateKeyDescription", json!({"Description": description})).await?;
            key.is("Description", description);
        }
        if let Some(document) = document.filter(|it| !policy::is_same(&key.policy, it)) {
            let edit = key.edit("set its policy").from(&key.policy).to(&document);
            let params = json!({"PolicyName": "default", "Policy": document.to_string()});
            key.change(edit, "PutKeyPolicy", params).await?;
            key.policy = document;
        }
        key.tag(&self.tags).await?;
        if let Some(rotation) = self.enable_key_rotation.filter(|it| key.rotation != Some(*it)) {
            let edit = key.edit("set whether it is made anew").from(key.rotation).to(rotation);
            let operation = if rotation { "EnableKeyRotation" } else { "DisableKeyRotation" };
            key.change(edit, operation, json!({})).await?;
            key.rotation = Some(rotation);
        }
        key.grant(&self.grants, self.purge_grants).await?;
        if !self.enabled && key.metadata["Enabled"] == true {
            let edit = key.edit("disable it").from(true).to(false);
            key.change(edit, "DisableKey", json!({})).await?;
            key.is("KeyState", "Disabled").is("Enabled", false);
        }
        Ok(key)
    }
}

/// How it says that a new key is not known everywhere yet.
const BUSY: &[&str] = &["NotFoundException", "DependencyTimeoutException"];
/// How it takes tags.
const TAGS: TagOperations = TagOperations::usual("kms").shaped(Some(Shape::PREFIXED)).patient(BUSY);

/// A key that is there, and what it will be.
struct Key<'a> {
    control: &'a Control,
    aws: &'a Aws,
    metadata: Value,
    aliases: Vec<String>,
    policy: Value,
    tags: Tags,
    rotation: Option<bool>,
    grants: Vec<Value>,
}

impl<'a> Key<'a> {
    async fn read(
        control: &'a Control,
        aws: &'a Aws,
        metadata: Value,
    ) -> Result<Self, ModuleError> {
        let id = json!({"KeyId": metadata["KeyId"]});
        let aliases = list(aws, "ListAliases", &id, "Aliases").await?;
        let alias = |it: &Value| Some(it["AliasName"].as_str()?.strip_prefix("alias/")?.to_owned());
        let grants = match metadata["KeyState"].as_str() {
            Some("PendingDeletion") => Vec::new(),
            _ => list(aws, "ListGrants", &id, "Grants").await?,
        };
        let named = json!({"KeyId": metadata["KeyId"], "PolicyName": "default"});
        let document = allowed(aws, "GetKeyPolicy", named).await?["Policy"].clone();
        let rotation = match metadata["KeySpec"].as_str() {
            Some("SYMMETRIC_DEFAULT") | None => {
                let found = allowed(aws, "GetKeyRotationStatus", id.clone()).await?;
                found["KeyRotationEnabled"].as_bool()
            }
            // Others are never made anew.
            Some(_) => None,
        };
        let tags = allowed(aws, "ListResourceTags", id).await?["Tags"].clone();
        Ok(Self {
            control,
            aws,
            aliases: aliases.iter().filter_map(alias).collect(),
            policy: iam::document(&document),
            tags: Shape::PREFIXED.tags(&tags.into()),
            rotation,
            grants,
            metadata,
        })
    }

    fn is(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.metadata[name] = value.into();
        self
    }

    fn edit(&self, what: &str) -> Edit {
        Edit::new(what, self.path())
    }

    fn path(&self) -> &str {
        self.metadata["Arn"].as_str().unwrap_or_default()
    }

    async fn change(
        &self,
        edit: Edit,
        operation: &str,
        mut params: Value,
    ) -> Result<(), ModuleError> {
        let name = if operation == "CreateAlias" { "TargetKeyId" } else { "KeyId" };
        params[name] = self.metadata["KeyId"].clone();
        let act = async || self.aws.insist("kms", operation, params, BUSY).await;
        self.control.change(edit, act).await.map(drop)
    }

    async fn tag(&mut self, wanted: &TagArgs) -> Result<(), ModuleError> {
        let (control, aws, path) = (self.control, self.aws, self.path());
        let of = json!({"KeyId": self.metadata["KeyId"]});
        let tagged = Tagged { control, aws, operations: TAGS, path, of };
        self.tags = tagged.bring(&self.tags, &wanted.change(&self.tags)).await?;
        Ok(())
    }

    async fn grant(&mut self, wanted: &[Grant], purge: bool) -> Result<(), ModuleError> {
        let wanted: Vec<Value> = wanted.iter().map(Grant::params).collect();
        let is_in =
            |one: &Value, all: &[Value]| all.iter().any(|it| comparable(it) == comparable(one));
        // One of the same name that says something else is replaced.
        let is_replaced = |one: &Value| {
            !one["Name"].is_null() && wanted.iter().any(|it| it["Name"] == one["Name"])
        };
        let old = self.grants.clone();
        for grant in wanted.iter().filter(|it| !is_in(it, &old)) {
            let edit = self.edit("grant something").to(grant);
            self.change(edit, "CreateGrant", grant.clone()).await?;
        }
        for grant in old.iter().filter(|it| !is_in(it, &wanted) && (purge || is_replaced(it))) {
            let edit = self.edit("take a grant back").from(grant);
            self.change(edit, "RevokeGrant", json!({"GrantId": grant["GrantId"]})).await?;
        }
        let is_changed = wanted.iter().any(|it| !is_in(it, &old))
            || old.iter().any(|it| !is_in(it, &wanted) && (purge || is_replaced(it)));
        if is_changed && !self.control.is_check() {
            self.grants = self.granted().await?;
        }
        Ok(())
    }

    /// The grants that there are now.
    async fn granted(&self) -> Result<Vec<Value>, ModuleError> {
        let id = json!({"KeyId": self.metadata["KeyId"]});
        list(self.aws, "ListGrants", &id, "Grants").await
    }

    async fn schedule(&mut self, days: Option<i64>) -> Result<(), ModuleError> {
        let params = json!({"KeyId": self.metadata["KeyId"], "PendingWindowInDays": days});
        let state = self.metadata["KeyState"].clone();
        let edit = self.edit("have it deleted").from(state).to("PendingDeletion");
        let act = async || self.aws.call("kms", "ScheduleKeyDeletion", params).await;
        let done = self.control.change(edit, act).await?;
        let date = done.and_then(|it| it.get("DeletionDate").map(Given::to_json));
        self.is("KeyState", "PendingDeletion").is("Enabled", false);
        self.is("DeletionDate", date.unwrap_or_default());
        Ok(())
    }

    fn told(self) -> Outcome {
        let mut outcome = Outcome::new();
        let arn = self.metadata["Arn"].clone();
        if let Value::Object(all) = names::snake_all(self.metadata, &[]) {
            for (name, value) in all.into_iter().filter(|(name, it)| name != "arn" && !it.is_null())
            {
                outcome.set(&name, value);
            }
        }
        let kept = ["EncryptionContextEquals", "EncryptionContextSubset"];
        let policies = if self.policy.is_null() { json!([]) } else { json!([self.policy]) };
        outcome
            .with("key_arn", arn)
            .with("aliases", self.aliases)
            .with("enable_key_rotation", self.rotation)
            .with("grants", names::snake_all(self.grants.into(), &kept))
            .with("key_policies", policies)
            .with("tags", self.tags)
    }
}

async fn list(
    aws: &Aws,
    operation: &str,
    of: &Value,
    member: &str,
) -> Result<Vec<Value>, ModuleError> {
    let found = aws.all("kms", operation, of.clone()).await?;
    Ok(match found.get(member).map(Given::to_json) {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    })
}

/// What an operation says; nothing where the caller may not see it, or the key has nothing of the kind.
async fn allowed(aws: &Aws, operation: &str, params: Value) -> Result<Value, ModuleError> {
    let refused =
        ["AccessDeniedException", "UnsupportedOperationException", "KMSInvalidStateException"];
    match aws.attempt("kms", operation, params).await {
        Ok(found) => Ok(Given::Map(found).to_json()),
        Err(error) if says(&error, &refused) => Ok(Value::Null),
        Err(error) => Err(failure(Some(("kms", operation)), &error)),
    }
}
