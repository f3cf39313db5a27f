//! How values are written, said from their shapes: in words, in shorthand and as a skeleton in JSON.
//! Reads no command line.

use super::error::Wanted;
use crate::{
    model::{Kind, Member, Service, ShapeId},
    value::{Map, Value},
};

/// Operations whose lists of structures with one member are written as plain words.
const PLAIN_LISTS: &[(&str, &str, &str)] = &[
    ("elb", "deregister-instances-from-load-balancer", "instances"),
    ("elb", "describe-instance-health", "instances"),
    ("elb", "register-instances-with-load-balancer", "instances"),
    ("elb", "remove-tags", "tags"),
    ("firehose", "put-record-batch", "records"),
    ("workspaces", "reboot-workspaces", "reboot-workspace-requests"),
    ("workspaces", "rebuild-workspaces", "rebuild-workspace-requests"),
    ("workspaces", "terminate-workspaces", "terminate-workspace-requests"),
];

/// The only member of the structures of a list that is written as plain words.
pub(super) fn plain_list(
    service: &'static Service,
    command: &str,
    argument: &str,
    list: ShapeId,
) -> Option<&'static str> {
    if !PLAIN_LISTS.contains(&(service.name, command, argument)) {
        return None;
    }
    let Kind::List { member, .. } = &service.shape(list).kind else { return None };
    match service.structure(member.shape)?.members.as_slice() {
        [only] => Some(only.name),
        _ => None,
    }
}

/// Whether any JSON at all stands here.
pub(super) fn is_document(service: &Service, member: &Member) -> bool {
    let shape = service.shape(member.shape);
    match &shape.kind {
        Kind::Structure(structure) => structure.document,
        Kind::String { .. } => {
            member.traits.json_value
                && member.traits.location == Some(crate::model::Location::Header)
        }
        _ => false,
    }
}

/// Whether nothing but documents stands here, in lists and maps.
pub(super) fn holds_documents(service: &Service, shape: ShapeId) -> bool {
    let mut at = shape;
    for _ in 0..16 {
        at = match &service.shape(at).kind {
            Kind::List { member, .. } => member.shape,
            Kind::Map { value, .. } => value.shape,
            Kind::Structure(structure) => return structure.document,
            _ => return false,
        };
    }
    false
}

/// Whether it is a structure, list or map.
pub(super) fn is_complex(service: &Service, shape: ShapeId) -> bool {
    matches!(service.shape(shape).kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. })
}

/// Whether it may be written in shorthand.
pub(super) fn has_shorthand(service: &Service, shape: ShapeId) -> bool {
    let complex = match &service.shape(shape).kind {
        Kind::List { member, .. } => is_complex(service, member.shape),
        _ => is_complex(service, shape),
    };
    complex && !holds_documents(service, shape)
}

/// Whether it is a structure with nothing but a text `Value` in it, which is written without its name.
pub(super) fn is_value(service: &Service, shape: ShapeId) -> bool {
    let Some(structure) = service.structure(shape) else { return false };
    matches!(structure.members.as_slice(), [only] if only.name == "Value"
        && matches!(service.shape(only.shape).kind, Kind::String { .. }))
}

/// What kind of thing it is, in a word as models have them: `structure`, `string`.
pub(super) const fn type_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Structure(_) => "structure",
        Kind::List { .. } => "list",
        Kind::Map { .. } => "map",
        Kind::String { .. } => "string",
        Kind::Integer(_) => "integer",
        Kind::Long(_) => "long",
        Kind::Float(_) => "float",
        Kind::Double(_) => "double",
        Kind::Boolean => "boolean",
        Kind::Blob { .. } => "blob",
        Kind::Timestamp => "timestamp",
    }
}

/// What a member takes, in words.
pub(super) fn kind_in_words(service: &Service, member: &Member) -> String {
    if is_document(service, member) {
        return "any JSON value".to_owned();
    }
    match &service.shape(member.shape).kind {
        Kind::String { choices, .. } if !choices.is_empty() && choices.len() <= 12 => {
            format!("one of {}", choices.join(", "))
        }
        Kind::String { .. } => "a string".to_owned(),
        Kind::Integer(_) | Kind::Long(_) => "a whole number".to_owned(),
        Kind::Float(_) | Kind::Double(_) => "a number".to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Blob { .. } if member.traits.streaming => "the path of a file".to_owned(),
        Kind::Blob { .. } => "a blob (fileb://path for a file)".to_owned(),
        Kind::Timestamp => "a time (2026-01-02T03:04:05Z)".to_owned(),
        Kind::Structure(_) => "a structure".to_owned(),
        Kind::Map { .. } => "a map".to_owned(),
        Kind::List { member, .. } => {
            let many = match &service.shape(member.shape).kind {
                Kind::Integer(_) | Kind::Long(_) => "whole numbers",
                Kind::Float(_) | Kind::Double(_) => "numbers",
                Kind::Boolean => "true or false",
                Kind::Blob { .. } => "blobs",
                Kind::Timestamp => "times",
                Kind::Structure(_) => "structures",
                Kind::Map { .. } => "maps",
                Kind::List { .. } => "lists",
                Kind::String { .. } => "strings",
            };
            format!("a list of {many}")
        }
    }
}

