//! Why a call of Azure came to nothing, and what modules tell of it.

use std::error::Error as _;
use std::time::Duration;

use davit_aws::connection::TransportError;
use davit_aws::http::{Headers, Response};
use davit_module::ModuleError;
use serde_json::{Map, Value, json};

/// What a service of Azure answered instead of what was asked for.
#[derive(Clone, Debug, Default, PartialEq, thiserror::Error)]
#[error("{}", self.told())]
pub struct Said {
    /// `404`.
    pub status: u16,
    /// `ResourceNotFound`; empty where the answer says none.
    pub code: String,
    /// The sentence that goes with it.
    pub message: String,
    /// `details`, `innererror`, `target` and whatever else stands beside them.
    pub more: Map<String, Value>,
    /// By what Azure's support finds the call.
    pub request_id: Option<String>,
}

impl Said {
    /// Reads an answer: JSON of any of the shapes that services have, XML of the storage, or
    /// something that no service says.
    #[must_use]
    pub fn of(answer: &Response) -> Self {
        let id = ["x-ms-request-id", "x-ms-correlation-request-id"];
        let mut said = Self {
            status: answer.status,
            request_id: id.iter().find_map(|it| answer.headers.get(it)).map(str::to_owned),
            ..Self::default()
        };
        if let Ok(json) = serde_json::from_slice::<Value>(&answer.body) {
            said.take(&json);
        } else if let Ok(text) = std::str::from_utf8(&answer.body)
            && let (Some(code), message) = (between(text, "Code"), between(text, "Message"))
        {
            code.clone_into(&mut said.code);
            // Storage ends its sentences with ids and times, on lines of their own.
            let message = message.unwrap_or_default().lines().next().unwrap_or_default();
            message.clone_into(&mut said.message);
        }
        if said.code.is_empty() {
            said.code = answer.headers.get("x-ms-error-code").unwrap_or_default().to_owned();
        }
        if said.code.is_empty() && said.message.is_empty() {
            said.message = unknown(&answer.headers, &answer.body);
        }
        said
    }

    /// The error of an operation that was polled, or of part of an answer.
    #[must_use]
    pub fn of_json(status: u16, json: &Value) -> Self {
        let mut said = Self { status, ..Self::default() };
        said.take(json);
        said
    }

    fn take(&mut self, json: &Value) {
        let text = |it: &Value| match it {
            // OData keeps the language beside the sentence.
            Value::Object(map) => map.get("value").and_then(Value::as_str).map(str::to_owned),
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let inner = ["error", "odata.error", "Error"].iter().find_map(|it| json.get(it));
        // What gives out tokens has the code where others have a map.
        if let Some(Value::String(code)) = inner {
            self.code.clone_from(code);
            let message = json.get("error_description").and_then(Value::as_str);
            let message = message.unwrap_or_default().lines().next().unwrap_or_default();
            message.clone_into(&mut self.message);
            return;
        }
        let Some(Value::Object(inner)) = inner.or(Some(json)) else { return };
        for (name, value) in inner {
            match name.to_ascii_lowercase().as_str() {
                "code" => self.code = text(value).unwrap_or_default(),
                "message" => self.message = text(value).unwrap_or_default(),
                _ if value.is_null() => {}
                _ => drop(self.more.insert(name.clone(), value.clone())),
            }
        }
    }

    fn told(&self) -> String {
        let mut text = match (self.code.as_str(), self.message.as_str()) {
            ("", message) => format!("HTTP {}: {message}", self.status),
            (code, "") => format!("{code} (HTTP {})", self.status),
            (code, message) => format!("{code}: {message}"),
        };
        let details = self.more.get("details").and_then(Value::as_array);
        for detail in details.into_iter().flatten().take(10) {
            let part = Self::of_json(0, detail);
            if !part.message.is_empty() && part.message != self.message {
                text.push_str(&format!("; {}: {}", part.code, part.message));
            }
        }
        text
    }
}

fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// What is said of an answer that no API gives: the page of a portal or of a proxy.
fn unknown(headers: &Headers, body: &[u8]) -> String {
    if body.is_empty() {
        return "an empty answer".to_owned();
    }
    let kind = headers.get("content-type").unwrap_or("of no kind");
    let text = String::from_utf8_lossy(body);
    let title = ["title", "TITLE"].iter().find_map(|it| between(&text, it)).map(str::trim);
    match title {
        Some(title) => format!("a page of {kind}: {}", title.chars().take(200).collect::<String>()),
        None => format!("an answer that is {kind}, not JSON"),
    }
}

/// A place where credentials may be, and why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// `the environment`.
    pub place: &'static str,
    /// Why it did not serve.
    pub reason: String,
}

