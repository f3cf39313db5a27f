//! Why a call of Google's APIs failed.

use std::path::PathBuf;
use std::time::Duration;

use davit_aws::connection::TransportError;
use davit_module::ModuleError;
use serde_json::{Value, json};

use super::check::Problem;

/// Why a call failed, or was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such API.
    #[error("Google has no API {name}{}", hint(nearest.as_deref()))]
    Api {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// The API has no such version, or none that stands for it.
    #[error("{}", versions(name, version.as_deref(), known))]
    Version {
        /// The API.
        name: String,
        /// What was asked for.
        version: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// The API has no such method.
    #[error("{api} {version} has no method {name}{}", hint(nearest.as_deref()))]
    Method {
        /// The API.
        api: String,
        /// Its version.
        version: String,
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A discovery document cannot be read.
    #[error("the discovery document {} cannot be read: {reason}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What the method was given does not fit it.
    #[error("{method}: {}", listed(problems))]
    Invalid {
        /// The method.
        method: String,
        /// All that is wrong, at least one thing.
        problems: Vec<Problem>,
    },
    /// A setting makes no sense.
    #[error("{what}: {reason}")]
    Setting {
        /// Which one, or the file that it is in.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nobody to call as.
    #[error("no credentials of Google Cloud were found; {}", tried.join("; "))]
    Nobody {
        /// Where they were looked for, and what was there.
        tried: Vec<String>,
    },
    /// There are credentials and no token for them.
    #[error("{place} gives no token: {reason}")]
    Token {
        /// What the credentials came from.
        place: String,
        /// Why there is none.
        reason: String,
    },
    /// Google says no.
    #[error("{0}")]
    Said(Box<Said>),
    /// Nothing secret is sent where anyone can read it.
    #[error("{host} is called without TLS: nothing secret is sent there")]
    Insecure {
        /// The host.
        host: String,
    },
    /// There was no answer.
    #[error("{method}: there is no answer")]
    Transport {
        /// The method.
        method: String,
        /// Why.
        source: TransportError,
    },
    /// There was an answer that makes no sense.
    #[error("{method}: the answer makes no sense (status {status}): {reason}")]
    Answer {
        /// The method.
        method: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
    /// An operation did not end in time.
    #[error("the operation {name} has not ended after {} s", after.as_secs())]
    Unfinished {
        /// The operation.
        name: String,
        /// How long was waited.
        after: Duration,
    },
    /// A file here cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// A verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What Google says of why it does not do something.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The method, or the operation.
    pub method: String,
    /// The HTTP status, or the code of an operation.
    pub code: u64,
    /// `NOT_FOUND`, `PERMISSION_DENIED`; empty where it is not said.
    pub status: String,
    /// `notFound`, `rateLimitExceeded`; empty where it is not said.
    pub reason: String,
    /// The message.
    pub message: String,
    /// What else is said.
    pub details: Value,
}

impl std::fmt::Display for Said {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let about = [&self.status, &self.reason].map(String::as_str);
        let code = self.code.to_string();
        let mut about: Vec<&str> = std::iter::once(code.as_str()).chain(about).collect();
        about.retain(|it| !it.is_empty() && *it != "0");
        write!(to, "{}: {} ({})", self.method, self.message, about.join(", "))
    }
}

impl Said {
    /// What an answer says that is no success: as JSON where it is that, otherwise what can be made of it.
    #[must_use]
    pub fn read(method: &str, status: u16, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        // Some answers are lists of one.
        let json = if json.is_array() { json[0].clone() } else { json };
        let mut said = Self::of_error(method, &json["error"]);
        if said.code == 0 {
            said.code = status.into();
        }
        if said.message.is_empty() {
            said.message = match json["error"].as_str() {
                // OAuth's way.
                Some(error) => match json["error_description"].as_str() {
                    Some(text) => format!("{error}: {text}"),
                    None => error.to_owned(),
                },
                None => plain(body),
            };
        }
        said
    }

    /// The same of the `error` of an answer or an operation.
    #[must_use]
    pub fn of_error(method: &str, error: &Value) -> Self {
        let first = &error["errors"][0];
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let details = error["details"].as_array().into_iter().flatten();
        let info = details.clone().find_map(|it| it["reason"].as_str());
        // Operations of Compute Engine have a word where others have a number.
        let word = first["code"].as_str().or_else(|| error["code"].as_str());
        let reason = first["reason"].as_str().or(info).or(word).unwrap_or_default().to_owned();
        let message = [&error["message"], &first["message"]].into_iter().find(|it| it.is_string());
        let mut rest = error.clone();
        if let Some(rest) = rest.as_object_mut() {
            for name in ["code", "message", "status"] {
                rest.remove(name);
            }
        }
        Self {
            method: method.to_owned(),
            code: error["code"].as_u64().unwrap_or(0),
            status: text(&error["status"]),
            reason,
            message: message.map(text).unwrap_or_default(),
            details: rest,
        }
    }

    /// Whether Google wants it slower.
    #[must_use]
    pub fn is_too_fast(&self) -> bool {
        let limited = ["rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"];
        self.code == 429 || self.code == 403 && limited.contains(&self.reason.as_str())
    }
}

/// The first words of an answer that is no JSON, without the marks of HTML.
fn plain(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned();
    let mut plain = String::new();
    let mut inside = false;
    for letter in text.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                plain.push(' ');
            }
            _ if !inside => plain.push(letter),
            _ => {}
        }
    }
    let words: Vec<&str> = plain.split_whitespace().take(40).collect();
    if words.is_empty() { "nothing is said of why".to_owned() } else { words.join(" ") }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |it| format!("; did you mean {it}?"))
}

fn versions(name: &str, version: Option<&str>, known: &[String]) -> String {
    let known = known.join(", ");
    match version {
        Some(version) => format!("{name} has no version {version}: it has {known}"),
        None => format!("{name} needs a version: it has {known}"),
    }
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// The text with that of its causes.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }
}

/// With the code, the message and the reason that users know to look for.
impl From<Error> for ModuleError {
    fn from(error: Error) -> Self {
        let failed = Self::failed(error.chain());
        let Error::Said(said) = &error else { return failed };
        let about = json!({
            "code": said.code,
            "status": said.status,
            "reason": said.reason,
            "message": said.message,
            "details": said.details,
        });
        failed.with("error", about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_google_says_is_read_in_all_its_forms() {
        for (body, expect) in [
            (
                r#"{"error": {"code": 404, "message": "no b", "errors": [{"reason": "notFound"}]}}"#,
                "m: no b (404, notFound)",
            ),
            (
                r#"{"error": {"code": 403, "message": "off", "status": "PERMISSION_DENIED",
                    "details": [{"reason": "SERVICE_DISABLED"}]}}"#,
                "m: off (403, PERMISSION_DENIED, SERVICE_DISABLED)",
            ),
            (
                r#"{"error": "invalid_grant", "error_description": "old"}"#,
                "m: invalid_grant: old (400)",
            ),
            ("<html><h1>Bad  Gateway</h1>", "m: Bad Gateway (400)"),
            ("", "m: nothing is said of why (400)"),
            (r#"[{"error": {"code": 400, "message": "x"}}]"#, "m: x (400)"),
        ] {
            assert_eq!(Said::read("m", 400, body.as_bytes()).to_string(), expect);
        }
        let error = json!({"errors": [{"code": "ZONE_FULL", "message": "no room"}]});
        assert_eq!(Said::of_error("m", &error).to_string(), "m: no room (ZONE_FULL)");
    }
}
