//! Values that are one piece of text: in elements, in headers, in strings of JSON. Knows no protocol
//! but that there are some.

use base64::Engine as _;
use bytes::Bytes;
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

use super::unreadable::Defect;
use crate::{model::Kind, time, value::Value};

/// The value that a text stands for. Of truth values only `true` is true.
pub(super) fn from_text(kind: &Kind, text: &str) -> Result<Value, Defect> {
    match kind {
        Kind::Boolean => Ok(Value::Bool(text == "true")),
        Kind::Integer(_) | Kind::Long(_) => integer(text),
        Kind::Float(_) | Kind::Double(_) => float(text),
        Kind::Timestamp => moment(text),
        Kind::Blob { .. } => blob(text),
        Kind::String { .. } | Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. } => {
            Ok(Value::from(text))
        }
    }
}

/// A whole number. One that 64 bits do not hold is given as near as it can be.
pub(super) fn integer(text: &str) -> Result<Value, Defect> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Ok(Value::Int(number));
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()) {
        return float(text);
    }
    Err(Defect::misfit("no whole number"))
}

/// A number.
pub(super) fn float(text: &str) -> Result<Value, Defect> {
    text.trim().parse().map(Value::Float).map_err(|_| Defect::misfit("no number"))
}

/// Bytes in base64, read as leniently as Python reads it: what does not belong to the alphabet is
/// passed over.
pub(super) fn blob(text: &str) -> Result<Value, Defect> {
    if let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text) {
        return Ok(Value::Blob(bytes.into()));
    }
    lenient_base64(text)
        .filter(|_| text.is_ascii())
        .map(|bytes| Value::Blob(Bytes::from(bytes)))
        .ok_or_else(|| Defect::misfit("no base64"))
}

fn lenient_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held, mut padding) = (0_u32, 0_u32, 0_u32);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                if held >= 2 && held + padding >= 4 {
                    return Some(bytes);
                }
                continue;
            }
            _ => continue,
        };
        padding = 0;
        bits = bits << 6 | u32::from(six);
        if held > 0 {
            let rest = 6 - held * 2;
            bytes.push((bits >> rest).to_le_bytes()[0]);
        }
        held = (held + 1) % 4;
    }
    (held == 0).then_some(bytes)
}

/// A point in time, to the microsecond as Python's are.
pub(super) fn moment(text: &str) -> Result<Value, Defect> {
    let found = time::parse(text).or_else(|| other_date(text.trim()));
    found.and_then(whole_micros).map(Value::Timestamp).ok_or_else(no_time)
}

/// Seconds since 1970.
pub(super) fn seconds(number: f64) -> Result<Value, Defect> {
    time::from_seconds(number).map(Value::Timestamp).ok_or_else(no_time)
}

/// Whole seconds since 1970.
pub(super) fn whole_seconds(number: i64) -> Result<Value, Defect> {
    time::from_whole_seconds(number).map(Value::Timestamp).ok_or_else(no_time)
}

fn no_time() -> Defect {
    Defect::misfit("no time")
}

/// The two older forms that RFC 9110 asks clients to read.
fn other_date(text: &str) -> Option<Timestamp> {
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S%.f UTC"]
        .into_iter()
        .find_map(|format| strtime::parse(format, text).ok()?.to_datetime().ok())
        .and_then(|it| it.to_zoned(TimeZone::UTC).ok())
        .map(|it| it.timestamp())
}

fn whole_micros(time: Timestamp) -> Option<Timestamp> {
    let nanos = time.as_nanosecond().div_euclid(1000) * 1000;
    Timestamp::from_nanosecond(nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_python_reads_it() {
        for (text, bytes) in [
            ("YQ==", Some("a")),
            ("YWI=\n", Some("ab")),
            ("YW\nJj", Some("abc")),
            ("Y*W-Jj", Some("abc")),
            ("YQ==YQ==", Some("a")),
            ("YR==", Some("a")),
            ("=YWJj", Some("abc")),
            ("", Some("")),
            ("YQ", None),
            ("Y", None),
            ("YQ=", None),
            ("\u{e9}YQ==", None),
        ] {
            let expected = bytes.map(|it| Value::Blob(Bytes::from_static(it.as_bytes())));
            assert_eq!(blob(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn times_are_cut_to_the_microsecond() {
        for (text, micros) in [
            ("2026-01-02T03:04:05.123456789Z", 1_767_323_045_123_456),
            ("1969-12-31T23:59:59.9999999Z", -1),
            ("Friday, 02-Jan-26 03:04:05 GMT", 1_767_323_045_000_000),
            ("Fri Jan  2 03:04:05 2026", 1_767_323_045_000_000),
            ("2026-01-02 03:04:05.5 UTC", 1_767_323_045_500_000),
            ("1767323045.000001", 1_767_323_045_000_001),
        ] {
            let expected = Timestamp::from_microsecond(micros).expect("small");
            assert_eq!(moment(text), Ok(Value::Timestamp(expected)), "{text}");
        }
        assert!(moment("").is_err());
        assert!(moment("nan").is_err());
    }
}
