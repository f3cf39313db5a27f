//! Plugins that are handed in: a house that has lamps for hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use davit_inventory::{
    CacheOptions, Evaluate, FoundHost, Inventory, ListOptions, LoadOptions, Plugin, Refusal,
    Source, Warning,
};
use davit_value::{Map, Value};
use serde_json::{Value as Json, json};

/// Lamps, and how often somebody went to look.
#[derive(Clone, Default)]
struct Lamps(Arc<AtomicUsize>);

struct House {
    lamps: Lamps,
    options: serde_json::Map<String, Json>,
}

impl Plugin for Lamps {
    fn name(&self) -> &str {
        "example.house.lamps"
    }

    fn file_endings(&self) -> &[&str] {
        &["lamps.yml"]
    }

    fn open(&self, options: serde_json::Map<String, Json>) -> Result<Box<dyn Source>, Refusal> {
        if options.contains_key("rooom") {
            let message = "there is no option 'rooom'".to_owned();
            return Err(Refusal { message, option: Some("rooom".to_owned()) });
        }
        Ok(Box::new(House { lamps: self.clone(), options }))
    }
}

impl Source for House {
    fn cache_key(&self) -> String {
        self.options.get("room").map(Json::to_string).unwrap_or_default()
    }

    fn fetch(&self, warn: &mut dyn FnMut(String)) -> Result<Json, Refusal> {
        self.lamps.0.fetch_add(1, Ordering::SeqCst);
        if self.options.get("room") == Some(&json!("cellar")) {
            return Err(Refusal { message: "it is too dark".to_owned(), option: None });
        }
        warn("mind the stairs".to_owned());
        Ok(
            json!([{"name": "one", "kind": "old lamp", "text": "{{ kind }}"}, {"name": "two", "kind": ""}]),
        )
    }

    fn hosts(&self, fetched: &Json, evaluate: &Evaluate<'_>) -> Result<Vec<FoundHost>, Refusal> {
        let host = |lamp: &Json| {
            let Value::Map(vars) = Value::from_json(lamp) else { panic!("{lamp}") };
            let mut names = Map::new();
            names.insert("it", Value::from_json(&lamp["name"]));
            let upper = evaluate("it | upper", &names).unwrap().to_str();
            FoundHost {
                names: vec![upper, format!("{}-again", lamp["name"].as_str().unwrap())],
                vars: (*vars).clone(),
            }
        };
        Ok(fetched.as_array().unwrap().iter().map(host).collect())
    }

    fn keeps_dashes(&self) -> bool {
        self.options.get("dashes") == Some(&json!(true))
    }
}

fn load(
    folder: &Path,
    (name, text): (&str, &str),
    lamps: &Lamps,
    cache: CacheOptions,
) -> (Inventory, Vec<Warning>) {
    fs::write(folder.join(name), text).unwrap();
    let mut extra_vars = Map::new();
    extra_vars.insert("where", Value::from("attic"));
    let options = LoadOptions {
        folder: folder.to_owned(),
        plugins: vec![Arc::new(lamps.clone())],
        extra_vars: Arc::new(extra_vars),
        cache,
        ..LoadOptions::default()
    };
    let mut warnings = Vec::new();
    let inventory = Inventory::load(&[name.to_owned()], &options, &mut warnings).unwrap();
    (inventory, warnings)
}

fn groups(inventory: &Inventory) -> Json {
    let text = inventory.list(&ListOptions::default(), &mut Vec::new()).unwrap();
    let mut all: Json = serde_json::from_str(&text).unwrap();
    all.as_object_mut().unwrap().remove("_meta");
    all
}

#[test]
fn hosts_have_variables_groups_and_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = "
plugin: lamps
room: '{{ where }}'
compose: {size: \"kind | length\"}
groups: {named: kind != ''}
keyed_groups: [{key: kind, prefix: is-a, default_value: none}]
dashes: true
";
    let file = ("my.lamps.yml", text);
    let (inventory, warnings) =
        load(folder.path(), file, &Lamps::default(), CacheOptions::default());
    assert_eq!(warnings[0].message, "mind the stairs");
    let expect = json!({
        "all": {"children": ["ungrouped", "lamps", "named", "is-a_old_lamp", "is-a_none"]},
        "lamps": {"hosts": ["ONE", "one-again", "TWO", "two-again"]},
        "named": {"hosts": ["ONE", "one-again"]},
        "is-a_old_lamp": {"hosts": ["ONE", "one-again"]},
        "is-a_none": {"hosts": ["TWO", "two-again"]},
    });
    assert_eq!(groups(&inventory), expect);
    let vars = inventory.host("one-again").unwrap().vars();
    assert_eq!(vars.get("size").unwrap(), &Value::Int(8));
    assert!(!vars.get("text").unwrap().is_live(), "what was fetched is no template");
}

