//! `amazon.aws.cloudformation`: a stack of CloudFormation.
//!
//! Whether a stack is as its task wants it, CloudFormation itself says: an update with nothing to do
//! is refused, and in check mode a change set tells. Source:
//! <https://docs.ansible.com/ansible/latest/collections/amazon/aws/cloudformation_module.html>

use std::path::PathBuf;
use std::time::Duration;

use davit_aws::checksum::tree_hash;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::aws::args::State;
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::policy;
use crate::aws::stacks::{
    Backoff, Stacks, failed, is_busy, is_up_to_date, lines, map_of, status, text,
};
use crate::aws::tags::{Shape, Tags, tags_of_any};

/// What stands for the value of a parameter that CloudFormation does not show.
const COVERED: &str = "****";
/// How long the name of a change set can be.
const NAME: usize = 128;

/// Make, update and delete stacks of CloudFormation, and wait until that is done.
///
/// A stack that something is being done to is waited for first. Where an operation fails, the message says which
/// resources failed and why. With `--diff` the template, the tags and the parameters are shown that change.
///
/// In check mode a change set says what an update would do; it is deleted again, and `meta` of the result has
/// what it said.
///
/// ```yaml
/// - name: Deploy the application
///   amazon.aws.cloudformation:
///     stack_name: shop
///     template_body: "{{ lookup('file', 'shop.yml') }}"
///     template_parameters: {InstanceType: t3.small, Subnets: "{{ subnets }}"}
///     tags: {Owner: web}
///   register: shop
/// - ansible.builtin.debug:
///     msg: "It is at {{ shop.stack_outputs.Url }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The stack's name.
    stack_name: String,
    /// Whether it is there. Where a stack with termination protection is to go, that has to be turned off before.
    #[serde(default)]
    state: State,
    /// A file with the template, on the controller. A stack that is there keeps its template where none is given.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    template: Option<PathBuf>,
    /// The template itself: text of JSON or YAML, or a map.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    template_body: Option<String>,
    /// Where the template is in S3.
    #[serde(default)]
    template_url: Option<String>,
    /// Values of the template's parameters, by name; a list is a value with commas. A map with
    /// `use_previous_value: true` keeps what the stack has, one with `value` is that.
    #[serde(default)]
    template_parameters: Map<String, Json>,
    /// The tags of the stack and its resources; others are removed. Without it they stay as they are.
    #[serde(default, deserialize_with = "tags_of_any")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    tags: Option<Tags>,
    /// What the template may do: `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM`, `CAPABILITY_AUTO_EXPAND`.
    #[serde(default = "capabilities")]
    capabilities: Vec<String>,
    /// The role that CloudFormation acts in.
    #[serde(default)]
    role_arn: Option<String>,
    /// Topics of SNS that hear of what happens, with commas between them.
    #[serde(default)]
    notification_arns: Option<String>,
    /// What is done with what was made where the rest cannot be. Not together with `disable_rollback`.
    #[serde(default)]
    on_create_failure: Option<OnFailure>,
    /// Keep what was made where the rest cannot be.
    #[serde(default)]
    disable_rollback: bool,
    /// After so many minutes, making the stack has failed.
    #[serde(default)]
    create_timeout: Option<i64>,
    /// Whether the stack is safe from being deleted. Without it that stays as it is.
    #[serde(default)]
    termination_protection: Option<bool>,
    /// A file with the stack's policy, on the controller.
    #[serde(default)]
    stack_policy: Option<PathBuf>,
    /// The stack's policy, which is set before the stack is updated.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    stack_policy_body: Option<String>,
    /// The policy that stands in for it during this update.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    stack_policy_on_update_body: Option<String>,
    /// Only make a change set where the stack is there already; `change_set_id` of the result is its ARN.
    #[serde(default)]
    create_changeset: bool,
    /// The change set's name. Without it, it has one of its own for all that is asked for here.
    #[serde(default)]
    changeset_name: Option<String>,
    /// How many events are asked for at most.
    #[serde(default = "events_limit")]
    events_limit: u32,
    /// How often a call is made again that was one too many for AWS.
    #[serde(default = "retries")]
    backoff_retries: u32,
    /// After how many seconds it is made again; twice as many each further time.
    #[serde(default = "delay")]
    backoff_delay: u32,
    /// After how many seconds at most.
    #[serde(default = "most")]
    backoff_max_delay: u32,
    #[serde(flatten)]
    login: Login,
}

