//! `community.aws.sqs_queue`: a queue of SQS.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/sqs_queue_module.html>

use std::collections::BTreeMap;
use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::args::{MessageOrder, State};
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::names::snake;
use crate::aws::patience::says;
use crate::aws::policy;
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagArgs, Tags};

/// Keep a queue of SQS, or delete it with all that is in it.
///
/// What the task does not speak of stays as it is.
///
/// The result has `name`, `queue_arn`, `queue_url`, `region`, `tags` and the queue's settings.
///
/// ```yaml
/// - community.aws.sqs_queue:
///     name: orders
///     visibility_timeout: 120
///     redrive_policy: {maxReceiveCount: 5, deadLetterTargetArn: "{{ dead.queue_arn }}"}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The queue's name. A FIFO queue's ends in `.fifo`, which need not be said.
    name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// What kind of queue it is. This cannot be changed.
    #[serde(default)]
    queue_type: MessageOrder,
    /// Whether messages of a FIFO queue are the same that hold the same.
    #[serde(default)]
    content_based_deduplication: Option<bool>,
    /// Within what messages of a FIFO queue are held against each other.
    #[serde(default)]
    deduplication_scope: Option<Scope>,
    /// Of what there may be only so much in a FIFO queue.
    #[serde(default)]
    fifo_throughput_limit: Option<Limit>,
    /// For how many seconds nobody gets a new message.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["delivery_delay"]))]
    delay_seconds: Option<i64>,
    /// For how many seconds a key encrypts before KMS is asked for another.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["kms_data_key_reuse_period"]))]
    kms_data_key_reuse_period_seconds: Option<i64>,
    /// The key of KMS that encrypts messages.
    #[serde(default)]
    kms_master_key_id: Option<String>,
    /// How many bytes a message may have.
    #[serde(default)]
    maximum_message_size: Option<i64>,
    /// For how many seconds messages are kept.
    #[serde(default)]
    message_retention_period: Option<i64>,
    /// Who may do what with it: a policy document. `{}` removes it.
    #[serde(default)]
    policy: Option<serde_json::Map<String, Json>>,
    /// For how many seconds one who asks waits for a message.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["receive_message_wait_time"]))]
    receive_message_wait_time_seconds: Option<i64>,
    /// Where messages go that nobody could make use of: `maxReceiveCount` and `deadLetterTargetArn`. `{}` removes it.
    #[serde(default)]
    redrive_policy: Option<serde_json::Map<String, Json>>,
    /// For how many seconds nobody else gets a message that somebody got.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["default_visibility_timeout"]))]
    visibility_timeout: Option<i64>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// Within what messages are held against each other.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
enum Scope {
    /// The queue.
    Queue,
    /// A group of messages, as many messages a second need it.
    MessageGroup,
}

/// Of what there may be only so much.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
enum Limit {
    /// All messages of the queue.
    PerQueue,
    /// The messages of each group, as many messages a second need it.
    PerMessageGroupId,
}

/// With these, the service says that there is no such queue.
const MISSING: &[&str] = &["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];
/// How it takes tags.
const TAGS: TagOperations =
    TagOperations::usual("sqs").called("TagQueue", "UntagQueue").shaped(None);
/// With these, it says that one of that name was deleted less than a minute ago.
const RECENT: &[&str] = &["AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"];
/// How often a queue is made again whose deletion is not over yet, and how soon.
const TRIES: (u32, Duration) = (14, Duration::from_secs(5));
/// Attributes that are numbers.
const NUMBERS: &[&str] = &[
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "DelaySeconds",
    "KmsDataKeyReusePeriodSeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
];
/// Settings that results have under another name too.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("DelaySeconds", "delivery_delay"),
    ("KmsDataKeyReusePeriodSeconds", "kms_data_key_reuse_period"),
    ("ReceiveMessageWaitTimeSeconds", "receive_message_wait_time"),
    ("VisibilityTimeout", "default_visibility_timeout"),
];

/// Attributes as the service has them: texts by name.
type Attributes = BTreeMap<String, String>;

/// `community.aws.sqs_queue`.
pub(crate) struct SqsQueue;

