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

/// Reads what answers have: ISO 8601 with or without an offset, the dates of HTTP, seconds since 1970.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return from_seconds(number);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(time) = text.parse::<jiff::civil::DateTime>() {
        return time.to_zoned(TimeZone::UTC).ok().map(|it| it.timestamp());
    }
    let date = |text: &str| {
        let parser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
        parser.parse_timestamp(text).ok()
    };
    date(text).or_else(|| {
        // Some have a part of a second, which dates of mails have not.
        let (whole, rest) = text.split_once('.')?;
        let digits =
            rest.find(|it: char| !it.is_ascii_digit()).filter(|it| (1..=9).contains(it))?;
        let (digits, rest) = rest.split_at(digits);
        let nanos = format!("{digits:0<9}").parse().ok()?;
        date(&format!("{whole}{rest}"))?.checked_add(SignedDuration::from_nanos(nanos)).ok()
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
    Timestamp::from_microsecond(whole * 1_000_000 + micros).ok()
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
}
