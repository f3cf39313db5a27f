//! Panics of what is beneath, caught before anybody hears of them.
//!
//! It does not know what is done, nor what is to be said instead.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// What runs now on this thread may panic without a word.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; `None` where it panics.
///
/// A panic is told by a hook that the whole process shares, before it is caught. There is no other
/// way to keep a text that the reader does not like from being reported as a fault of the program,
/// so the hook is wrapped once, and passes on what is not from here.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static WRAPPED: Once = Once::new();
    WRAPPED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let was = QUIET.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    QUIET.set(was);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_caught_and_the_next_work_is_done() {
        assert_eq!(quietly(|| 1), Some(1));
        assert_eq!(quietly(|| -> u32 { panic!("not heard") }), None);
        assert!(!QUIET.get());
        assert_eq!(quietly(|| 2), Some(2));
    }
}
