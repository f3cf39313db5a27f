//! Whether a resource is as it is wanted: what is wanted is a part of what is there. Knows what all
//! services of Azure have in common, and no service.

use serde_json::{Map, Value};

/// What is not compared, and what is compared without its order.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    ignore: Vec<Vec<String>>,
    ignore_order: Vec<Vec<String>>,
}

impl Rules {
    /// Paths are `properties.osProfile.adminPassword`; `*` stands for any one part, such as the place
    /// in a list.
    #[must_use]
    pub fn new(ignore: &[String], ignore_order: &[String]) -> Self {
        let paths = |all: &[String]| all.iter().map(|it| split(it)).collect();
        Self { ignore: paths(ignore), ignore_order: paths(ignore_order) }
    }

    /// The paths of what is wanted and not there.
    #[must_use]
    pub fn differences(&self, wanted: &Value, actual: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(wanted, Some(actual), &mut Vec::new(), &mut found);
        found
    }

    fn walk(
        &self,
        wanted: &Value,
        actual: Option<&Value>,
        path: &mut Vec<String>,
        found: &mut Vec<String>,
    ) {
        if self.ignore.iter().any(|it| begins(path, it)) {
            return;
        }
        match (wanted, actual.unwrap_or(&Value::Null)) {
            (Value::Object(wanted), Value::Object(actual)) => {
                for (name, value) in wanted {
                    path.push(name.clone());
                    self.walk(value, get(actual, name), path, found);
                    path.pop();
                }
            }
            // A map that says nothing wants nothing.
            (Value::Object(wanted), Value::Null) if wanted.is_empty() => {}
            (Value::Array(wanted), Value::Array(actual)) => self.lists(wanted, actual, path, found),
            (Value::Array(wanted), Value::Null) if wanted.is_empty() => {}
            (wanted, actual) => {
                if !is_same(wanted, actual, path) {
                    found.push(path.join("."));
                }
            }
        }
    }

    /// Lists are wanted as a whole. Those of things with names have no order.
    fn lists(
        &self,
        wanted: &[Value],
        actual: &[Value],
        path: &mut Vec<String>,
        found: &mut Vec<String>,
    ) {
        if wanted.len() != actual.len() {
            found.push(path.join("."));
            return;
        }
        let by = ["name", "id"].into_iter().find(|key| {
            wanted.iter().chain(actual).all(|it| it.get(key).is_some_and(Value::is_string))
        });
        let is_free = self.ignore_order.iter().any(|it| path.len() == it.len() && begins(path, it));
        let mut left: Vec<&Value> = actual.iter().collect();
        for (place, item) in wanted.iter().enumerate() {
            path.push(place.to_string());
            let partner = if let Some(key) = by {
                let name = |it: &Value| it[key].as_str().unwrap_or_default().to_lowercase();
                left.iter().position(|it| name(it) == name(item))
            } else if is_free {
                left.iter().position(|it| {
                    let mut inner = Vec::new();
                    self.walk(item, Some(it), path, &mut inner);
                    inner.is_empty()
                })
            } else {
                Some(0)
            };
            match partner {
                Some(at) => {
                    let other = left.remove(at);
                    self.walk(item, Some(other), path, found);
                }
                None => found.push(path.join(".")),
            }
            path.pop();
        }
    }
}

fn split(path: &str) -> Vec<String> {
    path.split('.').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn begins(path: &[String], with: &[String]) -> bool {
    !with.is_empty()
        && path.len() >= with.len()
        && path.iter().zip(with).all(|(one, other)| other == "*" || one.eq_ignore_ascii_case(other))
}

/// Names of properties have no case for Azure; tags keep theirs.
fn get<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let other = || map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, it)| it);
    map.get(name).or_else(other)
}

