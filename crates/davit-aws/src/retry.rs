//! When to try again, and how long to wait before it: the modes `standard`, `adaptive` and `legacy`
//! as botocore has them. Reads no clock and draws no numbers: both are handed in.

use std::{sync::Mutex, time::Duration};

/// How calls are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Up to three times, out of a quota that a client has for all its calls.
    #[default]
    Standard,
    /// The same, and no faster than the service takes it.
    Adaptive,
    /// Up to five times, without a quota.
    Legacy,
}

/// Why a call may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The connection or the service failed in a way that passes.
    Transient,
    /// The service wants it slower.
    Throttling,
    /// The model says so.
    Modeled,
}

/// What is known of a call that failed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failure<'a> {
    /// The code of the service's error.
    pub code: Option<&'a str>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// There was no answer, or it broke off: the connection's fault.
    pub connection: bool,
    /// The model has this error as one that passes.
    pub modeled: bool,
    /// ... and as one of going too fast.
    pub modeled_throttling: bool,
    /// `x-amz-retry-after`, in milliseconds.
    pub retry_after: Option<u64>,
}

const TRANSIENT: &[&str] =
    &["RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"];
const THROTTLING: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

impl Failure<'_> {
    /// Why it may be tried again; nothing if it would fail in the same way.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        let code = self.code.unwrap_or_default();
        if self.modeled_throttling || THROTTLING.contains(&code) || self.status == Some(429) {
            return Some(Reason::Throttling);
        }
        let transient = matches!(self.status, Some(500 | 502 | 503 | 504));
        if self.connection || transient || TRANSIENT.contains(&code) {
            return Some(Reason::Transient);
        }
        self.modeled.then_some(Reason::Modeled)
    }
}

/// What a client remembers between its calls.
#[derive(Debug)]
pub struct Policy {
    mode: Mode,
    most: u32,
    scale: f64,
    quota: Mutex<u32>,
    rate: Mutex<Rate>,
}

/// How much a client may spend on trying again.
const QUOTA: u32 = 500;
/// No wait is longer.
const LONGEST: f64 = 20.0;

impl Policy {
    /// The rules for a service. `most` is how often a call is made at most; without it the mode's.
    #[must_use]
    pub fn new(mode: Mode, most: Option<u32>, service: &str) -> Self {
        let of_tables = matches!(service, "dynamodb" | "dynamodbstreams");
        let default = match mode {
            Mode::Legacy if service == "dynamodb" => 10,
            Mode::Legacy => 5,
            _ if of_tables => 4,
            _ => 3,
        };
        Self {
            mode,
            most: most.unwrap_or(default).max(1),
            scale: if of_tables { 0.025 } else { 0.05 },
            quota: Mutex::new(QUOTA),
            rate: Mutex::default(),
        }
    }

    /// The same with so much of the quota left.
    #[must_use]
    pub fn with_quota(mut self, left: u32) -> Self {
        self.quota = Mutex::new(left.min(QUOTA));
        self
    }

    /// How much of the quota is left.
    #[must_use]
    pub fn quota(&self) -> u32 {
        *lock(&self.quota)
    }

    /// How often a call is made at most.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// How long to wait before the next attempt; nothing if there is to be none. `attempt` counts from
    /// 1, `chance` is a number from 0 to 1. What the attempt cost is noted in `spent`.
    #[must_use]
    pub fn again(
        &self,
        failure: &Failure<'_>,
        attempt: u32,
        chance: f64,
        spent: &mut u32,
    ) -> Option<Duration> {
        let reason = failure.reason()?;
        if attempt >= self.most {
            return None;
        }
        if self.mode != Mode::Legacy {
            let cost = if reason == Reason::Throttling { 5 } else { 14 };
            let mut quota = lock(&self.quota);
            *quota = quota.checked_sub(cost)?;
            *spent = cost;
        }
        let power = 2_f64.powi(i32::try_from(attempt - 1).unwrap_or(30).min(30));
        let scale = match (self.mode, reason) {
            (Mode::Legacy, _) | (_, Reason::Throttling) => 1.0,
            _ => self.scale,
        };
        let wait = chance.clamp(0.0, 1.0) * (scale * power).min(LONGEST);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        let asked = failure.retry_after.map_or(0.0, |it| it as f64 / 1000.0);
        Some(Duration::from_secs_f64(wait.max(asked.min(wait + 5.0))))
    }

    /// Gives back what a call had spent when it came through at last; one that did not need to be tried again
    /// gives back a little.
    pub fn succeeded(&self, spent: u32) {
        let mut quota = lock(&self.quota);
        *quota = (*quota + spent.max(1)).min(QUOTA);
    }

    /// How long to wait before sending, in seconds of any clock that runs evenly: nothing but in the adaptive
    /// mode, after the service wanted it slower.
    #[must_use]
    pub fn before_sending(&self, now: f64) -> Duration {
        if self.mode != Mode::Adaptive {
            return Duration::ZERO;
        }
        lock(&self.rate).take(now)
    }

