//! Tokens of applications that are registered in a tenant, by what they show: a secret, a signature
//! of their certificate's key, or what somebody else says of them.
//!
//! Source: <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use davit_aws::connection::Body;
use davit_aws::http::encode;
use jiff::Timestamp;
use ring::digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use super::Token;
use crate::azure::error::Error;
use crate::azure::http::{Http, request, secure};
use crate::web::jwt::Key;

/// An application in a tenant.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Where this was found: `the task`.
    pub place: &'static str,
    /// Where tokens are given out: `https://login.microsoftonline.com`.
    pub authority: String,
    /// The tenant.
    pub tenant: String,
    /// The application.
    pub client: String,
    /// What it shows.
    pub proof: Proof,
}

/// What an application shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// A secret.
    Secret(String),
    /// A file in PEM with a certificate and its RSA key.
    Certificate(PathBuf),
    /// A file with what somebody whom the tenant trusts says of it. It is replaced now and then.
    Federated(PathBuf),
}

/// Nothing secret is shown.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret"),
            Self::Certificate(path) => f.debug_tuple("Certificate").field(path).finish(),
            Self::Federated(path) => f.debug_tuple("Federated").field(path).finish(),
        }
    }
}

impl Registered {
    pub(super) async fn fetch(&self, http: &Http, audience: &str) -> Result<Token, Error> {
        let letters = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.');
        if self.tenant.is_empty() || !self.tenant.chars().all(letters) {
            return Err(self.refused(format!("{:?} is no tenant", self.tenant)));
        }
        let base = self.authority.trim_end_matches('/');
        let url = format!("{base}/{}/oauth2/v2.0/token", self.tenant);
        let mut request = request("POST", &url, &[])?;
        secure(&request)?;
        request.headers.set("content-type", "application/x-www-form-urlencoded");
        request.headers.set("accept", "application/json");
        let (name, proof) = self.shown(&url)?;
        let scope = format!("{audience}/.default");
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &self.client),
            ("scope", &scope),
            (name, &proof),
        ];
        if name == "client_assertion" {
            fields.push((
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ));
        }
        let fields = fields.iter().map(|(name, value)| format!("{name}={}", encode(value)));
        let form = fields.collect::<Vec<_>>().join("&");
        let answer = http.send(&request, &Body::Bytes(Bytes::from(form))).await?;
        Token::of(&answer, self.place)
    }

    /// The name and the value of the field that shows who asks.
    fn shown(&self, url: &str) -> Result<(&'static str, String), Error> {
        let unreadable = |path: &Path, error: &dyn fmt::Display| {
            self.refused(format!("{} cannot be read: {error}", path.display()))
        };
        match &self.proof {
            Proof::Secret(secret) => Ok(("client_secret", secret.clone())),
            Proof::Federated(path) => {
                let text = std::fs::read_to_string(path).map_err(|it| unreadable(path, &it))?;
                Ok(("client_assertion", text.trim().to_owned()))
            }
            Proof::Certificate(path) => {
                let pem = std::fs::read(path).map_err(|it| unreadable(path, &it))?;
                let signed = assertion(&pem, &self.client, url, Timestamp::now());
                let signed = signed.map_err(|it| self.refused(format!("{}: {it}", path.display())));
                Ok(("client_assertion", signed?))
            }
        }
    }

    fn refused(&self, reason: String) -> Error {
        Error::Refused { place: self.place, reason }
    }
}

/// A token of its own that an application signs with its certificate's key.
fn assertion(pem: &[u8], client: &str, url: &str, now: Timestamp) -> Result<String, String> {
    let certificate = CertificateDer::from_pem_slice(pem);
    let certificate = certificate.map_err(|_| "there is no certificate in it".to_owned())?;
    let key = Key::read(pem)?;
    let print =
        |algorithm| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &certificate).as_ref());
    let seconds = now.as_second();
    let head = json!({
        "x5t": print(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        "x5t#S256": print(&digest::SHA256),
    });
    let claims = json!({
        "aud": url,
        "iss": client,
        "sub": client,
        "jti": uuid::Uuid::new_v4().to_string(),
        "nbf": seconds,
        "iat": seconds,
        "exp": seconds + 600,
    });
    key.sign(&head, &claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_key_are_refused() {
        let now = Timestamp::UNIX_EPOCH;
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (pem, expected) in [
            (String::new(), "no certificate"),
            (certificate.to_owned(), "no private key"),
            (format!("{certificate}{key}"), "none of RSA"),
        ] {
            let told = assertion(pem.as_bytes(), "app", "https://a", now).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }
}