/// What is done with what was made where the rest cannot be.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum OnFailure {
    /// It stays.
    #[serde(rename = "DO_NOTHING")]
    DoNothing,
    /// It is removed, and the empty stack stays.
    #[serde(rename = "ROLLBACK")]
    Rollback,
    /// It is removed, and the stack as well.
    #[serde(rename = "DELETE")]
    Delete,
}

fn capabilities() -> Vec<String> {
    ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"].map(str::to_owned).into()
}

const fn events_limit() -> u32 {
    200
}

const fn retries() -> u32 {
    10
}

const fn delay() -> u32 {
    3
}

const fn most() -> u32 {
    30
}

/// `amazon.aws.cloudformation`.
pub(crate) struct Cloudformation;

impl Module for Cloudformation {
    const NAME: &'static str = "amazon.aws.cloudformation";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["template", "template_body", "template_url"],
            &["disable_rollback", "on_create_failure"],
            &["stack_policy", "stack_policy_body"],
        ],
        ..Rules::NONE
    };

    async fn run(control: &Control, mut args: Args) -> Result<Outcome, ModuleError> {
        if let Some(path) = args.template.take() {
            args.template_body = Some(read(path).await?);
        }
        if let Some(path) = args.stack_policy.take() {
            args.stack_policy_body = Some(read(path).await?);
        }
        let aws = Aws::new(control, &args.login)?;
        let backoff = Backoff {
            retries: args.backoff_retries,
            delay: Duration::from_secs(args.backoff_delay.into()),
            most: Duration::from_secs(args.backoff_max_delay.into()),
        };
        let stacks = Stacks::new(&aws, control, backoff);
        let mut stack = stacks.find(&args.stack_name).await?;
        if let Some(busy) = stack.as_ref().filter(|it| is_busy(it)) {
            let settled = stacks.settled(text(busy, "StackId")).await?;
            stack = Some(settled).filter(|it| status(it) != "DELETE_COMPLETE");
        }
        let task = Task { control, stacks, args: &args };
        let outcome = match (args.state, &stack) {
            (State::Present, None) => task.create().await?,
            (State::Present, Some(stack)) => task.update(stack).await?,
            (State::Absent, None) => Outcome::new().with("output", "Stack not found."),
            (State::Absent, Some(stack)) => task.delete(stack).await?,
        };
        Ok(aws.tell(outcome))
    }
}

async fn read(path: PathBuf) -> Result<String, ModuleError> {
    let text = tokio::fs::read_to_string(&path).await;
    text.map_err(|source| ModuleError::io("read", path, source))
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    stacks: Stacks<'a>,
    args: &'a Args,
}

