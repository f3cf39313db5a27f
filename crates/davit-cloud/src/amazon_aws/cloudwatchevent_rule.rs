//! `amazon.aws.cloudwatchevent_rule`: a rule of EventBridge, and what it calls.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/amazon/aws/cloudwatchevent_rule_module.html>

use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names::snake_all;

/// Make, change and delete rules of EventBridge (once CloudWatch Events), with what they call.
///
/// A rule is there for a schedule, for events of a pattern, or for both; where a task names neither, they stay as
/// they are. Its description and role are those that the task names, or none. It calls just the targets that the
/// task names; settings of these for which there is no argument here stay.
///
/// ```yaml
/// - name: Clean up every night
///   amazon.aws.cloudwatchevent_rule:
///     name: nightly
///     schedule_expression: cron(0 2 * * ? *)
///     targets:
///       - {id: cleaner, arn: "{{ cleaner.configuration.function_arn }}", input: {depth: 2}}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The rule's name.
    name: String,
    /// Whether it is there, and in force.
    #[serde(default)]
    state: State,
    /// When it is due: `rate(5 minutes)`, `cron(0 20 * * ? *)`.
    #[serde(default)]
    schedule_expression: Option<String>,
    /// Which events it is for: a map, or text of JSON.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    event_pattern: Option<String>,
    /// What it is about, for people.
    #[serde(default)]
    description: Option<String>,
    /// The role that it acts in.
    #[serde(default)]
    role_arn: Option<String>,
    /// What it calls.
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(flatten)]
    login: Login,
}

/// Whether the rule is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It is there and in force.
    #[default]
    Present,
    /// It is there and does nothing.
    Disabled,
    /// It is not there.
    Absent,
}

/// Something that a rule calls.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Target {
    /// What the rule calls it.
    id: String,
    /// What it is.
    arn: String,
    /// The role in which it is called.
    #[serde(default)]
    role_arn: Option<String>,
    /// What it is given in place of the event: a map, or text of JSON.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    input: Option<String>,
    /// Which part of the event it is given: `$.detail`.
    #[serde(default)]
    input_path: Option<String>,
    /// A text made of parts of the event that it is given.
    #[serde(default)]
    input_transformer: Option<Transformer>,
    /// What runs, where it is a cluster of ECS.
    #[serde(default)]
    ecs_parameters: Option<EcsParameters>,
}

/// A text made of parts of an event.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Transformer {
    /// Where the parts are in the event, by the names that the text has for them.
    #[serde(default)]
    input_paths_map: Option<serde_json::Map<String, Json>>,
    /// The text or JSON, with `<name>` where a part comes.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    input_template: Option<String>,
}

/// What runs on a cluster of ECS.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct EcsParameters {
    /// The task definition.
    task_definition_arn: String,
    /// How many of it.
    #[serde(default)]
    task_count: Option<i64>,
}

/// With this, the service says that there is no such rule.
const MISSING: &[&str] = &["ResourceNotFoundException"];
/// Members of a target for which there is an argument.
const KNOWN: &[&str] = &["Id", "Arn", "RoleArn", "Input", "InputPath", "InputTransformer"];

/// `amazon.aws.cloudwatchevent_rule`.
pub(crate) struct CloudwatcheventRule;

impl Module for CloudwatcheventRule {
    const NAME: &'static str = "amazon.aws.cloudwatchevent_rule";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.cloudwatchevent_rule"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let rule = task.rule().await?;
        let targets = if rule.is_some() { task.targets().await? } else { Vec::new() };
        let (rule, targets) = if args.state == State::Absent {
            if let Some(rule) = &rule {
                task.remove(rule, &targets).await?;
            }
            (None, Vec::new())
        } else {
            task.keep_rule(rule.as_ref()).await?;
            task.keep_targets(rule.as_ref(), &targets).await?;
            if control.is_changed() && !control.is_check() {
                (task.rule().await?, task.targets().await?)
            } else {
                (rule, targets)
            }
        };
        let outcome = Outcome::new()
            .with("rule", snake_all(rule.unwrap_or_else(|| json!({})), &[]))
            .with("targets", snake_all(targets.into(), &[]));
        Ok(aws.tell(outcome))
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Task<'_> {
    async fn rule(&self) -> Result<Option<Json>, ModuleError> {
        let name = json!({"Name": self.args.name});
        let found = self.aws.find("events", "DescribeRule", name, MISSING).await?;
        Ok(found.map(|it| Value::Map(it).to_json()))
    }

