//! `ansible.builtin`: the table. One line per module, by name.

mod assemble;
mod async_status;
mod blockinfile;
mod command;
mod copy;
mod fetch;
mod file;
mod find;
mod get_url;
mod getent;
mod group;
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
mod unarchive;
mod uri;
mod wait_for;

use davit_module::Entry;

/// Every module of this collection that runs on the host, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<assemble::Assemble>(),
    Entry::of::<async_status::AsyncStatus>(),
    Entry::of::<blockinfile::BlockInFile>(),
    Entry::of::<command::Command>(),
    Entry::of::<copy::Copy>(),
    Entry::of::<fetch::Fetch>(),
    Entry::of::<file::File>(),
    Entry::of::<find::Find>(),
    Entry::of::<get_url::GetUrl>(),
    Entry::of::<getent::Getent>(),
    Entry::of::<group::Group>(),
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
    Entry::of::<unarchive::Unarchive>(),
    Entry::of::<uri::Uri>(),
    Entry::of::<wait_for::WaitFor>(),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_table_is_sorted_and_each_file_is_in_it() {
        let names: Vec<&str> = MODULES.iter().map(|entry| entry.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "sort, and name each once: {names:?}");

        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/builtin");
        let files: BTreeSet<String> = fs::read_dir(dir)
            .unwrap()
            .map(|it| it.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|stem| stem != "mod")
            .map(|stem| format!("ansible.builtin.{stem}"))
            .collect();
        assert_eq!(files, names.iter().map(ToString::to_string).collect());
    }

    #[test]
    fn each_module_has_cases_and_they_hold() {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        let mut broken = Vec::new();
        for entry in MODULES {
            let dir = cases.join(entry.short_name());
            match std::panic::catch_unwind(|| davit_module::testing::check_cases(entry, &dir)) {
                Ok(0) => broken.push(format!("{} has no cases", entry.name)),
                Ok(_) => {}
                Err(panic) => {
                    broken.push(panic.downcast_ref::<String>().cloned().unwrap_or_default());
                }
            }
        }
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn each_argument_is_documented() {
        for entry in MODULES {
            let spec = entry.spec();
            assert!(!spec.about.is_empty(), "{} says nothing of itself", entry.name);
            for option in &spec.options {
                assert!(
                    option.hidden || !option.about.is_empty(),
                    "{}: {}",
                    entry.name,
                    option.name
                );
            }
        }
    }

    #[test]
    fn rules_name_arguments_that_are_there() {
        for entry in MODULES {
            let spec = entry.spec();
            let rules = &spec.rules;
            let groups =
                [&rules.mutually_exclusive, &rules.required_together, &rules.required_one_of];
            let named = groups
                .into_iter()
                .flatten()
                .flatten()
                .chain(rules.required_if.iter().flat_map(|it| it.needs.iter().chain([&it.key])))
                .chain(rules.required_by.iter().flat_map(|(key, needs)| needs.iter().chain([key])));
            for name in named {
                assert!(spec.option(name).is_some(), "{}: {name}", entry.name);
            }
            if let Some(name) = entry.free_form {
                assert!(spec.option(name).is_some(), "{}: {name}", entry.name);
            }
        }
    }
}
