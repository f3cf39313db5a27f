//! Requests and answers as values: what protocols make, signatures sign and connections carry. Does
//! no IO.

use bytes::Bytes;

/// A request to a service, before or after it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `GET`, `POST` ...
    pub method: String,
    /// `https` or `http`; empty until the endpoint is known.
    pub scheme: String,
    /// The host, with a port where it is not the scheme's own; empty until the endpoint is known.
    pub host: String,
    /// The path as it goes over the wire, percent-encoded, with its slash in front.
    pub path: String,
    /// The parameters behind the question mark, in their order, not encoded. One without a value
    /// (`?uploads`) has an empty one.
    pub query: Vec<(String, String)>,
    /// The names of parameters without a value that have no equals sign on the wire either. For
    /// signatures they are like all others.
    pub bare: Vec<String>,
    /// The headers in their order. Names are as they were written and compared without case.
    pub headers: Headers,
    /// The body, where it is known as a whole. A streamed body is handed to the connection beside the request.
    pub body: Bytes,
}

impl Request {
    /// A request without headers and body to an address of `http` or `https`; nothing if it is none.
    #[must_use]
    pub fn of_url(method: &str, url: &str) -> Option<Self> {
        let fits = |it: char| it.is_ascii_graphic() && it != '\\';
        if !url.chars().all(fits) {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, rest) = rest.split_at(end);
        if !matches!(scheme.as_str(), "http" | "https") || host.is_empty() {
            return None;
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let text =
            |it: &str| percent_encoding::percent_decode_str(it).decode_utf8_lossy().into_owned();
        let query = query.split('&').filter(|it| !it.is_empty());
        let query = query.map(|it| {
            let (name, value) = it.split_once('=').unwrap_or((it, ""));
            (text(name), text(value))
        });
        Some(Self {
            method: method.to_owned(),
            scheme,
            host: host.to_owned(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: query.collect(),
            ..Self::default()
        })
    }

    /// The parameters as they go over the wire: everything but `A-Z a-z 0-9 - _ . ~` encoded.
    #[must_use]
    pub fn query_string(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.query {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(&encode(name));
            if value.is_empty() && self.bare.contains(name) {
                continue;
            }
            text.push('=');
            text.push_str(&encode(value));
        }
        text
    }

    /// The whole address.
    #[must_use]
    pub fn url(&self) -> String {
        let query = self.query_string();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}://{}{}{mark}{query}", self.scheme, self.host, self.path)
    }
}

/// An answer whose body has been read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// `200`.
    pub status: u16,
    /// The headers in their order.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// Names and values in their order; names are compared without case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether a name is there.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Puts a value in the place of all that a name had.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds a value to those that a name has.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Takes a name away; its first value, if it was there.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let first = self.get(name).map(str::to_owned);
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        first
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// What is not encoded: RFC 3986's unreserved characters.
const ENCODED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Text for a place between slashes or behind a question mark.
#[must_use]
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, ENCODED).to_string()
}

/// The same, with slashes left as they are.
#[must_use]
pub fn encode_path(text: &str) -> String {
    text.split('/').map(encode).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, expected) in [
            ("http://a", Some("http://a/")),
            ("HTTPS://a:8/b/c?x=1&y=a%20b&z#f", Some("https://a:8/b/c?x=1&y=a%20b&z=")),
            ("http://[::1]:8?x=1", Some("http://[::1]:8/?x=1")),
            ("http://", None),
            ("ftp://a/", None),
            ("a/b", None),
            ("http://a b/", None),
        ] {
            let request = Request::of_url("GET", url);
            assert_eq!(request.map(|it| it.url()).as_deref(), expected, "{url}");
        }
    }
}
