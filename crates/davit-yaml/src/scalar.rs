//! What a plain scalar means: PyYAML's implicit resolvers and constructors of YAML 1.1.

use jiff::civil::{Date, DateTime};

/// The type a plain scalar resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Implicit {
    Bool,
    Float,
    Int,
    Merge,
    Null,
    Timestamp,
    Value,
    Str,
}

/// What `text` is when it stands without quotes.
pub(crate) fn resolve(text: &str) -> Implicit {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Implicit::Null,
        "<<" => return Implicit::Merge,
        "=" => return Implicit::Value,
        _ => {}
    }
    if to_bool(text).is_some() && is_bool_case(text) {
        return Implicit::Bool;
    }
    match text.as_bytes().first() {
        Some(b'-' | b'+' | b'.' | b'0'..=b'9') => {}
        _ => return Implicit::Str,
    }
    if is_float(text) {
        Implicit::Float
    } else if is_int(text) {
        Implicit::Int
    } else if timestamp_parts(text).is_some() {
        Implicit::Timestamp
    } else {
        Implicit::Str
    }
}

/// `yes`, `Yes` and `YES`, but not `yEs`.
fn is_bool_case(text: &str) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    rest.bytes().all(|byte| byte.is_ascii_lowercase())
        || text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The boolean that `text` names in any case.
