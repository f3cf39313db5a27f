//! Answers are read as botocore reads them: of every operation of every service one that it gives, one
//! error, now and then one that is broken, and all events of all streams.
//!
//! What differs is meant to, and each time is named here: see `excused` and `same_error`.

use std::{collections::BTreeMap, env, sync::mpsc, thread};

use base64::Engine as _;
use bytes::Bytes;
use davit_aws::{
    event_stream::{Decoder, Event, Message, encode_event, event},
    http::{Headers, Response},
    model::{Operation, Protocol, Service, ShapeId, Store},
    parse::{self, Body, Fault, Metadata, ServiceError},
    value::{Map, Value},
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::python::Python;

/// All services, by one Python that is ahead of the comparison.
#[test]
fn every_operation_is_read_as_botocore_reads_it() {
    let seed = env::var("DAVIT_ANSWERS_SEED").unwrap_or_else(|_| "1".to_owned());
    let (questions, asked) = mpsc::channel::<Json>();
    let (answers, answered) = mpsc::sync_channel::<Json>(4);
    let python = thread::spawn(move || {
        let mut python = Python::start("answers.py");
        for question in asked {
            if answers.send(python.ask(&question)).is_err() {
                return;
            }
        }
    });
    questions.send(json!({})).expect("it listens");
    let names = answered.recv().expect("it answers");
    let names: Vec<&str> =
        names.as_array().expect("a list").iter().filter_map(Json::as_str).collect();
    for name in &names {
        questions.send(json!({"service": name, "seed": seed})).expect("it listens");
    }
    let store = Store::default();
    let mut run = Run::default();
    let mut inputs = Vec::new();
    for name in &names {
        let answer = answered.recv().expect("it answers");
        let service = store.service(name).expect("readable").expect("known");
        assert_eq!(answer["operations"], json!(service.operation_names().len()), "{name}");
        for case in answer["cases"].as_array().expect("a list") {
            run.case(service, case);
            if case["kind"] == "input" {
                inputs.push((service, case.clone()));
            }
        }
    }
    for (service, case) in inputs {
        let (operation, frames) = encoded(service, &case);
        let frames = base64::engine::general_purpose::STANDARD.encode(frames);
        let question =
            json!({"service": service.name, "operation": operation.name, "frames": frames});
        questions.send(question).expect("it listens");
        let read = answered.recv().expect("it answers");
        run.equal(&case, service, &json!({"events": read}), &json!({"events": case["values"]}));
    }
    drop(questions);
    python.join().expect("it ends");
    run.finish(names.len());
}

/// What was compared and what was not the same.
#[derive(Default)]
struct Run {
    counts: BTreeMap<String, usize>,
    differences: Vec<String>,
}

impl Run {
    fn case(&mut self, service: &Service, case: &Json) {
        let kind = case["kind"].as_str().expect("text");
        *self.counts.entry(kind.to_owned()).or_default() += 1;
        let operation = service.operation(text(&case["operation"])).expect("known");
        match kind {
            "output" | "garbage" => self.output(service, operation, case),
            "error" | "odd error" => self.error(service, operation, case),
            "events" => self.events(service, operation, case),
            _ => {}
        }
    }

    fn equal(&mut self, case: &Json, service: &Service, found: &Json, wanted: &Json) {
        let (found, wanted) = (found.to_string(), wanted.to_string());
        if found != wanted {
            let what = format!("found  {found}\n  wanted {wanted}");
            self.differs(case, service, &what);
        }
    }

    fn differs(&mut self, case: &Json, service: &Service, what: &str) {
        let body = decoded(&case["body"]);
        self.differences.push(format!(
            "{}.{} ({}, status {}, headers {}):\n  {what}\n  body   {}",
            service.name,
            text(&case["operation"]),
            text(&case["kind"]),
            case["status"],
            case["headers"],
            String::from_utf8_lossy(&body),
        ));
    }

    fn output(&mut self, service: &Service, operation: &Operation, case: &Json) {
        let response = response(case);
        match (parse::output(service, operation, &response), case.get("want")) {
            (Ok(output), Some(want)) => {
                let values = tagged(&Value::Map(output.values.clone()));
                self.equal(case, service, &values, &want["values"]);
                self.metadata(case, service, &output.metadata, &want["metadata"]);
                self.head(service, operation, (case, &response), &output.values);
            }
            (Err(_), None) => {}
            (Err(error), Some(_)) if excused(service, &response) => {
                assert!(!error.to_string().is_empty());
            }
            (Ok(_), None) if excused(service, &response) => {}
            (found, _) => {
                let what = format!("{found:?}, botocore: {}", case["raises"]);
                self.differs(case, service, &what);
            }
        }
    }

    /// The head of an answer is what it has but for the body.
    fn head(
        &mut self,
        service: &Service,
        operation: &Operation,
        of: (&Json, &Response),
        values: &Map,
    ) {
        let (case, response) = of;
        let head = parse::head(service, operation, response.status, &response.headers);
        let head = head.expect("the whole can be read");
        if let Body::Stream(name) = head.body {
            let mut values = values.clone();
            values.shift_remove(name);
            let found = tagged(&Value::Map(head.values));
            self.equal(case, service, &found, &tagged(&Value::Map(values)));
        }
    }

    /// botocore finds ids in fewer places.
    fn metadata(&mut self, case: &Json, service: &Service, found: &Metadata, want: &Json) {
        let mut all = found.to_value().to_json();
        let mut want = want.clone();
        for id in ["RequestId", "HostId"] {
            if want[id].is_null() || want[id] == "" {
                want[id] = Json::Null;
                all[id] = Json::Null;
            }
        }
        for key in ["RequestId", "HostId", "HTTPStatusCode", "HTTPHeaders"] {
            self.equal(case, service, &all[key], &want[key]);
        }
    }

    fn error(&mut self, service: &Service, operation: &Operation, case: &Json) {
        let response = response(case);
        let error = parse::error(service, operation, &response);
        assert!(error.to_string().contains(operation.name) && !error.code.is_empty());
        match case.get("want") {
            Some(want) => {
                if let Err(what) = same_error(service, &response, &error, want) {
                    let what = format!("{what}: {error:?}\n  wanted {want}");
                    self.differs(case, service, &what);
                }
                self.metadata(case, service, &error.metadata, &want["metadata"]);
            }
            // Where botocore cannot read it, the code is that of the header, or the status.
            None if error.unreadable.is_some() || response.body.trim_ascii().is_empty() => {}
            None => self.differs(case, service, &format!("{error:?}")),
        }
    }

    fn events(&mut self, service: &Service, operation: &Operation, case: &Json) {
        let response = response(case);
        let head = parse::head(service, operation, response.status, &response.headers);
        let head = head.expect("no header is wrong");
        assert!(matches!(head.body, Body::Events(_)), "{}.{}", service.name, operation.name);
        let mut values = head.values;
        let mut events = Vec::new();
        for message in messages(&response.body) {
            match event(service, operation, &message) {
                Ok(Event::Initial(map)) => values.extend(map),
                Ok(Event::Member { name, value }) => {
                    events.push(json!({name: tagged(&Value::Map(value))}));
                }
                Ok(Event::Error(error)) => events.push(json!({"$error":
                    {"Code": error.code, "Message": error.message}})),
                Ok(Event::Unknown(name)) => assert_eq!(name, "newer"),
                Err(error) => events.push(json!(error.to_string())),
            }
        }
        let found = json!({"values": tagged(&Value::Map(values)), "events": events});
        self.equal(case, service, &found, &case["want"]);
    }

    fn finish(self, services: usize) {
        let shown = self.differences.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n");
        let count = self.differences.len();
        assert!(count == 0, "{count} differences in {:?}:\n{shown}", self.counts);
        assert!(services > 430, "{services}");
        let enough =
            |kind: &str, least: usize| self.counts.get(kind).is_some_and(|it| *it >= least);
        assert!(enough("output", 19_000) && enough("error", 19_000), "{:?}", self.counts);
        assert!(enough("garbage", 3000) && enough("odd error", 3000), "{:?}", self.counts);
        assert!(enough("events", 25) && enough("input", 5), "{:?}", self.counts);
    }
}

/// Whether botocore does what makes no sense of this body.
fn excused(service: &Service, response: &Response) -> bool {
    let body = response.body.trim_ascii();
    let page = body.starts_with(b"<html") || body.starts_with(b"<!DOCTYPE html");
    match service.metadata.protocol {
        // It takes JSON that cannot be read for an empty answer, and stumbles over null.
        Protocol::Json | Protocol::RestJson => {
            let json = serde_json::from_slice::<Json>(body);
            body.is_empty() || page || !json.is_ok_and(|it| it.is_object())
        }
        // It stumbles where there is no body at all, and reads none where nothing is expected.
        Protocol::Cbor => body.is_empty() || page || body[0] >> 5 != 5,
        // It takes a page that happens to be XML for an empty answer.
        Protocol::RestXml | Protocol::Query | Protocol::Ec2 => page,
    }
}

/// Whether an error is the same, but for what botocore leaves empty and davit fills in: codes that no
/// one said are the status, messages then its reason, and pages are not taken for messages.
fn same_error(
    service: &Service,
    response: &Response,
    found: &ServiceError,
    want: &Json,
) -> Result<(), &'static str> {
    let status = response.status.to_string();
    let code = want["Code"].as_str().filter(|it| !it.is_empty()).unwrap_or(&status);
    // An error that a header names stays what it is, where botocore has nothing but a status left: it
    // gives up on errors of the server without a body, and looks at the header for one protocol only.
    if code == status && found.code != code && response.headers.contains("x-amzn-errortype") {
        return Ok(());
    }
    if found.code != code {
        return Err("another code");
    }
    let message = want["Message"].as_str().unwrap_or_default();
    let filled = message.is_empty() && found.code == status;
    let odd = found.unreadable.is_some();
    if found.message != message && !filled && !odd {
        return Err("another message");
    }
    let fault = match want["Type"].as_str() {
        Some("Sender") => Some(Fault::Sender),
        Some("Receiver") => Some(Fault::Receiver),
        _ => None,
    };
    if fault.is_some_and(|it| it != found.fault) {
        return Err("another's fault");
    }
    if want["QueryErrorCode"].as_str() != found.query_error_code.as_deref() {
        return Err("another code of the query protocol");
    }
    // Of two errors of CloudWatch with one code, botocore takes the one that is listed last, whatever
    // the operation says.
    if service.name == "cloudwatch" && code == "ResourceNotFound" {
        return Ok(());
    }
    // It looks for the members of an error by the first of its two codes alone, though its exceptions
    // are named by the second.
    if want["shape"].is_null() && found.query_error_code.is_some() {
        return Ok(());
    }
    if want["shape"].as_str() != found.shape {
        return Err("another error of the model");
    }
    if odd {
        // botocore takes a body that it cannot read for the error's message.
        return Ok(());
    }
    // As text, since the order counts.
    let fields = [&tagged(&Value::Map(found.fields.clone())), &want["fields"]].map(Json::to_string);
    if fields[0] != fields[1] {
        return Err("other members");
    }
    let xml =
        matches!(service.metadata.protocol, Protocol::RestXml | Protocol::Query | Protocol::Ec2);
    if xml && !same_details(&Value::Map(found.details.clone()).to_json(), &want["details"]) {
        return Err("other details");
    }
    Ok(())
}

