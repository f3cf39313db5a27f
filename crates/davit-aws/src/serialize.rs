//! Makes requests out of what an operation takes. Does no IO, and knows neither where a request goes
//! nor how it is signed.
//!
//! What comes out is what botocore's serialisers make of the same parameters, byte for byte. What
//! botocore does to single operations besides (S3's bucket in the host, base64 of EC2's user data)
//! is the client's.

mod cbor;
mod form;
mod host;
mod json;
mod rest;
mod scalar;
mod xml;

use std::io::Write;

use bytes::Bytes;

use crate::{
    http::{Headers, Request},
    model::{Kind, Member, Operation, Protocol, Service, Shape, Structure},
    validate::{DEEPEST, Step, expected, is_there, prepend},
    value::{Map, Value},
};

/// A request that has no endpoint yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The request, without scheme and host.
    pub request: Request,
    /// What goes before the endpoint's host: `123456789012.`.
    pub host_prefix: Option<String>,
    /// The body is a member that may be streamed: if it was not among the parameters, it may be handed
    /// to the connection apart. The name of the member.
    pub streams: Option<&'static str>,
    /// The member that is a stream of events. The request has no body yet, but for protocols that
    /// have one address: there it is the payload of the first event, `initial-request`.
    pub event_stream: Option<&'static str>,
}

/// Packs the body with gzip, if the operation takes that and the body has at least so many bytes:
/// `requestcompression` of the model.
pub fn compress(operation: &Operation, least: usize, built: &mut Built) {
    let takes = operation.compression.contains(&"gzip") && built.streams.is_none();
    if !takes || built.request.body.len() < least {
        return;
    }
    let packed = Vec::with_capacity(built.request.body.len() / 4);
    let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::default());
    let packed = encoder.write_all(&built.request.body).and_then(|()| encoder.finish());
    // What cannot be packed goes as it is.
    let Ok(packed) = packed else { return };
    built.request.body = packed.into();
    let headers = &mut built.request.headers;
    let encoding = match headers.get("Content-Encoding") {
        Some(before) => format!("{before}, gzip"),
        None => "gzip".to_owned(),
    };
    headers.set("Content-Encoding", encoding);
}

/// Parameters out of which no request can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{unfit}", if path.is_empty() { String::new() } else { format!("{path} ") })]
pub struct Error {
    /// The member: `Filters[0].Values`. Empty for the parameters as a whole.
    pub path: String,
    /// Why.
    pub unfit: Unfit,
}

/// Why a value cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The model has no such member.
    #[error("is not known")]
    Unknown,
    /// It is of another type.
    #[error("must be {expected}, not {given}")]
    Type {
        /// What the model wants, in words.
        expected: &'static str,
        /// What was given, in words.
        given: &'static str,
    },
    /// It is part of the address and is not there.
    #[error("is missing, and the address needs it")]
    NoLabel,
    /// It is part of the host's name and has other characters than letters, digits, hyphens and dots.
    #[error("must have only letters, digits, hyphens and dots")]
    HostLabel,
    /// It is a header and has a line break or another control character.
    #[error("must have no line breaks and control characters")]
    Header,
    /// It is to be sent as JSON, and JSON has no such value.
    #[error("must be a value that JSON has")]
    NotJson,
    /// It does not fit into 32 bits.
    #[error("must fit into 32 bits")]
    TooLarge,
    /// Values lie in each other deeper than any service has them.
    #[error("lies too deep")]
    TooDeep,
}

impl Error {
    const fn new(unfit: Unfit) -> Self {
        Self { path: String::new(), unfit }
    }

    /// A value of another kind than its shape's.
    const fn kind(kind: &Kind, value: &Value) -> Self {
        Self::new(Unfit::Type { expected: expected(kind), given: value.kind() })
    }

    /// The same, seen from around it.
    fn within(mut self, name: &str) -> Self {
        prepend(&mut self.path, Step::Name(name));
        self
    }

