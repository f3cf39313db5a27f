//! A model's data as it lies in a pack: JSON in a compact binary form whose strings stand in one
//! table. Knows nothing of services.
//!
//! Each value begins with a varint whose low three bits say what it is and whose rest is a number:
//!
//! | low bits | value | the number | what follows |
//! | --- | --- | --- | --- |
//! | 0 | constant | 0 null, 1 false, 2 true | |
//! | 1 | integer | the integer | |
//! | 2 | integer below zero | its absolute value | |
//! | 3 | float | 0 | eight bytes, little-endian |
//! | 4 | string | its place in the table | |
//! | 5 | list | how many | the values |
//! | 6 | map | how many | for each its key's place in the table, a varint, and the value |

use serde_json::Value;

/// A value of a model, whose strings belong to the pack it was read from.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(&'static str),
    /// Values in their order.
    List(Vec<Self>),
    /// Values by name, in the order in which they were written.
    Map(Vec<(&'static str, Self)>),
}

impl Tree {
    /// What stands under a name, if this is a map that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The text under a name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'static str> {
        self.get(name).and_then(Self::as_str)
    }

    /// Whether a flag is there and set.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Self::Bool(true)))
    }

    /// The text, if it is one.
    #[must_use]
    pub const fn as_str(&self) -> Option<&'static str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The number, whole or not.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "bounds of numbers are far below 2^53")]
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The values of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[(&'static str, Self)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    /// The same as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(it) => Value::Bool(*it),
            Self::Int(it) => Value::from(*it),
            Self::Float(it) => Value::from(*it),
            Self::Str(it) => Value::from(*it),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| ((*key).to_owned(), value.to_json())).collect()
            }
        }
    }
}

/// Reads what `Writer` wrote. A pack that was cut off or tampered with reads as far as it goes:
/// each read past its end gives nothing.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    bytes: &'static [u8],
    strings: &'static [&'static str],
    at: usize,
}

/// How deep values may lie in each other.
const DEEPEST: usize = 128;

impl Reader {
    /// A reader of `bytes` whose strings are these.
    pub(crate) const fn new(bytes: &'static [u8], strings: &'static [&'static str]) -> Self {
        Self { bytes, strings, at: 0 }
    }

    /// The same place, with these strings.
    pub(crate) const fn with_strings(self, strings: &'static [&'static str]) -> Self {
        Self { strings, ..self }
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// The next number, as a size.
    pub(crate) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    /// The next so many bytes.
    pub(crate) fn take(&mut self, size: usize) -> Option<&'static [u8]> {
        let end = self.at.checked_add(size)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// All bytes that are left.
    pub(crate) fn rest(&self) -> &'static [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next string of the table.
    pub(crate) fn string(&mut self) -> Option<&'static str> {
        let place = self.size()?;
        self.strings.get(place).copied()
    }

    /// The next value.
    pub(crate) fn tree(&mut self) -> Option<Tree> {
        self.tree_at(0)
    }

    fn tree_at(&mut self, depth: usize) -> Option<Tree> {
        if depth > DEEPEST {
            return None;
        }
        let head = self.number()?;
        let number = head >> 3;
        Some(match head & 7 {
            0 => match number {
                0 => Tree::Null,
                one => Tree::Bool(one == 2),
            },
            1 => Tree::Int(i64::try_from(number).ok()?),
            2 => Tree::Int(-i64::try_from(number).ok()?),
            3 => Tree::Float(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            4 => Tree::Str(self.strings.get(usize::try_from(number).ok()?)?),
            5 => {
                let mut items = Vec::with_capacity(self.room(number)?);
                for _ in 0..number {
                    items.push(self.tree_at(depth + 1)?);
                }
                Tree::List(items)
            }
            6 => {
                let mut entries = Vec::with_capacity(self.room(number)?);
                for _ in 0..number {
                    entries.push((self.string()?, self.tree_at(depth + 1)?));
                }
                Tree::Map(entries)
            }
            _ => return None,
        })
    }

    /// A number of values that the rest could hold.
    fn room(&self, number: u64) -> Option<usize> {
        let number = usize::try_from(number).ok()?;
        (number <= self.bytes.len() - self.at).then_some(number)
    }
}

/// Writes the numbers, texts and values of a pack.
#[derive(Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// Writes a number: seven bits a byte, the lowest first.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    /// Writes a size.
    pub fn size(&mut self, size: usize) {
        self.number(size as u64);
    }

    /// Writes a text, with its length in front.
    pub fn text(&mut self, text: &str) {
        self.size(text.len());
        self.bytes.extend(text.as_bytes());
    }

    /// Writes a table of strings: how many, their lengths, and all of their bytes.
    pub fn table(&mut self, strings: &[&str]) {
        self.size(strings.len());
        strings.iter().for_each(|it| self.size(it.len()));
        strings.iter().for_each(|it| self.bytes.extend(it.as_bytes()));
    }

    /// Writes a value whose strings `place` finds in the table.
    pub(crate) fn tree(&mut self, value: &Value, place: &impl Fn(&str) -> u64) {
        match value {
            Value::Null => self.number(0),
            Value::Bool(it) => self.number((1 + u64::from(*it)) << 3),
            Value::Number(it) => {
                if let Some(it) = it.as_i64().filter(|it| it.unsigned_abs() < 1 << 60) {
                    self.number(it.unsigned_abs() << 3 | if it < 0 { 2 } else { 1 });
                } else {
                    self.number(3);
                    self.bytes.extend(it.as_f64().unwrap_or(f64::MAX).to_le_bytes());
                }
            }
            Value::String(it) => self.number(place(it) << 3 | 4),
            Value::Array(items) => {
                self.number((items.len() as u64) << 3 | 5);
                items.iter().for_each(|it| self.tree(it, place));
            }
            Value::Object(entries) => {
                self.number((entries.len() as u64) << 3 | 6);
                for (key, it) in entries {
                    self.number(place(key));
                    self.tree(it, place);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let value = json!({"a": [null, true, false, 1, -7, 300, 1.5, "b"], "c": {}});
        let table: &'static [&'static str] = &["a", "b", "c"];
        let mut writer = Writer::default();
        writer.tree(&value, &|text| table.iter().position(|it| *it == text).expect("there") as u64);
        let bytes: &'static [u8] = writer.bytes.leak();
        assert_eq!(Reader::new(bytes, table).tree().expect("a tree").to_json(), value);
        for end in 0..bytes.len() {
            assert_eq!(Reader::new(&bytes[..end], table).tree(), None, "cut at {end}");
        }
    }
}