impl Task<'_> {
    async fn create(&self) -> Result<Outcome, ModuleError> {
        let (args, stacks) = (self.args, self.stacks);
        if args.template_body.is_none() && args.template_url.is_none() {
            return Err(ModuleError::failed(format!(
                "there is no stack {}: making it takes template, template_body or template_url",
                args.stack_name
            )));
        }
        let mut request = self.request();
        match args.on_create_failure {
            Some(OnFailure::DoNothing) => request["OnFailure"] = "DO_NOTHING".into(),
            Some(OnFailure::Rollback) => request["OnFailure"] = "ROLLBACK".into(),
            Some(OnFailure::Delete) => request["OnFailure"] = "DELETE".into(),
            None => request["DisableRollback"] = args.disable_rollback.into(),
        }
        request["TimeoutInMinutes"] = json!(args.create_timeout);
        request["StackPolicyBody"] = json!(args.stack_policy_body);
        request["EnableTerminationProtection"] = json!(args.termination_protection);
        let after = json!({"template": self.template(), "tags": args.tags});
        let edit = Edit::new("create the stack", &args.stack_name).to(after);
        let act = async || stacks.call("CreateStack", &request).await;
        let made =
            self.control.create(edit, act, |it| Some(text(it, "StackId").to_owned())).await?;
        let Some(made) = made else {
            return Ok(Outcome::new().msg("New stack would be created").with("meta", json!([])));
        };
        self.finish("CREATE", text(&made, "StackId")).await
    }

    async fn update(&self, stack: &Json) -> Result<Outcome, ModuleError> {
        let (args, stacks) = (self.args, self.stacks);
        self.keep_policy().await?;
        self.keep_protection(stack).await?;
        let mut request = self.request();
        if args.template_body.is_none() && args.template_url.is_none() {
            request["UsePreviousTemplate"] = true.into();
        }
        if self.control.is_check() {
            return self.predict(stack, &request).await;
        }
        if args.create_changeset {
            return self.change_set(stack, &request).await;
        }
        request["StackPolicyDuringUpdateBody"] = json!(args.stack_policy_on_update_body);
        let mut same = false;
        let edit = self.edit("update the stack", stack).await?;
        let act = async || match stacks.attempt("UpdateStack", &request).await {
            Err(error) => {
                same = is_up_to_date(&error.chain());
                Err(failure(Some(("cloudformation", "UpdateStack")), &error))
            }
            Ok(_) => Ok(()),
        };
        let updated = self.control.change(edit, act).await;
        if same {
            return self.up_to_date(stack).await;
        }
        updated?;
        self.finish("UPDATE", text(stack, "StackId")).await
    }

    async fn predict(&self, stack: &Json, request: &Json) -> Result<Outcome, ModuleError> {
        let mut request = request.clone();
        request["ChangeSetType"] = "UPDATE".into();
        request["ChangeSetName"] = format!("{}-check", self.change_set_name(&request)).into();
        let Some(changes) = self.stacks.preview(&request).await? else {
            return Ok(Outcome::new().msg("Stack is already up-to-date.").with("meta", json!([])));
        };
        let edit = self.edit("update the stack", stack).await?;
        // In check mode this only notes the change.
        self.control.change(edit, async || Ok(())).await?;
        Ok(Outcome::new().msg("The stack would be updated").with("meta", changes))
    }

    async fn change_set(&self, stack: &Json, request: &Json) -> Result<Outcome, ModuleError> {
        let stacks = self.stacks;
        let mut request = request.clone();
        request["ChangeSetType"] = "UPDATE".into();
        let name =
            self.args.changeset_name.clone().unwrap_or_else(|| self.change_set_name(&request));
        request["ChangeSetName"] = name.as_str().into();
        let found = stacks.find_change_set(&request).await?;
        let id = match found {
            Some(set) if text(&set, "Status") != "FAILED" => text(&set, "ChangeSetId").to_owned(),
            found => {
                if let Some(set) = found {
                    stacks.delete_change_set(text(&set, "ChangeSetId")).await?;
                }
                let mut same = false;
                let edit = self.edit("create a change set", stack).await?;
                let act = async || {
                    let set = stacks.change_set(&request).await?;
                    same = set.is_none();
                    set.ok_or_else(|| ModuleError::failed("there is nothing to change"))
                };
                let made = self.control.create(edit, act, |set| Some(set.id.clone())).await;
                if same {
                    return self.up_to_date(stack).await;
                }
                made?.map(|set| set.id).unwrap_or_default()
            }
        };
        self.control.warn(format!(
            "the change set {name} of the stack {} waits to be executed: {id}",
            self.args.stack_name
        ));
        let outcome = self.outcome(stack, "Stack CREATE_CHANGESET complete").await?;
        Ok(outcome.with("change_set_id", id))
    }

    async fn delete(&self, stack: &Json) -> Result<Outcome, ModuleError> {
        let (stacks, id) = (self.stacks, text(stack, "StackId"));
        let request = json!({"StackName": id, "RoleARN": self.args.role_arn});
        let edit = Edit::new("delete the stack", id).from(json!({"status": status(stack)}));
        let act = async || stacks.call("DeleteStack", &request).await;
        if self.control.change(edit, act).await?.is_none() {
            return Ok(Outcome::new().msg("Stack would be deleted"));
        }
        let stack = stacks.settled(id).await?;
        let events = stacks.events(id, self.args.events_limit as usize).await?;
        if status(&stack) != "DELETE_COMPLETE" {
            return Err(failed("DELETE", &stack, &events));
        }
        let outcome = Outcome::new().with("output", "Stack Deleted");
        Ok(outcome.with("events", lines(&events)).with("log", json!([])))
    }

    /// Waits for an operation that was begun.
    async fn finish(&self, operation: &str, id: &str) -> Result<Outcome, ModuleError> {
        let stack = self.stacks.settled(id).await?;
        if status(&stack) != format!("{operation}_COMPLETE") {
            let events = self.stacks.events(id, self.args.events_limit as usize).await?;
            return Err(failed(operation, &stack, &events));
        }
        self.outcome(&stack, &format!("Stack {operation} complete")).await
    }

    async fn up_to_date(&self, stack: &Json) -> Result<Outcome, ModuleError> {
        // Its events and outputs are those of the last operation.
        self.outcome(stack, "Stack is already up-to-date.").await
    }

    async fn outcome(&self, stack: &Json, output: &str) -> Result<Outcome, ModuleError> {
        let id = text(stack, "StackId");
        let events = self.stacks.events(id, self.args.events_limit as usize).await?;
        let resources = json!({"StackName": id});
        let resources = self.stacks.pages(
            "ListStackResources",
            resources,
            "StackResourceSummaries",
            usize::MAX,
        );
        let resource = |it: Json| {
            json!({
                "logical_resource_id": it["LogicalResourceId"],
                "physical_resource_id": it["PhysicalResourceId"],
                "resource_type": it["ResourceType"],
                "last_updated_time": it["LastUpdatedTimestamp"],
                "status": it["ResourceStatus"],
                "status_reason": it["ResourceStatusReason"],
            })
        };
        let resources: Vec<Json> = resources.await?.into_iter().map(resource).collect();
        Ok(Outcome::new()
            .with("output", output)
            .with("events", lines(&events))
            .with("log", json!([]))
            .with("stack_outputs", map_of(&stack["Outputs"], "OutputKey", "OutputValue"))
            .with("stack_resources", resources))
    }

    /// Gives the stack its policy, if it has another.
    async fn keep_policy(&self) -> Result<(), ModuleError> {
        let Some(wanted) = &self.args.stack_policy_body else { return Ok(()) };
        let mut request = json!({"StackName": self.args.stack_name});
        let stacks = self.stacks;
        let found = stacks.call("GetStackPolicy", &request).await?;
        let current = text(&found, "StackPolicyBody");
        let read = |it: &str| serde_json::from_str::<Json>(it).unwrap_or_else(|_| it.into());
        let (before, after) = (read(current), read(wanted));
        if policy::is_same(&before, &after) {
            return Ok(());
        }
        request["StackPolicyBody"] = wanted.as_str().into();
        let edit = Edit::new("set the stack's policy", &self.args.stack_name);
        let edit = edit.from(before).to(after);
        self.control.change(edit, async || stacks.call("SetStackPolicy", &request).await).await?;
        Ok(())
    }

    /// Turns termination protection on or off, if it is not as it should be.
    async fn keep_protection(&self, stack: &Json) -> Result<(), ModuleError> {
        let before = stack["EnableTerminationProtection"].as_bool().unwrap_or_default();
        let Some(after) = self.args.termination_protection.filter(|it| *it != before) else {
            return Ok(());
        };
        let request = json!({
            "StackName": self.args.stack_name, "EnableTerminationProtection": after,
        });
        let stacks = self.stacks;
        let edit = Edit::new("switch termination protection", &self.args.stack_name);
        let act = async || stacks.call("UpdateTerminationProtection", &request).await;
        self.control.change(edit.from(before).to(after), act).await?;
        Ok(())
    }

    /// What all operations take that make or update a stack.
    fn request(&self) -> Json {
        let args = self.args;
        let arns = args.notification_arns.as_ref();
        json!({
            "StackName": args.stack_name,
            "Parameters": parameters(&args.template_parameters),
            "Capabilities": args.capabilities,
            "TemplateBody": args.template_body,
            "TemplateURL": args.template_url,
            "RoleARN": args.role_arn,
            "NotificationARNs": arns.map(|it| it.split(',').map(str::trim).collect::<Vec<_>>()),
            "Tags": args.tags.as_ref().map(|it| Shape::USUAL.list(it).to_json()),
        })
    }

    /// A name that is the same for the same request.
    fn change_set_name(&self, request: &Json) -> String {
        let hash = &tree_hash(request.to_string().as_bytes())[..40];
        let free = NAME - "Ansible--".len() - hash.len() - "-check".len();
        let stack: String = self.args.stack_name.chars().take(free).collect();
        format!("Ansible-{stack}-{hash}")
    }

    /// The template as `--diff` shows it.
    fn template(&self) -> Json {
        let Some(body) = &self.args.template_body else { return json!(self.args.template_url) };
        serde_json::from_str(body).unwrap_or_else(|_| body.as_str().into())
    }

    /// An edit that shows what changes, if anybody wants to see it.
    async fn edit(&self, what: &str, stack: &Json) -> Result<Edit, ModuleError> {
        let edit = Edit::new(what, text(stack, "StackId"));
        if !self.control.wants_diff() {
            return Ok(edit);
        }
        let mut before = json!({
            "parameters": map_of(&stack["Parameters"], "ParameterKey", "ParameterValue"),
            "tags": map_of(&stack["Tags"], "Key", "Value"),
        });
        let mut after = before.clone();
        for wanted in parameters(&self.args.template_parameters) {
            let (name, value) = (text(&wanted, "ParameterKey"), &wanted["ParameterValue"]);
            let shown = &mut after["parameters"][name];
            // Whether one is secret is known of those that the stack has.
            if shown.is_null() {
                *shown = COVERED.into();
            } else if shown != COVERED && !value.is_null() {
                *shown = value.clone();
            }
        }
        if let Some(tags) = &self.args.tags {
            after["tags"] = json!(tags);
        }
        if self.args.template_body.is_some() {
            let of = json!({"StackName": text(stack, "StackId")});
            before["template"] = self.stacks.call("GetTemplate", &of).await?["TemplateBody"].take();
            after["template"] = self.template();
        }
        Ok(edit.from(before).to(after))
    }
}

