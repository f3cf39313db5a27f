//! `community.aws.ecs_ecr`: a repository of images in the Elastic Container Registry.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/ecs_ecr_module.html>

use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::args::State;
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::policy;

/// Keep a repository for images of containers and its policies, or delete it.
///
/// Policies that the task does not speak of stay as they are.
///
/// The result has `created`, `state`, and `repository` and `policy`, or `name` where it is to be absent.
///
/// ```yaml
/// - community.aws.ecs_ecr:
///     name: shop/web
///     image_tag_mutability: immutable
///     scan_on_push: true
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The repository's name: `shop/web`.
    name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The account whose registry it is in; the one that calls without it.
    #[serde(default)]
    registry_id: Option<String>,
    /// How images are encrypted. This cannot be changed.
    #[serde(default)]
    encryption_configuration: Option<Encryption>,
    /// Delete a repository with images too.
    #[serde(default)]
    force_absent: bool,
    /// Set a policy too that keeps the caller from setting another one later.
    #[serde(default)]
    force_set_policy: bool,
    /// Whether a tag can be given to another image.
    #[serde(default)]
    image_tag_mutability: Mutability,
    /// Which images go by themselves: a document.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    lifecycle_policy: Option<String>,
    /// Who may do what with it: a policy document.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    policy: Option<String>,
    /// Remove what is set by `lifecycle_policy`.
    #[serde(default)]
    purge_lifecycle_policy: bool,
    /// Remove what is set by `policy`.
    #[serde(default)]
    purge_policy: bool,
    /// Look through new images for known holes.
    #[serde(default)]
    scan_on_push: bool,
    #[serde(flatten)]
    login: Login,
}

/// How images are encrypted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Encryption {
    /// With whose keys.
    #[serde(default)]
    encryption_type: Method,
    /// The key of KMS.
    #[serde(default)]
    kms_key: Option<String>,
}

/// With whose keys something is encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
enum Method {
    /// Those of the registry.
    #[default]
    #[serde(rename = "AES256")]
    Aes256,
    /// Those of KMS.
    #[serde(rename = "KMS")]
    Kms,
}

/// Whether a tag can be given to another image.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mutability {
    /// It can.
    #[default]
    Mutable,
    /// It cannot.
    Immutable,
}

impl Mutability {
    const fn word(self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
        }
    }
}

/// One of the two documents that a repository can have.
struct Document<'a> {
    /// How people call it.
    name: &'static str,
    /// The operations that give, set and remove it.
    operations: [&'static str; 3],
    /// The member of requests and answers that holds its text.
    member: &'static str,
    /// The code that says that there is none.
    missing: &'static str,
    /// What it should be.
    wanted: Option<&'a str>,
    /// It should not be there.
    purge: bool,
}

/// With this, the service says that there is no such repository.
const MISSING: &[&str] = &["RepositoryNotFoundException"];

/// `community.aws.ecs_ecr`.
pub(crate) struct EcsEcr;

impl Module for EcsEcr {
    const NAME: &'static str = "community.aws.ecs_ecr";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        args.check()?;
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let found = task.find().await?;
        let outcome = match (args.state, found) {
            (State::Present, found) => task.present(found).await?,
            (State::Absent, found) => {
                if let Some(found) = found {
                    task.delete(&found).await?;
                }
                Outcome::new().with("name", &args.name).with("created", false)
            }
        };
        Ok(aws.tell(outcome.with("state", args.state)))
    }
}

