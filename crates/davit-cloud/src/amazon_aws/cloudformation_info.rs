//! `amazon.aws.cloudformation_info`: what is known of stacks of CloudFormation.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/amazon/aws/cloudformation_info_module.html>

use std::time::Duration;

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names::snake_all;
use crate::aws::stacks::{Backoff, Stacks, map_of, text};

/// Find out about stacks of CloudFormation.
///
/// `cloudformation` of the result has an entry for each stack, by name, and none where there is no such stack.
///
/// ```yaml
/// - amazon.aws.cloudformation_info:
///     stack_name: shop
///   register: found
/// - ansible.builtin.debug:
///     msg: "{{ found.cloudformation.shop.stack_outputs.Url }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The stack's name or id. Without it, all stacks.
    #[serde(default)]
    stack_name: Option<String>,
    /// All that there is to know.
    #[serde(default)]
    all_facts: bool,
    /// Its events, newest first.
    #[serde(default)]
    stack_events: bool,
    /// Its template.
    #[serde(default)]
    stack_template: bool,
    /// Its resources: `stack_resource_list`, and their ids by name as `stack_resources`.
    #[serde(default)]
    stack_resources: bool,
    /// Its policy.
    #[serde(default)]
    stack_policy: bool,
    /// Its change sets.
    #[serde(default)]
    stack_change_sets: bool,
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.cloudformation_info`.
pub(crate) struct CloudformationInfo;

/// What stands under these names is the user's.
const KEPT: &[&str] = &["ResourceProperties"];

impl Module for CloudformationInfo {
    const NAME: &'static str = "amazon.aws.cloudformation_info";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let backoff =
            Backoff { retries: 5, delay: Duration::from_secs(2), most: Duration::from_secs(30) };
        let stacks = Stacks::new(&aws, control, backoff);
        let found = match &args.stack_name {
            Some(name) => stacks.find(name).await?.into_iter().collect(),
            None => stacks.pages("DescribeStacks", json!({}), "Stacks", usize::MAX).await?,
        };
        let mut all = Map::new();
        for stack in found {
            let name = text(&stack, "StackName").to_owned();
            all.insert(name, told(&stacks, &args, stack).await?);
        }
        let outcome = Outcome::new().with("cloudformation", all);
        Ok(aws.tell(outcome))
    }
}

async fn told(stacks: &Stacks<'_>, args: &Args, stack: Json) -> Result<Json, ModuleError> {
    let of = json!({"StackName": text(&stack, "StackId")});
    let mut out = json!({
        "stack_outputs": map_of(&stack["Outputs"], "OutputKey", "OutputValue"),
        "stack_parameters": map_of(&stack["Parameters"], "ParameterKey", "ParameterValue"),
        "stack_tags": map_of(&stack["Tags"], "Key", "Value"),
    });
    if args.all_facts || args.stack_events {
        let events = stacks.pages("DescribeStackEvents", of.clone(), "StackEvents", usize::MAX);
        out["stack_events"] = snake_all(events.await?.into(), KEPT);
    }
    if args.all_facts || args.stack_policy {
        let found = stacks.call("GetStackPolicy", &of).await?;
        let policy = text(&found, "StackPolicyBody");
        out["stack_policy"] = serde_json::from_str(policy).unwrap_or_else(|_| json!({}));
    }
    if args.all_facts || args.stack_resources {
        let key = "StackResourceSummaries";
        let found = stacks.pages("ListStackResources", of.clone(), key, usize::MAX).await?;
        let found = Json::from(found);
        out["stack_resources"] = map_of(&found, "LogicalResourceId", "PhysicalResourceId");
        out["stack_resource_list"] = snake_all(found, &[]);
    }
    if args.all_facts || args.stack_template {
        out["stack_template"] = stacks.call("GetTemplate", &of).await?["TemplateBody"].take();
    }
    if args.all_facts || args.stack_change_sets {
        let found = stacks.pages("ListChangeSets", of, "Summaries", usize::MAX).await?;
        let mut sets = Vec::new();
        for set in found {
            let id = json!({"ChangeSetName": text(&set, "ChangeSetId")});
            let mut told = stacks.call("DescribeChangeSet", &id).await?;
            if told["NextToken"].is_string() {
                let changes = stacks.pages("DescribeChangeSet", id, "Changes", usize::MAX).await?;
                told["Changes"] = changes.into();
            }
            if let Some(map) = told.as_object_mut() {
                map.remove("NextToken");
            }
            sets.push(snake_all(told, &[]));
        }
        out["stack_change_sets"] = sets.into();
    }
    out["stack_description"] = snake_all(stack, &[]);
    Ok(out)
}
