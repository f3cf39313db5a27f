//! `amazon.aws.iam_user`: a user of IAM.

use std::time::Duration;

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::args::{State, yes};
use crate::aws::client::{Aws, failure};
use crate::aws::iam::{self, Entity, Kind};
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::patience::says;
use crate::aws::tagging::TagOperations;
use crate::aws::tags::{Shape, TagArgs, Tags};

/// Make a user of IAM, bring it to what it should be, or delete it with all that hangs on it.
///
/// Whether a password is the one that it should be, nobody can ask AWS: with `update_password: always` it is set in
/// each run.
///
/// The result has `user`, with `attached_policies` and `tags`, and the same again as `iam_user.user`.
///
/// ```yaml
/// - amazon.aws.iam_user:
///     name: robot
///     state: present
///     managed_policies: [AmazonS3ReadOnlyAccess]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The user's name.
    #[schemars(extend("x-aliases" = ["user_name"]))]
    name: String,
    /// Whether there should be such a user.
    state: State,
    /// The ARN of a policy that says what the user can do at most. An empty text removes it.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["boundary_policy_arn", "permissions_boundary"]))]
    boundary: Option<String>,
    /// The managed policies of the user, by ARN or name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["managed_policy"]))]
    managed_policies: Vec<String>,
    /// The password for AWS's pages.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    password: Option<String>,
    /// A password that is set has to be changed at once.
    #[serde(default)]
    password_reset_required: bool,
    /// Where it stands among the account's names: `/robots/`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["prefix", "path_prefix"]))]
    path: Option<String>,
    /// Detach the managed policies that `managed_policies` does not name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["purge_policy", "purge_managed_policies"]))]
    purge_policies: bool,
    /// The user is to have no password.
    #[serde(default)]
    remove_password: Option<bool>,
    /// When the password is set.
    #[serde(default)]
    update_password: Update,
    /// Wait until a new user is there.
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
    TagOperations::usual("iam").called("TagUser", "UntagUser").patient(iam::BUSY);

/// When a password is set.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Update {
    /// Each time.
    #[default]
    Always,
    /// Where the user is new.
    OnCreate,
}

/// `amazon.aws.iam_user`.
pub(crate) struct IamUser;

impl Module for IamUser {
    const NAME: &'static str = "amazon.aws.iam_user";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.iam_user"];
    type Args = Args;
    const RULES: Rules =
        Rules { mutually_exclusive: &[&["password", "remove_password"]], ..Rules::NONE };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        iam::check_path(args.path.as_deref())?;
        let aws = Aws::new(control, &args.login)?;
        let name = &args.name;
        let mut user = Entity { control, aws: &aws, kind: Kind::User, name, is_predicted: false };
        let found = user.find().await?.map(|it| it["User"].clone());
        if args.state == State::Absent {
            if found.is_some() {
                remove(&user).await?;
            }
            return Ok(aws.tell(Outcome::new()));
        }
        let managed = iam::arns(&aws, &args.managed_policies).await?;
        let is_new = found.is_none();
        user.is_predicted = is_new && control.is_check();
        let mut now = match found {
            Some(now) => now,
            None => args.make(&user).await?,
        };
        let tags = args.settle(&user, &mut now).await?;
        args.password(&user, is_new).await?;
        let attached = user.attach(&managed, args.purge_policies).await?;
        if user.is_predicted {
            return Ok(aws.tell(Outcome::new()));
        }
        let mut told = names::snake_all(now, &["Tags"]);
        told["tags"] = json!(tags);
        told["attached_policies"] = attached.into();
        let outcome = Outcome::new().with("iam_user", json!({"user": told})).with("user", told);
        Ok(aws.tell(outcome))
    }
}

