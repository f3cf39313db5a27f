//! Requests are what botocore makes of the same input, and what it finds wrong with an input we find
//! wrong with it.

use std::{
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use davit_aws::{
    http::Request,
    model::{Operation, Service, Store},
    serialize::build,
    validate::{BlobFormat, Wrong, coerce, unknown_choices, validate},
    value::{Map, Value},
};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use serde_json::{Value as Json, json};

use crate::python::Python;

/// What `requests.py` makes its inputs from.
const SEED: u64 = 20;

const TOKEN: &str = "11111111-2222-4333-8444-555555555555";

/// botocore cannot send events: it takes them for a structure and asks for it. We take them apart from the
/// parameters, and the body is theirs. Everything else of these requests is compared.
const EVENT_STREAMS: &[&str] = &[
    "bedrock-runtime InvokeModelWithBidirectionalStream",
    "connecthealth StartMedicalScribeListeningSession",
    "lexv2-runtime StartConversation",
    "polly StartSpeechSynthesisStream",
    "qbusiness Chat",
];

#[derive(Default)]
struct Tally {
    operations: usize,
    with_problems: usize,
    events: Vec<String>,
    differences: Vec<String>,
}

/// All operations of all services. Some things are different on purpose:
///
/// - A boolean is no number for us, as it is for Python; null stands for a member that is not there,
///   and for an item where the model says so (`sparse`); a document has no NaN. Not asked about.
/// - Sensitive names are not in our paths.
/// - A question mark or ampersand with nothing behind it is not sent.
#[test]
fn every_operation_is_sent_as_botocore_sends_it() {
    let store = Store::default();
    let names = store.names();
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut python = Python::start("requests.py");
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let service = store.service(name).unwrap().unwrap();
                    let answer = python.ask(&json!({"service": name, "seed": SEED}));
                    let answers = answer.as_array().unwrap();
                    assert_eq!(answers.len(), service.operation_names().len(), "{name}");
                    for answer in answers {
                        check(service, answer, &tally);
                    }
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap();
    let mut report = String::new();
    for difference in tally.differences.iter().take(20) {
        writeln!(report, "{difference}").unwrap();
    }
    assert!(tally.differences.is_empty(), "{} differences:\n{report}", tally.differences.len());
    tally.events.sort();
    assert_eq!(tally.events, EVENT_STREAMS);
    assert!(tally.operations > 19_000, "{} operations", tally.operations);
    assert!(tally.with_problems > 4_000, "{} wrong inputs", tally.with_problems);
}

fn check(service: &Service, answer: &Json, tally: &Mutex<Tally>) {
    let operation = service.operation(answer["name"].as_str().expect("text")).expect("it is there");
    let name = format!("{} {}", service.name, operation.name);
    let mut differences = Vec::new();
    let mut differ = |what: &str, ours: &str, theirs: &str| {
        differences.push(format!("{name}: {what}\n   ours {ours}\n theirs {theirs}"));
    };

    let params = map(&answer["params"]);
    let found = problems(service, operation, &params);
    if !found.is_empty() {
        differ("a problem that botocore does not have", &format!("{found:?}"), "");
    }
    let built = build(service, operation, &params, &mut || TOKEN.to_owned());
    let events = built.as_ref().is_ok_and(|it| it.event_stream.is_some());
    match built {
        Ok(built) => {
            let theirs = &answer["request"];
            let prefix = theirs["host_prefix"].as_str();
            if built.host_prefix.as_deref() != prefix {
                differ("prefix", &format!("{:?}", built.host_prefix), &format!("{prefix:?}"));
            }
            for [what, ours, theirs] in compared(&built.request, theirs, events) {
                if ours != theirs {
                    differ(&what, &ours, &theirs);
                }
            }
        }
        Err(error) => differ("no request", &error.to_string(), &answer["params"].to_string()),
    }

    let wrong = map(&answer["wrong"]);
    let ours = problems(service, operation, &wrong);
    let theirs = answer["wrong_problems"].as_array();
    let theirs: Vec<[String; 2]> = theirs
        .into_iter()
        .flatten()
        .map(|it| serde_json::from_value(it.clone()).expect("a pair"))
        .collect();
    // What botocore says of events is not ours.
    let same = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| same(a, b));
    if !same && !events {
        let [ours, theirs] = [&ours, &theirs].map(|it| format!("{it:?}"));
        differ("problems", &ours, &format!("{theirs}\n of {}", answer["wrong"]));
    }

    let mut tally = tally.lock().expect("no panic in another thread");
    tally.operations += 1;
    tally.with_problems += usize::from(!theirs.is_empty());
    tally.differences.extend(differences);
    if events {
        tally.events.push(name);
    }
}

