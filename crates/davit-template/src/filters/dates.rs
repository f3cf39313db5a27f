//! `strftime` and `to_datetime`: C's formats in the C locale.
//!
//! Local time is that of the variable `TZ` in [`Outside`](crate::Outside), or the system's.

use std::fmt::Write as _;

use davit_value::{Value, ValueError};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::Call;

type Answer = Result<Value, ValueError>;

/// From Sunday on.
pub(crate) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// From January on.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The zone that `TZ` names, or the system's.
#[must_use]
pub fn local_zone(name: Option<&str>) -> TimeZone {
    match name.map(|name| name.trim_start_matches(':')).filter(|name| !name.is_empty()) {
        Some(name) => {
            TimeZone::get(name).or_else(|_| TimeZone::posix(name)).unwrap_or(TimeZone::UTC)
        }
        None => TimeZone::system(),
    }
}

fn weekday(date: Date) -> i8 {
    date.weekday().to_sunday_zero_offset()
}

/// Formats as C's `strftime`; `zone` is what `%Z` says.
#[must_use]
pub fn format_time(format: &str, at: &Zoned, zone: Option<&str>) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        let mut flag = None;
        let mut directive = chars.next();
        if let Some(found @ ('-' | '_' | '0' | '^' | '#')) = directive {
            flag = Some(found);
            directive = chars.next();
        }
        let Some(directive) = directive else {
            out.push('%');
            break;
        };
        let mut part = String::new();
        if !directive_text(directive, at, zone, &mut part) {
            part = format!("%{directive}");
        }
        match flag {
            Some('-') => out.push_str(stripped(&part)),
            Some('_') => {
                let bare = stripped(&part);
                out.push_str(&" ".repeat(part.len() - bare.len()));
                out.push_str(bare);
            }
            Some('^') => out.push_str(&part.to_uppercase()),
            _ => out.push_str(&part),
        }
    }
    out
}

/// A number without the zeros or spaces in front, one digit kept.
fn stripped(part: &str) -> &str {
    let bare = part.trim_start_matches(['0', ' ']);
    if bare.is_empty() && !part.is_empty() { &part[part.len() - 1..] } else { bare }
}

fn directive_text(directive: char, at: &Zoned, zone: Option<&str>, out: &mut String) -> bool {
    let date = at.date();
    let (hour, day) = (at.hour(), usize::try_from(weekday(date)).unwrap_or(0));
    let twelve = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    let month = MONTHS[usize::try_from(at.month() - 1).unwrap_or(0)];
    let year_day = date.day_of_year();
    let seconds = at.offset().seconds();
    let again = |format: &str, out: &mut String| out.push_str(&format_time(format, at, zone));
    let _ = match directive {
        'Y' => write!(out, "{}", at.year()),
        'C' => write!(out, "{:02}", at.year() / 100),
        'y' => write!(out, "{:02}", at.year().rem_euclid(100)),
        'm' => write!(out, "{:02}", at.month()),
        'd' => write!(out, "{:02}", at.day()),
        'e' => write!(out, "{:2}", at.day()),
        'H' => write!(out, "{hour:02}"),
        'k' => write!(out, "{hour:2}"),
        'I' => write!(out, "{twelve:02}"),
        'l' => write!(out, "{twelve:2}"),
        'M' => write!(out, "{:02}", at.minute()),
        'S' => write!(out, "{:02}", at.second()),
        's' => write!(out, "{}", at.timestamp().as_second()),
        'j' => write!(out, "{year_day:03}"),
        'p' => write!(out, "{}", if hour < 12 { "AM" } else { "PM" }),
        'P' => write!(out, "{}", if hour < 12 { "am" } else { "pm" }),
        'A' => write!(out, "{}", DAYS[day]),
        'a' => write!(out, "{}", &DAYS[day][..3]),
        'B' => write!(out, "{month}"),
        'b' | 'h' => write!(out, "{}", &month[..3]),
        'w' => write!(out, "{day}"),
        'u' => write!(out, "{}", if day == 0 { 7 } else { day }),
        'U' => write!(out, "{:02}", (year_day + 6 - i16::from(weekday(date))) / 7),
        'W' => write!(out, "{:02}", (year_day + 6 - (i16::from(weekday(date)) + 6) % 7) / 7),
        'V' => write!(out, "{:02}", date.iso_week_date().week()),
        'G' => write!(out, "{}", date.iso_week_date().year()),
        'g' => write!(out, "{:02}", date.iso_week_date().year().rem_euclid(100)),
        'z' => write!(
            out,
            "{}{:02}{:02}",
            if seconds < 0 { '-' } else { '+' },
            seconds.abs() / 3600,
            seconds.abs() / 60 % 60
        ),
        'Z' => match zone {
            Some(zone) => write!(out, "{zone}"),
            None => write!(out, "{}", at.strftime("%Z")),
        },
        'n' => writeln!(out),
        't' => write!(out, "\t"),
        '%' => write!(out, "%"),
        'c' => {
            again("%a %b %e %H:%M:%S %Y", out);
            Ok(())
        }
        'x' | 'D' => {
            again("%m/%d/%y", out);
            Ok(())
        }
        'X' | 'T' => {
            again("%H:%M:%S", out);
            Ok(())
        }
        'F' => {
            again("%Y-%m-%d", out);
            Ok(())
        }
        'R' => {
            again("%H:%M", out);
            Ok(())
        }
        'r' => {
            again("%I:%M:%S %p", out);
            Ok(())
        }
        _ => return false,
    };
    true
}

