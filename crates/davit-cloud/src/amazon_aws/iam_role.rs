//! `amazon.aws.iam_role`: a role of IAM.

use std::time::Duration;

use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::args::{State, yes};
use crate::aws::client::Aws;
use crate::aws::iam::{self, Entity, Kind};
use crate::aws::login::Login;
use crate::aws::tagging::TagOperations;
use crate::aws::tags::{Shape, TagArgs, Tags};
use crate::aws::{names, policy};

/// Make a role of IAM, bring it to what it should be, or delete it with all that hangs on it.
///
/// The result has `iam_role`, with `attached_policies` and `tags`.
///
/// ```yaml
/// - amazon.aws.iam_role:
///     name: web
///     assume_role_policy_document: "{{ lookup('file', 'trust.json') }}"
///     managed_policies: [AmazonS3ReadOnlyAccess]
///     create_instance_profile: false
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The role's name.
    #[schemars(extend("x-aliases" = ["role_name"]))]
    name: String,
    /// Whether there should be such a role.
    #[serde(default)]
    state: State,
    /// Who may take on the role: a policy document.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    assume_role_policy_document: Option<String>,
    /// The ARN of a policy that says what the role can do at most. An empty text removes it. Only with
    /// `create_instance_profile: false`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["boundary_policy_arn"]))]
    boundary: Option<String>,
    /// Make an instance profile of that name for a new role, which machines take it on by.
    #[serde(default)]
    create_instance_profile: Option<bool>,
    /// Delete the instance profile of that name with the role.
    #[serde(default)]
    delete_instance_profile: Option<bool>,
    /// What the role is for.
    #[serde(default)]
    description: Option<String>,
    /// The managed policies of the role, by ARN or name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["managed_policy"]))]
    managed_policies: Option<Vec<String>>,
    /// For how many seconds it can be taken on: 3600 to 43200.
    #[serde(default)]
    max_session_duration: Option<i64>,
    /// Where it stands among the account's names: `/web/`. It cannot be changed.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["prefix", "path_prefix"]))]
    path: Option<String>,
    /// Detach the managed policies that `managed_policies` does not name.
    #[serde(default = "yes")]
    #[schemars(extend("x-aliases" = ["purge_policy", "purge_managed_policies"]))]
    purge_policies: bool,
    /// Wait until a new role is there.
    #[serde(default = "yes")]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "two_minutes")]
    wait_timeout: u64,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

const fn two_minutes() -> u64 {
    120
}

/// How it takes tags.
const TAGS: TagOperations =
    TagOperations::usual("iam").called("TagRole", "UntagRole").patient(iam::BUSY);

/// `amazon.aws.iam_role`.
pub(crate) struct IamRole;

impl Module for IamRole {
    const NAME: &'static str = "amazon.aws.iam_role";
    type Args = Args;
    const RULES: Rules = Rules {
        required_if: &[Requirement {
            key: "state",
            value: "present",
            needs: &["assume_role_policy_document"],
            any: false,
        }],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        args.check()?;
        let aws = Aws::new(control, &args.login)?;
        let name = &args.name;
        let mut role = Entity { control, aws: &aws, kind: Kind::Role, name, is_predicted: false };
        let found = role.find().await?.map(|it| it["Role"].clone());
        if args.state == State::Absent {
            if found.is_some() {
                args.remove(&role).await?;
            }
            return Ok(aws.tell(Outcome::new()));
        }
        let trust = args.assume_role_policy_document.as_deref().unwrap_or_default();
        let trust = policy::document("assume_role_policy_document", trust)?;
        let managed = match &args.managed_policies {
            Some(said) => Some(iam::arns(&aws, said).await?),
            None => None,
        };
        let is_new = found.is_none();
        role.is_predicted = is_new && control.is_check();
        let now = match found {
            Some(now) => now,
            None => args.make(&role, &trust).await?,
        };
        if is_new && args.create_instance_profile.unwrap_or(true) {
            args.make_profile(&role).await?;
        }
        let tags = args.settle(&role, &now, &trust).await?;
        let attached = match &managed {
            Some(managed) => role.attach(managed, args.purge_policies).await?,
            None => role.attached().await?,
        };
        if role.is_predicted {
            return Ok(aws.tell(Outcome::new()));
        }
        let mut after = role.find().await?.map_or(now, |it| it["Role"].clone());
        if control.is_check() {
            after["Description"] =
                json!(args.description.as_deref().or(after["Description"].as_str()));
        }
        Ok(aws.tell(Outcome::new().with("iam_role", told(after, &trust, tags, attached))))
    }
}

/// The role as results have it.
fn told(role: Value, trust: &Value, tags: Tags, attached: Vec<Value>) -> Value {
    let mut told = names::snake_all(role, &["AssumeRolePolicyDocument", "Tags"]);
    told["assume_role_policy_document"] = trust.clone();
    told["assume_role_policy_document_raw"] = trust.clone();
    told["tags"] = json!(tags);
    told["attached_policies"] = attached.into();
    told
}

impl Args {
    fn check(&self) -> Result<(), ModuleError> {
        iam::check_path(self.path.as_deref())?;
        if self.boundary.as_ref().is_some_and(|it| !it.is_empty())
            && self.create_instance_profile != Some(false)
            && self.state == State::Present
        {
            let text =
                "boundary needs create_instance_profile to be false: instance profiles have none";
            return Err(ModuleError::failed(text));
        }
        if self.max_session_duration.is_some_and(|it| !(3600..=43200).contains(&it)) {
            let text =
                "max_session_duration must be between 1 and 12 hours (3600 and 43200 seconds)";
            return Err(ModuleError::failed(text));
        }
        Ok(())
    }

