//! `amazon.aws.aws_caller_info`: who calls.

use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::client::Aws;
use crate::aws::login::Login;

/// Ask AWS who calls it: the account, and the user or role.
///
/// The result has `account`, `arn`, `user_id`, and `account_alias` where the caller may know it (empty where the
/// account has none).
///
/// ```yaml
/// - amazon.aws.aws_caller_info:
///   register: me
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.aws_caller_info`.
pub(crate) struct AwsCallerInfo;

impl Module for AwsCallerInfo {
    const NAME: &'static str = "amazon.aws.aws_caller_info";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let caller = aws.call("sts", "GetCallerIdentity", Map::new()).await?;
        let text = |name: &str| caller.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut outcome = Outcome::new()
            .with("account", text("Account"))
            .with("arn", text("Arn"))
            .with("user_id", text("UserId"));
        // Not everyone may know it.
        let aliases = ["AccessDenied", "AccessDeniedException"];
        if let Some(found) = aws.find("iam", "ListAccountAliases", Map::new(), &aliases).await? {
            let alias = found.get("AccountAliases").and_then(|it| it.items().first());
            outcome.set("account_alias", alias.and_then(Value::as_str).unwrap_or_default());
        }
        Ok(aws.tell(outcome))
    }
}
