//! The schema takes right playbooks and refuses wrong ones.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use davit_yaml::Convert;
use serde_json::Value;

use crate::ground;

fn playbook_schema() -> Value {
    davit_lint::schema("playbook", &ground::shapes(), &ground::lookups()).expect("a schema")
}

#[test]
fn every_keyword_and_module_is_in_it() {
    let schema = playbook_schema();
    let defs = &schema["$defs"];
    for keyword in davit_playbook::keywords() {
        let there = ["play", "task", "block"]
            .iter()
            .any(|it| defs[*it]["properties"].get(keyword.name).is_some());
        assert!(there, "{}", keyword.name);
    }
    for shape in ground::shapes() {
        assert!(defs.get(&shape.name).is_some(), "{}", shape.name);
        assert!(defs["task"]["properties"].get(&shape.name).is_some(), "{}", shape.name);
    }
    assert!(davit_lint::schema("tasks", &[], &[]).is_some());
    assert!(davit_lint::schema("inventory", &[], &[]).is_some());
    assert!(davit_lint::schema("zork", &[], &[]).is_none());
}

/// A validator for as much of JSON Schema as the schema uses; gives where the value is refused.
struct Validator<'s> {
    root: &'s Value,
}

impl Validator<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        let Some(map) = schema.as_object() else {
            return (schema == &Value::Bool(false)).then(|| at.to_owned());
        };
        for (word, said) in map {
            let refused = match word.as_str() {
                "$ref" => {
                    let pointer = said
                        .as_str()
                        .and_then(|it| it.strip_prefix('#'))
                        .expect("a local reference");
                    self.check(self.root.pointer(pointer).expect("what is referred to"), value, at)
                }
                "anyOf" => {
                    let any = said.as_array().expect("schemas");
                    let refusals: Vec<String> =
                        any.iter().map_while(|it| self.check(it, value, at)).collect();
                    // The deepest place is what it is about.
                    if refusals.len() < any.len() {
                        None
                    } else {
                        refusals.into_iter().max_by_key(String::len)
                    }
                }
                "if" => {
                    let branch =
                        if self.check(said, value, at).is_none() { "then" } else { "else" };
                    map.get(branch).and_then(|it| self.check(it, value, at))
                }
                "type" => (!has_type(said, value)).then(|| at.to_owned()),
                "enum" => {
                    (!said.as_array().expect("values").contains(value)).then(|| at.to_owned())
                }
                "pattern" => {
                    value.as_str().filter(|text| !matches(said, text)).map(|_| at.to_owned())
                }
                "required" => {
                    let names = said.as_array().expect("names");
                    let there = |it: &Value| {
                        value
                            .as_object()
                            .is_none_or(|map| map.contains_key(it.as_str().unwrap_or("")))
                    };
                    (!names.iter().all(there)).then(|| at.to_owned())
                }
                "items" => value.as_array().and_then(|items| {
                    items
                        .iter()
                        .enumerate()
                        .find_map(|(number, it)| self.check(said, it, &format!("{at}/{number}")))
                }),
                "properties" | "additionalProperties" => self.members(map, word, value, at),
                "minItems" => value.as_array().filter(|it| it.is_empty()).map(|_| at.to_owned()),
                "minProperties" => {
                    value.as_object().filter(|it| it.is_empty()).map(|_| at.to_owned())
                }
                "$schema" | "title" | "description" | "default" | "$defs" | "then" | "else" => None,
                other => panic!("the validator does not know {other}"),
            };
            if refused.is_some() {
                return refused;
            }
        }
        None
    }

    fn members(
        &self,
        schema: &serde_json::Map<String, Value>,
        word: &str,
        value: &Value,
        at: &str,
    ) -> Option<String> {
        let properties = schema.get("properties").and_then(Value::as_object);
        value.as_object()?.iter().find_map(|(key, value)| {
            let own = properties.and_then(|it| it.get(key));
            let at = format!("{at}/{key}");
            match (word, own) {
                ("properties", Some(own)) => self.check(own, value, &at),
                ("additionalProperties", None) => {
                    self.check(&schema["additionalProperties"], value, &at)
                }
                _ => None,
            }
        })
    }
}

fn has_type(said: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("no type {other}"),
    };
    match said {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        name => name.as_str().is_some_and(is),
    }
}

/// The two patterns that the schema has.
fn matches(pattern: &Value, text: &str) -> bool {
    match pattern.as_str() {
        Some(it) if it.starts_with(r"\{") => ["{{", "{%", "{#"].iter().any(|it| text.contains(it)),
        Some(it) if it.starts_with('^') => {
            let text = text.trim().trim_start_matches(['-', '+']);
            !text.is_empty() && text.chars().all(|it| it.is_ascii_digit() || "_.eE+-".contains(it))
        }
        other => panic!("no pattern {other:?}"),
    }
}

fn read(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    let file: Arc<str> = path.to_string_lossy().into();
    davit_yaml::load(&text, &file, &Convert::default()).ok().map(|it| it.to_json())
}

/// What the oracle's playbooks do wrong on purpose: the case and the end of the place.
const WRONG: &[(&str, &str)] = &[
    ("conditionals/errors", "/when"),
    ("keywords/async_simple", "/async_status"),
    ("keywords/attempts_and_empty", "/cacheable"),
    ("keywords/bad_keyword", "/whne"),
    ("keywords/bad_values", "/ignore_errors"),
    ("keywords/retries_bad", "/retries"),
    ("loops/labels_and_breaks", "/pause"),
    ("loops/with_unknown", "/with_nosuch"),
    ("modules/", ""),
    ("play/bad_module", "/no_such_module"),
    ("play/unknown_keyword", "/gather_fact"),
];

#[test]
fn right_playbooks_pass() {
    let schema = playbook_schema();
    let validator = Validator { root: &schema };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../davit/tests/oracle");
    let mut wrong = String::new();
    let mut seen = 0;
    for case in ground::folders(&root).iter().flat_map(|topic| ground::folders(topic)) {
        let name =
            case.strip_prefix(&root).expect("a case below the root").to_string_lossy().into_owned();
        let Some(value) = read(&case.join("site.yml")) else { continue };
        seen += 1;
        if let Some(at) = validator.check(&schema, &value, "")
            && !WRONG.iter().any(|(case, end)| name.starts_with(case) && at.ends_with(end))
        {
            let _ = writeln!(wrong, "{name}: {at}");
        }
    }
    assert!(seen > 100, "{seen} playbooks");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn wrong_playbooks_do_not_pass() {
    let schema = playbook_schema();
    let validator = Validator { root: &schema };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    for (case, expect) in [
        ("keyword_play", "/0/gather_fact"),
        ("keyword_task", "/0/tasks/0/whn"),
        ("keyword_block", "/0/tasks/0/loop"),
        ("keyword_loop_control", "/0/tasks/0/loop_control/loop_vra"),
        ("module_misspelt", "/0/tasks/0/coppy"),
        ("module_in_handler", "/0/handlers/0/servce"),
        ("argument_unknown", "/0/tasks/0/file/stat"),
        ("argument_choice", "/0/tasks/0/file/state"),
        ("argument_type", "/0/tasks/0/wait_for/port"),
        ("value_become", "/0/tasks/0/become"),
        ("tasks_not_a_list", "/0/tasks"),
        ("not_a_list", ""),
    ] {
        let value = read(&root.join(case).join("site.yml")).expect(case);
        assert_eq!(validator.check(&schema, &value, "").as_deref(), Some(expect), "{case}");
    }
}
