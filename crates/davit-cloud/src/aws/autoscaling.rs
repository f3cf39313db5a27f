//! What modules for Auto Scaling share: groups, their tags, and the names of what they register with.

use std::collections::BTreeMap;

use davit_aws::value::Value;
use davit_module::ModuleError;
use serde_json::{Value as Json, json};

use super::client::Aws;
use super::parts;

/// A tag of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its value.
    pub value: String,
    /// Whether instances that the group launches get it too.
    pub propagates: bool,
}

/// The groups, or the one of that name.
///
/// # Errors
/// When the service cannot be asked.
pub async fn groups(aws: &Aws, name: Option<&str>) -> Result<Vec<Value>, ModuleError> {
    let params = match name {
        Some(name) => json!({"AutoScalingGroupNames": [name]}),
        None => json!({}),
    };
    let found = aws.all("autoscaling", "DescribeAutoScalingGroups", params).await?;
    Ok(parts::items(&found, "AutoScalingGroups").to_vec())
}

/// The tags of a group by their names.
#[must_use]
pub fn tags(group: &Value) -> BTreeMap<String, Tag> {
    let tag = |it: &Value| {
        let propagates = it.get("PropagateAtLaunch").and_then(Value::as_bool).unwrap_or(false);
        let value = parts::text(it, "Value").to_owned();
        (parts::text(it, "Key").to_owned(), Tag { value, propagates })
    };
    parts::list(group, "Tags").iter().map(tag).collect()
}

/// A tag as the service takes it.
#[must_use]
pub fn tag(group: &str, key: &str, tag: &Tag) -> Json {
    json!({
        "Key": key, "Value": tag.value, "PropagateAtLaunch": tag.propagates,
        "ResourceId": group, "ResourceType": "auto-scaling-group",
    })
}

/// The names of the target groups that a group registers its instances with.
///
/// # Errors
/// When the service cannot be asked.
pub async fn target_groups(aws: &Aws, group: &Value) -> Result<Vec<String>, ModuleError> {
    let arns = parts::list(group, "TargetGroupARNs");
    let arns: Vec<&str> = arns.iter().filter_map(Value::as_str).collect();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let found = aws.all("elbv2", "DescribeTargetGroups", json!({"TargetGroupArns": arns})).await?;
    let found = parts::items(&found, "TargetGroups").iter();
    Ok(found.map(|it| parts::text(it, "TargetGroupName").to_owned()).collect())
}
