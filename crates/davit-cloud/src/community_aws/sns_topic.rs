//! `community.aws.sns_topic`: a topic of SNS, and who is subscribed to it.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/sns_topic_module.html>

use std::collections::BTreeMap;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::args::{MessageOrder, State, Switch, yes};
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names::{snake, snake_all};
use crate::aws::policy;
use crate::aws::subscriptions::{Kept, Subscription, Topic};
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagArgs, Tags};

/// Keep a topic of SNS and its subscriptions, or delete it.
///
/// What the task does not speak of stays as it is, but for subscriptions: those that are not named go, unless
/// `purge_subscriptions` is off. Of a topic of another account only the own subscriptions can be kept.
///
/// The result has `sns_arn` and `sns_topic`, with the topic's settings, its `tags` and `subscriptions`.
///
/// ```yaml
/// - community.aws.sns_topic:
///     name: alarms
///     display_name: Alarms
///     subscriptions:
///       - {protocol: email, endpoint: admin@example.org}
/// ```
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The topic's name, or its ARN. A FIFO topic's ends in `.fifo`, which need not be said.
    name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// What kind of topic it is. This cannot be changed.
    #[serde(default)]
    topic_type: MessageOrder,
    /// From whom messages seem to come.
    #[serde(default)]
    display_name: Option<String>,
    /// Who may do what with it: a policy document.
    #[serde(default)]
    policy: Option<serde_json::Map<String, Json>>,
    /// How delivery is tried again.
    #[serde(default)]
    delivery_policy: Option<DeliveryPolicy>,
    /// Who is sent what is published.
    #[serde(default)]
    subscriptions: Option<Vec<Subscription>>,
    /// Remove the subscriptions that `subscriptions` does not name. Those that nobody has confirmed yet cannot be.
    #[serde(default = "yes")]
    purge_subscriptions: bool,
    /// Whether messages of a FIFO topic are the same that hold the same. Other topics do without.
    #[serde(default)]
    content_based_deduplication: Option<Switch>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// How delivery is tried again.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct DeliveryPolicy {
    /// To HTTP and HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<HttpPolicy>,
}

/// How delivery to HTTP is tried again.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpPolicy {
    /// When and how often.
    default_healthy_retry_policy: RetryPolicy,
    /// How many messages go to a subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_throttle_policy: Option<ThrottlePolicy>,
    /// Subscriptions have no policies of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disable_subscription_overrides: Option<bool>,
}

/// When and how often delivery is tried again.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryPolicy {
    /// How pauses grow.
    backoff_function: Backoff,
    /// The longest pause, in seconds.
    max_delay_target: i64,
    /// The shortest pause, in seconds.
    min_delay_target: i64,
    /// How often it is tried with the longest pause.
    num_max_delay_retries: i64,
    /// How often it is tried with the shortest pause.
    num_min_delay_retries: i64,
    /// How often it is tried without a pause.
    num_no_delay_retries: i64,
    /// How often it is tried at all.
    num_retries: i64,
}

/// How pauses grow.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    /// By steps that grow.
    Arithmetic,
    /// As powers.
    Exponential,
    /// By a factor.
    Geometric,
    /// By equal steps.
    Linear,
}

/// How many messages go to a subscription.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThrottlePolicy {
    /// So many a second at most.
    max_receives_per_second: i64,
}

/// With these, the service says that there is no such topic.
const MISSING: &[&str] = &["NotFound", "NotFoundException"];
/// How it takes tags.
const TAGS: TagOperations = TagOperations::usual("sns");
/// What a retry policy consists of.
const RETRY: [&str; 7] = [
    "backoffFunction",
    "maxDelayTarget",
    "minDelayTarget",
    "numMaxDelayRetries",
    "numMinDelayRetries",
    "numNoDelayRetries",
    "numRetries",
];

/// `community.aws.sns_topic`.
pub(crate) struct SnsTopic;

impl Module for SnsTopic {
    const NAME: &'static str = "community.aws.sns_topic";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let outcome = match args.state {
            State::Present => task.present().await?,
            State::Absent => task.absent().await?,
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

/// What a task did.
#[derive(Debug, Default, Serialize)]
struct Done {
    attributes_set: Vec<&'static str>,
    #[serde(flatten)]
    kept: Kept,
    topic_created: bool,
    topic_deleted: bool,
}

impl Task<'_> {
    async fn present(&self) -> Result<Outcome, ModuleError> {
        let mut done = Done::default();
        let name = &self.args.name;
        let is_own = match account(name) {
            Some(account) => self.aws.account().await? == account,
            None => true,
        };
        if !is_own {
            self.check_foreign()?;
            let left = self.keep_subscriptions(&self.topic(name, false), &mut done).await?;
            return Ok(self.told(Some(name), &done, json!({"subscriptions": left})));
        }
        let (arn, tags) = match self.find().await? {
            Some((arn, attributes)) => {
                self.keep_settings(&arn, &attributes, &mut done).await?;
                (arn.clone(), self.keep_tags(&arn).await?)
            }
            None if account(name).is_some() => {
                let text = format!("there is no topic {name}; a topic is made by its name");
                return Err(ModuleError::failed(text));
            }
            None => match self.create(&mut done).await? {
                Some(arn) => (arn, self.args.tags.tags.clone().unwrap_or_default()),
                None => {
                    let name = self.full_name();
                    done.kept = self
                        .topic(&name, true)
                        .keep(&[], self.wanted_subscriptions(), false)
                        .await?;
                    return Ok(self.told(None, &done, json!({})));
                }
            },
        };
        let left = self.keep_subscriptions(&self.topic(&arn, true), &mut done).await?;
        let now = self.attributes(&arn).await?.unwrap_or_default();
        let mut told = told_attributes(&now);
        told["subscriptions"] = left;
        told["tags"] = json!(tags);
        Ok(self.told(Some(&arn), &done, told))
    }

