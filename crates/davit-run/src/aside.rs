//! A task that has business elsewhere than where it goes: on this machine, or on the host that it
//! would go to were it not delegated.
//!
//! It does not know what that business is.

use std::sync::{Arc, OnceLock};

use davit_value::Map;

use crate::action::Outcome;
use crate::connection::Wanted;
use crate::context::TaskContext;
use crate::scope::TaskScope;
use crate::world::is_local_name;

/// What this machine is called where a task goes to it.
const HERE: &str = "localhost";

impl TaskContext {
    /// The same task on this machine, as the user who runs davit.
    ///
    /// # Errors
    /// A failure, where this machine cannot be used.
    pub fn controller(&self) -> Result<Self, Outcome> {
        let target: Arc<str> = HERE.into();
        let wanted = Wanted {
            host: &target,
            connection: "local",
            privileges: None,
            variable: &|_| Ok(None),
            keywords: &[],
        };
        let way = self.world.connections.to(&wanted).map_err(Outcome::failed);
        let context = self.copy("here", Some(target), true);
        // It is found already: what the inventory says of a host of that name does not matter.
        let _ = context.connection.set(way);
        Ok(context)
    }

    /// The same task on the host that it is for, wherever it was delegated to.
    #[must_use]
    pub fn undelegated(&self) -> Self {
        self.copy("host", None, false)
    }

    /// The same task where it goes, as the user who is logged in there: `become` does not count.
    #[must_use]
    pub fn unprivileged(&self) -> Self {
        self.copy("plain", self.delegated.clone(), true)
    }

    /// The same task where it goes, once more.
    #[must_use]
    pub fn again(&self) -> Self {
        self.copy("again", self.delegated.clone(), self.plain)
    }

    /// Whom the task is delegated to.
    #[must_use]
    pub fn delegate(&self) -> Option<&str> {
        self.delegated.as_deref()
    }

    /// Whether the task was delegated to this machine.
    #[must_use]
    pub fn is_delegated_here(&self) -> bool {
        self.delegated.as_ref().is_some_and(|it| is_local_name(it))
    }

    fn copy(&self, what: &str, delegated: Option<Arc<str>>, plain: bool) -> Self {
        let mut scope = self.scope.clone();
        if self.delegated.is_some() && delegated.is_none() {
            // What was put in about whom it is delegated to goes.
            scope =
                TaskScope::new(&self.world, Some(&self.play), Some(&self.host), Some(&self.task));
            let kept = |name: &str| !matches!(name, "ansible_host" | "ansible_delegated_vars");
            let own = self.scope.locals.iter();
            scope.locals = own
                .filter(|(key, _)| key.as_str().is_none_or(kept))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect::<Map>();
        }
        Self {
            world: Arc::clone(&self.world),
            play: Arc::clone(&self.play),
            host: Arc::clone(&self.host),
            task: Arc::clone(&self.task),
            scope,
            outside: self.outside.clone(),
            delegated,
            plain,
            connection: OnceLock::new(),
            job: None,
            number: self.number,
            place: self.place.beside(what),
            attempt: self.attempt,
            environment: self.environment.clone(),
            cancel: self.cancel.clone(),
            check: self.check,
            diff: self.diff,
            no_log: self.no_log,
        }
    }
}
