//! `ansible.builtin`: the table. One line per module, by name.

mod slurp;

use davit_module::Entry;

/// Every module of this collection that runs on the host, by name.
pub const MODULES: &[Entry] = &[Entry::of::<slurp::Slurp>()];
