//! Makes the compact form of a service out of the files of its model, as botocore has them: what is
//! only there to be read by people is left out. Knows nothing of compression.

use std::{cmp::Reverse, collections::HashMap};

use serde_json::{Map, Value, json};

use super::tree::Writer;

/// The files of a service's model.
#[derive(Debug, Default)]
pub struct Files {
    /// `service-2.json`.
    pub service: Value,
    /// `paginators-1.json`, null if there is none.
    pub paginators: Value,
    /// `waiters-2.json`, null if there is none.
    pub waiters: Value,
    /// `endpoint-rule-set-1.json`, null if there is none.
    pub rules: Value,
}

/// What a member says of how it is written, which it takes over from its shape.
const TRAITS: &[&str] = &[
    "contextParam",
    "eventheader",
    "eventpayload",
    "flattened",
    "hostLabel",
    "idempotencyToken",
    "jsonvalue",
    "location",
    "locationName",
    "queryName",
    "requiresLength",
    "sensitive",
    "sparse",
    "streaming",
    "timestampFormat",
    "wrapper",
    "xmlAttribute",
    "xmlNamespace",
];
const OPERATION: &[&str] = &[
    "auth",
    "authtype",
    "endpoint",
    "endpointdiscovery",
    "endpointoperation",
    "errors",
    "http",
    "httpChecksum",
    "httpChecksumRequired",
    "input",
    "operationContextParams",
    "output",
    "readonly",
    "requestcompression",
    "staticContextParams",
    "unsignedPayload",
];
const SHAPE: &[&str] = &[
    "document",
    "enum",
    "error",
    "event",
    "eventstream",
    "exception",
    "key",
    "max",
    "member",
    "members",
    "min",
    "payload",
    "required",
    "retryable",
    "type",
    "union",
    "value",
];

/// Adds what a `*.sdk-extras.json` says to the file it belongs to.
pub fn merge(into: &mut Value, extras: &Value) {
    match (into, extras) {
        (Value::Object(into), Value::Object(extras)) => {
            for (key, value) in extras {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, extras) => *into = extras.clone(),
    }
}

/// The compact form of a service.
#[derive(Debug)]
pub struct Packed {
    /// What is read when the service is first asked for.
    pub head: Vec<u8>,
    /// The operations and shapes, each piece of which is read when something in it is asked for. None, where all
    /// of them are so few that they stand in the head.
    pub pieces: Vec<Vec<u8>>,
}

/// How large a piece is at most, but for one that holds a single larger tree. Small ones are read quickly, large
/// ones can be compressed better.
const PIECE: usize = 48 << 10;

/// The compact form. `common` are strings that many services have and that are not written again.
///
/// The head, all numbers varints: how many further strings, for each its length, their bytes; then the metadata, the parameters of clients, the pagination, the waiters and the rules,
/// each as its length and a tree; then the operations and the shapes, each as how many, and for
/// each its name and the length of its tree. The trees follow, those of the operations first: in the head, or in
/// pieces, none of which ends within a tree.
#[must_use]
pub fn pack(files: &Files, common: &[&str]) -> Packed {
    let (parts, table) = take_apart(files);
    let mut out = Output::new(&table, common);
    parts.sides.iter().for_each(|it| out.tree(it));
    let mut pieces = vec![Vec::new()];
    for group in [&parts.operations, &parts.shapes] {
        out.writer.size(group.len());
        for (name, value) in group {
            let place = out.places[name.as_str()];
            out.writer.number(place);
            let tree = out.tree_of(value);
            out.writer.size(tree.len());
            let last = pieces.last_mut().expect("one from the beginning");
            if !last.is_empty() && last.len() + tree.len() > PIECE {
                pieces.push(tree);
            } else {
                last.extend(tree);
            }
        }
    }
    let mut head = out.writer.bytes;
    if let [only] = pieces.as_slice() {
        head.extend(only);
        pieces.clear();
    }
    Packed { head, pieces }
}

/// The strings that `pack` would write.
#[must_use]
pub fn strings_of(files: &Files) -> Vec<String> {
    take_apart(files).1.counts.into_keys().collect()
}

/// The strings that at least so many descriptions have, the commonest first. `each` is the strings of all of
/// them, those of each once.
#[must_use]
pub fn common(each: impl Iterator<Item = String>, least: usize) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in each {
        *counts.entry(text).or_default() += 1;
    }
    let mut common: Vec<(String, usize)> =
        counts.into_iter().filter(|(_, count)| *count >= least).collect();
    common.sort_by(|left, right| (Reverse(left.1), &left.0).cmp(&(Reverse(right.1), &right.0)));
    common.into_iter().map(|(text, _)| text).collect()
}

/// What of a model is kept.
struct Parts {
    sides: [Value; 5],
    operations: Vec<(String, Value)>,
    shapes: Vec<(String, Value)>,
}

fn take_apart(files: &Files) -> (Parts, Table) {
    let shapes = files.service["shapes"].as_object().cloned().unwrap_or_default();
    let places: HashMap<&str, usize> =
        shapes.keys().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let strip = Strip { shapes: &shapes, places };
    let mut operations: Vec<(String, Value)> = entries(&files.service["operations"])
        .map(|(name, value)| (name.clone(), strip.operation(value)))
        .collect();
    operations.sort_by(|left, right| left.0.cmp(&right.0));
    let sides = [
        files.service["metadata"].clone(),
        without_words(&files.service["clientContextParams"]),
        files.paginators["pagination"].clone(),
        without_words(&files.waiters["waiters"]),
        without_words(&files.rules),
    ];
    let shapes = shapes.iter().map(|(name, value)| (name.clone(), strip.shape(value))).collect();
    let parts = Parts { sides, operations, shapes };
    let mut table = Table::default();
    parts.sides.iter().for_each(|it| table.add(it));
    for (name, value) in parts.operations.iter().chain(&parts.shapes) {
        table.count(name);
        table.add(value);
    }
    (parts, table)
}

