//! `ansible.builtin`: the table. One line per module, by name.

mod command;
mod copy;
mod fetch;
mod file;
mod ping;
mod raw;
mod script;
mod setup;
mod shell;
mod slurp;
mod stat;
mod tempfile;
mod template;

use davit_module::Entry;

/// Every module of this collection that runs on the host, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<command::Command>(),
    Entry::of::<copy::Copy>(),
    Entry::of::<fetch::Fetch>(),
    Entry::of::<file::File>(),
    Entry::of::<ping::Ping>(),
    Entry::of::<raw::Raw>(),
    Entry::of::<script::Script>(),
    Entry::of::<setup::Setup>(),
    Entry::of::<shell::Shell>(),
    Entry::of::<slurp::Slurp>(),
    Entry::of::<stat::Stat>(),
    Entry::of::<tempfile::Tempfile>(),
    Entry::of::<template::Template>(),
];
