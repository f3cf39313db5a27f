//! Keys that signatures are made with, and how they come from the secrets of an account.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use ring::hmac;

use super::{Scope, SignError, hex};
use crate::credentials::Credentials;

/// Signing keys that were made before. One of these is kept for each client; it holds a few keys,
/// the last ones that were made.
#[derive(Default)]
pub struct Keys {
    v4: Mutex<Vec<V4>>,
    v4a: Mutex<Vec<V4a>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// More regions and services than most programs speak to in a day.
const KEPT: usize = 32;

struct V4 {
    secret: String,
    date: String,
    region: String,
    service: String,
    key: hmac::Key,
}

struct V4a {
    access_key_id: String,
    secret: String,
    key: Arc<Asymmetric>,
}

/// A private key of P-256.
pub(super) struct Asymmetric(SigningKey);

impl Asymmetric {
    /// The signature in DER, in hexadecimal.
    pub(super) fn sign(&self, text: &str) -> String {
        let signature: Signature = self.0.sign(text.as_bytes());
        hex(signature.to_der().as_bytes())
    }

    /// Derives the key that an account has for signatures of several regions: the first of a row of
    /// candidates that is a private key of the curve.
    fn derive(credentials: &Credentials) -> Option<Self> {
        let secret = format!("AWS4A{}", credentials.secret_access_key);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        (1..=254_u8).find_map(|counter| {
            let mut context = hmac::Context::with_key(&secret);
            context.update(&1_u32.to_be_bytes());
            context.update(b"AWS4-ECDSA-P256-SHA256\0");
            context.update(credentials.access_key_id.as_bytes());
            context.update(&[counter]);
            context.update(&256_u32.to_be_bytes());
            let mut candidate = [0; 32];
            candidate.copy_from_slice(context.sign().as_ref());
            if candidate > ORDER_LESS_2 {
                return None;
            }
            for byte in candidate.iter_mut().rev() {
                let carry;
                (*byte, carry) = byte.overflowing_add(1);
                if !carry {
                    break;
                }
            }
            SigningKey::from_slice(&candidate).ok().map(Self)
        })
    }
}

/// The order of P-256's group, less two.
const ORDER_LESS_2: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];

impl Keys {
    /// The key of a day (`20260102`), a region and a service.
    pub(super) fn v4(&self, credentials: &Credentials, scope: &Scope<'_>, date: &str) -> hmac::Key {
        let secret = credentials.secret_access_key.as_str();
        let mut kept = lock(&self.v4);
        let known = kept.iter().find(|it| {
            it.date == date
                && it.region == scope.region
                && it.service == scope.service
                && it.secret == secret
        });
        if let Some(known) = known {
            return known.key.clone();
        }
        let key = derive(secret, date, scope);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push(V4 {
            secret: secret.to_owned(),
            date: date.to_owned(),
            region: scope.region.to_owned(),
            service: scope.service.to_owned(),
            key: key.clone(),
        });
        key
    }

    /// The key of an account for all regions.
    pub(super) fn v4a(&self, credentials: &Credentials) -> Result<Arc<Asymmetric>, SignError> {
        let mut kept = lock(&self.v4a);
        let known = kept.iter().find(|it| {
            it.access_key_id == credentials.access_key_id
                && it.secret == credentials.secret_access_key
        });
        if let Some(known) = known {
            return Ok(Arc::clone(&known.key));
        }
        let access_key_id = credentials.access_key_id.clone();
        let Some(key) = Asymmetric::derive(credentials) else {
            return Err(SignError::Underivable { access_key_id });
        };
        let key = Arc::new(key);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        let secret = credentials.secret_access_key.clone();
        kept.push(V4a { access_key_id, secret, key: Arc::clone(&key) });
        Ok(key)
    }
}

fn derive(secret: &str, date: &str, scope: &Scope<'_>) -> hmac::Key {
    let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    [date, scope.region, scope.service, "aws4_request"].into_iter().fold(first, |key, text| {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, text.as_bytes()).as_ref())
    })
}

/// What is behind it is whole at all times, whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(id: &str, secret: &str) -> Credentials {
        Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: None,
            expires: None,
            account_id: None,
            source: "a test".to_owned(),
        }
    }

    /// The example that AWS's own libraries are tested with.
    #[test]
    fn the_key_for_several_regions_is_derived() {
        let credentials =
            credentials("AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom");
        let key = Asymmetric::derive(&credentials).expect("a key");
        assert_eq!(
            hex(&key.0.to_bytes()),
            "7fd3bd010c0d9c292141c2b77bfbde1042c92e6836fff749d1269ec890fca1bd"
        );
    }

    #[test]
    fn keys_are_kept_apart() {
        let keys = Keys::default();
        let tag = |secret: &str, region: &str, day: u32| {
            let scope = Scope { region, service: "s3", time: jiff::Timestamp::UNIX_EPOCH };
            let key = keys.v4(&credentials("AKID", secret), &scope, &day.to_string());
            hex(hmac::sign(&key, b"text").as_ref())
        };
        let mut tags = Vec::new();
        for _ in 0..2 {
            tags.push(tag("one", "eu-west-1", 1));
            tags.push(tag("two", "eu-west-1", 1));
            tags.push(tag("one", "eu-west-2", 1));
            tags.push(tag("one", "eu-west-1", 2));
        }
        assert_eq!(tags[..4], tags[4..]);
        let distinct: std::collections::HashSet<_> = tags.iter().collect();
        assert_eq!(distinct.len(), 4);
        for day in 0..100 {
            tag("one", "eu-west-1", day);
        }
        assert_eq!(lock(&keys.v4).len(), KEPT);
        assert_eq!(tag("one", "eu-west-1", 1), tags[0]);
    }
}
