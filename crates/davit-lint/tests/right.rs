//! No false alarms: what the original runs is not called wrong.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use davit_lint::Severity;

use crate::ground;

/// Cases that are wrong for the reason that is found: the original fails on them, too.
const WRONG: &[&str] = &[
    // Conditions that are not boolean are allowed there by a setting.
    "conditionals/broken_allowed",
    // The folder of roles is named in `ansible.cfg`, which the check of a library does not read.
    "config/ansible_cfg",
    // So are the collections whose groups are meant.
    "keywords/module_defaults_groups",
    "handlers/include_role_handler",
    "handlers/missing",
    "includes/bad_include",
    "includes/import_missing",
    // `async_status` is not there yet.
    "keywords/async_simple",
    "keywords/bad_keyword",
    "keywords/bad_register",
    "keywords/module_defaults_no_group",
    "keywords/retries_bad",
    "loops/with_unknown",
    "modules/free_form_unbalanced",
    "play/bad_module",
    "play/unknown_keyword",
    "play/vars_files_missing",
    "roles/missing_role",
];

#[test]
fn the_playbooks_of_the_oracle_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../davit/tests/oracle");
    let mut wrong = String::new();
    let mut used = BTreeSet::new();
    for topic in ground::folders(&root) {
        for case in ground::folders(&topic) {
            let name = case
                .strip_prefix(&root)
                .expect("a case below the root")
                .to_string_lossy()
                .into_owned();
            let playbook = case.join("site.yml");
            if !playbook.is_file() {
                continue;
            }
            for it in
                ground::check(&playbook, None).iter().filter(|it| it.severity == Severity::Error)
            {
                used.insert(name.clone());
                if !WRONG.contains(&name.as_str()) {
                    let _ = writeln!(
                        wrong,
                        "{name}: {}:{}:{} {} [{}]",
                        it.file.rsplit('/').next().unwrap_or_default(),
                        it.line,
                        it.column,
                        it.message,
                        it.rule
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(used.len() > WRONG.len() / 2, "the list is out of date: only {used:?} are wrong");
}

#[test]
fn what_only_looks_wrong_is_left_alone() {
    let playbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/right_files/site.yml");
    assert_eq!(ground::check(&playbook, None), []);
}
