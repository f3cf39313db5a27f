//! Control modules: what talks to an API from the controller, whatever host its task is for.
//!
//! ```text
//! task ──Call──▶ Entry ──Spec──▶ Module::run ──▶ Control::change (the gate) ──▶ the API
//!      ◀─Reply──                ◀──Outcome───
//! ```
//!
//! Modules of hosts see a [`Host`](crate::Host) and are synchronous; control modules see a
//! [`Control`] and are futures. All else is the same: argument structs, tables, results, errors.
//! Which runtime drives a future is not known here: a module waits with the timers and sockets of
//! whatever it links, and is stopped by being dropped.
//!
//! **Invariant:** a control module changes something only within [`Control::change`], which knows
//! check mode.

mod change;
mod entry;
mod shared;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use davit_event::{Mask, Reply, Stream};
use serde_json::Value;

use crate::{Call, Cancel};

pub use self::change::{ApiChange, ApiKind, Edit};
pub use self::entry::{Entry, Look, Module, Odd, Running};
pub use self::shared::Shared;

/// What a run lends to every call of a control module.
#[derive(Clone, Default)]
pub struct Lent {
    /// The environment of the program that runs the play.
    pub environment: Arc<BTreeMap<String, String>>,
    /// What the run does not show.
    pub mask: Mask,
    /// What modules keep from one task to the next.
    pub shared: Shared,
    /// Hears that a change is about to be made.
    pub begins: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Hears of each change that was made, as soon as it was.
    pub journal: Option<Arc<dyn Fn(ApiChange) + Send + Sync>>,
}

impl Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// One call of a control module: what it sees of the run, and the gate of its changes.
#[derive(Debug)]
pub struct Control {
    call: Call,
    lent: Lent,
    seen: Mutex<Seen>,
}

/// What a call has come to so far, besides its result.
#[derive(Debug, Default)]
struct Seen {
    changed: bool,
    warnings: Vec<String>,
    deprecations: Vec<Value>,
    differences: Vec<Value>,
}

impl Control {
    /// For this call; what `lent` has is the run's.
    #[must_use]
    pub fn new(call: Call, lent: Lent) -> Self {
        Self { call, lent, seen: Mutex::default() }
    }

    /// The module is to predict. Changes that go through the gate need not ask.
    #[must_use]
    pub fn is_check(&self) -> bool {
        self.call.check
    }

    /// The user wants to see what changes. The gate shows it by itself.
    #[must_use]
    pub fn wants_diff(&self) -> bool {
        self.call.diff
    }

    /// How many `-v` the user gave.
    #[must_use]
    pub fn verbosity(&self) -> u8 {
        self.call.verbosity
    }

    /// The name by which the user called the module.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.call.name
    }

    /// A variable of the environment: what the task's `environment:` says stands above the
    /// program's own.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let said = self.call.environment.iter().rev().find(|(key, _)| key == name);
        said.map(|(_, value)| value).or_else(|| self.lent.environment.get(name)).map(String::as_str)
    }

    /// All of that environment.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut all = (*self.lent.environment).clone();
        all.extend(self.call.environment.iter().cloned());
        all
    }

    /// What modules keep from one task to the next: clients, connections, credentials.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.lent.shared
    }

    /// Keeps a text from being shown, in this result and in all that the run tells from now on.
    /// A registered result still holds it. Texts of fewer than four characters are not covered.
    pub fn secret(&self, text: &str) {
        self.lent.mask.add(text);
    }

    /// Tells the user of something that is not an error.
    pub fn warn(&self, text: impl Into<String>) {
        self.seen().warnings.push(text.into());
    }

    /// Tells the user of something that goes away: a map with `msg`, and `version` or `date`.
    pub fn deprecate(&self, what: Value) {
        self.seen().deprecations.push(what);
    }

    /// Tells whoever watches what is going on, such as what is being waited for.
    pub fn tell(&self, text: &str) {
        self.call.listener.hear(Stream::Stdout, format!("{text}\n").as_bytes());
    }

    /// Set when the call is to stop. Its future is dropped then; work that was handed to others
    /// has to look here.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.call.cancel
    }

    /// Whether a change was made, or is predicted.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.seen().changed
    }

    /// Adds to a result what was noted on the way.
    fn finish(&self, reply: &mut Reply) {
        let mut seen = self.seen();
        let differences = std::mem::take(&mut seen.differences);
        if !differences.is_empty() && !reply.contains_key("diff") {
            reply.insert("diff".to_owned(), Value::Array(differences));
        }
        crate::host::append(reply, "warnings", seen.warnings.drain(..).map(Value::String));
        crate::host::append(reply, "deprecations", seen.deprecations.drain(..));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Notes of a call that panicked are still true.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
