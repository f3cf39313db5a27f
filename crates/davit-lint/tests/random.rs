//! No text makes the check panic or hang.

use proptest::prelude::*;

use crate::ground;

/// Pieces that playbooks are made of, in no order.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "- hosts: all\n",
        "  tasks:\n",
        "    - debug:\n",
        "        msg: ",
        "\"{{ x",
        " }}\"\n",
        "    - name: é\n",
        "      when: ",
        "      loop: [1, 2]\n",
        "    - block:\n",
        "      rescue:\n",
        "  vars:\n",
        "    a: b\n",
        "  roles: [x]\n",
        "{% if a %}",
        "!vault |\n",
        "&a ",
        "*a ",
        "<<: ",
        "|\n",
        ">-\n",
        "\t",
        "'",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "#",
        "\n",
        "  ",
        "\u{1F600}",
        "    - copy: src=a dest=",
        "    - import_tasks: site.yml\n",
        "- import_playbook: site.yml\n",
        "      notify: h\n",
        "    - include_tasks:\n        file: ../site.yml\n",
        "    - fail:\n",
        "    - meta: end_play\n",
        "    - shell: echo {{\n",
    ];
    prop_oneof![4 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn nothing_panics(pieces in prop::collection::vec(piece(), 0..40), lead in any::<bool>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("site.yml");
        let mut text = if lead { "- hosts: localhost\n  tasks:\n".to_owned() } else { String::new() };
        text.extend(pieces);
        std::fs::write(&path, &text).expect("a file");
        let found = ground::check(&path, None);
        let shown = davit_lint::text(&found, &|_| Some(text.clone()));
        prop_assert!(!shown.is_empty());
        prop_assert!(davit_lint::sarif(&found, "1")["runs"][0]["results"].is_array());
    }
}