    /// The same, seen from around a member. Of what is sensitive not even the names are told.
    fn within_member(mut self, member: &Member) -> Self {
        if member.traits.sensitive {
            self.path.clear();
        }
        self.within(member.name)
    }

    /// The same, seen from the map that it is in.
    fn within_entry(mut self, key: &Member, name: &str) -> Self {
        let step = if key.traits.sensitive { Step::Hidden } else { Step::Name(name) };
        prepend(&mut self.path, step);
        self
    }

    /// The same, seen from the list that it is in.
    fn at(mut self, index: usize) -> Self {
        prepend(&mut self.path, Step::Index(index));
        self
    }
}

/// Makes the request of an operation. The parameters have been looked at by
/// [`validate`](crate::validate::validate); idempotency tokens that are not among them are made by
/// `token`.
///
/// # Errors
///
/// When a parameter does not fit its shape, or cannot stand where it goes: the first that is found.
///
/// ```
/// use davit_aws::{model::Store, serialize::build, value::Value};
///
/// let service = Store::default().service("s3").unwrap().unwrap();
/// let operation = service.operation("GetObject").unwrap();
/// let params = Value::from(serde_json::json!({"Bucket": "b", "Key": "a file", "PartNumber": 2}));
/// let built = build(service, operation, params.as_map().unwrap(), &mut String::new).unwrap();
/// assert_eq!(built.request.method, "GET");
/// assert_eq!(built.request.path, "/b/a%20file");
/// assert_eq!(built.request.query_string(), "partNumber=2");
/// ```
pub fn build(
    service: &Service,
    operation: &Operation,
    params: &Map,
    token: &mut dyn FnMut() -> String,
) -> Result<Built, Error> {
    let none = Structure::default();
    let input = operation.input.and_then(|id| service.structure(id)).unwrap_or(&none);
    let tokens: Vec<(&Member, Value)> = input
        .members
        .iter()
        .filter(|it| it.traits.idempotency_token && is_null(params.get(it.name)))
        .map(|it| (it, Value::String(token())))
        .collect();
    let mut given = members(service, input, params).collect::<Result<Vec<_>, _>>()?;
    given.extend(tokens.iter().map(|(member, value)| (*member, value)));
    let event_stream = event_stream(service, input);
    if let Some((member, value)) = given.iter().find(|(it, _)| Some(it.name) == event_stream) {
        let expected = "handed over apart, as events";
        let unfit = Unfit::Type { expected, given: value.kind() };
        return Err(Error::new(unfit).within(member.name));
    }
    let call = Call { service, operation, input, given, event_stream };
    let mut request = match service.metadata.protocol {
        Protocol::RestJson => rest::request(&call, rest::Body::Json)?,
        Protocol::RestXml => rest::request(&call, rest::Body::Xml)?,
        Protocol::Json => json_request(&call)?,
        Protocol::Query => form::request(&call, form::Dialect::Query)?,
        Protocol::Ec2 => form::request(&call, form::Dialect::Ec2)?,
        Protocol::Cbor => cbor_request(&call)?,
    };
    if event_stream.is_some() && !request.headers.contains("Content-Type") {
        request.headers.add("Content-Type", EVENT_STREAM);
    }
    Ok(Built {
        request,
        host_prefix: host::prefix(&call)?,
        streams: call.payload().filter(|it| it.traits.streaming).map(|it| it.name),
        event_stream,
    })
}

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// What one request is made of.
struct Call<'a> {
    service: &'a Service,
    operation: &'a Operation,
    input: &'a Structure,
    /// The members that are there, with their values, in the order of the parameters; tokens that
    /// were made stand behind.
    given: Vec<(&'a Member, &'a Value)>,
    event_stream: Option<&'static str>,
}

