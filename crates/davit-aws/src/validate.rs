//! Holds what an operation is given against its model, before anything is sent. Knows no wire.
//!
//! What is wrong is found all at once, each thing with its path. The rules are botocore's: what is
//! required, what is known, types, the lower bounds of numbers and lengths, unions. It does not look
//! at upper bounds and patterns, which services change without a new model, and neither do we;
//! values that a model does not list are told apart by [`unknown_choices`], for those who want to
//! warn of them.

mod coerce;
mod nearest;
mod path;

use std::fmt;

pub(crate) use self::path::{Step, prepend};
pub use self::{
    coerce::{BlobFormat, coerce},
    nearest::nearest,
};
use crate::{
    model::{Bounds, Kind, Location, Member, Operation, Service, ShapeId, Structure, Traits},
    time,
    value::{Map, Value},
};

/// How deep values may lie in each other.
pub(crate) const DEEPEST: usize = 128;

/// What an operation was given does not fit its model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", listed(problems))]
pub struct Invalid {
    /// All that is wrong, at least one thing.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The member: `Filters[0].Values`. Empty for the parameters as a whole.
    pub path: String,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with a value. It never holds a value that the model calls sensitive.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// It must be there and is not.
    #[error("is missing")]
    Missing,
    /// The model has no such member.
    #[error("is not known{}", hint(*nearest))]
    Unknown {
        /// The member that was probably meant.
        nearest: Option<&'static str>,
    },
    /// It is of another type.
    #[error("must be {expected}, not {given}")]
    Type {
        /// What the model wants, in words.
        expected: &'static str,
        /// What was given, in words.
        given: &'static str,
    },
    /// A number is below its bound.
    #[error("must be at least {min}{}", shown(*given))]
    TooSmall {
        /// The bound.
        min: f64,
        /// What was given, unless it is sensitive.
        given: Option<f64>,
    },
    /// A text or list is shorter than it may be.
    #[error("must be at least {min} long{}", shown(*given))]
    TooShort {
        /// The bound.
        min: f64,
        /// How long it is, unless it is sensitive.
        given: Option<usize>,
    },
    /// A union without any of its members.
    #[error("must have one of {}", choices.join(", "))]
    NoMember {
        /// The members.
        choices: Vec<&'static str>,
    },
    /// A union with more than one member.
    #[error("must have only one of {}", given.join(", "))]
    ManyMembers {
        /// Those that were given.
        given: Vec<String>,
    },
    /// It is to be sent as JSON, and JSON has no such value.
    #[error("must be JSON, which has no {given}")]
    NotJson {
        /// What was given, in words.
        given: &'static str,
    },
    /// Text that should be base64.
    #[error("must be base64")]
    NotBase64,
    /// Values lie in each other deeper than any service has them.
    #[error("lies too deep")]
    TooDeep,
}

/// A value that the model does not list. Services take some that are newer than the model, so it is
/// no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownChoice {
    /// The member: `Filters[0].Name`.
    pub path: String,
    /// What was given, unless it is sensitive.
    pub given: Option<String>,
    /// The value that was probably meant.
    pub nearest: Option<&'static str>,
    /// The values that the model lists.
    pub choices: Vec<&'static str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the parameters" } else { &self.path };
        write!(to, "{path} {}", self.wrong)
    }
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map(|it| format!("; {it} is")).unwrap_or_default()
}

fn shown(given: Option<impl fmt::Display>) -> String {
    given.map(|it| format!(", not {it}")).unwrap_or_default()
}

/// Holds parameters against an operation's input. Null stands for a member that is not there, but
/// where any JSON may stand.
///
/// Idempotency tokens may be missing, since `serialize` makes them, and so may the events of an
/// input that is a stream, which are not parameters. A body that is streamed is a parameter: who
/// hands it over apart puts empty bytes in its place.
///
/// # Errors
///
/// With everything that is wrong, in the order of the parameters.
///
/// ```
/// use davit_aws::{model::Store, validate::validate, value::Value};
///
/// let service = Store::default().service("ec2").unwrap().unwrap();
/// let operation = service.operation("DescribeInstances").unwrap();
/// let params = Value::from(serde_json::json!({"InstanceId": ["i-1"]}));
/// let invalid = validate(service, operation, params.as_map().unwrap()).unwrap_err();
/// assert_eq!(invalid.to_string(), "InstanceId is not known; InstanceIds is");
/// ```
pub fn validate(service: &Service, operation: &Operation, params: &Map) -> Result<(), Invalid> {
    let problems = Walk::over(service, operation, params, None).problems;
    if problems.is_empty() { Ok(()) } else { Err(Invalid { problems }) }
}

