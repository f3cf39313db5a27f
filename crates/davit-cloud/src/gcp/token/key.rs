//! The keys of service accounts, and what is signed with them. Does no IO.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// A private key.
pub(super) struct Key {
    pair: RsaKeyPair,
    /// Which of the account's keys it is.
    id: Option<String>,
}

/// Nothing secret is shown.
impl fmt::Debug for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    /// Reads a key in PEM: `BEGIN PRIVATE KEY` or `BEGIN RSA PRIVATE KEY`.
    pub(super) fn read(pem: &str, id: Option<&str>) -> Result<Self, String> {
        let lines = pem.lines().map(str::trim);
        let body: String = lines.filter(|it| !it.starts_with("-----")).collect();
        let bytes = STANDARD.decode(body).map_err(|_| "its private_key is no PEM".to_owned())?;
        let pair = if pem.contains("BEGIN RSA PRIVATE KEY") {
            RsaKeyPair::from_der(&bytes)
        } else {
            RsaKeyPair::from_pkcs8(&bytes)
        };
        let pair = pair.map_err(|it| format!("its private_key is no RSA key: {it}"))?;
        Ok(Self { pair, id: id.map(str::to_owned) })
    }

    /// A JWT of RS256 with these claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, String> {
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(id) = &self.id {
            header["kid"] = id.as_str().into();
        }
        let part = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
        let text = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| "its private_key cannot sign".to_owned())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
