//! Operations that go on after the answer, in each of the ways in which services tell how far they
//! are.
//!
//! Source: <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/async-operations>.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::arm::{Arm, Ask};
use super::client::Answer;
use super::error::{Error, Said};
use crate::args::yes;
use crate::web::pauses::retry_after;

/// What modules take that begin operations: flatten it into a module's arguments.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct Waiting {
    /// Wait until the service is done with it.
    #[serde(default = "yes")]
    pub wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "hour")]
    #[schemars(extend("x-aliases" = ["polling_timeout"]))]
    timeout: u64,
    /// How many seconds between two questions, where the service says nothing of it. Without it they are one
    /// second at first and ten in the end.
    #[serde(default)]
    polling_interval: Option<u64>,
}

const fn hour() -> u64 {
    3600
}

impl Waiting {
    /// For how long is waited, and how often asked.
    #[must_use]
    pub fn patience(self) -> Patience {
        Patience {
            timeout: Duration::from_secs(self.timeout),
            interval: self.polling_interval.map(Duration::from_secs),
        }
    }
}

/// How long is waited, and how often asked.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long at most.
    pub timeout: Duration,
    /// How long between two questions, where the service says nothing of it.
    pub interval: Option<Duration>,
}

/// Where it is told how far an operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Teller {
    /// A status of its own, in words.
    Status(String),
    /// Its result, which comes once it is there.
    Result(String),
    /// The resource.
    Resource,
    /// The resource, which goes away.
    Absence,
}

/// How far an operation is.
enum State {
    Done,
    Under(String),
    Failed(String, Option<Box<Said>>),
}

/// An operation that was begun.
#[derive(Debug)]
pub struct Operation<'a> {
    /// Where it was.
    pub arm: &'a Arm,
    /// `PUT`.
    pub method: &'a str,
    /// The path of the resource.
    pub path: &'a str,
    /// The parameters that it is asked for with.
    pub query: &'a [(&'a str, &'a str)],
    /// What was answered to it.
    pub first: Answer,
}

