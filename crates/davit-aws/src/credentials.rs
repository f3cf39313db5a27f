//! What requests are signed with, and where it comes from: the places that the AWS CLI looks at, in
//! its order. Reads no environment and knows no client: variables, the clock, HTTP and calls of
//! services are handed in.

mod cache;
mod chain;
mod container;
mod error;
mod instance;
mod io;
mod login;
mod place;
mod process;
mod profile;
mod role;
mod sign_in;
mod sso;

use std::fmt;

use jiff::Timestamp;

pub use self::{
    chain::{Attempt, Chain, Setup},
    error::{CredentialsError, Problem},
    io::{BoxFuture, Call, CallError, Calls, Http, Mfa, SignAddress, Surroundings, TransportError},
    place::Place,
    profile::{Role, Source, SsoProfile, Step, plan},
    sign_in::{Confirm, Portal, SignedIn},
};

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
