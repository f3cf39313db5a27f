//! `community.aws.ecs_taskdefinition_info`: what is known of a task definition of the Elastic Container Service.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/ecs_taskdefinition_info_module.html>

use davit_aws::value::Value;
use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names::snake_all;

/// Find out about a task definition of ECS.
///
/// The result has all that AWS says of it, such as `family`, `revision`, `status` and `container_definitions`. It has
/// nothing where there is no such definition.
///
/// ```yaml
/// - community.aws.ecs_taskdefinition_info:
///     task_definition: web
///   register: web
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Which: a family, of which the newest is taken, a revision (`web:3`) or an ARN.
    task_definition: String,
    #[serde(flatten)]
    login: Login,
}

/// With this, the service says that there is no such definition.
const MISSING: &[&str] = &["ClientException"];
/// Names in these are the user's.
const KEPT: &[&str] = &["dockerLabels", "options", "driverOpts", "labels"];

/// `community.aws.ecs_taskdefinition_info`.
pub(crate) struct EcsTaskdefinitionInfo;

impl Module for EcsTaskdefinitionInfo {
    const NAME: &'static str = "community.aws.ecs_taskdefinition_info";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let params = json!({"taskDefinition": args.task_definition});
        let found = aws.find("ecs", "DescribeTaskDefinition", params, MISSING).await?;
        let found = found.and_then(|it| it.get("taskDefinition").map(Value::to_json));
        let about = snake_all(found.unwrap_or_default(), KEPT);
        Ok(aws.tell(Outcome::new().with_all(about)))
    }
}
