//! Where the names of a template come from.

use std::sync::Arc;

use davit_value::{Map, Value};

/// Where names come from. Values may be live: whoever asked renders them when they are used.
pub trait Scope: Send + Sync {
    /// The value of `name`, where there is one.
    fn get(&self, name: &str) -> Option<Value>;

    /// Every name there is, in no particular order, for suggestions and for `vars`.
    fn names(&self) -> Vec<String>;
}

impl Scope for Map {
    fn get(&self, name: &str) -> Option<Value> {
        Self::get(self, name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().filter_map(|key| key.as_str().map(str::to_owned)).collect()
    }
}

/// Shared dictionaries on top of one another: the last one that has a name gives its value.
#[derive(Clone, Debug, Default)]
pub struct Layers(pub Vec<Arc<Map>>);

impl Scope for Layers {
    fn get(&self, name: &str) -> Option<Value> {
        self.0.iter().rev().find_map(|layer| layer.get(name).cloned())
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.0.iter().flat_map(|layer| Scope::names(&**layer)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A few names on top of another scope.
#[derive(Clone, Copy)]
pub struct Overlay<'a> {
    /// These win.
    pub top: &'a Map,
    /// The rest comes from here.
    pub below: &'a dyn Scope,
}

impl Scope for Overlay<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.top.get(name).cloned().or_else(|| self.below.get(name))
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.below.names();
        names.extend(Scope::names(self.top));
        names
    }
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").field("top", self.top).finish_non_exhaustive()
    }
}
