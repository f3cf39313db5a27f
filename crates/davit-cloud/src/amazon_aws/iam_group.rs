//! `amazon.aws.iam_group`: a group of users of IAM.

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::args::State;
use crate::aws::client::Aws;
use crate::aws::iam::{self, Entity, Kind};
use crate::aws::login::Login;
use crate::aws::names;

/// Make a group of users of IAM, bring it to what it should be, or delete it.
///
/// The result has `iam_group`, with `group`, `users` and `attached_policies`.
///
/// ```yaml
/// - amazon.aws.iam_group:
///     name: readers
///     state: present
///     users: [robot]
///     managed_policies: [AmazonS3ReadOnlyAccess]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The group's name.
    #[schemars(extend("x-aliases" = ["group_name"]))]
    name: String,
    /// Whether there should be such a group.
    state: State,
    /// The managed policies of the group, by ARN or name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["managed_policy"]))]
    managed_policies: Vec<String>,
    /// Where it stands among the account's names: `/robots/`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["prefix", "path_prefix"]))]
    path: Option<String>,
    /// Detach the managed policies that `managed_policies` does not name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["purge_policy", "purge_managed_policies"]))]
    purge_policies: bool,
    /// Take out the users that `users` does not name.
    #[serde(default)]
    purge_users: bool,
    /// Users who are to be in the group. They have to be there.
    #[serde(default)]
    users: Vec<String>,
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.iam_group`.
pub(crate) struct IamGroup;

impl Module for IamGroup {
    const NAME: &'static str = "amazon.aws.iam_group";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        iam::check_path(args.path.as_deref())?;
        let aws = Aws::new(control, &args.login)?;
        let name = &args.name;
        let mut group = Entity { control, aws: &aws, kind: Kind::Group, name, is_predicted: false };
        let found = find(&group).await?;
        if args.state == State::Absent {
            if let Some(found) = found {
                for user in names_of(&found) {
                    let edit = group.edit("take a user out of it").from(json!({"user_name": user}));
                    group.change(edit, "RemoveUserFromGroup", json!({"UserName": user})).await?;
                }
                group.strip().await?;
                let edit = group.edit("delete the group").from(json!({"group_name": name}));
                group.change(edit, "DeleteGroup", json!({})).await?;
            }
            return Ok(aws.tell(Outcome::new()));
        }
        let managed = iam::arns(&aws, &args.managed_policies).await?;
        group.is_predicted = found.is_none() && control.is_check();
        let now = match found {
            Some(now) => now,
            None => args.make(&group).await?,
        };
        args.settle(&group, &now).await?;
        let attached = group.attach(&managed, args.purge_policies).await?;
        if group.is_predicted {
            return Ok(aws.tell(Outcome::new()));
        }
        let after = find(&group).await?.unwrap_or(now);
        // Tags of users stay the list that IAM has, as in results of the original.
        let mut told =
            names::snake_all(json!({"Group": after["Group"], "Users": after["Users"]}), &[]);
        told["attached_policies"] = attached.into();
        Ok(aws.tell(Outcome::new().with("iam_group", told)))
    }
}

/// The group with all its users.
async fn find(group: &Entity<'_>) -> Result<Option<Value>, ModuleError> {
    if group.find().await?.is_none() {
        return Ok(None);
    }
    let found = group.aws.all("iam", "GetGroup", group.params(json!({}))).await?;
    Ok(Some(davit_aws::Value::Map(found).to_json()))
}

fn names_of(group: &Value) -> Vec<String> {
    let users = group["Users"].as_array().into_iter().flatten();
    users.filter_map(|it| it["UserName"].as_str().map(str::to_owned)).collect()
}

impl Args {
    async fn make(&self, group: &Entity<'_>) -> Result<Value, ModuleError> {
        let params = group.params(json!({"Path": self.path}));
        let edit = group.edit("make the group").to(json!({"group_name": self.name}));
        let act = async || {
            let made = group.aws.call("iam", "CreateGroup", params).await?;
            Ok(davit_aws::Value::Map(made).to_json())
        };
        let place = |made: &Value| made["Group"]["Arn"].as_str().map(str::to_owned);
        let made = group.control.create(edit, act, place).await?;
        Ok(made.unwrap_or_else(|| json!({"Group": {"Path": self.path}})))
    }

    async fn settle(&self, group: &Entity<'_>, now: &Value) -> Result<(), ModuleError> {
        let old = now["Group"]["Path"].as_str().unwrap_or("/");
        if let Some(path) = self.path.as_deref().filter(|it| *it != old) {
            let edit = group.edit("set its path").from(old).to(path);
            group.change(edit, "UpdateGroup", json!({"NewPath": path})).await?;
        }
        let there = names_of(now);
        for user in self.users.iter().filter(|it| !there.contains(it)) {
            let edit = group.edit("put a user into it").to(json!({"user_name": user}));
            group.change(edit, "AddUserToGroup", json!({"UserName": user})).await?;
        }
        for user in there.iter().filter(|it| self.purge_users && !self.users.contains(it)) {
            let edit = group.edit("take a user out of it").from(json!({"user_name": user}));
            group.change(edit, "RemoveUserFromGroup", json!({"UserName": user})).await?;
        }
        Ok(())
    }
}
