//! How long to wait before something is tried again. Knows not what, nor whether it may be.

use std::time::Duration;

use davit_aws::http::Headers;
use jiff::Timestamp;

/// The pause behind an attempt, the first of which is 0: each may be twice as long as the one before it. It is
/// between a half and the whole of that, so that many do not come back at once.
#[must_use]
pub fn growing(first: Duration, attempt: u32, longest: Duration) -> Duration {
    let whole = first.saturating_mul(2_u32.saturating_pow(attempt)).min(longest);
    let chance = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
    whole / 2 + whole / 2 * chance / 255
}

/// How long a server asks to wait: in seconds, in milliseconds as those of Azure do, or until some time.
#[must_use]
pub fn retry_after(headers: &Headers) -> Option<Duration> {
    for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
        if let Some(millis) = headers.get(name).and_then(|it| it.trim().parse().ok()) {
            return Some(Duration::from_millis(millis));
        }
    }
    let text = headers.get("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_in_several_ways_how_long() {
        let wait = |name: &str, value: &str| retry_after(&[(name, value)].into_iter().collect());
        assert_eq!(wait("x-ms-retry-after-ms", "20"), Some(Duration::from_millis(20)));
        assert_eq!(wait("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "soon"), None);
    }

    #[test]
    fn pauses_grow_and_end() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(20));
        for (attempt, whole) in [(0, 1), (1, 2), (4, 16), (5, 20), (99, 20)] {
            let (pause, whole) = (growing(first, attempt, longest), Duration::from_secs(whole));
            assert!((whole / 2..=whole).contains(&pause), "{attempt}: {pause:?}");
        }
    }
}
