//! What the tests check with: the modules and actions that davit has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use davit_inventory::{Inventory, LoadOptions};
use davit_lint::{Context, Finding, Shape, Target};
use davit_playbook::Loader;
use davit_run::{Line, Tables};
use davit_template::{Engine, Settings};
use davit_value::Map;

static TABLES: LazyLock<Tables> =
    LazyLock::new(|| Tables::new(&[davit_host::builtin::MODULES], davit_action::TABLES));
static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| Arc::new(Engine::new(Settings::default())));

/// Actions that refuse what they do not know, although they read their arguments by themselves.
const CLOSED: [&str; 3] = ["assert", "pause", "set_stats"];

fn target(name: &str) -> Option<Target> {
    let line = TABLES.find(name)?;
    let free_form = line.free_form().map(str::to_owned);
    let (spec, open) = match (line, TABLES.module(name)) {
        (Line::Module(entry), _) => (TABLES.spec(entry), false),
        (Line::Control(entry), _) => (TABLES.control_spec(entry), false),
        (Line::Action(action), Some(entry)) if action.open => (TABLES.spec(entry), false),
        (Line::Action(action), _) => {
            let mut spec = action.spec();
            if action.open {
                // What has to be there is not said by those that read their arguments by themselves.
                spec.options.iter_mut().for_each(|it| it.required &= it.name == "that");
            }
            (Arc::new(spec), action.open && !CLOSED.contains(&action.short_name()))
        }
    };
    Some(Target { spec: Some(spec), free_form, open, look: None })
}

/// Every module and action, for the schema.
pub(crate) fn shapes() -> Vec<Shape> {
    let names = TABLES.names();
    let shape = |name: &&str| {
        let target = target(name)?;
        Some(Shape {
            name: (*name).to_owned(),
            former_names: Vec::new(),
            spec: target.spec?,
            open: target.open,
        })
    };
    names.iter().filter_map(shape).collect()
}

/// The lookups there are.
pub(crate) fn lookups() -> Vec<&'static str> {
    ENGINE.lookups()
}

/// What is wrong with the playbook, given the inventory where there is one.
pub(crate) fn check(playbook: &Path, inventory: Option<&Path>) -> Vec<Finding> {
    let inventory = inventory.map(|path| {
        let options = LoadOptions { engine: Arc::clone(&ENGINE), ..LoadOptions::default() };
        Inventory::load(&[path.to_string_lossy().into_owned()], &options, &mut Vec::new())
            .expect("an inventory")
    });
    let extra_vars = Map::new();
    let environment = BTreeMap::new();
    let context = Context {
        loader: Loader {
            is_action: Arc::new(|name, collections| {
                TABLES.find(name).is_some()
                    || collections.iter().any(|it| TABLES.find(&format!("{it}.{name}")).is_some())
            }),
            is_lookup: Arc::new(|name| ENGINE.has_lookup(name)),
            ..Loader::default()
        },
        engine: &ENGINE,
        lookup: &target,
        lookup_spec: &|_| None,
        names: TABLES.names().into_iter().map(str::to_owned).collect(),
        choices: &[
            ("become_method", &["doas", "su", "sudo"]),
            ("connection", &["docker", "local", "ssh"]),
            ("strategy", davit_run::STRATEGIES),
        ],
        inventory: inventory.as_ref(),
        environment: &environment,
        extra_vars: &extra_vars,
        roles_path: Vec::new(),
        collections_path: Vec::new(),
    };
    davit_lint::check(&[playbook.to_owned()], &context)
}

/// The folders in `folder`, sorted.
pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(folder).expect("a folder of cases");
    let mut found: Vec<PathBuf> =
        read.filter_map(Result::ok).map(|it| it.path()).filter(|it| it.is_dir()).collect();
    found.sort();
    found
}