/// The values among parameters that the model does not list where it lists values.
#[must_use]
pub fn unknown_choices(
    service: &Service,
    operation: &Operation,
    params: &Map,
) -> Vec<UnknownChoice> {
    Walk::over(service, operation, params, Some(Vec::new())).choices.unwrap_or_default()
}

/// What a kind of shape takes, in words.
pub(crate) const fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Structure(_) | Kind::Map { .. } => "a map",
        Kind::List { .. } => "a list",
        Kind::String { .. } => "a string",
        Kind::Integer(_) | Kind::Long(_) => "a whole number",
        Kind::Float(_) | Kind::Double(_) => "a number",
        Kind::Boolean => "a boolean",
        Kind::Blob { .. } => "bytes",
        Kind::Timestamp => "a time",
    }
}

/// Whether a member's value means that it is there. Null means that it is not, unless it is a document:
/// these are any JSON, null too.
pub(crate) fn is_there(service: &Service, member: &Member, value: &Value) -> bool {
    !matches!(value, Value::Null) || service.structure(member.shape).is_some_and(|it| it.document)
}

/// A point in time that is given as one, as text or as seconds since 1970.
pub(crate) fn timestamp(value: &Value) -> Option<jiff::Timestamp> {
    match value {
        Value::Timestamp(it) => Some(*it),
        Value::String(it) => time::parse(it),
        Value::Int(it) => jiff::Timestamp::from_second(*it).ok(),
        Value::Float(it) => time::from_seconds(*it),
        _ => None,
    }
}

/// A way through parameters and their shapes side by side.
struct Walk<'a> {
    service: &'a Service,
    path: Vec<Step<'a>>,
    /// Nothing from here on may be shown.
    hidden: bool,
    problems: Vec<Problem>,
    /// Collected only for those who ask.
    choices: Option<Vec<UnknownChoice>>,
}

impl<'a> Walk<'a> {
    fn over(
        service: &'a Service,
        operation: &Operation,
        params: &'a Map,
        choices: Option<Vec<UnknownChoice>>,
    ) -> Self {
        let mut walk =
            Self { service, path: Vec::new(), hidden: false, problems: Vec::new(), choices };
        let none = Structure::default();
        let input = operation.input.and_then(|id| service.structure(id)).unwrap_or(&none);
        walk.structure(input, params);
        walk
    }

    fn problem(&mut self, wrong: Wrong) {
        self.problems.push(Problem { path: path::render(&self.path), wrong });
    }

    fn problem_at(&mut self, step: Step<'a>, wrong: Wrong) {
        self.path.push(step);
        self.problem(wrong);
        self.path.pop();
    }

    /// Looks at what stands one step further.
    fn step(&mut self, step: Step<'a>, traits: &Traits, shape: ShapeId, value: &'a Value) {
        let hidden = self.hidden;
        self.hidden |= traits.sensitive;
        self.path.push(step);
        if self.path.len() > DEEPEST {
            self.problem(Wrong::TooDeep);
        } else if traits.json_value && traits.location == Some(Location::Header) {
            self.json(value);
        } else {
            self.value(traits, shape, value);
        }
        self.path.pop();
        self.hidden = hidden;
    }

    fn value(&mut self, traits: &Traits, shape: ShapeId, value: &'a Value) {
        let service = self.service;
        let kind = &service.shape(shape).kind;
        match (kind, value) {
            (Kind::Structure(structure), value) if structure.document => self.json(value),
            (Kind::Structure(structure), value) if structure.event_stream => {
                let expected = "handed over apart, as events";
                self.problem(Wrong::Type { expected, given: value.kind() });
            }
            (Kind::Structure(structure), Value::Map(map)) => self.structure(structure, map),
            (Kind::List { member, bounds }, Value::List(items)) => {
                self.length(traits, bounds, items.len());
                for (index, item) in items.iter().enumerate() {
                    if !(traits.sparse && matches!(item, Value::Null)) {
                        self.step(Step::Index(index), &member.traits, member.shape, item);
                    }
                }
            }
            (Kind::Map { key, value, .. }, Value::Map(map)) => {
                for (name, item) in map {
                    let hidden = self.hidden || key.traits.sensitive;
                    let step = if hidden { Step::Hidden } else { Step::Name(name) };
                    self.key(step, &service.shape(key.shape).kind, &key.traits, name);
                    if !(traits.sparse && matches!(item, Value::Null)) {
                        self.step(step, &value.traits, value.shape, item);
                    }
                }
            }
            (Kind::String { choices, bounds }, Value::String(text)) => {
                self.text(traits, bounds, text);
                self.choice(choices, text);
            }
            (Kind::Integer(bounds) | Kind::Long(bounds), Value::Int(number)) => {
                #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
                self.number(traits, bounds, *number as f64);
            }
            (Kind::Float(bounds) | Kind::Double(bounds), Value::Int(number)) => {
                #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
                self.number(traits, bounds, *number as f64);
            }
            (Kind::Float(bounds) | Kind::Double(bounds), Value::Float(number)) => {
                self.number(traits, bounds, *number);
            }
            (Kind::Boolean, Value::Bool(_))
            | (Kind::Blob { .. }, Value::Blob(_) | Value::String(_)) => {}
            (Kind::Timestamp, value) if timestamp(value).is_some() => {}
            (kind, value) => {
                self.problem(Wrong::Type { expected: expected(kind), given: value.kind() });
            }
        }
    }

