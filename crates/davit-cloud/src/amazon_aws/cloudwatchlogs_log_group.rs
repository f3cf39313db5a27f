//! `amazon.aws.cloudwatchlogs_log_group`: a log group of CloudWatch Logs.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/amazon/aws/cloudwatchlogs_log_group_module.html>

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::args::State;
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::names::snake_all;
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagArgs, Tags};

/// Make, change and delete log groups of CloudWatch Logs.
///
/// The result has the group itself, and a list with it as `log_groups`.
///
/// ```yaml
/// - amazon.aws.cloudwatchlogs_log_group:
///     log_group_name: /shop/web
///     retention: 30
///     tags: {Owner: web}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The group's name.
    log_group_name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// For how many days events are kept: 1, 3, 5, 7, 14, 30, 60, 90 ... Without it that stays as it is; a new
    /// group keeps them for ever.
    #[serde(default)]
    retention: Option<i64>,
    /// Keep events for ever.
    #[serde(default)]
    purge_retention_policy: bool,
    /// The ARN of the key that encrypts them.
    #[serde(default)]
    kms_key_id: Option<String>,
    /// Delete a group that is there, with all its events, and make it anew. This is a change every time.
    #[serde(default)]
    overwrite: bool,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// With this, the service says that there is no such group.
const MISSING: &[&str] = &["ResourceNotFoundException"];
/// How it takes tags.
const TAGS: TagOperations = TagOperations::usual("logs").lower().shaped(None);
/// How often a group is made again whose deletion is not over yet, and how soon.
const TRIES: (u32, Duration) = (15, Duration::from_secs(2));

/// `amazon.aws.cloudwatchlogs_log_group`.
pub(crate) struct CloudwatchlogsLogGroup;

impl Module for CloudwatchlogsLogGroup {
    const NAME: &'static str = "amazon.aws.cloudwatchlogs_log_group";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.cloudwatchlogs_log_group"];
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["retention", "purge_retention_policy"],
            &["purge_retention_policy", "overwrite"],
        ],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let outcome = match (args.state, task.find().await?) {
            (State::Present, found) => task.present(found).await?,
            (State::Absent, found) => {
                if let Some(group) = found {
                    task.delete(&group).await?;
                }
                Outcome::new()
            }
        };
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
    async fn present(&self, found: Option<Json>) -> Result<Outcome, ModuleError> {
        let mut found = found;
        if self.args.overwrite
            && let Some(group) = found.take()
        {
            self.delete(&group).await?;
        }
        match &found {
            Some(group) => self.keep_key_and_tags(group).await?,
            None => self.create().await?,
        }
        self.keep_retention(found.as_ref()).await?;
        // What is there now, or in check mode was before.
        let group = match self.find().await? {
            Some(group) if !self.control.is_check() || found.is_some() => group,
            _ => return Ok(Outcome::new().with("log_group_name", &self.args.log_group_name)),
        };
        let tags = self.tags(&group).await?;
        let mut told = snake_all(group, &[]);
        told["tags"] = json!(tags);
        Ok(Outcome::new().with("log_groups", [&told]).with_all(told))
    }

    /// The group with just this name.
    async fn find(&self) -> Result<Option<Json>, ModuleError> {
        let name = self.args.log_group_name.as_str();
        let found = self.aws.all("logs", "DescribeLogGroups", json!({"logGroupNamePrefix": name}));
        let mut found = Value::Map(found.await?).to_json();
        let groups = found["logGroups"].as_array_mut().into_iter().flatten();
        Ok(groups.map(Json::take).find(|it| it["logGroupName"] == name))
    }

    async fn create(&self) -> Result<(), ModuleError> {
        let args = self.args;
        let request = json!({
            "logGroupName": args.log_group_name,
            "kmsKeyId": args.kms_key_id,
            "tags": args.tags.tags.as_ref().filter(|it| !it.is_empty()),
        });
        let edit = Edit::new("create the log group", &args.log_group_name).to(&request);
        let act = async || {
            let (tries, pause) = TRIES;
            for _ in 0..tries {
                match self.aws.attempt("logs", "CreateLogGroup", request.clone()).await {
                    Err(error) if error.code() == Some("OperationAbortedException") => {
                        tokio::time::sleep(pause).await;
                    }
                    Err(error) => return Err(failure(Some(("logs", "CreateLogGroup")), &error)),
                    Ok(_) => return Ok(()),
                }
            }
            self.aws.call("logs", "CreateLogGroup", request.clone()).await.map(drop)
        };
        self.control.change(edit, act).await.map(drop)
    }

    async fn delete(&self, group: &Json) -> Result<(), ModuleError> {
        let edit = Edit::new("delete the log group", arn(group)).from(group);
        let name = json!({"logGroupName": self.args.log_group_name});
        let act = async || self.aws.find("logs", "DeleteLogGroup", name, MISSING).await;
        self.control.change(edit, act).await.map(drop)
    }

    async fn keep_key_and_tags(&self, group: &Json) -> Result<(), ModuleError> {
        let (args, arn) = (self.args, arn(group));
        if let Some(key) = args.kms_key_id.as_ref().filter(|it| group["kmsKeyId"] != ***it) {
            let request = json!({"logGroupName": args.log_group_name, "kmsKeyId": key});
            let edit = Edit::new("set the key", arn).from(&group["kmsKeyId"]).to(key);
            let act = async || self.aws.call("logs", "AssociateKmsKey", request).await;
            self.control.change(edit, act).await?;
        }
        if args.tags.tags.is_none() {
            return Ok(());
        }
        let current = self.tags(group).await?;
        let (control, aws, of) = (self.control, self.aws, json!({"resourceArn": arn}));
        let tagged = Tagged { control, aws, operations: TAGS, path: arn, of };
        tagged.bring(&current, &args.tags.change(&current)).await.map(drop)
    }

    async fn keep_retention(&self, group: Option<&Json>) -> Result<(), ModuleError> {
        let current = group.and_then(|it| it["retentionInDays"].as_i64());
        let name = &self.args.log_group_name;
        let path = group.map_or(name.as_str(), arn);
        if self.args.purge_retention_policy && current.is_some() {
            let edit = Edit::new("keep events for ever", path).from(current);
            let request = json!({"logGroupName": name});
            let act = async || self.aws.call("logs", "DeleteRetentionPolicy", request).await;
            self.control.change(edit, act).await?;
        }
        if let Some(days) = self.args.retention.filter(|it| current != Some(*it)) {
            let edit = Edit::new("keep events for some days", path).from(current).to(days);
            let request = json!({"logGroupName": name, "retentionInDays": days});
            let act = async || self.aws.call("logs", "PutRetentionPolicy", request).await;
            self.control.change(edit, act).await?;
        }
        Ok(())
    }

    async fn tags(&self, group: &Json) -> Result<Tags, ModuleError> {
        let request = json!({"resourceArn": arn(group)});
        let found = self.aws.call("logs", "ListTagsForResource", request).await?;
        Ok(Shape::USUAL.of(found.get("tags")))
    }
}

/// The ARN as operations on tags take it, which is without the `:*` for the streams.
fn arn(group: &Json) -> &str {
    let arn = group["arn"].as_str().unwrap_or_default();
    arn.strip_suffix(":*").unwrap_or(arn)
}
