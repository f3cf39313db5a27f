//! Files with credentials: what kinds there are, and how each comes to a token.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::http;
use super::federation::{self, External};
use super::{CLOUD_PLATFORM, LIFETIME, Token, With, impersonate, now, text_of};
use crate::web::jwt;

/// Where Google gives tokens.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// The credentials of a file.
#[derive(Debug)]
pub(super) struct Credentials {
    /// The file, and what named it.
    pub(super) place: String,
    /// The project they are of.
    pub(super) project: Option<String>,
    /// The project that pays.
    pub(super) quota_project: Option<String>,
    pub(super) kind: Kind,
}

/// What kinds there are.
#[derive(Debug)]
pub(super) enum Kind {
    /// `service_account`.
    ServiceAccount { email: String, key: Box<Key>, token_uri: String },
    /// `authorized_user`, `external_account_authorized_user`.
    User { form: Form, token_uri: String, basic: Option<String> },
    /// `external_account`.
    External(Box<External>),
    /// `impersonated_service_account`.
    Impersonated { source: Box<Self>, url: String, delegates: Vec<String> },
}

/// The key of a service account.
#[derive(Debug)]
pub(super) struct Key {
    key: jwt::Key,
    /// Which of the account's keys it is.
    id: Option<String>,
}

impl Key {
    fn read(pem: &str, id: Option<&str>) -> Result<Self, String> {
        let key = jwt::Key::read(pem.as_bytes()).map_err(|it| format!("private_key: {it}"))?;
        Ok(Self { key, id: id.map(str::to_owned) })
    }

    fn sign(&self, claims: &Value) -> Result<String, String> {
        let head = self.id.as_ref().map_or_else(|| json!({}), |id| json!({"kid": id}));
        self.key.sign(&head, claims)
    }
}

/// What is sent for a token. Nothing of it is shown.
pub(super) struct Form(Vec<(&'static str, String)>);

impl std::fmt::Debug for Form {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
        to.debug_tuple("Form").field(&names).finish()
    }
}

/// Reads a file.
pub(super) async fn read(path: &Path, place: &str) -> Result<Credentials, Error> {
    let text = text_of(path).await?;
    let wrong = |reason: String| Error::Setting { what: place.to_owned(), reason };
    // What is wrong is not shown: it could be a part of a secret.
    let json: Value = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("it is no JSON (line {})", error.line())))?;
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    Ok(Credentials {
        place: place.to_owned(),
        project: text("project_id"),
        quota_project: text("quota_project_id"),
        kind: kind(&json, 0).map_err(wrong)?,
    })
}

/// The credentials of JSON, or what is wrong with it.
fn kind(json: &Value, depth: usize) -> Result<Kind, String> {
    let optional = |name: &str| json[name].as_str().map(str::to_owned);
    let text = |name: &str| optional(name).ok_or_else(|| format!("it has no {name}"));
    match json["type"].as_str() {
        Some("service_account") => Ok(Kind::ServiceAccount {
            email: text("client_email")?,
            key: Box::new(Key::read(&text("private_key")?, json["private_key_id"].as_str())?),
            token_uri: optional("token_uri").unwrap_or_else(|| TOKEN_URI.to_owned()),
        }),
        Some("authorized_user") => Ok(Kind::User {
            form: Form(vec![
                ("grant_type", "refresh_token".to_owned()),
                ("client_id", text("client_id")?),
                ("client_secret", text("client_secret")?),
                ("refresh_token", text("refresh_token")?),
            ]),
            token_uri: optional("token_uri").unwrap_or_else(|| TOKEN_URI.to_owned()),
            basic: None,
        }),
        Some("external_account_authorized_user") => Ok(Kind::User {
            form: Form(vec![
                ("grant_type", "refresh_token".to_owned()),
                ("refresh_token", text("refresh_token")?),
            ]),
            token_uri: text("token_url")?,
            basic: Some(basic(&text("client_id")?, &text("client_secret")?)),
        }),
        Some("external_account") => Ok(Kind::External(Box::new(External::read(json)?))),
        Some("impersonated_service_account") if depth < 4 => Ok(Kind::Impersonated {
            source: Box::new(kind(&json["source_credentials"], depth + 1)?),
            url: text("service_account_impersonation_url")?,
            delegates: {
                let items = json["delegates"].as_array().into_iter().flatten();
                items.filter_map(Value::as_str).map(str::to_owned).collect()
            },
        }),
        Some(other) => Err(format!("credentials of the type {other} are not known")),
        None => Err("it has no type: it is no file with credentials".to_owned()),
    }
}

/// What a client says of itself in a header.
pub(super) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A token of credentials.
pub(super) async fn token(with: &With<'_>, kind: &Kind, scopes: &[String]) -> Result<Token, Error> {
    match kind {
        Kind::ServiceAccount { email, key, token_uri } => {
            service_account(with, (email, key, token_uri), scopes).await
        }
        Kind::User { form, token_uri, basic } => {
            let pairs: Vec<(&str, &str)> =
                form.0.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let mut request = http::form(token_uri, &pairs)?;
            if let Some(basic) = basic {
                request.headers.set("authorization", basic);
            }
            let answer = http::ask(with.pool, with.place, &request).await?;
            Token::of_answer(with.place, &answer.body)
        }
        Kind::External(external) => federation::token(with, external, scopes).await,
        Kind::Impersonated { source, url, delegates } => {
            let broad = [CLOUD_PLATFORM.to_owned()];
            let own = Box::pin(token(with, source, &broad)).await?;
            impersonate(with, &own, url, delegates, scopes).await
        }
    }
}

async fn service_account(
    with: &With<'_>,
    (email, key, token_uri): (&str, &Key, &str),
    scopes: &[String],
) -> Result<Token, Error> {
    let now = now();
    let subject = with.caller.subject.as_deref();
    let mut claims = json!({
        "iss": email,
        "scope": scopes.join(" "),
        "iat": now,
        "exp": now + LIFETIME,
    });
    if with.caller.self_signed {
        if subject.is_some() {
            let text = "only Google gives tokens for a subject: leave out self_signed_jwt";
            return Err(with.wrong(text));
        }
        claims["sub"] = email.into();
        let token = key.sign(&claims).map_err(|it| with.wrong(it))?;
        return Ok(Token::lasting(&token, LIFETIME));
    }
    claims["aud"] = token_uri.into();
    if let Some(subject) = subject {
        claims["sub"] = subject.into();
    }
    let assertion = key.sign(&claims).map_err(|it| with.wrong(it))?;
    let pairs = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion.as_str()),
    ];
    let answer = http::ask(with.pool, with.place, &http::form(token_uri, &pairs)?).await?;
    Token::of_answer(with.place, &answer.body)
}
