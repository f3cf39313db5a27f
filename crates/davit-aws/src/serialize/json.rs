//! Bodies of JSON, with the spaces and escapes that Python writes: all of it ASCII.

use super::{Error, Unfit, deeper, members, scalar};
use crate::{
    model::{Kind, Member, Service, Traits},
    value::Value,
};

/// Members and their values as an object.
pub(super) fn structure(service: &Service, given: &[(&Member, &Value)]) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(service);
    writer.members(given.iter().map(|it| Ok(*it)), 0)?;
    Ok(writer.out)
}

/// A body that is one member.
pub(super) fn payload(service: &Service, member: &Member, value: &Value) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(service);
    writer.value(member, value, 0)?;
    Ok(writer.out)
}

/// Any value without its shape, without spaces.
pub(super) fn compact(value: &Value) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    any(&mut out, value, [",", ":"], 0)?;
    Ok(out)
}

/// What stands between items, and between names and values.
const SPACED: [&str; 2] = [", ", ": "];

struct Writer<'a> {
    service: &'a Service,
    out: Vec<u8>,
}

impl<'a> Writer<'a> {
    const fn new(service: &'a Service) -> Self {
        Self { service, out: Vec::new() }
    }

    fn members<'b>(
        &mut self,
        given: impl Iterator<Item = Result<(&'b Member, &'b Value), Error>>,
        depth: usize,
    ) -> Result<(), Error> {
        self.out.push(b'{');
        for (index, entry) in given.enumerate() {
            let (member, value) = entry?;
            self.separate(index);
            self.name(member.traits.location_name.unwrap_or(member.name));
            self.value(member, value, depth).map_err(|it| it.within_member(member))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.extend_from_slice(SPACED[0].as_bytes());
        }
    }

    fn name(&mut self, name: &str) {
        string(&mut self.out, name);
        self.out.extend_from_slice(SPACED[1].as_bytes());
    }

    fn value(&mut self, member: &Member, value: &Value, depth: usize) -> Result<(), Error> {
        let depth = deeper(depth)?;
        let (traits, shape) = (&member.traits, member.shape);
        let service = self.service;
        let kind = &service.shape(shape).kind;
        match (kind, value) {
            (Kind::Structure(structure), value) if structure.document => {
                any(&mut self.out, value, SPACED, depth)?;
            }
            (Kind::Structure(structure), Value::Map(map)) => {
                self.members(members(service, structure, map), depth)?;
            }
            (Kind::List { member, .. }, Value::List(items)) => {
                self.out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index);
                    self.item(traits, member, item, depth).map_err(|it| it.at(index))?;
                }
                self.out.push(b']');
            }
            (Kind::Map { key, value: member, .. }, Value::Map(map)) => {
                self.out.push(b'{');
                for (index, (name, item)) in map.iter().enumerate() {
                    self.separate(index);
                    self.name(name);
                    self.item(traits, member, item, depth)
                        .map_err(|it| it.within_entry(key, name))?;
                }
                self.out.push(b'}');
            }
            (Kind::Timestamp, value) => {
                let usual = scalar::TimeFormat::Unix;
                let format = scalar::TimeFormat::of(traits, usual);
                match scalar::moment(scalar::time_of(value)?, format) {
                    scalar::Moment::Text(text) => string(&mut self.out, &text),
                    scalar::Moment::Whole(it) => {
                        self.out.extend_from_slice(it.to_string().as_bytes());
                    }
                    scalar::Moment::Part(it) => {
                        self.out.extend_from_slice(scalar::float(it).as_bytes());
                    }
                }
            }
            (kind, value) => {
                let text = scalar::text(kind, traits, value, scalar::TimeFormat::Unix)?;
                match (kind, value) {
                    (Kind::Boolean, _) | (_, Value::Int(_)) => {
                        self.out.extend_from_slice(text.as_bytes());
                    }
                    (_, Value::Float(it)) if it.is_finite() => {
                        self.out.extend_from_slice(text.as_bytes());
                    }
                    _ => string(&mut self.out, &text),
                }
            }
        }
        Ok(())
    }

    /// An item of a list or map, which may be null where the model says so.
    fn item(
        &mut self,
        around: &Traits,
        member: &Member,
        value: &Value,
        depth: usize,
    ) -> Result<(), Error> {
        if around.sparse && matches!(value, Value::Null) {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        self.value(member, value, depth)
    }
}

/// A value whose shape is any JSON.
fn any(out: &mut Vec<u8>, value: &Value, separators: [&str; 2], depth: usize) -> Result<(), Error> {
    let depth = deeper(depth)?;
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(it) => out.extend_from_slice(if *it { b"true" } else { b"false" }),
        Value::Int(it) => out.extend_from_slice(it.to_string().as_bytes()),
        Value::Float(it) if it.is_finite() => out.extend_from_slice(scalar::float(*it).as_bytes()),
        Value::String(text) => string(out, text),
        Value::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(separators[0].as_bytes());
                }
                any(out, item, separators, depth).map_err(|it| it.at(index))?;
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.push(b'{');
            for (index, (name, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(separators[0].as_bytes());
                }
                string(out, name);
                out.extend_from_slice(separators[1].as_bytes());
                any(out, item, separators, depth).map_err(|it| it.within(name))?;
            }
            out.push(b'}');
        }
        Value::Float(_) | Value::Blob(_) | Value::Timestamp(_) => {
            return Err(Error::new(Unfit::NotJson));
        }
    }
    Ok(())
}

/// Text in quotes. Most of it needs no escapes and is copied in runs.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let plain = |it: u8| (b' '..=b'~').contains(&it) && it != b'"' && it != b'\\';
    let mut rest = text;
    while let Some(end) = rest.bytes().position(|it| !plain(it)) {
        let (run, behind) = rest.split_at(end);
        out.extend_from_slice(run.as_bytes());
        let mut letters = behind.chars();
        if let Some(letter) = letters.next() {
            escape(out, letter);
        }
        rest = letters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, letter: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match letter {
        '"' | '\\' => letter,
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        other => {
            for unit in other.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(HEX[usize::from(*unit >> shift & 0xf)]);
                }
            }
            return;
        }
    };
    out.push(b'\\');
    out.push(u8::try_from(short).unwrap_or(b'?'));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_escaped_as_python_does() {
        let written = |text: &str| {
            let mut out = Vec::new();
            string(&mut out, text);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("a \"b\" \\ /"), r#""a \"b\" \\ /""#);
        assert_eq!(written("\n\r\t\u{8}\u{c}\u{0}\u{7f}"), r#""\n\r\t\b\f\u0000\u007f""#);
        assert_eq!(written("é🦀x"), r#""\u00e9\ud83e\udd80x""#);
    }

    #[test]
    fn any_json_is_written_without_spaces() {
        let value = json!({"a": [1, 1.5, null, true], "b": {}}).into();
        assert_eq!(compact(&value).unwrap(), br#"{"a":[1,1.5,null,true],"b":{}}"#);
        assert!(compact(&Value::Float(f64::NAN)).is_err());
    }
}
