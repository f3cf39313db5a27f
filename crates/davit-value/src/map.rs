//! Lists and dictionaries that know whether something in them still has to be rendered.

use indexmap::IndexMap;

use crate::{Key, Value};

/// A list of values.
#[derive(Clone, Debug, Default)]
pub struct List {
    items: Vec<Value>,
    live: bool,
}

impl List {
    /// The items in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Value] {
        &self.items
    }

    /// Puts `value` at the end.
    pub fn push(&mut self, value: Value) {
        self.live |= value.is_live();
        self.items.push(value);
    }

    /// Puts `value` before the item at `at`, or at the end where there is none.
    pub fn insert(&mut self, at: usize, value: Value) {
        self.live |= value.is_live();
        self.items.insert(at.min(self.items.len()), value);
    }

    /// Takes the item at `at` out.
    pub fn remove(&mut self, at: usize) -> Option<Value> {
        (at < self.items.len()).then(|| self.items.remove(at))
    }

    /// Changes the item at `at` in place; `None` where there is none.
    pub fn modify<R>(&mut self, at: usize, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        let item = self.items.get_mut(at)?;
        let result = change(item);
        self.live |= item.is_live();
        Some(result)
    }

    /// See [`Value::is_live`].
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The items.
    #[must_use]
    pub fn into_vec(self) -> Vec<Value> {
        self.items
    }
}

impl From<Vec<Value>> for List {
    fn from(items: Vec<Value>) -> Self {
        let live = items.iter().any(Value::is_live);
        Self { items, live }
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::from(items.into_iter().collect::<Vec<_>>())
    }
}

impl std::ops::Deref for List {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.items
    }
}

/// A dictionary in insertion order.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: IndexMap<Key, Value>,
    live: bool,
}

impl Map {
    /// An empty dictionary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value at the string key `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// The value at any key.
    #[must_use]
    pub fn get_key(&self, key: &Key) -> Option<&Value> {
        self.entries.get(key)
    }

    /// True where the string key `key` is there.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Sets `key`, keeping its place where it was there; returns the old value.
    pub fn insert(&mut self, key: impl Into<Key>, value: Value) -> Option<Value> {
        self.live |= value.is_live();
        self.entries.insert(key.into(), value)
    }

    /// Changes the value at `key` in place; `None` where there is none.
    pub fn modify<R>(&mut self, key: &Key, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        let value = self.entries.get_mut(key)?;
        let result = change(value);
        self.live |= value.is_live();
        Some(result)
    }

    /// Takes the string key `key` out, keeping the order of the rest.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.entries.shift_remove(key)
    }

    /// Takes any key out, keeping the order of the rest.
    pub fn remove_key(&mut self, key: &Key) -> Option<Value> {
        self.entries.shift_remove(key)
    }

    /// How many entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True for no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values in order.
    #[must_use]
    pub fn iter(&self) -> indexmap::map::Iter<'_, Key, Value> {
        self.entries.iter()
    }

    /// Keys in order.
    #[must_use]
    pub fn keys(&self) -> indexmap::map::Keys<'_, Key, Value> {
        self.entries.keys()
    }

    /// Values in order.
    #[must_use]
    pub fn values(&self) -> indexmap::map::Values<'_, Key, Value> {
        self.entries.values()
    }

    /// Sets every entry of `other` here.
    pub fn extend(&mut self, other: &Self) {
        self.live |= other.live;
        for (key, value) in other {
            self.entries.insert(key.clone(), value.clone());
        }
    }

    /// See [`Value::is_live`].
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }
}

impl<K: Into<Key>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Key, &'a Value);
    type IntoIter = indexmap::map::Iter<'a, Key, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = indexmap::map::IntoIter<Key, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}
