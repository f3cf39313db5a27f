//! What is secret in bodies and answers of Azure, by the names that it goes by.

use davit_module::control::Control;
use serde_json::Value;

/// How the names of secret values end, in small letters.
const SECRET: &[&str] = &[
    "accesskey",
    "accountkey",
    "connectionstring",
    "kubeconfig",
    "password",
    "primarykey",
    "privatekey",
    "protectedsettings",
    "sastoken",
    "secondarykey",
    "secret",
    "secretvalue",
    "sharedkey",
];

/// Whether what stands under a name is secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|it| name.ends_with(it))
}

/// Keeps what is secret in a value from being shown. `is_key` is set for answers that hold nothing
/// but keys, where every `value` is one.
pub fn cover(control: &Control, value: &Value, is_key: bool) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if is_secret(name) || (is_key && name == "value") {
                    texts(value, &|text| control.secret(text));
                }
                cover(control, value, is_key);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| cover(control, it, is_key)),
        _ => {}
    }
}

fn texts(value: &Value, tell: &dyn Fn(&str)) {
    match value {
        Value::String(text) => tell(text),
        Value::Array(items) => items.iter().for_each(|it| texts(it, tell)),
        Value::Object(map) => map.values().for_each(|it| texts(it, tell)),
        _ => {}
    }
}

/// The value with what is secret in it left out.
#[must_use]
pub fn without(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().map(|(name, value)| {
                let value = if is_secret(name) { "********".into() } else { without(value) };
                (name.clone(), value)
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.iter().map(without).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        let value =
            json!({"a": [{"adminPassword": "p", "keyName": "k", "protectedSettings": {"a": 1}}]});
        let shown = json!({"a": [{"adminPassword": "********", "keyName": "k", "protectedSettings": "********"}]});
        assert_eq!(without(&value), shown);
        assert!(!is_secret("secretUri") && is_secret("primaryConnectionString"));
    }
}
