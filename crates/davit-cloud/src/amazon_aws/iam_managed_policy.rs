//! `amazon.aws.iam_managed_policy`: a policy of IAM that can be attached to many.

use davit_aws::Value as Given;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::args::{State, yes};
use crate::aws::client::Aws;
use crate::aws::iam;
use crate::aws::login::Login;
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagArgs, Tags};
use crate::aws::{names, policy};

/// Make a managed policy of IAM, give it a new version, or detach it from all and delete it.
///
/// IAM keeps five versions of a policy: the oldest that does not count is deleted where a sixth comes.
///
/// The result has `policy`.
///
/// ```yaml
/// - amazon.aws.iam_managed_policy:
///     name: read-logs
///     policy: "{{ lookup('file', 'read-logs.json') }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The policy's name.
    #[schemars(extend("x-aliases" = ["policy_name"]))]
    name: String,
    /// What the policy is for. It is said of a new policy only.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["policy_description"]))]
    description: Option<String>,
    /// The version that says this is the one that counts.
    #[serde(default = "yes")]
    make_default: bool,
    /// Delete all versions that do not count.
    #[serde(default)]
    only_version: bool,
    /// Where it stands among the account's names: `/logs/`. It is said of a new policy only.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["prefix", "path_prefix"]))]
    path: Option<String>,
    /// What it says: a policy document. A new policy needs it.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    policy: Option<String>,
    /// Whether there should be such a policy.
    #[serde(default)]
    state: State,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// So many versions are kept.
const VERSIONS: usize = 5;
/// How it says that a policy is still being changed.
const BUSY: &[&str] = &["ConcurrentModification"];
/// How it takes tags.
const TAGS: TagOperations =
    TagOperations::usual("iam").called("TagPolicy", "UntagPolicy").patient(BUSY);

/// `amazon.aws.iam_managed_policy`.
pub(crate) struct IamManagedPolicy;

impl Module for IamManagedPolicy {
    const NAME: &'static str = "amazon.aws.iam_managed_policy";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        iam::check_path(args.path.as_deref())?;
        let document =
            args.policy.as_deref().map(|it| policy::document("policy", it)).transpose()?;
        let aws = Aws::new(control, &args.login)?;
        let found = aws.all("iam", "ListPolicies", json!({"Scope": "Local"})).await?;
        let all = found.get("Policies").map(Given::items).unwrap_or_default();
        let is_it = |it: &&Given| it.get("PolicyName").and_then(Given::as_str) == Some(&args.name);
        let arn = all.iter().find(is_it).and_then(|it| it.get("Arn")).and_then(Given::as_str);
        let (it, is_new) = match (arn, args.state) {
            (None, State::Absent) => {
                return Ok(aws.tell(Outcome::new().with("policy", Value::Null)));
            }
            (Some(arn), _) => (Policy { control, aws: &aws, arn: arn.to_owned() }, false),
            (None, State::Present) => {
                let Some(document) = &document else {
                    return Err(ModuleError::failed("a new policy needs policy"));
                };
                match args.make(control, &aws, document).await? {
                    Some(arn) => (Policy { control, aws: &aws, arn }, true),
                    None => return Ok(aws.tell(Outcome::new())),
                }
            }
        };
        let mut now = it.now().await?;
        if args.state == State::Absent {
            it.remove().await?;
        } else if !is_new {
            if let Some(document) = &document {
                it.say(document, args.make_default, now["DefaultVersionId"].as_str()).await?;
            }
            if args.only_version {
                it.prune().await?;
            }
            let tags = it.tag(&args.tags, &Shape::USUAL.tags(&now["Tags"].clone().into())).await?;
            if !control.is_check() {
                now = it.now().await?;
            }
            now["Tags"] = Shape::USUAL.list(&tags).to_json();
        }
        let tags = Shape::USUAL.tags(&now["Tags"].clone().into());
        let mut told = names::snake_all(now, &["Tags"]);
        told["tags"] = json!(tags);
        Ok(aws.tell(Outcome::new().with("policy", told)))
    }
}

impl Args {
    /// Makes it: its ARN, but for check mode.
    async fn make(
        &self,
        control: &Control,
        aws: &Aws,
        document: &Value,
    ) -> Result<Option<String>, ModuleError> {
        let tags = self.tags.tags.as_ref().map(|it| Shape::USUAL.list(it).to_json());
        let params = json!({
            "PolicyName": self.name, "Path": self.path, "Description": self.description,
            "PolicyDocument": document.to_string(), "Tags": tags,
        });
        let edit = Edit::new("make the policy", format!("iam:policy/{}", self.name)).to(document);
        let act = async || {
            let made = aws.call("iam", "CreatePolicy", params).await?;
            let arn = made.get("Policy").and_then(|it| it.get("Arn")).and_then(Given::as_str);
            Ok(arn.unwrap_or_default().to_owned())
        };
        control.create(edit, act, |arn: &String| Some(arn.clone())).await
    }
}

