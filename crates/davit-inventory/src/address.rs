//! Names of hosts as inventories write them: ports, IPv6 in brackets, ranges. Knows no inventory.

use crate::Error;

/// More hosts than this from one line are a mistake, and would take the machine down.
const MAX_EXPANSION: usize = 4_000_000;

/// Splits a host from its port: `host:22`, `[::1]:22`, `h[1:3]:22`. `None` where `text` is no address at all.
pub(crate) fn parse_address(text: &str, ranges: bool) -> Option<(&str, Option<u32>)> {
    let (host, port) = split_port(text);
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .filter(|bare| balanced(bare));
    let candidates = [Some(host), bare.filter(|_| port.is_some())];
    for candidate in candidates.into_iter().flatten() {
        if is_ipv4(candidate, ranges)
            || is_ipv6(candidate, ranges)
            || is_hostname(candidate, ranges)
        {
            return Some((candidate, port));
        }
    }
    // What looked like a port may belong to an IPv6 address.
    is_ipv6(text, ranges).then_some((text, None))
}

fn balanced(text: &str) -> bool {
    text.matches('[').count() == text.matches(']').count()
}

/// The digits after the last colon, where what is before is one name or stands in brackets.
fn split_port(text: &str) -> (&str, Option<u32>) {
    let Some((host, digits)) = text.rsplit_once(':') else { return (text, None) };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || host.is_empty() {
        return (text, None);
    }
    let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    if !bracketed && outside_brackets(host).any(|char| matches!(char, ':' | ']')) {
        return (text, None);
    }
    match digits.parse() {
        Ok(port) => (host, Some(port)),
        Err(_) => (text, None),
    }
}

/// The characters of `text` that stand in no `[...]`.
fn outside_brackets(text: &str) -> impl Iterator<Item = char> {
    let mut inside = false;
    text.chars().filter(move |char| match char {
        '[' if !inside => {
            inside = true;
            false
        }
        ']' if inside => {
            inside = false;
            false
        }
        _ => !inside,
    })
}

/// True for `1:3`, `a:z` and `1:9:2`, as they stand in brackets.
fn is_range(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let letter =
        |part: &str| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    match parts.as_slice() {
        [begin, end] => (number(begin) && number(end)) || (letter(begin) && letter(end)),
        [begin, end, step] => {
            number(step) && ((number(begin) && number(end)) || (letter(begin) && letter(end)))
        }
        _ => false,
    }
}

/// `text` without its ranges, each replaced by `by`; `None` where a bracket is no range.
fn without_ranges(text: &str, ranges: bool, by: char) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['[', ']']) {
        if !ranges || !rest.get(at..)?.starts_with('[') {
            return None;
        }
        let (before, inside) = (rest.get(..at)?, rest.get(at + 1..)?);
        let (range, after) = inside.split_once(']')?;
        if !is_range(range) {
            return None;
        }
        out.push_str(before);
        out.push(by);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn is_ipv4(text: &str, ranges: bool) -> bool {
    let Some(text) = without_ranges(text, ranges, '1') else { return false };
    text.split('.').count() == 4
        && text.split('.').all(|part| {
            (1..=3).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && part.parse::<u16>().is_ok_and(|number| number < 256)
        })
}

fn is_ipv6(text: &str, ranges: bool) -> bool {
    without_ranges(text, ranges, '1').is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Labels of letters, digits, `_` and `-`, not at the ends for `-`, of at most 63 characters.
fn is_hostname(text: &str, ranges: bool) -> bool {
    let Some(text) = without_ranges(text, ranges, '1') else { return false };
    text.split('.').all(|label| {
        !label.is_empty()
            && label.chars().count() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '-'))
    })
}

/// The hosts and the port that a pattern of an inventory line names.
///
/// # Errors
/// For a range that is none.
pub(crate) fn expand_pattern(pattern: &str) -> Result<(Vec<String>, Option<u32>), Error> {
    let (host, port) = parse_address(pattern, true).unwrap_or((pattern, None));
    let hosts = if host.contains('[') { expand_range(host)? } else { vec![host.to_owned()] };
    Ok((hosts, port))
}

/// As [`expand_pattern`] without ranges.
pub(crate) fn single(pattern: &str) -> (&str, Option<u32>) {
    parse_address(pattern, false).unwrap_or((pattern, None))
}