impl<'a> Call<'a> {
    /// The member that is the whole body.
    fn payload(&self) -> Option<&'a Member> {
        self.input.payload.and_then(|name| self.input.member(name))
    }

    /// The value of a member, if it is there.
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.given.iter().find(|(it, _)| it.name == name).map(|(_, value)| *value)
    }

    /// A request to the one address that protocols without resources have.
    fn request(&self, method: &str) -> Request {
        Request { method: method.to_owned(), path: "/".to_owned(), ..Request::default() }
    }

    /// Errors carry the codes of the query protocol if this is asked for.
    fn ask_for_query_codes(&self, headers: &mut Headers) {
        if self.service.metadata.query_compatible {
            headers.add("x-amzn-query-mode", "true");
        }
    }
}

fn json_request(call: &Call<'_>) -> Result<Request, Error> {
    let metadata = &call.service.metadata;
    let mut request = call.request(call.operation.method);
    let target = format!("{}.{}", metadata.target_prefix, call.operation.name);
    request.headers.add("X-Amz-Target", target);
    let content_type = if call.event_stream.is_some() {
        EVENT_STREAM.to_owned()
    } else {
        format!("application/x-amz-json-{}", metadata.json_version)
    };
    request.headers.add("Content-Type", content_type);
    call.ask_for_query_codes(&mut request.headers);
    request.body = json::structure(call.service, &call.given)?.into();
    Ok(request)
}

fn cbor_request(call: &Call<'_>) -> Result<Request, Error> {
    let mut request = call.request("POST");
    request.path = format!(
        "/service/{}/operation/{}",
        call.service.metadata.target_prefix, call.operation.name
    );
    if call.operation.input.is_some() {
        request.body = cbor::structure(call.service, &call.given)?.into();
    }
    let headers = &mut request.headers;
    headers.add("smithy-protocol", "rpc-v2-cbor");
    call.ask_for_query_codes(headers);
    let output = call.operation.output.and_then(|id| call.service.structure(id));
    let events = output.is_some_and(|it| event_stream(call.service, it).is_some());
    headers.add("Accept", if events { EVENT_STREAM } else { "application/cbor" });
    if call.event_stream.is_some() {
        headers.add("Content-Type", EVENT_STREAM);
    } else if !request.body.is_empty() {
        headers.add("Content-Type", "application/cbor");
    }
    Ok(request)
}

/// The member that is a stream of events.
fn event_stream(service: &Service, structure: &Structure) -> Option<&'static str> {
    let is_stream =
        |it: &&Member| service.structure(it.shape).is_some_and(|shape| shape.event_stream);
    structure.members.iter().find(is_stream).map(|it| it.name)
}

const fn is_null(value: Option<&Value>) -> bool {
    matches!(value, None | Some(Value::Null))
}

/// The members of a structure that are there, in the order of their values.
fn members<'a>(
    service: &'a Service,
    structure: &'a Structure,
    map: &'a Map,
) -> impl Iterator<Item = Result<(&'a Member, &'a Value), Error>> {
    map.iter().filter_map(move |(name, value)| match structure.member(name) {
        Some(member) if is_there(service, member, value) => Some(Ok((member, value))),
        None if !matches!(value, Value::Null) => Some(Err(Error::new(Unfit::Unknown).within(name))),
        _ => None,
    })
}

/// One level deeper, if there may be one.
const fn deeper(depth: usize) -> Result<usize, Error> {
    if depth < DEEPEST { Ok(depth + 1) } else { Err(Error::new(Unfit::TooDeep)) }
}