pub(super) fn strftime(call: &Call<'_>) -> Answer {
    let bound = call.bind("strftime", &["string_format", "second", "utc"], 1)?;
    let utc = bound.truth(2, false)?;
    let seconds = match bound.some(1) {
        None => Timestamp::now().as_second(),
        Some(value) => {
            let number =
                value.as_number().or_else(|| value.as_str().and_then(super::math::parse_float));
            let number = number.filter(|number| number.abs() < 2e11).ok_or_else(|| {
                ValueError::Value(format!("Invalid value for epoch value ({})", value.to_str()))
            })?;
            #[expect(clippy::cast_possible_truncation, reason = "its size was checked")]
            let whole = number.floor() as i64;
            whole
        }
    };
    let zone = if utc {
        TimeZone::UTC
    } else {
        local_zone(call.env.outside.environment.get("TZ").map(String::as_str))
    };
    let at = Timestamp::from_second(seconds)
        .map_err(|_| ValueError::Value(format!("Invalid value for epoch value ({seconds})")))?
        .to_zoned(zone);
    Ok(format_time(&bound.text(0), &at, utc.then_some("GMT")).into())
}

/// What has been read of a date so far.
struct Read {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    twelve: bool,
    afternoon: bool,
    minute: i64,
    second: i64,
    micros: i64,
    year_day: Option<i64>,
    offset: Option<i32>,
}

/// Python's `datetime.strptime`.
///
/// # Errors
/// For text that is not of the format.
pub fn parse_time(text: &str, format: &str) -> Result<Value, ValueError> {
    let quoted = |text: &str| Value::from(text).repr();
    let mismatch = || {
        ValueError::Value(format!(
            "time data {} does not match format {}",
            quoted(text),
            quoted(format)
        ))
    };
    let mut read = Read {
        year: 1900,
        month: 1,
        day: 1,
        hour: 0,
        twelve: false,
        afternoon: false,
        minute: 0,
        second: 0,
        micros: 0,
        year_day: None,
        offset: None,
    };
    let full = expand(format);
    let mut rest = text;
    let mut chars = full.chars().peekable();
    while let Some(char) = chars.next() {
        if char.is_whitespace() {
            while chars.peek().is_some_and(|next| next.is_whitespace()) {
                chars.next();
            }
            let trimmed = rest.trim_start();
            if trimmed.len() == rest.len() {
                return Err(mismatch());
            }
            rest = trimmed;
        } else if char == '%' {
            let Some(directive) = chars.next() else {
                return Err(ValueError::Value(format!("stray % in format '{format}'")));
            };
            rest = read_directive(directive, rest, &mut read, format)?.ok_or_else(mismatch)?;
        } else {
            let next = rest
                .chars()
                .next()
                .filter(|it| it.to_lowercase().eq(char.to_lowercase()))
                .ok_or_else(mismatch)?;
            rest = &rest[next.len_utf8()..];
        }
    }
    if !rest.is_empty() {
        return Err(ValueError::Value(format!("unconverted data remains: {rest}")));
    }
    finish(&read).ok_or_else(|| ValueError::Value("day is out of range for month".into()))
}

