//! The places that are looked at, and their order.

use std::fmt;

/// A place that credentials may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The program gave them.
    Explicit,
    /// `AWS_ACCESS_KEY_ID` and its like.
    Environment,
    /// A profile with a `role_arn` and something that the role is assumed with.
    Role,
    /// A token file and a role, from variables or a profile.
    WebIdentity,
    /// A profile of IAM Identity Center.
    Sso,
    /// The keys of a profile in `~/.aws/credentials`.
    SharedFile,
    /// A profile with a session of `aws login`.
    Login,
    /// A profile with a `credential_process`.
    Process,
    /// The keys of a profile in `~/.aws/config`.
    ConfigFile,
    /// The address that ECS and EKS give their containers.
    Container,
    /// The instance metadata service of EC2.
    Instance,
}

impl Place {
    /// All of them, in the order in which they are looked at.
    pub const ORDER: [Self; 11] = [
        Self::Explicit,
        Self::Environment,
        Self::Role,
        Self::WebIdentity,
        Self::Sso,
        Self::SharedFile,
        Self::Login,
        Self::Process,
        Self::ConfigFile,
        Self::Container,
        Self::Instance,
    ];

    /// Those of a profile that stand by themselves, in their order.
    pub(super) const BASES: [Self; 6] = [
        Self::WebIdentity,
        Self::Sso,
        Self::SharedFile,
        Self::Login,
        Self::Process,
        Self::ConfigFile,
    ];

    /// What botocore calls the same place.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Environment => "env",
            Self::Role => "assume-role",
            Self::WebIdentity => "assume-role-with-web-identity",
            Self::Sso => "sso",
            Self::SharedFile => "shared-credentials-file",
            Self::Login => "login",
            Self::Process => "custom-process",
            Self::ConfigFile => "config-file",
            Self::Container => "container-role",
            Self::Instance => "iam-role",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Explicit => "the program",
            Self::Environment => "the environment",
            Self::Role => "assumed role",
            Self::WebIdentity => "web identity",
            Self::Sso => "SSO",
            Self::SharedFile => "credentials file",
            Self::Login => "login session",
            Self::Process => "credential process",
            Self::ConfigFile => "configuration file",
            Self::Container => "container",
            Self::Instance => "instance metadata",
        })
    }
}
