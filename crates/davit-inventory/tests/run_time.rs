//! Magic variables, and hosts and groups that a run adds. The expectations are what playbooks with `debug` printed under ansible-core 2.19.

use std::fs;
use std::path::Path;

use davit_inventory::{Inventory, LoadOptions, Order};
use davit_value::{Map, Value};

const HOSTS: &str = "u2\nu1\n[a]\na1\nx\n[top:children]\nc\nb\n[b]\nb1\nx\n[c:children]\nd\n[d]\nd1\nb1\n[z]\nz1\nu1\n";

fn load(folder: &Path, sources: &[&str]) -> Inventory {
    let options = LoadOptions { folder: folder.to_path_buf(), ..LoadOptions::default() };
    let sources: Vec<String> = sources.iter().map(|it| (*it).to_owned()).collect();
    Inventory::load(&sources, &options, &mut Vec::new()).unwrap()
}

fn group(inventory: &Inventory, name: &str) -> String {
    let hosts = inventory.groups_map().get(name).cloned().unwrap();
    hosts.as_list().unwrap().iter().map(Value::to_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_run_adds_hosts_and_groups() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hosts"), HOSTS).unwrap();
    let mut inventory = load(folder.path(), &["hosts"]);
    assert_eq!(group(&inventory, "all"), "u2 a1 x z1 u1 b1 d1");
    let vars: Map = [("foo", Value::from("bar"))].into_iter().collect();
    assert!(inventory.add_host("new.x", &["a", "newg"], &vars).unwrap());
    assert!(!inventory.add_host("new.x", &["a", "newg"], &vars).unwrap());
    assert_eq!(group(&inventory, "all"), "new.x u2 a1 x z1 u1 b1 d1");
    assert_eq!(group(&inventory, "a"), "a1 x new.x");
    for host in ["u2", "a1", "x", "z1", "u1", "b1", "d1"] {
        assert!(inventory.group_by(host, &format!("by_{host}"), &["pp"]).unwrap());
        assert!(!inventory.group_by(host, &format!("by_{host}"), &["pp"]).unwrap());
    }
    assert_eq!(group(&inventory, "all"), "new.x a1 x z1 u1 u2 b1 d1");
    assert_eq!(group(&inventory, "ungrouped"), "");
    assert_eq!(group(&inventory, "pp"), "u2 a1 x z1 u1 b1 d1");
    let magic = Value::from(inventory.host("new.x").unwrap().magic()).repr();
    assert_eq!(
        magic,
        "{'inventory_hostname': 'new.x', 'inventory_hostname_short': 'new', 'group_names': ['a', 'newg'], \
         'inventory_file': None, 'inventory_dir': None}"
    );
    assert_eq!(inventory.host_vars("new.x", None).unwrap().get("foo"), Some(&Value::from("bar")));
}

#[test]
fn hosts_know_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inv")).unwrap();
    fs::write(
        folder.path().join("inv/hosts"),
        "a.example.com\n[g]\n10.0.0.1\n[all:vars]\nallv=1\n",
    )
    .unwrap();
    let inventory = load(folder.path(), &["inv", "extra,"]);
    let base = folder.path().display().to_string();
    for (host, expect) in [
        ("a.example.com", format!("a [ungrouped] {base}/inv/hosts {base}/inv")),
        ("10.0.0.1", format!("10.0.0.1 [g] {base}/inv/hosts {base}/inv")),
        ("extra", "extra [ungrouped] extra, None".to_owned()),
        ("localhost", "localhost []  ".to_owned()),
    ] {
        let magic = inventory.host(host).unwrap().magic();
        let text = |name: &str| magic.get(name).map(Value::to_str).unwrap_or_default();
        let groups = inventory.groups_of(host).join(" ");
        let got = format!(
            "{} [{groups}] {} {}",
            text("inventory_hostname_short"),
            text("inventory_file"),
            text("inventory_dir")
        );
        assert_eq!(got, expect, "{host}");
    }
    // The implicit localhost has the variables of `all`, but is in no group.
    let vars = inventory.host_vars("localhost", None).unwrap();
    assert_eq!(Value::Map(vars).repr(), "{'allv': 1, 'ansible_connection': 'local'}");
    assert_eq!(group(&inventory, "all"), "a.example.com extra 10.0.0.1");
}

#[test]
fn plays_have_their_order() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hosts"), HOSTS).unwrap();
    let inventory = load(folder.path(), &["hosts"]);
    for (order, expect) in [
        ("inventory", "u2 a1 x z1 u1 b1 d1"),
        ("sorted", "a1 b1 d1 u1 u2 x z1"),
        ("reverse_sorted", "z1 x u2 u1 d1 b1 a1"),
        ("reverse_inventory", "d1 b1 u1 z1 x a1 u2"),
    ] {
        let mut hosts = inventory.match_hosts("all", None, &mut Vec::new()).unwrap();
        Order::from_name(order, 0).unwrap().apply(&mut hosts);
        assert_eq!(hosts.join(" "), expect, "{order}");
    }
    let hosts = inventory.match_patterns(&["z", "!u1", "a"], None, &mut Vec::new()).unwrap();
    assert_eq!(hosts.join(" "), "z1 a1 x");
}
