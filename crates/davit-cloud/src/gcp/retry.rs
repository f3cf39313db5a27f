//! When a call is made again, and how long to wait before it. Reads no clock.

use std::time::Duration;

use davit_aws::connection::TransportError;
use davit_aws::http::Headers;

use super::error::Said;
use crate::web::pauses::{growing, retry_after};

/// How often something is tried at most.
const MOST: u32 = 5;
/// The longest first pause; each one after it may be twice as long.
const FIRST: Duration = Duration::from_millis(400);
/// No pause is longer, unless the server says so.
const LONGEST: Duration = Duration::from_secs(20);
/// No pause is longer, whatever the server says.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why an attempt came to nothing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failure<'a> {
    /// There is no answer.
    Transport(&'a TransportError),
    /// Google says no.
    Said(&'a Said, &'a Headers),
}

/// How often something was tried.
#[derive(Debug, Default)]
pub(super) struct Retry {
    attempts: u32,
}

impl Retry {
    /// How long to wait before the next attempt; nothing if there is to be none. What is not safe is made again only
    /// where it was surely not done.
    pub(super) fn again(&mut self, failure: Failure<'_>, safe: bool) -> Option<Duration> {
        self.attempts += 1;
        if self.attempts >= MOST {
            return None;
        }
        let passes = match failure {
            Failure::Transport(error) => {
                let unsent = matches!(
                    error,
                    TransportError::Connect { .. } | TransportError::ConnectTimeout { .. }
                );
                unsent || safe && error.passes()
            }
            Failure::Said(said, _) => {
                said.is_too_fast() || safe && matches!(said.code, 408 | 500 | 502 | 503 | 504)
            }
        };
        let said = match failure {
            Failure::Said(_, headers) => retry_after(headers),
            Failure::Transport(_) => None,
        };
        let pause = growing(FIRST, self.attempts - 1, LONGEST);
        let pause = said.map_or(pause, |it| it.clamp(pause, PATIENCE));
        passes.then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u64, reason: &str) -> Said {
        Said { code, reason: reason.to_owned(), ..Said::default() }
    }

    #[test]
    fn what_passes_is_tried_again_where_that_is_safe() {
        let none = Headers::default();
        for (code, reason, safe, expect) in [
            (503, "", true, true),
            (503, "", false, false),
            (429, "", false, true),
            (403, "rateLimitExceeded", false, true),
            (403, "forbidden", true, false),
            (404, "", true, false),
        ] {
            let said = said(code, reason);
            let again = Retry::default().again(Failure::Said(&said, &none), safe);
            assert_eq!(again.is_some(), expect, "{code} {reason} {safe}");
        }
        let source = "no".into();
        let unsent = TransportError::Connect { host: "h".to_owned(), source };
        assert!(Retry::default().again(Failure::Transport(&unsent), false).is_some());
        let source = "no".into();
        let broken = TransportError::Broken { host: "h".to_owned(), source };
        assert!(Retry::default().again(Failure::Transport(&broken), false).is_none());
        assert!(Retry::default().again(Failure::Transport(&broken), true).is_some());
    }

    #[test]
    fn pauses_grow_and_end_and_servers_may_ask_for_more() {
        let (said, none) = (said(503, ""), Headers::default());
        let mut retry = Retry::default();
        let pauses: Vec<Duration> =
            std::iter::from_fn(|| retry.again(Failure::Said(&said, &none), true)).collect();
        assert_eq!(pauses.len(), 4);
        assert!(pauses[0] <= FIRST && pauses[3] >= FIRST * 4, "{pauses:?}");
        let asked: Headers = [("retry-after", "7")].into_iter().collect();
        let pause = Retry::default().again(Failure::Said(&said, &asked), true);
        assert_eq!(pause, Some(Duration::from_secs(7)));
    }
}
