//! Subscriptions to a topic of SNS: which there are, and which should be.

use std::collections::BTreeMap;
use std::fmt;

use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::client::Aws;

/// Who is sent what is published.
#[derive(Deserialize, JsonSchema)]
pub struct Subscription {
    /// The way: `email`, `sms`, `sqs`, `lambda`, `https` ...
    pub protocol: String,
    /// The address there: an ARN, a URL, a number ...
    pub endpoint: String,
    /// Settings of the subscription.
    #[serde(default)]
    pub attributes: Option<Attributes>,
}

/// Settings of a subscription.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Attributes {
    /// Queues of SQS get messages as they were published, without anything around them.
    #[serde(default, rename = "RawMessageDelivery")]
    pub raw_message_delivery: Option<bool>,
}

/// What became of subscriptions, as results show it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Kept {
    /// Those that were made.
    pub subscriptions_added: Vec<Json>,
    /// Those that were removed.
    pub subscriptions_deleted: Vec<Json>,
    /// Those that were there before.
    pub subscriptions_existing: Vec<Json>,
    /// Those that were not there before.
    pub subscriptions_new: Vec<Json>,
}

/// A topic whose subscriptions are looked after.
#[derive(Clone, Copy)]
pub struct Topic<'a> {
    /// The gate.
    pub control: &'a Control,
    /// What it is called with.
    pub aws: &'a Aws,
    /// Its ARN.
    pub arn: &'a str,
    /// It belongs to the account that calls.
    pub is_own: bool,
}

/// A way and an address there, as they are compared.
type Address = (String, String);

/// With these, the service says that there is no such subscription.
const MISSING: &[&str] = &["NotFound", "NotFoundException"];

impl Topic<'_> {
    /// The topic's subscriptions, or where it is somebody else's those of this account.
    ///
    /// # Errors
    /// What the service says.
    pub async fn subscriptions(&self) -> Result<Vec<Json>, ModuleError> {
        let found = if self.is_own {
            let of = json!({"TopicArn": self.arn});
            self.aws.all("sns", "ListSubscriptionsByTopic", of).await?
        } else {
            self.aws.all("sns", "ListSubscriptions", json!({})).await?
        };
        let found = found.get("Subscriptions").map(Value::to_json).unwrap_or_default();
        let found = found.as_array().cloned().unwrap_or_default();
        Ok(found.into_iter().filter(|it| it["TopicArn"] == self.arn).collect())
    }

    /// Brings them from what there is to what there should be. With `purge` the others go, but for those that nobody
    /// has confirmed yet, which cannot be removed.
    ///
    /// # Errors
    /// What the service says.
    pub async fn keep(
        &self,
        current: &[Json],
        wanted: &[Subscription],
        purge: bool,
    ) -> Result<Kept, ModuleError> {
        let mut done = Kept::default();
        let known: BTreeMap<Address, &Json> = current.iter().map(|it| (address(it), it)).collect();
        let wanted: BTreeMap<Address, &Subscription> =
            wanted.iter().map(|it| (it.address(), it)).collect();
        done.subscriptions_existing = known.values().map(|it| shown(it)).collect();
        for (address, subscription) in &wanted {
            match known.get(address) {
                Some(found) => self.keep_attributes(found, subscription).await?,
                None => {
                    self.subscribe(subscription).await?;
                    let told = json!({"Protocol": subscription.protocol, "Endpoint": subscription.endpoint});
                    done.subscriptions_added.push(shown(&told));
                }
            }
        }
        done.subscriptions_new.clone_from(&done.subscriptions_added);
        for (address, found) in known.iter().filter(|(it, _)| !wanted.contains_key(*it)) {
            let Some(subscription) = confirmed(found).filter(|_| purge) else {
                continue;
            };
            let edit = Edit::new("remove the subscription", subscription)
                .from(without_password(&address.1, false));
            let request = json!({"SubscriptionArn": subscription});
            let act = async || self.aws.find("sns", "Unsubscribe", request, MISSING).await;
            self.control.change(edit, act).await?;
            done.subscriptions_deleted.push(shown(found));
        }
        Ok(done)
    }

    async fn subscribe(&self, wanted: &Subscription) -> Result<(), ModuleError> {
        let (protocol, _) = wanted.address();
        let attributes = wanted.raw().map(|it| json!({"RawMessageDelivery": it.to_string()}));
        let edit = Edit::new("subscribe", self.arn).to(json!({
            "protocol": protocol,
            "endpoint": without_password(&wanted.endpoint, false),
            "attributes": attributes,
        }));
        let request = json!({
            "TopicArn": self.arn, "Protocol": protocol, "Endpoint": wanted.endpoint, "Attributes": attributes,
        });
        let act = async || self.aws.call("sns", "Subscribe", request).await;
        self.control.change(edit, act).await.map(drop)
    }

    async fn keep_attributes(
        &self,
        found: &Json,
        wanted: &Subscription,
    ) -> Result<(), ModuleError> {
        let (Some(raw), Some(arn)) = (wanted.raw(), confirmed(found)) else { return Ok(()) };
        let of = json!({"SubscriptionArn": arn});
        let now = self.aws.call("sns", "GetSubscriptionAttributes", of).await?;
        let now = now.get("Attributes").map(Value::to_json).unwrap_or_default();
        if (now["RawMessageDelivery"] == "true") == raw {
            return Ok(());
        }
        let edit = Edit::new("set raw_message_delivery", arn).from(!raw).to(raw);
        let request = json!({
            "SubscriptionArn": arn, "AttributeName": "RawMessageDelivery", "AttributeValue": raw.to_string(),
        });
        let act = async || self.aws.call("sns", "SetSubscriptionAttributes", request).await;
        self.control.change(edit, act).await.map(drop)
    }
}

