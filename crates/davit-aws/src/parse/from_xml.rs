//! Values out of XML as shapes say. Knows no HTTP.

use super::{
    from_json::{one_of, unknown_value},
    scalar,
    unreadable::Defect,
    xml::Node,
};
use crate::{
    model::{Kind, Location, Member, Protocol, Service, Shape, Structure, Traits},
    value::{Map, Value},
};

/// The elements of one name: the first, and whether others of its name follow.
#[derive(Clone, Copy)]
struct Found<'d> {
    first: Node<'d>,
    several: bool,
}

impl<'d> Found<'d> {
    fn all(self) -> impl Iterator<Item = Node<'d>> {
        let name = self.first.name();
        let others = self.first.following().take_while(move |_| self.several);
        std::iter::once(self.first).chain(others.filter(move |it| it.name() == name))
    }
}

/// A member and the elements that are its own.
struct Place<'d> {
    /// The name of its elements; nothing for a member that is elsewhere.
    name: Option<&'static str>,
    found: Option<Found<'d>>,
}

/// Finds for each of an element's elements whose they are. Most answers have them in the model's
/// order, so that each search begins where the last one ended.
fn sort<'d>(parent: Node<'d>, places: &mut [Place<'d>]) {
    let mut hint = 0;
    for node in parent.children() {
        let name = Some(node.name());
        let (ahead, behind) = (hint..places.len(), 0..hint);
        let Some(at) = ahead.chain(behind).find(|at| places[*at].name == name) else { continue };
        match &mut places[at].found {
            Some(found) => found.several = true,
            none => *none = Some(Found { first: node, several: false }),
        }
        hint = at;
    }
}

/// A list without an element around it may have the name of the single value that it took the place
/// of: the elements are both members' then.
fn share(places: &mut [Place<'_>], at: usize) {
    let name = places[at].name;
    let others = |place: &Place<'_>| place.name == name;
    if let Some(found) = places.iter().filter(|it| others(it)).find_map(|it| it.found) {
        places.iter_mut().filter(|it| others(it)).for_each(|it| it.found = Some(found));
    }
}

/// Elements of a list without an element around it that are named as the member is, where none are
/// named as its items are.
fn by_own_name<'d>(parent: Node<'d>, places: &mut [Place<'d>], at: usize, member: &Member) {
    let own = Some(member.traits.location_name.unwrap_or(member.name));
    if places[at].found.is_none() && places.iter().all(|it| it.name != own) {
        let first = parent.children().find(|it| Some(it.name()) == own);
        places[at].found = first.map(|first| Found { first, several: true });
    }
}

/// What an element is read for.
#[derive(Clone, Copy)]
pub(super) struct FromXml<'a> {
    pub(super) service: &'a Service,
}

