//! `ansible.builtin.getent`: what the host's databases say, as facts.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/getent_module.html>

use std::collections::BTreeMap;

use davit_module::{Host, Module, ModuleError, Outcome, Program, Reply};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sys::{program, text};

/// Asks the host's databases (users, groups, hosts, services ...) with `getent`, and keeps what they
/// say as the fact `getent_DATABASE`: a map from the first field to a list of the others. A key that is
/// there several times has a list of such lists.
///
/// ```yaml
/// - ansible.builtin.getent:
///     database: passwd
///     key: root
/// - ansible.builtin.debug:
///     var: ansible_facts.getent_passwd.root[4]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The database: `passwd`, `group`, `hosts`, `services` ...
    database: String,
    /// What to look for. Without it, all that the database holds is told; not each can do that.
    #[serde(default)]
    key: Option<String>,
    /// Ask this service in place of those that the host is set up for.
    #[serde(default)]
    service: Option<String>,
    /// What stands between fields. Without it, a colon for the databases that have one, else blanks.
    #[serde(default)]
    split: Option<String>,
    /// Fail where the key is not there. Otherwise its fact is null.
    #[serde(default = "yes")]
    fail_key: bool,
}

fn yes() -> bool {
    true
}

/// `ansible.builtin.getent`.
pub(crate) struct Getent;

impl Module for Getent {
    const NAME: &'static str = "ansible.builtin.getent";
    type Args = Args;
    const FACTS: bool = true;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let mut command = Program::new(program::need(host, "getent")?);
        if let Some(service) = args.service.as_ref().filter(|it| !it.is_empty()) {
            command = command.arg("-s").arg(service);
        }
        command = command.arg(&args.database);
        if let Some(key) = &args.key {
            command = command.arg(key);
        }
        let ran = host.query(&command)?;
        let fact = |value: Value| {
            let mut facts = Reply::new();
            facts.insert(format!("getent_{}", args.database), value);
            Outcome::new().changed(false).with("ansible_facts", facts)
        };
        let missing = "One or more supplied key could not be found in the database.";
        match (ran.rc, &args.key) {
            (0, _) => {
                let said = String::from_utf8_lossy(&ran.stdout);
                let usual =
                    matches!(args.database.as_str(), "passwd" | "shadow" | "group" | "gshadow");
                let split = args.split.as_deref().or(usual.then_some(":"));
                Ok(fact(records(&said, split)))
            }
            (2, Some(key)) if !args.fail_key => {
                Ok(fact(json!({ key.as_str(): null })).msg(missing))
            }
            (1, _) => Err(ModuleError::failed("Missing arguments, or database unknown.")),
            (2, _) => Err(ModuleError::failed(missing)),
            (3, _) => Err(ModuleError::failed("Enumeration not supported on this database.")),
            _ => Err(ModuleError::failed("Unexpected failure!")),
        }
    }
}

/// Lines as a map from the first field to the others.
fn records(said: &str, split: Option<&str>) -> Value {
    let mut found = Reply::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in text::lines(said) {
        let mut fields: Vec<&str> = match split {
            Some(split) if !split.is_empty() => line.split(split).collect(),
            _ => line.split_whitespace().collect(),
        };
        if fields.is_empty() {
            continue;
        }
        let name = fields.remove(0).to_owned();
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        match (found.get_mut(&name), *count) {
            (Some(Value::Array(lists)), 3..) => lists.push(json!(fields)),
            (Some(first), _) => *first = json!([first.take(), fields]),
            (None, _) => {
                found.insert(name, json!(fields));
            }
        }
    }
    found.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_a_map() {
        let check = |said: &str, split: Option<&str>, expect: Value| {
            assert_eq!(records(said, split), expect, "{said:?} {split:?}");
        };
        check("root:x:0\nbin:x:1\n", Some(":"), json!({ "root": ["x", "0"], "bin": ["x", "1"] }));
        check(
            "1.2.3.4   a b\n1.2.3.4 c\n1.2.3.4 d\n",
            None,
            json!({ "1.2.3.4": [["a", "b"], ["c"], ["d"]] }),
        );
        check("http  80/tcp\n", Some(" "), json!({ "http": ["", "80/tcp"] }));
        check("root\n\n", None, json!({ "root": [] }));
        check("", None, json!({}));
    }
}
