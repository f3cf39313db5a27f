//! Points in time as AWS writes them. Knows no clock.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822, tz::TimeZone};

/// `2026-01-02T03:04:05Z`, with six digits of a second behind it where it has a part that is not
/// whole: what botocore sends.
#[must_use]
pub fn iso8601(time: Timestamp) -> String {
    let format = if time.subsec_microsecond() == 0 {
        "%Y-%m-%dT%H:%M:%SZ"
    } else {
        "%Y-%m-%dT%H:%M:%S.%6fZ"
    };
    time.strftime(format).to_string()
}

/// `2026-01-02T03:04:05+00:00`: what the AWS CLI prints.
#[must_use]
pub fn iso8601_offset(time: Timestamp) -> String {
    let text = iso8601(time);
    format!("{}+00:00", text.trim_end_matches('Z'))
}

/// `Fri, 02 Jan 2026 03:04:05 GMT`.
#[must_use]
pub fn rfc822(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `20260102T030405Z`: what signatures carry.
#[must_use]
pub fn basic(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The year that stands for never.
const LAST_YEAR: i16 = 9999;
/// Where that year ends, in seconds since 1970.
const LAST_SECOND: i64 = 253_402_300_799;

/// Reads what answers have: ISO 8601 with or without an offset, the dates of HTTP, seconds since 1970. The
/// last hours of the year 9999, which stand for never, are read as the last moment that there is here.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return from_seconds(number);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let plain = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("+00:00"));
    if let Ok(time) = plain.unwrap_or(text).parse::<jiff::civil::DateTime>() {
        let zoned = time.to_zoned(TimeZone::UTC).ok().map(|it| it.timestamp());
        return zoned.or_else(|| (time.year() == LAST_YEAR).then_some(Timestamp::MAX));
    }
    date(text).or_else(|| {
        // Some have a part of a second, which dates of mails have not.
        let (whole, rest) = text.split_once('.')?;
        let digits =
            rest.find(|it: char| !it.is_ascii_digit()).filter(|it| (1..=9).contains(it))?;
        let (digits, rest) = rest.split_at(digits);
        let nanos = SignedDuration::from_nanos(format!("{digits:0<9}").parse().ok()?);
        Some(date(&format!("{whole}{rest}"))?.checked_add(nanos).unwrap_or(Timestamp::MAX))
    })
}

/// A date of HTTP.
fn date(text: &str) -> Option<Timestamp> {
    let parser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    let read = |text: &str| parser.parse_timestamp(text).ok();
    read(text).or_else(|| {
        let before = text.replacen(" 9999 ", " 9998 ", 1);
        (before != text).then(|| read(&before)).flatten().map(|_| Timestamp::MAX)
    })
}

/// Seconds since 1970, to the microsecond as Python's are.
#[must_use]
pub fn from_seconds(seconds: f64) -> Option<Timestamp> {
    // The part behind the point is rounded on its own: a product of all of it has too few digits.
    let micros = (seconds.fract() * 1e6).round_ties_even();
    #[expect(clippy::cast_possible_truncation, reason = "bounds are looked at")]
    let (whole, micros) =
        (seconds.abs() < 1e12).then_some((seconds.trunc() as i64, micros as i64))?;
    Timestamp::from_microsecond(whole * 1_000_000 + micros).ok().or_else(|| never(whole))
}

/// Whole seconds since 1970.
pub(crate) fn from_whole_seconds(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok().or_else(|| never(seconds))
}

/// The last moment that there is, for seconds of the year 9999 that are later.
fn never(seconds: i64) -> Option<Timestamp> {
    (0..=LAST_SECOND).contains(&seconds).then_some(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        let time = parse("2026-01-02T03:04:05Z").expect("a time");
        assert_eq!(iso8601(time), "2026-01-02T03:04:05Z");
        assert_eq!(iso8601_offset(time), "2026-01-02T03:04:05+00:00");
        assert_eq!(rfc822(time), "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(basic(time), "20260102T030405Z");
        for text in [
            "Fri, 02 Jan 2026 03:04:05 GMT",
            "1767323045",
            "1767323045.0",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T03:04:05",
            "2026-01-02T04:04:05+01:00",
        ] {
            assert_eq!(parse(text), Some(time), "{text}");
        }
        assert_eq!(iso8601(parse("1.5").expect("a time")), "1970-01-01T00:00:01.500000Z");
        let later = parse("Fri, 02 Jan 2026 03:04:05.25 GMT").expect("a time");
        assert_eq!(iso8601(later), "2026-01-02T03:04:05.250000Z");
        assert_eq!(parse("Fri, 02 Jan 2026 03:04:05. GMT"), None);
        assert_eq!(parse("soon"), None);
    }

    #[test]
    fn never_is_a_time() {
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T23:59:59+00:00",
            "9999-12-31T23:59:59",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Fri, 31 Dec 9999 23:59:59.5 GMT",
            "253402300799",
        ] {
            assert_eq!(parse(text), Some(Timestamp::MAX), "{text}");
        }
        assert_eq!(from_whole_seconds(253_402_300_799), Some(Timestamp::MAX));
        for text in ["253402300800", "10000-01-01T00:00:00Z", "9999-13-31T23:59:59Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
