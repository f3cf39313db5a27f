//! Workload identity federation: tokens of others, changed for Google's.
//!
//! Source: <https://google.aip.dev/auth/4117>. Programs that print tokens and certificates are not run or shown.

use serde_json::Value;

use super::super::error::Error;
use super::super::{http, request};
use super::file::basic;
use super::{CLOUD_PLATFORM, Token, With, aws, impersonate, text_of};

/// `external_account`.
#[derive(Debug)]
pub(super) struct External {
    pub(super) audience: String,
    subject_type: String,
    token_url: String,
    source: Source,
    impersonation_url: Option<String>,
    workforce_project: Option<String>,
    client: Option<Client>,
}

/// What a client says of itself. It is not shown.
struct Client(String);

impl std::fmt::Debug for Client {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Client")
    }
}

/// Where the token of the other comes from.
#[derive(Debug)]
enum Source {
    File { path: String, field: Option<String> },
    Url { url: String, headers: Vec<(String, String)>, field: Option<String> },
    Aws { verification_url: Option<String> },
}

impl External {
    /// Reads a file's JSON, or says what is wrong with it.
    pub(super) fn read(json: &Value) -> Result<Self, String> {
        let optional = |name: &str| json[name].as_str().map(str::to_owned);
        let text = |name: &str| optional(name).ok_or_else(|| format!("it has no {name}"));
        let said = &json["credential_source"];
        let format = &said["format"];
        let field = match format["type"].as_str() {
            Some("json") => Some(
                format["subject_token_field_name"]
                    .as_str()
                    .ok_or("its format has no subject_token_field_name")?
                    .to_owned(),
            ),
            _ => None,
        };
        let of_source = |name: &str| said[name].as_str().map(str::to_owned);
        let is_aws = of_source("environment_id").is_some_and(|it| it.starts_with("aws"));
        let source = if is_aws {
            Source::Aws { verification_url: of_source("regional_cred_verification_url") }
        } else if let Some(path) = of_source("file") {
            Source::File { path, field }
        } else if let Some(url) = of_source("url") {
            let headers = said["headers"].as_object().into_iter().flatten();
            let headers = headers
                .filter_map(|(name, it)| Some((name.clone(), it.as_str()?.to_owned())))
                .collect();
            Source::Url { url, headers, field }
        } else {
            let text = "its credential_source has no file, url or environment_id of AWS";
            return Err(text.to_owned());
        };
        let client = match (optional("client_id"), optional("client_secret")) {
            (Some(id), Some(secret)) => Some(Client(basic(&id, &secret))),
            _ => None,
        };
        Ok(Self {
            audience: text("audience")?,
            subject_type: text("subject_token_type")?,
            token_url: text("token_url")?,
            source,
            impersonation_url: optional("service_account_impersonation_url"),
            workforce_project: optional("workforce_pool_user_project"),
            client,
        })
    }
}

/// Changes the token of another for one of Google, and that for a service account's where one is named.
pub(super) async fn token(
    with: &With<'_>,
    external: &External,
    scopes: &[String],
) -> Result<Token, Error> {
    let subject = subject(with, external).await?;
    let own = match &external.impersonation_url {
        Some(_) => CLOUD_PLATFORM.to_owned(),
        None => scopes.join(" "),
    };
    let mut pairs = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", external.audience.as_str()),
        ("scope", own.as_str()),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token", subject.as_str()),
        ("subject_token_type", external.subject_type.as_str()),
    ];
    let options;
    if let (Some(project), None) = (&external.workforce_project, &external.client) {
        options = serde_json::json!({"userProject": project}).to_string();
        pairs.push(("options", &options));
    }
    let mut request = http::form(&external.token_url, &pairs)?;
    if let Some(Client(basic)) = &external.client {
        request.headers.set("authorization", basic);
    }
    let answer = http::ask(with.pool, with.place, &request).await?;
    let token = Token::of_answer(with.place, &answer.body)?;
    match &external.impersonation_url {
        Some(url) => impersonate(with, &token, url, &[], scopes).await,
        None => Ok(token),
    }
}

/// The token of the other.
async fn subject(with: &With<'_>, external: &External) -> Result<String, Error> {
    let (text, field) = match &external.source {
        Source::File { path, field } => (text_of(path.as_ref()).await?, field),
        Source::Url { url, headers, field } => {
            let mut request = request::of_url("GET", url)?;
            headers.iter().for_each(|(name, value)| request.headers.set(name, value));
            let answer = http::ask(with.pool, with.place, &request).await?;
            (String::from_utf8_lossy(&answer.body).into_owned(), field)
        }
        Source::Aws { verification_url } => {
            return aws::subject(with, &external.audience, verification_url.as_deref()).await;
        }
    };
    let Some(field) = field else { return Ok(text.trim().to_owned()) };
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let found = json[field].as_str().map(str::to_owned);
    found.ok_or_else(|| with.wrong(format!("its token is no JSON with {field}")))
}
