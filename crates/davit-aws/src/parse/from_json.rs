//! Values out of JSON as shapes say. Knows no HTTP.
//!
//! The two protocols differ: `rest-json` makes numbers and truth values of what stands for them,
//! `json` and the events of streams take them as they come.

use super::{json::Json, scalar, unreadable::Defect};
use crate::{
    model::{Kind, Member, Service, Shape, Structure},
    value::{Map, Value},
};

/// What a value of JSON is read for.
#[derive(Clone, Copy)]
pub(super) struct FromJson<'a> {
    pub(super) service: &'a Service,
    /// Whether the protocol is `rest-json`.
    pub(super) converts: bool,
}

impl FromJson<'_> {
    /// The value of a shape. Null is nothing, whatever the shape.
    pub(super) fn value(self, shape: &Shape, json: Json<'_>) -> Result<Value, Defect> {
        if json == Json::Null {
            return Ok(Value::Null);
        }
        match &shape.kind {
            Kind::Structure(structure) => self.structure(structure, json),
            Kind::List { member, .. } => self.list(member, json),
            Kind::Map { value, .. } => self.map(value, json),
            Kind::Blob { .. } => match json {
                Json::String(text) => scalar::blob(&text),
                _ => Err(Defect::misfit("no base64")),
            },
            Kind::Timestamp => match json {
                Json::String(text) => scalar::moment(&text),
                Json::Int(number) => scalar::whole_seconds(number),
                Json::Float(number) => scalar::seconds(number),
                _ => Err(Defect::misfit("no time")),
            },
            Kind::Integer(_) | Kind::Long(_) if self.converts => integer(json),
            Kind::Float(_) | Kind::Double(_) if self.converts => float(json),
            Kind::Boolean if self.converts => Ok(Value::Bool(match json {
                Json::Bool(it) => it,
                Json::String(text) => text.eq_ignore_ascii_case("true"),
                _ => false,
            })),
            _ => Ok(json.into_value()),
        }
    }

    /// The members of a structure that is the whole of an answer.
    pub(super) fn members(self, structure: &Structure, json: Json<'_>) -> Result<Map, Defect> {
        match self.structure(structure, json)? {
            Value::Map(map) => Ok(map),
            _ => Ok(Map::new()),
        }
    }

    fn structure(self, structure: &Structure, json: Json<'_>) -> Result<Value, Defect> {
        if structure.document {
            return Ok(json.into_value());
        }
        let mut entries = match json {
            Json::Map(entries) => entries,
            Json::Null => return Ok(Value::Null),
            _ => return Err(Defect::misfit("no map")),
        };
        if structure.union
            && let Some(unknown) = unknown_member(structure, &entries)?
        {
            return Ok(unknown_value(unknown));
        }
        let mut map = Map::with_capacity(entries.len().min(structure.members.len()));
        for member in &structure.members {
            let name = member.traits.location_name.unwrap_or(member.name);
            let Some(place) = entries.iter().rposition(|(key, _)| key == name) else { continue };
            let json = std::mem::take(&mut entries[place].1);
            if json != Json::Null {
                let value = self.value(self.service.shape(member.shape), json);
                map.insert(member.name.to_owned(), value.map_err(|it| it.under(member.name))?);
            }
        }
        Ok(Value::Map(map))
    }

    fn list(self, member: &Member, json: Json<'_>) -> Result<Value, Defect> {
        let Json::List(items) = json else { return Err(Defect::misfit("no list")) };
        let shape = self.service.shape(member.shape);
        let values = items.into_iter().map(|it| self.value(shape, it));
        values.collect::<Result<_, _>>().map(Value::List)
    }

    fn map(self, value: &Member, json: Json<'_>) -> Result<Value, Defect> {
        let Json::Map(entries) = json else { return Err(Defect::misfit("no map")) };
        let shape = self.service.shape(value.shape);
        let mut map = Map::with_capacity(entries.len());
        for (key, json) in entries {
            map.insert(key.into_owned(), self.value(shape, json)?);
        }
        Ok(Value::Map(map))
    }
}

/// The name of the one member that is set, if the union does not know it.
fn unknown_member<'j>(
    union: &Structure,
    entries: &'j [(std::borrow::Cow<'_, str>, Json<'_>)],
) -> Result<Option<&'j str>, Defect> {
    let set = entries.iter().filter(|(key, value)| key != "__type" && *value != Json::Null);
    one_of(union, set.map(|(key, _)| &**key))
}

/// The name of the one member that is set, if the union does not know it.
pub(super) fn one_of<'n>(
    union: &Structure,
    mut set: impl Iterator<Item = &'n str>,
) -> Result<Option<&'n str>, Defect> {
    let wrong = || Defect::misfit("not one and only one member of a union");
    let one = set.next().ok_or_else(wrong)?;
    if set.any(|it| it != one) {
        return Err(wrong());
    }
    let known = union.members.iter().any(|it| it.traits.location_name.unwrap_or(it.name) == one);
    Ok((!known).then_some(one))
}

/// What stands for a member of a union that is newer than the model.
pub(super) fn unknown_value(name: &str) -> Value {
    let inner = Map::from_iter([("name".to_owned(), Value::from(name))]);
    Value::Map(Map::from_iter([("SDK_UNKNOWN_MEMBER".to_owned(), Value::Map(inner))]))
}

#[expect(clippy::cast_possible_truncation, reason = "bounds are looked at")]
fn integer(json: Json<'_>) -> Result<Value, Defect> {
    match json {
        Json::Int(number) => Ok(Value::Int(number)),
        Json::Bool(it) => Ok(Value::Int(i64::from(it))),
        Json::String(text) => scalar::integer(&text),
        Json::Float(number) if number.abs() < 9e18 => Ok(Value::Int(number.trunc() as i64)),
        Json::Float(number) if number.is_finite() => Ok(Value::Float(number)),
        _ => Err(Defect::misfit("no whole number")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as near as a float can be")]
fn float(json: Json<'_>) -> Result<Value, Defect> {
    match json {
        Json::Int(number) => Ok(Value::Float(number as f64)),
        Json::Float(number) => Ok(Value::Float(number)),
        Json::Bool(it) => Ok(Value::Float(f64::from(u8::from(it)))),
        Json::String(text) => scalar::float(&text),
        _ => Err(Defect::misfit("no number")),
    }
}