    /// Notes that an attempt was answered or failed.
    pub fn answered(&self, now: f64, throttled: bool) {
        if self.mode == Mode::Adaptive {
            lock(&self.rate).answered(now, throttled);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// How fast a client sends: as fast as it likes until it is told to slow down, then along a cubic
/// curve up to where it was told so and beyond.
#[derive(Debug, Default)]
struct Rate {
    limited: bool,
    /// Tokens a second.
    fill: f64,
    tokens: f64,
    filled_at: Option<f64>,
    /// The rate at which it was told to slow down, and when.
    fastest: f64,
    slowed_at: f64,
    /// What is sent a second, smoothed, and what it is counted from.
    measured: f64,
    bucket: Option<f64>,
    count: f64,
}

impl Rate {
    fn take(&mut self, now: f64) -> Duration {
        if !self.limited {
            return Duration::ZERO;
        }
        self.refill(now);
        self.tokens -= 1.0;
        // Whoever comes next waits behind this one, since the tokens may be owed.
        Duration::from_secs_f64((-self.tokens / self.fill).clamp(0.0, 60.0))
    }

    fn refill(&mut self, now: f64) {
        let since = self.filled_at.map_or(0.0, |at| (now - at).max(0.0));
        self.tokens = (self.tokens + since * self.fill).min(self.fill.max(1.0));
        self.filled_at = Some(now);
    }

    fn answered(&mut self, now: f64, throttled: bool) {
        self.measure(now);
        let rate = if throttled {
            let rate = if self.limited { self.measured.min(self.fill) } else { self.measured };
            self.limited = true;
            self.fastest = rate;
            self.slowed_at = now;
            rate * 0.7
        } else {
            let from = (self.fastest * 0.3 / 0.4).cbrt();
            0.4 * (now - self.slowed_at - from).powi(3) + self.fastest
        };
        if self.limited {
            self.refill(now);
            self.fill = rate.min(2.0 * self.measured).max(0.5);
            self.tokens = self.tokens.min(self.fill.max(1.0));
        }
    }

    fn measure(&mut self, now: f64) {
        let bucket = (now * 2.0).floor() / 2.0;
        let last = *self.bucket.get_or_insert(now.floor());
        self.count += 1.0;
        if bucket > last {
            self.measured = 0.8 * self.count / (bucket - last) + 0.2 * self.measured;
            self.count = 0.0;
            self.bucket = Some(bucket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Failure<'_> = Failure {
        code: None,
        status: Some(503),
        connection: false,
        modeled: false,
        modeled_throttling: false,
        retry_after: None,
    };

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        let failure = |code, status| Failure { code, status, ..Failure::default() }.reason();
        assert_eq!(failure(Some("Throttling"), Some(400)), Some(Reason::Throttling));
        assert_eq!(failure(Some("Slow"), Some(503)), Some(Reason::Transient));
        assert_eq!(failure(Some("AccessDenied"), Some(403)), None);
        let modeled = Failure { code: Some("Odd"), modeled: true, ..Failure::default() };
        assert_eq!(modeled.reason(), Some(Reason::Modeled));
        assert_eq!(
            Failure { connection: true, ..Failure::default() }.reason(),
            Some(Reason::Transient)
        );
    }

    #[test]
    fn waits_grow_and_end() {
        let policy = Policy::new(Mode::Standard, Some(9), "ec2");
        let waits: Vec<_> = (1..10)
            .map(|it| policy.again(&BUSY, it, 1.0, &mut 0).map(|it| it.as_millis()))
            .collect();
        assert_eq!(waits[..4], [Some(50), Some(100), Some(200), Some(400)]);
        assert_eq!(waits[8], None);
        let slow = Failure { code: Some("SlowDown"), ..Failure::default() };
        assert_eq!(policy.again(&slow, 8, 1.0, &mut 0), Some(Duration::from_secs(20)));
        let told = Failure { retry_after: Some(9_000), ..BUSY };
        assert_eq!(policy.again(&told, 1, 0.0, &mut 0), Some(Duration::from_secs(5)));
        let told = Failure { retry_after: Some(2_000), ..BUSY };
        assert_eq!(policy.again(&told, 1, 0.0, &mut 0), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_client_that_only_fails_stops_trying() {
        let policy = Policy::new(Mode::Standard, None, "ec2");
        let tried = (0..100).filter(|_| policy.again(&BUSY, 1, 0.5, &mut 0).is_some()).count();
        assert_eq!(tried, 35);
        (0..14).for_each(|_| policy.succeeded(0));
        assert!(policy.again(&BUSY, 1, 0.5, &mut 0).is_some());
        assert_eq!(Policy::new(Mode::Standard, None, "dynamodb").most(), 4);
        assert_eq!(Policy::new(Mode::Legacy, None, "ec2").most(), 5);
    }

    #[test]
    fn the_adaptive_mode_slows_down_and_comes_back() {
        let policy = Policy::new(Mode::Adaptive, None, "ec2");
        let mut now = 100.0;
        for _ in 0..200 {
            assert_eq!(policy.before_sending(now), Duration::ZERO);
            policy.answered(now, false);
            now += 0.01;
        }
        policy.answered(now, true);
        let waited: Duration = (0..300).map(|_| policy.before_sending(now)).max().expect("some");
        assert!(waited > Duration::from_secs(2), "{waited:?}");
        for _ in 0..2_000 {
            now += 0.05;
            policy.answered(now, false);
        }
        assert_eq!(policy.before_sending(now), Duration::ZERO);
    }
}
