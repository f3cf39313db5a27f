//! `filters: {name: values}` of a task, as operations take it.

use davit_aws::value::{Map, Value};
use serde_json::Value as Json;

/// `{"vpc-id": "a"}` as `[{"Name": "vpc-id", "Values": ["a"]}]`; numbers and booleans are texts.
#[must_use]
pub fn list(filters: &serde_json::Map<String, Json>) -> Value {
    let filter = |(name, value): (&String, &Json)| {
        let values: Value = match value {
            Json::Array(items) => items.iter().map(text).collect(),
            other => std::iter::once(text(other)).collect(),
        };
        Map::from_iter([("Name".to_owned(), name.as_str().into()), ("Values".to_owned(), values)])
    };
    filters.iter().map(filter).collect()
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_filter_has_a_list_of_texts() {
        let given = json!({"vpc-id": "a", "tag:Name": ["x", 1], "isDefault": true});
        let expect = json!([
            {"Name": "vpc-id", "Values": ["a"]},
            {"Name": "tag:Name", "Values": ["x", "1"]},
            {"Name": "isDefault", "Values": ["true"]},
        ]);
        assert_eq!(list(given.as_object().unwrap()).to_json(), expect);
        assert_eq!(list(&serde_json::Map::new()).to_json(), json!([]));
    }
}
