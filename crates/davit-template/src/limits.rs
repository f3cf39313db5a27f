//! Bounds on recursion: where templates nest, call and refer to one another.

use std::cell::Cell;

use crate::{Error, ErrorKind};

/// The stack grows where less than this is left.
pub(crate) const RED_ZONE: usize = 256 * 1024;
/// By how much it grows.
pub(crate) const STACK: usize = 4 * 1024 * 1024;
/// How many templates, macros, includes and values may be inside one another on one thread.
const MAX_DEPTH: usize = 500;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work` one level deeper on this thread, on a stack that grows where it has to.
pub(crate) fn deeper<T, E: From<Error>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        return Err(Error::new(ErrorKind::Recursion, "maximum recursion depth exceeded").into());
    }
    DEPTH.set(depth + 1);
    let result = stacker::maybe_grow(RED_ZONE, STACK, work);
    DEPTH.set(depth);
    result
}