    async fn targets(&self) -> Result<Vec<Json>, ModuleError> {
        let found = self.aws.all("events", "ListTargetsByRule", json!({"Rule": self.args.name}));
        Ok(found
            .await?
            .get("Targets")
            .into_iter()
            .flat_map(Value::items)
            .map(Value::to_json)
            .collect())
    }

    async fn keep_rule(&self, rule: Option<&Json>) -> Result<(), ModuleError> {
        let args = self.args;
        let was = |name: &str| rule.map(|it| it[name].clone()).unwrap_or_default();
        let (mut schedule, mut pattern) = (was("ScheduleExpression"), was("EventPattern"));
        if args.schedule_expression.is_some() || args.event_pattern.is_some() {
            schedule = json!(args.schedule_expression);
            pattern = json!(args.event_pattern);
        }
        if schedule.is_null() && pattern.is_null() {
            return Err(ModuleError::failed(
                "a rule has to have a schedule_expression or an event_pattern",
            ));
        }
        let state = match (args.state, was("State").as_str()) {
            (State::Disabled, _) => json!("DISABLED"),
            // There are several ways to be in force.
            (_, Some(now)) if now.starts_with("ENABLED") => json!(now),
            _ => json!("ENABLED"),
        };
        let wanted = json!({
            "Name": args.name,
            "ScheduleExpression": schedule,
            "EventPattern": pattern,
            "State": state,
            "Description": args.description,
            "RoleArn": args.role_arn,
        });
        let mut members = wanted.as_object().into_iter().flatten();
        let is_same = |(name, value): (&String, &Json)| match name.as_str() {
            "EventPattern" => document(value) == document(&was(name)),
            // None and an empty one are the same.
            "Description" => text(value) == text(&was(name)),
            _ => *value == was(name),
        };
        if members.all(is_same) {
            return Ok(());
        }
        let what = if rule.is_some() { "change the rule" } else { "create the rule" };
        let edit = Edit::new(what, self.path(rule)).from(rule).to(&wanted);
        let act = async || self.aws.call("events", "PutRule", wanted.clone()).await;
        let place = |made: &Map| made.get("RuleArn")?.as_str().map(str::to_owned);
        self.control.create(edit, act, place).await.map(drop)
    }

    async fn keep_targets(&self, rule: Option<&Json>, targets: &[Json]) -> Result<(), ModuleError> {
        let mut wanted = Vec::new();
        for target in &self.args.targets {
            let current = targets.iter().find(|it| it["Id"] == target.id.as_str());
            let request = request(target, current);
            if current.is_none_or(|it| comparable(it) != comparable(&request)) {
                wanted.push(request);
            }
        }
        if !wanted.is_empty() {
            let ids: Vec<&Json> = wanted.iter().map(|it| &it["Id"]).collect();
            let before: Vec<&Json> = targets.iter().filter(|it| ids.contains(&&it["Id"])).collect();
            let edit = Edit::new("set the targets", self.path(rule)).from(before).to(&wanted);
            let request = json!({"Rule": self.args.name, "Targets": wanted});
            let act = async || taken(&self.aws.call("events", "PutTargets", request).await?);
            self.control.change(edit, act).await?;
        }
        let is_strange =
            |it: &&Json| !self.args.targets.iter().any(|known| it["Id"] == known.id.as_str());
        let strange: Vec<Json> = targets.iter().filter(is_strange).cloned().collect();
        self.remove_targets(rule, &strange).await
    }

    async fn remove(&self, rule: &Json, targets: &[Json]) -> Result<(), ModuleError> {
        self.remove_targets(Some(rule), targets).await?;
        let edit = Edit::new("delete the rule", self.path(Some(rule))).from(rule);
        let name = json!({"Name": self.args.name});
        let act = async || self.aws.find("events", "DeleteRule", name, MISSING).await;
        self.control.change(edit, act).await.map(drop)
    }

    async fn remove_targets(
        &self,
        rule: Option<&Json>,
        targets: &[Json],
    ) -> Result<(), ModuleError> {
        if targets.is_empty() {
            return Ok(());
        }
        let ids: Vec<&Json> = targets.iter().map(|it| &it["Id"]).collect();
        let edit = Edit::new("remove targets", self.path(rule)).from(targets);
        let request = json!({"Rule": self.args.name, "Ids": ids});
        let act = async || taken(&self.aws.call("events", "RemoveTargets", request).await?);
        self.control.change(edit, act).await.map(drop)
    }

