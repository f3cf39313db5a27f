//! Requests to resources: labels of the path, parameters behind it, headers, and what is left as the
//! body.

use std::borrow::Cow;

use indexmap::IndexMap;
use percent_encoding::percent_decode_str;

use super::{Call, Error, Unfit, body_bytes, json, scalar, xml};
use crate::{
    http::{self, Headers, Request},
    model::{Kind, Location, Member, Service},
    value::Value,
};

/// What bodies are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Json,
    Xml,
}

pub(super) fn request(call: &Call<'_>, body: Body) -> Result<Request, Error> {
    let mut parts = Parts::default();
    for (member, value) in &call.given {
        // A document may be null, but not as the whole of what stands under its name.
        if matches!(value, Value::Null) {
            continue;
        }
        parts.add(call, member, value).map_err(|it| it.within_member(member))?;
    }
    let mut request = Request { method: call.operation.method.to_owned(), ..Request::default() };
    address(call, &parts, &mut request)?;
    request.headers = parts.headers.into_iter().collect::<Headers>();
    write_body(call, body, &parts.body, &mut request)?;
    Ok(request)
}

/// The members by where they go.
#[derive(Default)]
struct Parts<'a> {
    labels: Vec<(&'a str, Cow<'a, str>)>,
    query: IndexMap<&'a str, Vec<Cow<'a, str>>>,
    headers: Vec<(String, String)>,
    body: Vec<(&'a Member, &'a Value)>,
}

impl<'a> Parts<'a> {
    fn add(&mut self, call: &Call<'_>, member: &'a Member, value: &'a Value) -> Result<(), Error> {
        let service = call.service;
        let name = member.traits.location_name.unwrap_or(member.name);
        match (member.traits.location, &service.shape(member.shape).kind, value) {
            (Some(Location::Uri), ..) => {
                self.labels.push((name, in_address(service, member, value)?));
            }
            (Some(Location::Query), Kind::Map { value: member, .. }, Value::Map(map)) => {
                for (key, item) in map {
                    if !has_member(call, Location::Query, key) {
                        let texts = texts(service, member, item).map_err(|it| it.within(key))?;
                        self.query.insert(key, texts);
                    }
                }
            }
            (Some(Location::Query), ..) => {
                self.query.insert(name, texts(service, member, value)?);
            }
            (Some(Location::Header), ..) => {
                if let Some(text) = in_header(service, member, value)? {
                    self.add_header(name, &text)?;
                }
            }
            (Some(Location::Headers), _, Value::Map(map)) => {
                for (key, item) in map {
                    let unfit = Unfit::Type { expected: "a string", given: item.kind() };
                    let text = item.as_str().ok_or_else(|| Error::new(unfit).within(key))?;
                    let header = format!("{name}{key}");
                    if !has_member(call, Location::Header, &header) {
                        self.add_header(&header, text).map_err(|it| it.within(key))?;
                    }
                }
            }
            (Some(Location::Headers), kind, value) => return Err(Error::kind(kind, value)),
            (Some(Location::Status) | None, ..) => self.body.push((member, value)),
        }
        Ok(())
    }

    /// A later header takes an earlier one's place.
    fn add_header(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let text = scalar::header(text)?.to_owned();
        scalar::header(name)?;
        match self.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = text,
            None => self.headers.push((name.to_owned(), text)),
        }
        Ok(())
    }

    fn label(&self, name: &str) -> Result<&str, Error> {
        let label = self.labels.iter().find(|(known, _)| *known == name);
        label.map(|(_, text)| &**text).ok_or_else(|| Error::new(Unfit::NoLabel).within(name))
    }
}

/// Whether a member of its own is given for a parameter or header: it goes before the entries of maps,
/// which are for names that the model does not know.
fn has_member(call: &Call<'_>, location: Location, name: &str) -> bool {
    call.given.iter().any(|(member, value)| {
        let known = member.traits.location_name.unwrap_or(member.name);
        let same = match location {
            Location::Header => known.eq_ignore_ascii_case(name),
            _ => known == name,
        };
        same && member.traits.location == Some(location) && value.as_map().is_none()
    })
}

/// The values of a parameter behind the path: one, or as many as its list has.
fn texts<'a>(
    service: &Service,
    member: &Member,
    value: &'a Value,
) -> Result<Vec<Cow<'a, str>>, Error> {
    match (&service.shape(member.shape).kind, value) {
        (Kind::List { member, .. }, Value::List(items)) => items
            .iter()
            .enumerate()
            .map(|(index, it)| in_address(service, member, it).map_err(|it| it.at(index)))
            .collect(),
        _ => Ok(vec![in_address(service, member, value)?]),
    }
}

fn in_address<'a>(
    service: &Service,
    member: &Member,
    value: &'a Value,
) -> Result<Cow<'a, str>, Error> {
    let kind = &service.shape(member.shape).kind;
    scalar::text(kind, &member.traits, value, scalar::TimeFormat::Iso8601)
}

