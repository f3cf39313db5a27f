//! Signatures of requests: version 4 in headers and in addresses, its form for several regions at
//! once, and what goes without one. Does no IO, reads no clock and knows no operation.

mod canonical;
mod event;
mod form;
mod key;
mod post;
mod query_v2;
mod token;

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use ring::{digest, hmac};

pub use self::{
    canonical::host_header,
    event::EventSigner,
    form::move_body_to_query,
    key::Keys,
    post::{Post, presign_post},
    query_v2::sign_query_v2,
    token::{ClusterToken, DsqlAction, bearer, dsql_auth_token, eks_token, rds_auth_token},
};
use crate::{checksum, credentials::Credentials, http::Request, time};

/// Who signs, for what, and how.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The keys of the one who signs.
    pub credentials: &'a Credentials,
    /// What is signed for.
    pub scope: Scope<'a>,
    /// How it is signed.
    pub settings: Settings<'a>,
    /// The signing keys that were made before.
    pub keys: &'a Keys,
}

/// What a signature is good for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// `eu-west-1`; for `Scheme::V4a` the regions, `*` for all.
    pub region: &'a str,
    /// The signing name of the service: `s3`.
    pub service: &'a str,
    /// When.
    pub time: Timestamp,
}

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings<'a> {
    /// The algorithm.
    pub scheme: Scheme,
    /// The path is encoded once more than it goes over the wire. All but S3 do.
    pub double_encode: bool,
    /// Dots and doubled slashes are taken out of the path first. All but S3 do.
    pub normalize_path: bool,
    /// What is said of the body.
    pub payload: Payload<'a>,
    /// `X-Amz-Content-SHA256` says the same in the clear. Where it does not, one that the request
    /// has already is taken for the body's.
    pub content_sha256: bool,
    /// Where the session token goes.
    pub token: Token,
}

/// The algorithm of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC-SHA-256, for one region.
    V4,
    /// ECDSA over P-256, for any set of regions.
    V4a,
}

/// What a signature says of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The SHA-256 of the request's body.
    Body,
    /// The SHA-256 of a body that is streamed, in hexadecimal.
    Hash(&'a str),
    /// Nothing: `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// Nothing, and a checksum comes behind it: `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    UnsignedTrailer,
    /// Each event of the stream has its own: `STREAMING-AWS4-HMAC-SHA256-EVENTS`.
    Events,
}

/// Where the token of a session goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// It is signed, as `X-Amz-Security-Token`.
    Signed,
    /// It is added after signing.
    AfterSigning,
    /// It is signed, as `X-Amz-S3session-Token`: for the directory buckets of S3.
    S3Express,
}

impl<'a> Settings<'a> {
    /// What all services but S3 want.
    #[must_use]
    pub fn standard(payload: Payload<'a>) -> Self {
        Self {
            scheme: Scheme::V4,
            double_encode: true,
            normalize_path: true,
            content_sha256: payload != Payload::Body,
            payload,
            token: Token::Signed,
        }
    }

    /// What S3 and its kin want. For presigned addresses the payload is `Payload::Unsigned`.
    #[must_use]
    pub const fn s3(payload: Payload<'a>) -> Self {
        Self {
            scheme: Scheme::V4,
            double_encode: false,
            normalize_path: false,
            content_sha256: true,
            payload,
            token: Token::Signed,
        }
    }
}

impl Payload<'static> {
    /// What botocore says of a body to S3: a stream is not hashed where TLS and a checksum guard it.
    ///
    /// `plan` is the checksum that the request is given, `streaming` whether the operation takes a
    /// stream, `always_signed` is `payload_signing_enabled` of the configuration.
    #[must_use]
    pub fn of_s3(
        request: &Request,
        plan: Option<&checksum::Plan>,
        streaming: bool,
        always_signed: Option<bool>,
    ) -> Self {
        let header = match plan {
            Some(plan) if plan.place == checksum::Place::Trailer => return Self::UnsignedTrailer,
            Some(plan) => plan.algorithm.header(),
            None => "Content-MD5",
        };
        let signed = always_signed.unwrap_or_else(|| {
            request.scheme != "https" || !request.headers.contains(header) || !streaming
        });
        if signed { Self::Body } else { Self::Unsigned }
    }
}

