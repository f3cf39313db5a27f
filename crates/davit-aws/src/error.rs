//! Why a call gave nothing: one type for the whole crate, whose causes stand where they arise.

use std::{error::Error as StdError, time::Duration};

use crate::{
    checksum::ChecksumError,
    config::SettingsError,
    connection::TransportError,
    credentials::CredentialsError,
    customise::Refused,
    endpoint::{self, EndpointError},
    event_stream::FrameError,
    model::ModelError,
    paginate::PageError,
    parse::{Defect, ServiceError, Unreadable},
    query::QueryError,
    retry::Failure,
    serialize,
    sign::SignError,
    validate::Invalid,
};

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No model has this name.
    #[error("there is no service {name:?}{}", hint(.nearest.as_deref()))]
    UnknownService {
        /// What was asked for.
        name: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// The service has no such operation.
    #[error("{service} has no operation {name:?}{}", hint(.nearest.as_deref()))]
    UnknownOperation {
        /// The service.
        service: &'static str,
        /// What was asked for.
        name: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// The service has no such waiter.
    #[error("{service} has nothing to wait for that is called {name:?}{}", hint(.nearest.as_deref()))]
    UnknownWaiter {
        /// The service.
        service: &'static str,
        /// What was asked for.
        name: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// A model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What was given is not what the operation takes.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A parameter cannot be sent.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A parameter cannot be sent.
    #[error(transparent)]
    Serialize(#[from] serialize::Error),
    /// It is not known where the request goes.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There is nothing to sign with.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A body is not what its checksum says.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// A setting makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A frame of a stream of events makes no sense.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// There was no answer.
    #[error("{service}.{operation} failed{}", after(*attempts))]
    NoAnswer {
        /// The service.
        service: &'static str,
        /// The operation.
        operation: &'static str,
        /// How often it was sent.
        attempts: u32,
        /// Why the last attempt was not answered.
        source: TransportError,
    },
    /// An answer broke off while it was read.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The answer makes no sense.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The service says no.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// Pages do not go on.
    #[error(transparent)]
    Page(#[from] PageError),
    /// An expression of JMESPath makes no sense.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A file to be sent cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something became another while it was sent or fetched.
    #[error("{what} changed while it was {doing}: nothing is made of two halves, so try it again")]
    Changed {
        /// The file or the object.
        what: String,
        /// `sent` or `fetched`.
        doing: &'static str,
    },
    /// What was waited for can no longer come.
    #[error("{waiter}: what is waited for will not come: {seen}")]
    WaitFailed {
        /// The waiter.
        waiter: &'static str,
        /// What was seen at last.
        seen: String,
    },
    /// What was waited for did not come in time.
    #[error("{waiter}: not there after {calls} calls in {} s", waited.as_secs())]
    WaitTimeout {
        /// The waiter.
        waiter: &'static str,
        /// How often was asked.
        calls: u32,
        /// How long was waited.
        waited: Duration,
    },
    /// The operation does not do what it was used for.
    #[error("{operation} {reason}")]
    Unfit {
        /// The operation.
        operation: &'static str,
        /// What it cannot be used for.
        reason: &'static str,
    },
}

impl Error {
    /// What the service says, if it is the service that says no.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceError> {
        if let Self::Service(error) = self { Some(error) } else { None }
    }

    /// The code of the service's error: `NoSuchBucket`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.service().map(|it| it.code.as_str())
    }

    /// Whether it is of a kind that goes by: of the connection, or of a service that is busy. The client has tried
    /// again already; who has more time may do so, too.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::NoAnswer { source, .. } | Self::Transport(source) => source.passes(),
            Self::Unreadable(error) => error.defect == Defect::Truncated,
            Self::Service(said) => {
                let failure = Failure {
                    code: Some(&said.code),
                    status: Some(said.metadata.status),
                    modeled: said.retryable,
                    modeled_throttling: said.throttling,
                    ..Failure::default()
                };
                failure.reason().is_some()
            }
            _ => false,
        }
    }

    /// The whole chain of causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(error) = next {
            let cause = error.to_string();
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
            next = error.source();
        }
        if let Some(region) = self.region_meant() {
            text = format!("{text} (was the region {region:?} meant?)");
        }
        text
    }

    /// The region that was probably meant, where none of AWS's hosts has the name of the one that was said.
    fn region_meant(&self) -> Option<&'static str> {
        let (Self::NoAnswer { source, .. } | Self::Transport(source)) = self else { return None };
        let TransportError::Connect { host, .. } = source else { return None };
        let of_aws = [".amazonaws.com", ".api.aws", ".amazonaws.com.cn"];
        let name = host.split(':').next().unwrap_or(host);
        if !of_aws.iter().any(|end| name.ends_with(end)) {
            return None;
        }
        name.split('.').find_map(endpoint::nearest_region)
    }
}

impl From<ServiceError> for Error {
    fn from(error: ServiceError) -> Self {
        Self::Service(Box::new(error))
    }
}

fn after(attempts: u32) -> String {
    if attempts > 1 { format!(" after {attempts} attempts") } else { String::new() }
}

fn hint(name: Option<&str>) -> String {
    name.map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_that_are_mistyped_are_told() {
        let said = |host: &str| {
            let source = "Name or service not known".into();
            Error::from(TransportError::Connect { host: host.to_owned(), source }).chain()
        };
        for (host, meant) in [
            ("ec2.us-eats-1.amazonaws.com", Some("us-east-1")),
            ("dynamodb.eu-wset-1.api.aws", Some("eu-west-1")),
            ("ec2.us-east1.amazonaws.com:443", Some("us-east-1")),
            ("ec2.us-east-1.amazonaws.com", None),
            ("ec2.mars-north-7.amazonaws.com", None),
            ("us-eats-1.example.org", None),
        ] {
            let plain = format!("no connection to {host}: Name or service not known");
            let hint = meant.map(|it| format!(" (was the region {it:?} meant?)"));
            assert_eq!(said(host), plain + &hint.unwrap_or_default());
        }
    }
}
