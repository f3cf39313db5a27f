//! `amazon.aws.sts_assume_role`: keys of a role for a while.

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names;

/// Take on a role: get keys that are good for a while, for `access_key`, `secret_key` and `session_token` of other
/// tasks.
///
/// The secrets are covered in all that is shown; a registered result holds them.
///
/// The result has `sts_creds` (`access_key`, `secret_key`, `session_token`, `expiration`) and `sts_user` (`arn`,
/// `assumed_role_id`).
///
/// ```yaml
/// - amazon.aws.sts_assume_role:
///     role_arn: arn:aws:iam::123456789012:role/deploy
///     role_session_name: deploy
///   register: deploy
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The role.
    role_arn: String,
    /// A name for who takes it on, which AWS writes down.
    role_session_name: String,
    /// For how many seconds: 900 to 43200, and no more than the role allows. AWS takes 3600 without it.
    #[serde(default)]
    duration_seconds: Option<i64>,
    /// What the role's account asks of others who take it on.
    #[serde(default)]
    external_id: Option<String>,
    /// The device that the caller's codes are from.
    #[serde(default)]
    mfa_serial_number: Option<String>,
    /// A code of that device.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    mfa_token: Option<String>,
    /// A policy document that says what the keys can do at most.
    #[serde(default)]
    policy: Option<String>,
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.sts_assume_role`.
pub(crate) struct StsAssumeRole;

impl Module for StsAssumeRole {
    const NAME: &'static str = "amazon.aws.sts_assume_role";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.sts_assume_role"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let params = json!({
            "RoleArn": args.role_arn,
            "RoleSessionName": args.role_session_name,
            "DurationSeconds": args.duration_seconds,
            "ExternalId": args.external_id,
            "SerialNumber": args.mfa_serial_number,
            "TokenCode": args.mfa_token,
            "Policy": args.policy,
        });
        // Nothing of AWS is changed by it, so it is done in check mode too: later tasks need the keys.
        let got = davit_aws::Value::Map(aws.call("sts", "AssumeRole", params).await?).to_json();
        let keys = &got["Credentials"];
        for name in ["SecretAccessKey", "SessionToken"] {
            keys[name].as_str().iter().for_each(|it| control.secret(it));
        }
        let keys = json!({
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "session_token": keys["SessionToken"],
            "expiration": keys["Expiration"],
        });
        let user = names::snake_all(got["AssumedRoleUser"].clone(), &[]);
        let user = if user.is_null() { Value::Object(serde_json::Map::new()) } else { user };
        // As users of the format know it.
        let outcome = Outcome::new().with("sts_creds", keys).with("sts_user", user).changed(true);
        Ok(aws.tell(outcome))
    }
}
