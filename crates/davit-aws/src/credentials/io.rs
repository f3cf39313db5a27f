//! What credentials need of the world outside, as traits and values that are handed in. Does none of
//! it itself.

use std::{fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::Credentials;
use crate::{
    config::Environment,
    http::{Request, Response},
    value::Map,
};

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends requests that no model describes: to the metadata services of containers and instances.
/// They go straight to their host, not through a proxy.
pub trait Http: Send + Sync {
    /// Sends a request and reads the whole answer.
    fn send(
        &self,
        request: Request,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response, TransportError>>;
}

/// A request that got no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// What happened.
    pub message: String,
    /// Whether it was the time that ran out.
    pub timed_out: bool,
}

/// Calls operations of services.
pub trait Calls: Send + Sync {
    /// Makes a call and gives its answer.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Map, CallError>>;
}

/// A call of an operation.
pub struct Call<'a> {
    /// botocore's name of the service: `sts`, `sso`, `sso-oidc`, `signin`.
    pub service: &'static str,
    /// `AssumeRole`.
    pub operation: &'static str,
    /// Its parameters.
    pub parameters: Map,
    /// What it is signed with; nothing if it is not signed.
    pub credentials: Option<&'a Credentials>,
    /// The region; nothing stands for that of the settings.
    pub region: Option<String>,
    /// Makes a header of the request's address, which is known only when the request is made.
    pub sign_address: Option<&'a SignAddress<'a>>,
}

/// Makes the name and the value of a header of a whole address.
pub type SignAddress<'a> = dyn Fn(&str) -> (String, String) + Send + Sync + 'a;

/// Secrets are among the parameters.
impl fmt::Debug for Call<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Call")
            .field("service", &self.service)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

/// A call that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}{message}", code.as_deref().map(|it| format!("{it}: ")).unwrap_or_default())]
pub struct CallError {
    /// The code of the service's error, `ExpiredTokenException`; nothing if there was no answer.
    pub code: Option<String>,
    /// What the service says.
    pub message: String,
    /// The members of the error besides.
    pub members: Map,
}

/// Asks a person for the code of a second factor.
pub trait Mfa: Send + Sync {
    /// The code that the device of a serial number shows; nothing if the person gives none.
    fn code<'a>(&'a self, serial: &'a str) -> BoxFuture<'a, Option<String>>;
}

/// Where the program runs.
#[derive(Clone)]
pub struct Surroundings {
    /// The variables of its environment.
    pub environment: Environment,
    /// The home folder: caches are in its `.aws`.
    pub home: Option<PathBuf>,
    /// The clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Whether credentials of roles are kept in `~/.aws/cli/cache`, as the AWS CLI does.
    pub cache: bool,
    /// How long to wait before a container's address is asked again.
    pub pause: Duration,
    /// How long a process may take that gives credentials.
    pub process_timeout: Duration,
}

impl Surroundings {
    /// These variables and this home folder, the clock of the machine.
    #[must_use]
    pub fn new(environment: Environment, home: Option<PathBuf>) -> Self {
        Self {
            environment,
            home,
            now: Arc::new(Timestamp::now),
            cache: true,
            pause: Duration::from_secs(1),
            process_timeout: Duration::from_secs(300),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Surroundings")
            .field("environment", &self.environment)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}
