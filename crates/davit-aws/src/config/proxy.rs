//! Which proxy a request goes through, from the variables that other programs use for it. Connects
//! to nothing.

use std::fmt;

use super::Environment;

/// The proxies by scheme, and the hosts that are spoken to directly.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    direct: Vec<String>,
    /// `proxy_use_forwarding_for_https`: requests to `https` addresses are handed to the proxy whole,
    /// not through a tunnel.
    pub forward_https: bool,
    /// `proxy_ca_bundle`: who signed the proxy's certificate.
    pub ca_bundle: Option<String>,
    /// `proxy_client_cert`: what the proxy is shown.
    pub client_cert: Option<String>,
}

impl Proxies {
    /// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in small letters or, if there is
    /// none such, in capitals.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let any = |name: &str| {
            let upper = name.to_uppercase();
            environment.get(name).or_else(|| environment.get(&upper)).map(str::to_owned)
        };
        // A web server hands a visitor's `Proxy:` header to CGI programs as HTTP_PROXY.
        let served = environment.get("REQUEST_METHOD").is_some();
        let http = if served {
            environment.get("http_proxy").map(str::to_owned)
        } else {
            any("http_proxy")
        };
        let direct = any("no_proxy").unwrap_or_default();
        let direct = direct.split(',').map(|it| it.trim().trim_start_matches('.').to_lowercase());
        Self {
            http: http.or_else(|| any("all_proxy")),
            https: any("https_proxy").or_else(|| any("all_proxy")),
            direct: direct.filter(|it| !it.is_empty()).collect(),
            ..Self::default()
        }
    }

    /// The address of the proxy for a scheme and a host, which may have a port behind it; nothing if
    /// the host is spoken to directly.
    #[must_use]
    pub fn of_host(&self, scheme: &str, host: &str) -> Option<&str> {
        let proxy = if scheme == "https" { &self.https } else { &self.http };
        let proxy = proxy.as_deref()?;
        let host = host.to_lowercase();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
            _ => &host,
        };
        let is_direct = |known: &String| {
            known == "*"
                || [name, &host].iter().any(|it| {
                    it.strip_suffix(known.as_str())
                        .is_some_and(|front| front.is_empty() || front.ends_with('.'))
                })
        };
        (!self.direct.iter().any(is_direct)).then_some(proxy)
    }
}

/// Addresses of proxies may have a password in them.
impl fmt::Debug for Proxies {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Proxies")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("direct", &self.direct)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_spoken_to_directly_where_no_proxy_says_so() {
        let environment: Environment = [
            ("HTTP_PROXY", "http://upper"),
            ("http_proxy", "http://proxy"),
            ("HTTPS_PROXY", "http://secure"),
            ("NO_PROXY", "localhost, .internal,example.com:8080"),
        ]
        .into_iter()
        .collect();
        let proxies = Proxies::of(&environment);
        for (scheme, host, expected) in [
            ("http", "a.com", Some("http://proxy")),
            ("https", "a.com:443", Some("http://secure")),
            ("http", "localhost:3000", None),
            ("http", "a.INTERNAL", None),
            ("http", "internal", None),
            ("http", "notinternal", Some("http://proxy")),
            ("http", "example.com:8080", None),
            ("http", "example.com", Some("http://proxy")),
        ] {
            assert_eq!(proxies.of_host(scheme, host), expected, "{scheme}://{host}");
        }
        let served = [("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")];
        let proxies = Proxies::of(&served.into_iter().collect());
        assert_eq!(proxies.of_host("http", "a.com"), None);
    }
}
