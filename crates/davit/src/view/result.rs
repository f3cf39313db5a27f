//! Which keys of a result are shown, and how.
//!
//! The rules are the original's: what is only for machines goes, `debug` shows its message alone.

use davit_event::{End, Reply, Show};
use serde_json::Value;

use crate::view::dump::{self, YamlStyle};
use crate::view::{Format, Settings};

/// Keys that are bookkeeping, in any result.
const NEVER: &[&str] = &["failed", "skipped", "exception", "warnings", "deprecations", "results"];
/// Further keys that `debug: var=` does not show.
const NOT_IN_DEBUG: &[&str] =
    &["changed", "invocation", "skip_reason", "ansible_loop_var", "failed_when_result"];
/// From this many `-v` on, everything is shown, over several lines.
const EVERYTHING: u8 = 3;

/// True for `debug` under any of its names.
pub(crate) fn is_debug(action: &str) -> bool {
    matches!(action.rsplit('.').next(), Some("debug"))
}

/// True for what is shown by `included:` lines and not as a result.
pub(crate) fn is_include(action: &str) -> bool {
    matches!(
        action.rsplit('.').next(),
        Some("include_tasks" | "include_role" | "import_tasks" | "import_role" | "include")
    )
}

/// True where a good result of this task shows what the module returned.
pub(crate) fn is_shown(end: &End, settings: &Settings) -> bool {
    match end.show {
        Show::Always => true,
        Show::Seldom => false,
        Show::Verbose => settings.verbosity > 0,
    }
}

/// What there is to show of a result, without internal keys.
pub(crate) fn shown_keys(reply: &Reply, action: &str, verbosity: u8) -> Reply {
    let debug = is_debug(action);
    if debug && reply.contains_key("msg") {
        return reply.iter().filter(|(key, _)| *key == "msg").map(owned).collect();
    }
    reply
        .iter()
        .filter(|(key, _)| {
            let key = key.as_str();
            let hidden = key.starts_with("_ansible_")
                || NEVER.contains(&key)
                || (verbosity < EVERYTHING && matches!(key, "invocation" | "diff"))
                || (debug && NOT_IN_DEBUG.contains(&key));
            !hidden
        })
        .map(owned)
        .collect()
}

fn owned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// The result as text, to stand after `=> `.
pub(crate) fn text(end: &End, action: &str, settings: &Settings) -> String {
    let keys = shown_keys(&end.reply, action, settings.verbosity);
    let pretty = settings.pretty_results.unwrap_or(settings.result_format == Format::Yaml);
    match settings.result_format {
        Format::Yaml => {
            let style = YamlStyle { pretty, indent: settings.result_indentation };
            dump::yaml(&keys, style)
        }
        Format::Json => {
            let lines = pretty || end.show == Show::Always || settings.verbosity >= EVERYTHING;
            dump::json_map(&keys, lines.then_some(settings.result_indentation))
        }
    }
}

/// The warnings that a module returned.
pub(crate) fn warnings(reply: &Reply) -> impl Iterator<Item = &str> {
    list(reply, "warnings").filter_map(|warning| match warning {
        Value::Object(map) => map.get("msg").and_then(Value::as_str),
        other => other.as_str(),
    })
}

/// The deprecations that a module returned, as sentences.
pub(crate) fn deprecations(reply: &Reply) -> impl Iterator<Item = String> {
    list(reply, "deprecations").filter_map(|entry| match entry {
        Value::Object(map) => {
            let field = |name: &str| map.get(name).and_then(Value::as_str);
            let msg = field("msg")?.trim_end_matches('.');
            let from = match field("collection_name") {
                None | Some("ansible.builtin") => "ansible-core".to_owned(),
                Some(collection) => collection.to_owned(),
            };
            Some(match (field("version"), field("date")) {
                (Some(version), _) => {
                    format!("{msg}. This feature will be removed from {from} version {version}.")
                }
                (None, Some(date)) => {
                    format!(
                        "{msg}. This feature will be removed from {from} in a release after {date}."
                    )
                }
                (None, None) => format!("{msg}. This feature will be removed in the future."),
            })
        }
        other => other.as_str().map(ToOwned::to_owned),
    })
}

/// `host`, or `host -> where it ran`.
pub(crate) fn host_label(host: &str, end: &End) -> String {
    match &end.delegated_to {
        Some(other) => format!("{host} -> {other}"),
        None => host.to_owned(),
    }
}

fn list<'a>(reply: &'a Reply, key: &str) -> impl Iterator<Item = &'a Value> {
    reply.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(action: &str, reply: Value, expect: &str) {
        let Value::Object(reply) = reply else { panic!("an object") };
        assert_eq!(dump::json_map(&shown_keys(&reply, action, 1), None), expect);
    }

    #[test]
    fn what_is_for_machines_is_not_shown() {
        check(
            "command",
            json!({"rc": 1, "failed": true, "_ansible_no_log": false, "invocation": {}, "diff": []}),
            r#"{"rc": 1}"#,
        );
    }

    #[test]
    fn debug_shows_its_message_alone_or_its_variable() {
        check(
            "ansible.builtin.debug",
            json!({"msg": "x", "item": 1, "changed": false}),
            r#"{"msg": "x"}"#,
        );
        check("debug", json!({"x": 1, "item": 2, "changed": false}), r#"{"item": 2, "x": 1}"#);
    }

    #[test]
    fn a_deprecation_says_when_the_feature_goes() {
        let Value::Object(reply) =
            json!({"deprecations": [{"msg": "old thing", "version": "99.9"}]})
        else {
            unreachable!()
        };
        let said: Vec<String> = deprecations(&reply).collect();
        assert_eq!(
            said,
            ["old thing. This feature will be removed from ansible-core version 99.9."]
        );
    }
}
