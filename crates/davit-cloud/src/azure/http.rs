//! Requests and answers, and the patience that Azure asks for: throttled calls and those that broke
//! off are tried again. Knows no service and no credentials.

use std::collections::BTreeMap;
use std::time::Duration;

use davit_aws::config::{Environment, Proxies};
use davit_aws::connection::{Answer, Body, Options, Pool};
use davit_aws::http::{Request, Response};

use super::error::{Error, Said};
use crate::web::pauses::{growing, retry_after};
use crate::web::place;

/// What is read into memory at most.
const MOST: usize = 256 << 20;
/// How often a call is tried, all in all.
const ATTEMPTS: u32 = 6;
/// The longest first pause; each one after it may be twice as long.
const FIRST: Duration = Duration::from_millis(800);
/// The longest pause that a server may ask for.
const LONGEST: Duration = Duration::from_secs(300);

/// Carries requests to the services of Azure.
#[derive(Debug)]
pub struct Http {
    pool: Pool,
    /// To what is next door: no proxy, and not for long.
    direct: Pool,
}

impl Http {
    /// Proxies are those of the environment.
    #[must_use]
    pub fn new(
        environment: &BTreeMap<String, String>,
        verify: bool,
        read_timeout: Duration,
    ) -> Self {
        let variables: Environment = environment.iter().collect();
        let options = Options {
            proxies: Proxies::of(&variables),
            verify,
            read_timeout,
            connect_timeout: Duration::from_secs(30),
            ..Options::default()
        };
        let direct = Options {
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(30),
            ..Options::default()
        };
        Self { pool: Pool::new(options), direct: Pool::new(direct) }
    }

    /// Sends a request until an answer comes that is worth having, and gives it, whatever its status.
    ///
    /// # Errors
    /// When none comes.
    pub async fn send(&self, request: &Request, body: &Body) -> Result<Response, Error> {
        self.send_made(&|| request.clone(), body).await
    }

    /// The same with a request that is made anew for each attempt, as its signature is good for some minutes only.
    ///
    /// # Errors
    /// As for `send`.
    pub async fn send_made(
        &self,
        make: &(dyn Fn() -> Request + Sync),
        body: &Body,
    ) -> Result<Response, Error> {
        let mut pauses = Pauses::default();
        loop {
            let request = make();
            let answer = self.once(&request, body).await;
            match pauses.next(&request.method, &answer) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return answer,
            }
        }
    }

    /// The same, with an error for a status that is none of success.
    ///
    /// # Errors
    /// When none comes, or the service says no.
    pub async fn expect(&self, request: &Request, body: &Body) -> Result<Response, Error> {
        let answer = self.send(request, body).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(Error::Service(Box::new(Said::of(&answer))))
    }

    /// Sends a request to a service of metadata, once.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn near(&self, request: &Request) -> Result<Response, Error> {
        Ok(self.direct.send(request, Body::Empty).await?.read(MOST).await?)
    }

    async fn once(&self, request: &Request, body: &Body) -> Result<Response, Error> {
        let answer: Answer = self.pool.send(request, body.again().unwrap_or_default()).await?;
        Ok(answer.read(MOST).await?)
    }
}

/// The pauses between the attempts of a call.
#[derive(Debug, Default)]
pub struct Pauses {
    tried: u32,
}

impl Pauses {
    /// How long to wait before the next attempt; nothing where there is to be none.
    pub fn next(&mut self, method: &str, answer: &Result<Response, Error>) -> Option<Duration> {
        let own = self.own()?;
        // What makes something new each time is not sent twice, unless the server did not take it.
        let is_repeatable = method != "POST";
        match answer {
            Ok(answer) => {
                let is_due = match answer.status {
                    429 | 503 => true,
                    408 | 500 | 502 | 504 => is_repeatable,
                    _ => false,
                };
                let asked = retry_after(&answer.headers);
                (is_due && asked.is_none_or(|it| it <= LONGEST)).then(|| asked.unwrap_or(own))
            }
            Err(Error::Transport(error)) if error.passes() => {
                use davit_aws::connection::TransportError as Transport;
                let is_unsent =
                    matches!(error, Transport::Connect { .. } | Transport::ConnectTimeout { .. });
                (is_repeatable || is_unsent).then_some(own)
            }
            Err(_) => None,
        }
    }

    /// How long to wait before the next attempt, whatever was answered; nothing where there were enough.
    pub fn own(&mut self) -> Option<Duration> {
        self.tried += 1;
        (self.tried < ATTEMPTS).then(|| growing(FIRST, self.tried - 1, LONGEST))
    }
}

/// A request to an address, with parameters behind those that it has.
///
/// # Errors
/// When it is no address.
pub fn request(method: &str, url: &str, query: &[(&str, &str)]) -> Result<Request, Error> {
    let made = Request::of_url(method, url);
    let mut request = made.ok_or_else(|| Error::Address { url: url.to_owned() })?;
    for (name, value) in query {
        request.query.push(((*name).to_owned(), (*value).to_owned()));
    }
    let agent = concat!("davit/", env!("CARGO_PKG_VERSION"));
    request.headers.set("user-agent", agent);
    Ok(request)
}

/// Whether something secret may be sent there: over TLS, or without leaving this machine.
///
/// # Errors
/// When it may not.
pub fn secure(request: &Request) -> Result<(), Error> {
    if place::is_secure(request) {
        return Ok(());
    }
    Err(Error::Insecure { host: request.host.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Result<Response, Error> {
        let headers = headers.iter().copied().collect();
        Ok(Response { status, headers, ..Response::default() })
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        let first = |method, answer| Pauses::default().next(method, &answer);
        assert!(first("GET", answer(500, &[])).unwrap() <= FIRST);
        assert_eq!(first("POST", answer(500, &[])), None);
        let wait = [("Retry-After", "7")];
        assert_eq!(first("POST", answer(429, &wait)), Some(Duration::from_secs(7)));
        assert_eq!(first("PUT", answer(409, &wait)), None);
        assert_eq!(first("GET", answer(429, &[("retry-after", "301")])), None);
        let mut pauses = Pauses::default();
        let all: Vec<_> = (0..7).map(|_| pauses.next("GET", &answer(503, &[]))).collect();
        assert!(all[4].unwrap() >= FIRST * 8);
        assert_eq!(all[5..], [None, None]);
    }
}
