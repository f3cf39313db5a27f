//! The parts of an endpoint's address, and how a request that was built gets them. Knows no rules.

use super::{Endpoint, functions};
use crate::{
    http::Request,
    model::{Operation, Service},
};

/// An address in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split<'a> {
    pub(super) scheme: &'static str,
    /// With the port, where one is written.
    pub(super) host: &'a str,
    /// Empty or with a slash in front.
    pub(super) path: &'a str,
}

/// Takes an address apart.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn split(url: &str) -> Result<Split<'_>, &'static str> {
    let (scheme, rest) =
        url.split_once("://").ok_or("it does not begin with http:// or https://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" => "https",
        "http" => "http",
        _ => return Err("it does not begin with http:// or https://"),
    };
    if rest.contains(['?', '#']) {
        return Err("it has a query");
    }
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.contains('@') {
        return Err("it has a user in it");
    }
    let (name, port) = functions::host_and_port(host).ok_or("its host is none")?;
    let can_be = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    let is_name = name.len() <= 255 && !name.starts_with('.') && !name.contains("..");
    if name.is_empty() || !(name.starts_with('[') || is_name && name.bytes().all(can_be)) {
        return Err("its host is none");
    }
    if !port.bytes().all(|it| it.is_ascii_digit())
        || !port.is_empty() && port.parse::<u16>().is_err()
    {
        return Err("its port is none");
    }
    if !path.bytes().all(|it| it.is_ascii_graphic()) {
        return Err("its path is not encoded");
    }
    Ok(Split { scheme, host, path })
}

/// Whether the rules of a service put before the host what its operation says goes there too.
fn rules_have_prefix(service: &Service, operation: &Operation) -> bool {
    service.metadata.endpoint_prefix == "s3-control"
        && operation.host_prefix == Some("{AccountId}.")
        && operation.static_context.iter().any(|(name, _)| *name == "RequiresAccountId")
}

/// Sends a request that was built to an endpoint: scheme, host, path and headers. The bucket that S3's
/// paths begin with is taken away, since endpoints of S3 have it, in the host or in the path. A prefix is
/// left out where the host is an IP address, which can have none, and where the rules of the service have put
/// it there.
pub fn apply(
    service: &Service,
    operation: &Operation,
    endpoint: &Endpoint,
    host_prefix: Option<&str>,
    request: &mut Request,
) {
    let (name, port) = functions::host_and_port(&endpoint.host).unwrap_or((&endpoint.host, ""));
    let is_ip = name.starts_with('[') || functions::is_ipv4(name);
    let left_out = is_ip || rules_have_prefix(service, operation);
    let prefix = host_prefix.filter(|_| !left_out).unwrap_or_default();
    let usual = if endpoint.scheme == "https" { "443" } else { "80" };
    request.host = format!("{prefix}{name}");
    if !port.is_empty() && port != usual {
        request.host.push(':');
        request.host.push_str(port);
    }
    request.scheme.clone_from(&endpoint.scheme);
    let mut own = request.path.as_str();
    if service.metadata.endpoint_prefix == "s3" && operation.uri.starts_with("/{Bucket}") {
        let behind = own.strip_prefix('/').unwrap_or(own);
        own = &behind[behind.find('/').unwrap_or(behind.len())..];
    }
    let base = endpoint.path.as_str();
    request.path = match own {
        "" | "/" if base.is_empty() => "/".to_owned(),
        "" | "/" => base.to_owned(),
        _ => {
            let base =
                if own.starts_with('/') { base.strip_suffix('/').unwrap_or(base) } else { base };
            format!("{base}{own}")
        }
    };
    for (name, value) in endpoint.headers.iter() {
        request.headers.set(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, scheme, host, path) in [
            ("https://a.b", "https", "a.b", ""),
            ("HTTP://a:8080/x/y", "http", "a:8080", "/x/y"),
            ("http://[::1]:9000/", "http", "[::1]:9000", "/"),
            ("http://my_host", "http", "my_host", ""),
        ] {
            assert_eq!(split(url), Ok(Split { scheme, host, path }), "{url}");
        }
        for url in [
            "",
            "localhost:4566",
            "ftp://x",
            "https://",
            "https://user:secret@x",
            "https://x?y",
            "https://a b",
            "https://a\r\nHost: b",
            "https://x:port",
            "https://x:99999",
            "https://a..b",
            "https://x/a b",
        ] {
            assert!(split(url).is_err(), "{url}");
        }
    }
}
