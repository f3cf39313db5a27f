//! Waiting for something to come about.

use std::time::{Duration, Instant};

use super::{Call, Client, Output, sleep};
use crate::{
    error::Error,
    validate::nearest,
    value::{Map, Value},
    wait::{Seen, State, Waiter},
};

/// How long and how often, where the model's word is not to count.
#[derive(Default)]
pub struct Waiting<'a> {
    /// The time between two calls.
    pub delay: Option<Duration>,
    /// How often is asked at most.
    pub most: Option<u32>,
    /// How long is waited at most.
    pub timeout: Option<Duration>,
    /// What is told how often was asked, each time before it is asked again.
    pub each: Option<&'a mut (dyn FnMut(u32) + Send)>,
}

impl Client {
    /// Waits for what a waiter of the service waits for.
    ///
    /// # Errors
    ///
    /// When there is no such waiter, when a call fails in a way that it knows nothing of, when what is waited for will
    /// never come, or did not come in time.
    pub async fn wait(
        &self,
        service: &str,
        name: &str,
        params: Map,
        mut waiting: Waiting<'_>,
    ) -> Result<Option<Output>, Error> {
        let model = self.service(service)?;
        let waiter = Waiter::of(model, name)?.ok_or_else(|| {
            let names = Waiter::names(model);
            let nearest = nearest(name, names).map(str::to_owned);
            Error::UnknownWaiter { service: model.name, name: name.to_owned(), nearest }
        })?;
        let began = Instant::now();
        let most = waiting.most.unwrap_or(waiter.most).max(1);
        let delay = waiting.delay.unwrap_or(waiter.delay);
        for calls in 1..=most {
            if let Some(each) = &mut waiting.each {
                each(calls);
            }
            let call = Call::new(model.name, waiter.operation, params.clone());
            let outcome = self.run(call).await;
            let state = match &outcome {
                Ok(output) => {
                    let values = Value::Map(output.values.clone());
                    waiter.state(Seen::Answer { values: &values, status: output.metadata.status })
                }
                Err(Error::Service(said)) => {
                    waiter.state(Seen::Error { code: &said.code, status: said.metadata.status })
                }
                Err(_) => None,
            };
            match (state, outcome) {
                (Some(State::Success), outcome) => return Ok(outcome.ok()),
                (Some(State::Failure), outcome) => {
                    let seen = match outcome {
                        Ok(_) => "it is in a state that it does not leave".to_owned(),
                        Err(error) => error.to_string(),
                    };
                    return Err(Error::WaitFailed { waiter: waiter.name, seen });
                }
                (None, Err(error)) => return Err(error),
                (Some(State::Retry) | None, _) => {}
            }
            let late = waiting.timeout.is_some_and(|it| began.elapsed() + delay > it);
            if calls == most || late {
                let waited = began.elapsed();
                return Err(Error::WaitTimeout { waiter: waiter.name, calls, waited });
            }
            sleep(delay).await;
        }
        Ok(None)
    }
}
