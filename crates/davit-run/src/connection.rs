//! How modules get to hosts.
//!
//! A [`Connection`] takes calls of modules; what lies between is its own affair. The local one
//! runs them in this process, on a thread that may block.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use davit_event::Reply;
use davit_module::Spec;
use davit_module::{Call, Cancel, Entry, Options, Session};

/// What a call of a module comes to: its reply, or why the host cannot be reached.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Reply, String>> + Send + 'a>>;

/// A way to one host.
pub trait Connection: Send + Sync {
    /// Runs a module there.
    fn call(&self, entry: &'static Entry, spec: Arc<Spec>, call: Call) -> Calling<'_>;
}

/// The ways to all hosts of a run, each made once.
pub struct Connections {
    options: Options,
    cancelled: AtomicBool,
    running: Mutex<Vec<Cancel>>,
    local: Mutex<HashMap<Arc<str>, Arc<Local>>>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Connections {
    /// No host is connected yet. `options` are those of every host's session.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            cancelled: AtomicBool::new(false),
            running: Mutex::default(),
            local: Mutex::default(),
        }
    }

    /// Stops every call that runs now or is begun later.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        for cancel in self.running.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            cancel.cancel();
        }
    }

    /// True once [`cancel`](Self::cancel) was asked for.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// A flag of its own for one task, set by [`cancel`](Self::cancel) as well.
    #[must_use]
    pub fn new_cancel(&self) -> Cancel {
        let cancel = Cancel::default();
        if self.is_cancelled() {
            cancel.cancel();
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|it| it.is_shared());
        running.push(cancel.clone());
        cancel
    }

    /// Forgets the way to `host`: the next task makes it anew.
    pub fn reset(&self, _host: &Arc<str>) {
        // The local way has nothing that could be stale; what a dry run predicts stays true.
    }

    /// The way to `host` by the connection of that name (`local`, `ssh` ...).
    ///
    /// # Errors
    /// A sentence, where there is no such way.
    pub fn to(&self, host: &Arc<str>, name: &str) -> Result<Arc<dyn Connection>, String> {
        match name.strip_prefix("ansible.builtin.").unwrap_or(name) {
            "local" => {
                let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
                let way = local
                    .entry(Arc::clone(host))
                    .or_insert_with(|| Arc::new(Local(Session::new(self.options.clone()))));
                Ok(Arc::<Local>::clone(way))
            }
            other => Err(format!(
                "the connection '{other}' is not available: this version reaches hosts with `ansible_connection: local`"
            )),
        }
    }
}

/// This machine.
struct Local(Session);

impl Connection for Local {
    fn call(&self, entry: &'static Entry, spec: Arc<Spec>, call: Call) -> Calling<'_> {
        let session = self.0.clone();
        Box::pin(async move {
            tokio::task::spawn_blocking(move || entry.call_with(&spec, &session, &call))
                .await
                .map_err(|error| format!("the module {} broke off: {error}", entry.name))
        })
    }
}