/// The same texts under the same names. Of leaves with one name botocore keeps none, davit the first.
fn same_details(found: &Json, want: &Json) -> bool {
    match (found, want) {
        (Json::Object(found), Json::Object(want)) => {
            found.len() == want.len()
                && found
                    .iter()
                    .all(|(key, it)| want.get(key).is_some_and(|want| same_details(it, want)))
        }
        (_, Json::Object(want)) => want.is_empty(),
        (found, want) => found == want || (found.is_null() && want == ""),
    }
}

/// The values of a case as frames of the operation's input stream.
fn encoded<'s>(service: &'s Service, case: &Json) -> (&'s Operation, Vec<u8>) {
    let operation = service.operation(text(&case["operation"])).expect("known");
    let shape = stream_of(service, operation.input.expect("an input")).expect("a stream");
    let mut frames = Vec::new();
    for value in case["values"].as_array().expect("a list") {
        let message = encode_event(service, shape, &untagged(value)).expect("an event");
        frames.extend(message.encode().expect("small"));
    }
    (operation, frames)
}

fn stream_of(service: &Service, shape: ShapeId) -> Option<ShapeId> {
    let members = &service.structure(shape)?.members;
    let streams = |it: &ShapeId| service.structure(*it).is_some_and(|it| it.event_stream);
    members.iter().map(|it| it.shape).find(streams)
}

