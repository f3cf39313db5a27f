//! Single values as protocols write them: numbers, points in time, bytes.

use std::borrow::Cow;

use super::{Error, Unfit};
use crate::{
    model::{Kind, Traits},
    time,
    validate::timestamp,
    value::Value,
};

/// How a point in time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeFormat {
    Iso8601,
    Rfc822,
    Unix,
}

impl TimeFormat {
    /// What a model asks for, or what is usual in a place.
    pub(super) fn of(traits: &Traits, usual: Self) -> Self {
        let Some(name) = traits.timestamp_format else { return usual };
        match name.to_ascii_lowercase().as_str() {
            "iso8601" => Self::Iso8601,
            "rfc822" => Self::Rfc822,
            "unixtimestamp" => Self::Unix,
            _ => usual,
        }
    }
}

/// A point in time as it is written.
pub(super) enum Moment {
    Text(String),
    /// Seconds since 1970.
    Whole(i64),
    /// The same with a part that is not whole.
    Part(f64),
}

/// The point in time that a value is.
pub(super) fn time_of(value: &Value) -> Result<jiff::Timestamp, Error> {
    timestamp(value).ok_or_else(|| Error::kind(&Kind::Timestamp, value))
}

/// A point in time in a format.
pub(super) fn moment(time: jiff::Timestamp, format: TimeFormat) -> Moment {
    match format {
        TimeFormat::Iso8601 => Moment::Text(time::iso8601(time)),
        TimeFormat::Rfc822 => Moment::Text(time::rfc822(time)),
        TimeFormat::Unix => {
            let micros = time.as_nanosecond().div_euclid(1000);
            let whole = micros.div_euclid(1_000_000);
            let part = micros.rem_euclid(1_000_000);
            if part == 0 {
                return Moment::Whole(i64::try_from(whole).unwrap_or(i64::MAX));
            }
            // Reading decimal digits rounds once, and so to the number that is nearest.
            let sign = if micros < 0 { "-" } else { "" };
            let micros = micros.unsigned_abs();
            let text = format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            Moment::Part(text.parse().unwrap_or(f64::NAN))
        }
    }
}

/// A number that is not whole, as Python writes it: the fewest digits that read back as the same.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = number.to_string();
        if plain.contains('.') { plain } else { format!("{plain}.0") }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
    }
}

/// The bytes of a value: text is taken as it stands.
pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Blob(bytes) => Some(bytes),
        Value::String(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// A single value as text. `usual` is how points in time are written where the model does not say.
pub(super) fn text<'a>(
    kind: &Kind,
    traits: &Traits,
    value: &'a Value,
    usual: TimeFormat,
) -> Result<Cow<'a, str>, Error> {
    Ok(match (kind, value) {
        (Kind::String { .. }, Value::String(text)) => Cow::Borrowed(text),
        (
            Kind::Integer(_) | Kind::Long(_) | Kind::Float(_) | Kind::Double(_),
            Value::Int(number),
        ) => Cow::Owned(number.to_string()),
        (Kind::Float(_) | Kind::Double(_), Value::Float(number)) => Cow::Owned(float(*number)),
        (Kind::Boolean, Value::Bool(it)) => Cow::Borrowed(if *it { "true" } else { "false" }),
        (Kind::Timestamp, value) => {
            let moment = moment(time_of(value)?, TimeFormat::of(traits, usual));
            Cow::Owned(match moment {
                Moment::Text(text) => text,
                Moment::Whole(seconds) => seconds.to_string(),
                Moment::Part(seconds) => float(seconds),
            })
        }
        (Kind::Blob { .. }, value) => {
            let bytes = bytes(value).ok_or_else(|| Error::kind(kind, value))?;
            Cow::Owned(crate::base64(bytes))
        }
        (kind, value) => return Err(Error::kind(kind, value)),
    })
}

/// Text that can stand in a header. What cannot would add headers, or requests.
pub(super) fn header(text: &str) -> Result<&str, Error> {
    let control = |it: u8| it == 0x7f || (it < 0x20 && it != b'\t');
    if text.bytes().any(control) { Err(Error::new(Unfit::Header)) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (number, expect) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1.5, "1.5"),
            (-123.456, "-123.456"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float(number), expect);
        }
    }

    #[test]
    fn seconds_have_their_part_rounded_once() {
        let seconds = |text: &str| match moment(text.parse().unwrap(), TimeFormat::Unix) {
            Moment::Text(text) => text,
            Moment::Whole(it) => it.to_string(),
            Moment::Part(it) => float(it),
        };
        assert_eq!(seconds("1970-01-01T00:00:01.003691Z"), "1.003691");
        assert_eq!(seconds("1969-12-31T23:59:59.5Z"), "-0.5");
        assert_eq!(seconds("1969-12-31T23:59:58Z"), "-2");
        assert_eq!(seconds("2026-01-02T03:04:05Z"), "1767323045");
    }
}
