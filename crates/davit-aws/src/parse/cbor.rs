//! CBOR as values, and out of it what shapes say. Knows of tags only that of a point in time, since
//! services use no other, and no HTTP.

use bytes::Bytes;

use super::{from_json::one_of, scalar, unreadable::Defect};
use crate::{
    model::{Kind, Service, Shape, Structure},
    value::{Map, Value},
};

/// How deep values may lie in each other.
const DEEPEST: usize = 256;

/// What ends lists, maps and strings whose size is not told.
const BREAK: u8 = 0xff;

/// Reads the first value of a body. What follows it is not looked at.
pub(super) fn read(body: &Bytes) -> Result<Value, Defect> {
    Reader { body, at: 0 }.value(0)
}

/// What a shape has of a value. Structures lose what the model does not know; all else is as it came.
pub(super) fn shaped(service: &Service, shape: &Shape, value: Value) -> Result<Value, Defect> {
    match (&shape.kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Structure(structure), Value::Map(map)) => {
            members(service, structure, map).map(Value::Map)
        }
        (Kind::Structure(_), _) => Err(Defect::misfit("no map")),
        (Kind::List { member, .. }, Value::List(items)) => {
            let shape = service.shape(member.shape);
            let items = items.into_iter().map(|it| shaped(service, shape, it));
            items.collect::<Result<_, _>>().map(Value::List)
        }
        (Kind::List { .. }, _) => Err(Defect::misfit("no list")),
        (_, value) => Ok(value),
    }
}

/// The members of a structure.
pub(super) fn members(
    service: &Service,
    structure: &Structure,
    mut values: Map,
) -> Result<Map, Defect> {
    if structure.union {
        one_of(structure, values.keys().map(String::as_str).filter(|it| *it != "__type"))?;
    }
    let mut map = Map::new();
    for member in &structure.members {
        if let Some(value) = values.swap_remove(member.name) {
            let value = shaped(service, service.shape(member.shape), value);
            map.insert(member.name.to_owned(), value.map_err(|it| it.under(member.name))?);
        }
    }
    Ok(map)
}

struct Reader<'a> {
    body: &'a Bytes,
    at: usize,
}

/// The number in a value's head; nothing where its size is not told.
type Size = Option<u64>;