fn expand(format: &str) -> String {
    format
        .replace("%T", "%H:%M:%S")
        .replace("%D", "%m/%d/%y")
        .replace("%F", "%Y-%m-%d")
        .replace("%R", "%H:%M")
        .replace("%c", "%a %b %d %H:%M:%S %Y")
        .replace("%x", "%m/%d/%y")
        .replace("%X", "%H:%M:%S")
}

fn finish(read: &Read) -> Option<Value> {
    let mut hour = read.hour;
    if read.twelve {
        hour = hour % 12 + if read.afternoon { 12 } else { 0 };
    }
    let small = |number: i64| i8::try_from(number).ok();
    let year = i16::try_from(read.year).ok()?;
    let date = match read.year_day {
        Some(day) => {
            Date::new(year, 1, 1).ok()?.checked_add(jiff::Span::new().days(day - 1)).ok()?
        }
        None => Date::new(year, small(read.month)?, small(read.day)?).ok()?,
    };
    let second = read.second.min(59);
    let time = Time::new(
        small(hour)?,
        small(read.minute)?,
        small(second)?,
        i32::try_from(read.micros * 1000).ok()?,
    )
    .ok()?;
    Some(Value::DateTime(DateTime::from_parts(date, time), read.offset))
}

/// A number of at most `most` digits between two bounds, as Python's patterns take it.
fn number(text: &str, most: usize, low: i64, high: i64) -> Option<(i64, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    (1..=digits).rev().find_map(|length| {
        let number = text[..length].parse().ok()?;
        (low <= number && number <= high).then(|| (number, &text[length..]))
    })
}

fn name<'t>(text: &'t str, names: &[&str], short: bool) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let name = if short { &name[..3] } else { name };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (at, &text[name.len()..]))
    })
}

fn read_directive<'t>(
    directive: char,
    text: &'t str,
    read: &mut Read,
    format: &str,
) -> Result<Option<&'t str>, ValueError> {
    let put = |slot: &mut i64, found: Option<(i64, &'t str)>| {
        found.map(|(number, rest)| {
            *slot = number;
            rest
        })
    };
    Ok(match directive {
        'Y' => text
            .get(..4)
            .filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|it| it.parse().ok())
            .map(|year| {
                read.year = year;
                &text[4..]
            }),
        'y' => text
            .get(..2)
            .filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|it| it.parse::<i64>().ok())
            .map(|year| {
                read.year = year + if year < 69 { 2000 } else { 1900 };
                &text[2..]
            }),
        'm' => put(&mut read.month, number(text, 2, 1, 12)),
        'd' => put(&mut read.day, number(text.strip_prefix(' ').unwrap_or(text), 2, 1, 31)),
        'H' => put(&mut read.hour, number(text, 2, 0, 23)),
        'I' => {
            read.twelve = true;
            put(&mut read.hour, number(text, 2, 1, 12))
        }
        'M' => put(&mut read.minute, number(text, 2, 0, 59)),
        'S' => put(&mut read.second, number(text, 2, 0, 61)),
        'j' => number(text, 3, 1, 366).map(|(day, rest)| {
            read.year_day = Some(day);
            rest
        }),
        'f' => {
            let digits = text.bytes().take(6).take_while(u8::is_ascii_digit).count();
            (digits > 0).then(|| {
                read.micros = format!("{:0<6}", &text[..digits]).parse().unwrap_or(0);
                &text[digits..]
            })
        }
        'p' => name(text, &["AM", "PM"], false).map(|(at, rest)| {
            read.afternoon = at == 1;
            rest
        }),
        'B' => name(text, &MONTHS, false).map(|(at, rest)| {
            read.month = i64::try_from(at + 1).unwrap_or(1);
            rest
        }),
        'b' | 'h' => name(text, &MONTHS, true).map(|(at, rest)| {
            read.month = i64::try_from(at + 1).unwrap_or(1);
            rest
        }),
        'A' => name(text, &DAYS, false).map(|(_, rest)| rest),
        'a' => name(text, &DAYS, true).map(|(_, rest)| rest),
        'w' | 'u' => number(text, 1, 0, 7).map(|(_, rest)| rest),
        'U' | 'W' => number(text, 2, 0, 53).map(|(_, rest)| rest),
        'z' => read_offset(text).map(|(offset, rest)| {
            read.offset = Some(offset);
            rest
        }),
        'Z' => ["utc", "gmt"].iter().find_map(|zone| {
            text.get(..3).filter(|head| head.eq_ignore_ascii_case(zone)).map(|_| &text[3..])
        }),
        '%' => text.strip_prefix('%'),
        other => {
            return Err(ValueError::Value(format!(
                "'{other}' is a bad directive in format '{format}'"
            )));
        }
    })
}

