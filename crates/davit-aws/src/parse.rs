//! Reads answers: what an operation gives, and errors. Does no IO, repairs nothing that only one
//! service gets wrong, and leaves the frames of event streams to [`crate::event_stream`].
//!
//! Values are those of botocore. Where botocore takes an answer that it cannot read for an empty one
//! (JSON that is cut off, a portal's page), this is an error here.

mod cbor;
mod error;
mod from_json;
mod from_xml;
mod headers;
mod json;
mod members;
mod scalar;
mod unreadable;
mod xml;

use bytes::Bytes;

pub(crate) use self::{error::exception, members::EventBody};
pub use self::{
    error::{Fault, ServiceError, error, reason},
    headers::Metadata,
    unreadable::{Defect, Unreadable},
};
use self::{members::Answer, unreadable::is_page, xml::Document};
use crate::{
    http::{Headers, Response},
    model::{Kind, Operation, Protocol, Service, Structure},
    value::{Map, Value},
};

/// An answer that was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// What holds for every answer: its status, headers and ids.
    pub metadata: Metadata,
    /// The members of the operation's output.
    pub values: Map,
}

/// An answer but for its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// What holds for every answer: its status, headers and ids.
    pub metadata: Metadata,
    /// The members that do not come in the body.
    pub values: Map,
    /// What the body is.
    pub body: Body,
}

/// What the body of an operation's answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Something to be read as a whole, with [`output`].
    Whole,
    /// The bytes of the member of this name, which may be many.
    Stream(&'static str),
    /// The member of this name: events, for [`crate::event_stream`].
    Events(&'static str),
}

/// What the body of an operation's answer is, so long as it is no error.
#[must_use]
pub fn body(service: &Service, operation: &Operation) -> Body {
    let Some(structure) = operation.output.and_then(|it| service.structure(it)) else {
        return Body::Whole;
    };
    let of_events = |shape| service.structure(shape).is_some_and(|it| it.event_stream);
    if let Some(member) = structure.members.iter().find(|it| of_events(it.shape)) {
        return Body::Events(member.name);
    }
    match structure.payload.and_then(|it| structure.member(it)) {
        Some(member) if matches!(service.shape(member.shape).kind, Kind::Blob { .. }) => {
            Body::Stream(member.name)
        }
        _ => Body::Whole,
    }
}

/// Reads an answer whose status says that all went well. A member that is a stream of bytes is read as
/// a whole; one that is a stream of events is left out.
///
/// # Errors
///
/// When the body is not what the operation gives, or is cut off.
pub fn output(
    service: &Service,
    operation: &Operation,
    response: &Response,
) -> Result<Output, Unreadable> {
    let mut metadata = Metadata::new(response.status, &response.headers);
    let values = values(service, operation, response, &mut metadata)
        .map_err(|defect| Unreadable::new(service, operation, response, defect))?;
    Ok(Output { metadata, values })
}

/// Reads all of an answer but its body.
///
/// # Errors
///
/// When a header is not what the operation gives.
pub fn head(
    service: &Service,
    operation: &Operation,
    status: u16,
    headers: &Headers,
) -> Result<Head, Unreadable> {
    let answer = Answer { service, status, headers, body: &Bytes::new() };
    let values = match operation.output.and_then(|it| service.structure(it)) {
        Some(structure) if answer.is_rest() => answer.outside(structure).map_err(|defect| {
            Unreadable::of_headers(service, operation, (status, headers), defect)
        })?,
        _ => Map::new(),
    };
    let metadata = Metadata::new(status, headers);
    Ok(Head { metadata, values, body: body(service, operation) })
}

/// Whether the body of an answer with status 200 is an error all the same, or is cut off: some
/// operations of S3 answer before they know how it ends.
#[must_use]
pub fn is_hidden_error(body: &[u8]) -> bool {
    !body.is_empty() && Document::read(body).map_or(true, |it| it.root().is_plain("Error"))
}

fn values(
    service: &Service,
    operation: &Operation,
    response: &Response,
    metadata: &mut Metadata,
) -> Result<Map, Defect> {
    let structure = operation.output.and_then(|it| service.structure(it));
    // Even where nothing is expected, a page is no answer of a service.
    if is_page(&response.body) && !is_raw(service, structure) {
        return Err(Defect::Page);
    }
    let answer = Answer::new(service, response);
    match service.metadata.protocol {
        Protocol::Query | Protocol::Ec2 => {
            // A page is one, whether or not it keeps to XML's grammar.
            let document = Document::read(&response.body)
                .map_err(|it| if is_page(&response.body) { Defect::Page } else { it })?;
            let root = document.root();
            let inner = if service.metadata.protocol == Protocol::Ec2 {
                root.child("requestId")
            } else {
                root.child("ResponseMetadata").and_then(|it| it.child("RequestId"))
            };
            if let Some(id) = inner {
                metadata.request_id = Some(id.text().to_owned());
            }
            let Some(structure) = structure else { return Ok(Map::new()) };
            let start = match operation.result_wrapper {
                Some(name) => {
                    let inner = root.child(name);
                    inner.ok_or_else(|| Defect::misfit("no element with the result"))?
                }
                None => root,
            };
            answer.xml().members(structure, start)
        }
        _ => structure.map_or_else(|| Ok(Map::new()), |it| answer.members(it)),
    }
}

/// Whether the body may be anything.
fn is_raw(service: &Service, structure: Option<&Structure>) -> bool {
    structure
        .and_then(|it| it.payload.and_then(|name| it.member(name)))
        .is_some_and(|it| !matches!(service.shape(it.shape).kind, Kind::Structure(_)))
}

impl Output {
    /// The members with the metadata among them, as boto3 gives them: `ResponseMetadata`.
    #[must_use]
    pub fn into_value(self) -> Value {
        let mut values = self.values;
        values.insert("ResponseMetadata".to_owned(), self.metadata.to_value());
        Value::Map(values)
    }
}

#[cfg(test)]
mod tests;
