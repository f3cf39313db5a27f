//! Requests and answers, and the patience that Azure asks for: throttled calls and those that broke
//! off are tried again. Knows no service and no credentials.

use std::collections::BTreeMap;
use std::time::Duration;

use davit_aws::config::{Environment, Proxies};
use davit_aws::connection::{Answer, Body, Options, Pool};
use davit_aws::http::{Headers, Request, Response};
use jiff::Timestamp;

use super::error::{Error, Said};

/// What is read into memory at most.
const MOST: usize = 256 << 20;
/// How often a call is tried, all in all.
const ATTEMPTS: u32 = 6;
/// The first pause; each one after it is twice as long.
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
        let mut pauses = Pauses::default();
        loop {
            let answer = self.once(request, body).await;
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
        self.tried += 1;
        if self.tried >= ATTEMPTS {
            return None;
        }
        // What makes something new each time is not sent twice, unless the server did not take it.
        let is_repeatable = method != "POST";
        let own = FIRST * 2_u32.pow(self.tried - 1);
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
}

/// How long the server asks to wait.
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
    let host = request.host.as_str();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_here = name == "localhost"
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if request.scheme == "https" || is_here {
        return Ok(());
    }
    Err(Error::Insecure { host: host.to_owned() })
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
        assert_eq!(first("GET", answer(500, &[])), Some(FIRST));
        assert_eq!(first("POST", answer(500, &[])), None);
        let wait = [("Retry-After", "7")];
        assert_eq!(first("POST", answer(429, &wait)), Some(Duration::from_secs(7)));
        assert_eq!(first("PUT", answer(409, &wait)), None);
        assert_eq!(first("GET", answer(429, &[("retry-after", "301")])), None);
        let mut pauses = Pauses::default();
        let all: Vec<_> = (0..7).map(|_| pauses.next("GET", &answer(503, &[]))).collect();
        assert_eq!(all[4], Some(FIRST * 16));
        assert_eq!(all[5..], [None, None]);
    }

    #[test]
    fn servers_say_in_several_ways_how_long() {
        let wait = |name: &str, value: &str| retry_after(&[(name, value)].into_iter().collect());
        assert_eq!(wait("x-ms-retry-after-ms", "20"), Some(Duration::from_millis(20)));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "soon"), None);
    }

    #[test]
    fn nothing_secret_goes_over_open_lines() {
        for (url, fits) in [
            ("https://a.com/", true),
            ("http://a.com/", false),
            ("http://127.0.0.1:10000/a", true),
            ("http://[::1]:1/", true),
            ("http://localhost:1/", true),
            ("http://localhost.example.com/", false),
            ("http://127.0.0.1.example.com/", false),
        ] {
            let request = request("GET", url, &[]).unwrap();
            assert_eq!(secure(&request).is_ok(), fits, "{url}");
        }
    }
}
