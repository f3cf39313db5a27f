//! Cookies that servers set in the course of one call.
//!
//! It does not keep any beyond that.

use davit_module::Reply;
use jiff::Timestamp;
use jiff::fmt::strtime;

use super::message::Headers;
use super::url::Url;

/// The forms in which servers write dates.
const DATES: &[&str] = &["%a, %d %b %Y %H:%M:%S", "%a, %d-%b-%Y %H:%M:%S", "%A, %d-%b-%y %H:%M:%S"];

/// What was set by now, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cookies(Vec<Cookie>);

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    /// The server, or with a dot before it all servers beneath it.
    domain: String,
    path: String,
    secure: bool,
}

impl Cookies {
    /// Takes in what an answer from `url` sets.
    pub(super) fn take(&mut self, url: &Url, headers: &Headers) {
        for line in headers.all("Set-Cookie") {
            if let Some((cookie, gone)) = parse(line, url) {
                let same = |it: &Cookie| {
                    (&it.name, &it.domain, &it.path) == (&cookie.name, &cookie.domain, &cookie.path)
                };
                let at = self.0.iter().position(same);
                match at.and_then(|it| self.0.get_mut(it)) {
                    Some(there) if !gone => *there = cookie,
                    Some(_) => self.0.retain(|it| !same(it)),
                    None if !gone => self.0.push(cookie),
                    None => {}
                }
            }
        }
    }

    /// The value of `Cookie` for a request to `url`; `None` = no cookie is meant for it.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let path = url.path.split('?').next().unwrap_or_default();
        let host = url.host.to_lowercase();
        let mut meant: Vec<&Cookie> = self
            .0
            .iter()
            .filter(|it| match it.domain.strip_prefix('.') {
                Some(domain) => host == domain || host.ends_with(&it.domain),
                None => host == it.domain,
            })
            .filter(|it| !it.secure || url.scheme == "https")
            .filter(|it| {
                path == it.path
                    || path
                        .strip_prefix(&it.path)
                        .is_some_and(|rest| it.path.ends_with('/') || rest.starts_with('/'))
            })
            .collect();
        meant.sort_by_key(|it| std::cmp::Reverse(it.path.len()));
        let texts: Vec<String> =
            meant.iter().map(|it| format!("{}={}", it.name, it.value)).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// All of them, for a result: as a map, and as a text.
    pub(crate) fn shown(&self) -> (Reply, String) {
        let map = self.0.iter().map(|it| (it.name.clone(), it.value.as_str().into())).collect();
        let texts: Vec<String> =
            self.0.iter().map(|it| format!("{}={}", it.name, it.value)).collect();
        (map, texts.join("; "))
    }
}

/// A cookie, and whether it is to be forgotten.
fn parse(line: &str, url: &Url) -> Option<(Cookie, bool)> {
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let host = url.host.to_lowercase();
    let path = url.path.split('?').next().unwrap_or_default();
    let folder = path.rfind('/').filter(|it| *it > 0).map_or("/", |at| &path[..at]);
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        domain: host.clone(),
        path: folder.to_owned(),
        secure: false,
    };
    if cookie.name.is_empty() {
        return None;
    }
    let mut gone = false;
    let mut aged = false;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "domain" if !value.is_empty() => {
                let domain = value.trim_start_matches('.').to_lowercase();
                let within = host == domain || host.ends_with(&format!(".{domain}"));
                // Nobody sets a cookie for a server that is not theirs, or for a whole country.
                if !within || (!domain.contains('.') && host != domain) {
                    return None;
                }
                cookie.domain = format!(".{domain}");
            }
            "max-age" => {
                aged = true;
                gone = value.parse::<i64>().is_ok_and(|it| it <= 0);
            }
            "expires" if !aged => gone = is_past(value),
            _ => {}
        }
    }
    Some((cookie, gone))
}

fn is_past(date: &str) -> bool {
    let plain = date.trim_end_matches("GMT").trim_end_matches("UTC").trim();
    DATES
        .iter()
        .filter_map(|format| strtime::parse(format, plain).ok()?.to_datetime().ok())
        .filter_map(|it| it.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .any(|it| it.timestamp() < Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lines: &[&str]) -> Cookies {
        let mut cookies = Cookies::default();
        let headers = Headers(lines.iter().map(|it| ("set-cookie".into(), (*it).into())).collect());
        cookies.take(&Url::parse("http://www.here.test/a/b?c").unwrap(), &headers);
        cookies
    }

    #[test]
    fn cookies_go_where_they_are_meant_to() {
        let check = |line: &str, url: &str, expect: Option<&str>| {
            let found = taken(&[line]).header(&Url::parse(url).unwrap());
            assert_eq!(found.as_deref(), expect, "{line} to {url}");
        };
        check("k=v", "http://www.here.test/a/x", Some("k=v"));
        check("k=v", "http://www.here.test/ab", None);
        check("k=v; Path=/", "http://WWW.here.test/", Some("k=v"));
        check("k=v; Path=/", "http://here.test/", None);
        check("k=v; path=/; Domain=here.test", "http://x.here.test/", Some("k=v"));
        check("k=v; path=/; Domain=test", "http://www.here.test/", None);
        check("k=v; path=/; Domain=other.test", "http://other.test/", None);
        check("k=v; path=/; Secure", "http://www.here.test/", None);
        check("k=v; path=/; Secure", "https://www.here.test/", Some("k=v"));
        check("k=v; path=/; Max-Age=0", "http://www.here.test/", None);
        check("k=v; path=/; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "http://www.here.test/", None);
        check("nonsense", "http://www.here.test/a/", None);
    }

    #[test]
    fn a_later_cookie_replaces_an_earlier_one() {
        let (map, text) = taken(&["a=1", "b=\"x y\"", "a=2"]).shown();
        assert_eq!((map.len(), text.as_str()), (2, "a=2; b=\"x y\""));
        assert_eq!(taken(&["a=1", "a=; Max-Age=-1"]).shown().1, "");
    }
}
