//! `ansible.builtin`: the table. One line per module, by name.

mod assemble;
mod blockinfile;
mod command;
mod copy;
mod fetch;
mod file;
mod lineinfile;
mod ping;
mod raw;
mod replace;
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
    Entry::of::<assemble::Assemble>(),
    Entry::of::<blockinfile::BlockInFile>(),
    Entry::of::<command::Command>(),
    Entry::of::<copy::Copy>(),
    Entry::of::<fetch::Fetch>(),
    Entry::of::<file::File>(),
    Entry::of::<lineinfile::LineInFile>(),
    Entry::of::<ping::Ping>(),
    Entry::of::<raw::Raw>(),
    Entry::of::<replace::Replace>(),
    Entry::of::<script::Script>(),
    Entry::of::<setup::Setup>(),
    Entry::of::<shell::Shell>(),
    Entry::of::<slurp::Slurp>(),
    Entry::of::<stat::Stat>(),
    Entry::of::<tempfile::Tempfile>(),
    Entry::of::<template::Template>(),
];
