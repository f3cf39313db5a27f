//! Addresses: their parts, and one relative to another.
//!
//! It does not know what is behind them.

use super::Failure;

/// An address in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Url {
    /// In lower case.
    pub(crate) scheme: String,
    /// Name and password, decoded.
    pub(crate) user: Option<(String, String)>,
    /// Without brackets and port.
    pub(crate) host: String,
    /// The port as written.
    pub(crate) port: Option<u16>,
    /// Path and query: never empty.
    pub(crate) path: String,
    /// The whole text without name and password.
    pub(crate) text: String,
}

impl Url {
    /// Takes an address apart.
    ///
    /// # Errors
    /// Where it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim_matches(|it: char| it <= ' ');
        let unknown = || Failure::Value(format!("unknown url type: '{text}'"));
        let (scheme, rest) = text.split_once(':').ok_or_else(unknown)?;
        let valid = scheme.starts_with(|it: char| it.is_ascii_alphabetic())
            && scheme.chars().all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it));
        if !valid {
            return Err(unknown());
        }
        let written = scheme;
        let scheme = scheme.to_lowercase();
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (place, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let (user, place) = match place.rsplit_once('@') {
            Some((user, place)) => {
                let (name, word) = user.split_once(':').unwrap_or((user, ""));
                (Some((decode(name), decode(word))), place)
            }
            None => (None, place),
        };
        let (host, port) = host_and_port(place)?;
        let shown = match &user {
            Some(_) => format!("{written}://{place}{}", rest.get(end..).unwrap_or_default()),
            None => text.to_owned(),
        };
        Ok(Self { scheme, user, host, port, path, text: shown })
    }

    /// The port, or that of the scheme.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.scheme.as_str() {
            "https" => 443,
            "ftp" => 21,
            _ => 80,
        })
    }

    /// Host and port as they stand in an address.
    pub(crate) fn place(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// Whether the other address is at the same server.
    pub(crate) fn same_server(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port() == other.port()
    }

    /// The last part of the path, without the query.
    pub(crate) fn file_name(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// What `reference` means on the page at this address.
    pub(crate) fn join(&self, reference: &str) -> String {
        let reference = reference.trim_matches(|it: char| it <= ' ');
        if reference.is_empty() {
            return self.text.clone();
        }
        let head = reference.split(['/', '?', '#']).next().unwrap_or_default();
        if head.contains(':') {
            return reference.to_owned();
        }
        let base = format!("{}://{}", self.scheme, self.place());
        if let Some(rest) = reference.strip_prefix("//") {
            return format!("{}://{rest}", self.scheme);
        }
        let path = self.path.split('?').next().unwrap_or_default();
        if reference.starts_with('?') {
            return format!("{base}{path}{reference}");
        }
        if reference.starts_with('#') {
            return format!("{base}{}{reference}", self.path);
        }
        let end = reference.find(['?', '#']).unwrap_or(reference.len());
        let (wanted, tail) = reference.split_at(end);
        let whole = if wanted.starts_with('/') {
            wanted.to_owned()
        } else {
            let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
            format!("{folder}{wanted}")
        };
        format!("{base}{}{tail}", without_dots(&whole))
    }
}

/// A path without `.` and `..`.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let folder = path.ends_with("/.") || path.ends_with("/..");
    let slash = if folder && !parts.is_empty() { "/" } else { "" };
    format!("/{}{slash}", parts.join("/"))
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), Failure> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, port) =
            rest.split_once(']').ok_or_else(|| Failure::Value("Invalid IPv6 URL".to_owned()))?;
        (host, port.strip_prefix(':'))
    } else {
        match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    let port = match port.filter(|it| !it.is_empty()) {
        Some(text) => {
            Some(text.parse().map_err(|_| Failure::Unknown(format!("nonnumeric port: '{text}'")))?)
        }
        None => None,
    };
    Ok((host.to_owned(), port))
}

/// A text without its `%xx`.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = text
            .get(at + 1..at + 3)
            .filter(|it| *byte == b'%' && it.bytes().all(|it| it.is_ascii_hexdigit()));
        match hex.and_then(|it| u8::from_str_radix(it, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A text as it stands in a form: blanks are `+`, what is not plain is `%xx`.
pub(crate) fn encode_form(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let url = Url::parse("HTTP://us%40er:p:w@Host:81/a/b.txt?q#f").unwrap();
        assert_eq!(url.scheme, "http");
        assert_eq!(url.user, Some(("us@er".into(), "p:w".into())));
        assert_eq!(
            (url.host.as_str(), url.port, url.path.as_str()),
            ("Host", Some(81), "/a/b.txt?q")
        );
        assert_eq!(url.text, "HTTP://Host:81/a/b.txt?q#f");
        assert_eq!(url.file_name(), "b.txt");
        let url = Url::parse("https://[::1]").unwrap();
        assert_eq!((url.host.as_str(), url.port(), url.path.as_str()), ("::1", 443, "/"));
        assert_eq!(url.place(), "[::1]");
        for wrong in
            ["", "nonsense", "//x", "1a://x", "http://x:y/", "http://[::1/", "http://x:99999/"]
        {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn references_are_followed() {
        let url = Url::parse("http://h:1/a/b/c?q").unwrap();
        for (reference, expect) in [
            ("/x", "http://h:1/x"),
            ("x?y", "http://h:1/a/b/x?y"),
            ("../x", "http://h:1/a/x"),
            ("../../../x/", "http://h:1/x/"),
            ("?z", "http://h:1/a/b/c?z"),
            ("//o/x", "http://o/x"),
            ("https://o/x", "https://o/x"),
            ("", "http://h:1/a/b/c?q"),
            ("..", "http://h:1/a/"),
        ] {
            assert_eq!(url.join(reference), expect, "{reference}");
        }
    }

    #[test]
    fn texts_are_coded() {
        assert_eq!(decode("a%20b%zz%C3%A9%"), "a b%zzé%");
        assert_eq!(encode_form("a b&é~"), "a+b%26%C3%A9~");
    }
}