/// One value in the same form: the strings, then the length and the tree.
#[must_use]
pub fn pack_value(value: &Value) -> Vec<u8> {
    let value = without_words(value);
    let mut table = Table::default();
    table.add(&value);
    let mut out = Output::new(&table, &[]);
    out.tree(&value);
    out.writer.bytes
}

/// What is being packed, with the places of its strings.
struct Output<'a> {
    writer: Writer,
    places: HashMap<&'a str, u64>,
}

impl<'a> Output<'a> {
    /// The strings that are not common are written.
    fn new(table: &'a Table, common: &[&'a str]) -> Self {
        let mut places: HashMap<&str, u64> = common.iter().copied().zip(0..).collect();
        let own: Vec<&str> =
            table.sorted().into_iter().filter(|it| !places.contains_key(it)).collect();
        let mut writer = Writer::default();
        writer.table(&own);
        places.extend(own.into_iter().zip(common.len() as u64..));
        Self { writer, places }
    }

    fn tree_of(&self, value: &Value) -> Vec<u8> {
        let mut one = Writer::default();
        one.tree(value, &|text| self.places[text]);
        one.bytes
    }

    /// A tree with its length before it.
    fn tree(&mut self, value: &Value) {
        let tree = self.tree_of(value);
        self.writer.size(tree.len());
        self.writer.bytes.extend(tree);
    }
}

struct Strip<'a> {
    shapes: &'a Map<String, Value>,
    places: HashMap<&'a str, usize>,
}

impl Strip<'_> {
    fn operation(&self, value: &Value) -> Value {
        let mut kept = pick(value, OPERATION);
        for side in ["input", "output"] {
            if let Some(reference) = kept.get(side) {
                let mut made = self.reference(reference);
                if let Some(wrapper) = reference.get("resultWrapper") {
                    made = json!({"shape": self.place(reference), "resultWrapper": wrapper});
                }
                kept.insert(side.to_owned(), made);
            }
        }
        if let Some(Value::Array(errors)) = kept.get("errors") {
            let errors = errors.iter().map(|it| self.place(it)).collect();
            kept.insert("errors".to_owned(), errors);
        }
        // Nearly all requests are answered with 200, and what is not does not look at it.
        if let Some(Value::Object(http)) = kept.get_mut("http") {
            http.shift_remove("responseCode");
        }
        without_words(&Value::Object(kept))
    }

    fn shape(&self, value: &Value) -> Value {
        let mut kept = pick(value, SHAPE);
        kept.extend(pick(value, TRAITS));
        for side in ["member", "key", "value"] {
            if let Some(reference) = kept.get(side) {
                let made = self.reference(reference);
                kept.insert(side.to_owned(), made);
            }
        }
        if let Some(Value::Object(members)) = kept.get("members") {
            let members = members.iter().map(|(name, it)| (name.clone(), self.reference(it)));
            let members = Value::Object(members.collect());
            kept.insert("members".to_owned(), members);
        }
        Value::Object(kept)
    }

    /// What stands where a shape is used: which, and how it is written there if anything is said of
    /// that.
    fn reference(&self, value: &Value) -> Value {
        let mut kept = Map::new();
        kept.insert("shape".to_owned(), self.place(value));
        if let Some(shape) = value["shape"].as_str().and_then(|it| self.shapes.get(it)) {
            kept.extend(pick(shape, TRAITS));
        }
        kept.extend(pick(value, TRAITS));
        if kept.len() == 1 { self.place(value) } else { Value::Object(kept) }
    }

    /// Which shape is named.
    fn place(&self, value: &Value) -> Value {
        let name = value["shape"].as_str().unwrap_or_default();
        self.places.get(name).copied().unwrap_or(0).into()
    }
}

fn pick(value: &Value, keys: &[&str]) -> Map<String, Value> {
    let wanted = entries(value).filter(|(key, _)| keys.contains(&key.as_str()));
    // A flag that is not set says what no flag says.
    wanted
        .filter(|(_, value)| **value != Value::Bool(false))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The same without what is there for people.
fn without_words(value: &Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .iter()
            .filter(|(key, value)| {
                !(matches!(key.as_str(), "documentation" | "description") && value.is_string())
            })
            .map(|(key, value)| (key.clone(), without_words(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_words).collect(),
        other => other.clone(),
    }
}

/// How often each string is there.
#[derive(Default)]
struct Table {
    counts: HashMap<String, usize>,
}

impl Table {
    fn count(&mut self, text: &str) {
        if let Some(count) = self.counts.get_mut(text) {
            *count += 1;
        } else {
            self.counts.insert(text.to_owned(), 1);
        }
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.count(text),
            Value::Array(items) => items.iter().for_each(|it| self.add(it)),
            Value::Object(entries) => {
                for (key, value) in entries {
                    self.count(key);
                    self.add(value);
                }
            }
            _ => {}
        }
    }

    /// The strings, those that stand in many places first, since their numbers are short.
    fn sorted(&self) -> Vec<&str> {
        let mut strings: Vec<(&str, usize)> =
            self.counts.iter().map(|(text, count)| (text.as_str(), *count)).collect();
        let often = |count: usize| if count > 4 { count } else { 0 };
        strings.sort_by_key(|&(text, count)| (Reverse(often(count)), text));
        strings.into_iter().map(|(text, _)| text).collect()
    }
}
