//! What control modules keep from one task to the next, for the length of a run.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Values by type and name, each made when it is first asked for. Clones are the same store.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<HashMap<(TypeId, String), Slot>>>);

/// A value, or the place where it is being made.
type Slot = Arc<OnceLock<Arc<dyn Any + Send + Sync>>>;

impl Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.slots().len()).finish()
    }
}

impl Shared {
    /// The value of that type and name. Where there is none, `make` makes it; whoever asks for the
    /// same at that time waits. What takes long to make belongs behind an async cell in the value.
    pub fn get<T: Send + Sync + 'static>(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let slot = {
            let mut slots = self.slots();
            Arc::clone(slots.entry((TypeId::of::<T>(), name.to_owned())).or_default())
        };
        let value = slot.get_or_init(|| Arc::new(make()));
        Arc::clone(value).downcast().expect("slots are found by the type of their values")
    }

    /// Drops everything: the run is over.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *self.slots());
        // Outside the lock: a value may ask for others while it is dropped.
        drop(all);
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<(TypeId, String), Slot>> {
        // Nothing is left half done while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_made_once_for_each_type_and_name() {
        let shared = Shared::default();
        let one = shared.get("eu", || 1_u32);
        assert_eq!((*one, *shared.get("eu", || 2_u32)), (1, 1));
        assert_eq!(*shared.clone().get("us", || 3_u32), 3);
        assert_eq!(*shared.get("eu", || "text"), "text");
        shared.clear();
        assert_eq!(*shared.get("eu", || 4_u32), 4);
        assert_eq!(*one, 1);
    }

    #[test]
    fn what_cannot_be_made_can_be_asked_for_again() {
        let shared = Shared::default();
        let broken = std::panic::AssertUnwindSafe(|| shared.get::<u8>("", || panic!("no")));
        assert!(std::panic::catch_unwind(broken).is_err());
        assert_eq!(*shared.get("", || 1_u8), 1);
    }
}
