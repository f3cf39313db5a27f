//! Sends requests that nobody has to be known for: those that give tokens. Knows no API.

use std::time::Duration;

use bytes::Bytes;
use davit_aws::connection::{Body, Pool};
use davit_aws::http::{Request, Response, encode};
use serde_json::Value;

use super::error::{Error, Said};
use super::request::{self, secure};
use super::retry::{Failure, Retry};

/// No answer that is kept in memory is larger.
pub(super) const LARGEST: usize = 256 << 20;

/// A request with a form, as OAuth has them. What is in it is secret.
pub(super) fn form(url: &str, pairs: &[(&str, &str)]) -> Result<Request, Error> {
    let mut request = request::of_url("POST", url)?;
    secure(&request)?;
    request.headers.set("content-type", "application/x-www-form-urlencoded");
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value)));
    request.body = Bytes::from(pairs.collect::<Vec<_>>().join("&"));
    Ok(request)
}

/// A request with JSON, and a token beside it.
pub(super) fn json(url: &str, body: &Value) -> Result<Request, Error> {
    let mut request = request::of_url("POST", url)?;
    secure(&request)?;
    request.headers.set("content-type", "application/json");
    request.body = Bytes::from(body.to_string());
    Ok(request)
}

/// The answer to a request that gives a token, which is asked again where that may help. `place` is what the
/// credentials came from.
pub(super) async fn ask(pool: &Pool, place: &str, request: &Request) -> Result<Response, Error> {
    let mut retry = Retry::default();
    loop {
        let (error, pause) = match once(pool, request).await {
            Ok(answer) if answer.status < 300 => return Ok(answer),
            Ok(answer) => {
                let said = Said::read(&request.host, answer.status, &answer.body);
                let pause = retry.again(Failure::Said(&said, &answer.headers), true);
                let reason = said.to_string();
                (Error::Token { place: place.to_owned(), reason }, pause)
            }
            Err(error) => {
                let pause = retry.again(Failure::Transport(&error), true);
                let source = Error::Transport { method: request.host.clone(), source: error };
                (Error::Token { place: place.to_owned(), reason: source.chain() }, pause)
            }
        };
        let Some(pause) = pause else { return Err(error) };
        tokio::time::sleep(pause).await;
    }
}

/// The answer to a request that is made once, within so long.
pub(super) async fn within(pool: &Pool, request: &Request, limit: Duration) -> Option<Response> {
    tokio::time::timeout(limit, once(pool, request)).await.ok()?.ok()
}

async fn once(
    pool: &Pool,
    request: &Request,
) -> Result<Response, davit_aws::connection::TransportError> {
    let body = Body::Bytes(request.body.clone());
    pool.send(request, body).await?.read(LARGEST).await
}