impl Args {
    async fn make(&self, user: &Entity<'_>) -> Result<Value, ModuleError> {
        let tags = self.tags.tags.as_ref().map(|it| Shape::USUAL.list(it).to_json());
        let params = user.params(json!({
            "Path": self.path,
            "PermissionsBoundary": self.boundary.as_ref().filter(|it| !it.is_empty()),
            "Tags": tags,
        }));
        let edit =
            user.edit("make the user").to(json!({"user_name": self.name, "tags": self.tags.tags}));
        let act = async || {
            let made = user.aws.call("iam", "CreateUser", params).await?;
            if self.wait {
                let timeout = Duration::from_secs(self.wait_timeout);
                user.aws.wait("iam", "user_exists", user.params(json!({})), timeout).await?;
            }
            Ok(made.get("User").map(davit_aws::Value::to_json).unwrap_or_default())
        };
        let place = |made: &Value| made["Arn"].as_str().map(str::to_owned);
        let mut made = user.control.create(edit, act, place).await?.unwrap_or_default();
        // What it was made with is there, whatever the answer says of it.
        made["Tags"] = json!(self.tags.tags);
        made["Path"] = json!(self.path);
        made["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": self.boundary});
        if !user.is_predicted
            && let Some(found) = user.find().await?
        {
            for name in ["Tags", "Path"] {
                made[name] = found["User"][name].clone();
            }
        }
        Ok(made)
    }

    /// Brings path, boundary and tags to what they should be: the tags then.
    async fn settle(&self, user: &Entity<'_>, now: &mut Value) -> Result<Tags, ModuleError> {
        let old = now["Path"].as_str().unwrap_or("/").to_owned();
        if let Some(path) = self.path.as_deref().filter(|it| *it != old) {
            let edit = user.edit("set its path").from(&old).to(path);
            user.change(edit, "UpdateUser", json!({"NewPath": path})).await?;
            let arn = now["Arn"].as_str().unwrap_or_default();
            now["Arn"] = arn.replace(&format!(":user{old}"), &format!(":user{path}")).into();
            now["Path"] = path.into();
        }
        user.bound(now, self.boundary.as_deref()).await?;
        user.tag(TAGS, now, &self.tags).await
    }

    async fn password(&self, user: &Entity<'_>, is_new: bool) -> Result<(), ModuleError> {
        let is_wanted =
            self.password.is_some() && (is_new || self.update_password == Update::Always);
        if !is_wanted && self.remove_password != Some(true) {
            return Ok(());
        }
        let has_one = !user.is_predicted && has_password(user).await?;
        if self.remove_password == Some(true) && has_one {
            return user
                .change(user.edit("remove its password"), "DeleteLoginProfile", json!({}))
                .await;
        }
        let Some(password) = self.password.as_ref().filter(|_| is_wanted) else { return Ok(()) };
        let operation = if has_one { "UpdateLoginProfile" } else { "CreateLoginProfile" };
        let params = json!({
            "Password": password, "PasswordResetRequired": self.password_reset_required,
        });
        user.change(user.edit("set its password"), operation, params).await
    }
}

async fn has_password(user: &Entity<'_>) -> Result<bool, ModuleError> {
    let params = user.params(json!({}));
    Ok(user.aws.find("iam", "GetLoginProfile", params, iam::MISSING).await?.is_some())
}

/// What hangs on a user: how it is listed, under which name, by what each is known, and how it is removed.
const HANGING: &[(&str, &str, &str, &str)] = &[
    ("ListGroupsForUser", "Groups", "GroupName", "RemoveUserFromGroup"),
    ("ListAccessKeys", "AccessKeyMetadata", "AccessKeyId", "DeleteAccessKey"),
    ("ListSigningCertificates", "Certificates", "CertificateId", "DeleteSigningCertificate"),
    ("ListSSHPublicKeys", "SSHPublicKeys", "SSHPublicKeyId", "DeleteSSHPublicKey"),
    ("ListMFADevices", "MFADevices", "SerialNumber", "DeactivateMFADevice"),
];
/// What hardly any user has: it is looked for where the user cannot be deleted.
const RARE: (&str, &str, &str, &str) = (
    "ListServiceSpecificCredentials",
    "ServiceSpecificCredentials",
    "ServiceSpecificCredentialId",
    "DeleteServiceSpecificCredential",
);

async fn remove(user: &Entity<'_>) -> Result<(), ModuleError> {
    user.strip().await?;
    for hanging in HANGING {
        unhang(user, *hanging).await?;
    }
    if has_password(user).await? {
        user.change(user.edit("remove its password"), "DeleteLoginProfile", json!({})).await?;
    }
    let edit = user.edit("delete the user").from(json!({"user_name": user.name}));
    let params = user.params(json!({}));
    let act = async || match user.aws.attempt("iam", "DeleteUser", params.clone()).await {
        Err(error) if says(&error, &["DeleteConflict"]) => Ok(false),
        Err(error) => Err(failure(Some(("iam", "DeleteUser")), &error)),
        Ok(_) => Ok(true),
    };
    if user.control.change(edit, act).await? == Some(false) {
        unhang(user, RARE).await?;
        user.aws.call("iam", "DeleteUser", params).await?;
    }
    Ok(())
}

async fn unhang(user: &Entity<'_>, hanging: (&str, &str, &str, &str)) -> Result<(), ModuleError> {
    let (list, member, id, operation) = hanging;
    let found = user.aws.all("iam", list, user.params(json!({}))).await?;
    for one in found.get(member).map(davit_aws::Value::items).unwrap_or_default() {
        let known = one.get(id).map(davit_aws::Value::to_json).unwrap_or_default();
        let edit = user.edit(names::snake(operation).replace('_', " ")).from(json!({id: known}));
        user.change(edit, operation, json!({id: known})).await?;
    }
    Ok(())
}