/// The text of a header; none for an empty list.
fn in_header<'a>(
    service: &Service,
    member: &Member,
    value: &'a Value,
) -> Result<Option<Cow<'a, str>>, Error> {
    match (&service.shape(member.shape).kind, value) {
        (Kind::List { member, .. }, Value::List(items)) => {
            let mut list = Vec::new();
            for (index, item) in items.iter().enumerate() {
                if matches!(item, Value::Null) {
                    continue;
                }
                let text = header_item(service, member, item).map_err(|it| it.at(index))?;
                list.push(text);
            }
            Ok((!items.is_empty()).then(|| Cow::Owned(list.join(","))))
        }
        _ => in_one_header(service, member, value).map(Some),
    }
}

fn header_item<'a>(
    service: &Service,
    member: &Member,
    value: &'a Value,
) -> Result<Cow<'a, str>, Error> {
    let text = in_one_header(service, member, value)?;
    let is_text = matches!(service.shape(member.shape).kind, Kind::String { .. });
    if is_text && text.contains([',', '"']) {
        return Ok(Cow::Owned(format!("\"{}\"", text.replace('"', "\\\""))));
    }
    Ok(text)
}

fn in_one_header<'a>(
    service: &Service,
    member: &Member,
    value: &'a Value,
) -> Result<Cow<'a, str>, Error> {
    let kind = &service.shape(member.shape).kind;
    let traits = &member.traits;
    if matches!(kind, Kind::Timestamp) {
        // Headers have whole seconds, whatever the format.
        let time = scalar::time_of(value)?;
        let second = time.as_nanosecond().div_euclid(1_000_000_000);
        let second = i64::try_from(second).unwrap_or_default();
        let whole = Value::Int(second);
        let text = scalar::text(kind, traits, &whole, scalar::TimeFormat::Rfc822)?;
        return Ok(Cow::Owned(text.into_owned()));
    }
    if traits.json_value && traits.location == Some(Location::Header) {
        return Ok(Cow::Owned(crate::base64(&json::compact(value)?)));
    }
    scalar::text(kind, traits, value, scalar::TimeFormat::Rfc822)
}

/// The path and what stands behind it.
fn address(call: &Call<'_>, parts: &Parts<'_>, request: &mut Request) -> Result<(), Error> {
    let whole = filled_in(call.operation.uri, parts)?;
    let (path, query) = whole.split_once('?').unwrap_or((&whole, ""));
    let slash = if path.starts_with('/') { "" } else { "/" };
    request.path = format!("{slash}{path}");
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    for pair in query.split('&').filter(|it| !it.is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) => request.query.push((decoded(name), decoded(value))),
            None => {
                request.query.push((decoded(pair), String::new()));
                request.bare.push(decoded(pair));
            }
        }
    }
    for (name, values) in &parts.query {
        for value in values {
            request.query.push(((*name).to_owned(), value.clone().into_owned()));
        }
    }
    Ok(())
}

/// A template with its labels filled in. Those with a plus sign keep their slashes.
fn filled_in(template: &str, parts: &Parts<'_>) -> Result<String, Error> {
    let mut whole = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
        whole.push_str(before);
        whole.push_str(&match name.strip_suffix('+') {
            Some(name) => http::encode_path(parts.label(name)?),
            None => http::encode(parts.label(name)?),
        });
        rest = behind;
    }
    whole.push_str(rest);
    Ok(whole)
}

fn write_body(
    call: &Call<'_>,
    body: Body,
    given: &[(&Member, &Value)],
    request: &mut Request,
) -> Result<(), Error> {
    let service = call.service;
    if call.event_stream.is_some() {
        return Ok(());
    }
    if let Some(member) = call.payload() {
        let shape = service.shape(member.shape);
        let value = call.value(member.name).filter(|it| !matches!(it, Value::Null));
        let within = |it: Error| it.within_member(member);
        if matches!(shape.kind, Kind::Blob { .. } | Kind::String { .. }) {
            if let Some(value) = value {
                request.body = body_bytes(shape, value).map_err(within)?;
            }
            return Ok(());
        }
        let union = matches!(&shape.kind, Kind::Structure(structure) if structure.union);
        request.body = match (body, value) {
            // A union has exactly one member: there is none without any.
            (Body::Json, None) if union => Vec::new(),
            (Body::Json, None) => b"{}".to_vec(),
            (Body::Json, Some(value)) => json::payload(service, member, value).map_err(within)?,
            (Body::Xml, None) => Vec::new(),
            (Body::Xml, Some(value)) => xml::payload(service, member, value).map_err(within)?,
        }
        .into();
    } else if body == Body::Json {
        let in_body = |it: &Member| it.traits.location.is_none();
        if call.input.members.iter().any(in_body) {
            request.body = json::structure(service, given)?.into();
        }
    } else if !given.is_empty() {
        let traits = &call.operation.input_traits;
        let shape = call.operation.input.map(|id| service.shape(id).name);
        let name = traits.location_name.or(shape).unwrap_or_default();
        request.body = xml::structure(service, traits, name, given)?.into();
    }
    if body == Body::Json && !request.body.is_empty() && !request.headers.contains("Content-Type") {
        request.headers.add("Content-Type", "application/json");
    }
    Ok(())
}