fn is_same(wanted: &Value, actual: &Value, path: &[String]) -> bool {
    match (wanted, actual) {
        (Value::String(wanted), Value::String(actual)) => {
            let name = path.last().map(String::as_str).unwrap_or_default();
            // "West Europe" is told as "westeurope".
            let place = |it: &str| it.replace(' ', "").to_lowercase();
            // What things in lists are found by, and what the whole is.
            let is_item = path.iter().rev().nth(1).is_none_or(|it| it.parse::<usize>().is_ok());
            let has_no_case = name == "id"
                || (is_item && name == "name")
                || (path.len() == 1 && name == "type")
                || wanted.starts_with("/subscriptions/");
            wanted == actual
                || (has_no_case && wanted.eq_ignore_ascii_case(actual))
                || (matches!(name, "location" | "locationName") && place(wanted) == place(actual))
        }
        (Value::Number(wanted), Value::Number(actual)) => {
            wanted == actual || wanted.as_f64() == actual.as_f64()
        }
        (wanted, actual) => wanted == actual,
    }
}

/// Of what is there, the part that is spoken of: for showing both side by side.
#[must_use]
pub fn part(wanted: &Value, actual: &Value) -> Value {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => {
            let both = wanted.iter().filter_map(|(name, wanted)| {
                Some((name.clone(), part(wanted, get(actual, name)?)))
            });
            Value::Object(both.collect())
        }
        (_, actual) => actual.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(wanted: Value, actual: Value) -> String {
        let ignore = ["properties.password".to_owned(), "properties.list.*.key".to_owned()];
        let order = ["properties.zones".to_owned()];
        Rules::new(&ignore, &order).differences(&wanted, &actual).join(" ")
    }

    #[test]
    fn what_is_wanted_is_part_of_what_is_there() {
        for (wanted, actual, expected) in [
            (json!({"a": 1}), json!({"A": 1.0, "b": 2}), ""),
            (json!({"a": {"b": [1, 2]}}), json!({"a": {"b": [2, 1]}}), "a.b.0 a.b.1"),
            (json!({"a": "x"}), json!({"a": "X"}), "a"),
            (json!({"a": null}), json!({}), ""),
            (json!({"a": {}, "b": []}), json!({}), ""),
            (json!({"a": false}), json!({}), "a"),
            (json!({"location": "West Europe"}), json!({"location": "westeurope"}), ""),
            (
                json!({"a": {"id": "/subscriptions/S/x"}}),
                json!({"a": {"id": "/subscriptions/s/X"}}),
                "",
            ),
            (json!({"vnet": "/subscriptions/S/x"}), json!({"vnet": "/subscriptions/S/y"}), "vnet"),
            (json!({"type": "A/b"}), json!({"type": "a/B"}), ""),
            (json!({"properties": {"password": "p", "x": 1}}), json!({"properties": {"x": 1}}), ""),
            (
                json!({"properties": {"list": [{"key": "p"}]}}),
                json!({"properties": {"list": [{}]}}),
                "",
            ),
            (
                json!({"properties": {"zones": ["1", "2"]}}),
                json!({"properties": {"zones": ["2", "1"]}}),
                "",
            ),
            (
                json!({"properties": {"zones": ["1", "1"]}}),
                json!({"properties": {"zones": ["2", "1"]}}),
                "properties.zones.1",
            ),
            (
                json!({"s": [{"name": "a", "x": 1}, {"name": "b", "x": 2}]}),
                json!({"s": [{"name": "B", "x": 2, "y": 1}, {"name": "a", "x": 3}]}),
                "s.0.x",
            ),
            (json!({"s": [{"name": "a"}]}), json!({"s": [{"name": "a"}, {"name": "b"}]}), "s"),
            (json!({"a": {"b": 1}}), json!({"a": "b"}), "a"),
        ] {
            assert_eq!(found(wanted.clone(), actual), expected, "{wanted}");
        }
    }

    #[test]
    fn both_sides_are_shown_alike() {
        let actual = json!({"tags": {"a": "1", "b": "2"}, "etag": "x"});
        assert_eq!(
            part(&json!({"tags": {"a": "2"}, "sku": {}}), &actual),
            json!({"tags": {"a": "1"}})
        );
    }
}
