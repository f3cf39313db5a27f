//! Parts of answers of EC2 and Auto Scaling, and the tags of anything that EC2 has.

use davit_aws::value::{Map, Value};
use davit_module::ModuleError;
use davit_module::control::Control;
use serde_json::{Value as Json, json};

use super::client::Aws;
use super::names;
use super::tagging::edits;
use super::tags::{Shape, TagChange, Tags};

/// The list under a name of an answer; none where there is none.
#[must_use]
pub fn items<'a>(answer: &'a Map, name: &str) -> &'a [Value] {
    answer.get(name).map(Value::items).unwrap_or_default()
}

/// The list under a name of a value; none where there is none.
#[must_use]
pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).map(Value::items).unwrap_or_default()
}

/// The text under a name; nothing where there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The tags of something that EC2 described.
#[must_use]
pub fn tags(value: &Value) -> Tags {
    Shape::USUAL.of(value.get("Tags"))
}

/// Something that EC2 described, as results show it: names in snake case, tags by name.
#[must_use]
pub fn shown(value: &Value) -> Json {
    let mut json = value.to_json();
    if let Some(map) = json.as_object_mut() {
        map.insert("Tags".to_owned(), json!(tags(value)));
    }
    names::snake_all(json, &["Tags"])
}

/// Brings the tags of something to what is wanted, through the gate.
///
/// # Errors
/// What EC2 says.
pub async fn tag(
    control: &Control,
    aws: &Aws,
    id: &str,
    current: &Tags,
    change: &TagChange,
) -> Result<(), ModuleError> {
    let (removal, setting) = edits(id, current, change);
    if let Some(edit) = removal {
        let params = json!({"Resources": [id], "Tags": change.keys()});
        control.change(edit, async || aws.call("ec2", "DeleteTags", params).await).await?;
    }
    if let Some(edit) = setting {
        let tags = Shape::USUAL.list(&change.set).to_json();
        let params = json!({"Resources": [id], "Tags": tags});
        control.change(edit, async || aws.call("ec2", "CreateTags", params).await).await?;
    }
    Ok(())
}

/// The tags that something new begins with, as operations that create it take them.
#[must_use]
pub fn tag_specifications(kinds: &[&str], tags: &Tags) -> Value {
    if tags.is_empty() {
        return Value::Null;
    }
    let of = |kind: &&str| {
        Map::from_iter([
            ("ResourceType".to_owned(), Value::from(*kind)),
            ("Tags".to_owned(), Shape::USUAL.list(tags)),
        ])
    };
    kinds.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ec2_described_is_shown_with_its_tags_by_name() {
        let one = Value::from(json!({
            "InstanceId": "i-1",
            "Tags": [{"Key": "Team Name", "Value": "a"}],
            "NetworkInterfaces": [{"Ipv6Addresses": []}],
        }));
        let expect = json!({
            "instance_id": "i-1",
            "tags": {"Team Name": "a"},
            "network_interfaces": [{"ipv6_addresses": []}],
        });
        assert_eq!(shown(&one), expect);
        assert_eq!(shown(&json!({}).into()), json!({"tags": {}}));
    }

    #[test]
    fn nothing_is_said_of_no_tags() {
        assert_eq!(tag_specifications(&["instance"], &Tags::new()), Value::Null);
        let tags = Tags::from([("a".to_owned(), "1".to_owned())]);
        let said = tag_specifications(&["instance", "volume"], &tags).to_json();
        assert_eq!(
            said[1],
            json!({"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "1"}]})
        );
    }
}
