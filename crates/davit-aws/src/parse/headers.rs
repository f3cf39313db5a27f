//! What an answer's headers say. Knows no body.

use std::borrow::Cow;

use base64::Engine as _;

use super::{json::Json, scalar, unreadable::Defect};
use crate::{
    http::Headers,
    model::{Kind, Location, Member, Protocol, Service, Structure},
    value::{Map, Value},
};

/// What holds for every answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// The id that the service gave the request.
    pub request_id: Option<String>,
    /// S3's second id.
    pub host_id: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The headers, their names in lower case, each name once.
    pub headers: Headers,
    /// How often it was tried again; who makes the calls sets it.
    pub retry_attempts: u32,
}

impl Metadata {
    /// What the status and the headers say.
    #[must_use]
    pub fn new(status: u16, headers: &Headers) -> Self {
        let mut lower = Headers::default();
        for (name, _) in headers.iter() {
            if !lower.contains(name) {
                let value = header(headers, name).unwrap_or_default();
                lower.add(&name.to_ascii_lowercase(), value);
            }
        }
        let get = |name: &str| lower.get(name).map(str::to_owned);
        Self {
            request_id: get("x-amzn-requestid").or_else(|| get("x-amz-request-id")),
            host_id: get("x-amz-id-2"),
            status,
            headers: lower,
            retry_attempts: 0,
        }
    }

    /// The same under boto3's names.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (name, id) in [("RequestId", &self.request_id), ("HostId", &self.host_id)] {
            if let Some(id) = id {
                map.insert(name.to_owned(), Value::from(id.as_str()));
            }
        }
        let headers = self.headers.iter();
        let headers: Map = headers.map(|(name, it)| (name.to_owned(), Value::from(it))).collect();
        map.insert("HTTPStatusCode".to_owned(), Value::Int(i64::from(self.status)));
        map.insert("HTTPHeaders".to_owned(), Value::Map(headers));
        map.insert("RetryAttempts".to_owned(), Value::Int(i64::from(self.retry_attempts)));
        Value::Map(map)
    }
}

/// The value of a header; where it is there several times, all of them with commas between.
pub(super) fn header<'h>(headers: &'h Headers, name: &str) -> Option<Cow<'h, str>> {
    let mut values = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut joined = Cow::Borrowed(values.next()?.1);
    for (_, value) in values {
        let text = joined.to_mut();
        text.push_str(", ");
        text.push_str(value);
    }
    Some(joined)
}

/// The members of a structure that the status and the headers hold.
pub(super) fn members(
    service: &Service,
    structure: &Structure,
    status: u16,
    headers: &Headers,
) -> Result<Map, Defect> {
    let mut map = Map::new();
    for member in &structure.members {
        let name = member.traits.location_name;
        let value = match member.traits.location {
            Some(Location::Status) => Value::Int(i64::from(status)),
            Some(Location::Headers) => prefixed(headers, name.unwrap_or_default()),
            Some(Location::Header) => {
                let Some(text) = header(headers, name.unwrap_or(member.name)) else { continue };
                value(service, member, &text).map_err(|it| it.under(member.name))?
            }
            _ => continue,
        };
        map.insert(member.name.to_owned(), value);
    }
    Ok(map)
}

/// All headers whose names begin so, by what follows in their names.
fn prefixed(headers: &Headers, prefix: &str) -> Value {
    let mut map = Map::new();
    for (name, _) in headers.iter() {
        let begins = name.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(prefix));
        let rest = if begins { &name[prefix.len()..] } else { continue };
        if !map.keys().any(|it: &String| it.eq_ignore_ascii_case(rest)) {
            let value = header(headers, name).unwrap_or_default().into_owned();
            map.insert(rest.to_owned(), Value::String(value));
        }
    }
    Value::Map(map)
}

fn value(service: &Service, member: &Member, text: &str) -> Result<Value, Defect> {
    match &service.shape(member.shape).kind {
        Kind::List { member, .. } => {
            let kind = &service.shape(member.shape).kind;
            if matches!(kind, Kind::Timestamp) {
                return times(kind, text);
            }
            let items: Vec<Cow<'_, str>> = match kind {
                Kind::String { .. } => texts(text),
                _ => text.split(',').map(|it| it.trim().into()).collect(),
            };
            let items = items.iter().map(|it| scalar::from_text(kind, it));
            items.collect::<Result<_, _>>().map(Value::List)
        }
        Kind::Boolean if service.metadata.protocol == Protocol::RestJson => {
            Ok(Value::Bool(text.eq_ignore_ascii_case("true")))
        }
        Kind::String { .. } if member.traits.json_value => json_value(text),
        kind => scalar::from_text(kind, text),
    }
}

/// Texts with commas between. One in quotes may have commas and quotes in it.
fn texts(text: &str) -> Vec<Cow<'_, str>> {
    let mut items = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let text = text.trim_start();
        if let Some((item, behind)) = quoted(text) {
            items.push(Cow::Owned(item));
            rest = behind.trim_start().strip_prefix(',');
        } else {
            let (item, behind) = text.split_once(',').map_or((text, None), |(a, b)| (a, Some(b)));
            items.push(Cow::Borrowed(item.trim_end()));
            rest = behind;
        }
    }
    items
}

/// A text in quotes that ends where an item ends, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut letters = text.strip_prefix('"')?.chars();
    let mut item = String::new();
    loop {
        match letters.next()? {
            '"' => break,
            '\\' => item.push(letters.next()?),
            letter => item.push(letter),
        }
    }
    let behind = letters.as_str();
    let ends = behind.trim_start();
    (ends.is_empty() || ends.starts_with(',')).then_some((item, behind))
}

/// Points in time with commas between, of which dates of HTTP have one each themselves.
fn times(kind: &Kind, text: &str) -> Result<Value, Defect> {
    let mut items = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let dated = rest.trim_start().starts_with(|it: char| it.is_ascii_alphabetic());
        let mut commas = rest.match_indices(',').map(|(at, _)| at);
        let end = commas.nth(usize::from(dated)).unwrap_or(rest.len());
        items.push(scalar::from_text(kind, rest[..end].trim())?);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    Ok(Value::List(items))
}

/// JSON in base64.
fn json_value(text: &str) -> Result<Value, Defect> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    let bytes = bytes.map_err(|_| Defect::misfit("no base64"))?;
    Json::read(&bytes).map(Json::into_value).map_err(|_| Defect::misfit("no JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Store;

    #[test]
    fn texts_in_quotes_may_have_commas_in_them() {
        for (text, expected) in [
            ("a, b ,c", &["a", "b", "c"][..]),
            (r#""b,c", "\"def\"", a"#, &["b,c", "\"def\"", "a"]),
            (r#""a" , b"#, &["a", "b"]),
            (r#""a"b, "c"#, &[r#""a"b"#, "\"c"]),
            ("", &[""]),
            ("a,", &["a", ""]),
        ] {
            assert_eq!(texts(text), expected, "{text}");
        }
    }

    #[test]
    fn lists_in_headers_have_commas_between() {
        // No operation gives any yet; some take them.
        let service = Store::default().service("s3").expect("readable").expect("known");
        let input = service.operation("GetObjectAttributes").expect("known").input;
        let structure = input.and_then(|it| service.structure(it)).expect("a structure");
        let headers =
            [("x-amz-object-attributes", "ETag , Checksum"), ("X-Amz-Object-Attributes", "a")];
        let found = members(service, structure, 200, &headers.into_iter().collect());
        let found = Value::Map(found.expect("readable")).to_json();
        assert_eq!(found, serde_json::json!({"ObjectAttributes": ["ETag", "Checksum", "a"]}));
    }
}
