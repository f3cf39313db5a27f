//! What the events of a stream say, and events to be sent. Knows no frame.

use bytes::Bytes;
use serde_json::{Map as JsonMap, Value as Json};

use super::frame::{HeaderValue, Message};
use crate::{
    http::Response,
    model::{Kind, Member, Operation, Protocol, Service, Shape, ShapeId, Structure},
    parse::{Defect, EventBody, ServiceError, Unreadable, exception},
    time,
    value::{Map, Value},
};

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What the operation gives beside its events, for protocols that send it as the first of them.
    Initial(Map),
    /// An event, by the name of its member.
    Member {
        /// The member.
        name: &'static str,
        /// What it holds.
        value: Map,
    },
    /// An error, after which nothing comes.
    Error(Box<ServiceError>),
    /// An event that the model does not know: its type.
    Unknown(String),
}

/// What a message of the stream that an operation answers with says.
///
/// # Errors
///
/// When the message is not what its type says.
pub fn event(
    service: &Service,
    operation: &Operation,
    message: &Message,
) -> Result<Event, Unreadable> {
    let reader = Reader { service, operation, message };
    reader.read().map_err(|defect| {
        let body = message.payload.clone();
        let response = Response { status: 200, body, ..Response::default() };
        Unreadable::new(service, operation, &response, defect)
    })
}

struct Reader<'a> {
    service: &'a Service,
    operation: &'a Operation,
    message: &'a Message,
}

impl<'a> Reader<'a> {
    fn read(&self) -> Result<Event, Defect> {
        let output = self.operation.output.and_then(|it| self.service.structure(it));
        let stream = output.and_then(|it| events_of(self.service, it));
        let stream = stream.ok_or_else(|| Defect::misfit("an event of no stream"))?;
        if matches!(self.message.text(":message-type"), Some("error" | "exception")) {
            return self.error(stream).map(|error| Event::Error(Box::new(error)));
        }
        let kind = self.message.text(":event-type").unwrap_or_default();
        if let (Some(member), Some(structure)) = self.member(stream, kind) {
            let value = self.value(structure).map_err(|it| it.under(member.name))?;
            return Ok(Event::Member { name: member.name, value });
        }
        if kind == "initial-response" {
            return Ok(Event::Initial(match output {
                Some(structure) => self.body().members(structure)?,
                None => Map::new(),
            }));
        }
        Ok(Event::Unknown(kind.to_owned()))
    }

    fn member(
        &self,
        stream: &'a Structure,
        name: &str,
    ) -> (Option<&'a Member>, Option<&'a Structure>) {
        let member = stream.member(name);
        (member, member.and_then(|it| self.service.structure(it.shape)))
    }

    const fn body(&self) -> EventBody<'a> {
        EventBody { service: self.service, body: &self.message.payload }
    }

    /// The members of an event: those in its headers, then those in its body.
    fn value(&self, structure: &Structure) -> Result<Map, Defect> {
        let mut map = Map::new();
        for member in structure.members.iter().filter(|it| it.traits.event_header) {
            if let Some(value) = self.message.header(member.name) {
                let value = self.of_header(member, value).map_err(|it| it.under(member.name))?;
                map.insert(member.name.to_owned(), value);
            }
        }
        if !structure.event {
            return Ok(map);
        }
        match structure.members.iter().find(|it| it.traits.event_payload) {
            Some(member) => {
                let value = self.body().payload(member).map_err(|it| it.under(member.name))?;
                map.insert(member.name.to_owned(), value);
            }
            None => map.extend(self.body().members(structure)?),
        }
        Ok(map)
    }

    fn of_header(&self, member: &Member, value: &HeaderValue) -> Result<Value, Defect> {
        let is_time = matches!(self.service.shape(member.shape).kind, Kind::Timestamp);
        Ok(match value {
            HeaderValue::Timestamp(time) if is_time => Value::Timestamp(*time),
            _ if is_time => return Err(Defect::misfit("no time")),
            HeaderValue::Bool(it) => Value::Bool(*it),
            HeaderValue::Byte(it) => Value::Int(i64::from(*it)),
            HeaderValue::Short(it) => Value::Int(i64::from(*it)),
            HeaderValue::Int(it) => Value::Int(i64::from(*it)),
            HeaderValue::Long(it) => Value::Int(*it),
            HeaderValue::Bytes(it) => Value::Blob(it.clone()),
            HeaderValue::String(it) => Value::from(it.as_str()),
            HeaderValue::Timestamp(it) => Value::Int(it.as_millisecond()),
            HeaderValue::Uuid(it) => Value::Blob(Bytes::copy_from_slice(it.as_bytes())),
        })
    }

    fn error(&self, stream: &Structure) -> Result<ServiceError, Defect> {
        let text = |name: &str| self.message.text(name).unwrap_or_default().to_owned();
        let kind = text(":exception-type");
        let Some(member) = stream.member(&kind) else {
            let code = if kind.is_empty() { text(":error-code") } else { kind };
            let said = (code, text(":error-message"));
            return Ok(exception(self.service, self.operation, said, None));
        };
        let shape = self.service.shape(member.shape);
        let Kind::Structure(structure) = &shape.kind else {
            return Err(Defect::misfit("an error that is no structure"));
        };
        let fields = self.body().members(structure)?;
        let message = ["Message", "message"].iter().find_map(|it| fields.get(*it));
        let message = message.and_then(Value::as_str).unwrap_or_default().to_owned();
        let modelled = Some((shape, structure, fields));
        Ok(exception(self.service, self.operation, (kind, message), modelled))
    }
}