    async fn absent(&self) -> Result<Outcome, ModuleError> {
        let mut done = Done::default();
        if let Some(account) = account(&self.args.name)
            && self.aws.account().await? != account
        {
            let text = "a topic of another account cannot be deleted";
            return Err(ModuleError::failed(text));
        }
        let Some((arn, attributes)) = self.find().await? else {
            return Ok(self.told(None, &done, json!({})));
        };
        let edit = Edit::new("delete the topic", &arn).from(told_attributes(&attributes));
        let act =
            async || self.aws.find("sns", "DeleteTopic", json!({"TopicArn": arn}), MISSING).await;
        self.control.change(edit, act).await?;
        done.topic_deleted = true;
        Ok(self.told(Some(&arn), &done, json!({})))
    }

    /// Settings of a topic of somebody else are not ours to keep.
    fn check_foreign(&self) -> Result<(), ModuleError> {
        let args = self.args;
        if args.display_name.is_some()
            || args.policy.is_some()
            || args.delivery_policy.is_some()
            || args.tags.tags.is_some()
        {
            let text = "display_name, policy, delivery_policy and tags cannot be set for a topic of another account";
            return Err(ModuleError::failed(text));
        }
        Ok(())
    }

    fn full_name(&self) -> String {
        self.args.topic_type.named(&self.args.name)
    }

    /// The topic's ARN and attributes.
    async fn find(&self) -> Result<Option<(String, Json)>, ModuleError> {
        let arn = if account(&self.args.name).is_some() {
            Some(self.args.name.clone())
        } else {
            let name = self.full_name();
            let all = Value::Map(self.aws.all("sns", "ListTopics", json!({})).await?).to_json();
            let arns = all["Topics"].as_array().into_iter().flatten();
            let mut arns = arns.filter_map(|it| it["TopicArn"].as_str());
            arns.find(|it| it.rsplit(':').next() == Some(&name)).map(str::to_owned)
        };
        let Some(arn) = arn else { return Ok(None) };
        Ok(self.attributes(&arn).await?.map(|it| (arn, it)))
    }

    async fn attributes(&self, arn: &str) -> Result<Option<Json>, ModuleError> {
        let params = json!({"TopicArn": arn});
        let found = self.aws.find("sns", "GetTopicAttributes", params, MISSING).await?;
        Ok(found.and_then(|it| it.get("Attributes").map(Value::to_json)))
    }

