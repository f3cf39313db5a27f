//! `amazon.aws.iam_policy`: a policy that stands in a user, group or role of IAM.

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::aws::args::State;
use crate::aws::client::Aws;
use crate::aws::iam::{self, Entity, Kind};
use crate::aws::login::Login;
use crate::aws::policy;

/// Put a policy into a user, group or role of IAM, or take it out.
///
/// The result has `policy_names`, the policies that stand there then, and `user_name`, `group_name` or `role_name`.
///
/// ```yaml
/// - amazon.aws.iam_policy:
///     iam_type: role
///     iam_name: web
///     policy_name: read-logs
///     policy_json: "{{ lookup('file', 'read-logs.json') }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The name of the user, group or role.
    iam_name: String,
    /// What it is.
    iam_type: Type,
    /// The policy's name.
    policy_name: String,
    /// The policy: a document.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    policy_json: Option<String>,
    /// Where a policy of another name says the same, leave it at that.
    #[serde(default)]
    skip_duplicates: bool,
    /// Whether the policy should stand there.
    #[serde(default)]
    state: State,
    #[serde(flatten)]
    login: Login,
}

/// What has policies.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    /// A user.
    User,
    /// A group.
    Group,
    /// A role.
    Role,
}

/// `amazon.aws.iam_policy`.
pub(crate) struct IamPolicy;

impl Module for IamPolicy {
    const NAME: &'static str = "amazon.aws.iam_policy";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.iam_policy"];
    type Args = Args;
    const RULES: Rules = Rules {
        required_if: &[Requirement {
            key: "state",
            value: "present",
            needs: &["policy_json"],
            any: false,
        }],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let kind = match args.iam_type {
            Type::User => Kind::User,
            Type::Group => Kind::Group,
            Type::Role => Kind::Role,
        };
        let name = &args.iam_name;
        let entity = Entity { control, aws: &aws, kind, name, is_predicted: false };
        if args.state == State::Absent && entity.find().await?.is_none() {
            return Ok(aws.tell(told(&entity, Vec::new())));
        }
        let mut there = entity.inline().await?;
        there.sort();
        let old = match there.contains(&args.policy_name) {
            true => Some(document(&entity, &args.policy_name).await?),
            false => None,
        };
        let side = |it: Option<&Value>| {
            it.map(|it| Map::from_iter([(args.policy_name.clone(), it.clone())]))
                .unwrap_or_default()
        };
        if args.state == State::Absent {
            if let Some(old) = &old {
                let edit =
                    entity.edit("delete a policy in it").from(side(Some(old))).to(side(None));
                let operation = format!("Delete{}Policy", kind.name());
                entity.change(edit, &operation, json!({"PolicyName": args.policy_name})).await?;
                there.retain(|it| *it != args.policy_name);
            }
            return Ok(aws.tell(told(&entity, there)));
        }
        let wanted =
            policy::document("policy_json", args.policy_json.as_deref().unwrap_or_default())?;
        let is_there = old.as_ref().is_some_and(|it| policy::is_same(it, &wanted));
        if is_there || args.skip_duplicates && has(&entity, &there, &wanted).await? {
            return Ok(aws.tell(told(&entity, there)));
        }
        let edit =
            entity.edit("put a policy into it").from(side(old.as_ref())).to(side(Some(&wanted)));
        let params = json!({"PolicyName": args.policy_name, "PolicyDocument": wanted.to_string()});
        entity.change(edit, &format!("Put{}Policy", kind.name()), params).await?;
        if old.is_none() {
            there.push(args.policy_name);
            there.sort();
        }
        Ok(aws.tell(told(&entity, there)))
    }
}

fn told(entity: &Entity<'_>, names: Vec<String>) -> Outcome {
    let key = format!("{}_name", entity.kind.word());
    Outcome::new().with(&key, entity.name).with("policy_names", names)
}

async fn document(entity: &Entity<'_>, name: &str) -> Result<Value, ModuleError> {
    let operation = format!("Get{}Policy", entity.kind.name());
    let params = entity.params(json!({"PolicyName": name}));
    let found = entity.aws.call("iam", &operation, params).await?;
    let given = found.get("PolicyDocument").map(davit_aws::Value::to_json);
    Ok(iam::document(&given.unwrap_or_default()))
}

/// Whether one of the policies says the same.
async fn has(entity: &Entity<'_>, names: &[String], wanted: &Value) -> Result<bool, ModuleError> {
    for name in names {
        if policy::is_same(&document(entity, name).await?, wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}
