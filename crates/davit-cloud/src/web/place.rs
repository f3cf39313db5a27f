//! Whom a request goes to, and whether something secret may go there. Calls nothing.

use davit_aws::http::Request;

/// The scheme and the host of a request, however they are written: without the scheme's own port, in small letters.
#[must_use]
pub fn origin(request: &Request) -> (String, String) {
    let (scheme, host) = (request.scheme.to_ascii_lowercase(), request.host.to_ascii_lowercase());
    let port = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(port).map(str::to_owned).unwrap_or(host);
    (scheme, host)
}

/// Whether two addresses are those of one server.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    let of = |url: &str| Request::of_url("GET", url).map(|it| origin(&it));
    of(one).is_some_and(|it| Some(it) == of(other))
}

/// Whether a host is a name, or one below it.
#[must_use]
pub fn is_below(host: &str, name: &str) -> bool {
    host == name || host.strip_suffix(name).is_some_and(|it| it.ends_with('.'))
}

/// Whether a request does not leave this machine.
#[must_use]
pub fn is_here(request: &Request) -> bool {
    let host = request.host.as_str();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    // Behind an `@` stands another host.
    !host.contains('@')
        && (name == "localhost"
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()))
}

/// Whether something secret may be sent there: over TLS, or without leaving this machine.
#[must_use]
pub fn is_secure(request: &Request) -> bool {
    request.scheme == "https" || is_here(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_goes_over_open_lines() {
        for (url, fits) in [
            ("https://a.com/", true),
            ("http://a.com/", false),
            ("http://127.0.0.1:10000/a", true),
            ("http://[::1]:1/", true),
            ("http://localhost:1/", true),
            ("http://localhost.example.com/", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://localhost:x@example.com/", false),
        ] {
            let request = Request::of_url("GET", url).unwrap();
            assert_eq!(is_secure(&request), fits, "{url}");
        }
    }

    #[test]
    fn servers_are_known_however_they_are_written() {
        for (one, other, same) in [
            ("https://v.vault.azure.net", "https://v.vault.azure.net:443/secrets?a=b", true),
            ("https://A.com/x", "HTTPS://a.COM", true),
            ("http://a:80", "http://a", true),
            ("https://a:80", "https://a", false),
            ("http://a", "https://a", false),
            ("https://a", "https://b", false),
            ("https://a", "https://a:443@b", false),
            ("a", "a", false),
        ] {
            assert_eq!(is_same(one, other), same, "{one} {other}");
        }
        assert!(is_below("a.b", "a.b") && is_below("x.a.b", "a.b") && !is_below("xa.b", "a.b"));
    }
}