/// The bytes of a body that is one member.
fn body_bytes(shape: &Shape, value: &Value) -> Result<Bytes, Error> {
    match (&shape.kind, value) {
        (Kind::Blob { .. }, Value::Blob(bytes)) => Ok(bytes.clone()),
        (_, Value::String(text)) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        (kind, value) => Err(Error::kind(kind, value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Store;

    fn check(service: &str, operation: &str, params: serde_json::Value) -> Result<Built, Error> {
        let service = Store::default().service(service).unwrap().unwrap();
        let operation = service.operation(operation).unwrap();
        let params = Value::from(params);
        build(service, operation, params.as_map().unwrap(), &mut || "token".to_owned())
    }

    fn refused(service: &str, operation: &str, params: serde_json::Value) -> String {
        check(service, operation, params).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_an_error_with_its_path() {
        assert_eq!(
            refused("ec2", "DescribeInstances", json!({"Filters": [{"Values": ["a", 5]}]})),
            "Filters[0].Values[1] must be a string, not a whole number"
        );
        assert_eq!(
            refused("dynamodb", "GetItem", json!({"Key": {"a.b": {"S": true}}})),
            "Key[\"a.b\"].S must be a string, not a boolean"
        );
        assert_eq!(
            refused("lambda", "CreateFunction", json!({"Environment": {"Variables": {"PASS": 5}}})),
            "Environment.Variables must be a string, not a whole number"
        );
        assert_eq!(refused("s3", "GetObject", json!({"Keys": "k"})), "Keys is not known");
        assert_eq!(
            refused("s3", "GetObject", json!({"Bucket": "b"})),
            "Key is missing, and the address needs it"
        );
        assert_eq!(
            refused(
                "s3",
                "PutObject",
                json!({"Bucket": "b", "Key": "k", "ContentType": "a\r\nb: c"})
            ),
            "ContentType must have no line breaks and control characters"
        );
        assert_eq!(
            refused("s3control", "ListJobs", json!({"AccountId": "evil.example/"})),
            "AccountId must have only letters, digits, hyphens and dots"
        );
    }

    #[test]
    fn a_body_that_is_streamed_may_be_handed_over_apart() {
        let built = check("s3", "PutObject", json!({"Bucket": "b", "Key": "k"})).unwrap();
        assert_eq!(built.streams, Some("Body"));
        assert_eq!(built.request.body, Bytes::new());
        let built = check("s3", "GetObject", json!({"Bucket": "b", "Key": "k"})).unwrap();
        assert_eq!(built.streams, None);
    }

    #[test]
    fn a_member_of_its_own_goes_before_the_entries_of_a_map() {
        let params = json!({"parameters": {"mode": "x", "failonwarnings": "no"}, "failOnWarnings": true, "body": "{}"});
        let built = check("apigateway", "ImportRestApi", params).unwrap();
        assert_eq!(built.request.query_string(), "mode=import&mode=x&failonwarnings=true");
    }

    #[test]
    fn events_are_handed_over_apart() {
        let model = json!({"modelId": "m"});
        let start = ("bedrock-runtime", "InvokeModelWithBidirectionalStream");
        let built = check(start.0, start.1, model).unwrap();
        assert_eq!(built.event_stream, Some("body"));
        assert_eq!(built.request.body, Bytes::new());
        assert_eq!(built.request.headers.get("content-type"), Some(EVENT_STREAM));
        assert_eq!(
            refused(start.0, start.1, json!({"modelId": "m", "body": {}})),
            "body must be handed over apart, as events, not a map"
        );
    }

    #[test]
    fn tokens_are_made_where_none_is_given() {
        let body = |params| {
            let built = check("ecs", "CreateTaskSet", params).unwrap();
            String::from_utf8(built.request.body.to_vec()).unwrap()
        };
        assert_eq!(body(json!({"cluster": "c"})), r#"{"cluster": "c"}"#);
        let made = check("ec2", "CreateFleet", json!({})).unwrap().request.body;
        assert_eq!(made, "Action=CreateFleet&Version=2016-11-15&ClientToken=token");
        let made = check("efs", "CreateFileSystem", json!({"CreationToken": null})).unwrap();
        assert_eq!(made.request.body, r#"{"CreationToken": "token"}"#);
        let made = check("efs", "CreateFileSystem", json!({"CreationToken": "mine"})).unwrap();
        assert_eq!(made.request.body, r#"{"CreationToken": "mine"}"#);
    }
}