pub(crate) fn to_bool(text: &str) -> Option<bool> {
    if text.len() > 5 {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

fn unsigned(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// True for one or more of `first` (where given) and then any of `rest` and `_`.
fn digits(text: &str, first: impl Fn(u8) -> bool, rest: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|byte| first(*byte))
        && bytes.iter().skip(1).all(|byte| rest(*byte) || *byte == b'_')
}

fn is_int(text: &str) -> bool {
    let (_, text) = unsigned(text);
    let decimal = |byte: u8| byte.is_ascii_digit();
    if let Some(bits) = text.strip_prefix("0b") {
        return !bits.is_empty() && bits.bytes().all(|byte| matches!(byte, b'0' | b'1' | b'_'));
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_');
    }
    if let Some(octal) = text.strip_prefix('0') {
        return octal.bytes().all(|byte| matches!(byte, b'0'..=b'7' | b'_'));
    }
    let (whole, sixties) =
        text.split_once(':').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    digits(whole, |byte| matches!(byte, b'1'..=b'9'), decimal) && sixties.is_none_or(is_sixties)
}

/// Groups of base 60 after the first: `30` or `30:59`.
fn is_sixties(text: &str) -> bool {
    text.split(':').all(|group| match group.as_bytes() {
        [unit] => unit.is_ascii_digit(),
        [ten, unit] => matches!(ten, b'0'..=b'5') && unit.is_ascii_digit(),
        _ => false,
    })
}

fn is_float(text: &str) -> bool {
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (_, bare) = unsigned(text);
    if matches!(bare, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let Some((whole, after)) = bare.split_once('.') else { return false };
    let decimal = |byte: u8| byte.is_ascii_digit();
    let underscored = |text: &str| text.bytes().all(|byte| decimal(byte) || byte == b'_');
    if let Some((whole, sixties)) = whole.split_once(':') {
        return digits(whole, decimal, decimal) && is_sixties(sixties) && underscored(after);
    }
    let fraction = match after.find(['e', 'E']) {
        Some(at) => {
            let exponent = after.get(at + 1..).unwrap_or_default();
            let Some(number) = exponent.strip_prefix(['-', '+']) else { return false };
            if number.is_empty() || !number.bytes().all(decimal) {
                return false;
            }
            after.get(..at).unwrap_or_default()
        }
        None => after,
    };
    if whole.is_empty() {
        // A sign is not allowed before a leading point.
        return bare.len() == text.len() && digits(fraction, decimal, decimal);
    }
    digits(whole, decimal, decimal) && underscored(fraction)
}

/// The integer that `text` writes, or Python's complaint. `Ok(None)` where it does not fit.
pub(crate) fn to_int(text: &str) -> Result<Option<i128>, String> {
    let plain = text.replace('_', "");
    let (negative, bare) = unsigned(&plain);
    let complain =
        |radix: u32, part: &str| format!("invalid literal for int() with base {radix}: '{part}'");
    let read = |part: &str, radix: u32| -> Result<Option<i128>, String> {
        let good = !part.is_empty() && part.chars().all(|char| char.is_digit(radix));
        if good { Ok(i128::from_str_radix(part, radix).ok()) } else { Err(complain(radix, part)) }
    };
    let size = if bare == "0" {
        Some(0)
    } else if let Some(bits) = bare.strip_prefix("0b") {
        read(bits, 2)?
    } else if let Some(hex) = bare.strip_prefix("0x") {
        read(hex, 16)?
    } else if bare.starts_with('0') {
        read(bare, 8)?
    } else if bare.contains(':') {
        let mut sum = Some(0_i128);
        for group in bare.split(':') {
            let group = read(group, 10)?;
            sum = sum.and_then(|sum| sum.checked_mul(60)?.checked_add(group?));
        }
        sum
    } else {
        read(bare.trim(), 10)?
    };
    Ok(size.map(|size| if negative { -size } else { size }))
}

/// The float that `text` writes, or Python's complaint.
pub(crate) fn to_float(text: &str) -> Result<f64, String> {
    let plain = text.replace('_', "").to_ascii_lowercase();
    let (negative, bare) = unsigned(&plain);
    let read = |part: &str| {
        part.trim()
            .parse::<f64>()
            .map_err(|_| format!("could not convert string to float: '{part}'"))
    };
    let size = match bare {
        ".inf" => f64::INFINITY,
        ".nan" => return Ok(f64::NAN),
        _ if bare.contains(':') => {
            let mut sum = 0.0;
            for group in bare.split(':') {
                sum = sum * 60.0 + read(group)?;
            }
            sum
        }
        _ => read(bare)?,
    };
    Ok(if negative { -size } else { size })
}

/// A date, or a date with a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Timestamp {
    Date(Date),
    DateTime(DateTime, Option<i32>),
}

#[derive(Default)]
struct Parts<'t> {
    date: [&'t str; 3],
    time: Option<[&'t str; 3]>,
    fraction: &'t str,
    zone: &'t str,
}

/// The date or time that `text` writes; `None` where it is none, or Python's complaint.
pub(crate) fn to_timestamp(text: &str) -> Option<Result<Timestamp, String>> {
    timestamp_parts(text).map(|parts| build_timestamp(&parts))
}

fn number(text: &str) -> i32 {
    text.parse().unwrap_or(0)
}

fn build_timestamp(parts: &Parts<'_>) -> Result<Timestamp, String> {
    let small = |text: &str| i8::try_from(number(text)).unwrap_or(i8::MAX);
    let [year, month, day] = parts.date;
    if !(1..=12).contains(&number(month)) {
        return Err("month must be in 1..12".into());
    }
    let year = i16::try_from(number(year)).unwrap_or(0);
    if year == 0 {
        return Err("year 0 is out of range".into());
    }
    let date = Date::new(year, small(month), small(day))
        .map_err(|_| "day is out of range for month".to_owned())?;
    let Some([hour, minute, second]) = parts.time else { return Ok(Timestamp::Date(date)) };
    for (text, bound, name) in [(hour, 24, "hour"), (minute, 60, "minute"), (second, 60, "second")]
    {
        if number(text) >= bound {
            return Err(format!("{name} must be in 0..{}", bound - 1));
        }
    }
    let micros: String = parts.fraction.chars().chain("000000".chars()).take(6).collect();
    let nanos = number(&micros).saturating_mul(1000);
    let at = DateTime::new(
        date.year(),
        date.month(),
        date.day(),
        small(hour),
        small(minute),
        small(second),
        nanos,
    )
    .map_err(|error| error.to_string())?;
    let offset = match parts.zone {
        "" => None,
        "Z" => Some(0),
        zone => {
            let (negative, bare) = unsigned(zone);
            let (hours, minutes) = bare.split_once(':').unwrap_or((bare, "0"));
            let seconds = (number(hours) * 60 + number(minutes)) * 60;
            Some(if negative { -seconds } else { seconds })
        }
    };
    Ok(Timestamp::DateTime(at, offset))
}

/// Splits what looks like `2001-12-14t21:59:43.10-05:00` or `2001-12-14`.
fn timestamp_parts(text: &str) -> Option<Parts<'_>> {
    let sized = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let year = text.get(..4).filter(|year| sized(year, 4))?;
    let rest = text.get(4..)?.strip_prefix('-')?;
    let (month, rest) = rest.split_once('-')?;
    let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
    let (day, rest) = rest.split_at(end);
    if !sized(month, 2) || !sized(day, 2) {
        return None;
    }
    let mut parts = Parts { date: [year, month, day], ..Parts::default() };
    if rest.is_empty() {
        return (month.len() == 2 && day.len() == 2).then_some(parts);
    }
    let time = match rest.strip_prefix(['T', 't']) {
        Some(time) => time,
        None => {
            Some(rest.trim_start_matches([' ', '\t'])).filter(|time| time.len() < rest.len())?
        }
    };
    let (hour, rest) = time.split_once(':')?;
    let (minute, rest) = rest.split_once(':')?;
    let second = rest.get(..2)?;
    if !sized(hour, 2) || minute.len() != 2 || !sized(minute, 2) || !sized(second, 2) {
        return None;
    }
    parts.time = Some([hour, minute, second]);
    let mut rest = rest.get(2..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.find(|char: char| !char.is_ascii_digit()).unwrap_or(fraction.len());
        (parts.fraction, rest) = fraction.split_at(end);
    }
    let zone = rest.trim_start_matches([' ', '\t']);
    let good = match zone.strip_prefix(['-', '+']) {
        Some(offset) => match offset.split_once(':') {
            Some((hours, minutes)) => sized(hours, 2) && minutes.len() == 2 && sized(minutes, 2),
            None => sized(offset, 2),
        },
        None => zone == "Z" || rest.is_empty(),
    };
    parts.zone = zone;
    good.then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_in_yaml_1_1() {
        for (text, expect) in [
            ("yes", Implicit::Bool),
            ("Off", Implicit::Bool),
            ("yEs", Implicit::Str),
            ("y", Implicit::Str),
            ("0644", Implicit::Int),
            ("0o644", Implicit::Str),
            ("089", Implicit::Str),
            ("1_000", Implicit::Int),
            ("1:30", Implicit::Int),
            ("1:60", Implicit::Str),
            ("01:30", Implicit::Str),
            ("0x1F", Implicit::Int),
            ("0b101", Implicit::Int),
            ("-0", Implicit::Int),
            ("+12", Implicit::Int),
            ("-", Implicit::Str),
            ("1e3", Implicit::Str),
            ("1.0e3", Implicit::Str),
            ("1.0e+3", Implicit::Float),
            ("1.", Implicit::Float),
            (".5", Implicit::Float),
            ("-.5", Implicit::Str),
            (".", Implicit::Str),
            ("..", Implicit::Str),
            ("-.inf", Implicit::Float),
            (".NaN", Implicit::Float),
            ("1:30.5", Implicit::Float),
            ("1.2.3", Implicit::Str),
            ("~", Implicit::Null),
            ("null", Implicit::Null),
            ("nUll", Implicit::Str),
            ("2024-01-31", Implicit::Timestamp),
            ("2024-1-31", Implicit::Str),
            ("2001-12-14t21:59:43.10-05:00", Implicit::Timestamp),
            ("2001-12-14 21:59:43", Implicit::Timestamp),
            ("2001-12-14 21:59", Implicit::Str),
            ("<<", Implicit::Merge),
            ("=", Implicit::Value),
            ("12:30:45", Implicit::Int),
            ("1.1.1.1:80", Implicit::Str),
            ("0", Implicit::Int),
            ("00", Implicit::Int),
        ] {
            assert_eq!(resolve(text), expect, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        for (text, expect) in
            [("0644", 420), ("1:30", 90), ("190:20:30", 685_230), ("-0b11", -3), ("1_0", 10)]
        {
            assert_eq!(to_int(text), Ok(Some(expect)), "{text}");
        }
        assert_eq!(to_int("99999999999999999999999999999999999999999"), Ok(None));
        assert_eq!(to_int("foo"), Err("invalid literal for int() with base 10: 'foo'".into()));
        assert_eq!(to_float("1:30.5"), Ok(90.5));
    }
}
