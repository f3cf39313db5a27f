//! Tokens that are signed here with a key of RSA. Does no IO.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

/// A private key.
pub struct Key(RsaKeyPair);

/// Nothing secret is shown.
impl fmt::Debug for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Key")
    }
}

impl Key {
    /// Reads a key in PEM: `BEGIN PRIVATE KEY` or `BEGIN RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// What is wrong with it, in words that show nothing of it.
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
            "there is no private key in it that can be read: an encrypted one cannot".to_owned()
        })?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("its private key is none of RSA".to_owned()),
        };
        let wrong = |error| format!("its private key is none of RSA that serves: {error}");
        pair.map(Self).map_err(wrong)
    }

    /// A JWT of RS256 with these claims. `head` is a map that says which key it is.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(&self, head: &Value, claims: &Value) -> Result<String, String> {
        let mut head = head.clone();
        head["alg"] = "RS256".into();
        head["typ"] = "JWT".into();
        let part = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
        let text = format!("{}.{}", part(&head), part(claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| "its private key does not sign".to_owned())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