#[test]
fn what_a_plugin_refuses_is_told_with_its_place() {
    let check = |file: (&str, &str), expect: &str| {
        let folder = tempfile::tempdir().unwrap();
        let (inventory, warnings) =
            load(folder.path(), file, &Lamps::default(), CacheOptions::default());
        let here = folder.path().display().to_string();
        let told: Vec<String> =
            warnings.iter().map(|it| it.text().replace(&here, "{here}")).collect();
        assert!(told.iter().any(|it| it.contains(expect)), "{expect}: {told:#?}");
        assert_eq!(inventory.hosts().count(), 0);
    };
    let unknown = "plugin: example.house.lamps\n\nrooom: attic\n";
    check(("a.lamps.yml", unknown), "there is no option 'rooom'\nOrigin: {here}/a.lamps.yml:3:1");
    check(("a.lamps.yml", "plugin: lamps\nroom: cellar\n"), "it is too dark");
    check(
        ("a.yml", "plugin: lamps\n"),
        "could not be verified by inventory plugin 'example.house.lamps': its name has to end with lamps.yml",
    );
    check(("a.lamps.yml", "plugin: lapms\n"), "specifies unknown plugin 'lapms'");
    check(("a.lamps.yml", "plugin: lamps\nroom: '{{ nowhere }}'\n"), "'nowhere' is undefined");
    check(
        ("a.lamps.yml", "plugin: lamps\ncache: true\ncache_plugin: redis\n"),
        "there is no cache plugin 'redis'",
    );
    check(
        ("a.lamps.yml", "plugin: lamps\ncache: true\ncache_plugin: jsonfile\n"),
        "needs cache_connection",
    );
    check(
        ("a.lamps.yml", "plugin: lamps\ncache_timeout: long\n"),
        "'long' is not a number of seconds\nOrigin: {here}/a.lamps.yml:2:1",
    );
}

#[test]
fn what_was_fetched_is_kept_for_its_owner_until_it_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let lamps = Lamps::default();
    let kept = folder.path().join("kept/here");
    let cache = CacheOptions {
        enabled: true,
        plugin: "jsonfile".to_owned(),
        connection: Some("kept/here".to_owned()),
        ..CacheOptions::default()
    };
    let hosts = |text: &str, cache: &CacheOptions| {
        let (inventory, _) = load(folder.path(), ("a.lamps.yml", text), &lamps, cache.clone());
        (inventory.hosts().count(), lamps.0.load(Ordering::SeqCst))
    };
    let text = "plugin: lamps\nroom: attic\n";
    assert_eq!(hosts(text, &cache), (4, 1));
    assert_eq!(hosts(text, &cache), (4, 1));
    let files: Vec<_> = fs::read_dir(&kept).unwrap().map(|it| it.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with("ansible_inventory_"));
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    // What decides on the answer is part of the key.
    assert_eq!(hosts("plugin: lamps\nroom: hall\n", &cache), (4, 2));
    // A file that is broken, or too old, does not count.
    fs::write(file, "{").unwrap();
    assert_eq!(hosts(text, &cache), (4, 3));
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(4000);
    fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(hosts(&format!("{text}cache_timeout: 5000\n"), &cache), (4, 3));
    assert_eq!(hosts(text, &cache), (4, 4));
    assert_eq!(hosts(text, &CacheOptions { refresh: true, ..cache.clone() }), (4, 5));
    assert_eq!(hosts(&format!("{text}cache: false\n"), &cache), (4, 6));
    // What cannot be kept is there all the same.
    fs::write(folder.path().join("file"), "").unwrap();
    let nowhere = CacheOptions { connection: Some("file/below".to_owned()), ..cache };
    assert_eq!(hosts(text, &nowhere), (4, 7));
}

#[test]
fn a_plugin_can_be_enabled_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.lamps.yml"), "plugin: lamps\n").unwrap();
    for name in ["lamps", "example.house.lamps"] {
        let options = LoadOptions {
            folder: folder.path().to_owned(),
            enabled: vec![name.to_owned()],
            plugins: vec![Arc::new(Lamps::default())],
            ..LoadOptions::default()
        };
        let sources = ["a.lamps.yml".to_owned()];
        let inventory = Inventory::load(&sources, &options, &mut Vec::new()).unwrap();
        assert_eq!(inventory.hosts().count(), 4);
    }
}
