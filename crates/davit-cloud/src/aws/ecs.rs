//! What modules for the Elastic Container Service share: clusters, who gives machines, and whether settings are the
//! same although AWS writes down what it took for granted.

use std::collections::BTreeMap;

use davit_aws::value::Value;
use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::client::Aws;

/// The cluster of a name, unless it is gone.
///
/// # Errors
/// What the service says.
pub async fn cluster(aws: &Aws, name: &str) -> Result<Option<Json>, ModuleError> {
    let params = json!({"clusters": [name], "include": ["SETTINGS", "TAGS"]});
    let found = aws.call("ecs", "DescribeClusters", params).await?;
    let found = found.get("clusters").and_then(|it| it.items().first()).map(Value::to_json);
    Ok(found.filter(|it| it["status"] != "INACTIVE"))
}

/// How much of what runs gets machines from whom.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub struct Strategy {
    /// Who gives them.
    #[serde(rename(serialize = "capacityProvider"))]
    pub capacity_provider: String,
    /// So many tasks at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<i64>,
    /// How many of the others, against the weights of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
}

impl Strategy {
    /// Those of an answer.
    #[must_use]
    pub fn list(answer: &Json) -> Vec<Self> {
        let one = |it: &Json| Self {
            capacity_provider: it["capacityProvider"].as_str().unwrap_or_default().to_owned(),
            base: it["base"].as_i64(),
            weight: it["weight"].as_i64(),
        };
        answer.as_array().into_iter().flatten().map(one).collect()
    }

    /// Both speak of the same provider.
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        self.capacity_provider == other.capacity_provider
    }

    /// Whether two lists say the same, in whatever order.
    #[must_use]
    pub fn is_same(one: &[Self], other: &[Self]) -> bool {
        let numbers = |list: &[Self]| -> BTreeMap<String, [i64; 2]> {
            let of = |it: &Self| [it.base.unwrap_or_default(), it.weight.unwrap_or_default()];
            list.iter().map(|it| (it.capacity_provider.clone(), of(it))).collect()
        };
        numbers(one) == numbers(other)
    }
}

/// Settings without what says nothing: nulls, empty texts, lists and maps, `false`.
#[must_use]
pub fn plain(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let kept = map.iter().map(|(name, it)| (name.clone(), plain(it)));
            kept.filter(|(_, it)| !is_empty(it)).collect::<Map<_, _>>().into()
        }
        Json::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_the_same_in_any_order() {
        let read = |it: Json| Strategy::list(&it);
        let one = read(json!([{"capacityProvider": "a", "weight": 1}, {"capacityProvider": "b"}]));
        let other = read(json!([
            {"capacityProvider": "b", "base": 0, "weight": 0},
            {"capacityProvider": "a", "base": 0, "weight": 1},
        ]));
        assert!(Strategy::is_same(&one, &other));
        assert!(!Strategy::is_same(&one, &other[1..]));
        assert_eq!(json!(one[1]), json!({"capacityProvider": "b"}));
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let value = json!({"a": [{"b": "", "c": {}, "d": 0}], "e": [], "f": null, "g": false, "h": {"i": []}});
        assert_eq!(plain(&value), json!({"a": [{"d": 0}]}));
    }
}
