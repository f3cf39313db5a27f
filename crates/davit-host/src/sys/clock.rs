//! Local time, and how results tell it.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The zone that `TZ` names, or else the host's own.
pub(crate) fn zone(variable: Option<&str>) -> TimeZone {
    let Some(name) = variable.map(|it| it.trim_start_matches(':')) else {
        return TimeZone::system();
    };
    if name.is_empty() {
        return TimeZone::UTC;
    }
    TimeZone::get(name).or_else(|_| TimeZone::posix(name)).unwrap_or(TimeZone::UTC)
}

/// A moment as command results tell it: `2026-02-25 09:18:26.429568`.
pub(crate) fn stamp(moment: SystemTime, zone: &TimeZone) -> String {
    let Ok(moment) = Timestamp::try_from(moment) else { return String::new() };
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// A span as command results tell it: `0:00:00.325771`, with the days in front where there are any.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    let micros = duration.subsec_micros();
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    match days {
        0 => format!("{clock}{fraction}"),
        1 => format!("1 day, {clock}{fraction}"),
        _ => format!("{days} days, {clock}{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_stamps() {
        assert_eq!(span(Duration::from_micros(1_529)), "0:00:00.001529");
        assert_eq!(span(Duration::from_secs(3_725)), "1:02:05");
        assert_eq!(span(Duration::from_millis(90_000_500)), "1 day, 1:00:00.500000");
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(stamp(moment, &TimeZone::UTC), "1970-01-01 00:00:01.500000");
    }
}