    async fn make(&self, role: &Entity<'_>, trust: &Value) -> Result<Value, ModuleError> {
        let tags = self.tags.tags.as_ref().map(|it| Shape::USUAL.list(it).to_json());
        let params = role.params(json!({
            "AssumeRolePolicyDocument": trust.to_string(),
            "Path": self.path,
            "Description": self.description,
            "MaxSessionDuration": self.max_session_duration,
            "PermissionsBoundary": self.boundary.as_ref().filter(|it| !it.is_empty()),
            "Tags": tags,
        }));
        let edit = role.edit("make the role").to(json!({
            "role_name": self.name, "description": self.description, "tags": self.tags.tags,
            "assume_role_policy_document": trust,
        }));
        let act = async || {
            // Whom it trusts may have been made just now.
            let made =
                role.aws.insist("iam", "CreateRole", params, &["MalformedPolicyDocument"]).await?;
            if self.wait {
                let timeout = Duration::from_secs(self.wait_timeout);
                role.aws.wait("iam", "role_exists", role.params(json!({})), timeout).await?;
            }
            Ok(made.get("Role").map(davit_aws::Value::to_json).unwrap_or_default())
        };
        let place = |made: &Value| made["Arn"].as_str().map(str::to_owned);
        let made = role.control.create(edit, act, place).await?;
        // What it would be, so that nothing more is found to be done.
        Ok(made.unwrap_or_else(|| {
            json!({
                "AssumeRolePolicyDocument": trust,
                "Description": self.description,
                "MaxSessionDuration": self.max_session_duration,
                "PermissionsBoundary": {"PermissionsBoundaryArn": self.boundary},
                "Tags": self.tags.tags,
                "Path": self.path,
            })
        }))
    }

    async fn make_profile(&self, role: &Entity<'_>) -> Result<(), ModuleError> {
        let profile = json!({"InstanceProfileName": self.name});
        let found =
            role.aws.find("iam", "GetInstanceProfile", profile.clone(), iam::MISSING).await?;
        if found.is_some() {
            return Ok(());
        }
        let edit =
            Edit::new("make an instance profile", format!("iam:instance-profile/{}", self.name))
                .to(json!({"instance_profile_name": self.name}));
        let act = async || {
            let mut params = profile;
            params["Path"] = json!(self.path);
            role.aws.call("iam", "CreateInstanceProfile", params).await?;
            let params = role.params(json!({"InstanceProfileName": self.name}));
            role.aws.insist("iam", "AddRoleToInstanceProfile", params, iam::MISSING).await
        };
        role.control.change(edit, act).await.map(drop)
    }

    /// Brings all but the managed policies to what it should be: the tags then.
    async fn settle(
        &self,
        role: &Entity<'_>,
        now: &Value,
        trust: &Value,
    ) -> Result<Tags, ModuleError> {
        if let Some(path) =
            self.path.as_deref().filter(|it| now["Path"].as_str().is_some_and(|is| is != *it))
        {
            let text = "the path of a role cannot be changed";
            role.control
                .warn(format!("{text}: {} is in {}, not in {path}", self.name, now["Path"]));
        }
        let old = iam::document(&now["AssumeRolePolicyDocument"]);
        if !policy::is_same(&old, trust) {
            let edit = role.edit("set who may take it on").from(&old).to(trust);
            let params = json!({"PolicyDocument": trust.to_string()});
            role.change(edit, "UpdateAssumeRolePolicy", params).await?;
        }
        let seconds = &now["MaxSessionDuration"];
        let about = now["Description"].as_str().unwrap_or_default();
        let is_new = self.description.as_deref().is_some_and(|it| it != about)
            || self.max_session_duration.is_some_and(|it| seconds.as_i64() != Some(it));
        if is_new {
            // What is left out may be lost.
            let after = json!({
                "Description": self.description.as_deref().unwrap_or(about),
                "MaxSessionDuration": self.max_session_duration.or(seconds.as_i64()),
            });
            let before = json!({"Description": about, "MaxSessionDuration": seconds});
            let edit = role.edit("set its description and for how long it can be taken on");
            role.change(edit.from(before).to(&after), "UpdateRole", after).await?;
        }
        role.bound(now, self.boundary.as_deref()).await?;
        role.tag(TAGS, now, &self.tags).await
    }

    async fn remove(&self, role: &Entity<'_>) -> Result<(), ModuleError> {
        let found =
            role.aws.all("iam", "ListInstanceProfilesForRole", role.params(json!({}))).await?;
        let profiles =
            found.get("InstanceProfiles").map(davit_aws::Value::items).unwrap_or_default();
        for profile in profiles {
            let name = profile.get("InstanceProfileName").and_then(davit_aws::Value::as_str);
            let Some(name) = name else { continue };
            let params = json!({"InstanceProfileName": name});
            let edit = role.edit(format!("take it out of the instance profile {name}"));
            role.change(edit, "RemoveRoleFromInstanceProfile", params.clone()).await?;
            if name == self.name && self.delete_instance_profile == Some(true) {
                let edit = Edit::new("delete it", format!("iam:instance-profile/{name}"))
                    .from(json!({"instance_profile_name": name}));
                let act = async || role.aws.call("iam", "DeleteInstanceProfile", params).await;
                role.control.change(edit, act).await?;
            }
        }
        role.strip().await?;
        let edit = role.edit("delete the role").from(json!({"role_name": self.name}));
        role.change(edit, "DeleteRole", json!({})).await
    }
}
