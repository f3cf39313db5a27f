//! No text makes the loader panic or hang.

use std::fs;
use std::time::{Duration, Instant};

use davit_playbook::{Loader, free_form, split_args};
use davit_value::Str;
use proptest::prelude::*;

/// Pieces that mean something in a playbook.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "- hosts: all\n", "  tasks:\n", "  handlers:\n", "  roles:\n", "    - debug: ", "    - block:\n", "        - debug:\n",
            "      rescue:\n", "      when: x\n", "      loop: [1]\n", "      with_items: ", "    - ", "msg=a b='c d'", "{{ x }}", "'", "\n",
            "      tags: {a: b}\n", "      vars: ", "[a]", "{a: b}", "    - include_tasks: f\n", "      args: ", "      loop_control: ",
            "  vars_prompt: ", "  serial: 1\n", "- import_playbook: x\n", "      <<: ", "      1: 2\n", "      ? [a]\n", "null", "      name: ",
            "      register: ", "    - action: ", "    - local_action: ", "      listen: ", "&x ", "*x", "!vault ", "!unsafe ",
        ]).prop_map(str::to_owned),
        1 => "[a-z0-9 :{}'\"\\\\=-]{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_loaded_or_refused(pieces in prop::collection::vec(piece(), 0..30)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.yml");
        fs::write(&path, pieces.concat()).expect("can be written");
        let started = Instant::now();
        let loader = Loader::default();
        let _ = loader.playbook(&path);
        let _ = loader.tasks(&path, true);
        let _ = loader.vars_file(&path);
        prop_assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn any_line_is_split_or_refused(line in "[a-z ={}%#'\"\\\\\n\té☃-]{0,40}") {
        let split = split_args(&line);
        for action in ["debug", "shell", "include_tasks"] {
            prop_assert_eq!(split.is_ok(), free_form(action, &Str::new(line.as_str())).is_ok());
        }
    }
}
