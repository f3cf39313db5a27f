//! Bodies of XML, as Python's ElementTree writes them.

use super::{Error, deeper, members, scalar};
use crate::{
    model::{Kind, Member, Service, Traits, XmlNamespace},
    value::Value,
};

/// Members and their values as an element of a name.
pub(super) fn structure(
    service: &Service,
    traits: &Traits,
    name: &str,
    given: &[(&Member, &Value)],
) -> Result<Vec<u8>, Error> {
    let mut root = Element::new(name);
    root.namespace(traits.xml_namespace);
    let writer = Writer { service };
    writer.members(&mut root, given.iter().map(|it| Ok(*it)), 0)?;
    Ok(root.written())
}

/// A body that is one member.
pub(super) fn payload(service: &Service, member: &Member, value: &Value) -> Result<Vec<u8>, Error> {
    let name = member.traits.location_name.unwrap_or(service.shape(member.shape).name);
    let mut around = Element::new("");
    let writer = Writer { service };
    writer.value(&mut around, (name, member), value, 0)?;
    Ok(around.children.first().map(Element::written).unwrap_or_default())
}

/// An element that is being made. A flattened list puts its namespace on the element around it,
/// so an element is not written before all of it is known.
struct Element<'a> {
    name: &'a str,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl<'a> Element<'a> {
    const fn new(name: &'a str) -> Self {
        Self { name, attributes: Vec::new(), text: String::new(), children: Vec::new() }
    }

    fn namespace(&mut self, namespace: Option<XmlNamespace>) {
        if let Some(namespace) = namespace {
            let name = match namespace.prefix {
                Some(prefix) if !prefix.is_empty() => format!("xmlns:{prefix}"),
                _ => "xmlns".to_owned(),
            };
            self.set(name, namespace.uri.to_owned());
        }
    }

    fn set(&mut self, name: String, value: String) {
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name, value)),
        }
    }

    fn written(&self) -> Vec<u8> {
        let mut out = String::new();
        self.write(&mut out);
        out.into_bytes()
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(out, value, true);
            out.push('"');
        }
        if self.text.is_empty() && self.children.is_empty() {
            out.push_str(" />");
            return;
        }
        out.push('>');
        escape(out, &self.text, false);
        self.children.iter().for_each(|it| it.write(out));
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
    }
}

fn escape(out: &mut String, text: &str, attribute: bool) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\r' if attribute => out.push_str("&#13;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\t' if attribute => out.push_str("&#09;"),
            other => out.push(other),
        }
    }
}

struct Writer<'s> {
    service: &'s Service,
}

impl<'s> Writer<'s> {
    fn members<'v>(
        &self,
        into: &mut Element<'s>,
        given: impl Iterator<Item = Result<(&'v Member, &'v Value), Error>>,
        depth: usize,
    ) -> Result<(), Error> {
        for entry in given {
            let (member, value) = entry?;
            self.member(into, member, value, depth).map_err(|it| it.within_member(member))?;
        }
        Ok(())
    }

    fn member(
        &self,
        into: &mut Element<'s>,
        member: &Member,
        value: &Value,
        depth: usize,
    ) -> Result<(), Error> {
        let name = member.traits.location_name.unwrap_or(member.name);
        if member.traits.xml_attribute {
            let kind = &self.service.shape(member.shape).kind;
            let text = scalar::text(kind, &member.traits, value, scalar::TimeFormat::Iso8601)?;
            into.set(name.to_owned(), text.into_owned());
            return Ok(());
        }
        self.value(into, (name, member), value, depth)
    }

    fn value(
        &self,
        into: &mut Element<'s>,
        (name, member): (&'s str, &Member),
        value: &Value,
        depth: usize,
    ) -> Result<(), Error> {
        let depth = deeper(depth)?;
        let (traits, shape) = (&member.traits, member.shape);
        let namespace = traits.xml_namespace;
        let mut node = Element::new(name);
        match (&self.service.shape(shape).kind, value) {
            (Kind::Structure(structure), Value::Map(map)) if !structure.document => {
                node.namespace(namespace);
                self.members(&mut node, members(self.service, structure, map), depth)?;
            }
            (Kind::List { member, .. }, Value::List(items)) => {
                if traits.flattened {
                    into.namespace(namespace);
                    return self.items(into, (name, member), items, depth);
                }
                node.namespace(namespace);
                let item = member.traits.location_name.unwrap_or("member");
                self.items(&mut node, (item, member), items, depth)?;
            }
            (Kind::Map { key, value, .. }, Value::Map(map)) => {
                node.namespace(namespace.filter(|_| !traits.flattened));
                for (given, item) in map {
                    let entry = if traits.flattened { name } else { "entry" };
                    let entry = self.entry(entry, [key, value], (given, item), depth);
                    let entry = entry.map_err(|it| it.within_entry(key, given))?;
                    if traits.flattened {
                        into.children.push(entry);
                    } else {
                        node.children.push(entry);
                    }
                }
                if traits.flattened {
                    return Ok(());
                }
            }
            (kind, value) => {
                node.text =
                    scalar::text(kind, traits, value, scalar::TimeFormat::Iso8601)?.into_owned();
                node.namespace(namespace);
            }
        }
        into.children.push(node);
        Ok(())
    }

    fn items(
        &self,
        into: &mut Element<'s>,
        (name, member): (&'s str, &Member),
        items: &[Value],
        depth: usize,
    ) -> Result<(), Error> {
        for (index, item) in items.iter().enumerate() {
            self.value(into, (name, member), item, depth).map_err(|it| it.at(index))?;
        }
        Ok(())
    }

    fn entry(
        &self,
        name: &'s str,
        [key, value]: [&Member; 2],
        (given, item): (&str, &Value),
        depth: usize,
    ) -> Result<Element<'s>, Error> {
        let mut entry = Element::new(name);
        let mut node = Element::new(key.traits.location_name.unwrap_or("key"));
        node.text = given.to_owned();
        node.namespace(key.traits.xml_namespace);
        entry.children.push(node);
        let name = value.traits.location_name.unwrap_or("value");
        self.value(&mut entry, (name, value), item, depth)?;
        Ok(entry)
    }
}
