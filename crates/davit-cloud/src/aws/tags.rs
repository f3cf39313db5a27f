//! Tags: what is to be set and removed so that something has those that a task asks for, and the
//! shapes in which services take and give them.

use std::collections::BTreeMap;

use davit_aws::value::{Map, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::args::yes;

/// Tags by name.
pub type Tags = BTreeMap<String, String>;

/// What modules take that manage tags: flatten it into a module's arguments.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct TagArgs {
    /// The tags, by name. Without it the tags stay as they are; `{}` removes all, unless
    /// `purge_tags` is off.
    #[serde(default, deserialize_with = "tags_of_any")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    #[schemars(extend("x-aliases" = ["resource_tags"]))]
    pub tags: Option<Tags>,
    /// Remove the tags that `tags` does not name.
    #[serde(default = "yes")]
    pub purge_tags: bool,
}

/// Values that YAML takes for numbers or booleans are texts in AWS, as Python writes them. For arguments
/// with tags that are not all of [`TagArgs`].
///
/// # Errors
/// Where it is no map.
pub fn tags_of_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Tags>, D::Error> {
    let written = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(from)?;
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Bool(true) => "True".to_owned(),
        serde_json::Value::Bool(false) => "False".to_owned(),
        serde_json::Value::Null => "None".to_owned(),
        other => other.to_string(),
    };
    Ok(written.map(|map| map.into_iter().map(|(key, value)| (key, text(value))).collect()))
}

/// What has to be done for something to have the tags that it should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagChange {
    /// To be set: new ones, and those with another value.
    pub set: Tags,
    /// To be removed.
    pub remove: Vec<String>,
}

impl TagChange {
    /// From what is there to what is wanted. With `purge`, what is not wanted goes; tags that AWS
    /// keeps for itself (`aws:...`) never do, as nobody can remove them.
    #[must_use]
    pub fn between(current: &Tags, wanted: &Tags, purge: bool) -> Self {
        let set = wanted.iter().filter(|(key, value)| current.get(*key) != Some(value));
        let is_strange = |key: &&String| !wanted.contains_key(*key) && !is_reserved(key);
        Self {
            set: set.map(|(key, value)| (key.clone(), value.clone())).collect(),
            remove: current.keys().filter(|_| purge).filter(is_strange).cloned().collect(),
        }
    }

    /// Nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// What is to be removed, as EC2 takes it.
    #[must_use]
    pub fn keys(&self) -> Vec<serde_json::Value> {
        self.remove.iter().map(|key| serde_json::json!({"Key": key})).collect()
    }

    /// What is there once it is done.
    #[must_use]
    pub fn applied(&self, current: &Tags) -> Tags {
        let kept = current.iter().filter(|(key, _)| !self.remove.contains(key));
        kept.chain(&self.set).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

impl TagArgs {
    /// What has to be done; nothing where the task does not speak of tags.
    #[must_use]
    pub fn change(&self, current: &Tags) -> TagChange {
        match &self.tags {
            Some(wanted) => TagChange::between(current, wanted, self.purge_tags),
            None => TagChange::default(),
        }
    }
}

/// Whether AWS alone may set and remove the tag.
fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|it| it.eq_ignore_ascii_case("aws:"))
}

/// The names of a tag's two parts: almost every service has its own way to write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `Key`, `key`, `TagKey` ...
    pub key: &'static str,
    /// `Value`, `value`, `TagValue` ...
    pub value: &'static str,
}

impl Shape {
    /// `[{"Key": ..., "Value": ...}]`: EC2, S3, IAM, RDS and most others.
    pub const USUAL: Self = Self { key: "Key", value: "Value" };
    /// `[{"key": ..., "value": ...}]`: ECS.
    pub const LOWER: Self = Self { key: "key", value: "value" };
    /// `[{"TagKey": ..., "TagValue": ...}]`: KMS.
    pub const PREFIXED: Self = Self { key: "TagKey", value: "TagValue" };

    /// The list that an operation takes.
    #[must_use]
    pub fn list(self, tags: &Tags) -> Value {
        let tag = |(key, value): (&String, &String)| {
            let entry = [(self.key, key), (self.value, value)];
            entry.map(|(name, text)| (name.to_owned(), Value::from(text.as_str())))
        };
        tags.iter().map(tag).map(Map::from_iter).collect()
    }

    /// The tags of a list that an operation gave, or of a map where the service has one.
    #[must_use]
    pub fn tags(self, given: &Value) -> Tags {
        let text = |it: Option<&Value>| it.and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(map) = given.as_map() {
            return map.iter().map(|(key, value)| (key.clone(), text(Some(value)))).collect();
        }
        let items = given.items().iter();
        items
            .filter_map(|it| {
                Some((it.get(self.key)?.as_str()?.to_owned(), text(it.get(self.value))))
            })
            .collect()
    }

    /// The same of what may not be there: then there are none.
    #[must_use]
    pub fn of(self, given: Option<&Value>) -> Tags {
        given.map(|it| self.tags(it)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tags(list: &[(&str, &str)]) -> Tags {
        list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_differs_is_set_and_what_is_strange_is_removed() {
        let current = tags(&[("Name", "a"), ("env", "dev"), ("old", "1"), ("aws:stack", "s")]);
        let wanted = tags(&[("Name", "a"), ("env", "prod"), ("new", "")]);
        let change = TagChange::between(&current, &wanted, true);
        assert_eq!(change.set, tags(&[("env", "prod"), ("new", "")]));
        assert_eq!(change.remove, ["old"]);
        assert_eq!(TagChange::between(&current, &wanted, false).remove, [""; 0]);
        let after = tags(&[("Name", "a"), ("env", "prod"), ("new", ""), ("aws:stack", "s")]);
        assert_eq!(change.applied(&current), after);
    }

    #[test]
    fn arguments_without_tags_change_none_and_empty_ones_remove_all() {
        let current = tags(&[("a", "1")]);
        let change = |args| serde_json::from_value::<TagArgs>(args).unwrap().change(&current);
        assert!(change(json!({})).is_empty());
        assert!(change(json!({"tags": null})).is_empty());
        assert_eq!(change(json!({"tags": {}})).remove, ["a"]);
        assert!(change(json!({"tags": {}, "purge_tags": false})).is_empty());
        let set = change(json!({"tags": {"a": 1, "b": true, "c": null, "d": 1.5}})).set;
        assert_eq!(set, tags(&[("b", "True"), ("c", "None"), ("d", "1.5")]));
    }

    #[test]
    fn services_write_them_in_their_own_ways() {
        let two = tags(&[("a", "1"), ("b", "")]);
        let list = Shape::USUAL.list(&two).to_json();
        assert_eq!(list, json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]));
        for shape in [Shape::USUAL, Shape::LOWER, Shape::PREFIXED] {
            assert_eq!(shape.tags(&shape.list(&two)), two);
        }
        assert_eq!(Shape::USUAL.tags(&json!({"a": "1", "b": ""}).into()), two);
        assert_eq!(Shape::USUAL.tags(&json!([{"Key": "b"}, {"Value": "x"}, 1]).into()).len(), 1);
        assert!(Shape::USUAL.tags(&Value::Null).is_empty());
    }

    proptest! {
        #[test]
        fn once_done_nothing_is_left_to_do(
            current in prop::collection::btree_map("[a-c]|aws:x", "[x-z]", 0..5),
            wanted in prop::collection::btree_map("[a-d]", "[x-z]", 0..5),
            purge: bool,
        ) {
            let after = TagChange::between(&current, &wanted, purge).applied(&current);
            prop_assert!(TagChange::between(&after, &wanted, purge).is_empty());
        }
    }
}
