//! Tokens: those that take the place of a signature, and those that are made of one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Payload, Scope, Settings, SignError, Signing, presign};
use crate::http::Request;

/// Puts a bearer token into a request.
///
/// # Errors
///
/// When the request does not go over TLS.
pub fn bearer(request: &mut Request, token: &str) -> Result<(), SignError> {
    if request.scheme != "https" {
        let (host, scheme) = (request.host.clone(), request.scheme.clone());
        return Err(SignError::Insecure { host, scheme });
    }
    request.headers.set("Authorization", format!("Bearer {token}"));
    Ok(())
}

/// The password with which a user of the account's logs in to a database of RDS, for 15 minutes.
///
/// The service of `signing` does not matter, nor do its settings.
///
/// # Errors
///
/// As `presign`.
pub fn rds_auth_token(
    host: &str,
    port: u16,
    user: &str,
    signing: &Signing<'_>,
) -> Result<String, SignError> {
    let host = format!("{host}:{port}");
    address_without_scheme(
        &host,
        &[("Action", "connect"), ("DBUser", user)],
        900,
        &of(signing, "rds-db"),
    )
}

/// As whom a token for Aurora DSQL logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DsqlAction {
    /// As any role: `DbConnect`.
    Connect,
    /// As `admin`: `DbConnectAdmin`.
    ConnectAdmin,
}

/// The password for a cluster of Aurora DSQL, for a number of seconds (900 are usual).
///
/// The service of `signing` does not matter, nor do its settings.
///
/// # Errors
///
/// As `presign`.
pub fn dsql_auth_token(
    host: &str,
    action: DsqlAction,
    expires: u64,
    signing: &Signing<'_>,
) -> Result<String, SignError> {
    let action = match action {
        DsqlAction::Connect => "DbConnect",
        DsqlAction::ConnectAdmin => "DbConnectAdmin",
    };
    address_without_scheme(host, &[("Action", action)], expires, &of(signing, "dsql"))
}

/// What a token for a cluster of EKS is made of.
#[derive(Debug, Clone, Copy)]
pub struct ClusterToken<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The host of STS in the cluster's region: `sts.eu-west-1.amazonaws.com`.
    pub sts_host: &'a str,
}

/// The bearer token for a cluster of EKS: an address at which STS says who asks. It is good for 15
/// minutes, whatever it says itself.
///
/// The service of `signing` does not matter, nor do its settings.
///
/// # Errors
///
/// As `presign`.
pub fn eks_token(token: &ClusterToken<'_>, signing: &Signing<'_>) -> Result<String, SignError> {
    let query = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let mut request = get(token.sts_host, &query);
    request.headers.set("x-k8s-aws-id", token.cluster);
    presign(&mut request, Some(60), &of(signing, "sts"))?;
    Ok(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(request.url())))
}

fn of<'a>(signing: &Signing<'a>, service: &'a str) -> Signing<'a> {
    let scope = Scope { service, ..signing.scope };
    Signing { scope, settings: Settings::standard(Payload::Body), ..*signing }
}

fn get(host: &str, query: &[(&str, &str)]) -> Request {
    Request {
        method: "GET".to_owned(),
        scheme: "https".to_owned(),
        host: host.to_owned(),
        path: "/".to_owned(),
        query: query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Request::default()
    }
}

fn address_without_scheme(
    host: &str,
    query: &[(&str, &str)],
    expires: u64,
    signing: &Signing<'_>,
) -> Result<String, SignError> {
    let mut request = get(host, query);
    presign(&mut request, Some(expires), signing)?;
    Ok(format!("{host}/?{}", request.query_string()))
}
