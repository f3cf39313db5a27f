//! `davit aws logs tail`: the events of a group of CloudWatch Logs, and those that come.
//!
//! It does not know how an event looks: that is [`show`]'s.

mod show;

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::{CommandFactory as _, Parser};
use davit_aws::client::Output;
use davit_aws::value::{Map, Value};
use davit_aws::{Client, Error, time};
use jiff::{SignedDuration, Timestamp};

use self::show::{Event, Format, Look};
use super::globals::Globals;
use super::{call, codes, own, report, session};
use crate::report::{Report, exit, warn};

/// Show the events of a log group of CloudWatch Logs, oldest first.
#[derive(Debug, Parser)]
#[command(
    name = "davit aws logs tail",
    bin_name = "davit aws logs tail",
    after_help = "\
Examples:
  davit aws logs tail /aws/lambda/shop --follow
  davit aws logs tail /aws/lambda/shop --since 2h --format short --filter-pattern ERROR
  davit aws logs tail shop --since 2026-01-02T03:04:05Z --log-stream-names web-1 web-2"
)]
struct Tail {
    /// The group, by its name or ARN.
    group: String,
    /// From when: a number with `s`, `m`, `h`, `d` or `w` behind it for so long ago, or a time of ISO 8601.
    #[arg(long, default_value = "10m", value_name = "TIME")]
    since: String,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// How an event looks: `json` spreads messages of JSON over lines.
    #[arg(long, value_enum, default_value_t = Format::Detailed)]
    format: Format,
    /// Only events that a pattern of CloudWatch Logs fits.
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    filter_pattern: Option<String>,
    /// Only events of these streams.
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "log_stream_name_prefix")]
    log_stream_names: Vec<String>,
    /// Only events of streams whose names begin so.
    #[arg(long, value_name = "PREFIX")]
    log_stream_name_prefix: Option<String>,
    /// Colours: `on`, `off`, or `auto` for a terminal.
    #[arg(long, default_value = "auto", value_parser = ["on", "off", "auto"])]
    color: String,
    #[command(flatten)]
    globals: Globals,
    // What every command of the AWS CLI takes and this one has no use for.
    #[arg(long, hide = true)]
    output: Option<String>,
    #[arg(long, hide = true)]
    query: Option<String>,
    #[arg(long, hide = true)]
    no_cli_pager: bool,
}

pub(super) fn definition() -> clap::Command {
    Tail::command()
}

/// How long nothing is asked for when all has been shown.
const PAUSE: Duration = Duration::from_secs(5);

/// How much older than the newest event one may be that comes after it: streams do not reach the service at
/// the same pace.
const LATE: i64 = 30_000;

/// Shows the events.
pub(super) fn run(words: &[String], asks_for_help: bool) -> Result<u8, Report> {
    let said = match own::parse::<Tail>(words, asks_for_help)? {
        Ok(said) => said,
        Err(code) => return Ok(code),
    };
    let session = session::make(&said.globals.said())?;
    let client = &session.client;
    let Some(since) = since(&said.since, (client.options().now)()) else {
        let text = format!("{:?} is no time: write 10m, 2h or 2026-01-02T03:04:05Z", said.since);
        return Err(Report::new(text).code(codes::USAGE));
    };
    let colour = match said.color.as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    let look = Look { format: said.format, colour: call::look("tail", colour).colour };
    let tail = Shown { client, params: params(&said), look };
    session::until_done(async {
        if said.follow { tail.follow(since).await } else { tail.once(since).await }
    })
}

/// A point in time, in milliseconds since 1970.
fn since(text: &str, now: Timestamp) -> Option<i64> {
    let unit = text.chars().last().and_then(|it| match it {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        'w' => Some(7 * 86_400),
        _ => None,
    });
    let amount = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    let is_number = !amount.is_empty() && amount.bytes().all(|it| it.is_ascii_digit());
    let time = match unit.filter(|_| is_number) {
        Some(seconds) => {
            let ago = amount.parse::<i64>().ok()?.checked_mul(seconds)?;
            now.checked_sub(SignedDuration::from_secs(ago)).ok()?
        }
        None => time::parse(text)?,
    };
    // The service takes none before 1970.
    Some(time.as_millisecond().max(0))
}

/// What is asked for, but for the time.
fn params(said: &Tail) -> Map {
    let mut params = Map::new();
    let mut put = |name: &str, value: Value| params.insert(name.to_owned(), value);
    if said.group.starts_with("arn:") {
        // What lists groups puts this behind their ARNs, and what takes one does not know it.
        let arn = said.group.strip_suffix(":*").unwrap_or(&said.group);
        put("logGroupIdentifier", arn.into());
    } else {
        put("logGroupName", said.group.as_str().into());
    }
    if let Some(pattern) = &said.filter_pattern {
        put("filterPattern", pattern.as_str().into());
    }
    if let Some(prefix) = &said.log_stream_name_prefix {
        put("logStreamNamePrefix", prefix.as_str().into());
    }
    if !said.log_stream_names.is_empty() {
        let names = said.log_stream_names.iter().map(|it| it.as_str().into()).collect();
        put("logStreamNames", Value::List(names));
    }
    put("interleaved", Value::Bool(true));
    params
}

