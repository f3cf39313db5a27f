//! The table of tables: every module and action that this program has.

use davit_run::Tables;

/// Every module and action.
pub(crate) fn all() -> Tables {
    Tables::new(&[davit_host::builtin::MODULES], davit_action::TABLES)
}
