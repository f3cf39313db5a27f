//! The JSON schema of playbooks, for editors: every keyword and every module's arguments.
//!
//! It is made of the same tables as the check. A value may always be a template instead. That an argument has to
//! be there is not in it: it may come from `args` or `module_defaults`, and the check itself knows better.

use std::sync::Arc;

use davit_module::{ArgType, Opt, Spec};
use davit_playbook::{Field, Info, Owner, keywords};
use serde_json::{Map, Value, json};

/// What an action or module takes.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its full name.
    pub name: String,
    /// Names that it had once and is still known by.
    pub former_names: Vec<String>,
    /// Its arguments.
    pub spec: Arc<Spec>,
    /// It takes other arguments, too.
    pub open: bool,
}

/// What a template looks like.
const TEMPLATE: &str = r"\{[{%#]";

/// The schema (draft 2020-12) of `what`: `playbook`, `tasks` or `inventory`; none for anything else.
#[must_use]
pub fn schema(what: &str, shapes: &[Shape], lookups: &[&str]) -> Option<Value> {
    let (title, root) = match what {
        "playbook" => (
            "Playbook",
            json!({"type": ["array"], "minItems": 1, "items": {"$ref": "#/$defs/entry"}}),
        ),
        "tasks" => ("List of tasks", json!({"$ref": "#/$defs/items"})),
        "inventory" => return Some(inventory()),
        _ => return None,
    };
    let mut out = Map::new();
    out.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    out.insert("title".into(), title.into());
    if let Value::Object(root) = root {
        out.extend(root);
    }
    out.insert("$defs".into(), definitions(shapes, lookups));
    Some(Value::Object(out))
}

fn definitions(shapes: &[Shape], lookups: &[&str]) -> Value {
    let has = |names: &[&str]| {
        let any: Vec<Value> = names.iter().map(|name| json!({"required": [name]})).collect();
        json!({"anyOf": any})
    };
    let imports =
        ["import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook"];
    let mut defs = json!({
        "template": {"type": "string", "pattern": TEMPLATE},
        "expression": {"type": ["string", "boolean"]},
        "entry": {"type": "object", "if": has(&imports), "then": {"$ref": "#/$defs/import"}, "else": {"$ref": "#/$defs/play"}},
        "items": {"type": ["array", "null"], "items": {"$ref": "#/$defs/item"}},
        "handlers": {"type": ["array", "null"], "items": {"$ref": "#/$defs/handler_item"}},
        "item": {
            "type": ["object", "null"],
            "if": has(&["block", "rescue", "always"]),
            "then": {"$ref": "#/$defs/block"},
            "else": {"$ref": "#/$defs/task"},
        },
        "handler_item": {
            "type": ["object", "null"],
            "if": has(&["block", "rescue", "always"]),
            "then": {"$ref": "#/$defs/handler_block"},
            "else": {"$ref": "#/$defs/handler"},
        },
        "play": owner(Owner::Play, "items"),
        "block": owner(Owner::Block, "items"),
        "handler_block": owner(Owner::Block, "handlers"),
        "role": role(),
        "import": owner(Owner::PlaybookInclude, "items"),
        "task": task(shapes, lookups, false),
        "handler": task(shapes, lookups, true),
    });
    if let Some(play) = defs["play"].as_object_mut() {
        play.insert("required".into(), json!(["hosts"]));
        play["properties"]["user"] = json!({"type": ["string", "null"]});
    }
    for name in imports {
        defs["import"]["properties"][name] = json!({"type": ["string", "number"]});
    }
    if let Some(defs) = defs.as_object_mut() {
        for shape in shapes {
            defs.insert(shape.name.clone(), arguments(&shape.spec, shape.open));
        }
    }
    defs
}