/// The structure of the events in another one.
fn events_of<'s>(service: &'s Service, structure: &Structure) -> Option<&'s Structure> {
    let found = structure.members.iter().filter_map(|it| service.structure(it.shape));
    found.into_iter().find(|it| it.event_stream)
}

/// An event to be sent: `shape` is the stream's, `value` has the name of the event's member and in it
/// the event's members. Nothing if the value has no member of the stream, or the service speaks no
/// JSON: no other has a stream that is sent.
#[must_use]
pub fn encode_event(service: &Service, shape: ShapeId, value: &Value) -> Option<Message> {
    let json = matches!(service.metadata.protocol, Protocol::Json | Protocol::RestJson);
    let stream = service.structure(shape).filter(|it| it.event_stream && json)?;
    let member = stream.members.iter().find(|it| value.get(it.name).is_some())?;
    let structure = service.structure(member.shape)?;
    let value = value.get(member.name)?;
    let text = |name: &str, text: &str| (name.to_owned(), HeaderValue::String(text.to_owned()));
    let mut headers = vec![text(":message-type", "event"), text(":event-type", member.name)];
    for member in structure.members.iter().filter(|it| it.traits.event_header) {
        if let Some(value) = value.get(member.name) {
            headers.push((
                member.name.to_owned(),
                to_header(&service.shape(member.shape).kind, value)?,
            ));
        }
    }
    let explicit = structure.members.iter().find(|it| it.traits.event_payload);
    let (kind, payload) = match explicit {
        Some(member) => to_payload(service, member, value.get(member.name))?,
        None => ("application/json", written(service, structure, value)),
    };
    if !payload.is_empty() || explicit.is_some() {
        headers.push(text(":content-type", kind));
    }
    Some(Message { headers, payload })
}

fn to_header(kind: &Kind, value: &Value) -> Option<HeaderValue> {
    Some(match value {
        Value::Bool(it) => HeaderValue::Bool(*it),
        Value::Int(it) => match kind {
            Kind::Long(_) => HeaderValue::Long(*it),
            _ => HeaderValue::Int(i32::try_from(*it).ok()?),
        },
        Value::String(it) => HeaderValue::String(it.clone()),
        Value::Blob(it) => HeaderValue::Bytes(it.clone()),
        Value::Timestamp(it) => HeaderValue::Timestamp(*it),
        Value::Null | Value::Float(_) | Value::List(_) | Value::Map(_) => return None,
    })
}

/// The type and the bytes of a payload.
fn to_payload(
    service: &Service,
    member: &Member,
    value: Option<&Value>,
) -> Option<(&'static str, Bytes)> {
    Some(match (&service.shape(member.shape).kind, value) {
        (Kind::Structure(structure), value) => {
            let none = Value::Map(Map::new());
            ("application/json", written(service, structure, value.unwrap_or(&none)))
        }
        (Kind::Blob { .. }, Some(Value::Blob(bytes))) => {
            ("application/octet-stream", bytes.clone())
        }
        (Kind::Blob { .. }, None) => ("application/octet-stream", Bytes::new()),
        (Kind::String { .. }, Some(Value::String(text))) => ("text/plain", text.clone().into()),
        (Kind::String { .. }, None) => ("text/plain", Bytes::new()),
        _ => return None,
    })
}

/// The members of a structure that are not in headers, as JSON.
fn written(service: &Service, structure: &Structure, value: &Value) -> Bytes {
    let mut map = JsonMap::new();
    for member in structure.members.iter().filter(|it| !it.traits.event_header) {
        if let Some(value) = value.get(member.name) {
            let name = member.traits.location_name.unwrap_or(member.name);
            map.insert(name.to_owned(), json(service, service.shape(member.shape), member, value));
        }
    }
    Json::Object(map).to_string().into()
}

fn json(service: &Service, shape: &Shape, member: &Member, value: &Value) -> Json {
    match (&shape.kind, value) {
        (Kind::Structure(structure), Value::Map(_)) if !structure.document => {
            let mut map = JsonMap::new();
            for member in &structure.members {
                if let Some(value) = value.get(member.name) {
                    let name = member.traits.location_name.unwrap_or(member.name);
                    let value = json(service, service.shape(member.shape), member, value);
                    map.insert(name.to_owned(), value);
                }
            }
            Json::Object(map)
        }
        (Kind::List { member, .. }, Value::List(items)) => {
            let shape = service.shape(member.shape);
            items.iter().map(|it| json(service, shape, member, it)).collect()
        }
        (Kind::Map { value: member, .. }, Value::Map(map)) => {
            let shape = service.shape(member.shape);
            map.iter().map(|(key, it)| (key.clone(), json(service, shape, member, it))).collect()
        }
        (_, Value::Blob(bytes)) => Json::from(crate::base64(bytes)),
        (_, Value::Timestamp(at)) => match member.traits.timestamp_format {
            Some("iso8601") => Json::from(time::iso8601(*at)),
            Some("rfc822") => Json::from(time::rfc822(*at)),
            _ if at.subsec_nanosecond() == 0 => Json::from(at.as_second()),
            _ => Json::from(at.as_duration().as_secs_f64()),
        },
        _ => value.to_json(),
    }
}