/// What is shown, and how.
struct Shown<'a> {
    client: &'a Client,
    params: Map,
    look: Look,
}

/// What was shown already, as far as it may come again.
#[derive(Debug, Default)]
struct Seen(HashMap<String, i64>);

impl Seen {
    /// Notes an event; false where it was noted before. One without an id is always new.
    fn is_new(&mut self, event: &Event<'_>) -> bool {
        event.id.is_empty() || self.0.insert(event.id.to_owned(), event.time).is_none()
    }

    /// From when the next events are asked for, and what is older is forgotten.
    fn go_on(&mut self, from: i64) -> i64 {
        let newest = self.0.values().copied().max().unwrap_or(from);
        let from = from.max(newest.saturating_sub(LATE));
        self.0.retain(|_, time| *time >= from);
        from
    }
}

impl Shown<'_> {
    /// Shows all there is.
    async fn once(&self, since: i64) -> Result<u8, Report> {
        let all = self.pages(since, |_| true).await?;
        all.map(|_| exit::OK).map_err(|error| report(&error))
    }

    /// Shows all there is and all that comes, until nobody reads it any more.
    async fn follow(&self, since: i64) -> Result<u8, Report> {
        let (mut from, mut seen) = (since, Seen::default());
        let (mut was_answered, mut told) = (false, String::new());
        loop {
            match self.pages(from, |event| seen.is_new(event)).await? {
                Ok(true) => {
                    was_answered = true;
                    told.clear();
                    from = seen.go_on(from);
                }
                Ok(false) => return Ok(exit::OK),
                // The client has tried again already: at first nothing says that it will ever work.
                Err(error) if was_answered && may_pass(&error) => {
                    let said = error.chain();
                    if told != said {
                        warn(&format!("{said}: trying on"));
                        told = said;
                    }
                }
                Err(error) => return Err(report(&error)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Shows the events of all pages that are wanted; false where nobody reads them.
    async fn pages(
        &self,
        since: i64,
        mut is_wanted: impl FnMut(&Event<'_>) -> bool,
    ) -> Result<Result<bool, Error>, Report> {
        let mut params = self.params.clone();
        params.insert("startTime".to_owned(), since.into());
        let (mut is_read, mut written) = (true, Ok(()));
        let asked = self.client.pages("logs", "FilterLogEvents", params, |page| {
            let text: String = sorted(page)
                .iter()
                .filter(|it| is_wanted(it))
                .map(|it| self.look.line(it))
                .collect();
            let mut out = io::stdout();
            written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            is_read = written.is_ok();
            is_read
        });
        let asked = asked.await;
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Report::new(format!("cannot write the events: {error}")).code(codes::GENERAL))
            }
            _ => Ok(asked.map(|()| is_read)),
        }
    }
}

/// The events of a page, oldest first.
fn sorted(page: &Output) -> Vec<Event<'_>> {
    let events = page.get("events").map(Value::items).unwrap_or_default();
    let mut events: Vec<Event<'_>> = events.iter().map(Event::of).collect();
    events.sort_by_key(|it| it.time);
    events
}

/// Whether the same may work a little later. Whoever reads logs for hours meets networks that answer in the
/// service's place, too.
fn may_pass(error: &Error) -> bool {
    error.passes() || matches!(error, Error::Unreadable(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_back_or_read() {
        let now: Timestamp = "2026-01-02T03:04:05.678Z".parse().expect("a time");
        let at = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
        for (text, expect) in [
            ("10m", at("2026-01-02T02:54:05.678Z")),
            ("5s", at("2026-01-02T03:04:00.678Z")),
            ("2h", at("2026-01-02T01:04:05.678Z")),
            ("2d", at("2025-12-31T03:04:05.678Z")),
            ("1w", at("2025-12-26T03:04:05.678Z")),
            ("2026-01-01", at("2026-01-01T00:00:00Z")),
            ("2026-01-01T10:00:00+02:00", at("2026-01-01T08:00:00Z")),
            ("1767323045", at("2026-01-02T03:04:05Z")),
            ("5000w", Some(0)),
            ("99999999999999999999d", None),
            ("9000000000000000000w", None),
            ("5h30m", None),
            ("m", None),
            ("1ö", None),
            ("", None),
        ] {
            assert_eq!(since(text, now), expect, "{text}");
        }
    }

    #[test]
    fn what_comes_late_is_new_and_nothing_comes_twice() {
        let event = |id: &'static str, time| Event { id, time, stream: "s", message: "m" };
        let mut seen = Seen::default();
        assert_eq!(seen.go_on(5), 5, "nothing came");
        assert!(seen.is_new(&event("a", 100_000)) && seen.is_new(&event("b", 160_000)));
        let from = seen.go_on(5);
        assert_eq!(from, 160_000 - LATE);
        assert!(seen.is_new(&event("late", 140_000)), "it is older than the newest");
        assert!(!seen.is_new(&event("b", 160_000)));
        assert_eq!(seen.go_on(from), from);
        assert_eq!(seen.0.len(), 2, "what cannot come again is forgotten");
    }
}
