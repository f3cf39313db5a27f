//! Forms, as the query protocol and EC2's dialect of it have them: `Filter.1.Name=a&Filter.1.Value.1=b`.

use std::{borrow::Cow, fmt::Write as _};

use indexmap::IndexMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Call, Error, deeper, members, scalar};
use crate::{
    http::Request,
    model::{Kind, Member, Service, Traits},
    value::{Map, Value},
};

/// Which of the two is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Query,
    Ec2,
}

/// What is not encoded in a form. Spaces become plus signs afterwards.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

pub(super) fn request(call: &Call<'_>, dialect: Dialect) -> Result<Request, Error> {
    let mut request = call.request(call.operation.method);
    let content_type = "application/x-www-form-urlencoded; charset=utf-8";
    request.headers.add("Content-Type", content_type);
    let mut form = Form { service: call.service, dialect, fields: IndexMap::new() };
    form.set("Action", Cow::Borrowed(call.operation.name));
    form.set("Version", Cow::Borrowed(call.service.metadata.api_version));
    let mut name = String::new();
    for (member, value) in &call.given {
        form.member(&mut name, member, value, 0)?;
    }
    request.body = form.encoded().into();
    Ok(request)
}

/// The fields that were written, each once: a later one takes an earlier one's place.
struct Form<'a> {
    service: &'a Service,
    dialect: Dialect,
    fields: IndexMap<String, Cow<'a, str>>,
}

impl<'a> Form<'a> {
    fn set(&mut self, name: &str, value: Cow<'a, str>) {
        self.fields.insert(name.to_owned(), value);
    }

    /// Writes a member of the structure that `name` leads to. What is added to `name` is taken away again.
    fn member(
        &mut self,
        name: &mut String,
        member: &Member,
        value: &'a Value,
        depth: usize,
    ) -> Result<(), Error> {
        let length = name.len();
        if length > 0 {
            name.push('.');
        }
        name.push_str(&self.name_of(&member.traits, member.name));
        let done = self.value(name, member, value, depth);
        name.truncate(length);
        done.map_err(|it| it.within_member(member))
    }

    fn value(
        &mut self,
        name: &mut String,
        member: &Member,
        value: &'a Value,
        depth: usize,
    ) -> Result<(), Error> {
        let depth = deeper(depth)?;
        let (traits, shape) = (&member.traits, member.shape);
        let service = self.service;
        match (&service.shape(shape).kind, value) {
            (Kind::Structure(structure), Value::Map(map)) if !structure.document => {
                for entry in members(service, structure, map) {
                    let (member, value) = entry?;
                    self.member(name, member, value, depth)?;
                }
            }
            (Kind::List { member, .. }, Value::List(items)) => {
                if items.is_empty() && self.dialect == Dialect::Query {
                    self.set(name, Cow::Borrowed(""));
                }
                let mut item_name = self.list_name(name, traits, member);
                let length = item_name.len();
                for (index, item) in items.iter().enumerate() {
                    // Writing to text cannot fail.
                    let _ = write!(item_name, ".{}", index + 1);
                    self.value(&mut item_name, member, item, depth).map_err(|it| it.at(index))?;
                    item_name.truncate(length);
                }
            }
            (Kind::Map { key, value, .. }, Value::Map(map)) => {
                let around = if traits.flattened { "" } else { ".entry" };
                self.map(&format!("{name}{around}"), [key, value], map, depth)?;
            }
            (kind, value) => {
                let text = scalar::text(kind, traits, value, scalar::TimeFormat::Iso8601)?;
                self.set(name, text);
            }
        }
        Ok(())
    }

    /// What the names of a list's items begin with.
    fn list_name(&self, name: &str, traits: &Traits, member: &Member) -> String {
        let item = member.traits.location_name;
        match (self.dialect, traits.flattened, item) {
            (Dialect::Ec2, _, _) | (_, true, None) => name.to_owned(),
            (_, true, Some(_)) if traits.location_name.is_some() => name.to_owned(),
            // The items' name takes the place of a list's that has none of its own.
            (_, true, Some(item)) => match name.rsplit_once('.') {
                Some((around, _)) => format!("{around}.{item}"),
                None => item.to_owned(),
            },
            (_, false, item) => format!("{name}.{}", item.unwrap_or("member")),
        }
    }

    fn map(
        &mut self,
        name: &str,
        [key, value]: [&Member; 2],
        map: &'a Map,
        depth: usize,
    ) -> Result<(), Error> {
        let key_name = self.name_of(&key.traits, "key");
        let value_name = self.name_of(&value.traits, "value");
        for (index, (given, item)) in map.iter().enumerate() {
            let place = format!("{name}.{}", index + 1);
            self.set(&format!("{place}.{key_name}"), Cow::Borrowed(given));
            let mut name = format!("{place}.{value_name}");
            self.value(&mut name, value, item, depth).map_err(|it| it.within_entry(key, given))?;
        }
        Ok(())
    }

    /// What a member is called in the form.
    fn name_of<'n>(&self, traits: &Traits, name: &'n str) -> Cow<'n, str> {
        match (self.dialect, traits.query_name, traits.location_name) {
            (Dialect::Query, _, Some(name)) | (Dialect::Ec2, Some(name), _) => Cow::Borrowed(name),
            (Dialect::Ec2, None, known) => {
                let mut letters = known.unwrap_or(name).chars();
                let first = letters.next().into_iter().flat_map(char::to_uppercase);
                Cow::Owned(first.chain(letters.clone()).collect())
            }
            (Dialect::Query, _, None) => Cow::Borrowed(name),
        }
    }

    fn encoded(&self) -> Vec<u8> {
        let mut body = String::new();
        for (name, value) in &self.fields {
            if !body.is_empty() {
                body.push('&');
            }
            push(&mut body, name);
            body.push('=');
            push(&mut body, value);
        }
        body.into_bytes()
    }
}

fn push(body: &mut String, text: &str) {
    for part in utf8_percent_encode(text, ENCODED) {
        // A part is either one encoded byte or a run of what stands as it is.
        for (index, words) in part.split(' ').enumerate() {
            if index > 0 {
                body.push('+');
            }
            body.push_str(words);
        }
    }
}