impl Subscription {
    fn address(&self) -> Address {
        canonical(&self.protocol, &self.endpoint)
    }

    fn raw(&self) -> Option<bool> {
        self.attributes.as_ref()?.raw_message_delivery
    }
}

/// Addresses may hold passwords: they are not shown.
impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

fn address(found: &Json) -> Address {
    let text = |name: &str| found[name].as_str().unwrap_or_default();
    canonical(text("Protocol"), text("Endpoint"))
}

/// A subscription as results show it.
fn shown(subscription: &Json) -> Json {
    let (protocol, endpoint) = address(subscription);
    let written = subscription["Endpoint"].as_str().unwrap_or_default();
    let is_far = protocol == "sms" && written.trim_start().starts_with('+');
    let endpoint = if is_far { format!("+{endpoint}") } else { endpoint };
    json!({"protocol": protocol, "endpoint": endpoint})
}

/// AWS keeps numbers of telephones without what people write between the digits, and shows no password of a URL: URLs
/// that differ in nothing else are the same.
fn canonical(protocol: &str, endpoint: &str) -> Address {
    let protocol = protocol.to_lowercase();
    let endpoint = match protocol.as_str() {
        "sms" => endpoint.chars().filter(char::is_ascii_digit).collect(),
        "http" | "https" => without_password(endpoint, true),
        _ => endpoint.to_owned(),
    };
    (protocol, endpoint)
}

/// The ARN of a subscription that was confirmed: others have a word in its place.
fn confirmed(found: &Json) -> Option<&str> {
    found["SubscriptionArn"].as_str().filter(|it| it.starts_with("arn:"))
}

/// A URL with its password as AWS shows it, or without the user and password before its host.
fn without_password(endpoint: &str, shows_user: bool) -> String {
    let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.to_owned() };
    let host = rest.split('/').next().unwrap_or_default();
    let Some((user, _)) = host.rsplit_once('@') else { return endpoint.to_owned() };
    let behind = &rest[user.len() + 1..];
    match user.split_once(':') {
        Some((user, _)) if shows_user => format!("{scheme}://{user}:****@{behind}"),
        None if shows_user => endpoint.to_owned(),
        _ => format!("{scheme}://{behind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        assert_eq!(canonical("SMS", "+1 (555) 123-4567"), canonical("sms", "15551234567"));
        for (written, expect) in [("+1 (555) 1", "+15551"), ("1-5551", "15551")] {
            let told = shown(&json!({"Protocol": "sms", "Endpoint": written}));
            assert_eq!(told, json!({"protocol": "sms", "endpoint": expect}));
        }
        assert_ne!(canonical("email", "a@b.org"), canonical("email-json", "a@b.org"));
    }

    #[test]
    fn urls_are_the_same_whose_passwords_aws_does_not_show() {
        let told = canonical("https", "https://user:****@host/a");
        let written = json!({"Protocol": "HTTPS", "Endpoint": "https://user:p:ss@host/a"});
        assert_eq!(shown(&written), json!({"protocol": told.0, "endpoint": told.1}));
        assert_eq!(canonical("https", "https://user:p:ss@host/a"), told);
        assert_ne!(canonical("https", "https://other:pass@host/a"), told);
        for plain in ["https://user@host", "https://host/a:b@c", "host"] {
            assert_eq!(canonical("https", plain).1, plain);
        }
    }

    #[test]
    fn passwords_of_addresses_are_not_shown() {
        for (given, expect) in [
            ("https://user:pass@host/a@b", "https://host/a@b"),
            ("https://host/a@b", "https://host/a@b"),
            ("https://a@b@host", "https://host"),
            ("a@b.org", "a@b.org"),
        ] {
            assert_eq!(without_password(given, false), expect);
        }
    }
}
