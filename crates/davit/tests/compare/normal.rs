//! What is left of a result when times, process numbers and temporary paths are taken away.

use serde_json::{Map, Value};

/// What stands for the working folder of a case.
pub(super) const BASE: &str = "{BASE}";
/// What stands for a temporary path: anything agrees with it.
pub(super) const TEMPORARY: &str = "{TMP}";

/// Keys that differ from run to run, or that davit has no reason to have.
const VOLATILE: &[&str] = &[
    "ansible_job_id",
    "atime",
    "ctime",
    "delta",
    "deprecations",
    "dev",
    "discovered_interpreter_python",
    "end",
    "exception",
    "failed_when_suppressed_exception",
    "inode",
    "invocation",
    "mtime",
    "pid",
    "results_file",
    "start",
    "stop",
    "version",
    "warnings",
];

/// A result with what is comparable: keys of the original's own, volatile ones and those of the
/// case are gone; `changed: false`, `failed` and `skipped` are told by the status.
pub(super) fn reply(mut reply: Map<String, Value>, volatile: &[String]) -> Map<String, Value> {
    reply.remove("failed");
    reply.remove("skipped");
    if reply.get("changed") == Some(&Value::Bool(false)) {
        reply.remove("changed");
    }
    let facts = reply.get_mut("ansible_facts").and_then(Value::as_object_mut);
    if let Some(facts) = facts.filter(|facts| is_setup(facts)) {
        facts.retain(|key, _| !key.contains("python") && !is_device(key));
        if let Some(env) = facts.get_mut("ansible_env").and_then(Value::as_object_mut) {
            // What the comparison itself sets, for one side only.
            env.retain(|name, _| !name.starts_with("ANSIBLE_") && !name.starts_with("ORACLE_"));
            // What shells and Python leave there of themselves.
            ["_", "SHLVL", "LC_CTYPE"].iter().for_each(|name| drop(env.shift_remove(*name)));
        }
        for value in facts.values_mut() {
            *value = shape(value);
        }
    }
    tidy(&mut reply, volatile);
    reply
}

/// Whether these are the facts of a machine, of which only keys and types are comparable.
fn is_setup(facts: &Map<String, Value>) -> bool {
    let own = ["discovered_interpreter_python", "gather_subset", "module_setup"];
    facts.keys().all(|key| key.starts_with("ansible_") || own.contains(&key.as_str()))
}

/// Whether it is the name or address of a device of other tests that run at the same time, or a fact about one.
fn is_device(name: &str) -> bool {
    if let Ok(address) = name.parse::<std::net::Ipv4Addr>() {
        let [first, second, ..] = address.octets();
        return first == 100 && (64..128).contains(&second);
    }
    let name = name.strip_prefix("ansible_").unwrap_or(name);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let numbers = name.strip_prefix("dg").and_then(|rest| rest.split_once('x'));
    numbers.is_some_and(|(process, number)| digits(process) && digits(number))
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(items) => {
            items.first().map_or_else(|| "list".into(), |item| vec![shape(item)].into())
        }
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(number) if number.is_f64() => "float".into(),
        Value::Number(_) => "int".into(),
        Value::String(_) => "text".into(),
    }
}

/// A `diff` without a difference: the original's modules leave one even without `--diff`.
fn says_nothing(diff: &Value) -> bool {
    match diff {
        Value::Array(items) => items.iter().all(says_nothing),
        Value::Object(map) => {
            ["before", "after"]
                .iter()
                .all(|key| map.get(*key).is_none_or(|it| it.as_str().is_some_and(str::is_empty)))
                && map.get("prepared").is_none()
        }
        Value::Null => true,
        _ => false,
    }
}

fn tidy(map: &mut Map<String, Value>, volatile: &[String]) {
    map.retain(|key, value| {
        if key == "diff" && says_nothing(value) {
            return false;
        }
        !key.starts_with("_ansible")
            && !VOLATILE.contains(&key.as_str())
            && !volatile.iter().any(|one| one == key)
    });
    for value in map.values_mut() {
        tidy_value(value, volatile);
    }
}

fn tidy_value(value: &mut Value, volatile: &[String]) {
    match value {
        Value::Object(map) => tidy(map, volatile),
        Value::Array(items) => {
            items.retain(|item| !item.as_str().is_some_and(is_device));
            items.iter_mut().for_each(|item| tidy_value(item, volatile));
        }
        Value::String(text) => *text = self::text(text),
        _ => {}
    }
}

/// A text without the names of temporary and backup files.
pub(super) fn text(text: &str) -> String {
    let temporary = ["ansible-tmp-", "ansible-local-", "/.ansible/tmp", "/tmp/davit-"];
    if temporary.iter().any(|mark| text.contains(mark)) {
        return TEMPORARY.to_owned();
    }
    // The original lists a set here, in another order every time.
    let text = text.split(" Valid booleans include:").next().unwrap_or(text);
    backup(text).unwrap_or_else(|| text.to_owned())
}

/// `file.123.2024-01-01@10:20:30~` without its number and time.
fn backup(text: &str) -> Option<String> {
    let at = text.find('@')?;
    let date = at.checked_sub(10)?;
    let before = text.get(..date)?.strip_suffix('.')?;
    let name = before.trim_end_matches(|char: char| char.is_ascii_digit()).strip_suffix('.')?;
    let after = text.get(at + 9..)?.strip_prefix('~')?;
    Some(format!("{name}.{{BACKUP}}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_other_tests_are_told_apart() {
        assert!(is_device("dg123x4") && is_device("ansible_dg123x4") && is_device("100.64.8.1"));
        assert!(
            !is_device("dgx")
                && !is_device("eth0")
                && !is_device("100.1.1.1")
                && !is_device("ansible_lo")
        );
    }

    #[test]
    fn names_of_backups_lose_their_times() {
        let name = "/x/f.conf.4711.2024-01-01@10:20:30~";
        assert_eq!(text(name), "/x/f.conf.{BACKUP}");
        assert_eq!(text("someone@example.org"), "someone@example.org");
    }
}