/// Expands every range: `web[01:03]-[a:b]`.
pub(crate) fn expand_range(pattern: &str) -> Result<Vec<String>, Error> {
    let mut done = vec![String::new()];
    let mut rest = pattern;
    while rest.contains('[') {
        let (head, inside) = rest.split_once('[').unwrap_or((rest, ""));
        // The first `]` of what is left counts, even where it stands before the bracket.
        let Some((range, tail)) = inside.split_once(']').filter(|_| !head.contains(']')) else {
            return Err(Error::refused("not enough values to unpack (expected 3, got 2)"));
        };
        let members = members(range)?;
        if done.len().saturating_mul(members.len()) > MAX_EXPANSION {
            return Err(Error::refused(format!("the range '{pattern}' stands for too many hosts")));
        }
        done = done
            .iter()
            .flat_map(|before| members.iter().map(move |member| format!("{before}{head}{member}")))
            .collect();
        rest = tail;
    }
    for host in &mut done {
        host.push_str(rest);
    }
    Ok(done)
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn members(range: &str) -> Result<Vec<String>, Error> {
    let bounds: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match bounds.as_slice() {
        [begin, end] => (*begin, *end, "1"),
        [begin, end, step] => (*begin, *end, *step),
        _ => return Err(Error::refused("host range must be begin:end or begin:end:step")),
    };
    let begin = if begin.is_empty() { "0" } else { begin };
    if end.is_empty() {
        return Err(Error::refused("host range must specify end value"));
    }
    let padded = begin.starts_with('0') && begin.len() > 1;
    if padded && begin.len() != end.len() {
        return Err(Error::refused("host range must specify equal-length begin and end formats"));
    }
    let step = to_int(step)?;
    if let (Some(first), Some(last)) = (letter(begin), letter(end)) {
        if first > last {
            return Err(Error::refused("host range must have begin <= end"));
        }
        let step = positive(step)?;
        return Ok(LETTERS
            .chars()
            .take(last + 1)
            .skip(first)
            .step_by(step)
            .map(String::from)
            .collect());
    }
    let (first, last) = (to_int(begin)?, to_int(end)?);
    if step == 0 {
        return Err(Error::deep("range() arg 3 must not be zero"));
    }
    let width = if padded { begin.len() } else { 0 };
    let mut members = Vec::new();
    let mut at = first;
    while if step > 0 { at <= last } else { at > last.saturating_add(1) } {
        if members.len() >= MAX_EXPANSION {
            return Err(Error::refused(format!("the range '{range}' stands for too many hosts")));
        }
        members.push(format!("{at:0width$}"));
        at = at.saturating_add(step);
    }
    Ok(members)
}

fn letter(text: &str) -> Option<usize> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => LETTERS.find(char),
        _ => None,
    }
}

fn positive(step: i64) -> Result<usize, Error> {
    usize::try_from(step)
        .ok()
        .filter(|step| *step > 0)
        .ok_or_else(|| Error::deep("slice step cannot be zero"))
}

fn to_int(text: &str) -> Result<i64, Error> {
    text.trim().parse().map_err(|_| {
        Error::deep(format!(
            "invalid literal for int() with base 10: {}",
            davit_value::Value::from(text).repr()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_split_from_their_ports() {
        for (text, expect) in [
            ("h1", Some(("h1", None))),
            ("h1:22", Some(("h1", Some(22)))),
            ("h1:abc", None),
            ("[1.2.3.4]:22", Some(("1.2.3.4", Some(22)))),
            ("::1", Some(("::1", None))),
            ("[::1]:2222", Some(("::1", Some(2222)))),
            ("fe80::2", Some(("fe80::2", None))),
            ("user@host:22", None),
            ("a_b:22", Some(("a_b", Some(22)))),
            ("-x:22", None),
            ("a.b.:22", None),
            ("h[1:3]:22", Some(("h[1:3]", Some(22)))),
            ("1.2.3.[1:3]:22", Some(("1.2.3.[1:3]", Some(22)))),
            ("web:db", None),
        ] {
            assert_eq!(parse_address(text, true), expect, "{text}");
        }
        assert_eq!(parse_address("h[1:3]", false), None);
    }

    #[test]
    fn ranges_expand() {
        for (pattern, expect) in [
            ("h[01:03]", "h01 h02 h03"),
            ("h[1:10:3].x", "h1.x h4.x h7.x h10.x"),
            ("n[A:C:2]", "nA nC"),
            ("w[0:1][a:b]", "w0a w0b w1a w1b"),
            ("w[:2]", "w0 w1 w2"),
            ("h[3:1]", ""),
            ("h[01:100]", "host range must specify equal-length begin and end formats"),
            ("h[1:]", "host range must specify end value"),
            ("h[1:5:0]", "range() arg 3 must not be zero"),
            ("h[a:9]", "invalid literal for int() with base 10: 'a'"),
            ("h[1]", "host range must be begin:end or begin:end:step"),
            ("h[1", "not enough values to unpack (expected 3, got 2)"),
            ("h[1:99999999999]", "the range '1:99999999999' stands for too many hosts"),
        ] {
            let got = expand_range(pattern).map_or_else(
                |error| error.to_string().trim_start_matches(": ").to_owned(),
                |hosts| hosts.join(" "),
            );
            assert_eq!(got, expect, "{pattern}");
        }
    }
}
