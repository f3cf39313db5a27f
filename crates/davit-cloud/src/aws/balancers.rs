//! What the modules for load balancers and target groups share: lists, tags and attributes.
//!
//! It knows nothing of listeners and rules: see [`super::listeners`].

use std::collections::BTreeMap;

use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use serde_json::{Value as Json, json};

use super::client::Aws;
use super::parts::{list, text};
use super::tagging::{TagOperations, Tagged};
use super::tags::{Shape, TagArgs, Tags};

/// Attributes by name: `deletion_protection.enabled`.
pub type Attributes = BTreeMap<String, String>;

/// How the service says that there is no such thing.
pub const MISSING: &[&str] = &["LoadBalancerNotFound", "TargetGroupNotFound"];

/// How it takes tags.
const TAGS: TagOperations = TagOperations::usual("elbv2").called("AddTags", "RemoveTags");

/// What has attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A load balancer.
    LoadBalancer,
    /// A group of targets.
    TargetGroup,
}

impl Kind {
    /// As operations have it: `DescribeTargetGroupAttributes`.
    const fn name(self) -> &'static str {
        match self {
            Self::LoadBalancer => "LoadBalancer",
            Self::TargetGroup => "TargetGroup",
        }
    }
}

/// Elastic Load Balancing for one task.
#[derive(Clone, Copy)]
pub struct Balancers<'a> {
    /// The gate.
    pub control: &'a Control,
    /// What it is called with.
    pub aws: &'a Aws,
}

impl Balancers<'_> {
    /// All that an operation lists under `key`.
    ///
    /// # Errors
    /// What the service says.
    pub async fn list(
        &self,
        operation: &str,
        key: &str,
        params: Json,
    ) -> Result<Vec<Value>, ModuleError> {
        let mut all = self.aws.all("elbv2", operation, params).await?;
        Ok(match all.swap_remove(key) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        })
    }

    /// The load balancer or target group of a name.
    ///
    /// # Errors
    /// What the service says, but for that there is none.
    pub async fn named(&self, kind: Kind, name: &str) -> Result<Option<Value>, ModuleError> {
        let operation = format!("Describe{}s", kind.name());
        let params = json!({"Names": [name]});
        let found = self.aws.find("elbv2", &operation, params, MISSING).await?;
        let found = found.map(Value::Map).unwrap_or(Value::Null);
        Ok(list(&found, &format!("{}s", kind.name())).first().cloned())
    }

    /// Makes a change by one call. Nothing comes back in check mode.
    ///
    /// # Errors
    /// What the service says.
    pub async fn change(
        &self,
        edit: Edit,
        operation: &str,
        params: Json,
    ) -> Result<Option<Value>, ModuleError> {
        let act = async || self.aws.call("elbv2", operation, params).await.map(Value::Map);
        self.control.change(edit, act).await
    }

    /// The tags of something.
    ///
    /// # Errors
    /// What the service says.
    pub async fn tags(&self, arn: &str) -> Result<Tags, ModuleError> {
        let params = json!({"ResourceArns": [arn]});
        // What was just made may not be known everywhere.
        let found = self.aws.insist("elbv2", "DescribeTags", params, MISSING).await?;
        let found = Value::Map(found);
        let one = list(&found, "TagDescriptions").first();
        Ok(Shape::USUAL.of(one.and_then(|it| it.get("Tags"))))
    }

    /// Brings the tags of something to what is wanted; the tags afterwards.
    ///
    /// # Errors
    /// What the service says.
    pub async fn keep_tags(&self, arn: &str, wanted: &TagArgs) -> Result<Tags, ModuleError> {
        let current = self.tags(arn).await?;
        let (control, aws, of) = (self.control, self.aws, json!({"ResourceArns": [arn]}));
        let tagged = Tagged { control, aws, operations: TAGS, path: arn, of };
        tagged.bring(&current, &wanted.change(&current)).await
    }

    /// Brings attributes to what is wanted, and leaves the others alone; all of them afterwards.
    ///
    /// # Errors
    /// What the service says.
    pub async fn keep_attributes(
        &self,
        kind: Kind,
        arn: &str,
        wanted: &Attributes,
    ) -> Result<Attributes, ModuleError> {
        let whose = format!("{}Arn", kind.name());
        let operation = format!("Describe{}Attributes", kind.name());
        let params = Json::from_iter([(whose.clone(), arn)]);
        let found = Value::Map(self.aws.insist("elbv2", &operation, params, MISSING).await?);
        let pair = |it: &Value| (text(it, "Key").to_owned(), text(it, "Value").to_owned());
        let mut all: Attributes = list(&found, "Attributes").iter().map(pair).collect();
        let change = due(&all, wanted);
        if change.is_empty() {
            return Ok(all);
        }
        let before: Attributes =
            all.clone().into_iter().filter(|it| change.contains_key(&it.0)).collect();
        let edit = Edit::new("set attributes", arn).from(before).to(&change);
        let entry = |(name, value): (&String, &String)| json!({"Key": name, "Value": value});
        let mut params = json!({"Attributes": change.iter().map(entry).collect::<Vec<_>>()});
        params[whose] = arn.into();
        self.change(edit, &format!("Modify{}Attributes", kind.name()), params).await?;
        all.extend(change);
        Ok(all)
    }
}

/// Puts attributes into a result: `stickiness.enabled` as `stickiness_enabled`.
pub fn show_attributes(attributes: &Attributes, shown: &mut Json) {
    if let Some(shown) = shown.as_object_mut() {
        let named = attributes.iter().map(|(name, value)| (name.replace('.', "_"), value));
        shown.extend(named.map(|(name, value)| (name, value.as_str().into())));
    }
}

/// Attributes that not every target group has, and that are off where it does not tell of them.
const OFF: &[&str] = &["deregistration_delay.connection_termination.enabled"];

/// What has to be set so that there are the attributes that are wanted.
fn due(now: &Attributes, wanted: &Attributes) -> Attributes {
    let differs = |(name, value): &(&String, &String)| match now.get(*name) {
        Some(now) => now != *value,
        None => *value != "false" || !OFF.contains(&name.as_str()),
    };
    let due = wanted.iter().filter(differs);
    due.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_on_need_not_be_turned_off() {
        let all = |list: &[(&str, &str)]| -> Attributes {
            list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let now = all(&[("a", "true"), ("b", "1")]);
        let wanted = all(&[("a", "false"), ("b", "1"), ("c", "false"), (OFF[0], "false")]);
        assert_eq!(due(&now, &wanted), all(&[("a", "false"), ("c", "false")]));
        let on = all(&[(OFF[0], "true")]);
        assert_eq!(due(&now, &on), on);
        assert_eq!(due(&on, &wanted).get(OFF[0]).map(String::as_str), Some("false"));
    }
}
