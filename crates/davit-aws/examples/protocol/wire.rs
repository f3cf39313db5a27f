//! Requests made out of parameters, and answers read.

use bytes::Bytes;
use davit_aws::{
    event_stream::{Decoder, Event, event},
    http::Response,
    model::{Operation, Service},
    parse::{self, Body, ServiceError},
    serialize::{build, compress},
    validate::{self, BlobFormat, coerce},
    value::{Map, Value},
};
use serde_json::{Value as Json, json};

use crate::{
    ask::{Answer, Asked, Refusal, Style, headers_json, put_body},
    models::Models,
};

/// From how many bytes on bodies are packed, as the client has it.
const COMPRESS_FROM: u64 = 10_240;
/// What suites expect where a token is made up.
const TOKEN: &str = "00000000-0000-4000-8000-000000000000";

/// The parameters of a request as their shapes want them.
pub(crate) fn params(
    asked: Asked<'_>,
    service: &Service,
    operation: &Operation,
    name: &str,
) -> Result<Map, Refusal> {
    let params = asked.params(name)?;
    let Some(input) = operation.input else { return Ok(params) };
    let blobs = match asked.text("blobs") {
        Some("base64") => BlobFormat::Base64,
        _ => BlobFormat::Raw,
    };
    let coerced = coerce(service, input, Value::Map(params), blobs);
    match coerced.map_err(|it| Refusal::of("params", &it))? {
        Value::Map(params) => Ok(params),
        _ => Ok(Map::new()),
    }
}

pub(crate) fn validate(asked: Asked<'_>, models: &mut Models) -> Answer {
    let (service, operation) = models.operation(asked)?;
    let params = params(asked, service, operation, "params")?;
    validate::validate(service, operation, &params).map_err(|invalid| {
        let one = |it: &validate::Problem| json!({"path": it.path, "message": it.to_string()});
        let problems: Json = invalid.problems.iter().map(one).collect();
        Refusal::of("params", &invalid).with("problems", problems)
    })?;
    Ok(json!({"valid": true}))
}

pub(crate) fn serialize(asked: Asked<'_>, models: &mut Models) -> Answer {
    let (service, operation) = models.operation(asked)?;
    let params = params(asked, service, operation, "params")?;
    if asked.flag(&["validate"]) == Some(true) {
        let checked = validate::validate(service, operation, &params);
        checked.map_err(|it| Refusal::of("params", &it))?;
    }
    let token = asked.text("idempotency_token").unwrap_or(TOKEN);
    let built = build(service, operation, &params, &mut || token.to_owned());
    let mut built = built.map_err(|it| Refusal::of("params", &it).with("path", it.path.into()))?;
    let least = asked.number(&["compress_from"]).unwrap_or(COMPRESS_FROM);
    if let Ok(least) = usize::try_from(least) {
        compress(operation, least, &mut built);
    }
    let request = built.request;
    let query = request.query_string();
    let endpoint = asked.any_text(&["endpoint", "clientEndpoint"]).unwrap_or_default();
    let (scheme, place) = endpoint.split_once("://").unwrap_or(("https", endpoint));
    let (host, before) = place.split_at(place.find('/').unwrap_or(place.len()));
    let path = format!("{}{}", before.trim_end_matches('/'), request.path);
    let uri = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    let mut answer = json!({
        "method": request.method,
        "path": path,
        "query": query,
        "uri": uri,
        "headers": headers_json(&request.headers),
    });
    put_body(&mut answer, &request.body);
    let prefix = built.host_prefix.unwrap_or_default();
    if !host.is_empty() {
        answer["host"] = format!("{prefix}{host}").into();
        answer["url"] = format!("{scheme}://{prefix}{host}{uri}").into();
    }
    answer["host_prefix"] = prefix.into();
    for (name, member) in [("streams", built.streams), ("event_stream", built.event_stream)] {
        if let Some(member) = member {
            answer[name] = member.into();
        }
    }
    Ok(answer)
}

pub(crate) fn parse(asked: Asked<'_>, models: &mut Models) -> Answer {
    let (service, operation) = models.operation(asked)?;
    let response = response(asked.part("response"))?;
    let style = Style::of(asked);
    if response.status >= 300 {
        return Err(service_error(&parse::error(service, operation, &response), style));
    }
    let refuse = |it| Refusal::of("response", &it);
    let (values, metadata) = if let Body::Events(member) = parse::body(service, operation) {
        let head = parse::head(service, operation, response.status, &response.headers);
        let parse::Head { mut values, metadata, .. } = head.map_err(refuse)?;
        let events = events(service, operation, &response.body, &mut values);
        values.insert(member.to_owned(), Value::List(events.map_err(|it| it.refusal(style))?));
        (values, metadata)
    } else {
        let output = parse::output(service, operation, &response).map_err(refuse)?;
        (output.values, output.metadata)
    };
    Ok(json!({"result": style.map(values), "metadata": style.json(&metadata.to_value())}))
}

/// An answer as it stands in a request.
pub(crate) fn response(asked: Asked<'_>) -> Result<Response, Refusal> {
    let status = asked.number(&["status", "status_code", "statusCode", "code"]).unwrap_or(200);
    let status = u16::try_from(status).map_err(|_| Refusal::new("request", "no HTTP status"))?;
    Ok(Response { status, headers: asked.headers(), body: asked.bytes("body")? })
}

pub(crate) fn service_error(error: &ServiceError, style: Style) -> Refusal {
    let refusal = Refusal::new("service", error.message.as_str())
        .with("code", error.code.as_str().into())
        .with("status", error.metadata.status.into())
        .with("fields", style.map(error.fields.clone()))
        .with("details", style.map(error.details.clone()))
        .with("shape", json!(error.shape))
        .with("request_id", json!(error.metadata.request_id))
        .with("retryable", error.retryable.into())
        .with("throttling", error.throttling.into());
    match &error.query_error_code {
        Some(code) => refusal.with("query_error_code", code.as_str().into()),
        None => refusal,
    }
}

/// Why the events of a stream cannot be read.
pub(crate) enum BadEvents {
    Service(Box<ServiceError>),
    Other(Refusal),
}

impl BadEvents {
    pub(crate) fn refusal(self, style: Style) -> Refusal {
        match self {
            Self::Service(error) => service_error(&error, style),
            Self::Other(refusal) => refusal,
        }
    }
}

/// The events of a stream, each a map of one member. What the stream begins with beside them goes
/// into `initial`.
pub(crate) fn events(
    service: &Service,
    operation: &Operation,
    bytes: &Bytes,
    initial: &mut Map,
) -> Result<Vec<Value>, BadEvents> {
    let frame = |error| BadEvents::Other(Refusal::of("frame", &error));
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let mut events = Vec::new();
    while let Some(message) = decoder.next_message().map_err(frame)? {
        let said = event(service, operation, &message)
            .map_err(|it| BadEvents::Other(Refusal::of("response", &it)))?;
        match said {
            Event::Member { name, value } => {
                let map: Map = [(name.to_owned(), Value::Map(value))].into_iter().collect();
                events.push(Value::Map(map));
            }
            Event::Initial(values) => initial.extend(values),
            Event::Error(error) => return Err(BadEvents::Service(error)),
            Event::Unknown(_) => {}
        }
    }
    decoder.finish().map_err(frame)?;
    Ok(events)
}