    /// The attributes that the task speaks of.
    fn wanted(&self) -> Vec<(&'static str, String)> {
        let args = self.args;
        let on = |it: Switch| (it == Switch::Enabled).to_string();
        let deduplication = args
            .content_based_deduplication
            .filter(|_| args.topic_type == MessageOrder::Fifo)
            .map(on);
        let delivery = args.delivery_policy.as_ref().map(|it| json!(it).to_string());
        let all = [
            ("DisplayName", args.display_name.clone()),
            ("Policy", args.policy.as_ref().map(|it| json!(it).to_string())),
            ("DeliveryPolicy", delivery),
            ("ContentBasedDeduplication", deduplication),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Makes the topic: its ARN, or nothing in check mode.
    async fn create(&self, done: &mut Done) -> Result<Option<String>, ModuleError> {
        let name = self.full_name();
        let wanted = self.wanted();
        done.attributes_set = wanted.iter().map(|(name, _)| *name).collect();
        done.topic_created = true;
        let mut attributes: BTreeMap<&str, String> = wanted.into_iter().collect();
        if self.args.topic_type == MessageOrder::Fifo {
            attributes.insert("FifoTopic", true.to_string());
        }
        let tags = self.args.tags.tags.as_ref().filter(|it| !it.is_empty());
        let tags = tags.map(|it| Shape::USUAL.list(it).to_json());
        let request = json!({"Name": name, "Attributes": attributes, "Tags": tags});
        let edit = Edit::new("create the topic", &name).to(&request);
        let arn = |made: &davit_aws::value::Map| {
            made.get("TopicArn").and_then(Value::as_str).map(str::to_owned)
        };
        let act = async || self.aws.call("sns", "CreateTopic", request).await;
        let made = self.control.create(edit, act, arn).await?;
        let Some(arn) = made.as_ref().and_then(arn) else { return Ok(None) };
        // A new topic may be unknown for a while.
        let params = json!({"TopicArn": arn});
        self.aws.insist("sns", "GetTopicAttributes", params, MISSING).await?;
        Ok(Some(arn))
    }

    async fn keep_settings(
        &self,
        arn: &str,
        now: &Json,
        done: &mut Done,
    ) -> Result<(), ModuleError> {
        for (name, value) in self.wanted() {
            let old = now[name].as_str().unwrap_or_default();
            if is_same(name, &value, now) {
                continue;
            }
            let edit = Edit::new(format!("set {}", snake(name)), arn).from(old).to(&value);
            let request = json!({"TopicArn": arn, "AttributeName": name, "AttributeValue": value});
            let act = async || self.aws.call("sns", "SetTopicAttributes", request).await;
            self.control.change(edit, act).await?;
            done.attributes_set.push(name);
        }
        Ok(())
    }

    async fn keep_tags(&self, arn: &str) -> Result<Tags, ModuleError> {
        let of = json!({"ResourceArn": arn});
        let found = self.aws.call("sns", "ListTagsForResource", of.clone()).await?;
        let now = Shape::USUAL.of(found.get("Tags"));
        let (control, aws) = (self.control, self.aws);
        let tagged = Tagged { control, aws, operations: TAGS, path: arn, of };
        tagged.bring(&now, &self.args.tags.change(&now)).await
    }

    fn topic<'b>(&'b self, arn: &'b str, is_own: bool) -> Topic<'b> {
        Topic { control: self.control, aws: self.aws, arn, is_own }
    }

    fn wanted_subscriptions(&self) -> &[Subscription] {
        self.args.subscriptions.as_deref().unwrap_or_default()
    }

    /// Brings subscriptions to what they should be; what there is then, as results show it.
    async fn keep_subscriptions(
        &self,
        topic: &Topic<'_>,
        done: &mut Done,
    ) -> Result<Json, ModuleError> {
        let current = topic.subscriptions().await?;
        let purge = self.args.purge_subscriptions;
        done.kept = topic.keep(&current, self.wanted_subscriptions(), purge).await?;
        Ok(snake_all(topic.subscriptions().await?.into(), &[]))
    }

    fn told(&self, arn: Option<&str>, done: &Done, about: Json) -> Outcome {
        let mut topic = json!({
            "name": self.args.name,
            "state": self.args.state,
            "topic_type": self.args.topic_type,
            "check_mode": self.control.is_check(),
            "content_based_deduplication": self.args.content_based_deduplication,
            "subscriptions_purge": self.args.purge_subscriptions,
        });
        for more in [json!(done), about] {
            for (name, value) in more.as_object().into_iter().flatten() {
                topic[name.as_str()] = value.clone();
            }
        }
        // `SubscriptionsDeleted` of the topic and what was deleted now have one name.
        if !done.kept.subscriptions_deleted.is_empty() {
            topic["subscriptions_deleted"] = json!(done.kept.subscriptions_deleted);
        }
        Outcome::new().with("sns_arn", arn).with("sns_topic", topic)
    }
}

/// The account of an ARN; nothing for a name.
fn account(name: &str) -> Option<&str> {
    name.strip_prefix("arn:")?.split(':').nth(3)
}

/// What results show of a topic's attributes.
fn told_attributes(attributes: &Json) -> Json {
    let mut told = snake_all(attributes.clone(), &[]);
    let effective = told["effective_delivery_policy"].take();
    if told["delivery_policy"].as_str().is_none_or(str::is_empty) {
        told["delivery_policy"] = effective;
    }
    if let Some(on) = told["content_based_deduplication"].as_str() {
        told["content_based_deduplication"] =
            json!(if on == "true" { Switch::Enabled } else { Switch::Disabled });
    }
    if let Some(map) = told.as_object_mut() {
        map.remove("effective_delivery_policy");
        map.retain(|_, it| !it.is_null());
    }
    told
}

/// Whether an attribute is what is wanted already.
fn is_same(name: &str, wanted: &str, now: &Json) -> bool {
    let read = |text: &str| serde_json::from_str::<Json>(text).unwrap_or_default();
    let old = now[name].as_str().unwrap_or_default();
    match name {
        "Policy" => policy::is_same(&read(wanted), &read(old)),
        "DeliveryPolicy" => {
            let effective = now["EffectiveDeliveryPolicy"].as_str().unwrap_or_default();
            let old = if old.is_empty() { effective } else { old };
            comparable(&read(wanted)) == comparable(&read(old))
        }
        "ContentBasedDeduplication" => wanted == if old.is_empty() { "false" } else { old },
        _ => wanted == old,
    }
}

/// What counts of a delivery policy: AWS puts more into it.
fn comparable(delivery: &Json) -> Json {
    let http = &delivery["http"];
    let retry = RETRY.map(|it| http["defaultHealthyRetryPolicy"][it].clone());
    let most = &http["defaultThrottlePolicy"]["maxReceivesPerSecond"];
    json!([retry, most, http["disableSubscriptionOverrides"] == true])
}