/// What a member takes, and how it is written.
pub(super) fn wanted(service: &'static Service, member: &Member) -> Wanted {
    Wanted { kind: kind_in_words(service, member), example: shorthand(service, member.shape) }
}

/// How a shape is written in shorthand: `Name=string,Values=string,string ...`. Nothing if it is not, or
/// is too deep to be shown.
#[must_use]
pub fn shorthand(service: &'static Service, shape: ShapeId) -> Option<String> {
    if !has_shorthand(service, shape) || is_value(service, shape) {
        return None;
    }
    let list = match &service.shape(shape).kind {
        Kind::List { member, .. } => Some(member.shape),
        _ => None,
    };
    let text = written(service, list.unwrap_or(shape), &mut Vec::new())?;
    // Nothing is left of a structure with nothing but documents in it.
    let more = if list.is_some() { " ..." } else { "" };
    (!text.is_empty()).then(|| text + more)
}

/// How deep shorthand is shown.
const DEEPEST: usize = 3;

fn written(
    service: &'static Service,
    shape: ShapeId,
    stack: &mut Vec<&'static str>,
) -> Option<String> {
    if stack.len() > DEEPEST {
        return None;
    }
    let within = |inner: ShapeId, stack: &mut Vec<&'static str>| {
        stack.push(service.shape(inner).name);
        let text = written(service, inner, stack);
        stack.pop();
        text
    };
    Some(match &service.shape(shape).kind {
        Kind::Structure(structure) => {
            let mut parts = Vec::new();
            for member in &structure.members {
                if holds_documents(service, member.shape) {
                    continue;
                }
                parts.push(if stack.contains(&service.shape(member.shape).name) {
                    "( ... recursive ... )".to_owned()
                } else {
                    format!("{}={}", member.name, within(member.shape, stack)?)
                });
            }
            let parts = parts.join(",");
            if stack.is_empty() { parts } else { format!("{{{parts}}}") }
        }
        Kind::List { member, .. } => {
            let item = within(member.shape, stack)?;
            if is_complex(service, member.shape) || stack.len() > 1 {
                format!("[{item},{item}]")
            } else {
                format!("{item},{item}")
            }
        }
        Kind::Map { value, .. } => {
            let value = within(value.shape, stack)?;
            let entries = format!("KeyName1={value},KeyName2={value}");
            if stack.is_empty() { entries } else { format!("{{{entries}}}") }
        }
        kind => type_name(kind).to_owned(),
    })
}

/// A value of a shape with something in each place: what `--generate-cli-skeleton` prints. Text is empty
/// or the first of its choices; for an `answer` it is the name of the member.
#[must_use]
pub fn skeleton(service: &'static Service, shape: Option<ShapeId>, answer: bool) -> Value {
    match shape {
        Some(shape) => Skeleton { service, answer, stack: Vec::new() }.of(shape, ""),
        None => Value::Map(Map::new()),
    }
}

struct Skeleton {
    service: &'static Service,
    answer: bool,
    stack: Vec<ShapeId>,
}

impl Skeleton {
    fn of(&mut self, id: ShapeId, name: &str) -> Value {
        let again = self.stack.contains(&id);
        if self.stack.len() > 64 {
            return Value::Null;
        }
        self.stack.push(id);
        let shape = self.service.shape(id);
        let value = match &shape.kind {
            Kind::Structure(_) if again => Value::Map(Map::new()),
            Kind::Structure(structure) => Value::Map(
                structure
                    .members
                    .iter()
                    .map(|it| (it.name.to_owned(), self.of(it.shape, it.name)))
                    .collect(),
            ),
            Kind::List { member, .. } => {
                let name = self.service.shape(member.shape).name;
                Value::List(vec![self.of(member.shape, name)])
            }
            Kind::Map { value, .. } => {
                Value::Map(Map::from_iter([("KeyName".to_owned(), self.of(value.shape, ""))]))
            }
            Kind::String { .. } if self.answer => name.into(),
            Kind::String { choices, .. } => choices.first().copied().unwrap_or_default().into(),
            Kind::Integer(_) | Kind::Long(_) => Value::Int(0),
            Kind::Float(_) | Kind::Double(_) => Value::Float(0.0),
            Kind::Boolean => Value::Bool(true),
            Kind::Timestamp => "1970-01-01T00:00:00".into(),
            Kind::Blob { .. } => Value::Null,
        };
        self.stack.pop();
        value
    }
}
