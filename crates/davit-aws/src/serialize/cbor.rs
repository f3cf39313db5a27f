//! Bodies of CBOR: definite lengths, the shortest heads, points in time as seconds under tag 1.

use super::{Error, Unfit, deeper, members, scalar};
use crate::{
    model::{Kind, Member, Service, ShapeId, Traits},
    value::Value,
};

/// Members and their values as a map.
pub(super) fn structure(service: &Service, given: &[(&Member, &Value)]) -> Result<Vec<u8>, Error> {
    let mut writer = Writer { service, out: Vec::new() };
    writer.members(given, 0)?;
    Ok(writer.out)
}

/// The major types of CBOR.
#[derive(Clone, Copy)]
enum Major {
    Unsigned = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    List = 4,
    Map = 5,
    Tag = 6,
}

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const HALF: u8 = 0xf9;
const SINGLE: u8 = 0xfa;
const DOUBLE: u8 = 0xfb;

struct Writer<'a> {
    service: &'a Service,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn members(&mut self, given: &[(&Member, &Value)], depth: usize) -> Result<(), Error> {
        self.head(Major::Map, given.len() as u64);
        for (member, value) in given {
            self.string(member.traits.location_name.unwrap_or(member.name));
            self.value(member, value, depth).map_err(|it| it.within_member(member))?;
        }
        Ok(())
    }

    fn value(&mut self, member: &Member, value: &Value, depth: usize) -> Result<(), Error> {
        let depth = deeper(depth)?;
        let (traits, shape) = (&member.traits, member.shape);
        let service = self.service;
        match (&service.shape(shape).kind, value) {
            (Kind::Structure(structure), Value::Map(map)) if !structure.document => {
                let given = members(service, structure, map).collect::<Result<Vec<_>, _>>()?;
                self.members(&given, depth)?;
            }
            (Kind::List { member, .. }, Value::List(items)) => {
                self.head(Major::List, items.len() as u64);
                for (index, item) in items.iter().enumerate() {
                    self.item(traits, member, item, depth).map_err(|it| it.at(index))?;
                }
            }
            (Kind::Map { key, value: member, .. }, Value::Map(map)) => {
                self.head(Major::Map, map.len() as u64);
                for (name, item) in map {
                    self.string(name);
                    self.item(traits, member, item, depth)
                        .map_err(|it| it.within_entry(key, name))?;
                }
            }
            (Kind::String { .. }, Value::String(text)) => self.string(text),
            (Kind::Integer(_) | Kind::Long(_), Value::Int(number)) => self.integer(*number),
            (Kind::Float(_), value) => {
                let number = number(value).ok_or_else(|| self.unfit(shape, value))?;
                #[expect(clippy::cast_possible_truncation, reason = "what does not fit is refused")]
                let single = number as f32;
                if number.is_finite() && single.is_infinite() {
                    return Err(Error::new(Unfit::TooLarge));
                }
                if !self.special(number) {
                    self.out.push(SINGLE);
                    self.out.extend(single.to_be_bytes());
                }
            }
            (Kind::Double(_), value) => {
                let number = number(value).ok_or_else(|| self.unfit(shape, value))?;
                self.double(number);
            }
            (Kind::Boolean, Value::Bool(it)) => self.out.push(if *it { TRUE } else { FALSE }),
            (Kind::Blob { .. }, value) => {
                let bytes = scalar::bytes(value).ok_or_else(|| self.unfit(shape, value))?;
                self.head(Major::Bytes, bytes.len() as u64);
                self.out.extend_from_slice(bytes);
            }
            (Kind::Timestamp, value) => {
                self.head(Major::Tag, 1);
                match scalar::moment(scalar::time_of(value)?, scalar::TimeFormat::Unix) {
                    scalar::Moment::Whole(seconds) => self.integer(seconds),
                    scalar::Moment::Part(seconds) => self.double(seconds),
                    scalar::Moment::Text(text) => self.string(&text),
                }
            }
            (_, value) => return Err(self.unfit(shape, value)),
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
            self.out.push(NULL);
            return Ok(());
        }
        self.value(member, value, depth)
    }

    fn unfit(&self, shape: ShapeId, value: &Value) -> Error {
        Error::kind(&self.service.shape(shape).kind, value)
    }

    fn string(&mut self, text: &str) {
        self.head(Major::Text, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn integer(&mut self, number: i64) {
        if number < 0 {
            // -1 - n, as the format has it, never overflows: it is n with all bits turned.
            self.head(Major::Negative, (!number).unsigned_abs());
        } else {
            self.head(Major::Unsigned, number.unsigned_abs());
        }
    }

    fn double(&mut self, number: f64) {
        if !self.special(number) {
            self.out.push(DOUBLE);
            self.out.extend(number.to_be_bytes());
        }
    }

    /// Numbers that are none fit into 16 bits.
    fn special(&mut self, number: f64) -> bool {
        let bits: u16 = match number {
            it if it.is_nan() => 0x7e00,
            f64::INFINITY => 0x7c00,
            f64::NEG_INFINITY => 0xfc00,
            _ => return false,
        };
        self.out.push(HALF);
        self.out.extend(bits.to_be_bytes());
        true
    }

    /// A major type and its number, in as few bytes as it fits in.
    fn head(&mut self, major: Major, number: u64) {
        let major = (major as u8) << 5;
        let bytes = number.to_be_bytes();
        let size = match number {
            0..24 => {
                self.out.push(major | bytes[7]);
                return;
            }
            24..0x100 => 1_u8,
            0x100..0x1_0000 => 2,
            0x1_0000..0x1_0000_0000 => 4,
            _ => 8,
        };
        self.out.push(major | (24 + size.ilog2() as u8));
        self.out.extend_from_slice(&bytes[8 - usize::from(size)..]);
    }
}

const fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the field has no more bits")]
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Store;

    #[test]
    fn numbers_have_the_shortest_heads() {
        let service = Store::default().service("sts").unwrap().unwrap();
        for (number, expect) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (255, "18ff"),
            (256, "190100"),
            (65536, "1a00010000"),
            (1 << 32, "1b0000000100000000"),
            (i64::MAX, "1b7fffffffffffffff"),
            (-1, "20"),
            (-25, "3818"),
            (i64::MIN, "3b7fffffffffffffff"),
        ] {
            let mut writer = Writer { service, out: Vec::new() };
            writer.integer(number);
            let hex: String = writer.out.iter().map(|it| format!("{it:02x}")).collect();
            assert_eq!(hex, expect, "{number}");
        }
    }
}