/// The schema of what has the keywords of `owner`; lists of tasks are `list`.
fn owner(owner: Owner, list: &str) -> Value {
    let mut properties = Map::new();
    for info in keywords().iter().filter(|it| it.applies_to(owner)) {
        properties.insert(info.name.into(), keyword(info, list));
    }
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn role() -> Value {
    let mut out = owner(Owner::Role, "items");
    out["properties"]["role"] = json!({"type": "string"});
    // Anything else is a parameter of the role.
    out["additionalProperties"] = true.into();
    json!({"anyOf": [{"type": "string"}, out]})
}

fn task(shapes: &[Shape], lookups: &[&str], handler: bool) -> Value {
    let kind = if handler { Owner::Handler } else { Owner::Task };
    let mut out = owner(kind, "items");
    let Some(properties) = out["properties"].as_object_mut() else { return out };
    for lookup in lookups {
        properties.insert(format!("with_{lookup}"), json!({}));
    }
    if handler {
        properties.insert(
            "listen".into(),
            json!({"type": ["string", "array", "null"], "items": {"type": "string"}}),
        );
    }
    for shape in shapes {
        let at = json!({"$ref": format!("#/$defs/{}", shape.name)});
        // What has moved to this collection keeps its old names.
        let short = shape.name.strip_prefix("ansible.builtin.");
        if let Some(short) = short.or_else(|| shape.name.strip_prefix("ansible.posix.")) {
            properties.insert(short.to_owned(), at.clone());
            properties.insert(format!("ansible.legacy.{short}"), at.clone());
        }
        for former in &shape.former_names {
            properties.insert(former.clone(), at.clone());
        }
        properties.insert(shape.name.clone(), at);
    }
    out["minProperties"] = 1.into();
    out
}

/// A value of a type, or a template.
fn or_template(schema: Value) -> Value {
    json!({"anyOf": [schema, {"$ref": "#/$defs/template"}, {"type": "null"}]})
}

fn boolean() -> Value {
    let mut words = Vec::new();
    for word in ["yes", "no", "true", "false", "on", "off", "y", "n", "t", "f"] {
        let mut capital = word.to_owned();
        if let Some(first) = capital.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        words.extend([word.to_owned(), capital, word.to_ascii_uppercase()]);
    }
    words.extend(["0".to_owned(), "1".to_owned()]);
    words.sort();
    words.dedup();
    json!({"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, {"enum": words}]})
}

fn number(decimal: bool) -> Value {
    let kind = if decimal { "number" } else { "integer" };
    json!({"anyOf": [{"type": [kind, "boolean"]}, {"type": "string", "pattern": r"^\s*[-+]?[0-9_.eE+-]+\s*$"}]})
}

fn keyword(info: &Info, list: &str) -> Value {
    let tasks = |list: &str| json!({"$ref": format!("#/$defs/{list}")});
    match info.name {
        "block" | "rescue" | "always" => tasks(list),
        "tasks" | "pre_tasks" | "post_tasks" => tasks("items"),
        "handlers" => tasks("handlers"),
        "roles" => json!({"type": ["array", "null"], "items": {"$ref": "#/$defs/role"}}),
        "loop_control" => loop_control(),
        "action" | "local_action" => json!({"type": ["string", "object"]}),
        "args" => json!({"anyOf": [{"type": ["object", "null"]}, {"$ref": "#/$defs/template"}]}),
        "vars" => json!({"type": ["object", "null"]}),
        "vars_prompt" => json!({"type": ["array", "object", "null"]}),
        "hosts" => json!({"type": ["string", "array"], "items": {"type": "string"}}),
        "loop" => json!({}),
        "strategy" => json!({"anyOf": [
            {"enum": ["linear", "free", "host_pinned", "debug"]}, {"type": ["string", "null"]}]}),
        "order" => or_template(
            json!({"enum": ["inventory", "sorted", "reverse_sorted", "reverse_inventory", "shuffle", ""]}),
        ),
        _ if info.implicit => {
            json!({"anyOf": [{"$ref": "#/$defs/expression"},
                {"type": ["array", "null"], "items": {"$ref": "#/$defs/expression"}}]})
        }
        _ => field(info.field),
    }
}

fn field(field: Field) -> Value {
    match field {
        Field::Str => json!({"type": ["string", "number", "boolean", "null"]}),
        Field::Bool => or_template(boolean()),
        Field::Int => or_template(number(false)),
        Field::Float => or_template(number(true)),
        Field::Percent => or_template(json!({"type": ["number", "string"]})),
        Field::List | Field::Dict | Field::Class => json!({}),
    }
}

fn loop_control() -> Value {
    let text = || json!({"type": ["string", "number", "boolean", "null"]});
    json!({
        "type": ["object", "null"],
        "properties": {
            "loop_var": text(), "index_var": text(), "label": {}, "pause": or_template(number(true)),
            "extended": or_template(boolean()), "extended_allitems": or_template(boolean()),
            "break_when": {"type": ["string", "boolean", "array", "null"]},
            "parallel": {"description": "How many items may run at the same time.", "anyOf": [or_template(number(false))]},
        },
        "additionalProperties": false,
    })
}

/// The arguments of a module: a map, free text, or a template that gives them.
fn arguments(spec: &Spec, open: bool) -> Value {
    let mut out = object(spec, open, 0);
    out["description"] = spec.about.clone().into();
    json!({"description": first_line(&spec.about), "anyOf": [out, {"type": ["string", "null"]}]})
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn object(spec: &Spec, open: bool, depth: usize) -> Value {
    let mut properties = Map::new();
    for option in spec.options.iter().filter(|it| !it.hidden) {
        let schema = option_schema(option, depth);
        for alias in &option.aliases {
            properties.insert(alias.clone(), schema.clone());
        }
        properties.insert(option.name.clone(), schema);
    }
    let mut out = json!({"type": "object", "properties": properties});
    if !open {
        out["additionalProperties"] = false.into();
    }
    out
}

fn option_schema(option: &Opt, depth: usize) -> Value {
    let mut about = option.about.clone();
    if option.required {
        about = format!("(required) {about}");
    }
    let mut inner = kind(option.arg_type, option, depth);
    if !option.choices.is_empty() && option.arg_type != ArgType::List {
        inner = json!({"anyOf": choices(option)});
    }
    let mut out = json!({"description": about, "anyOf": [inner, {"$ref": "#/$defs/template"}, {"type": "null"}]});
    if let Some(default) = &option.default {
        out["default"] = default.clone();
    }
    out
}

/// The choices; booleans among them may be written in any way.
fn choices(option: &Opt) -> Vec<Value> {
    let mut any = vec![json!({"enum": option.choices})];
    let words = ["yes", "no", "true", "false", "on", "off"];
    let flags = option
        .choices
        .iter()
        .any(|it| it.is_boolean() || it.as_str().is_some_and(|it| words.contains(&it)));
    if flags {
        any.push(boolean());
    }
    let texts: Vec<String> = option
        .choices
        .iter()
        .map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
        .collect();
    any.push(json!({"enum": texts}));
    let numbers: Vec<i64> = texts.iter().filter_map(|it| it.parse().ok()).collect();
    if !numbers.is_empty() {
        any.push(json!({"enum": numbers}));
    }
    any
}

fn kind(arg_type: ArgType, option: &Opt, depth: usize) -> Value {
    let scalar = || json!({"type": ["string", "number", "boolean"]});
    match arg_type {
        ArgType::Bool => boolean(),
        ArgType::Int => number(false),
        ArgType::Float => number(true),
        // A list or a map where text is wanted is turned into its text.
        ArgType::Str | ArgType::Raw | ArgType::Json | ArgType::JsonArg => json!({}),
        ArgType::Path | ArgType::Bits | ArgType::Bytes => scalar(),
        ArgType::Dict => match &option.options {
            Some(spec) if depth < 10 => {
                json!({"anyOf": [object(spec, false, depth + 1), {"type": "string"}]})
            }
            _ => json!({"type": ["object", "string"]}),
        },
        ArgType::List => {
            let items = match (&option.options, option.elements) {
                (Some(spec), _) if depth < 10 => {
                    json!({"anyOf": [object(spec, false, depth + 1), {"type": "string"}]})
                }
                _ if !option.choices.is_empty() => {
                    json!({"anyOf": [{"anyOf": choices(option)}, {"$ref": "#/$defs/template"}]})
                }
                (_, Some(element)) if !matches!(element, ArgType::List | ArgType::Dict) => {
                    json!({"anyOf": [kind(element, option, depth + 1), {"$ref": "#/$defs/template"}]})
                }
                _ => json!({}),
            };
            json!({"anyOf": [{"type": "array", "items": items}, scalar()]})
        }
    }
}

/// The schema of an inventory in YAML.
fn inventory() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Inventory",
        "type": "object",
        "anyOf": [
            {"required": ["plugin"]},
            {"additionalProperties": {"$ref": "#/$defs/group"}},
        ],
        "$defs": {
            "vars": {"type": ["object", "null"]},
            "group": {
                "type": ["object", "null"],
                "properties": {
                    "hosts": {"anyOf": [
                        {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/vars"}},
                        {"type": "string"},
                    ]},
                    "vars": {"$ref": "#/$defs/vars"},
                    "children": {"anyOf": [
                        {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/group"}},
                        {"type": "string"},
                    ]},
                },
                "additionalProperties": false,
            },
        },
    })
}