/// Why a call of Azure came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service said no.
    #[error(transparent)]
    Service(Box<Said>),
    /// There was no answer, or not the whole of it.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Something answered that is not the API.
    #[error("{url} answers {what} where JSON was expected: is it the address of the API?")]
    NotJson {
        /// What was asked.
        url: String,
        /// What came.
        what: String,
    },
    /// What is to be called is no address.
    #[error("{url:?} is no address of http or https")]
    Address {
        /// The address.
        url: String,
    },
    /// Nothing secret is sent where anyone can read it.
    #[error("{host} is called without TLS: no token is sent there")]
    Insecure {
        /// The host.
        host: String,
    },
    /// There are no credentials anywhere.
    #[error("no credentials for Azure{}", listed(looked))]
    Nobody {
        /// Where they were looked for.
        looked: Vec<Looked>,
    },
    /// There are credentials, and they give no token.
    #[error("no token from {place}: {reason}")]
    Refused {
        /// Where the credentials are from.
        place: &'static str,
        /// Why they give none.
        reason: String,
    },
    /// An operation went on in the service and failed there.
    #[error("the operation ended as {state}{}", error.as_ref().map(|it| format!(": {it}")).unwrap_or_default())]
    Operation {
        /// `Failed`, `Canceled`.
        state: String,
        /// What the service says of it.
        error: Option<Box<Said>>,
    },
    /// It took too long.
    #[error("it is still {state} after {} s", after.as_secs())]
    Late {
        /// How far it was.
        state: String,
        /// How long was waited.
        after: Duration,
    },
    /// An argument or a variable makes no sense.
    #[error("{name}: {reason}")]
    Setting {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// A setting that makes no sense.
    pub fn setting(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Setting { name: name.into(), reason: reason.into() }
    }

    /// What the service said, if it was the service.
    #[must_use]
    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Service(said) => Some(said),
            Self::Operation { error, .. } => error.as_deref(),
            _ => None,
        }
    }

    /// Whether the service says that there is no such thing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        // Whoever is wrong on where something is cannot say that it is not there.
        const ELSEWHERE: &[&str] =
            &["InvalidResourceNamespace", "InvalidResourceType", "SubscriptionNotFound"];
        matches!(self, Self::Service(said)
            if said.status == 404 && !ELSEWHERE.contains(&said.code.as_str()))
    }
}

fn listed(looked: &[Looked]) -> String {
    let all: Vec<String> =
        looked.iter().map(|it| format!("\n- {}: {}", it.place, it.reason)).collect();
    if all.is_empty() { String::new() } else { format!(". Looked at:{}", all.concat()) }
}

/// An error as a module's: what was done, and what the service says of it in keys of their own.
#[must_use]
pub fn failure(what: &str, error: &Error) -> ModuleError {
    let mut text = format!("{what}: {error}");
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    let failed = ModuleError::failed(text);
    let Some(said) = error.said() else { return failed };
    let mut about = said.more.clone();
    about.insert("code".to_owned(), json!(said.code));
    about.insert("message".to_owned(), json!(said.message));
    let failed = failed.with("error", about).with("request_id", &said.request_id);
    if said.status == 0 { failed } else { failed.with("http_status_code", said.status) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(headers: &[(&str, &str)], body: &str) -> String {
        let headers = headers.iter().copied().collect();
        let answer = Response { status: 400, headers, body: body.to_owned().into() };
        Said::of(&answer).to_string()
    }

    #[test]
    fn what_is_not_there_is_told_from_what_is_nowhere() {
        for (status, code, expected) in [
            (404, "ResourceNotFound", true),
            (404, "ResourceGroupNotFound", true),
            (404, "", true),
            (404, "SubscriptionNotFound", false),
            (404, "InvalidResourceType", false),
            (403, "ResourceNotFound", false),
        ] {
            let said = Said { status, code: code.to_owned(), ..Said::default() };
            assert_eq!(Error::Service(Box::new(said)).is_missing(), expected, "{status} {code}");
        }
    }

    #[test]
    fn errors_of_every_shape_are_read() {
        let arm = r#"{"error": {"code": "A", "message": "b", "details": [{"code": "C", "message": "d"}]}}"#;
        let xml = "\u{feff}<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>No.\nRequestId:1</Message></Error>";
        let odata = r#"{"odata.error": {"code": "A", "message": {"lang": "en", "value": "b"}}}"#;
        let token =
            r#"{"error": "invalid_client", "error_description": "AADSTS7000215: no.\r\nTrace"}"#;
        let page = [("content-type", "text/html")];
        for (headers, body, expected) in [
            (&[][..], arm, "A: b; C: d"),
            (&[], r#"{"code": "A", "message": "b"}"#, "A: b"),
            (&[], odata, "A: b"),
            (&[], token, "invalid_client: AADSTS7000215: no."),
            (&[], xml, "BlobNotFound: No."),
            (&[("x-ms-error-code", "E")], "", "E (HTTP 400)"),
            (&[], "", "HTTP 400: an empty answer"),
            (&page, "<html><title> Gone </title>", "HTTP 400: a page of text/html: Gone"),
            (&page, "<title> Gone </title>", "HTTP 400: a page of text/html: Gone"),
            (&page, "[1]", "HTTP 400: an answer that is text/html, not JSON"),
        ] {
            assert_eq!(said(headers, body), expected, "{body}");
        }
    }
}
