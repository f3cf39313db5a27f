//! Why there are no credentials, and what to do about it.

use std::path::PathBuf;

use super::{
    chain::Attempt,
    io::{CallError, TransportError},
    place::Place,
};

/// There are no credentials.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CredentialsError {
    /// No place has any.
    #[error(
        "no credentials: looked in {}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `davit aws configure` or `davit aws sso login`",
        listed(tried)
    )]
    Nowhere {
        /// What was looked at, and why it gave nothing.
        tried: Vec<Attempt>,
    },
    /// A place should have some and gave none.
    #[error("no credentials from {place}")]
    Failed {
        /// The place.
        place: Place,
        /// What went wrong.
        #[source]
        problem: Box<Problem>,
    },
}

fn listed(tried: &[Attempt]) -> String {
    let tried = tried.iter().map(|it| format!("{} ({})", it.place, it.result));
    tried.collect::<Vec<_>>().join(", ")
}

/// What went wrong at a place.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Problem {
    /// One of two things that belong together is there.
    #[error("{there} is set and {missing} is not")]
    Partial {
        /// What is there.
        there: String,
        /// What is not.
        missing: String,
    },
    /// Settings of a profile that do not fit.
    #[error("profile `{profile}`: {reason}")]
    Profile {
        /// The profile.
        profile: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// `source_profile` leads back to where it came from.
    #[error("profiles assume roles in a circle: {}", .0.join(" -> "))]
    Loop(Vec<String>),
    /// A device shows a code and nobody can be asked for it.
    #[error("the role wants the code of the device {serial}, and nobody gave it")]
    NoCode {
        /// Its serial number.
        serial: String,
    },
    /// A file that is needed.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Signing in is over.
    #[error("the session of `{session}` {reason}: run `{command}`")]
    SignIn {
        /// The session, or the profile.
        session: String,
        /// `has expired`.
        reason: &'static str,
        /// What to run.
        command: String,
    },
    /// A process that gives credentials.
    #[error("`{program}` {reason}")]
    Process {
        /// The program.
        program: String,
        /// What it did.
        reason: String,
    },
    /// An answer that cannot be used.
    #[error("{from}: {reason}")]
    Answer {
        /// What answered.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable that cannot be used.
    #[error("variable {name} {reason}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A call of a service failed.
    #[error("{operation} failed")]
    Call {
        /// The operation.
        operation: &'static str,
        /// How.
        #[source]
        error: Box<CallError>,
    },
    /// A request got no answer.
    #[error("{address} did not answer")]
    Transport {
        /// Where it went.
        address: String,
        /// Why.
        #[source]
        error: TransportError,
    },
    /// What was given has ended already.
    #[error("what {from} gives has ended at {at}")]
    Ended {
        /// Where it came from.
        from: String,
        /// When it ended.
        at: String,
    },
}

impl Problem {
    pub(super) fn profile(profile: &str, reason: impl Into<String>) -> Self {
        Self::Profile { profile: profile.to_owned(), reason: reason.into() }
    }

    pub(super) fn answer(from: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Answer { from: from.into(), reason: reason.into() }
    }
}
