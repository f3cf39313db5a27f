//! Local times as users write them, with the codes of `strftime`.

use davit_module::Stamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// The moment that `text` tells in `format`, in the host's own zone.
///
/// # Errors
/// Why it is none, as the format's users know it.
pub(crate) fn parse(text: &str, format: &str) -> Result<Stamp, String> {
    let fail = |_| format!("time data '{text}' does not match format '{format}'");
    let mut broken = jiff::fmt::strtime::parse(format, text).map_err(fail)?;
    let civil = broken.to_datetime().or_else(|_| {
        // A format without a time of day means midnight.
        broken.to_date().map(DateTime::from)
    });
    let civil = civil.or_else(|_| {
        complete(&mut broken)?;
        broken.to_datetime()
    });
    let zoned = civil.and_then(|it| it.to_zoned(TimeZone::system())).map_err(fail)?;
    let stamp = zoned.timestamp();
    Ok(Stamp { secs: stamp.as_second(), nanos: i64::from(stamp.subsec_nanosecond()) })
}

/// What a format leaves out is what it is at the start of 1900.
fn complete(broken: &mut BrokenDownTime) -> Result<(), jiff::Error> {
    broken.set_year(broken.year().or(Some(1900)))?;
    broken.set_month(broken.month().or(Some(1)))?;
    broken.set_day(broken.day().or(Some(1)))?;
    broken.set_hour(broken.hour().or(Some(0)))?;
    broken.set_minute(broken.minute().or(Some(0)))?;
    broken.set_second(broken.second().or(Some(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_refused() {
        assert!(parse("202001020304.05", "%Y%m%d%H%M.%S").is_ok());
        assert!(parse("2020-01-02", "%Y-%m-%d").is_ok());
        assert_eq!(parse("2020", "%Y"), parse("2020-01-01", "%Y-%m-%d"));
        assert_eq!(parse("21-07", "%y-%m"), parse("2021-07-01", "%Y-%m-%d"));
        assert_eq!(
            parse("2020", "%Y%m%d%H%M.%S"),
            Err("time data '2020' does not match format '%Y%m%d%H%M.%S'".to_owned())
        );
    }
}