    fn structure(&mut self, structure: &Structure, map: &'a Map) {
        let service = self.service;
        let there = |name: &str, value: &Value| match structure.member(name) {
            Some(member) => is_there(service, member, value),
            None => !matches!(value, Value::Null),
        };
        let given = || map.iter().filter(|(name, value)| there(name, value));
        if structure.union {
            match given().count() {
                0 => self.problem(Wrong::NoMember { choices: names(structure).collect() }),
                1 => {}
                _ => {
                    let given = given().map(|(name, _)| name.clone()).collect();
                    self.problem(Wrong::ManyMembers { given });
                }
            }
        }
        for name in &structure.required {
            let given = map.get(*name).is_some_and(|it| there(name, it));
            if !given && !self.comes_later(structure, name) {
                self.problem_at(Step::Name(name), Wrong::Missing);
            }
        }
        for (name, _) in given() {
            if structure.member(name).is_none() {
                let nearest = nearest(name, names(structure));
                self.problem_at(Step::Name(name), Wrong::Unknown { nearest });
            }
        }
        for (name, value) in given() {
            if let Some(member) = structure.member(name) {
                self.step(Step::Name(name), &member.traits, member.shape, value);
            }
        }
    }

    /// Whether a required member is none of the caller's parameters.
    fn comes_later(&self, structure: &Structure, name: &str) -> bool {
        let Some(member) = structure.member(name) else { return false };
        self.path.is_empty() && member.traits.idempotency_token
            || self.service.structure(member.shape).is_some_and(|it| it.event_stream)
    }

    /// Looks at the name of a map's entry.
    fn key(&mut self, step: Step<'a>, kind: &Kind, traits: &Traits, name: &'a str) {
        let Kind::String { choices, bounds } = kind else { return };
        let hidden = self.hidden;
        self.hidden |= traits.sensitive;
        self.path.push(step);
        self.text(traits, bounds, name);
        self.choice(choices, name);
        self.path.pop();
        self.hidden = hidden;
    }

    fn text(&mut self, traits: &Traits, bounds: &Bounds, text: &str) {
        // Counting characters is work that few shapes ask for.
        if bounds.min.is_some() || traits.host_label {
            self.length(traits, bounds, text.chars().count());
        }
    }

    fn length(&mut self, traits: &Traits, bounds: &Bounds, length: usize) {
        let Some(min) = least(traits, bounds) else { return };
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
        if (length as f64) < min {
            let given = (!self.hidden).then_some(length);
            self.problem(Wrong::TooShort { min, given });
        }
    }

    fn number(&mut self, traits: &Traits, bounds: &Bounds, number: f64) {
        if let Some(min) = least(traits, bounds).filter(|min| number < *min) {
            let given = (!self.hidden).then_some(number);
            self.problem(Wrong::TooSmall { min, given });
        }
    }