/// What is compared of a request: what it is, and as what each of us has it.
fn compared(ours: &Request, theirs: &Json, events: bool) -> Vec<[String; 3]> {
    let query = ours.query_string();
    let mark = if query.is_empty() { "" } else { "?" };
    let headers: Vec<(String, String)> =
        ours.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut their_headers: Vec<(String, String)> =
        serde_json::from_value(theirs["headers"].clone()).expect("pairs");
    let mut their_body =
        STANDARD.decode(theirs["body"].as_str().expect("text")).expect("it is there");
    if events {
        // Of the parameters only the events are in the body.
        assert_eq!(their_body, b"{}");
        their_body.clear();
        for (name, value) in &mut their_headers {
            if name == "Content-Type" && value == "application/json" {
                "application/vnd.amazon.eventstream".clone_into(value);
            }
        }
    }
    let text = |it: &Json| it.as_str().expect("text").to_owned();
    // botocore writes the mark in front of parameters that are lists without items.
    let their_url = text(&theirs["url"]).trim_end_matches(['?', '&']).to_owned();
    vec![
        ["method".to_owned(), ours.method.clone(), text(&theirs["method"])],
        ["address".to_owned(), format!("{}{mark}{query}", ours.path), their_url],
        ["headers".to_owned(), format!("{headers:?}"), format!("{their_headers:?}")],
        [
            "body".to_owned(),
            ours.body.escape_ascii().to_string(),
            their_body.escape_ascii().to_string(),
        ],
    ]
}

/// What we find wrong, in botocore's words, with its place.
fn problems(service: &Service, operation: &Operation, params: &Map) -> Vec<[String; 2]> {
    let Err(invalid) = validate(service, operation, params) else { return Vec::new() };
    let word = |wrong: &Wrong| match wrong {
        Wrong::Missing => "missing required field",
        Wrong::Unknown { .. } => "unknown field",
        Wrong::Type { .. } => "invalid type",
        Wrong::TooSmall { .. } => "invalid range",
        Wrong::TooShort { .. } => "invalid length",
        Wrong::NoMember { .. } => "empty input",
        Wrong::ManyMembers { .. } => "more than one input",
        Wrong::NotJson { .. } => "not json",
        Wrong::NotBase64 | Wrong::TooDeep => "only ours",
    };
    invalid.problems.into_iter().map(|it| [word(&it.wrong).to_owned(), it.path]).collect()
}

/// Whether two problems are the same. Paths through maps are written in different ways, and botocore
/// has no path in a document.
fn same(ours: &[String; 2], theirs: &[String; 2]) -> bool {
    if ours[0] == "not json" {
        return ["unable to encode to json", "invalid type for document"]
            .contains(&theirs[0].as_str());
    }
    let through_map =
        ours[1].contains('"') || ours[1].contains("[...]") || theirs[1].contains("(key: ");
    ours[0] == theirs[0] && (through_map || ours[1] == theirs[1])
}

fn map(json: &Json) -> Map {
    match value(json) {
        Value::Map(map) => map,
        _ => Map::new(),
    }
}

/// A value as `requests.py` writes it.
fn value(json: &Json) -> Value {
    let tagged = json.as_object().filter(|it| it.len() == 1);
    if let Some((tag, Json::String(text))) = tagged.and_then(|it| it.iter().next()) {
        match tag.as_str() {
            "$blob" => return Value::Blob(STANDARD.decode(text).expect("base64").into()),
            "$time" => return Value::Timestamp(text.parse().expect("what Python wrote")),
            "$float" => return Value::Float(text.parse().expect("what Python wrote")),
            _ => {}
        }
    }
    match json {
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(map) => {
            Value::Map(map.iter().map(|(name, it)| (name.clone(), value(it))).collect())
        }
        other => other.clone().into(),
    }
}

/// Values of all kinds, under names that shapes have and others.
fn anything() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("Name".to_owned()),
        Just("Values".to_owned()),
        Just("S".to_owned()),
        Just("L".to_owned()),
        Just("M".to_owned()),
        Just("Quantity".to_owned()),
        Just("Items".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        any::<String>().prop_map(Value::String),
        any::<Vec<u8>>().prop_map(|it| Value::Blob(Bytes::from(it))),
        any::<i32>().prop_map(|it| {
            Value::Timestamp(davit_aws::time::from_seconds(f64::from(it)).expect("a time"))
        }),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|it| Value::Map(it.into_iter().collect())),
        ]
    })
}

/// Operations of all protocols.
const OPERATIONS: &[(&str, &str)] = &[
    ("ec2", "DescribeInstances"),
    ("sns", "Publish"),
    ("dynamodb", "PutItem"),
    ("sqs", "SendMessage"),
    ("s3", "PutObject"),
    ("s3", "PutBucketLifecycleConfiguration"),
    ("s3control", "CreateJob"),
    ("cloudfront", "CreateDistribution"),
    ("lambda", "Invoke"),
    ("iot-data", "Publish"),
    ("apigateway", "ImportRestApi"),
    ("bedrock-runtime", "Converse"),
    ("eventbridgev2", "PutEvents"),
];

proptest! {
    #[test]
    fn no_value_makes_it_panic(
        operation in 0..OPERATIONS.len(),
        values in proptest::collection::vec(anything(), 12),
        blobs in prop_oneof![Just(BlobFormat::Raw), Just(BlobFormat::Base64)],
    ) {
        let (service, operation) = OPERATIONS[operation];
        let service = Store::default().service(service).unwrap().unwrap();
        let Some(operation) = service.operation(operation) else {
            panic!("{} has no {operation}", service.name);
        };
        let input = operation.input.unwrap();
        let names = service.structure(input).unwrap().members.iter().map(|it| it.name.to_owned());
        let params: Map = names.zip(values).collect();
        let _ = validate(service, operation, &params);
        let _ = unknown_choices(service, operation, &params);
        let _ = build(service, operation, &params, &mut || TOKEN.to_owned());
        let _ = coerce(service, input, Value::Map(params), blobs);
    }
}
