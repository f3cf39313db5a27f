//! Tokens: found where gcloud and Google's libraries find them, and kept until shortly before they end. Reads no
//! environment.

mod aws;
mod federation;
mod file;
mod metadata;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use davit_aws::connection::{Options, Pool};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use self::file::Credentials;
use super::error::Error;
use super::http;
use super::login::Caller;

/// With less time than this left a token is fetched anew.
const MARGIN: Duration = Duration::from_secs(225);
/// For how long tokens are asked for.
const LIFETIME: u64 = 3600;

/// A token, and when it ends.
#[derive(Clone)]
pub(super) struct Token {
    text: String,
    ends: SystemTime,
}

/// Nothing secret is shown.
impl fmt::Debug for Token {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Token").field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Token {
    /// A token that is good for so many seconds.
    fn lasting(text: &str, seconds: u64) -> Self {
        // No token is good for longer than a day.
        let ends = SystemTime::now() + Duration::from_secs(seconds.min(86_400));
        Self { text: text.to_owned(), ends }
    }

    /// What OAuth answers: `access_token` and `expires_in`.
    fn of_answer(place: &str, body: &[u8]) -> Result<Self, Error> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(text) = answer["access_token"].as_str() else {
            let reason = "the answer has no access_token".to_owned();
            return Err(Error::Token { place: place.to_owned(), reason });
        };
        // Some say it as a text.
        let seconds = &answer["expires_in"];
        let seconds = seconds.as_u64().or_else(|| seconds.as_str()?.parse().ok());
        Ok(Self::lasting(text, seconds.unwrap_or(LIFETIME)))
    }

    fn is_good(&self) -> bool {
        self.ends > SystemTime::now() + MARGIN
    }
}

/// What tokens come from.
enum Source {
    /// Nobody is called as.
    Anonymous,
    /// One that was given.
    Given(String),
    /// Credentials of a file.
    File(Box<Credentials>),
    /// The metadata server at this address.
    Metadata(String),
}

/// The tokens of a caller.
pub(super) struct Tokens {
    caller: Caller,
    environment: Arc<HashMap<String, String>>,
    pool: Arc<Pool>,
    /// For what is next door and behind no proxy.
    near: Pool,
    source: OnceCell<Source>,
    kept: Mutex<HashMap<String, Token>>,
}

/// Nothing secret is shown.
impl fmt::Debug for Tokens {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Tokens").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// What the sources of tokens work with.
#[derive(Clone, Copy)]
struct With<'a> {
    pool: &'a Pool,
    near: &'a Pool,
    environment: &'a HashMap<String, String>,
    caller: &'a Caller,
    /// What the credentials came from.
    place: &'a str,
}

impl With<'_> {
    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Token { place: self.place.to_owned(), reason: reason.into() }
    }
}

impl Tokens {
    /// The tokens of a caller. Nothing is looked for yet.
    #[must_use]
    pub(super) fn new(
        caller: Caller,
        environment: Arc<HashMap<String, String>>,
        pool: Arc<Pool>,
    ) -> Self {
        let (source, kept) = (OnceCell::new(), Mutex::default());
        let near = Pool::new(Options { connect_timeout: metadata::PATIENCE, ..Options::default() });
        Self { caller, environment, pool, near, source, kept }
    }

    /// A token that is good for these scopes now; nothing where nobody is called as. Of many who ask one fetches it.
    ///
    /// # Errors
    /// When there are no credentials, or no token for them.
    pub(super) async fn token(&self, scopes: &[String]) -> Result<Option<String>, Error> {
        let source = self.source().await?;
        if matches!(source, Source::Anonymous) {
            return Ok(None);
        }
        let key = scopes.join(" ");
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.get(&key).filter(|it| it.is_good()) {
            return Ok(Some(token.text.clone()));
        }
        let token = self.fetch(source, scopes).await?;
        kept.insert(key, token.clone());
        Ok(Some(token.text))
    }

    /// Forgets the tokens: one was refused. Whether another can be had.
    pub(super) async fn forget(&self) -> bool {
        self.kept.lock().await.clear();
        matches!(self.source.get(), Some(Source::File(_) | Source::Metadata(_)))
    }

    /// The project that the credentials are of, where they say it.
    pub(super) async fn project(&self) -> Option<String> {
        match self.source().await.ok()? {
            Source::File(it) => it.project.clone(),
            Source::Metadata(url) => metadata::project(&self.near, url).await,
            Source::Given(_) | Source::Anonymous => None,
        }
    }

    /// The project that pays, where the credentials say it.
    pub(super) async fn quota_project(&self) -> Option<String> {
        match self.source().await.ok()? {
            Source::File(it) => it.quota_project.clone(),
            _ => None,
        }
    }

