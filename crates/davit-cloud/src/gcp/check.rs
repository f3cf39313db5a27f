//! Holds what a method is given against its description, before anything is sent. All that is wrong is found at once,
//! each thing with its path.
//!
//! Values of schemas that are not listed are let through: services have new ones without a new document.

use davit_aws::validate::nearest;
use fancy_regex::Regex;
use serde_json::{Map, Value};

use super::document::{Api, Method, Parameter, properties};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `parameters.zone`, `body.disks[0].boot`.
    pub path: String,
    /// What is wrong with it, in words.
    pub wrong: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} {}", self.path, self.wrong)
    }
}

/// How deep values may lie in each other.
const DEEPEST: usize = 128;

/// All that is wrong with parameters.
#[must_use]
pub fn parameters(method: &Method, given: &Map<String, Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |name: &str, wrong: String| {
        problems.push(Problem { path: format!("parameters.{name}"), wrong });
    };
    for (name, value) in given {
        match method.parameter(name) {
            None => {
                let own = method.parameters.iter().map(|it| it.name.as_str());
                add(name, unknown(nearest(name, own)));
            }
            Some(_) if value.is_null() => {}
            Some(it) => {
                if let Some(wrong) = misfit(it, value) {
                    add(name, wrong);
                }
            }
        }
    }
    for it in method.parameters.iter().filter(|it| it.required || it.in_path) {
        if given.get(&it.name).is_none_or(Value::is_null) {
            add(&it.name, "is missing".to_owned());
        }
    }
    problems
}

fn unknown(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("is not known: did you mean {nearest}?"),
        None => "is not known".to_owned(),
    }
}

/// What is wrong with the value of a parameter.
fn misfit(it: &Parameter, value: &Value) -> Option<String> {
    if let Value::Array(items) = value {
        if !it.repeated {
            return Some(format!("must be {}, not a list", article(&it.kind)));
        }
        return items.iter().find_map(|one| misfit_one(it, one));
    }
    misfit_one(it, value)
}

fn misfit_one(it: &Parameter, value: &Value) -> Option<String> {
    let Some(text) = super::request::text(&it.kind, value) else {
        return Some(format!("must be {}, not {}", article(&it.kind), kind(value)));
    };
    if !it.choices.is_empty() && !it.choices.contains(&text) {
        return Some(format!("must be one of {}, not {text}", it.choices.join(", ")));
    }
    // As Google's own clients do: from the beginning, and only to the end where the pattern says so.
    let pattern = it.pattern.as_deref()?;
    let regex = Regex::new(&format!("^(?:{pattern})")).ok()?;
    matches!(regex.is_match(&text), Ok(false))
        .then(|| format!("must look like {pattern}, not {text}"))
}

/// All that is wrong with what goes along with a method.
#[must_use]
pub fn body(api: &Api, method: &Method, body: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    match &method.request {
        None if body.is_null() => {}
        None => problems.push(Problem {
            path: "body".to_owned(),
            wrong: format!("is not taken by {}", method.name),
        }),
        Some(schema) => check(api, schema, body, &mut Path::new(&mut problems)),
    }
    problems
}

struct Path<'a> {
    path: String,
    depth: usize,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Path<'a> {
    fn new(problems: &'a mut Vec<Problem>) -> Self {
        Self { path: "body".to_owned(), depth: 0, problems }
    }

    fn wrong(&mut self, wrong: String) {
        self.problems.push(Problem { path: self.path.clone(), wrong });
    }

    fn within(&mut self, step: &str, check: impl FnOnce(&mut Self)) {
        let size = self.path.len();
        self.path.push_str(step);
        self.depth += 1;
        check(self);
        self.depth -= 1;
        self.path.truncate(size);
    }
}

fn check(api: &Api, schema: &Value, value: &Value, at: &mut Path<'_>) {
    if value.is_null() {
        return;
    }
    if at.depth > DEEPEST {
        return at.wrong("lies too deep".to_owned());
    }
    let resolved;
    let schema = if schema.get("$ref").is_some() {
        resolved = api.resolved(schema);
        &resolved
    } else {
        schema
    };
    let expected = schema["type"].as_str().unwrap_or("string");
    let fits = match expected {
        "any" => return,
        "string" => {
            let is_number = schema.get("format").is_some();
            value.is_string() || is_number && value.is_i64() || is_number && value.is_u64()
        }
        "integer" | "number" => value.is_number() || value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    if !fits {
        return at.wrong(format!("must be {}, not {}", article(expected), kind(value)));
    }
    if let Value::Array(items) = value {
        for (place, item) in items.iter().enumerate() {
            at.within(&format!("[{place}]"), |at| check(api, &schema["items"], item, at));
        }
    }
    let Value::Object(map) = value else { return };
    let known = properties(schema);
    let others = schema.get("additionalProperties");
    for (name, item) in map {
        match known.and_then(|it| it.get(name)).or(others) {
            Some(schema) => at.within(&format!(".{name}"), |at| check(api, schema, item, at)),
            None => {
                // A schema without any properties says nothing.
                if let Some(known) = known {
                    let nearest = nearest(name, known.keys().map(String::as_str));
                    at.within(&format!(".{name}"), |at| at.wrong(unknown(nearest)));
                }
            }
        }
    }
}

fn article(kind: &str) -> &'static str {
    match kind {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "a boolean",
        "array" => "a list",
        _ => "a map",
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(it) if it.is_f64() => "a number",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::store::Store;
    use super::*;

    fn wrong(method: &str, given: &Value, sent: &Value) -> Vec<String> {
        let api = Store::default().api("compute", Some("v1")).unwrap();
        let method = api.method(method).unwrap();
        let mut all = parameters(&method, given.as_object().unwrap());
        all.extend(body(&api, &method, sent));
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_wrong_is_told_all_at_once_with_its_path() {
        let given = json!({"project": "p", "Zone": "a", "fields": "name"});
        let sent = json!({
            "name": "vm",
            "machinetype": "e2-micro",
            "disks": [{"boot": "yes", "diskSizeGb": 10}],
            "labels": {"a": 1},
            "tags": [],
        });
        let expect = [
            "parameters.Zone is not known: did you mean zone?",
            "parameters.zone is missing",
            "body.machinetype is not known: did you mean machineType?",
            "body.disks[0].boot must be a boolean, not a string",
            "body.labels.a must be a string, not a whole number",
            "body.tags must be a map, not a list",
        ];
        assert_eq!(wrong("instances.insert", &given, &sent), expect);
        let given = json!({"project": "NO SUCH", "zone": "a", "maxResults": "ten"});
        let told = wrong("instances.list", &given, &json!({"name": "x"}));
        assert!(told[0].starts_with("parameters.project must look like "), "{told:?}");
        assert_eq!(told[1], "parameters.maxResults must be a whole number, not a string");
        assert_eq!(told[2], "body is not taken by instances.list");
    }

    #[test]
    fn what_is_right_is_let_through() {
        let given = json!({"project": "my-project", "zone": "europe-west1-b", "requestId": null});
        let sent = json!({"name": "vm", "labels": {"a": "b"}, "disks": [{"diskSizeGb": "10"}], "metadata": null});
        assert_eq!(wrong("instances.insert", &given, &sent), [""; 0]);
    }
}
