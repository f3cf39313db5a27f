//! `amazon.aws.autoscaling_group_info`: which Auto Scaling groups there are.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/autoscaling_group_info_module.html>

use davit_aws::value::Value;
use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use davit_pattern::{Flags, Pattern};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};

use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::{autoscaling, names};

/// Find out which Auto Scaling groups there are, with their instances.
///
/// The result has them under `results`.
///
/// ```yaml
/// - name: Which servers of the shop are live?
///   amazon.aws.autoscaling_group_info:
///     name: shop$
///   register: shop
/// - amazon.aws.ec2_instance_info:
///     instance_ids: "{{ shop.results[0].instances | map(attribute='instance_id') }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// How the name begins: a regular expression of Python. With `$` at its end, the whole name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["group_name"]))]
    name: Option<String>,
    /// Only groups that have all these tags.
    #[serde(default)]
    tags: Option<Map<String, serde_json::Value>>,
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.autoscaling_group_info`.
pub(crate) struct AutoscalingGroupInfo;

impl Module for AutoscalingGroupInfo {
    const NAME: &'static str = "amazon.aws.autoscaling_group_info";
    const FORMER_NAMES: &'static [&'static str] =
        &["community.aws.ec2_asg_info", "community.aws.autoscaling_group_info"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let name = args.name.as_deref().map(|it| Pattern::new(it, Flags::default())).transpose();
        let name = name.map_err(|error| ModuleError::failed(format!("name: {error}")))?;
        let aws = Aws::new(control, &args.login)?;
        let mut results = Vec::new();
        for group in autoscaling::groups(&aws, None).await? {
            let called = group.get("AutoScalingGroupName").and_then(Value::as_str);
            let fits = match &name {
                Some(pattern) => pattern
                    .starts(called.unwrap_or_default())
                    .map_err(|error| ModuleError::failed(format!("name: {error}")))?,
                None => true,
            };
            if fits && has_tags(&group, args.tags.as_ref()) {
                results.push(shown(&aws, &group).await?);
            }
        }
        Ok(aws.tell(Outcome::new().with("results", results)))
    }
}

/// Whether a group has all these tags.
fn has_tags(group: &Value, wanted: Option<&Map<String, serde_json::Value>>) -> bool {
    let tags = autoscaling::tags(group);
    wanted.into_iter().flatten().all(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        tags.get(key).is_some_and(|it| it.value == value)
    })
}

async fn shown(aws: &Aws, group: &Value) -> Result<serde_json::Value, ModuleError> {
    let mut shown = names::snake_all(group.to_json(), &[]);
    let name = group.get("AutoScalingGroupName").and_then(Value::as_str);
    let params = json!({"AutoScalingGroupName": name});
    let hooks = aws.call("autoscaling", "DescribeLifecycleHooks", params).await?;
    let hooks = hooks.get("LifecycleHooks").map(Value::to_json).unwrap_or_default();
    shown["lifecycle_hooks"] = names::snake_all(hooks, &[]);
    shown["target_group_names"] = json!(autoscaling::target_groups(aws, group).await?);
    shown["launch_config_name"] = shown["launch_configuration_name"].clone();
    Ok(shown)
}
