//! The blob storage: requests to an account, signed by whatever opens it. Knows no files.

pub mod account;
pub mod sign;
pub mod transfer;
pub mod xml;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use davit_aws::connection::Body;
use davit_aws::http::{Headers, Response, encode, encode_path};
use serde_json::{Map, Value, json};

use self::account::{Account, Opens};
use super::client::Azure;
use super::clouds::STORAGE;
use super::error::{Error, Said};
use super::http::{request, secure};

/// The version of the API: the first that knows the tier `Cold`.
const VERSION: &str = "2021-12-02";

/// An account that can be called.
#[derive(Clone, Debug)]
pub struct Blobs {
    azure: Arc<Azure>,
    account: Account,
}

/// A request to an account.
#[derive(Debug, Default)]
pub struct Ask<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The container; the account where it is empty.
    pub container: &'a str,
    /// The blob; the container where it is empty.
    pub blob: &'a str,
    /// Parameters.
    pub query: &'a [(&'a str, &'a str)],
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// What is sent along.
    pub body: Body,
}

/// Metadata: names in small letters, as they have no case.
pub type Metadata = BTreeMap<String, String>;

impl Blobs {
    /// An account by what opens it.
    #[must_use]
    pub fn new(azure: Arc<Azure>, account: Account) -> Self {
        Self { azure, account }
    }

    /// The address of a blob or container, with nothing secret in it.
    #[must_use]
    pub fn url(&self, container: &str, blob: &str) -> String {
        let mut url = self.account.url.clone();
        for part in [encode(container), encode_path(blob)] {
            if !part.is_empty() {
                url.push_str(&format!("/{part}"));
            }
        }
        url
    }

    /// Asks, signed.
    ///
    /// # Errors
    /// When there is no answer, or the service says no.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Response, Error> {
        let url = self.url(ask.container, ask.blob);
        let mut request = request(ask.method, &url, ask.query)?;
        for (name, value) in &ask.headers {
            if !value.bytes().all(|it| (b' '..=b'~').contains(&it)) {
                return Err(Error::setting(
                    name,
                    format!("{value:?} has characters that are not ASCII"),
                ));
            }
            request.headers.set(name, value.trim());
        }
        request.headers.set("x-ms-version", VERSION);
        let answer = match &self.account.opens {
            Opens::Token => self.azure.send(&request, &ask.body, STORAGE).await?,
            Opens::Sas(pairs) => {
                secure(&request)?;
                request.query.extend(pairs.iter().cloned());
                self.azure.http.send(&request, &ask.body).await?
            }
            Opens::Key(key) => {
                let length = ask.body.length().unwrap_or(0);
                let signed = || {
                    let mut request = request.clone();
                    let now = davit_aws::time::rfc822(jiff::Timestamp::now());
                    request.headers.set("x-ms-date", now);
                    sign::sign(&mut request, &self.account.name, key, length);
                    request
                };
                self.azure.http.send_made(&signed, &ask.body).await?
            }
        };
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(Error::Service(Box::new(Said::of(&answer))))
    }

    /// Asks; nothing where there is no such thing.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn find(&self, ask: Ask<'_>) -> Result<Option<Response>, Error> {
        match self.ask(ask).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is known of a blob.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn head(&self, container: &str, blob: &str) -> Result<Option<Headers>, Error> {
        let ask = Ask { method: "HEAD", container, blob, ..Ask::default() };
        Ok(self.find(ask).await?.map(|it| it.headers))
    }

    /// What is known of a container.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn head_container(&self, container: &str) -> Result<Option<Headers>, Error> {
        let query = &[("restype", "container")];
        let ask = Ask { method: "HEAD", container, query, ..Ask::default() };
        Ok(self.find(ask).await?.map(|it| it.headers))
    }

    /// All containers, or all blobs of one, whose names begin so; nothing where there is no such container.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn list(&self, container: &str, prefix: &str) -> Result<Option<Vec<Value>>, Error> {
        let mut items = Vec::new();
        let mut marker = String::new();
        let mut seen = HashSet::new();
        loop {
            let mut query = vec![("comp", "list"), ("include", "metadata")];
            if !container.is_empty() {
                query.push(("restype", "container"));
            }
            for (name, value) in [("prefix", prefix), ("marker", &marker)] {
                if !value.is_empty() {
                    query.push((name, value));
                }
            }
            let ask = Ask { method: "GET", container, query: &query, ..Ask::default() };
            let Some(answer) = self.find(ask).await? else { return Ok(None) };
            let page = xml::page(&answer.body).ok_or_else(|| Error::NotJson {
                url: self.url(container, ""),
                what: "something that is no list".to_owned(),
            })?;
            items.extend(page.items);
            // A page that leads back to one before it would never end.
            if page.next.is_empty() || !seen.insert(page.next.clone()) {
                return Ok(Some(items));
            }
            marker = page.next;
        }
    }
}

/// The metadata among headers.
#[must_use]
pub fn metadata(headers: &Headers) -> Metadata {
    let own = headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        Some((name.strip_prefix("x-ms-meta-")?.to_owned(), value.to_owned()))
    });
    own.collect()
}

/// Properties of blobs: how results name them, and the header that tells them.
const PROPERTIES: &[(&str, &str)] = &[
    ("blob_type", "x-ms-blob-type"),
    ("cache_control", "cache-control"),
    ("content_disposition", "content-disposition"),
    ("content_encoding", "content-encoding"),
    ("content_language", "content-language"),
    ("content_length", "content-length"),
    ("content_md5", "content-md5"),
    ("content_type", "content-type"),
    ("etag", "etag"),
    ("last_modified", "last-modified"),
    ("lease_state", "x-ms-lease-state"),
    ("public_access", "x-ms-blob-public-access"),
    ("tier", "x-ms-access-tier"),
    ("archive_status", "x-ms-archive-status"),
];

/// What headers tell of a blob or a container, as results show it.
#[must_use]
pub fn shown(headers: &Headers, name: &str, is_container: bool) -> Value {
    let mut map = Map::new();
    map.insert("name".to_owned(), name.into());
    let of_answers = ["content_length", "content_type"];
    for (key, header) in PROPERTIES {
        let Some(value) = headers.get(header) else { continue };
        if is_container && of_answers.contains(key) {
            continue;
        }
        let number = (*key == "content_length").then(|| value.parse::<u64>().ok()).flatten();
        map.insert((*key).to_owned(), number.map_or_else(|| value.into(), Value::from));
    }
    map.insert("metadata".to_owned(), json!(metadata(headers)));
    Value::Object(map)
}

/// A body of XML.
#[must_use]
pub fn xml_body(text: String) -> Body {
    Body::Bytes(Bytes::from(text))
}
