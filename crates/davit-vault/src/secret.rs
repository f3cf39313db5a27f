//! Secrets by vault id, and the keys already derived from them.
//!
//! Does not know where a secret came from.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::cipher::Keys;
use crate::{DEFAULT_ID, Error};

/// Derived keys that are kept: a run's variables are decrypted again and again.
const KEPT: usize = 4096;

/// A vault password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// From a password as typed or as a file holds it; line ends around it are for the caller to cut.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().to_vec())
    }

    /// The password.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(********)")
    }
}

type Derived = HashMap<(Vec<u8>, Vec<u8>), Arc<Keys>>;

/// The secrets that are known, in the order they were given. Clones share the derived keys.
#[derive(Clone, Default)]
pub struct Secrets {
    list: Vec<(String, Secret)>,
    match_only: bool,
    derived: Arc<Mutex<Derived>>,
}

impl Secrets {
    /// Adds a secret under a vault id.
    pub fn add(&mut self, id: impl Into<String>, secret: Secret) {
        self.list.push((id.into(), secret));
    }

    /// Whether only secrets of the text's own id are tried (`vault_id_match`).
    pub fn match_only(&mut self, on: bool) {
        self.match_only = on;
    }

    /// True where there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The ids and secrets, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.list.iter().map(|(id, secret)| (id.as_str(), secret))
    }

    /// The secret to encrypt with: that of `id`, or the only one there is.
    ///
    /// # Errors
    /// Where no secret has that id, or several could be meant.
    pub fn to_encrypt(&self, id: Option<&str>) -> Result<(&str, &Secret), Error> {
        let known = || self.list.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        match (id, self.list.as_slice()) {
            (Some(id), list) => list
                .iter()
                .find(|(other, _)| other == id)
                .map(|(id, secret)| (id.as_str(), secret))
                .ok_or_else(|| Error::NoEncryptId { id: id.to_owned(), known: known() }),
            (None, []) => Err(Error::NoSecrets),
            (None, [(id, secret)]) => Ok((id, secret)),
            (None, _) => Err(Error::AmbiguousEncryptId(known())),
        }
    }

    /// In the order to try them for a text of vault id `id`.
    pub(crate) fn in_order(&self, id: Option<&str>) -> Vec<(&str, &Secret)> {
        let id = id.unwrap_or(DEFAULT_ID);
        let own = self.iter().filter(|(other, _)| *other == id);
        let others = self.iter().filter(|(other, _)| !self.match_only && *other != id);
        own.chain(others).collect()
    }

    pub(crate) fn keys(&self, secret: &Secret, salt: &[u8]) -> Arc<Keys> {
        let place = (secret.0.clone(), salt.to_vec());
        if let Ok(derived) = self.derived.lock()
            && let Some(keys) = derived.get(&place)
        {
            return Arc::clone(keys);
        }
        // Derived outside the lock: other threads go on with what they have.
        let keys = Arc::new(Keys::derive(&secret.0, salt));
        if let Ok(mut derived) = self.derived.lock() {
            if derived.len() >= KEPT {
                derived.clear();
            }
            derived.insert(place, Arc::clone(&keys));
        }
        keys
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter().map(|(id, _)| id)).finish()
    }
}

impl<I: Into<String>> FromIterator<(I, Secret)> for Secrets {
    fn from_iter<T: IntoIterator<Item = (I, Secret)>>(secrets: T) -> Self {
        let list = secrets.into_iter().map(|(id, secret)| (id.into(), secret)).collect();
        Self { list, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_secret_encrypts_and_several_must_be_told_apart() {
        let mut secrets = Secrets::from_iter([("a", Secret::new("1"))]);
        assert_eq!(secrets.to_encrypt(None).unwrap().0, "a");
        secrets.add("b", Secret::new("2"));
        assert_eq!(secrets.to_encrypt(Some("b")).unwrap().1, &Secret::new("2"));
        assert_eq!(
            secrets.to_encrypt(None).unwrap_err().to_string(),
            "The vault-ids a,b are available to encrypt. Specify the vault-id to encrypt with \
             --encrypt-vault-id"
        );
        assert_eq!(
            secrets.to_encrypt(Some("c")).unwrap_err().to_string(),
            "Did not find a match for --encrypt-vault-id=c in the known vault-ids ['a', 'b']"
        );
    }

    #[test]
    fn a_secret_does_not_show() {
        let secrets = Secrets::from_iter([("a", Secret::new("hunter2"))]);
        assert!(!format!("{secrets:?} {:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
