//! Actions that prepare on the controller what a module does on the host.
//!
//! One file an action, one line in the table. An action reads files of the controller, renders
//! templates and hands the rest to the module behind it.

mod gather_facts;

use davit_run::Action;

/// Every action of this crate, by name.
pub const ACTIONS: &[Action] = &[gather_facts::ACTION];

/// The tables of this crate.
pub const TABLES: &[&[Action]] = &[ACTIONS];
