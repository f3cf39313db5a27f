//! Tokens: where they come from, and how long they are kept. Knows no API that they are for.

pub mod cli;
pub mod managed;
pub mod registered;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use davit_aws::http::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::error::{Error, Looked, Said};
use super::http::Http;

/// How long before its end a token is no longer used.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A bearer token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What is sent.
    pub text: String,
    /// When it ends; nothing where that is not known, as of one that was handed in.
    pub expires: Option<Timestamp>,
    /// The subscription that whoever gave it works with.
    pub subscription: Option<String>,
}

/// Nothing secret is shown.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Token {
    /// A token without an end.
    #[must_use]
    pub fn endless(text: impl Into<String>) -> Self {
        Self { text: text.into(), expires: None, subscription: None }
    }

    fn lasts(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|it| now + MARGIN < it)
    }

    /// Reads what a service of tokens answered: `expires_in` from now on, or `expires_on` since 1970,
    /// as numbers or texts.
    fn of(answer: &Response, place: &'static str) -> Result<Self, Error> {
        let refused = |reason: String| Error::Refused { place, reason };
        if answer.status != 200 {
            return Err(refused(Said::of(answer).to_string()));
        }
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let number = |name: &str| match json.get(name)? {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        let Some(text) = json.get("access_token").and_then(Value::as_str) else {
            return Err(refused("the answer has no access_token".to_owned()));
        };
        let now = Timestamp::now();
        let after = |seconds: i64| now.checked_add(SignedDuration::from_secs(seconds)).ok();
        let expires = number("expires_in").and_then(after);
        let expires =
            expires.or_else(|| number("expires_on").and_then(|it| Timestamp::from_second(it).ok()));
        // One that does not say is asked for again soon.
        let expires = expires.or_else(|| after(600));
        Ok(Self { text: text.to_owned(), expires, subscription: None })
    }
}

/// Where tokens come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// One was handed in.
    Given(Token),
    /// An application that is registered in a tenant.
    Registered(registered::Registered),
    /// The identity of the machine that this runs on.
    Managed(managed::Managed),
    /// Whoever is logged in to the Azure CLI.
    Cli(cli::Cli),
}

impl Source {
    async fn fetch(&self, http: &Http, audience: &str) -> Result<Token, Error> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Registered(it) => it.fetch(http, audience).await,
            Self::Managed(it) => it.fetch(http, audience).await,
            Self::Cli(it) => it.fetch(audience).await,
        }
    }

    /// Whether it may turn out that there is none, and others are asked then.
    fn is_tentative(&self) -> bool {
        match self {
            Self::Given(_) | Self::Registered(_) => false,
            Self::Managed(it) => it.is_tentative,
            Self::Cli(it) => it.is_tentative,
        }
    }

    fn place(&self) -> &'static str {
        match self {
            Self::Given(_) => "access_token",
            Self::Registered(it) => it.place,
            Self::Managed(_) => managed::PLACE,
            Self::Cli(_) => cli::PLACE,
        }
    }
}

/// Gives tokens, and keeps them until shortly before they end.
#[derive(Debug)]
pub struct Tokens {
    http: Arc<Http>,
    sources: Vec<Source>,
    /// Places that were looked at and have nothing.
    looked: Vec<Looked>,
    kept: tokio::sync::Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The source that served.
    found: Option<usize>,
    by_audience: HashMap<String, Token>,
}

impl Tokens {
    /// Tokens from the first of `sources` that serves. `looked` has the places that are none.
    #[must_use]
    pub fn new(http: Arc<Http>, sources: Vec<Source>, looked: Vec<Looked>) -> Self {
        Self { http, sources, looked, kept: tokio::sync::Mutex::default() }
    }

    /// A token for what is called: `https://management.azure.com`.
    ///
    /// # Errors
    /// When there are no credentials, or they are not taken.
    pub async fn get(&self, audience: &str) -> Result<Token, Error> {
        let audience = audience.trim_end_matches('/');
        // Others that want one meanwhile wait, and find it.
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.by_audience.get(audience)
            && token.lasts(Timestamp::now())
        {
            return Ok(token.clone());
        }
        let mut looked = self.looked.clone();
        let from = kept.found.unwrap_or(0);
        for (place, source) in self.sources.iter().enumerate().skip(from) {
            match source.fetch(&self.http, audience).await {
                Ok(token) => {
                    kept.found = Some(place);
                    kept.by_audience.insert(audience.to_owned(), token.clone());
                    return Ok(token);
                }
                Err(Error::Refused { reason, .. })
                    if source.is_tentative() && kept.found.is_none() =>
                {
                    looked.push(Looked { place: source.place(), reason });
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Nobody { looked })
    }

    /// The token is no longer taken: the next one is a fresh one. Whether there can be another.
    pub async fn forget(&self, audience: &str, token: &Token) -> bool {
        let mut kept = self.kept.lock().await;
        let audience = audience.trim_end_matches('/');
        if kept.by_audience.get(audience) == Some(token) {
            kept.by_audience.remove(audience);
        }
        !matches!(kept.found.and_then(|it| self.sources.get(it)), Some(Source::Given(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_in_several_ways() {
        let of = |body: &str| {
            let answer =
                Response { status: 200, body: body.to_owned().into(), ..Response::default() };
            Token::of(&answer, "here")
        };
        let token = of(r#"{"access_token": "T0K3N", "expires_in": "3600"}"#).unwrap();
        let now = Timestamp::now();
        assert!(token.lasts(now) && !token.lasts(now + SignedDuration::from_mins(56)));
        let token = of(r#"{"access_token": "T0K3N", "expires_on": 4102444800}"#).unwrap();
        assert_eq!(token.expires, Timestamp::from_second(4_102_444_800).ok());
        assert!(of(r#"{"access_token": "T0K3N"}"#).unwrap().expires.is_some());
        assert!(of("{}").is_err());
        assert!(!format!("{token:?}").contains("T0K3N"));
    }
}
