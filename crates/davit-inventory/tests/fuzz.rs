//! No text makes a reader panic or hang, whatever it holds.

use std::fs;

use davit_inventory::{Inventory, ListOptions, LoadOptions};
use proptest::prelude::*;

fn load(name: &str, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    let options = LoadOptions { folder: folder.path().to_path_buf(), ..LoadOptions::default() };
    let mut warnings = Vec::new();
    let inventory = Inventory::load(&[name.into()], &options, &mut warnings).unwrap();
    let _ = inventory.list(&ListOptions::default(), &mut warnings);
    let _ = inventory.list(&ListOptions { export: true, ..ListOptions::default() }, &mut warnings);
    let _ = inventory.graph(None, true, &ListOptions::default(), &mut warnings);
    for text in [
        davit_inventory::convert::to_ini(&inventory),
        davit_inventory::convert::to_yaml(&inventory),
    ] {
        drop(text);
    }
}

/// Pieces that inventories are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[web]\n"),
        Just("[web:vars]\n"),
        Just("[db:children]\n"),
        Just("h[1:3]"),
        Just("h[a:c]:22"),
        Just("::1"),
        Just(" a=1"),
        Just(" b=\"[1, {'x': (2,)}]\""),
        Just("\n"),
        Just("all:\n"),
        Just("  hosts:\n"),
        Just("    h1:\n"),
        Just("      x: {y: [1, 2]}\n"),
        Just("  children:\n"),
        Just("  vars:\n"),
        Just("    v: !vault |\n"),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("#"),
        Just("web"),
        Just("=\u{e9}"),
        Just("plugin: constructed\n"),
        Just("keyed_groups: [{key: x}]\n"),
        Just("[[x]]\n"),
        Just("hosts = {a = {b = 1}}\n"),
        Just("&a "),
        Just("*a "),
        Just("<<: "),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_source_panics(name in prop_oneof![Just("hosts"), Just("hosts.yml"), Just("hosts.toml")], text in pieces()) {
        load(name, &text);
    }

    #[test]
    fn no_bytes_panic(name in prop_oneof![Just("hosts"), Just("hosts.yml"), Just("hosts.toml")], text in "\\PC{0,200}") {
        load(name, &text);
    }

    #[test]
    fn no_pattern_panics(pattern in "[a-z0-9:,&!~*?\\[\\]()@ .\\\\-]{0,30}", limit in "[a-z0-9:,&!*\\[\\]~-]{0,12}") {
        let inventory = Inventory::load(&["a1,a2,b1,10.0.0.1,".into()], &LoadOptions::default(), &mut Vec::new()).unwrap();
        let _ = inventory.match_hosts(&pattern, Some(&limit), &mut Vec::new());
        let _ = Inventory::load(&[format!("{pattern},")], &LoadOptions::default(), &mut Vec::new());
    }
}
