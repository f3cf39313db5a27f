//! Methods and attributes of dates, and `strftime`.

use std::fmt::Write as _;

use davit_value::{Args, Value, ValueError};
use jiff::civil::{Date, DateTime, Time};

use super::{Outcome, Taken, no_such};
use crate::filters::dates::{DAYS, MONTHS};

pub(super) const DATE_METHODS: &[&str] = &[
    "ctime",
    "isocalendar",
    "isoformat",
    "isoweekday",
    "replace",
    "strftime",
    "toordinal",
    "weekday",
];
pub(super) const DATETIME_METHODS: &[&str] = &[
    "astimezone",
    "ctime",
    "date",
    "isocalendar",
    "isoformat",
    "isoweekday",
    "replace",
    "strftime",
    "time",
    "timestamp",
    "toordinal",
    "utcoffset",
    "weekday",
];

fn parts(value: &Value) -> Option<(Date, Time, Option<i32>)> {
    match value {
        Value::Date(date) => Some((*date, Time::midnight(), None)),
        Value::DateTime(at, offset) => Some((at.date(), at.time(), *offset)),
        _ => None,
    }
}

pub(super) fn attribute(value: &Value, name: &str) -> Option<Value> {
    let (date, time, offset) = parts(value)?;
    let is_datetime = matches!(value, Value::DateTime(..));
    Some(match name {
        "year" => Value::from(i32::from(date.year())),
        "month" => Value::from(i32::from(date.month())),
        "day" => Value::from(i32::from(date.day())),
        "hour" if is_datetime => Value::from(i32::from(time.hour())),
        "minute" if is_datetime => Value::from(i32::from(time.minute())),
        "second" if is_datetime => Value::from(i32::from(time.second())),
        "microsecond" if is_datetime => Value::from(time.subsec_nanosecond() / 1000),
        "tzinfo" if is_datetime => {
            offset.map_or(Value::Null, |offset| Value::from(zone_name(offset)))
        }
        _ => return None,
    })
}

pub(super) fn call(value: &Value, name: &str, args: &Args) -> Outcome {
    let Some((date, time, offset)) = parts(value) else { return Err(no_such(value, name)) };
    let at = DateTime::from_parts(date, time);
    let take =
        |names: &'static [&'static str], required: usize| Taken::new(name, args, names, required);
    let weekday = date.weekday();
    match name {
        "strftime" => Ok(Value::from(strftime(value, take(&["format"], 1)?.text(0)?))),
        "isoformat" => {
            let taken = take(&["sep", "timespec"], 0)?;
            let separator = if taken.get(0).is_some() { taken.text(0)? } else { "T" };
            Ok(Value::from(value.to_str().replacen(' ', separator, 1)))
        }
        "ctime" => Ok(Value::from(strftime(value, "%a %b %e %H:%M:%S %Y"))),
        "date" => Ok(Value::Date(date)),
        "time" => Ok(Value::from(
            value.to_str().split_once(' ').map_or(String::new(), |(_, time)| time.to_owned()),
        )),
        "weekday" => Ok(Value::from(i32::from(weekday.to_monday_zero_offset()))),
        "isoweekday" => Ok(Value::from(i32::from(weekday.to_monday_one_offset()))),
        "isocalendar" => {
            let week = date.iso_week_date();
            Ok(Value::tuple(vec![
                Value::from(i32::from(week.year())),
                Value::from(i32::from(week.week())),
                Value::from(i32::from(weekday.to_monday_one_offset())),
            ]))
        }
        "toordinal" => {
            let days = date.duration_since(Date::constant(1, 1, 1)).as_hours() / 24 + 1;
            Ok(Value::from(days))
        }
        "timestamp" => {
            let seconds = epoch_micros(at, offset)
                .ok_or_else(|| ValueError::Value("date value out of range".into()))?;
            #[expect(clippy::cast_precision_loss, reason = "as Python does")]
            Ok(Value::Float(seconds as f64 / 1e6))
        }
        "utcoffset" => Ok(offset.map_or(Value::Null, |offset| {
            crate::delta::Delta { micros: i128::from(offset) * 1_000_000 }.into_value()
        })),
        "astimezone" => Ok(value.clone()),
        "replace" => replace(value, (at, offset), args),
        _ => Err(no_such(value, name)),
    }
}

fn replace(value: &Value, (at, offset): (DateTime, Option<i32>), args: &Args) -> Outcome {
    let names = &["year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo"];
    let taken = Taken::new("replace", args, names, 0)?;
    let out_of_range = || ValueError::Value("day is out of range for month".into());
    let part = |place: usize, now: i128| Ok::<_, ValueError>(taken.int(place)?.unwrap_or(now));
    let small = |number: i128| i8::try_from(number).map_err(|_| out_of_range());
    let nanos = part(6, i128::from(at.subsec_nanosecond() / 1000))?
        .checked_mul(1000)
        .ok_or_else(out_of_range)?;
    let made = DateTime::new(
        i16::try_from(part(0, i128::from(at.year()))?).map_err(|_| out_of_range())?,
        small(part(1, i128::from(at.month()))?)?,
        small(part(2, i128::from(at.day()))?)?,
        small(part(3, i128::from(at.hour()))?)?,
        small(part(4, i128::from(at.minute()))?)?,
        small(part(5, i128::from(at.second()))?)?,
        i32::try_from(nanos).map_err(|_| out_of_range())?,
    )
    .map_err(|_| out_of_range())?;
    Ok(match value {
        Value::Date(_) => Value::Date(made.date()),
        _ => Value::DateTime(
            made,
            if matches!(args.named.get("tzinfo"), Some(Value::Null)) { None } else { offset },
        ),
    })
}