/// A signature and how it came about, for who wants to know why it is refused.
pub struct Signed {
    /// The request in the form that is signed.
    pub canonical_request: String,
    /// What was signed.
    pub string_to_sign: String,
    /// The signature, in hexadecimal.
    pub signature: String,
}

/// What was signed may hold a token.
impl fmt::Debug for Signed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Signed").field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// Why something cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A bearer token is a secret that everyone on the way could read.
    #[error("a bearer token goes over https only, and {host} is asked over {scheme}")]
    Insecure {
        /// Where it would have gone.
        host: String,
        /// `http`.
        scheme: String,
    },
    /// All 254 candidates were out of the curve's range: as good as impossible.
    #[error("no key for signatures of several regions can be derived from {access_key_id}")]
    Underivable {
        /// `AKIA...`.
        access_key_id: String,
    },
    /// A body cannot go into an address.
    #[error("a body that is neither a form nor a JSON object cannot be put into an address")]
    BodyInAddress,
}

/// Signs a request in its headers.
///
/// # Errors
///
/// When no key can be derived, for `Scheme::V4a`.
pub fn sign(request: &mut Request, signing: &Signing<'_>) -> Result<Signed, SignError> {
    let Signing { credentials, scope, settings, .. } = signing;
    let stamp = Stamp::new(signing);
    let token = credentials.session_token.as_deref();
    request.headers.remove("Authorization");
    set_date(request, scope.time, &stamp.time);
    if settings.scheme == Scheme::V4a {
        request.headers.set("X-Amz-Region-Set", scope.region);
    }
    match (settings.token, token) {
        (Token::Signed, Some(token)) => request.headers.set(SECURITY_TOKEN, token),
        (Token::S3Express, Some(token)) => {
            request.headers.remove(SECURITY_TOKEN);
            request.headers.set("x-amz-s3session-token", token);
        }
        (Token::AfterSigning, Some(_)) => drop(request.headers.remove(SECURITY_TOKEN)),
        (_, None) => {}
    }
    let payload = match request.headers.get(CONTENT_SHA256) {
        Some(given) if !settings.content_sha256 => given.to_owned(),
        _ => settings.payload.text(request).into_owned(),
    };
    if settings.content_sha256 {
        request.headers.set(CONTENT_SHA256, payload.as_str());
    }
    let headers = canonical::headers(request);
    let canonical_request = canonical::request(request, settings, &headers, &payload);
    let signed = stamp.sign(canonical_request, signing)?;
    let authorization = format!(
        "{} Credential={}/{}, SignedHeaders={}, Signature={}",
        stamp.algorithm, credentials.access_key_id, stamp.scope, headers.names, signed.signature
    );
    request.headers.set("Authorization", authorization);
    if let (Token::AfterSigning, Some(token)) = (settings.token, token) {
        request.headers.set(SECURITY_TOKEN, token);
    }
    Ok(signed)
}

/// Signs a request in its address, which can then be handed to someone else for a number of seconds.
///
/// The headers that the request has are signed, and must be sent by who uses the address. See
/// `move_body_to_query` for requests whose input is in the body.
///
/// # Errors
///
/// When no key can be derived, for `Scheme::V4a`.
pub fn presign(
    request: &mut Request,
    expires: Option<u64>,
    signing: &Signing<'_>,
) -> Result<Signed, SignError> {
    let Signing { credentials, scope, settings, .. } = signing;
    let stamp = Stamp::new(signing);
    let token = credentials.session_token.as_deref();
    let headers = canonical::headers(request);
    let payload = match request.headers.get(CONTENT_SHA256) {
        Some(given) => given.to_owned(),
        None => settings.payload.text(request).into_owned(),
    };
    let mut add = |name: &str, value: String| request.query.push((name.to_owned(), value));
    add("X-Amz-Algorithm", stamp.algorithm.to_owned());
    add("X-Amz-Credential", format!("{}/{}", credentials.access_key_id, stamp.scope));
    add("X-Amz-Date", stamp.time.clone());
    if let Some(expires) = expires {
        add("X-Amz-Expires", expires.to_string());
    }
    add("X-Amz-SignedHeaders", headers.names.clone());
    match (settings.token, token) {
        (Token::Signed, Some(token)) => add(SECURITY_TOKEN, token.to_owned()),
        (Token::S3Express, Some(token)) => add("X-Amz-S3session-Token", token.to_owned()),
        _ => {}
    }
    if settings.scheme == Scheme::V4a {
        add("X-Amz-Region-Set", scope.region.to_owned());
    }
    let canonical_request = canonical::request(request, settings, &headers, &payload);
    let signed = stamp.sign(canonical_request, signing)?;
    request.query.push(("X-Amz-Signature".to_owned(), signed.signature.clone()));
    if let (Token::AfterSigning, Some(token)) = (settings.token, token) {
        request.query.push((SECURITY_TOKEN.to_owned(), token.to_owned()));
    }
    Ok(signed)
}

