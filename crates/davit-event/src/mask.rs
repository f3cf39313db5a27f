//! Secrets, masked by value wherever they turn up.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use crate::Event;

/// What stands in a secret's place.
const COVER: &str = "********";
/// Shorter secrets would mask half of every text.
const SHORTEST: usize = 4;

/// The set of secrets of a run, shared by whoever finds one and the bus that masks them.
///
/// A multi-line secret is masked line by line as well, since a program may print it so.
#[derive(Clone, Debug, Default)]
pub struct Mask(Arc<RwLock<BTreeSet<String>>>);

impl Mask {
    /// Adds a secret. Texts of fewer than four characters are left alone.
    pub fn add(&self, secret: &str) {
        let Ok(mut secrets) = self.0.write() else { return };
        for part in std::iter::once(secret.trim()).chain(secret.lines().map(str::trim)) {
            if part.chars().count() >= SHORTEST {
                secrets.insert(part.to_owned());
            }
        }
    }

    /// True where there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.read().is_ok_and(|secrets| secrets.is_empty())
    }

    /// `text` with every secret covered.
    #[must_use]
    pub fn cover(&self, text: &str) -> Option<String> {
        let secrets = self.0.read().ok()?;
        let mut out: Option<String> = None;
        // Longest first, so that a secret inside another does not leave the rest in sight.
        let mut hits: Vec<&String> =
            secrets.iter().filter(|it| text.contains(it.as_str())).collect();
        hits.sort_by_key(|it| std::cmp::Reverse(it.len()));
        for secret in hits {
            let now = out.as_deref().unwrap_or(text);
            out = Some(now.replace(secret.as_str(), COVER));
        }
        out
    }

    /// The event with every secret covered in every text of it, keys included.
    ///
    /// # Errors
    /// Where the event is not what its own type serializes to, which cannot happen.
    pub fn event(&self, event: Event) -> Result<Event, serde_json::Error> {
        if self.is_empty() {
            return Ok(event);
        }
        let mut json = serde_json::to_value(&event)?;
        if self.json(&mut json) { serde_json::from_value(json) } else { Ok(event) }
    }

    /// Covers every secret in `json`; true where there was one.
    pub fn json(&self, json: &mut serde_json::Value) -> bool {
        match json {
            serde_json::Value::String(text) => match self.cover(text) {
                Some(covered) => {
                    *text = covered;
                    true
                }
                None => false,
            },
            serde_json::Value::Number(number) => match self.cover(&number.to_string()) {
                Some(covered) if covered == COVER => {
                    *json = covered.into();
                    true
                }
                _ => false,
            },
            serde_json::Value::Array(items) => {
                items.iter_mut().fold(false, |hit, item| self.json(item) | hit)
            }
            serde_json::Value::Object(entries) => {
                let mut hit = false;
                for (_, value) in entries.iter_mut() {
                    hit |= self.json(value);
                }
                if entries.keys().any(|key| self.cover(key).is_some()) {
                    hit = true;
                    *entries = std::mem::take(entries)
                        .into_iter()
                        .map(|(key, value)| (self.cover(&key).unwrap_or(key), value))
                        .collect();
                }
                hit
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_covered_in_values_keys_and_inside_other_text() {
        let mask = Mask::default();
        mask.add("hunter2!");
        mask.add("x");
        let mut json = json!({"a": ["x", "pw=hunter2!;"], "hunter2!": 1});
        assert!(mask.json(&mut json));
        assert_eq!(json, json!({"a": ["x", "pw=********;"], "********": 1}));
    }

    #[test]
    fn the_lines_of_a_secret_are_covered_too() {
        let mask = Mask::default();
        mask.add("first line\nsecond line\n");
        assert_eq!(mask.cover("> second line <").as_deref(), Some("> ******** <"));
    }
}
