//! What is secret in bodies and answers, by the names that it goes by in a cloud.

use davit_module::control::Control;
use serde_json::Value;

/// How the names of secret values end, in small letters.
#[derive(Clone, Copy, Debug)]
pub struct Names(pub &'static [&'static str]);

impl Names {
    /// Whether what stands under a name is secret.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.0.iter().any(|it| name.ends_with(it))
    }

    /// Keeps what is secret in a value from being shown. `is_key` is set for answers that hold nothing but keys, where
    /// every `value` is one.
    pub fn cover(self, control: &Control, value: &Value, is_key: bool) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    if self.has(name) || (is_key && name == "value") {
                        texts(value, &|text| control.secret(text));
                    }
                    self.cover(control, value, is_key);
                }
            }
            Value::Array(items) => items.iter().for_each(|it| self.cover(control, it, is_key)),
            _ => {}
        }
    }

    /// The value with what is secret in it left out.
    #[must_use]
    pub fn without(self, value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let kept = map.iter().map(|(name, value)| {
                    let value =
                        if self.has(name) { "********".into() } else { self.without(value) };
                    (name.clone(), value)
                });
                Value::Object(kept.collect())
            }
            Value::Array(items) => items.iter().map(|it| self.without(it)).collect(),
            other => other.clone(),
        }
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
