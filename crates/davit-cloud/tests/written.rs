//! What is said of control modules before anything runs.

use std::fs;
use std::sync::Arc;

use davit_lint::{Context, Target};
use davit_playbook::Loader;
use davit_run::Line;
use davit_template::{Engine, Settings};
use davit_value::Map;

use crate::play::tables;

#[test]
fn an_unknown_argument_is_found_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.yml");
    fs::write(
        &path,
        "- hosts: localhost\n  tasks:\n    - house_lamp: {name: a, lti: true}\n    - example.house.lapm: {}\n",
    )
    .unwrap();
    let tables = Arc::new(tables());
    let engine = Engine::new(Settings::default());
    let (extra_vars, known) = (Map::new(), Arc::clone(&tables));
    let lookup = |name: &str| match tables.find(name)? {
        Line::Control(entry) => {
            Some(Target { spec: Some(tables.control_spec(entry)), free_form: None, open: false })
        }
        _ => None,
    };
    let context = Context {
        loader: Loader {
            is_action: Arc::new(move |name, _| known.find(name).is_some()),
            ..Loader::default()
        },
        engine: &engine,
        lookup: &lookup,
        names: tables.names().into_iter().map(str::to_owned).collect(),
        choices: &[],
        inventory: None,
        extra_vars: &extra_vars,
        roles_path: Vec::new(),
        collections_path: Vec::new(),
    };
    let found = davit_lint::check(&[path], &context);
    let told: Vec<String> =
        found.iter().map(|it| format!("{}:{} {}", it.line, it.column, it.message)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("3:") && told[0].contains("lti"), "{told:?}");
    assert!(told[1].starts_with("4:") && told[1].contains("example.house.lapm"), "{told:?}");
}
