//! What services answered, as it is kept, and as variables of hosts.

use davit_aws::value::Value as Said;
use davit_value::{Map, Value};
use serde_json::{Value as Json, json};

/// A map of this one key is a point in time.
const TIME: &str = "$time";

/// What a service said, as JSON that is still told from texts where it is a time.
pub(super) fn packed(said: &Said) -> Json {
    match said {
        Said::Timestamp(_) => json!({TIME: said.to_json()}),
        Said::List(items) => items.iter().map(packed).collect(),
        Said::Map(map) => map.iter().map(|(name, value)| (name.clone(), packed(value))).collect(),
        other => other.to_json(),
    }
}

/// The same as variables have it.
pub(super) fn unpacked(json: &Json) -> Value {
    match json {
        Json::Array(items) => Value::list(items.iter().map(unpacked).collect()),
        Json::Object(map) => match map.get(TIME).and_then(Json::as_str) {
            Some(text) if map.len() == 1 => time(text),
            _ => map
                .iter()
                .map(|(name, value)| (name.as_str(), unpacked(value)))
                .collect::<Map>()
                .into(),
        },
        other => Value::from_json(other),
    }
}

fn time(text: &str) -> Value {
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Value::DateTime(jiff::tz::TimeZone::UTC.to_datetime(at), Some(0)),
        Err(_) => text.into(),
    }
}

/// `[{"Key": "a", "Value": "b"}]` as `{"a": "b"}`, in order.
pub(super) fn tags(listed: Option<&Json>) -> serde_json::Map<String, Json> {
    let listed = listed.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let pair = |tag: &Json| Some((tag.get("Key")?.as_str()?.to_owned(), tag.get("Value")?.clone()));
    listed.iter().filter_map(pair).collect()
}

/// Variables with what is put before and behind their names.
pub(super) fn named(vars: &Json, prefix: Option<&str>, suffix: Option<&str>) -> Map {
    let (prefix, suffix) = (prefix.unwrap_or_default(), suffix.unwrap_or_default());
    let vars = vars.as_object().into_iter().flatten();
    vars.map(|(name, value)| (format!("{prefix}{name}{suffix}"), unpacked(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_still_times_when_they_come_back() {
        let at: jiff::Timestamp = "2026-01-02T03:04:05.25Z".parse().unwrap();
        let said = Said::List(vec![Said::Timestamp(at), "2026-01-02T03:04:05Z".into()]);
        let back = unpacked(&packed(&said));
        assert!(matches!(back.as_list().unwrap(), [Value::DateTime(..), Value::Str(_)]));
        assert_eq!(
            back.to_json(),
            json!(["2026-01-02T03:04:05.250000+00:00", "2026-01-02T03:04:05Z"])
        );
    }

    #[test]
    fn names_of_variables_have_what_is_put_around_them() {
        let vars = named(&json!({"a": {"b": 1}}), Some("aws_"), Some("_x"));
        assert_eq!(Value::from(vars).to_json(), json!({"aws_a_x": {"b": 1}}));
        assert_eq!(Value::from(named(&json!({"a": 1}), None, None)).to_json(), json!({"a": 1}));
    }
}
