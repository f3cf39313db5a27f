//! Who else writes to the terminal while the live region is there: questions, warnings, panics.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::lock;
use super::state::State;

/// The live region, for those who need it out of the way. Without one, nothing is in the way.
#[derive(Clone, Default)]
pub(crate) struct Stage(Arc<Mutex<Weak<Mutex<State>>>>);

impl Stage {
    pub(super) fn set(&self, state: &Arc<Mutex<State>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(state);
    }

    fn state(&self) -> Option<Arc<Mutex<State>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Does something to the terminal while the region is not there.
    pub(crate) fn aside<R>(&self, what: impl FnOnce() -> R) -> R {
        let state = self.state();
        if let Some(state) = &state {
            // What cannot be taken away will be written over.
            let _ = lock(state).hold();
        }
        let result = what();
        if let Some(state) = &state {
            lock(state).release();
        }
        result
    }

    /// The program was stopped and goes on: the region is no longer where it was drawn.
    pub(crate) fn resumed(&self) {
        if let Some(state) = self.state() {
            lock(&state).forget();
        }
    }

    /// The run is over, though its last event may not have come.
    pub(crate) fn leave(&self) {
        if let Some(state) = self.state() {
            // There is nobody left to tell.
            let _ = lock(&state).leave();
        }
    }

    /// Takes the region away for what a panic says. It may be the view itself that panicked: then
    /// nothing is done.
    pub(crate) fn panicked(&self) {
        let stage = self.0.try_lock().ok().and_then(|stage| stage.upgrade());
        if let Some(state) = stage
            && let Ok(mut state) = state.try_lock()
        {
            let _ = state.hold();
            state.release();
        }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stage")
    }
}
