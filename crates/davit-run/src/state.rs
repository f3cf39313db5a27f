//! What is known of each host while a run goes on.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use davit_value::{Key, Map, Value};

use crate::facts::{ASKED, Keeper};

/// Locks for reading. A thread that panicked has been reported already; its state is still true.
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing.
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The variables of one host that arise during a run.
#[derive(Debug, Default)]
pub(crate) struct HostState {
    /// Facts by their full names, `ansible_` and all.
    facts: RwLock<Facts>,
    /// From `include_vars`.
    included: RwLock<Arc<Map>>,
    /// From `set_fact` and `register`.
    set: RwLock<Arc<Map>>,
    /// Where facts are kept for other runs.
    keeper: Option<Keeper>,
}

#[derive(Debug, Default, Clone)]
struct Facts {
    full: Arc<Map>,
    /// The same without their prefix: what `ansible_facts` shows.
    short: Arc<Map>,
}

impl HostState {
    /// A host with what an earlier run has kept of it.
    pub(crate) fn kept_by(keeper: Keeper) -> Self {
        let known = keeper.load();
        let state = Self::default();
        state.take_facts(&known);
        Self { keeper: Some(keeper), ..state }
    }

    /// True where the host was asked for its facts, in this run or an earlier one.
    pub(crate) fn was_asked(&self) -> bool {
        self.facts().contains(ASKED)
    }

    pub(crate) fn facts(&self) -> Arc<Map> {
        Arc::clone(&read(&self.facts).full)
    }

    /// `ansible_facts`.
    pub(crate) fn short_facts(&self) -> Arc<Map> {
        Arc::clone(&read(&self.facts).short)
    }

    pub(crate) fn add_facts(&self, new: &Map) {
        self.take_facts(new);
        if let Some(keeper) = &self.keeper {
            keeper.save(&self.facts());
        }
    }

    fn take_facts(&self, new: &Map) {
        let mut facts = write(&self.facts);
        let Facts { full, short } = &mut *facts;
        let (full, short) = (Arc::make_mut(full), Arc::make_mut(short));
        for (key, value) in new {
            short.insert(short_name(key), value.clone());
            full.insert(key.clone(), value.clone());
        }
    }

    pub(crate) fn clear_facts(&self) {
        *write(&self.facts) = Facts::default();
        if let Some(keeper) = &self.keeper {
            keeper.forget();
        }
    }

    pub(crate) fn included(&self) -> Arc<Map> {
        Arc::clone(&read(&self.included))
    }

    pub(crate) fn add_included(&self, new: &Map) {
        Arc::make_mut(&mut write(&self.included)).extend(new);
    }

    pub(crate) fn set(&self) -> Arc<Map> {
        Arc::clone(&read(&self.set))
    }

    pub(crate) fn add_set(&self, new: &Map) {
        Arc::make_mut(&mut write(&self.set)).extend(new);
    }

    pub(crate) fn set_one(&self, name: &str, value: Value) {
        Arc::make_mut(&mut write(&self.set)).insert(name, value);
    }
}

fn short_name(key: &Key) -> Key {
    match key.as_str() {
        // This one fact keeps its prefix, since `local` would be too common a name.
        Some("ansible_local") => key.clone(),
        Some(name) => Key::from(name.strip_prefix("ansible_").unwrap_or(name)),
        None => key.clone(),
    }
}

/// How the hosts of a play are doing.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    /// Every host of the play, in order.
    pub(crate) all: Vec<Arc<str>>,
    /// Those of this batch.
    pub(crate) batch: Vec<Arc<str>>,
    /// Out: a failure that nothing rescued.
    pub(crate) failed: BTreeSet<Arc<str>>,
    /// Out: not reached.
    pub(crate) unreachable: BTreeSet<Arc<str>>,
    /// Left by `meta: end_host`.
    pub(crate) ended: BTreeSet<Arc<str>>,
    /// `meta: end_play`: no more batches.
    pub(crate) ended_play: bool,
}

impl Hosts {
    fn is_in(&self, host: &Arc<str>) -> bool {
        !self.failed.contains(host)
            && !self.unreachable.contains(host)
            && !self.ended.contains(host)
    }

    /// Of all the play's hosts, those that are still in.
    pub(crate) fn living(&self) -> Vec<Arc<str>> {
        self.all.iter().filter(|host| self.is_in(host)).cloned().collect()
    }

    /// Of this batch, those that are still in.
    pub(crate) fn living_batch(&self) -> Vec<Arc<str>> {
        self.batch.iter().filter(|host| self.is_in(host)).cloned().collect()
    }
}
