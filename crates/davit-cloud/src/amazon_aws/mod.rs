//! `amazon.aws`: the table. One line per module, by name.

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[];