/// Microseconds since 1970; a date without an offset is in the zone of this machine.
fn epoch_micros(at: DateTime, offset: Option<i32>) -> Option<i64> {
    let zone = match offset {
        Some(seconds) => jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?),
        None => jiff::tz::TimeZone::system(),
    };
    Some(at.to_zoned(zone).ok()?.timestamp().as_microsecond())
}

fn zone_name(offset: i32) -> String {
    if offset == 0 { "UTC".into() } else { format!("UTC{}", offset_text(offset, ":")) }
}

fn offset_text(offset: i32, separator: &str) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
}

/// `value.strftime(format)` in the C locale; what is not a date gives the format back.
pub(crate) fn strftime(value: &Value, format: &str) -> String {
    let Some((date, time, offset)) = parts(value) else { return format.to_owned() };
    let mut out = String::with_capacity(format.len() + 16);
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        let mut flag = None;
        let mut directive = chars.next();
        while let Some(it @ ('-' | '_' | '0' | '^' | '#')) = directive {
            flag = Some(it);
            directive = chars.next();
        }
        match directive {
            Some(directive) => write_directive(&mut out, directive, flag, (date, time, offset)),
            None => out.push('%'),
        }
    }
    out
}

fn write_directive(
    out: &mut String,
    directive: char,
    flag: Option<char>,
    (date, time, offset): (Date, Time, Option<i32>),
) {
    let weekday = date.weekday();
    let day = DAYS[usize::try_from(weekday.to_sunday_zero_offset()).unwrap_or(0)];
    let month = MONTHS[usize::try_from(date.month() - 1).unwrap_or(0)];
    let hour12 = (time.hour() + 11) % 12 + 1;
    let day_of_year = i32::from(date.day_of_year());
    let monday = i32::from(weekday.to_monday_zero_offset());
    let sunday = i32::from(weekday.to_sunday_zero_offset());
    let mut number = |value: i64, width: usize, fill: char| {
        let text = match flag {
            Some('-') => value.to_string(),
            Some('_') => format!("{value:>width$}"),
            Some('0') => format!("{value:0>width$}"),
            _ if fill == '0' => format!("{value:0>width$}"),
            _ => format!("{value:>width$}"),
        };
        out.push_str(&text);
    };
    match directive {
        'Y' => number(date.year().into(), 4, '0'),
        'G' => number(date.iso_week_date().year().into(), 4, '0'),
        'C' => number((date.year() / 100).into(), 2, '0'),
        'y' => number(date.year().rem_euclid(100).into(), 2, '0'),
        'g' => number(date.iso_week_date().year().rem_euclid(100).into(), 2, '0'),
        'm' => number(date.month().into(), 2, '0'),
        'd' => number(date.day().into(), 2, '0'),
        'e' => number(date.day().into(), 2, ' '),
        'H' => number(time.hour().into(), 2, '0'),
        'k' => number(time.hour().into(), 2, ' '),
        'I' => number(hour12.into(), 2, '0'),
        'l' => number(hour12.into(), 2, ' '),
        'M' => number(time.minute().into(), 2, '0'),
        'S' => number(time.second().into(), 2, '0'),
        'f' => number((time.subsec_nanosecond() / 1000).into(), 6, '0'),
        'j' => number(day_of_year.into(), 3, '0'),
        'u' => number((monday + 1).into(), 1, '0'),
        'w' => number(sunday.into(), 1, '0'),
        'U' => number(((day_of_year + 6 - sunday) / 7).into(), 2, '0'),
        'W' => number(((day_of_year + 6 - monday) / 7).into(), 2, '0'),
        'V' => number(date.iso_week_date().week().into(), 2, '0'),
        's' => number(
            epoch_micros(DateTime::from_parts(date, time), offset).unwrap_or(0) / 1_000_000,
            1,
            '0',
        ),
        'A' | 'a' | 'B' | 'b' | 'h' | 'p' | 'P' => {
            let text = match directive {
                'A' => day,
                'a' => &day[..3],
                'B' => month,
                'p' => ["AM", "PM"][usize::from(time.hour() >= 12)],
                'P' => ["am", "pm"][usize::from(time.hour() >= 12)],
                _ => &month[..3],
            };
            if flag == Some('^') { out.push_str(&text.to_uppercase()) } else { out.push_str(text) }
        }
        'z' => out.push_str(&offset.map(|offset| offset_text(offset, "")).unwrap_or_default()),
        'Z' => out.push_str(&offset.map(zone_name).unwrap_or_default()),
        'c' | 'x' | 'D' | 'X' | 'T' | 'F' | 'R' | 'r' => {
            let format = match directive {
                'c' => "%a %b %e %H:%M:%S %Y",
                'x' | 'D' => "%m/%d/%y",
                'F' => "%Y-%m-%d",
                'R' => "%H:%M",
                'r' => "%I:%M:%S %p",
                _ => "%H:%M:%S",
            };
            out.push_str(&strftime(
                &Value::DateTime(DateTime::from_parts(date, time), offset),
                format,
            ));
        }
        'n' => out.push('\n'),
        't' => out.push('\t'),
        '%' => out.push('%'),
        other => {
            let _ = write!(out, "%{other}");
        }
    }
}