fn messages(body: &[u8]) -> Vec<Message> {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for piece in body.chunks(37) {
        decoder.push(piece);
        while let Some(message) = decoder.next_message().expect("frames") {
            messages.push(message);
        }
    }
    decoder.finish().expect("all of it came");
    messages
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

fn decoded(json: &Json) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text(json)).expect("base64")
}

fn response(case: &Json) -> Response {
    let headers = case["headers"].as_array().expect("a list");
    Response {
        status: case["status"].as_u64().and_then(|it| it.try_into().ok()).expect("a status"),
        headers: headers.iter().map(|it| (text(&it[0]), text(&it[1]))).collect::<Headers>(),
        body: decoded(&case["body"]).into(),
    }
}

/// The value as JSON that tells all types apart, as the script writes it.
fn tagged(value: &Value) -> Json {
    match value {
        Value::Blob(bytes) => {
            json!({"$bytes": base64::engine::general_purpose::STANDARD.encode(bytes)})
        }
        Value::Float(it) if it.is_nan() => json!({"$float": "nan"}),
        Value::Float(it) => json!({"$float": format!("{:016x}", it.to_bits())}),
        Value::Timestamp(it) => {
            assert_eq!(it.as_nanosecond() % 1000, 0, "whole microseconds");
            json!({"$time": it.as_microsecond()})
        }
        Value::List(items) => items.iter().map(tagged).collect(),
        Value::Map(map) => map.iter().map(|(key, it)| (key.clone(), tagged(it))).collect(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::String(_) => value.to_json(),
    }
}

fn untagged(json: &Json) -> Value {
    if let Some(bytes) = json.get("$bytes") {
        return Value::Blob(Bytes::from(decoded(bytes)));
    }
    if let Some(bits) = json.get("$float") {
        let bits = u64::from_str_radix(text(bits), 16);
        return Value::Float(bits.map_or(f64::NAN, f64::from_bits));
    }
    if let Some(micros) = json.get("$time").and_then(Json::as_i64) {
        return Value::Timestamp(Timestamp::from_microsecond(micros).expect("a time"));
    }
    match json {
        Json::Array(items) => items.iter().map(untagged).collect(),
        Json::Object(map) => {
            Value::Map(map.iter().map(|(key, it)| (key.clone(), untagged(it))).collect())
        }
        other => Value::from(other.clone()),
    }
}

/// Operations of all protocols: with headers, payloads, unions, documents, streams, events, nothing.
const OPERATIONS: &[(&str, &str)] = &[
    ("ec2", "DescribeInstances"),
    ("ec2", "StartInstances"),
    ("iam", "GetRole"),
    ("sqs", "ReceiveMessage"),
    ("sts", "AssumeRole"),
    ("rds", "DescribeDBInstances"),
    ("s3", "ListObjectsV2"),
    ("s3", "GetObject"),
    ("s3", "GetObjectAcl"),
    ("s3", "SelectObjectContent"),
    ("route53", "ListResourceRecordSets"),
    ("cloudfront", "GetDistribution"),
    ("dynamodb", "GetItem"),
    ("dynamodb", "TransactWriteItems"),
    ("kinesis", "SubscribeToShard"),
    ("logs", "StartLiveTail"),
    ("lambda", "Invoke"),
    ("lambda", "GetFunction"),
    ("bedrock-runtime", "Converse"),
    ("bedrock-runtime", "ConverseStream"),
    ("lexv2-runtime", "RecognizeText"),
    ("eventbridgev2", "ListEventBuses"),
    ("cloudwatchomni", "GetContextGraph"),
];

proptest! {
    #[test]
    fn any_bytes_are_an_answer_or_an_error(
        at in 0..OPERATIONS.len(),
        body in prop_oneof![
            any::<Vec<u8>>(),
            "[<>a-z/&; \"'=!\\[\\]\\-?{}:,0-9\\\\un]{0,80}".prop_map(String::into_bytes),
        ],
        status in prop_oneof![Just(200_u16), Just(404), Just(503), any::<u16>()],
        value in "\\PC{0,20}",
    ) {
        let (service, operation) = OPERATIONS[at];
        let service = Store::default().service(service).expect("readable").expect("known");
        let operation = service.operation(operation).expect("known");
        let output = operation.output.and_then(|it| service.structure(it)).expect("a structure");
        let named = output.members.iter().filter_map(|it| it.traits.location_name);
        let headers = named.chain(["x-amzn-errortype", "x-amzn-query-error", "content-type"]);
        let headers: Headers = headers.map(|it| (it, value.as_str())).collect();
        let response = Response { status, headers, body: body.into() };
        let _ = parse::output(service, operation, &response);
        let _ = parse::head(service, operation, status, &response.headers);
        let _ = parse::is_hidden_error(&response.body);
        let error = parse::error(service, operation, &response);
        prop_assert!(!error.code.is_empty() && error.to_string().contains(operation.name));
        let headers = [(":message-type", "event"), (":event-type", value.as_str())];
        let headers = headers.map(|(name, it)| {
            (name.to_owned(), davit_aws::event_stream::HeaderValue::String(it.to_owned()))
        });
        let message = Message { headers: headers.into(), payload: response.body };
        let _ = event(service, operation, &message);
    }
}