impl Operation<'_> {
    /// Waits for the end of it; the last answer, which for an action is what came of it. `tell` hears
    /// how far it is.
    ///
    /// # Errors
    /// When it fails, or is not done in time.
    pub async fn finish(
        &self,
        patience: Patience,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Answer, Error> {
        let Some(mut teller) = self.teller()? else { return Ok(self.first.clone()) };
        let began = Instant::now();
        let mut pause = Duration::from_secs(1);
        let mut last = self.first.clone();
        let mut told = String::new();
        let mut is_at_once = false;
        // What the service said in words when it was done.
        let mut done: Option<Answer> = None;
        loop {
            let asked = retry_after(&last.headers).or(patience.interval);
            let wait = asked.unwrap_or(pause).max(Duration::from_millis(50));
            pause = (pause * 2).min(Duration::from_secs(10));
            let left = patience.timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                let state = if told.is_empty() { "under way".to_owned() } else { told };
                return Err(Error::Late { state, after: patience.timeout });
            }
            if !std::mem::take(&mut is_at_once) {
                tokio::time::sleep(wait.min(left)).await;
            }
            last = match self.ask(&teller).await {
                Err(error) if error.is_missing() && self.method == "DELETE" => {
                    if teller == Teller::Absence {
                        return Ok(Answer { json: Value::Null, ..last });
                    }
                    // Whoever told is gone: that does not say that the resource is.
                    (teller, is_at_once) = (Teller::Absence, true);
                    continue;
                }
                Err(error) => match done {
                    // What was called is nothing that can be asked for.
                    Some(done) if is_no_resource(&error) => return Ok(done),
                    _ => return Err(error),
                },
                Ok(answer) => answer,
            };
            match state(&teller, &last) {
                State::Done => match self.result(&teller) {
                    None => return Ok(last),
                    Some(next) => {
                        done = Some(last.clone());
                        (teller, is_at_once) = (next, true);
                    }
                },
                State::Failed(state, error) => return Err(Error::Operation { state, error }),
                State::Under(now) if now != told => {
                    tell(&now);
                    told = now;
                }
                State::Under(_) => {}
            }
        }
    }

    fn teller(&self) -> Result<Option<Teller>, Error> {
        let header = |name: &str| self.first.headers.get(name).map(str::to_owned);
        let is_open = matches!(self.first.status, 200..=202);
        if let Some(url) = header("azure-asyncoperation")
            .or_else(|| header("operation-location"))
            .filter(|_| is_open)
        {
            return Ok(Some(Teller::Status(url)));
        }
        if self.first.status == 202 {
            if let Some(url) = header("location") {
                return Ok(Some(Teller::Result(url)));
            }
            return Ok(match self.method {
                "DELETE" => Some(Teller::Absence),
                "POST" => None,
                _ => Some(Teller::Resource),
            });
        }
        if !matches!(self.method, "PUT" | "PATCH") {
            return Ok(None);
        }
        match state(&Teller::Resource, &self.first) {
            State::Done => Ok(None),
            State::Under(_) => Ok(Some(Teller::Resource)),
            State::Failed(state, error) => Err(Error::Operation { state, error }),
        }
    }

    async fn ask(&self, teller: &Teller) -> Result<Answer, Error> {
        match teller {
            Teller::Status(url) | Teller::Result(url) => self.arm.ask(&Ask::get(url, &[])).await,
            Teller::Resource | Teller::Absence => {
                self.arm.ask(&Ask::get(self.path, self.query)).await
            }
        }
    }

    /// What an action gives, and what became of a resource, stands elsewhere than how far it is.
    fn result(&self, teller: &Teller) -> Option<Teller> {
        let Teller::Status(status) = teller else { return None };
        match self.method {
            "PUT" | "PATCH" => Some(Teller::Resource),
            "POST" => {
                let url = self.first.headers.get("location").filter(|it| it != status)?;
                Some(Teller::Result(url.to_owned()))
            }
            _ => None,
        }
    }
}

fn is_no_resource(error: &Error) -> bool {
    error.said().is_some_and(|it| matches!(it.status, 404 | 405))
}

/// How far a resource is, by its `provisioningState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is done with it.
    Done,
    /// It is being made, changed or deleted.
    Under,
    /// What was done with it came to nothing.
    Failed,
}

/// What a resource says of itself.
#[must_use]
pub fn progress(resource: &Value) -> Progress {
    let word = resource.pointer("/properties/provisioningState").and_then(Value::as_str);
    word.map_or(Progress::Done, |it| match it.to_ascii_lowercase().as_str() {
        "succeeded" | "completed" => Progress::Done,
        "failed" | "canceled" | "cancelled" => Progress::Failed,
        _ => Progress::Under,
    })
}

fn state(teller: &Teller, answer: &Answer) -> State {
    let json = &answer.json;
    let own = json.pointer("/properties/provisioningState").and_then(Value::as_str);
    let word = match teller {
        Teller::Absence => return State::Under("Deleting".to_owned()),
        Teller::Result(_) if answer.status == 202 => Some("InProgress"),
        Teller::Status(_) if answer.status == 202 => {
            json.get("status").and_then(Value::as_str).or(Some("InProgress"))
        }
        Teller::Status(_) => json.get("status").and_then(Value::as_str).or(own),
        Teller::Result(_) | Teller::Resource => own,
    };
    let Some(word) = word else { return State::Done };
    match word.to_ascii_lowercase().as_str() {
        "succeeded" | "completed" => State::Done,
        "failed" | "canceled" | "cancelled" => {
            let error = json.get("error").or_else(|| json.pointer("/properties/error"));
            let error = error.filter(|it| it.is_object());
            let said = error.map(|it| Box::new(Said::of_json(0, it)));
            State::Failed(word.to_owned(), said)
        }
        _ => State::Under(word.to_owned()),
    }
}
