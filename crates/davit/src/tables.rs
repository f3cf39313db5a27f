//! The table of tables: every module and action that this program has.

use davit_run::Tables;

/// Every module and action that a playbook may name.
pub(crate) fn all() -> Tables {
    Tables::new(&[davit_host::builtin::MODULES], davit_action::TABLES)
        .with_controls(davit_cloud::TABLES)
}

/// Those, and what davit itself asks of hosts.
pub(crate) fn of_run() -> Tables {
    Tables::new(&[davit_host::builtin::MODULES, davit_host::own::MODULES], davit_action::TABLES)
        .with_controls(davit_cloud::TABLES)
}