    fn path<'a>(&'a self, rule: Option<&'a Json>) -> &'a str {
        rule.and_then(|it| it["Arn"].as_str()).unwrap_or(&self.args.name)
    }
}

/// The answer may say of single targets that they are not taken.
fn taken(answer: &Map) -> Result<(), ModuleError> {
    let failed = answer.get("FailedEntries").map(Value::items).unwrap_or_default();
    let told = |it: &Value| {
        let text = |name| it.get(name).and_then(Value::as_str).unwrap_or_default();
        format!("{}: {}: {}", text("TargetId"), text("ErrorCode"), text("ErrorMessage"))
    };
    match failed.iter().map(told).collect::<Vec<_>>().join("; ") {
        told if told.is_empty() => Ok(()),
        told => Err(ModuleError::failed(format!("targets were not taken: {told}"))),
    }
}

/// A template as the operation takes it: JSON but for the parts in it, so mere text stands between quotes.
fn quoted(template: &str) -> String {
    let is_json = serde_json::from_str::<Json>(template).is_ok()
        || template.trim_start().starts_with(['{', '[', '"']);
    if is_json { template.to_owned() } else { json!(template).to_string() }
}

/// A target as the operation takes it; what no argument speaks of is as it was.
fn request(target: &Target, current: Option<&Json>) -> Json {
    let mut request = serde_json::Map::new();
    for (name, value) in current.and_then(Json::as_object).into_iter().flatten() {
        if !KNOWN.contains(&name.as_str()) {
            request.insert(name.clone(), value.clone());
        }
    }
    let transformer = target.input_transformer.as_ref().map(|it| {
        let template = it.input_template.as_deref().map(quoted);
        json!({"InputPathsMap": it.input_paths_map, "InputTemplate": template})
    });
    for (name, value) in [
        ("Id", json!(target.id)),
        ("Arn", json!(target.arn)),
        ("RoleArn", json!(target.role_arn)),
        ("Input", json!(target.input)),
        ("InputPath", json!(target.input_path)),
        ("InputTransformer", json!(transformer)),
    ] {
        if !value.is_null() {
            request.insert(name.to_owned(), value);
        }
    }
    match &target.ecs_parameters {
        Some(ecs) => {
            let entry = request.entry("EcsParameters").or_insert_with(|| json!({}));
            entry["TaskDefinitionArn"] = json!(ecs.task_definition_arn);
            if let Some(count) = ecs.task_count {
                entry["TaskCount"] = count.into();
            }
        }
        None => drop(request.remove("EcsParameters")),
    }
    request.into()
}

/// A target in one shape for all that mean the same.
fn comparable(target: &Json) -> Json {
    let mut target = target.clone();
    if target["Input"].is_string() {
        target["Input"] = document(&target["Input"]);
    }
    if let Some(transformer) = target["InputTransformer"].as_object_mut() {
        transformer.retain(|_, it| !it.is_null());
    }
    if let Some(map) = target.as_object_mut() {
        map.retain(|_, it| !it.is_null());
    }
    target.sort_all_objects();
    target
}

/// What the text of a document says.
fn document(value: &Json) -> Json {
    let read = serde_json::from_str(text(value));
    let mut document = read.unwrap_or_else(|_| value.clone());
    document.sort_all_objects();
    document
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_an_argument_stay() {
        let target = json!({
            "id": "a", "arn": "arn:f", "input": "{\"x\": 1}",
            "ecs_parameters": {"task_definition_arn": "arn:t"},
        });
        let target: Target = serde_json::from_value(target).unwrap();
        let current = json!({
            "Id": "a", "Arn": "arn:old", "InputPath": "$.x",
            "EcsParameters": {"TaskDefinitionArn": "arn:old", "LaunchType": "FARGATE"},
            "RetryPolicy": {"MaximumRetryAttempts": 2},
        });
        let expect = json!({
            "Id": "a", "Arn": "arn:f", "Input": "{\"x\": 1}",
            "EcsParameters": {"TaskDefinitionArn": "arn:t", "LaunchType": "FARGATE"},
            "RetryPolicy": {"MaximumRetryAttempts": 2},
        });
        let made = request(&target, Some(&current));
        assert_eq!(made, expect);
        let again = request(&target, Some(&made));
        assert_eq!(comparable(&again), comparable(&made));
        assert_ne!(comparable(&current), comparable(&made));
    }
}