    async fn source(&self) -> Result<&Source, Error> {
        self.source.get_or_try_init(|| self.find()).await
    }

    /// Looks for credentials, one place after the other.
    async fn find(&self) -> Result<Source, Error> {
        let caller = &self.caller;
        if caller.anonymous {
            return Ok(Source::Anonymous);
        }
        if let Some(token) = &caller.access_token {
            return Ok(Source::Given(token.clone()));
        }
        if let Some((path, by)) = &caller.credentials_file {
            let read = file::read(path, &format!("{} ({by})", path.display())).await;
            return Ok(Source::File(Box::new(read?)));
        }
        let mut tried = vec![
            "there is no access_token and no CLOUDSDK_AUTH_ACCESS_TOKEN".to_owned(),
            "no credentials_file and no GOOGLE_APPLICATION_CREDENTIALS".to_owned(),
        ];
        match &caller.folder {
            Some(folder) => {
                let path = folder.join("application_default_credentials.json");
                if tokio::fs::try_exists(&path).await.unwrap_or(false) {
                    let read = file::read(&path, &path.display().to_string()).await;
                    return Ok(Source::File(Box::new(read?)));
                }
                tried.push(format!("no {}", path.display()));
            }
            None => tried.push("no home folder with files of gcloud".to_owned()),
        }
        match &caller.metadata {
            Some(None) => tried.push("the metadata server is not asked (NO_GCE_CHECK)".to_owned()),
            said => match metadata::find(&self.near, said.clone().flatten().as_deref()).await {
                Ok(url) => return Ok(Source::Metadata(url)),
                Err(reason) => tried.push(reason),
            },
        }
        Err(Error::Nobody { tried })
    }

    async fn fetch(&self, source: &Source, scopes: &[String]) -> Result<Token, Error> {
        let place = match source {
            Source::File(it) => it.place.as_str(),
            Source::Metadata(_) => "the metadata server",
            Source::Given(_) | Source::Anonymous => "access_token",
        };
        let with = With {
            pool: &self.pool,
            near: &self.near,
            environment: &self.environment,
            caller: &self.caller,
            place,
        };
        let accounts = &self.caller.impersonate;
        // Whoever stands in for another has to be good for that only.
        let broad = [CLOUD_PLATFORM.to_owned()];
        let own = if accounts.is_empty() { scopes } else { &broad[..] };
        let token = match source {
            Source::Given(token) => Token::lasting(token, 86_400),
            Source::Metadata(url) => metadata::token(&with, url, own).await?,
            Source::File(it) => file::token(&with, &it.kind, own).await?,
            Source::Anonymous => return Err(with.wrong("nobody is called as")),
        };
        let Some((account, delegates)) = accounts.split_last() else { return Ok(token) };
        let url = format!("{IAM_CREDENTIALS}{account}:generateAccessToken");
        impersonate(&with, &token, &url, delegates, scopes).await
    }
}

/// What is good for all of Google Cloud.
pub(super) const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Where tokens of other accounts are made.
const IAM_CREDENTIALS: &str =
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";

/// The token of a service account, by means of somebody's who may have it.
async fn impersonate(
    with: &With<'_>,
    token: &Token,
    url: &str,
    delegates: &[String],
    scopes: &[String],
) -> Result<Token, Error> {
    let delegate = |it: &String| {
        if it.contains('/') { it.clone() } else { format!("projects/-/serviceAccounts/{it}") }
    };
    let delegates: Vec<String> = delegates.iter().map(delegate).collect();
    let body = json!({
        "delegates": delegates,
        "scope": scopes,
        "lifetime": format!("{LIFETIME}s"),
    });
    let mut request = http::json(url, &body)?;
    request.headers.set("authorization", format!("Bearer {}", token.text));
    let answer = http::ask(with.pool, with.place, &request).await?;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = answer["accessToken"].as_str();
    let text = text.ok_or_else(|| with.wrong("the answer has no accessToken"))?;
    let ends = answer["expireTime"].as_str().and_then(davit_aws::time::parse);
    let left = ends.map(|it| it.as_second() - i64::try_from(now()).unwrap_or(i64::MAX));
    let left = left.map_or(LIFETIME, |it| u64::try_from(it).unwrap_or(0));
    Ok(Token::lasting(text, left))
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}

/// The text of a file.
async fn text_of(path: &Path) -> Result<String, Error> {
    let text = tokio::fs::read_to_string(path).await;
    text.map_err(|source| Error::File { action: "read", path: path.to_owned(), source })
}