/// Parameters as operations take them.
fn parameters(given: &Map<String, Json>) -> Vec<Json> {
    let parameter = |(name, value): (&String, &Json)| {
        let mut parameter = json!({"ParameterKey": name});
        match value {
            Json::Object(said) => {
                if let Some(previous) = said.get("use_previous_value").and_then(Json::as_bool) {
                    parameter["UsePreviousValue"] = previous.into();
                }
                // AWS does not take both.
                if let Some(value) =
                    said.get("value").filter(|_| parameter["UsePreviousValue"] != true)
                {
                    parameter["ParameterValue"] = plain(value).into();
                }
            }
            value => parameter["ParameterValue"] = plain(value).into(),
        }
        parameter
    };
    given.iter().map(parameter).collect()
}

/// A value as text, as Python writes it; a list with commas, as CloudFormation reads it.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Null => String::new(),
        Json::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_texts() {
        let given = json!({
            "a": "x", "b": 3, "c": true, "d": ["s-1", "s-2"], "e": null,
            "f": {"value": 1}, "g": {"use_previous_value": true, "value": "is not taken"},
        });
        let expect = json!([
            {"ParameterKey": "a", "ParameterValue": "x"},
            {"ParameterKey": "b", "ParameterValue": "3"},
            {"ParameterKey": "c", "ParameterValue": "True"},
            {"ParameterKey": "d", "ParameterValue": "s-1,s-2"},
            {"ParameterKey": "e", "ParameterValue": ""},
            {"ParameterKey": "f", "ParameterValue": "1"},
            {"ParameterKey": "g", "UsePreviousValue": true},
        ]);
        assert_eq!(json!(parameters(given.as_object().unwrap())), expect);
    }
}
