//! Actions that prepare on the controller what a module does on the host.
//!
//! One file an action, one line in the table. An action reads files of the controller, renders
//! templates and hands the rest to the module behind it, which also says in its arguments what the
//! action takes.
//!
//! **Invariant:** an action never touches a host by itself: it calls modules.

mod assemble;
mod copy;
mod encode;
mod failure;
mod fetch;
mod gather_facts;
mod options;
mod raw;
mod reboot;
mod script;
mod source;
mod synchronize;
mod template;
mod tree;
mod unarchive;
mod uri;
mod wait_for_connection;

use davit_run::Action;

/// Every action of this crate, by name.
pub const ACTIONS: &[Action] = &[
    assemble::ACTION,
    copy::ACTION,
    fetch::ACTION,
    gather_facts::ACTION,
    raw::ACTION,
    reboot::ACTION,
    script::ACTION,
    template::ACTION,
    unarchive::ACTION,
    uri::ACTION,
    wait_for_connection::ACTION,
    synchronize::ACTION,
];

/// The tables of this crate.
pub const TABLES: &[&[Action]] = &[ACTIONS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        let names: Vec<_> = ACTIONS.iter().map(|it| it.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "sort, and name each once: {names:?}");
    }
}