    fn choice(&mut self, choices: &[&'static str], text: &str) {
        let Some(found) = &mut self.choices else { return };
        if !choices.is_empty() && !choices.contains(&text) {
            found.push(UnknownChoice {
                path: path::render(&self.path),
                given: (!self.hidden).then(|| text.to_owned()),
                nearest: nearest(text, choices.iter().copied()),
                choices: choices.to_vec(),
            });
        }
    }

    /// Any value that JSON has.
    fn json(&mut self, value: &'a Value) {
        match value {
            _ if self.path.len() > DEEPEST => self.problem(Wrong::TooDeep),
            Value::Blob(_) | Value::Timestamp(_) => {
                self.problem(Wrong::NotJson { given: value.kind() });
            }
            Value::Float(number) if !number.is_finite() => {
                self.problem(Wrong::NotJson { given: "such number" });
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    self.json(item);
                    self.path.pop();
                }
            }
            Value::Map(map) => {
                for (name, item) in map {
                    self.path.push(if self.hidden { Step::Hidden } else { Step::Name(name) });
                    self.json(item);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }
}

/// The lower bound. A label of a host's name cannot be empty, even if the model does not say so.
fn least(traits: &Traits, bounds: &Bounds) -> Option<f64> {
    bounds.min.or_else(|| traits.host_label.then_some(1.0))
}

fn names(structure: &Structure) -> impl Iterator<Item = &'static str> + '_ {
    structure.members.iter().map(|it| it.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Store;

    fn check(service: &str, operation: &str, params: serde_json::Value) -> Vec<String> {
        let service = Store::default().service(service).unwrap().unwrap();
        let operation = service.operation(operation).unwrap();
        let params = Value::from(params);
        match validate(service, operation, params.as_map().unwrap()) {
            Ok(()) => Vec::new(),
            Err(invalid) => invalid.problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn each_problem_has_its_path_and_what_is_wrong() {
        let params = json!({
            "Filters": [{"Name": 5, "Value": ["a"]}, 7],
            "instance_ids": ["i-1"],
            "MaxResults": "ten",
        });
        assert_eq!(
            check("ec2", "DescribeInstances", params),
            [
                "instance_ids is not known; InstanceIds is",
                "Filters[0].Value is not known; Values is",
                "Filters[0].Name must be a string, not a whole number",
                "Filters[1] must be a map, not a whole number",
                "MaxResults must be a whole number, not a string",
            ]
        );
    }

    #[test]
    fn what_must_be_there_is_missed_unless_it_is_made_later() {
        assert_eq!(check("s3", "PutObject", json!({"Bucket": "b"})), ["Key is missing"]);
        assert_eq!(
            check("s3", "PutObject", json!({"Bucket": "b", "Key": null})),
            ["Key is missing"]
        );
        let only_token = json!({"clientRequestToken": null});
        assert!(
            !check("codecommit", "CreateRepository", only_token)
                .contains(&"clientRequestToken is missing".to_owned())
        );
    }

    #[test]
    fn bounds_and_unions_are_looked_at() {
        assert_eq!(
            check("s3", "GetObject", json!({"Bucket": "b", "Key": ""})),
            ["Key must be at least 1 long, not 0"]
        );
        let item = json!({"TableName": "t", "Key": {"id": {"S": "a"}, "other": {}}});
        let problems = check("dynamodb", "GetItem", item);
        assert!(problems.is_empty(), "dynamodb's values are no unions: {problems:?}");
        let params = json!({
            "knowledgeBaseId": "k", "name": "n", "dataSourceConfiguration": {"type": "S3"},
            "vectorIngestionConfiguration": {"parsingConfiguration": {"parsingStrategy": 1}},
        });
        let problems = check("bedrock-agent", "CreateDataSource", params);
        assert_eq!(
            problems,
            [
                "vectorIngestionConfiguration.parsingConfiguration.parsingStrategy must be a string, \
              not a whole number"
            ]
        );
    }

    #[test]
    fn sensitive_values_are_not_shown() {
        let params = json!({"UserPoolId": "u_1", "Username": "", "TemporaryPassword": 5});
        let problems = check("cognito-idp", "AdminCreateUser", params);
        assert_eq!(
            problems,
            [
                "Username must be at least 1 long",
                "TemporaryPassword must be a string, not a whole number"
            ]
        );
    }

    #[test]
    fn values_that_are_not_listed_are_told_with_the_nearest() {
        let service = Store::default().service("ec2").unwrap().unwrap();
        let operation = service.operation("RunInstances").unwrap();
        let params = Value::from(json!({"InstanceType": "t3.mirco", "MinCount": 1, "MaxCount": 1}));
        let params = params.as_map().unwrap();
        assert_eq!(validate(service, operation, params), Ok(()));
        let found = unknown_choices(service, operation, params);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "InstanceType");
        assert_eq!(found[0].nearest, Some("t3.micro"));
    }

    #[test]
    fn depth_is_bounded() {
        let mut deep = Value::Null;
        for _ in 0..10_000 {
            deep = Value::List(vec![deep]);
        }
        let service = Store::default().service("dynamodb").unwrap().unwrap();
        let operation = service.operation("PutItem").unwrap();
        let mut item = Value::from("x");
        for _ in 0..200 {
            item = Value::Map([("L".to_owned(), Value::List(vec![item]))].into_iter().collect());
        }
        let item = Value::Map([("a".to_owned(), item)].into_iter().collect());
        let params: Map =
            [("TableName".to_owned(), "t".into()), ("Item".to_owned(), item)].into_iter().collect();
        let invalid = validate(service, operation, &params).unwrap_err();
        assert_eq!(invalid.problems.len(), 1);
        assert_eq!(invalid.problems[0].wrong, Wrong::TooDeep);
        while let Value::List(mut items) = deep {
            deep = items.pop().unwrap_or_default();
        }
    }
}
