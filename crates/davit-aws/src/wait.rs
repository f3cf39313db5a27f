//! Waiters: what is called, how often, and what is waited for. Does no IO and reads no clock.
//!
//! Source: `waiters-2.json` of the models, and botocore's waiters.

use std::time::Duration;

use crate::{
    model::{Service, Tree},
    query::{Query, QueryError},
    value::Value,
};

/// Something to wait for.
#[derive(Debug)]
pub struct Waiter {
    /// `InstanceRunning`.
    pub name: &'static str,
    /// The operation that is called again and again.
    pub operation: &'static str,
    /// How long to wait between two calls.
    pub delay: Duration,
    /// How often it is called at most.
    pub most: u32,
    acceptors: Vec<Acceptor>,
}

#[derive(Debug)]
struct Acceptor {
    state: State,
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    Path(Query, Value),
    All(Query, Value),
    Any(Query, Value),
    Status(i64),
    Error(String),
    /// Any error, or none.
    Failed(bool),
}

/// How far a wait is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// What was waited for is there.
    Success,
    /// It will never be there.
    Failure,
    /// Not yet.
    Retry,
}

/// What a call gave, as far as waiters look at it.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// An answer.
    Answer {
        /// What it holds.
        values: &'a Value,
        /// Its HTTP status.
        status: u16,
    },
    /// An error of the service.
    Error {
        /// Its code.
        code: &'a str,
        /// Its HTTP status.
        status: u16,
    },
}

impl Waiter {
    /// The waiter of a name, `InstanceRunning` or as the command line has it `instance-running`.
    ///
    /// # Errors
    ///
    /// When the model's expressions make no sense.
    pub fn of(service: &Service, name: &str) -> Result<Option<Self>, QueryError> {
        let all = service.waiters();
        let found = all.entries().iter().find(|(known, _)| plain(known) == plain(name));
        let Some((name, said)) = found else { return Ok(None) };
        let mut acceptors = Vec::new();
        for acceptor in said.get("acceptors").map(Tree::items).unwrap_or_default() {
            acceptors.extend(Acceptor::read(acceptor)?);
        }
        let number = |name: &str, default: i64| {
            said.get(name).and_then(Tree::as_int).unwrap_or(default).max(0)
        };
        Ok(Some(Self {
            name,
            operation: said.text("operation").unwrap_or_default(),
            delay: Duration::from_secs(number("delay", 5).unsigned_abs()),
            most: u32::try_from(number("maxAttempts", 20)).unwrap_or(u32::MAX),
            acceptors,
        }))
    }

    /// The names of a service's waiters.
    #[must_use]
    pub fn names(service: &Service) -> Vec<&'static str> {
        service.waiters().entries().iter().map(|(name, _)| *name).collect()
    }

    /// How far the wait is after a call; nothing where an error came that it knows nothing of, which
    /// ends it.
    #[must_use]
    pub fn state(&self, seen: Seen<'_>) -> Option<State> {
        let fits = self.acceptors.iter().find(|it| it.matcher.fits(seen));
        match (fits, seen) {
            (Some(acceptor), _) => Some(acceptor.state),
            (None, Seen::Answer { .. }) => Some(State::Retry),
            (None, Seen::Error { .. }) => None,
        }
    }
}

/// A name without what the command line writes differently.
fn plain(name: &str) -> String {
    name.chars().filter(|it| !matches!(it, '-' | '_')).collect::<String>().to_lowercase()
}

impl Acceptor {
    fn read(said: &Tree) -> Result<Option<Self>, QueryError> {
        let state = match said.text("state") {
            Some("success") => State::Success,
            Some("failure") => State::Failure,
            Some("retry") => State::Retry,
            _ => return Ok(None),
        };
        let query = || Query::read(said.text("argument").unwrap_or("@"));
        let Some(wanted) = said.get("expected") else { return Ok(None) };
        let value = || Value::from(wanted.to_json());
        let matcher = match (said.text("matcher"), wanted) {
            (Some("path"), _) => Matcher::Path(query()?, value()),
            (Some("pathAll"), _) => Matcher::All(query()?, value()),
            (Some("pathAny"), _) => Matcher::Any(query()?, value()),
            (Some("status"), Tree::Int(status)) => Matcher::Status(*status),
            (Some("error"), Tree::Str(code)) => Matcher::Error((*code).to_owned()),
            (Some("error"), Tree::Bool(it)) => Matcher::Failed(*it),
            _ => return Ok(None),
        };
        Ok(Some(Self { state, matcher }))
    }
}

impl Matcher {
    fn fits(&self, seen: Seen<'_>) -> bool {
        match (self, seen) {
            (Self::Path(query, wanted), Seen::Answer { values, .. }) => {
                query.find(values).is_ok_and(|it| *it == *wanted)
            }
            (Self::All(query, wanted), Seen::Answer { values, .. }) => {
                query.find(values).is_ok_and(|it| {
                    !it.items().is_empty() && it.items().iter().all(|item| item == wanted)
                })
            }
            (Self::Any(query, wanted), Seen::Answer { values, .. }) => {
                query.find(values).is_ok_and(|it| it.items().contains(wanted))
            }
            (Self::Status(wanted), Seen::Answer { status, .. } | Seen::Error { status, .. }) => {
                i64::from(status) == *wanted
            }
            (Self::Error(wanted), Seen::Error { code, .. }) => code == wanted,
            (Self::Failed(wanted), seen) => matches!(seen, Seen::Error { .. }) == *wanted,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Store;

    fn waiter(service: &str, name: &str) -> Waiter {
        let service = Store::default().service(service).expect("readable").expect("there");
        Waiter::of(service, name).expect("readable").expect("there")
    }

    #[test]
    fn all_of_the_models_are_read_as_a_whole() {
        let store = Store::default();
        let mut seen = 0;
        for listed in Store::bundled() {
            let service = store.service(listed.name).expect("readable").expect("there");
            for name in Waiter::names(service) {
                let waiter = Waiter::of(service, name).expect("readable").expect("there");
                let all = service.waiters();
                let said = all.get(name).and_then(|it| it.get("acceptors")).expect("some");
                assert_eq!(waiter.acceptors.len(), said.items().len(), "{name}");
                assert!(service.operation(waiter.operation).is_some(), "{name}");
                seen += 1;
            }
        }
        assert!(seen > 400, "{seen}");
    }

    #[test]
    fn states_are_told_from_answers_and_errors() {
        let running = waiter("ec2", "instance-running");
        assert_eq!((running.name, running.most), ("InstanceRunning", 40));
        let instances = |states: &[&str]| -> Value {
            let all: Vec<_> = states.iter().map(|it| json!({"State": {"Name": it}})).collect();
            json!({"Reservations": [{"Instances": all}]}).into()
        };
        for (states, state) in [
            (&["running", "running"][..], State::Success),
            (&["running", "pending"][..], State::Retry),
            (&["running", "terminated"][..], State::Failure),
            (&[][..], State::Retry),
        ] {
            let values = instances(states);
            assert_eq!(running.state(Seen::Answer { values: &values, status: 200 }), Some(state));
        }
        let error = |code| running.state(Seen::Error { code, status: 400 });
        assert_eq!(error("InvalidInstanceID.NotFound"), Some(State::Retry));
        assert_eq!(error("UnauthorizedOperation"), None);
        let exists = waiter("s3", "BucketExists");
        assert_eq!(exists.state(Seen::Error { code: "404", status: 404 }), Some(State::Retry));
    }
}