impl Args {
    fn check(&self) -> Result<(), ModuleError> {
        let pairs = [
            ("policy", self.policy.is_some() && self.purge_policy),
            ("lifecycle_policy", self.lifecycle_policy.is_some() && self.purge_lifecycle_policy),
        ];
        for (name, is_both) in pairs {
            if is_both {
                let text = format!("parameters are mutually exclusive: {name}|purge_{name}");
                return Err(ModuleError::failed(text));
            }
        }
        for (name, text) in [("policy", &self.policy), ("lifecycle_policy", &self.lifecycle_policy)]
        {
            text.as_deref().map(|it| policy::document(name, it)).transpose()?;
        }
        Ok(())
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Task<'_> {
    /// The parameters that name it, with others.
    fn params(&self, others: Json) -> Json {
        let mut params = json!({"repositoryName": self.args.name});
        if let Some(registry) = &self.args.registry_id {
            params["registryId"] = registry.as_str().into();
        }
        for (name, value) in others.as_object().into_iter().flatten() {
            params[name.as_str()] = value.clone();
        }
        params
    }

    async fn find(&self) -> Result<Option<Json>, ModuleError> {
        let mut params = self.params(json!({"repositoryNames": [self.args.name]}));
        if let Some(params) = params.as_object_mut() {
            params.remove("repositoryName");
        }
        let found = self.aws.find("ecr", "DescribeRepositories", params, MISSING).await?;
        let found = found.and_then(|it| it.get("repositories").map(Value::to_json));
        Ok(found.map(|mut it| it[0].take()).filter(|it| !it.is_null()))
    }

    async fn present(&self, found: Option<Json>) -> Result<Outcome, ModuleError> {
        let is_new = found.is_none();
        let repository = match found {
            Some(found) => self.keep(found).await?,
            None => self.create().await?,
        };
        let args = self.args;
        let policy = Document {
            name: "policy",
            operations: ["GetRepositoryPolicy", "SetRepositoryPolicy", "DeleteRepositoryPolicy"],
            member: "policyText",
            missing: "RepositoryPolicyNotFoundException",
            wanted: args.policy.as_deref(),
            purge: args.purge_policy,
        };
        let lifecycle = Document {
            name: "lifecycle policy",
            operations: ["GetLifecyclePolicy", "PutLifecyclePolicy", "DeleteLifecyclePolicy"],
            member: "lifecyclePolicyText",
            missing: "LifecyclePolicyNotFoundException",
            wanted: args.lifecycle_policy.as_deref(),
            purge: args.purge_lifecycle_policy,
        };
        // What was made is told, if the rest fails.
        let told =
            |error: ModuleError| error.with("repository", &repository).with("created", is_new);
        let policy = self.settle(&policy, is_new).await.map_err(told)?;
        let mut outcome = Outcome::new().with("created", is_new).with("policy", policy);
        if lifecycle.wanted.is_some() || lifecycle.purge {
            let now = self.settle(&lifecycle, is_new).await.map_err(told)?;
            outcome.set("lifecycle_policy", now);
        }
        Ok(outcome.with("repository", repository))
    }

    async fn create(&self) -> Result<Json, ModuleError> {
        let args = self.args;
        let mut others = json!({
            "imageTagMutability": args.image_tag_mutability.word(),
            "imageScanningConfiguration": {"scanOnPush": args.scan_on_push},
        });
        if let Some(encryption) = &args.encryption_configuration {
            others["encryptionConfiguration"] =
                json!({"encryptionType": encryption.encryption_type});
            if let Some(key) = &encryption.kms_key {
                others["encryptionConfiguration"]["kmsKey"] = key.as_str().into();
            }
        }
        let request = self.params(others);
        let edit = Edit::new("create the repository", &args.name).to(&request);
        let made = |it: &Map| it.get("repository").map(Value::to_json).unwrap_or_default();
        let arn = |it: &Map| made(it)["repositoryArn"].as_str().map(str::to_owned);
        let act = async || self.aws.call("ecr", "CreateRepository", request.clone()).await;
        let answer = self.control.create(edit, act, arn).await?;
        Ok(answer.as_ref().map_or(request, made))
    }

    async fn delete(&self, found: &Json) -> Result<(), ModuleError> {
        let edit = Edit::new("delete the repository", arn(found)).from(found);
        let request = self.params(json!({"force": self.args.force_absent}));
        let act = async || self.aws.find("ecr", "DeleteRepository", request, MISSING).await;
        self.control.change(edit, act).await.map(drop)
    }

    /// Brings the settings of a repository that is there to what they should be.
    async fn keep(&self, mut found: Json) -> Result<Json, ModuleError> {
        let args = self.args;
        check_encryption(
            args.encryption_configuration.as_ref(),
            &found["encryptionConfiguration"],
        )?;
        let mutability = json!(args.image_tag_mutability.word());
        if found["imageTagMutability"] != mutability {
            let edit = Edit::new("set whether tags can be given anew", arn(&found))
                .from(&found["imageTagMutability"])
                .to(&mutability);
            let request = self.params(json!({"imageTagMutability": mutability}));
            let act = async || self.aws.call("ecr", "PutImageTagMutability", request).await;
            self.control.change(edit, act).await?;
            found["imageTagMutability"] = mutability;
        }
        let scanning = json!({"scanOnPush": args.scan_on_push});
        let now = &found["imageScanningConfiguration"];
        if (now["scanOnPush"] == true) != args.scan_on_push {
            let edit =
                Edit::new("set whether images are scanned", arn(&found)).from(now).to(&scanning);
            let request = self.params(json!({"imageScanningConfiguration": scanning}));
            let act = async || self.aws.call("ecr", "PutImageScanningConfiguration", request).await;
            self.control.change(edit, act).await?;
            found["imageScanningConfiguration"] = scanning;
        }
        Ok(found)
    }

    /// Brings a document to what it should be; what it is then.
    async fn settle(&self, document: &Document<'_>, is_new: bool) -> Result<Json, ModuleError> {
        let [get, set, remove] = document.operations;
        let now = if is_new {
            Json::Null
        } else {
            let params = self.params(json!({}));
            let found = self.aws.find("ecr", get, params, &[document.missing]).await?;
            let text = found.as_ref().and_then(|it| it.get(document.member)?.as_str());
            text.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default()
        };
        if document.purge {
            if now.is_null() {
                return Ok(now);
            }
            let edit = Edit::new(format!("remove the {}", document.name), &self.args.name);
            let params = self.params(json!({}));
            let act = async || self.aws.find("ecr", remove, params, &[document.missing]).await;
            self.control.change(edit.from(&now), act).await?;
            return Ok(Json::Null);
        }
        let Some(text) = document.wanted else { return Ok(now) };
        let wanted = policy::document(document.name, text)?;
        if policy::is_same(&now, &wanted) {
            return Ok(now);
        }
        let mut others = json!({document.member: wanted.to_string()});
        if self.args.force_set_policy && set == "SetRepositoryPolicy" {
            others["force"] = true.into();
        }
        let edit = Edit::new(format!("set the {}", document.name), &self.args.name);
        let params = self.params(others);
        let act = async || self.aws.call("ecr", set, params).await;
        self.control.change(edit.from(&now).to(&wanted), act).await?;
        Ok(wanted)
    }
}

fn arn(repository: &Json) -> &str {
    repository["repositoryArn"].as_str().unwrap_or_default()
}

/// What a repository is encrypted with is said once and for all.
fn check_encryption(wanted: Option<&Encryption>, now: &Json) -> Result<(), ModuleError> {
    let Some(wanted) = wanted else { return Ok(()) };
    let method = json!(wanted.encryption_type);
    let old = now["encryptionType"].as_str().unwrap_or("AES256");
    // Only whole names of keys can be held against what the service gives.
    let key = wanted.kms_key.as_deref().filter(|it| it.contains(":key/"));
    if method == old && key.is_none_or(|it| now["kmsKey"] == it) {
        return Ok(());
    }
    let text = "the encryption of a repository that is there cannot be changed";
    Err(ModuleError::failed(text).with("encryption_configuration", now))
}
