//! Text forms: Python's `str` and `repr`.

use std::fmt::Write as _;

use crate::{Key, Value};

impl Value {
    /// Python's name for the type: `str`, `int`, `dict` ...
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Map(_) => "dict",
            Self::Date(_) => "date",
            Self::DateTime(..) => "datetime",
            Self::Object(object) => object.type_name(),
        }
    }

    /// Python's `str(value)`: strings bare, the rest as [`repr`](Self::repr).
    #[must_use]
    pub fn to_str(&self) -> String {
        match self {
            Self::Str(text) => text.as_str().to_owned(),
            Self::Date(date) => date.to_string(),
            Self::DateTime(at, offset) => datetime_text(at, *offset),
            Self::Object(object) => object.text(),
            other => other.repr(),
        }
    }

    /// Python's `repr(value)`.
    #[must_use]
    pub fn repr(&self) -> String {
        let mut out = String::new();
        self.write_repr(&mut out);
        out
    }

    /// Appends [`repr`](Self::repr) to `out`.
    pub fn write_repr(&self, out: &mut String) {
        match self {
            Self::Undefined(_) => out.push_str("Undefined"),
            Self::Null => out.push_str("None"),
            Self::Bool(true) => out.push_str("True"),
            Self::Bool(false) => out.push_str("False"),
            Self::Int(int) => {
                let _ = write!(out, "{int}");
            }
            Self::Float(float) => out.push_str(&float_repr(*float)),
            Self::Str(text) => write_str_repr(text, out),
            Self::List(list) => {
                out.push('[');
                write_joined(list, out);
                out.push(']');
            }
            Self::Tuple(list) => {
                out.push('(');
                write_joined(list, out);
                if list.len() == 1 {
                    out.push(',');
                }
                out.push(')');
            }
            Self::Map(map) => {
                out.push('{');
                for (at, (key, value)) in map.iter().enumerate() {
                    if at > 0 {
                        out.push_str(", ");
                    }
                    key.write_repr(out);
                    out.push_str(": ");
                    value.write_repr(out);
                }
                out.push('}');
            }
            Self::Date(date) => {
                let _ =
                    write!(out, "datetime.date({}, {}, {})", date.year(), date.month(), date.day());
            }
            Self::DateTime(at, offset) => {
                let _ = write!(
                    out,
                    "datetime.datetime({}, {}, {}, {}, {}",
                    at.year(),
                    at.month(),
                    at.day(),
                    at.hour(),
                    at.minute()
                );
                if at.second() != 0 || at.subsec_nanosecond() != 0 {
                    let _ = write!(out, ", {}", at.second());
                }
                if at.subsec_nanosecond() != 0 {
                    let _ = write!(out, ", {}", at.subsec_nanosecond() / 1000);
                }
                match offset {
                    None => {}
                    Some(0) => out.push_str(", tzinfo=datetime.timezone.utc"),
                    Some(seconds @ 1..) => {
                        let _ = write!(
                            out,
                            ", tzinfo=datetime.timezone(datetime.timedelta(seconds={seconds}))"
                        );
                    }
                    // Python counts back from a whole day.
                    Some(seconds) => {
                        let seconds = seconds.rem_euclid(86400);
                        let _ = write!(
                            out,
                            ", tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds={seconds}))"
                        );
                    }
                }
                out.push(')');
            }
            Self::Object(object) => out.push_str(&object.repr()),
        }
    }
}

impl Key {
    fn write_repr(&self, out: &mut String) {
        match self {
            Self::Str(text) => write_str_repr(text, out),
            other => other.to_value().write_repr(out),
        }
    }

    /// Python's `str(key)`, and how JSON names the key.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Str(text) | Self::Date(text) => text.to_string(),
            Self::Bool(true) => "true".into(),
            Self::Bool(false) => "false".into(),
            Self::Null => "null".into(),
            other => other.to_value().to_str(),
        }
    }
}

fn write_joined(list: &[Value], out: &mut String) {
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        item.write_repr(out);
    }
}

/// Python's `repr` of a float: the shortest digits that read back, `1e+16` from there on.
pub(crate) fn float_repr(float: f64) -> String {
    if float.is_nan() {
        return "nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, number) = match exponent.strip_prefix('-') {
            Some(number) => ('-', number),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{number:0>2}");
    }
    if float.fract() == 0.0 { format!("{float:.1}") } else { format!("{float}") }
}

fn write_str_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if char == quote => {
                out.push('\\');
                out.push(char);
            }
            char if (char as u32) < 0x20 || char as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", char as u32);
            }
            char if (0x80..0xa1).contains(&(char as u32)) || char as u32 == 0xad => {
                let _ = write!(out, "\\x{:02x}", char as u32);
            }
            char => out.push(char),
        }
    }
    out.push(quote);
}

fn datetime_text(at: &jiff::civil::DateTime, offset: Option<i32>) -> String {
    let mut out = format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if at.subsec_nanosecond() != 0 {
        let _ = write!(out, ".{:06}", at.subsec_nanosecond() / 1000);
    }
    if let Some(seconds) = offset {
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.abs() / 60;
        let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    }
    out
}
