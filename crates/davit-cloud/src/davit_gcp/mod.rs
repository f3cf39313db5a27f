//! `davit.gcp`: the table. One line per module, by name.

mod call;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[Entry::of::<call::GcpCall>()];
