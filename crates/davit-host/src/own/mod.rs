//! `davit.host`: what davit itself asks of a host. No playbook is meant to name these modules, so
//! no manual lists them.

pub mod synchronize;
mod undo;

use davit_module::Entry;

/// How their full names begin.
pub const PREFIX: &str = "davit.host.";

/// The modules, by name.
pub const MODULES: &[Entry] = &[Entry::of::<synchronize::Synchronize>(), Entry::of::<undo::Undo>()];
