//! What a module says when it is done: the keys of its result.

use davit_event::Reply;
use serde::Serialize;
use serde_json::Value;

/// The result of a module's run, built key by key.
///
/// `changed` is true where the module said so or where a change went through the gate.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    changed: Option<bool>,
    bare: bool,
    keys: Reply,
}

impl Outcome {
    /// A result with no keys, whose `changed` the gate knows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether the host was changed, whatever the gate saw.
    #[must_use]
    pub fn changed(mut self, changed: bool) -> Self {
        self.changed = Some(changed);
        self
    }

    /// Leaves out owner, mode and the like of the path that the result names.
    #[must_use]
    pub fn without_path_keys(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Whether the result goes without what is known of its path.
    pub(crate) fn is_bare(&self) -> bool {
        self.bare
    }

    /// Adds a key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Serialize) -> Self {
        self.set(key, value);
        self
    }

    /// Adds all keys of a map; nothing of what is none.
    #[must_use]
    pub fn with_all(mut self, map: Value) -> Self {
        if let Value::Object(map) = map {
            self.keys.extend(map);
        }
        self
    }

    /// Sets `msg`.
    #[must_use]
    pub fn msg(self, text: impl Into<String>) -> Self {
        self.with("msg", text.into())
    }

    /// Sets a key. A value that JSON cannot hold is left out.
    pub fn set(&mut self, key: &str, value: impl Serialize) {
        if let Ok(value) = serde_json::to_value(value) {
            self.keys.insert(key.to_owned(), value);
        }
    }

    /// A key that was set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key)
    }

    /// The result's map; `changed` is `seen` where the module did not say.
    #[must_use]
    pub fn into_reply(self, seen: bool) -> Reply {
        let mut reply = self.keys;
        reply.insert("changed".to_owned(), Value::Bool(self.changed.unwrap_or(seen)));
        reply
    }
}
