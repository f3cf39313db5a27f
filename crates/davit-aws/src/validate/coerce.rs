//! Makes what people write in JSON into what shapes want: bytes, points in time, special numbers.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;

use super::{DEEPEST, Invalid, Problem, Wrong, path::Step, prepend, timestamp};
use crate::{
    model::{Kind, Service, ShapeId},
    value::Value,
};

/// How bytes are written in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BlobFormat {
    /// The text's own bytes, as boto3 and version 1 of the AWS CLI have it.
    #[default]
    Raw,
    /// Base64, as version 2 of the AWS CLI has it.
    Base64,
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Makes text into bytes, text and numbers into points in time, and `NaN`, `Infinity` and `-Infinity`
/// into numbers, where a shape wants these. Everything else stays as it is, whether it fits or not:
/// `validate` says what does not.
///
/// # Errors
///
/// With the places of texts that should be base64 and are not.
pub fn coerce(
    service: &Service,
    shape: ShapeId,
    mut value: Value,
    blobs: BlobFormat,
) -> Result<Value, Invalid> {
    let mut walk = Walk { service, blobs, depth: 0, problems: Vec::new() };
    walk.value(shape, &mut value);
    let problems = walk.problems;
    if problems.is_empty() { Ok(value) } else { Err(Invalid { problems }) }
}

struct Walk<'a> {
    service: &'a Service,
    blobs: BlobFormat,
    depth: usize,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn step(&mut self, step: Step<'_>, shape: ShapeId, value: &mut Value) {
        if self.depth == DEEPEST {
            return;
        }
        let before = self.problems.len();
        self.depth += 1;
        self.value(shape, value);
        self.depth -= 1;
        for problem in &mut self.problems[before..] {
            prepend(&mut problem.path, step);
        }
    }

    fn value(&mut self, shape: ShapeId, value: &mut Value) {
        let service = self.service;
        match (&service.shape(shape).kind, value) {
            (Kind::Structure(structure), Value::Map(map)) if !structure.document => {
                for (name, value) in map {
                    if let Some(member) = structure.member(name)
                        && !member.traits.json_value
                    {
                        self.step(Step::Name(name), member.shape, value);
                    }
                }
            }
            (Kind::Map { value: member, .. }, Value::Map(map)) => {
                for (name, value) in map {
                    self.step(Step::Name(name), member.shape, value);
                }
            }
            (Kind::List { member, .. }, Value::List(items)) => {
                for (index, value) in items.iter_mut().enumerate() {
                    self.step(Step::Index(index), member.shape, value);
                }
            }
            (Kind::Blob { .. }, value) => self.blob(value),
            (Kind::Timestamp, value) => {
                if let Some(time) = timestamp(value) {
                    *value = Value::Timestamp(time);
                }
            }
            (Kind::Float(_) | Kind::Double(_), value) => {
                if let Some(number) = value.as_str().and_then(special) {
                    *value = Value::Float(number);
                }
            }
            _ => {}
        }
    }

    fn blob(&mut self, value: &mut Value) {
        let Value::String(text) = value else { return };
        match self.blobs {
            BlobFormat::Raw => *value = Value::Blob(Bytes::from(std::mem::take(text))),
            BlobFormat::Base64 => {
                let without_breaks: String = text.split_ascii_whitespace().collect();
                match BASE64.decode(without_breaks) {
                    Ok(bytes) => *value = Value::Blob(bytes.into()),
                    Err(_) => {
                        let wrong = Wrong::NotBase64;
                        self.problems.push(Problem { path: String::new(), wrong });
                    }
                }
            }
        }
    }
}

/// The numbers that JSON has no way to write.
fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Store;

    fn check(
        (service, operation): (&str, &str),
        params: serde_json::Value,
        blobs: BlobFormat,
    ) -> Result<Value, Invalid> {
        let service = Store::default().service(service).unwrap().unwrap();
        let input = service.operation(operation).unwrap().input.unwrap();
        coerce(service, input, params.into(), blobs)
    }

    #[test]
    fn text_becomes_bytes() {
        let put = ("kinesis", "PutRecord");
        let given = |blobs| check(put, json!({"Data": "aGk=", "PartitionKey": "aGk="}), blobs);
        let raw = given(BlobFormat::Raw).unwrap();
        assert_eq!(raw.get("Data"), Some(&Value::Blob(Bytes::from_static(b"aGk="))));
        let decoded = given(BlobFormat::Base64).unwrap();
        assert_eq!(decoded.get("Data"), Some(&Value::Blob(Bytes::from_static(b"hi"))));
        assert_eq!(decoded.get("PartitionKey"), Some(&"aGk=".into()));
        let records = json!({"Records": [{"Data": "no base64!"}]});
        let invalid = check(("kinesis", "PutRecords"), records, BlobFormat::Base64).unwrap_err();
        assert_eq!(invalid.to_string(), "Records[0].Data must be base64");
    }

    #[test]
    fn text_and_numbers_become_times() {
        let time = crate::time::parse("2026-01-02T03:04:05Z").unwrap();
        for given in [
            json!("2026-01-02T03:04:05Z"),
            json!("2026-01-02T04:04:05+01:00"),
            json!("Fri, 02 Jan 2026 03:04:05 GMT"),
            json!(1_767_323_045),
            json!(1_767_323_045.0),
        ] {
            let params = json!({"StartTime": given, "EndTime": "soon"});
            let made = check(("cloudtrail", "LookupEvents"), params, BlobFormat::Raw).unwrap();
            assert_eq!(made.get("StartTime"), Some(&Value::Timestamp(time)), "{given}");
            assert_eq!(made.get("EndTime"), Some(&"soon".into()));
        }
    }
}
