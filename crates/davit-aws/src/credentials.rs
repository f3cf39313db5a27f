//! What requests are signed with. Where it comes from is found out elsewhere.

use std::fmt;

use jiff::Timestamp;

/// The keys of an account, for a while or for good.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AKIA...`, `ASIA...`.
    pub access_key_id: String,
    /// The secret that signatures are made with.
    pub secret_access_key: String,
    /// What goes along with keys that are there for a while.
    pub session_token: Option<String>,
    /// When they end.
    pub expires: Option<Timestamp>,
    /// The account they are of, where that is known.
    pub account_id: Option<String>,
    /// Where they came from, in words: `environment`, `profile dev of ~/.aws/credentials` ...
    pub source: String,
}

/// Nothing secret is shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("source", &self.source)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