impl Module for SqsQueue {
    const NAME: &'static str = "community.aws.sqs_queue";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let url = task.find().await?;
        let outcome = match (args.state, &url) {
            (State::Present, Some(url)) => task.keep(url).await?,
            (State::Present, None) => task.create().await?,
            (State::Absent, url) => {
                if let Some(url) = url {
                    task.delete(url).await?;
                }
                task.named()
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
    fn name(&self) -> String {
        self.args.queue_type.named(&self.args.name)
    }

    fn named(&self) -> Outcome {
        Outcome::new().with("name", self.name()).with("region", self.aws.region())
    }

    /// The queue's URL.
    async fn find(&self) -> Result<Option<String>, ModuleError> {
        let params = json!({"QueueName": self.name()});
        let found = self.aws.find("sqs", "GetQueueUrl", params, MISSING).await?;
        Ok(found.and_then(|it| it.get("QueueUrl")?.as_str().map(str::to_owned)))
    }

    /// The attributes that the task speaks of.
    fn wanted(&self) -> Attributes {
        let args = self.args;
        let number = |it: Option<i64>| it.map(|it| it.to_string());
        let word = |it: Json| it.as_str().map(str::to_owned);
        // An empty text takes such a document away.
        let document = |it: &Option<serde_json::Map<String, Json>>| {
            it.as_ref().map(|it| if it.is_empty() { String::new() } else { json!(it).to_string() })
        };
        let all = [
            (
                "ContentBasedDeduplication",
                args.content_based_deduplication.map(|it| it.to_string()),
            ),
            ("DeduplicationScope", word(json!(args.deduplication_scope))),
            ("DelaySeconds", number(args.delay_seconds)),
            ("FifoThroughputLimit", word(json!(args.fifo_throughput_limit))),
            ("KmsDataKeyReusePeriodSeconds", number(args.kms_data_key_reuse_period_seconds)),
            ("KmsMasterKeyId", args.kms_master_key_id.clone()),
            ("MaximumMessageSize", number(args.maximum_message_size)),
            ("MessageRetentionPeriod", number(args.message_retention_period)),
            ("Policy", document(&args.policy)),
            ("ReceiveMessageWaitTimeSeconds", number(args.receive_message_wait_time_seconds)),
            ("RedrivePolicy", document(&args.redrive_policy)),
            ("VisibilityTimeout", number(args.visibility_timeout)),
        ];
        let said = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        said.filter(|(name, _)| args.queue_type == MessageOrder::Fifo || !is_of_fifo(name))
            .collect()
    }

    async fn create(&self) -> Result<Outcome, ModuleError> {
        let name = self.name();
        let mut attributes = self.wanted();
        attributes.retain(|_, it| !it.is_empty());
        if self.args.queue_type == MessageOrder::Fifo {
            attributes.insert("FifoQueue".to_owned(), true.to_string());
        }
        let tags = self.args.tags.tags.clone().unwrap_or_default();
        let mut request = json!({"QueueName": name, "Attributes": attributes});
        if !tags.is_empty() {
            request["tags"] = json!(tags);
        }
        let edit = Edit::new("create the queue", &name).to(&request);
        let url = |made: &davit_aws::value::Map| {
            made.get("QueueUrl").and_then(Value::as_str).map(str::to_owned)
        };
        let act = async || {
            let (tries, pause) = TRIES;
            for _ in 0..tries {
                match self.aws.attempt("sqs", "CreateQueue", request.clone()).await {
                    Err(error) if says(&error, RECENT) => {
                        self.control.tell("waiting until the queue of that name is gone");
                        tokio::time::sleep(pause).await;
                    }
                    Err(error) => return Err(failure(Some(("sqs", "CreateQueue")), &error)),
                    Ok(made) => return Ok(made),
                }
            }
            self.aws.call("sqs", "CreateQueue", request.clone()).await
        };
        let made = self.control.create(edit, act, url).await?;
        let Some(url) = made.as_ref().and_then(url) else {
            return Ok(self.told("", &attributes, &tags));
        };
        let params = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let found = self.aws.insist("sqs", "GetQueueAttributes", params, MISSING).await?;
        let mut now = texts(&found);
        now.extend(attributes);
        Ok(self.told(&url, &now, &tags))
    }

    async fn delete(&self, url: &str) -> Result<(), ModuleError> {
        let edit = Edit::new("delete the queue", url).from(json!({"name": self.name()}));
        let params = json!({"QueueUrl": url});
        let act = async || self.aws.find("sqs", "DeleteQueue", params, MISSING).await;
        self.control.change(edit, act).await.map(drop)
    }

    async fn keep(&self, url: &str) -> Result<Outcome, ModuleError> {
        let params = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let mut now = texts(&self.aws.call("sqs", "GetQueueAttributes", params).await?);
        let mut change = self.wanted();
        change.retain(|name, value| !is_same(name, value, now.get(name)));
        if !change.is_empty() {
            let old: BTreeMap<&String, Option<&String>> =
                change.keys().map(|it| (it, now.get(it))).collect();
            let edit = Edit::new("set its attributes", url).from(old).to(&change);
            let request = json!({"QueueUrl": url, "Attributes": change});
            let act = async || self.aws.call("sqs", "SetQueueAttributes", request).await;
            self.control.change(edit, act).await?;
        }
        // It takes the service up to a minute to give back what was set.
        now.extend(change);
        let tags = self.keep_tags(url).await?;
        Ok(self.told(url, &now, &tags))
    }

    async fn keep_tags(&self, url: &str) -> Result<Tags, ModuleError> {
        let of = json!({"QueueUrl": url});
        let found = self.aws.call("sqs", "ListQueueTags", of.clone()).await?;
        let now = Shape::USUAL.of(found.get("Tags"));
        let (control, aws) = (self.control, self.aws);
        let tagged = Tagged { control, aws, operations: TAGS, path: url, of };
        tagged.bring(&now, &self.args.tags.change(&now)).await
    }

    fn told(&self, url: &str, attributes: &Attributes, tags: &Tags) -> Outcome {
        let url = Some(url).filter(|it| !it.is_empty());
        let mut outcome = self.named().with("queue_url", url).with("tags", tags);
        for (name, text) in attributes {
            outcome.set(&snake(name), shown(name, text));
            if let Some((_, other)) = OTHER_NAMES.iter().find(|(it, _)| it == name) {
                outcome.set(other, shown(name, text));
            }
        }
        for name in ["policy", "redrive_policy"] {
            if outcome.get(name).is_none() {
                outcome.set(name, Json::Null);
            }
        }
        outcome
    }
}

/// Queues of the usual kind have no such attributes.
fn is_of_fifo(name: &str) -> bool {
    matches!(name, "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit")
}

fn texts(answer: &davit_aws::value::Map) -> Attributes {
    answer.get("Attributes").map(|it| Shape::USUAL.tags(it)).unwrap_or_default()
}

/// An attribute as results show it.
fn shown(name: &str, text: &str) -> Json {
    match name {
        "Policy" | "RedrivePolicy" => serde_json::from_str(text).unwrap_or_default(),
        "ContentBasedDeduplication" => (text == "true").into(),
        name if NUMBERS.contains(&name) => {
            text.parse::<i64>().map_or_else(|_| text.into(), Json::from)
        }
        _ => text.into(),
    }
}

/// Whether an attribute is what is wanted already.
fn is_same(name: &str, wanted: &str, now: Option<&String>) -> bool {
    let now = now.map_or("", String::as_str);
    let read = |text: &str| serde_json::from_str::<Json>(text).unwrap_or_default();
    match name {
        "Policy" => policy::is_same(&read(wanted), &read(now)),
        "RedrivePolicy" => flat(&read(wanted)) == flat(&read(now)),
        "ContentBasedDeduplication" => (wanted == "true") == (now == "true"),
        _ => wanted == now,
    }
}

/// A map of one level with texts, as numbers may be written as those.
fn flat(policy: &Json) -> BTreeMap<&String, String> {
    let text = |it: &Json| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    policy.as_object().into_iter().flatten().map(|(name, it)| (name, text(it))).collect()
}