impl Reader<'_> {
    const fn malformed(&self, what: &'static str) -> Defect {
        Defect::malformed(self.at, what)
    }

    fn take(&mut self, size: u64) -> Result<Bytes, Defect> {
        let size = usize::try_from(size).map_err(|_| Defect::Truncated)?;
        let end = self.at.checked_add(size).filter(|end| *end <= self.body.len());
        let taken = self.body.slice(self.at..end.ok_or(Defect::Truncated)?);
        self.at += size;
        Ok(taken)
    }

    /// The big-endian number of the next bytes, at most eight.
    fn number(&mut self, size: u64) -> Result<u64, Defect> {
        Ok(self.take(size)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn head(&mut self) -> Result<(u8, u8), Defect> {
        let byte = self.number(1)?.to_le_bytes()[0];
        Ok((byte >> 5, byte & 0x1f))
    }

    fn size(&mut self, info: u8) -> Result<Size, Defect> {
        match info {
            0..=23 => Ok(Some(u64::from(info))),
            24..=27 => self.number(1 << (info - 24)).map(Some),
            31 => Ok(None),
            _ => Err(self.malformed("a size that is not known")),
        }
    }

    fn known_size(&mut self, info: u8) -> Result<u64, Defect> {
        self.size(info)?.ok_or_else(|| self.malformed("a number without a size"))
    }

    /// Whether another value follows, of so many or up to the end that is marked.
    fn more(&mut self, left: &mut Size) -> Result<bool, Defect> {
        if let Some(left) = left {
            let more = *left > 0;
            *left = left.saturating_sub(1);
            return Ok(more);
        }
        let ends = *self.body.get(self.at).ok_or(Defect::Truncated)? == BREAK;
        self.at += usize::from(ends);
        Ok(!ends)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Defect> {
        if depth == DEEPEST {
            return Err(self.malformed("values too deep in each other"));
        }
        let (major, info) = self.head()?;
        match major {
            0 => self.known_size(info).map(whole),
            1 => self.known_size(info).map(below_zero),
            2 => self.string(2, info).map(Value::Blob),
            3 => self.text(info).map(Value::String),
            4 => {
                let mut left = self.size(info)?;
                let mut items = Vec::new();
                while self.more(&mut left)? {
                    items.push(self.value(depth + 1)?);
                }
                Ok(Value::List(items))
            }
            5 => self.map(info, depth),
            6 => match (self.known_size(info)?, self.value(depth + 1)?) {
                (1, Value::Int(seconds)) => scalar::whole_seconds(seconds),
                (1, Value::Float(seconds)) => scalar::seconds(seconds),
                _ => Err(self.malformed("a tag that is not known")),
            },
            _ => self.simple(info),
        }
    }

    /// What is null in a map is not there.
    fn map(&mut self, info: u8, depth: usize) -> Result<Value, Defect> {
        let mut left = self.size(info)?;
        let mut map = Map::new();
        while self.more(&mut left)? {
            let (major, info) = self.head()?;
            if major != 3 {
                return Err(self.malformed("a name that is no text"));
            }
            let key = self.text(info)?;
            let value = self.value(depth + 1)?;
            if value != Value::Null {
                map.insert(key, value);
            }
        }
        Ok(Value::Map(map))
    }

    fn text(&mut self, info: u8) -> Result<String, Defect> {
        let bytes = self.string(3, info)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.malformed("no UTF-8"))?;
        Ok(text.to_owned())
    }

    fn string(&mut self, wanted: u8, info: u8) -> Result<Bytes, Defect> {
        if let Some(size) = self.size(info)? {
            return self.take(size);
        }
        let mut joined = Vec::new();
        while self.more(&mut None)? {
            let (major, info) = self.head()?;
            if major != wanted {
                return Err(self.malformed("a piece of another kind in a string"));
            }
            let size = self.known_size(info)?;
            joined.extend_from_slice(&self.take(size)?);
        }
        Ok(joined.into())
    }

    fn simple(&mut self, info: u8) -> Result<Value, Defect> {
        Ok(match info {
            20 => Value::Bool(false),
            21 => Value::Bool(true),
            22 | 23 => Value::Null,
            25 => Value::Float(half(self.number(2)?)),
            26 => {
                let bits = u32::try_from(self.number(4)?).unwrap_or_default();
                Value::Float(f64::from(f32::from_bits(bits)))
            }
            27 => Value::Float(f64::from_bits(self.number(8)?)),
            _ => return Err(self.malformed("a value that is not known")),
        })
    }
}

/// A number as near as it can be.
#[expect(clippy::cast_precision_loss, reason = "as near as a float can be")]
fn whole(number: u64) -> Value {
    i64::try_from(number).map_or(Value::Float(number as f64), Value::Int)
}

#[expect(clippy::cast_precision_loss, reason = "as near as a float can be")]
fn below_zero(number: u64) -> Value {
    i64::try_from(number).map_or(Value::Float(-1.0 - number as f64), |it| Value::Int(-1 - it))
}

/// A number of 16 bits: RFC 8949, appendix D.
fn half(bits: u64) -> f64 {
    let fraction = f64::from(u16::try_from(bits & 0x3ff).unwrap_or_default());
    let exponent = i32::try_from(bits >> 10 & 0x1f).unwrap_or_default();
    let value = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2_f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { value } else { -value }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(hex: &str) -> Result<Value, Defect> {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        read(&(0..hex.len()).step_by(2).map(byte).collect::<Vec<_>>().into())
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        for (hex, json) in [
            ("1bffffffffffffffff", "1.8446744073709552e+19"),
            ("3903e7", "-1000"),
            ("f97bff", "65504.0"),
            ("f90001", "5.960464477539063e-8"),
            ("f9c400", "-4.0"),
            ("fa47c35000", "100000.0"),
            ("fbc010666666666666", "-4.1"),
            ("f7", "null"),
            ("c11a514b67b0", "\"2013-03-21T20:04:00+00:00\""),
            ("5f42010243030405ff", "\"\\u0001\\u0002\\u0003\\u0004\\u0005\""),
            ("7f657374726561646d696e67ff", "\"streaming\""),
            ("9f018202039f0405ffff", "[1,[2,3],[4,5]]"),
            ("bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}"),
            ("a26161f66162f5", "{\"b\":true}"),
        ] {
            assert_eq!(of(hex).expect(hex).to_json().to_string(), json, "{hex}");
        }
        for hex in ["", "18", "62c3", "9f01", "bf6161", "9affffffff", "5bffffffffffffffff"] {
            assert_eq!(of(hex), Err(Defect::Truncated), "{hex}");
        }
        for hex in ["1c", "ff", "c001", "c161ff", "a10102", "62ffff", "5f6161ff", "f8ff"] {
            assert!(matches!(of(hex), Err(Defect::Malformed { .. })), "{hex}");
        }
        assert!(matches!(read(&vec![0x81; 100_000].into()), Err(Defect::Malformed { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read(&bytes.into());
        }
    }
}