/// Makes a request ready that is not signed at all: S3 must be told of a checksum behind the body.
pub fn anonymous(request: &mut Request, plan: Option<&checksum::Plan>) {
    if plan.is_some_and(|plan| plan.place == checksum::Place::Trailer) {
        request.headers.set(CONTENT_SHA256, UNSIGNED_TRAILER);
    }
}

const SECURITY_TOKEN: &str = "X-Amz-Security-Token";
const CONTENT_SHA256: &str = "X-Amz-Content-SHA256";
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

impl Payload<'_> {
    fn text(&self, request: &Request) -> Cow<'_, str> {
        match self {
            Self::Body => Cow::Owned(sha256(&request.body)),
            Self::Hash(hash) => Cow::Borrowed(hash),
            Self::Unsigned => Cow::Borrowed("UNSIGNED-PAYLOAD"),
            Self::UnsignedTrailer => Cow::Borrowed(UNSIGNED_TRAILER),
            Self::Events => Cow::Borrowed("STREAMING-AWS4-HMAC-SHA256-EVENTS"),
        }
    }
}

/// What of a signature is known before the request is looked at.
struct Stamp {
    algorithm: &'static str,
    /// `20260102T030405Z`.
    time: String,
    /// `20260102/eu-west-1/s3/aws4_request`.
    scope: String,
}

impl Stamp {
    fn new(signing: &Signing<'_>) -> Self {
        let Scope { region, service, time } = signing.scope;
        let time = time::basic(time);
        let date = date(&time);
        let (algorithm, scope) = match signing.settings.scheme {
            Scheme::V4 => ("AWS4-HMAC-SHA256", format!("{date}/{region}/{service}/aws4_request")),
            Scheme::V4a => ("AWS4-ECDSA-P256-SHA256", format!("{date}/{service}/aws4_request")),
        };
        Self { algorithm, scope, time }
    }

    fn sign(&self, canonical_request: String, signing: &Signing<'_>) -> Result<Signed, SignError> {
        let hash = sha256(canonical_request.as_bytes());
        let string_to_sign = format!("{}\n{}\n{}\n{hash}", self.algorithm, self.time, self.scope);
        let signature = match signing.settings.scheme {
            Scheme::V4 => hex(self.hmac(&string_to_sign, signing).as_ref()),
            Scheme::V4a => signing.keys.v4a(signing.credentials)?.sign(&string_to_sign),
        };
        Ok(Signed { canonical_request, string_to_sign, signature })
    }

    fn hmac(&self, text: &str, signing: &Signing<'_>) -> hmac::Tag {
        let key = signing.keys.v4(signing.credentials, &signing.scope, date(&self.time));
        hmac::sign(&key, text.as_bytes())
    }
}

/// The day in front of a time.
fn date(time: &str) -> &str {
    time.split('T').next().unwrap_or_default()
}

/// A request that says its date keeps saying it, and needs no other.
fn set_date(request: &mut Request, time: Timestamp, stamp: &str) {
    if request.headers.contains("Date") {
        let text = time::rfc822(time);
        request.headers.set("Date", text.replace("GMT", "-0000"));
        request.headers.remove("X-Amz-Date");
    } else {
        request.headers.set("X-Amz-Date", stamp);
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
