//! The client of a task: made from what the task says of who calls, kept for the tasks after it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use davit_aws::connection::Body;
use davit_aws::http::{Headers, Request, Response};
use davit_module::ModuleError;
use davit_module::control::Control;
use serde_json::Value;

use super::clouds::Cloud;
use super::error::{Error, Said};
use super::http::{Http, secure};
use super::login::Login;
use super::tokens::{Token, Tokens};

/// What a module calls Azure with.
#[derive(Debug)]
pub struct Azure {
    /// Carries requests.
    pub http: Arc<Http>,
    /// Where the services are.
    pub cloud: Cloud,
    /// The subscription that the task, the environment or the file says.
    pub said_subscription: Option<String>,
    tokens: Tokens,
    /// What was asked once and does not change while a play runs: lists of versions, the subscription.
    pub known: tokio::sync::Mutex<BTreeMap<String, Value>>,
}

/// Clients by who calls, in which environment.
type Kept = Mutex<Vec<(Login, BTreeMap<String, String>, Arc<Azure>)>>;

impl Azure {
    /// The client for what a task says. The file with credentials is read here; nothing is called.
    ///
    /// # Errors
    /// When what is said makes no sense.
    pub fn new(control: &Control, login: &Login) -> Result<Arc<Self>, ModuleError> {
        let environment = control.environment();
        for secret in [&login.secret, &login.access_token].into_iter().flatten() {
            control.secret(secret);
        }
        for name in ["AZURE_SECRET", "AZURE_CLIENT_SECRET"] {
            control
                .variable(name)
                .filter(|it| !it.is_empty())
                .iter()
                .for_each(|it| control.secret(it));
        }
        let kept = control.shared().get("azure", Kept::default);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(known, of, _)| known == login && *of == environment);
        if let Some((.., azure)) = found {
            return Ok(Arc::clone(azure));
        }
        let caller = login.caller(&environment)?;
        let patience = Duration::from_secs(login.read_timeout.max(1));
        let http = Arc::new(Http::new(&environment, caller.verify, patience));
        let azure = Arc::new(Self {
            tokens: Tokens::new(Arc::clone(&http), caller.sources, caller.looked),
            http,
            cloud: caller.cloud,
            said_subscription: caller.subscription,
            known: tokio::sync::Mutex::default(),
        });
        kept.push((login.clone(), environment, Arc::clone(&azure)));
        Ok(azure)
    }

    /// A token for what is called.
    ///
    /// # Errors
    /// When there are no credentials, or they are not taken.
    pub async fn token(&self, audience: &str) -> Result<Token, Error> {
        self.tokens.get(audience).await
    }

    /// Sends a request with a token in it, and once more with a fresh one where that is refused.
    ///
    /// # Errors
    /// When no answer comes, or nobody gives a token.
    pub async fn send(
        &self,
        request: &Request,
        body: &Body,
        audience: &str,
    ) -> Result<Response, Error> {
        secure(request)?;
        let mut is_second = false;
        loop {
            let token = self.tokens.get(audience).await?;
            let mut request = request.clone();
            request.headers.set("authorization", format!("Bearer {}", token.text));
            let answer = self.http.send(&request, body).await?;
            let is_refused = answer.status == 401 && !is_second;
            if !is_refused || !self.tokens.forget(audience, &token).await {
                return Ok(answer);
            }
            is_second = true;
        }
    }
}

/// An answer in JSON.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `200`.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// What it says; null where there is nothing.
    pub json: Value,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// When the service says no, or it is no service that answers.
    pub fn of(answer: Response, url: &str) -> Result<Self, Error> {
        if !(200..300).contains(&answer.status) {
            return Err(Error::Service(Box::new(Said::of(&answer))));
        }
        let json = if answer.body.trim_ascii().is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer.body).map_err(|_| {
                let kind = answer.headers.get("content-type").unwrap_or("something of no kind");
                let url = url.split('?').next().unwrap_or_default();
                Error::NotJson { url: url.to_owned(), what: kind.to_owned() }
            })?
        };
        Ok(Self { status: answer.status, headers: answer.headers, json })
    }
}

/// A request with a body of JSON.
#[must_use]
pub fn with_json(mut request: Request, body: Option<&Value>) -> (Request, Body) {
    request.headers.set("accept", "application/json");
    match body {
        None => (request, Body::Empty),
        Some(json) => {
            request.headers.set("content-type", "application/json");
            (request, Body::Bytes(Bytes::from(json.to_string())))
        }
    }
}
