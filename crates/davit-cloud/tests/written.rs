//! What is said of control modules before anything runs.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use davit_lint::{Context, Shape, Target};
use davit_playbook::Loader;
use davit_run::Line;
use davit_template::{Engine, Settings};
use davit_value::Map;

use crate::play::tables;

#[test]
fn editors_know_all_names_of_a_module() {
    let tables = tables();
    let name = "example.house.lamp";
    let Some(Line::Control(entry)) = tables.find(name) else { panic!("no {name}") };
    let shape = Shape {
        name: name.to_owned(),
        former_names: tables.former_names(name).iter().map(|it| (*it).to_owned()).collect(),
        spec: tables.control_spec(entry),
        open: false,
    };
    let schema = davit_lint::schema("tasks", &[shape], &[]).unwrap().to_string();
    for key in [name, "house_lamp", "example.old.lamp", "burning"] {
        assert!(schema.contains(&format!("\"{key}\":")), "{key}");
    }
}

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
    let environment = BTreeMap::new();
    let lookup = |name: &str| match tables.find(name)? {
        Line::Control(entry) => {
            let spec = Some(tables.control_spec(entry));
            Some(Target { spec, free_form: None, open: false, look: entry.look })
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
        lookup_spec: &|_| None,
        names: tables.names().into_iter().map(str::to_owned).collect(),
        choices: &[],
        inventory: None,
        environment: &environment,
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
