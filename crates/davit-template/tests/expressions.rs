//! Expressions and what ansible-core 2.19 makes of them: `data/*.jsonl`, one expression a line.
//!
//! The answers were written down by running the original; `{folder}` stands for the data folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use davit_template::{Decrypt, Engine, Env, Outside, Settings};
use davit_value::{Map, Str, Value};
use serde_json::Value as Json;

struct NoSecrets;

impl Decrypt for NoSecrets {
    fn decrypt(&self, _ciphertext: &str) -> Result<String, String> {
        Err("Attempting to decrypt but no vault secrets found.".into())
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn outside() -> Outside {
    let environment = BTreeMap::from(
        [("HOME", "/root"), ("PATH", "/usr/bin:/bin"), ("TZ", "UTC")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Outside {
        environment: Arc::new(environment),
        search_path: vec![folder()],
        folder: folder(),
        vault: Some(Arc::new(NoSecrets)),
        inventory_hosts: Some(Arc::new(|pattern: &str| {
            let hosts: &[&str] = match pattern {
                "web" => &["web1", "web2", "web10"],
                "all:!web" => &["localhost", "db1", "db2"],
                "web:db" => &["web1", "web2", "web10", "db1", "db2"],
                _ => &[],
            };
            hosts.iter().map(|host| (*host).to_owned()).collect()
        })),
        config: Some(Arc::new(|name: &str| match name {
            "DEFAULT_FORKS" => Some(Value::Int(5)),
            "DEFAULT_TIMEOUT" => Some(Value::Int(10)),
            "connection/ssh/remote_user" => Some(Value::Null),
            _ => None,
        })),
        ..Outside::none()
    }
}

/// Numbers by value, as JSON does not tell `1` from `1.0` in every writer.
fn same(got: &Json, wanted: &Json) -> bool {
    match (got, wanted) {
        (Json::Number(a), Json::Number(b)) => {
            a.to_string() == b.to_string() || a.as_f64() == b.as_f64()
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((x, a), (y, b))| x == y && same(a, b))
        }
        (a, b) => a == b,
    }
}

/// Checks every line of a file; returns how many there were and what differed.
#[expect(clippy::unwrap_used, reason = "a test")]
fn check(name: &str, exceptions: &[&str]) -> (usize, Vec<String>) {
    let file: Arc<str> = Arc::from("vars.yml");
    let vars = fs::read_to_string(folder().join("vars.yml")).unwrap();
    let mut scope: Map = davit_yaml::load(&vars, &file, &davit_yaml::Convert::trusted())
        .unwrap()
        .as_map()
        .unwrap()
        .clone();
    scope.insert("inventory_hostname", "localhost".into());
    let engine = Engine::new(Settings::default());
    let outside = outside();
    let env = Env::new(&engine, &scope, &outside);
    let text = fs::read_to_string(folder().join(name))
        .unwrap()
        .replace("{folder}", &folder().to_string_lossy());
    let mut differing = Vec::new();
    let mut count = 0;
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let expression = case["expression"].as_str().unwrap();
        if exceptions.contains(&expression) {
            continue;
        }
        count += 1;
        let template = Str::trusted(format!("{{{{ {expression} }}}}"), None);
        let got = match env.resolve(&Value::Str(template)) {
            Ok(Value::Undefined(what)) => serde_json::json!({"error": what.message}),
            Ok(value) => serde_json::json!({"value": value.to_json()}),
            Err(error) => serde_json::json!({"error": error.to_string()}),
        };
        let good = match (got.get("value"), case.get("value")) {
            (Some(got), Some(wanted)) => same(got, wanted),
            (None, None) => got["error"] == case["error"],
            _ => false,
        };
        if !good {
            let wanted = case
                .get("value")
                .map_or_else(|| case["error"].to_string(), |value| format!("= {value}"));
            differing.push(format!("{expression}\n    wanted {wanted}\n    got    {got}"));
        }
    }
    (count, differing)
}

/// Differences that are meant, each for its reason.
const MEANT: &[&str] = &[
    // Methods are no attributes here; the original finds one and refuses to keep it.
    "{'a':1}|attr('keys')",
    "'a'|attr('upper')",
    // The error names a class that only the original has for an integer out of a file.
    "d1|subelements('l')",
    // Files come in the order of their names, not of the folder.
    "lookup('fileglob','*.txt')",
    "lookup('fileglob','files/*.txt')",
    // Every folder of a role is searched, whatever the task is.
    "lookup('first_found',['nope','a.txt'])",
    // A look-behind may be of any width.
    "'foobar'|regex_replace('(?<=o+)b','x')",
    // Numbers are neither paths nor names.
    "5 is exists",
    "5 is test",
    "'a'|map(1,2,3,4,5,6,7,8,9,10,11,12,13)",
    "'a'|reject(1,2,3,4,5,6,7,8,9,10,11,12,13)",
    "'a'|rejectattr(1,2,3,4,5,6,7,8,9,10,11,12,13)",
    "'a'|select(1,2,3,4,5,6,7,8,9,10,11,12,13)",
    "'a'|selectattr(1,2,3,4,5,6,7,8,9,10,11,12,13)",
    // The evaluator answers these two before they are called.
    "'a' is defined(zzz=1)",
    "'a' is undefined(zzz=1)",
    // Names that the engine provides, not this crate.
    "omit|type_debug",
    "hostvars|type_debug",
    "hostvars['localhost']|type_debug",
];

#[test]
fn builtin_expressions_give_what_the_original_gives() {
    let (count, differing) = check("builtin.jsonl", MEANT);
    assert!(count >= 400, "{count} expressions");
    assert!(
        differing.is_empty(),
        "{} of {count} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}

/// Differences of the collections that are meant, each for its reason.
const MEANT_IN_COLLECTIONS: &[&str] = &[
    // The keys of a JMESPath object come sorted.
    "users|community.general.json_query('[?age>`26`].{n:name,a:age}')",
    // The original's JMESPath refuses the integers of its own files.
    "users|community.general.json_query('sum([].age)')",
    "users|community.general.json_query('avg([].age)')",
    // The library words its syntax errors itself.
    "users|community.general.json_query('[?')",
    // The original fails on its own message here.
    "'192.0.2.1/24'|ansible.utils.ipaddr('ip_wildcard')",
    "'192.0.2.1/24'|ansible.utils.ipaddr('foo')",
];

#[test]
fn collection_expressions_give_what_the_original_gives() {
    let (_, differing) = check("collections.jsonl", MEANT_IN_COLLECTIONS);
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}