impl FromXml<'_> {
    /// The members of a structure that is the whole of an answer.
    pub(super) fn members(self, structure: &Structure, node: Node<'_>) -> Result<Map, Defect> {
        match self.structure(structure, node)? {
            Value::Map(map) => Ok(map),
            _ => Ok(Map::new()),
        }
    }

    /// The value of a shape in one element.
    pub(super) fn value(
        self,
        shape: &Shape,
        traits: &Traits,
        node: Node<'_>,
    ) -> Result<Value, Defect> {
        self.found(shape, traits, Found { first: node, several: false })
    }

    fn found(self, shape: &Shape, traits: &Traits, found: Found<'_>) -> Result<Value, Defect> {
        match &shape.kind {
            Kind::Structure(structure) => self.structure(structure, found.first),
            Kind::List { member, .. } => self.list(member, traits, found),
            Kind::Map { key, value, .. } if traits.flattened => self.map(key, value, found.all()),
            Kind::Map { key, value, .. } => self.map(key, value, found.first.children()),
            kind => scalar::from_text(kind, found.first.text()),
        }
    }

    fn structure(self, structure: &Structure, node: Node<'_>) -> Result<Value, Defect> {
        let node = if structure.error.is_some() {
            error_root(self.service.metadata.protocol, node)
        } else {
            node
        };
        if structure.union
            && let Some(unknown) = one_of(structure, node.children().map(Node::name))?
        {
            return Ok(unknown_value(unknown));
        }
        let members = &structure.members;
        let mut places: Vec<Place<'_>> =
            members.iter().map(|it| Place { name: self.name_of(it), found: None }).collect();
        sort(node, &mut places);
        let flattened = || (0..members.len()).filter(|at| members[*at].traits.flattened);
        flattened().for_each(|at| share(&mut places, at));
        flattened().for_each(|at| by_own_name(node, &mut places, at, &members[at]));
        let mut map = Map::with_capacity(places.iter().filter(|it| it.found.is_some()).count());
        for (member, place) in members.iter().zip(places) {
            let value = if let Some(found) = place.found {
                let shape = self.service.shape(member.shape);
                self.found(shape, &member.traits, found).map_err(|it| it.under(member.name))?
            } else if let Some(text) = attribute(member, node) {
                Value::String(text)
            } else {
                continue;
            };
            map.insert(member.name.to_owned(), value);
        }
        Ok(Value::Map(map))
    }

    /// The name of a member's elements, if it is in elements. Those of a list without an element
    /// around it are named as its items are.
    fn name_of(self, member: &Member) -> Option<&'static str> {
        let elsewhere = matches!(
            member.traits.location,
            Some(Location::Header | Location::Headers | Location::Status)
        );
        if elsewhere || member.traits.event_header {
            return None;
        }
        if member.traits.flattened
            && let Kind::List { member: item, .. } = &self.service.shape(member.shape).kind
            && let Some(name) = item.traits.location_name
        {
            return Some(name);
        }
        Some(member.traits.location_name.unwrap_or(member.name))
    }

    /// A list that has an element around it takes what is in that, whatever its name; where that is
    /// there several times, each is an item.
    fn list(self, member: &Member, traits: &Traits, found: Found<'_>) -> Result<Value, Defect> {
        let shape = self.service.shape(member.shape);
        let value = |node| self.value(shape, &member.traits, node);
        let values: Result<Vec<Value>, Defect> = if traits.flattened || found.several {
            found.all().map(value).collect()
        } else {
            found.first.children().map(value).collect()
        };
        values.map(Value::List)
    }

    fn map<'d>(
        self,
        key: &Member,
        value: &Member,
        entries: impl Iterator<Item = Node<'d>>,
    ) -> Result<Value, Defect> {
        let key_name = key.traits.location_name.unwrap_or("key");
        let value_name = value.traits.location_name.unwrap_or("value");
        let shape = self.service.shape(value.shape);
        let mut map = Map::new();
        for entry in entries {
            let (mut key_text, mut found) = (None, Value::Null);
            for node in entry.children() {
                if node.name() == key_name {
                    key_text = Some(node.text());
                } else if node.name() == value_name {
                    found = self.value(shape, &value.traits, node)?;
                } else {
                    return Err(Defect::misfit("an element that is neither key nor value"));
                }
            }
            let key_text = key_text.ok_or_else(|| Defect::misfit("an entry without a key"))?;
            map.insert(key_text.to_owned(), found);
        }
        Ok(Value::Map(map))
    }
}

fn attribute(member: &Member, node: Node<'_>) -> Option<String> {
    let name = member.traits.location_name.filter(|_| member.traits.xml_attribute)?;
    node.attribute(name)
}

/// The element that an error's members are in.
pub(super) fn error_root(protocol: Protocol, root: Node<'_>) -> Node<'_> {
    let inner = match protocol {
        Protocol::Ec2 => {
            root.children().filter(|it| it.name() == "Errors").find_map(|it| it.child("Error"))
        }
        _ if root.name() == "ErrorResponse" => root.child("Error"),
        _ => None,
    };
    inner.unwrap_or(root)
}
