//! Facts that outlive a run: what the engine asks of whoever keeps them.
//!
//! It does not know where they are kept.

use std::sync::Arc;

use davit_event::Reply;
use davit_value::{Key, Map, Value};

/// Keeps facts of hosts between runs. Errors are sentences for people; no run fails for them.
pub trait FactCache: Send + Sync {
    /// The facts of a host; `None` where nothing is kept, or only what is too old.
    ///
    /// # Errors
    /// A sentence, where what is kept cannot be read.
    fn get(&self, host: &str) -> Result<Option<Reply>, String>;

    /// Keeps all facts of a host in place of those that were there.
    ///
    /// # Errors
    /// A sentence, where they cannot be kept.
    fn set(&self, host: &str, facts: &Reply) -> Result<(), String>;

    /// Forgets the facts of a host.
    ///
    /// # Errors
    /// A sentence, where they cannot be removed.
    fn forget(&self, host: &str) -> Result<(), String>;
}

/// What the original keeps beside the facts of a host that was asked for them.
const GATHERED: &str = "_ansible_facts_gathered";
/// What only a host that was asked has.
pub(crate) const ASKED: &str = "module_setup";

/// Tells the user something.
type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// The place where one host's facts are kept.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) cache: Arc<dyn FactCache>,
    pub(crate) host: Arc<str>,
    pub(crate) warn: Option<Warn>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Keeper {
    /// What is kept.
    pub(crate) fn load(&self) -> Map {
        let mut facts = match self.cache.get(&self.host) {
            Ok(facts) => facts.unwrap_or_default(),
            Err(why) => {
                self.tell(&why);
                Reply::new()
            }
        };
        if facts.shift_remove(GATHERED).is_some_and(|it| it == true) {
            facts.entry(ASKED).or_insert(true.into());
        }
        facts
            .iter()
            .map(|(key, value)| (Key::from(key.as_str()), Value::from_json(value)))
            .collect()
    }

    /// Keeps these.
    pub(crate) fn save(&self, facts: &Map) {
        let mut kept: Reply =
            facts.iter().map(|(key, value)| (key.to_text(), value.to_json())).collect();
        if kept.contains_key(ASKED) {
            kept.insert(GATHERED.to_owned(), true.into());
        }
        if let Err(why) = self.cache.set(&self.host, &kept) {
            self.tell(&why);
        }
    }

    /// Keeps nothing.
    pub(crate) fn forget(&self) {
        if let Err(why) = self.cache.forget(&self.host) {
            self.tell(&why);
        }
    }

    fn tell(&self, why: &str) {
        if let Some(warn) = &self.warn {
            warn(why);
        }
    }
}
