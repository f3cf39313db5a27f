//! Makes the compact form of an API out of its discovery document: what is only there to be read by people is left
//! out. Knows nothing of compression.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use davit_aws::model::Writer;
use serde_json::{Map, Value, json};

use super::tree::{strings, write};

/// What of a document is kept.
pub(crate) struct Parts {
    /// `name`, `version`, `rootUrl`, `servicePath`, and the `parameters` that every method has.
    head: Value,
    methods: Vec<(String, Value)>,
    schemas: Vec<(String, Value)>,
}

/// The compact form of a document. `common` are strings that many documents have and that are not written again.
///
/// Layout, all numbers varints: the further strings, as how many, their lengths and their bytes; the head; how many
/// methods, and for each its name and length; the same of the schemas; the methods; the schemas.
#[must_use]
pub fn pack(document: &Value, common: &[&str]) -> Vec<u8> {
    let parts = take_apart(document);
    let mut places: HashMap<&str, u64> = common.iter().copied().zip(0..).collect();
    let counts = count(&parts);
    let mut own: Vec<&str> = counts.keys().copied().filter(|it| !places.contains_key(it)).collect();
    own.sort_by_key(|it| (Reverse(counts[it]), *it));
    places.extend(own.iter().copied().zip(common.len() as u64..));
    let mut writer = Writer::default();
    writer.table(&own);
    write(&mut writer, &parts.head, &places);
    let mut bodies = Writer::default();
    for group in [&parts.methods, &parts.schemas] {
        writer.size(group.len());
        for (name, value) in group {
            let before = bodies.bytes.len();
            write(&mut bodies, value, &places);
            writer.number(places[name.as_str()]);
            writer.size(bodies.bytes.len() - before);
        }
    }
    writer.bytes.extend(bodies.bytes);
    writer.bytes
}

/// The strings that [`pack`] would write.
#[must_use]
pub fn strings_of(document: &Value) -> Vec<String> {
    count(&take_apart(document)).into_keys().map(str::to_owned).collect()
}

/// How many methods a document has.
#[must_use]
pub fn methods_of(document: &Value) -> usize {
    let own = document["methods"].as_object().map_or(0, Map::len);
    let resources = document["resources"].as_object().into_iter().flat_map(Map::values);
    own + resources.map(methods_of).sum::<usize>()
}

fn count(parts: &Parts) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    let mut note = |text| *counts.entry(text).or_default() += 1;
    strings(&parts.head, &mut note);
    for (name, value) in parts.methods.iter().chain(&parts.schemas) {
        note(name);
        strings(value, &mut note);
    }
    counts
}

fn take_apart(document: &Value) -> Parts {
    let mut head = Map::new();
    for name in ["name", "version", "rootUrl", "servicePath"] {
        head.insert(name.to_owned(), document[name].clone());
    }
    head.insert("parameters".to_owned(), parameters(&document["parameters"]));
    let mut methods = Vec::new();
    gather(document, "", &mut methods);
    methods.sort_by(|left, right| left.0.cmp(&right.0));
    let all = &document["schemas"];
    let sent = sent(all, &methods);
    let answered: HashSet<&str> =
        methods.iter().filter_map(|(_, it)| it["response"]["$ref"].as_str()).collect();
    let mut schemas = Vec::new();
    for (name, value) in entries(all) {
        if sent.contains(name) {
            schemas.push((name.clone(), schema(value, 0)));
        } else if answered.contains(name.as_str()) {
            schemas.push((name.clone(), answer(value)));
        }
    }
    schemas.sort_by(|left, right| left.0.cmp(&right.0));
    Parts { head: Value::Object(head), methods, schemas }
}

/// The schemas that a request may be made of.
fn sent(all: &Value, methods: &[(String, Value)]) -> HashSet<String> {
    let mut open: Vec<&Value> = methods.iter().map(|(_, it)| &it["request"]).collect();
    let mut sent = HashSet::new();
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(name) = map.get("$ref").and_then(Value::as_str)
                    && sent.insert(name.to_owned())
                {
                    open.push(&all[name]);
                }
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    sent
}

