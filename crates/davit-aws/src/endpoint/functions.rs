//! The functions that endpoint rules call, as the Smithy specification has them. Knows no rule.

use std::{borrow::Cow, net::Ipv6Addr, rc::Rc, str::FromStr};

use super::scope::{Arn, Text, Url, part};
use crate::http::encode_path;

/// Whether text can be a label of a host's name, or with `subdomains` several with dots between them.
pub(super) fn is_valid_host_label(text: &str, subdomains: bool) -> bool {
    let valid = |label: &str| {
        matches!(label.len(), 1..=63)
            && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if subdomains { text.split('.').all(valid) } else { valid(text) }
}

/// Whether a bucket's name can stand in a host's.
pub(super) fn is_virtual_hostable(bucket: &str, subdomains: bool) -> bool {
    bucket.len() >= 3
        && !bucket.bytes().any(|it| it.is_ascii_uppercase())
        && !is_ipv4(bucket)
        && is_valid_host_label(bucket, subdomains)
}

/// Whether text is written as four numbers with dots between them.
pub(super) fn is_ipv4(text: &str) -> bool {
    let mut parts = 0;
    text.split('.').all(|it| {
        parts += 1;
        matches!(it.len(), 1..=3) && it.bytes().all(|it| it.is_ascii_digit())
    }) && parts == 4
}

/// Characters from a start to an end, counted from the text's end with `reverse`. Nothing where there
/// are not as many or they are not all ASCII.
pub(super) fn substring<'a>(
    text: &Text<'a>,
    start: i64,
    stop: i64,
    reverse: bool,
) -> Option<Text<'a>> {
    let start = usize::try_from(start).ok()?;
    let stop = usize::try_from(stop).ok()?;
    if start >= stop || text.len() < stop || !text.is_ascii() {
        return None;
    }
    let size = text.len();
    Some(if reverse { part(text, size - stop, size - start) } else { part(text, start, stop) })
}

/// The parts of an ARN; nothing if it is none.
pub(super) fn parse_arn<'a>(text: &Text<'a>) -> Option<Arn<'a>> {
    if !text.starts_with("arn:") {
        return None;
    }
    let mut at = 0;
    let mut next = || {
        let end = at + text[at..].find(':')?;
        let field = part(text, at, end);
        at = end + 1;
        Some(field)
    };
    next()?;
    let (partition, service, region, account_id) = (next()?, next()?, next()?, next()?);
    let resource = part(text, at, text.len());
    if partition.is_empty() || service.is_empty() || resource.is_empty() {
        return None;
    }
    let mut from = 0;
    let mut resource_id = Vec::new();
    for (end, _) in resource.match_indices([':', '/']) {
        resource_id.push(part(&resource, from, end));
        from = end + 1;
    }
    resource_id.push(part(&resource, from, resource.len()));
    Some(Arn { partition, service, region, account_id, resource_id: resource_id.into() })
}

/// The parts of an address; nothing if it is none, is not of HTTP, or has a query.
pub(super) fn parse_url<'a>(text: &Text<'a>) -> Option<Url<'a>> {
    let scheme_end = text.find("://")?;
    let scheme = match text[..scheme_end].to_ascii_lowercase().as_str() {
        "https" => "https",
        "http" => "http",
        _ => return None,
    };
    let authority_at = scheme_end + 3;
    let rest = &text[authority_at..];
    let path_at = authority_at + rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let end = text.find('#').unwrap_or(text.len());
    let (path_end, query) = match text[..end].find('?') {
        Some(mark) => (mark, &text[mark + 1..end]),
        None => (end, ""),
    };
    let authority = part(text, authority_at, path_at);
    let (host, port) = host_and_port(&authority)?;
    if !query.is_empty() || host.is_empty() || !port.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    if !port.is_empty() && u16::from_str(port).is_err() {
        return None;
    }
    let is_ip = is_ipv4(host) || host.starts_with('[');
    let path = part(text, path_at, path_end);
    let mut normalized_path = encode_path(&without_dots(&path));
    if !normalized_path.ends_with('/') {
        normalized_path.push('/');
    }
    Some(Url { scheme, authority, path, normalized_path, is_ip })
}

/// The host, in brackets if it is an address of IPv6, and the port's digits, which may be none. Nothing
/// if a bracket is not closed or there is no address in it.
pub(super) fn host_and_port(authority: &str) -> Option<(&str, &str)> {
    let (_, behind) = authority.rsplit_once('@').unwrap_or(("", authority));
    if let Some(inner) = behind.strip_prefix('[') {
        let (address, port) = inner.split_once(']')?;
        Ipv6Addr::from_str(address.split_once('%').map_or(address, |(it, _)| it)).ok()?;
        let host = &behind[..address.len() + 2];
        return if port.is_empty() {
            Some((host, ""))
        } else {
            Some((host, port.strip_prefix(':')?))
        };
    }
    Some(behind.split_once(':').unwrap_or((behind, "")))
}

