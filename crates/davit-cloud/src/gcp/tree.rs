//! JSON in a compact binary form whose strings stand in one table. Knows nothing of discovery documents.
//!
//! Each value begins with a varint whose low three bits say what it is and whose rest is a number:
//! 0 = null, false or true (0, 1, 2), 1 = a number (eight bytes of a float follow), 2 = a whole number, 3 = a
//! string (its place in the table), 4 = a list (how many), 5 = a map (how many; each key is a place in the table).

use std::collections::HashMap;
use std::ops::Range;

use davit_aws::model::Writer;
use serde_json::{Map, Value};

/// How deep values may lie in each other.
const DEEPEST: usize = 128;

/// Strings by their places: those that many frames have, and behind them a frame's own.
#[derive(Clone, Copy)]
pub(crate) struct Strings<'a> {
    pub(crate) common: &'a Table,
    pub(crate) own: &'a Table,
    pub(crate) bytes: &'a [u8],
    pub(crate) shared: &'a [u8],
}

/// Where strings lie in the bytes that they were read from.
pub(crate) type Table = Vec<Range<usize>>;

impl<'a> Strings<'a> {
    /// The string at a place.
    pub(crate) fn at(&self, place: usize) -> Option<&'a str> {
        let (bytes, range) = match place.checked_sub(self.common.len()) {
            None => (self.shared, self.common.get(place)?),
            Some(place) => (self.bytes, self.own.get(place)?),
        };
        std::str::from_utf8(bytes.get(range.clone())?).ok()
    }
}

/// Reads what a [`Writer`] and [`write`] wrote. What was cut off or tampered with reads as far as it goes.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(crate) const fn place(&self) -> usize {
        self.at
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

    /// The next number, as a size of something that the rest could hold.
    pub(crate) fn size(&mut self) -> Option<usize> {
        let size = usize::try_from(self.number()?).ok()?;
        (size <= self.bytes.len() - self.at).then_some(size)
    }

    /// The next so many bytes.
    pub(crate) fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(size)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// The next text, with its length in front.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let size = self.size()?;
        std::str::from_utf8(self.take(size)?).ok()
    }

    /// The next table of strings.
    pub(crate) fn table(&mut self) -> Option<Table> {
        let count = self.size()?;
        let mut sizes = Vec::with_capacity(count);
        for _ in 0..count {
            sizes.push(self.size()?);
        }
        let mut table = Table::with_capacity(count);
        for size in sizes {
            let begin = self.at;
            self.take(size)?;
            table.push(begin..self.at);
        }
        Some(table)
    }

    /// The next value.
    pub(crate) fn value(&mut self, strings: Strings<'_>) -> Option<Value> {
        self.value_at(strings, 0)
    }

    fn value_at(&mut self, strings: Strings<'_>, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        let head = self.number()?;
        let number = head >> 3;
        let place = || usize::try_from(number).ok();
        Some(match head & 7 {
            0 if number == 0 => Value::Null,
            0 => Value::Bool(number == 2),
            1 => Value::from(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => Value::from(number),
            3 => Value::from(strings.at(place()?)?),
            4 => {
                let mut items = Vec::new();
                for _ in 0..number {
                    items.push(self.value_at(strings, depth + 1)?);
                }
                Value::Array(items)
            }
            5 => {
                let mut map = Map::new();
                for _ in 0..number {
                    let key = strings.at(usize::try_from(self.number()?).ok()?)?;
                    map.insert(key.to_owned(), self.value_at(strings, depth + 1)?);
                }
                Value::Object(map)
            }
            _ => return None,
        })
    }
}

/// Writes a value whose strings are in `places`.
pub(crate) fn write(to: &mut Writer, value: &Value, places: &HashMap<&str, u64>) {
    match value {
        Value::Null => to.number(0),
        Value::Bool(it) => to.number((1 + u64::from(*it)) << 3),
        Value::Number(it) => match it.as_u64().filter(|it| *it < 1 << 60) {
            Some(it) => to.number(it << 3 | 2),
            None => {
                to.number(1);
                to.bytes.extend(it.as_f64().unwrap_or(f64::MAX).to_le_bytes());
            }
        },
        Value::String(it) => to.number(places[it.as_str()] << 3 | 3),
        Value::Array(items) => {
            to.number((items.len() as u64) << 3 | 4);
            items.iter().for_each(|it| write(to, it, places));
        }
        Value::Object(map) => {
            to.number((map.len() as u64) << 3 | 5);
            for (key, it) in map {
                to.number(places[key.as_str()]);
                write(to, it, places);
            }
        }
    }
}

/// Calls `found` with every string of a value, keys too.
pub(crate) fn strings<'a>(value: &'a Value, found: &mut impl FnMut(&'a str)) {
    match value {
        Value::String(it) => found(it),
        Value::Array(items) => items.iter().for_each(|it| strings(it, found)),
        Value::Object(map) => map.iter().for_each(|(key, it)| {
            found(key);
            strings(it, found);
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_cut_off_is_not() {
        let value = json!({"a": [null, true, false, 1, -7.0, 300, 1.5, "b"], "c": {}});
        let texts = ["a", "b", "c"];
        let places: HashMap<&str, u64> = texts.iter().copied().zip(0..).collect();
        let mut writer = Writer::default();
        writer.table(&texts[1..]);
        write(&mut writer, &value, &places);
        let common: Table = std::iter::once(0..1).collect();
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let own = reader.table()?;
            reader.value(Strings { common: &common, own: &own, bytes, shared: b"a" })
        };
        assert_eq!(read(&writer.bytes), Some(value));
        for end in 0..writer.bytes.len() {
            assert_eq!(read(&writer.bytes[..end]), None, "cut at {end}");
        }
    }
}
