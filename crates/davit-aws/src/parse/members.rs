//! The members of a structure, from wherever its protocol puts them: status, headers, body. Knows no
//! operation.

use bytes::Bytes;

use super::{
    cbor, from_json::FromJson, from_xml::FromXml, headers, json::Json, unreadable::Defect,
    xml::Document,
};
use crate::{
    http::{Headers, Response},
    model::{Kind, Member, Protocol, Service, Shape, Structure},
    value::{Map, Value},
};

/// An answer that is being read.
#[derive(Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) service: &'a Service,
    pub(super) status: u16,
    pub(super) headers: &'a Headers,
    pub(super) body: &'a Bytes,
}

impl<'a> Answer<'a> {
    pub(super) const fn new(service: &'a Service, response: &'a Response) -> Self {
        let Response { status, headers, body } = response;
        Self { service, status: *status, headers, body }
    }

    /// Whether members may be in headers.
    pub(super) fn is_rest(self) -> bool {
        matches!(self.service.metadata.protocol, Protocol::RestJson | Protocol::RestXml)
    }

    pub(super) const fn xml(self) -> FromXml<'a> {
        FromXml { service: self.service }
    }

    fn json(self) -> FromJson<'a> {
        let converts = self.service.metadata.protocol == Protocol::RestJson;
        FromJson { service: self.service, converts }
    }

    /// The members that are not in the body.
    pub(super) fn outside(self, structure: &Structure) -> Result<Map, Defect> {
        headers::members(self.service, structure, self.status, self.headers)
    }

    /// All members of a structure.
    pub(super) fn members(self, structure: &Structure) -> Result<Map, Defect> {
        if !self.is_rest() {
            return self.of_body(structure);
        }
        let mut map = self.outside(structure)?;
        match structure.payload.and_then(|name| structure.member(name)) {
            Some(member) => {
                if let Some(value) = self.payload(member)? {
                    map.insert(member.name.to_owned(), value);
                }
            }
            None => map.extend(self.of_body(structure)?),
        }
        Ok(map)
    }

    /// The member that is the whole body, unless it is a stream of events.
    fn payload(self, member: &Member) -> Result<Option<Value>, Defect> {
        let shape = self.service.shape(member.shape);
        Ok(Some(match &shape.kind {
            Kind::Structure(structure) if structure.event_stream => return Ok(None),
            Kind::Structure(structure) if structure.union && self.body.is_empty() => {
                return Ok(None);
            }
            Kind::Blob { .. } => Value::Blob(self.body.clone()),
            Kind::String { .. } => Value::String(text(self.body)?),
            Kind::Structure(structure) if !structure.document => {
                Value::Map(self.of_body(structure)?)
            }
            _ => self.value(shape, member)?,
        }))
    }

    fn value(self, shape: &Shape, member: &Member) -> Result<Value, Defect> {
        if self.service.metadata.protocol == Protocol::RestXml {
            let document = self.document()?;
            return self.xml().value(shape, &member.traits, document.root());
        }
        self.json().value(shape, self.read_json()?)
    }

    fn document(self) -> Result<Document<'a>, Defect> {
        if self.body.is_empty() { Ok(Document::empty()) } else { Document::read(self.body) }
    }

    /// No body is the same as one that has no members.
    fn read_json(self) -> Result<Json<'a>, Defect> {
        let blank = self.body.trim_ascii().is_empty();
        if blank { Ok(Json::Map(Vec::new())) } else { Json::read(self.body) }
    }

    /// The members that are in the body.
    fn of_body(self, structure: &Structure) -> Result<Map, Defect> {
        match self.service.metadata.protocol {
            Protocol::RestXml | Protocol::Query | Protocol::Ec2 => {
                self.xml().members(structure, self.document()?.root())
            }
            // Nothing of it would be taken.
            Protocol::Json | Protocol::RestJson
                if structure.members.is_empty() && !structure.document =>
            {
                Ok(Map::new())
            }
            Protocol::Json | Protocol::RestJson => {
                self.json().members(structure, self.read_json()?)
            }
            Protocol::Cbor if self.body.is_empty() => Ok(Map::new()),
            Protocol::Cbor => match cbor::read(self.body)? {
                Value::Map(values) => cbor::members(self.service, structure, values),
                _ => Err(Defect::misfit("no map")),
            },
        }
    }
}

/// The body of an event.
#[derive(Clone, Copy)]
pub(crate) struct EventBody<'a> {
    pub(crate) service: &'a Service,
    pub(crate) body: &'a Bytes,
}

impl EventBody<'_> {
    /// The members of a structure that is the whole body.
    pub(crate) fn members(self, structure: &Structure) -> Result<Map, Defect> {
        if self.body.is_empty() || structure.members.iter().all(|it| it.traits.event_header) {
            return Ok(Map::new());
        }
        match self.service.metadata.protocol {
            Protocol::RestXml | Protocol::Query | Protocol::Ec2 => {
                let document = Document::read(self.body)?;
                FromXml { service: self.service }.members(structure, document.root())
            }
            Protocol::Json | Protocol::RestJson => {
                // Events are read as the `json` protocol reads, whatever the service speaks.
                let json = FromJson { service: self.service, converts: false };
                json.members(structure, Json::read(self.body)?)
            }
            Protocol::Cbor => match cbor::read(self.body)? {
                Value::Map(values) => cbor::members(self.service, structure, values),
                _ => Err(Defect::misfit("no map")),
            },
        }
    }

    /// The one member that is the whole body.
    pub(crate) fn payload(self, member: &Member) -> Result<Value, Defect> {
        match &self.service.shape(member.shape).kind {
            Kind::Blob { .. } => Ok(Value::Blob(self.body.clone())),
            Kind::String { .. } => text(self.body).map(Value::String),
            Kind::Structure(structure) => self.members(structure).map(Value::Map),
            _ => Err(Defect::misfit("a body that is none of an event")),
        }
    }
}

fn text(body: &Bytes) -> Result<String, Defect> {
    let text = std::str::from_utf8(body);
    let text = text.map_err(|it| Defect::malformed(it.valid_up_to(), "no UTF-8"))?;
    Ok(text.to_owned())
}
