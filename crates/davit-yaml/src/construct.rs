//! What tags build: YAML's own types and those of playbooks.

use davit_value::Value;

use crate::convert::{Conversion, Warned, kind_name};
use crate::scalar::{self, Implicit, Timestamp};
use crate::{Error, Kind, Node, Place};

const YAML: &str = "tag:yaml.org,2002:";

/// The value of a plain scalar that is not a string.
pub(crate) fn implicit(
    at: &Conversion<'_>,
    node: &Node,
    text: &str,
    implicit: Implicit,
) -> Result<Value, Error> {
    match implicit {
        Implicit::Null => Ok(Value::Null),
        Implicit::Bool => Ok(Value::Bool(scalar::to_bool(text).unwrap_or(false))),
        Implicit::Int => int(at, node.place, text),
        Implicit::Float => float(at, node.place, text),
        Implicit::Timestamp => timestamp(at, node.place, text),
        Implicit::Value => Err(unknown(at, node.place, "tag:yaml.org,2002:value")),
        // `<<` means something only as a key, where it was taken out before.
        Implicit::Merge => Err(unknown(at, node.place, "tag:yaml.org,2002:merge")),
        Implicit::Str => Ok(Value::from(text)),
    }
}

/// The value of a node with a tag.
pub(crate) fn tagged(
    at: &Conversion<'_>,
    node: &Node,
    tag: &str,
    trusted: bool,
) -> Result<Value, Error> {
    match tag {
        "!vault" | "!vault-encrypted" => match node.as_text() {
            Some(text) => Ok(at.vault(text, node.place)),
            None => Err(at.error(node.place, format!("The '{tag}' tag requires a string value."))),
        },
        "!unsafe" => {
            let bare = Node { tag: None, ..node.clone() };
            at.value(&bare, false)
        }
        _ => match tag.strip_prefix(YAML) {
            Some(name) => standard(at, node, name, trusted),
            None => Err(unknown(at, node.place, tag)),
        },
    }
}

fn standard(at: &Conversion<'_>, node: &Node, name: &str, trusted: bool) -> Result<Value, Error> {
    match name {
        "str" => Ok(at.string(text_of(at, node)?, node.place, trusted)),
        "null" => text_of(at, node).map(|_| Value::Null),
        "bool" => {
            let text = text_of(at, node)?;
            scalar::to_bool(text)
                .map(Value::Bool)
                .ok_or_else(|| at.refusal(node.place, format!("'{}'", text.to_lowercase())))
        }
        "int" => int(at, node.place, text_of(at, node)?),
        "float" => float(at, node.place, text_of(at, node)?),
        "timestamp" => timestamp(at, node.place, text_of(at, node)?),
        "binary" => {
            let bytes = decode(text_of(at, node)?).ok_or_else(|| {
                at.error(node.place, "Failed to decode base64 data: Incorrect padding.")
            })?;
            Ok(Value::from(String::from_utf8_lossy(&bytes).into_owned()))
        }
        "seq" => match &node.kind {
            Kind::Sequence(items) => at.sequence(items, trusted),
            _ => Err(expected(at, node, "sequence")),
        },
        "map" => match &node.kind {
            Kind::Mapping(entries) => at.mapping(entries, trusted),
            _ => Err(expected(at, node, "mapping")),
        },
        "set" => match &node.kind {
            Kind::Mapping(entries) => {
                let map = at.mapping(entries, trusted)?;
                let keys = map
                    .as_map()
                    .into_iter()
                    .flat_map(|map| map.keys().map(davit_value::Key::to_value));
                Ok(Value::list(keys.collect()))
            }
            _ => Err(expected(at, node, "mapping")),
        },
        "omap" => {
            deprecated(
                at,
                node.place,
                name,
                "Use a standard mapping instead, as key order is always preserved.",
            );
            pairs(at, node, "an ordered map", trusted)
        }
        "pairs" => {
            deprecated(at, node.place, name, "Use a standard mapping instead.");
            pairs(at, node, "pairs", trusted)
        }
        _ => Err(unknown(at, node.place, &format!("{YAML}{name}"))),
    }
}

fn unknown(at: &Conversion<'_>, place: Place, tag: &str) -> Error {
    at.error(place, format!("Could not determine a constructor for the tag '{tag}'."))
}

fn expected(at: &Conversion<'_>, node: &Node, what: &str) -> Error {
    at.error(node.place, format!("Expected a {what} node, but found {}.", kind_name(node)))
}

fn deprecated(at: &Conversion<'_>, place: Place, name: &str, help: &str) {
    let message = format!(
        "Use of the YAML `!!{name}` tag is deprecated. This feature will be removed from ansible-core version 2.23."
    );
    at.warn(Warned::Deprecated, place, message, help);
}

fn text_of<'n>(at: &Conversion<'_>, node: &'n Node) -> Result<&'n str, Error> {
    node.as_text().ok_or_else(|| expected(at, node, "scalar"))
}

fn int(at: &Conversion<'_>, place: Place, text: &str) -> Result<Value, Error> {
    match scalar::to_int(text) {
        // What does not fit keeps its digits.
        Ok(int) => Ok(int.map_or_else(|| Value::from(text), Value::Int)),
        Err(problem) => Err(at.refusal(place, problem)),
    }
}

fn float(at: &Conversion<'_>, place: Place, text: &str) -> Result<Value, Error> {
    scalar::to_float(text).map(Value::Float).map_err(|problem| at.refusal(place, problem))
}

fn timestamp(at: &Conversion<'_>, place: Place, text: &str) -> Result<Value, Error> {
    match scalar::to_timestamp(text) {
        Some(Ok(Timestamp::Date(date))) => Ok(Value::Date(date)),
        Some(Ok(Timestamp::DateTime(time, offset))) => Ok(Value::DateTime(time, offset)),
        Some(Err(problem)) => Err(at.refusal(place, problem)),
        None => Err(at.refusal(place, format!("'{text}' is not a date or a time"))),
    }
}

/// A list of pairs from a sequence of mappings with one entry each.
fn pairs(at: &Conversion<'_>, node: &Node, what: &str, trusted: bool) -> Result<Value, Error> {
    let Kind::Sequence(items) = &node.kind else {
        let found = kind_name(node);
        let problem = format!("While constructing {what} expected a sequence, but found {found}.");
        return Err(at.error(node.place, problem));
    };
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        let Kind::Mapping(entries) = &item.kind else {
            let found = kind_name(item);
            let problem = format!(
                "While constructing {what} expected a mapping of length 1, but found {found}."
            );
            return Err(at.error(item.place, problem));
        };
        let [(key, value)] = entries.as_slice() else {
            let count = entries.len();
            let problem = format!(
                "While constructing {what} expected a single mapping item, but found {count} items."
            );
            return Err(at.error(item.place, problem));
        };
        out.push(Value::tuple(vec![at.value(key, trusted)?, at.value(value, trusted)?]));
    }
    Ok(Value::list(out))
}

/// Base64 with anything outside the alphabet skipped, as Python decodes it.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u32> = text.bytes().filter_map(digit).collect();
    let padding = text.bytes().filter(|byte| *byte == b'=').count();
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let bits =
            group.iter().enumerate().fold(0, |bits, (at, digit)| bits | digit << (18 - 6 * at));
        let bytes = bits.to_be_bytes();
        match group.len() {
            4 => out.extend([bytes[1], bytes[2], bytes[3]]),
            3 if padding >= 1 => out.extend([bytes[1], bytes[2]]),
            2 if padding >= 2 => out.push(bytes[1]),
            _ => return None,
        }
    }
    Some(out)
}