/// What is to be known of an answer: whether there are more pages, and whether it is an operation.
fn answer(value: &Value) -> Value {
    let known = ["done", "nextPageToken", "pageToken", "status"];
    let known = known.into_iter().filter(|it| value["properties"].get(it).is_some());
    let properties: Map<String, Value> = known.map(|it| (it.to_owned(), json!({}))).collect();
    json!({"type": "object", "properties": properties})
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The methods of a resource and of those in it, by their whole names.
fn gather(resource: &Value, prefix: &str, methods: &mut Vec<(String, Value)>) {
    for (name, value) in entries(&resource["methods"]) {
        let name = format!("{prefix}{name}");
        let mut kept = method(value);
        // Most ids are the name, with that of the API in front.
        if value["id"].as_str().is_none_or(|it| !it.ends_with(&format!(".{name}"))) {
            kept["id"] = value["id"].clone();
        }
        methods.push((name, kept));
    }
    for (name, value) in entries(&resource["resources"]) {
        // No document goes deeper than that.
        if prefix.matches('.').count() < 32 {
            gather(value, &format!("{prefix}{name}."), methods);
        }
    }
}

fn method(value: &Value) -> Value {
    let mut kept = Map::new();
    let keys = ["httpMethod", "path", "scopes", "apiVersion", "supportsMediaDownload"];
    for key in keys {
        if let Some(it) = value.get(key) {
            kept.insert(key.to_owned(), it.clone());
        }
    }
    if value["parameters"].as_object().is_some_and(|it| !it.is_empty()) {
        kept.insert("parameters".to_owned(), parameters(&value["parameters"]));
    }
    for key in ["request", "response"] {
        if let Some(it) = value.get(key) {
            kept.insert(key.to_owned(), schema(it, 0));
        }
    }
    if let Some(upload) = value.get("mediaUpload") {
        let mut about = Map::new();
        about.insert("resumable".to_owned(), json!(upload["protocols"].get("resumable").is_some()));
        for key in ["accept", "maxSize"] {
            if let Some(it) = upload.get(key) {
                about.insert(key.to_owned(), it.clone());
            }
        }
        kept.insert("mediaUpload".to_owned(), about.into());
    }
    kept.into()
}

/// Parameters: one that says nothing of it is a text in the query.
fn parameters(all: &Value) -> Value {
    let strip = |value: &Value| {
        let mut kept = Map::new();
        for (key, usual) in
            [("type", json!("string")), ("location", json!("query")), ("required", json!(false))]
        {
            if let Some(it) = value.get(key).filter(|it| **it != usual) {
                kept.insert(key.to_owned(), it.clone());
            }
        }
        for key in ["repeated", "enum", "pattern"] {
            if let Some(it) = value.get(key) {
                kept.insert(key.to_owned(), it.clone());
            }
        }
        Value::Object(kept)
    };
    entries(all).map(|(name, value)| (name.clone(), strip(value))).collect::<Map<_, _>>().into()
}

/// A schema: one that says nothing of it is a text.
fn schema(value: &Value, depth: usize) -> Value {
    let mut kept = Map::new();
    if depth > 64 {
        return json!({"type": "any"});
    }
    if let Some(it) = value.get("$ref") {
        kept.insert("$ref".to_owned(), it.clone());
    }
    if let Some(it) = value.get("type").filter(|it| *it != "string") {
        kept.insert("type".to_owned(), it.clone());
    }
    // Of the formats only those say something of what may be written that are numbers in texts.
    if let Some(it) = value.get("format").filter(|it| *it == "int64" || *it == "uint64") {
        kept.insert("format".to_owned(), it.clone());
    }
    for key in ["items", "additionalProperties"] {
        if let Some(it) = value.get(key).filter(|it| it.is_object()) {
            kept.insert(key.to_owned(), schema(it, depth + 1));
        }
    }
    if let Some(all) = value["properties"].as_object() {
        let all = all.iter().map(|(name, it)| (name.clone(), schema(it, depth + 1)));
        kept.insert("properties".to_owned(), all.collect::<Map<_, _>>().into());
    }
    kept.into()
}
