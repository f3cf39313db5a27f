//! What runs right now, for who stops a run: what there is to wait for, and what need not be waited for.
//!
//! It knows names and marks only, and runs nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::world::World;

/// What is noted of a task on a host while it runs.
#[derive(Debug, Default)]
pub(crate) struct Mark {
    changing: AtomicBool,
    dropped: AtomicBool,
}

impl Mark {
    /// A control module begins to change something: from here on it is waited for.
    pub(crate) fn begin_change(&self) {
        self.changing.store(true, Ordering::Relaxed);
    }

    /// It was dropped before it changed anything: it has no result.
    pub(crate) fn drop_it(&self) {
        self.dropped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Relaxed)
    }
}

type Running = BTreeMap<(u32, Arc<str>), (String, Arc<Mark>)>;

/// All tasks on hosts that run now, by the number of the task's start and the host.
#[derive(Debug, Default)]
pub(crate) struct Underway {
    running: Mutex<Running>,
    stops: Notify,
}

impl Underway {
    fn running(&self) -> MutexGuard<'_, Running> {
        // What another thread wrote before it panicked is still true.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a task begins on a host; what comes back ends it when it is dropped.
    pub(crate) fn enter(&self, number: u32, host: &Arc<str>, name: String) -> Entered<'_> {
        let (key, mark) = ((number, Arc::clone(host)), Arc::new(Mark::default()));
        self.running().insert(key.clone(), (name, Arc::clone(&mark)));
        Entered { of: self, key, mark }
    }

    /// The mark of a task on a host.
    pub(crate) fn mark(&self, number: u32, host: &Arc<str>) -> Arc<Mark> {
        let running = self.running();
        running.get(&(number, Arc::clone(host))).map(|it| Arc::clone(&it.1)).unwrap_or_default()
    }

    /// The user asked to stop.
    pub(crate) fn stop(&self) {
        self.stops.notify_waiters();
    }
}

/// A task that runs on a host.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    of: &'a Underway,
    key: (u32, Arc<str>),
    pub(crate) mark: Arc<Mark>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.of.running().remove(&self.key);
    }
}

impl World {
    /// The tasks that run now, each with its hosts.
    #[must_use]
    pub fn running(&self) -> Vec<(String, Vec<String>)> {
        let mut tasks: BTreeMap<u32, (String, Vec<String>)> = BTreeMap::new();
        for ((number, host), (name, _)) in self.underway.running().iter() {
            let task = tasks.entry(*number).or_insert_with(|| (name.clone(), Vec::new()));
            task.1.push(host.to_string());
        }
        tasks.into_values().collect()
    }

    /// Ends once the user asked to stop and the task with this mark has changed nothing; never where it has.
    pub(crate) async fn stopped_before(&self, mark: &Mark) {
        let told = self.underway.stops.notified();
        let mut told = std::pin::pin!(told);
        // Whoever stops between the question and the wait is heard.
        told.as_mut().enable();
        if !self.is_stopping() {
            told.await;
        }
        if mark.changing.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}