/// A path without `.`, `..` and slashes that follow each other.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// Text cut at a delimiter, into `limit` parts at most unless that is 0. Nothing without a delimiter.
pub(super) fn split<'a>(text: &Text<'a>, delimiter: &str, limit: i64) -> Option<Rc<[Text<'a>]>> {
    let limit = match usize::try_from(limit).ok()? {
        0 => usize::MAX,
        limit => limit,
    };
    if delimiter.is_empty() {
        return None;
    }
    Some(match text {
        Cow::Borrowed(text) => text.splitn(limit, delimiter).map(Cow::Borrowed).collect(),
        Cow::Owned(text) => {
            text.splitn(limit, delimiter).map(|it| Cow::Owned(it.to_owned())).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_hosts() {
        for (text, subdomains, valid) in [
            ("a", false, true),
            ("a.b", false, false),
            ("a.b", true, true),
            ("a..b", true, false),
            ("-a", false, false),
            ("a_b", false, false),
            ("", true, false),
            (&*"a".repeat(64), false, false),
        ] {
            assert_eq!(is_valid_host_label(text, subdomains), valid, "{text}");
        }
    }

    #[test]
    fn buckets_that_can_stand_in_hosts() {
        for (bucket, subdomains, can) in [
            ("my-bucket", false, true),
            ("my.bucket", false, false),
            ("my.bucket", true, true),
            ("My-bucket", false, false),
            ("ab", false, false),
            ("192.168.5.4", true, false),
        ] {
            assert_eq!(is_virtual_hostable(bucket, subdomains), can, "{bucket}");
        }
    }

    #[test]
    fn parts_of_text() {
        let text = Cow::Borrowed("abcdefg");
        let of = |start, stop, reverse| substring(&text, start, stop, reverse);
        assert_eq!(of(0, 4, false).as_deref(), Some("abcd"));
        assert_eq!(of(0, 4, true).as_deref(), Some("defg"));
        assert_eq!(of(1, 4, true).as_deref(), Some("def"));
        assert_eq!(of(0, 8, false), None);
        assert_eq!(of(4, 4, false), None);
        assert_eq!(of(-1, 4, false), None);
        assert_eq!(substring(&Cow::Borrowed("aéb"), 0, 2, false), None);
    }

    #[test]
    fn arns() {
        let arn = parse_arn(&Cow::Borrowed("arn:aws:s3:us-west-2:123:outpost/op-1:accesspoint/x"));
        let arn = arn.expect("an ARN");
        assert_eq!((&*arn.service, &*arn.account_id), ("s3", "123"));
        assert_eq!(&*arn.resource_id, ["outpost", "op-1", "accesspoint", "x"]);
        for text in ["", "arn:", "arn:aws:s3:::", "arn:aws:s3:x:y", "bucket", "arn::s3:::x"] {
            assert!(parse_arn(&Cow::Borrowed(text)).is_none(), "{text}");
        }
        assert!(parse_arn(&Cow::Owned("arn:aws:s3:::x".to_owned())).is_some());
    }

    #[test]
    fn addresses() {
        for (text, path, normalized, is_ip) in [
            ("https://example.com", "", "/", false),
            ("http://example.com:80/foo/bar", "/foo/bar", "/foo/bar/", false),
            ("https://127.0.0.1:8443", "", "/", true),
            ("https://[fe80::1]:10", "", "/", true),
            ("https://example.com/a/../b//c/", "/a/../b//c/", "/b/c/", false),
        ] {
            let url = parse_url(&Cow::Borrowed(text)).expect(text);
            assert_eq!((&*url.path, &*url.normalized_path, url.is_ip), (path, normalized, is_ip));
        }
        for text in ["", "example.com", "ftp://x", "https://x?y=1", "http://x:99999", "http://[::1"]
        {
            assert!(parse_url(&Cow::Borrowed(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn text_is_cut() {
        let text = Cow::Borrowed("a--b--c");
        let of = |limit| split(&text, "--", limit).map(|it| it.join("|"));
        assert_eq!(of(0).as_deref(), Some("a|b|c"));
        assert_eq!(of(1).as_deref(), Some("a--b--c"));
        assert_eq!(of(2).as_deref(), Some("a|b--c"));
        assert_eq!(split(&text, "", 0), None);
    }
}