/// A policy that is there.
struct Policy<'a> {
    control: &'a Control,
    aws: &'a Aws,
    arn: String,
}

impl Policy<'_> {
    async fn change(
        &self,
        edit: Edit,
        operation: &str,
        mut params: Value,
    ) -> Result<(), ModuleError> {
        params["PolicyArn"] = self.arn.as_str().into();
        let act = async || self.aws.insist("iam", operation, params, BUSY).await;
        self.control.change(edit, act).await.map(drop)
    }

    fn edit(&self, what: impl Into<String>) -> Edit {
        Edit::new(what, &self.arn)
    }

    async fn now(&self) -> Result<Value, ModuleError> {
        // It may have been made just now.
        let params = json!({"PolicyArn": self.arn});
        let found = self.aws.insist("iam", "GetPolicy", params, iam::MISSING).await?;
        Ok(found.get("Policy").map(Given::to_json).unwrap_or_default())
    }

    /// Its versions, the oldest first: their ids, and whether each is the one that counts.
    async fn versions(&self) -> Result<Vec<(String, bool)>, ModuleError> {
        let params = json!({"PolicyArn": self.arn});
        let found = self.aws.all("iam", "ListPolicyVersions", params).await?;
        let all = found.get("Versions").map(Given::items).unwrap_or_default();
        let version = |it: &Given| {
            let id = it.get("VersionId")?.as_str()?.to_owned();
            Some((id, it.get("IsDefaultVersion").and_then(Given::as_bool) == Some(true)))
        };
        let mut all: Vec<(String, bool)> = all.iter().filter_map(version).collect();
        all.sort_by_key(|(id, _)| id.trim_start_matches('v').parse::<u32>().unwrap_or_default());
        Ok(all)
    }

    async fn document(&self, version: &str) -> Result<Value, ModuleError> {
        let params = json!({"PolicyArn": self.arn, "VersionId": version});
        let found = self.aws.call("iam", "GetPolicyVersion", params).await?;
        let document = found.get("PolicyVersion").and_then(|it| it.get("Document"));
        Ok(iam::document(&document.map(Given::to_json).unwrap_or_default()))
    }

    /// Sees to it that a version says this and, with `is_default`, counts.
    async fn say(
        &self,
        wanted: &Value,
        is_default: bool,
        default: Option<&str>,
    ) -> Result<(), ModuleError> {
        let versions = self.versions().await?;
        for (id, counts) in versions.iter().rev() {
            if !policy::is_same(&self.document(id).await?, wanted) {
                continue;
            }
            if *counts || !is_default {
                return Ok(());
            }
            let edit = self.edit("set the version that counts").from(default).to(id);
            return self.change(edit, "SetDefaultPolicyVersion", json!({"VersionId": id})).await;
        }
        if versions.len() >= VERSIONS
            && let Some((id, _)) = versions.iter().find(|(_, counts)| !counts)
        {
            let edit = self.edit("delete the oldest version").from(id);
            self.change(edit, "DeletePolicyVersion", json!({"VersionId": id})).await?;
        }
        let now = match default {
            Some(id) => self.document(id).await?,
            None => Value::Null,
        };
        let edit = self.edit("make a version").from(now).to(wanted);
        let params = json!({"PolicyDocument": wanted.to_string(), "SetAsDefault": is_default});
        self.change(edit, "CreatePolicyVersion", params).await
    }

    /// Deletes all versions that do not count.
    async fn prune(&self) -> Result<(), ModuleError> {
        for (id, _) in self.versions().await?.iter().filter(|(_, counts)| !counts) {
            let edit = self.edit("delete a version").from(id);
            self.change(edit, "DeletePolicyVersion", json!({"VersionId": id})).await?;
        }
        Ok(())
    }

    async fn tag(&self, wanted: &TagArgs, tags: &Tags) -> Result<Tags, ModuleError> {
        let (control, aws, of) = (self.control, self.aws, json!({"PolicyArn": self.arn}));
        let tagged = Tagged { control, aws, operations: TAGS, path: &self.arn, of };
        tagged.bring(tags, &wanted.change(tags)).await
    }

    async fn remove(&self) -> Result<(), ModuleError> {
        let params = json!({"PolicyArn": self.arn});
        let found = self.aws.all("iam", "ListEntitiesForPolicy", params).await?;
        for kind in ["Group", "Role", "User"] {
            let name = format!("{kind}Name");
            let all = found.get(&format!("Policy{kind}s")).map(Given::items).unwrap_or_default();
            for one in all.iter().filter_map(|it| it.get(&name)?.as_str()) {
                let word = kind.to_lowercase();
                let edit = self.edit(format!("detach it from the {word} {one}")).from(one);
                self.change(edit, &format!("Detach{kind}Policy"), json!({name.as_str(): one}))
                    .await?;
            }
        }
        self.prune().await?;
        self.change(self.edit("delete the policy").from(&self.arn), "DeletePolicy", json!({})).await
    }
}
