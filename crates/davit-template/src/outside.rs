//! What templates may reach outside themselves: all of it handed in, nothing looked up here.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use davit_value::{Map, Value};

/// Decrypts vault ciphertexts.
pub trait Decrypt: Send + Sync {
    /// The text behind `ciphertext` (`$ANSIBLE_VAULT;...`).
    ///
    /// # Errors
    /// What went wrong, as the user is to read it.
    fn decrypt(&self, ciphertext: &str) -> Result<String, String>;

    /// The bytes behind `ciphertext`: what is in a file need not be text.
    ///
    /// # Errors
    /// What went wrong, as the user is to read it.
    fn decrypt_bytes(&self, ciphertext: &str) -> Result<Vec<u8>, String> {
        self.decrypt(ciphertext).map(String::into_bytes)
    }
}

/// The hosts that a pattern selects.
pub type SelectHosts = dyn Fn(&str) -> Vec<String> + Send + Sync;
/// Told a text.
pub type Tell = dyn Fn(&str) + Send + Sync;
/// The value of a setting.
pub type ReadSetting = dyn Fn(&str) -> Option<Value> + Send + Sync;

/// The text at an address, given the options of the `url` lookup, or why there is none.
pub type Fetch = dyn Fn(&str, &Map) -> Result<String, String> + Send + Sync;

/// What a lookup is asked that is not one of this crate's own.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Which one, as the template names it.
    pub name: &'a str,
    /// The positional arguments, rendered.
    pub terms: &'a [Value],
    /// The named ones, rendered, but for `wantlist` and `errors`, which are for the call itself.
    pub options: &'a Map,
    /// The environment, and who is told of warnings and secrets.
    pub outside: &'a Outside,
}

/// The list that such a lookup gives, or why it gives none.
pub type AskLookup = dyn Fn(&Asked<'_>) -> Result<Vec<Value>, String> + Send + Sync;

/// What templates may reach outside themselves.
#[derive(Clone, Default)]
pub struct Outside {
    /// The environment that lookups see and pass on.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Folders in which lookups search files, first match wins; each is tried with `files/`, `templates/` or `vars/` below it, then bare.
    pub search_path: Vec<PathBuf>,
    /// The working folder of programs and the last resort of relative paths.
    pub folder: PathBuf,
    /// Decrypts vault text.
    pub vault: Option<Arc<dyn Decrypt>>,
    /// Answers host patterns.
    pub inventory_hosts: Option<Arc<SelectHosts>>,
    /// Told every warning.
    pub warn: Option<Arc<Tell>>,
    /// Told every value that is a secret: decrypted vault text, passwords from lookups.
    pub secret: Option<Arc<Tell>>,
    /// Answers the `config` lookup.
    pub config: Option<Arc<ReadSetting>>,
    /// Answers the `url` lookup.
    pub fetch: Option<Arc<Fetch>>,
    /// Answers the lookups that [`Settings::lookups`](crate::Settings::lookups) names.
    pub lookups: Option<Arc<AskLookup>>,
}

impl Outside {
    /// Nothing to reach.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Passes a warning on.
    pub fn warn(&self, text: &str) {
        if let Some(warn) = &self.warn {
            warn(text);
        }
    }

    /// Says that `text` is a secret.
    pub fn secret(&self, text: &str) {
        if let Some(secret) = &self.secret {
            secret(text);
        }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("search_path", &self.search_path)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}