fn read_offset(text: &str) -> Option<(i32, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |text: &str| {
        text.get(..2)
            .filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|it| it.parse::<i32>().ok())
    };
    let hours = two(&text[1..])?;
    let rest = text[3..].strip_prefix(':').unwrap_or(&text[3..]);
    let minutes = two(rest)?;
    let mut rest = &rest[2..];
    let mut seconds = 0;
    let after = rest.strip_prefix(':').unwrap_or(rest);
    if let Some(found) = two(after) {
        seconds = found;
        rest = &after[2..];
    }
    Some((sign * (hours * 3600 + minutes * 60 + seconds), rest))
}

pub(super) fn to_datetime(call: &Call<'_>) -> Answer {
    let bound = call.bind("to_datetime", &["string", "format"], 1)?;
    let value = bound.value(0);
    let Some(text) = value.as_str() else {
        return Err(ValueError::Type(format!(
            "strptime() argument 1 must be str, not {}",
            value.type_name()
        )));
    };
    parse_time(text, &bound.text_or(1, "%Y-%m-%d %H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::{format_time, parse_time};
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    #[test]
    fn formats_as_c() {
        let at = Timestamp::from_second(1_600_000_000).unwrap().to_zoned(TimeZone::UTC);
        let format = "%A %a %B %b %d %j %U %W %w %y %p %I %Z %z %c %x %X %% %s %f %e %D %T %F %u %V %G %h %C %k %l %R";
        let expect = "Sunday Sun September Sep 13 257 37 36 0 20 PM 12 GMT +0000 Sun Sep 13 12:26:40 2020 09/13/20 12:26:40 % 1600000000 %f 13 09/13/20 12:26:40 2020-09-13 7 37 2020 Sep 20 12 12 12:26";
        assert_eq!(format_time(format, &at, Some("GMT")), expect);
    }

    #[test]
    fn reads_as_python() {
        let check = |text: &str, format: &str, expect: &str| {
            assert_eq!(
                parse_time(text, format).map_or_else(|error| format!("!{error}"), |it| it.to_str()),
                expect
            );
        };
        check("2020-01-31T10:20:30Z", "%Y-%m-%dT%H:%M:%SZ", "2020-01-31 10:20:30");
        check(
            "2020-01-31 10:20:30.123456 +0200",
            "%Y-%m-%d %H:%M:%S.%f %z",
            "2020-01-31 10:20:30.123456+02:00",
        );
        check("1:05 PM", "%I:%M %p", "1900-01-01 13:05:00");
        check("20", "%y", "2020-01-01 00:00:00");
        check("foo", "%Y", "!time data 'foo' does not match format '%Y'");
        check("2020-01-01", "%Y", "!unconverted data remains: -01-01");
    }
}
