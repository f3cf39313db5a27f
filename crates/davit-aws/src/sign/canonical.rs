//! Requests in the form that is signed. Knows no key.

use std::borrow::Cow;

use super::Settings;
use crate::http::{Request, encode, encode_path};

/// What proxies and tracers may change on the way is not signed.
const UNSIGNED: &[&str] = &[
    "baggage",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// The headers that are signed.
pub(super) struct Lines {
    /// `host;x-amz-date`.
    pub(super) names: String,
    /// Each with its line end.
    lines: String,
}

/// What the `Host` header of a request says: in small letters, and without the scheme's own port.
#[must_use]
pub fn host_header(request: &Request) -> Cow<'_, str> {
    let port = if request.scheme == "http" { ":80" } else { ":443" };
    let host = request.host.strip_suffix(port).unwrap_or(&request.host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

pub(super) fn headers(request: &Request) -> Lines {
    let mut headers: Vec<(Cow<'_, str>, Cow<'_, str>)> = request
        .headers
        .iter()
        .filter(|(name, _)| !UNSIGNED.iter().any(|it| it.eq_ignore_ascii_case(name)))
        .map(|(name, value)| (Cow::Owned(name.to_ascii_lowercase()), Cow::Borrowed(value)))
        .collect();
    if !headers.iter().any(|(name, _)| name == "host") {
        headers.push((Cow::Borrowed("host"), host_header(request)));
    }
    // Values of one name stay in their order.
    headers.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut lines = Lines { names: String::new(), lines: String::with_capacity(256) };
    for (index, (name, value)) in headers.iter().enumerate() {
        if index > 0 && headers[index - 1].0 == *name {
            lines.lines.pop();
            lines.lines.push(',');
        } else {
            if index > 0 {
                lines.names.push(';');
            }
            lines.names.push_str(name);
            lines.lines.push_str(name);
            lines.lines.push(':');
        }
        for (index, word) in value.split_whitespace().enumerate() {
            if index > 0 {
                lines.lines.push(' ');
            }
            lines.lines.push_str(word);
        }
        lines.lines.push('\n');
    }
    lines
}

pub(super) fn request(
    request: &Request,
    settings: &Settings<'_>,
    headers: &Lines,
    payload: &str,
) -> String {
    let method = request.method.to_ascii_uppercase();
    let path = path(&request.path, settings);
    let query = query(&request.query);
    let Lines { names, lines } = headers;
    [&method, &*path, &query, lines, names, payload].join("\n")
}

fn path<'a>(path: &'a str, settings: &Settings<'_>) -> Cow<'a, str> {
    if path.is_empty() {
        return Cow::Borrowed("/");
    }
    let path = if settings.normalize_path { normalize(path) } else { Cow::Borrowed(path) };
    if settings.double_encode { Cow::Owned(encode_path(&path)) } else { path }
}

/// Takes dots and doubled slashes out.
fn normalize(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains('.') {
        return Cow::Borrowed(path);
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let first = if path.starts_with('/') { "/" } else { "" };
    let last = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    Cow::Owned(format!("{first}{}{last}", segments.join("/")))
}

fn query(query: &[(String, String)]) -> String {
    let mut pairs: Vec<(String, String)> =
        query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort();
    let mut text = String::new();
    for (name, value) in &pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (path, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/a/./b//c", "/a/b/c"),
            ("/a/../..//b/", "/b/"),
            ("/a..b/.c", "/a..b/.c"),
            ("/../", "/"),
        ] {
            assert_eq!(normalize(path), expected, "{path}");
        }
    }

    #[test]
    fn the_host_is_said_without_its_own_port() {
        let host = |scheme: &str, host: &str| {
            let request =
                Request { scheme: scheme.to_owned(), host: host.to_owned(), ..Request::default() };
            host_header(&request).into_owned()
        };
        assert_eq!(host("https", "Example.com:443"), "example.com");
        assert_eq!(host("http", "example.com:443"), "example.com:443");
        assert_eq!(host("http", "127.0.0.1:80"), "127.0.0.1");
        assert_eq!(host("https", "[::1]:8443"), "[::1]:8443");
    }
}
