//! `wordwrap`, after Python's `textwrap`, and `urlize`.
//!
//! Knows nothing of terminals: widths count characters.

use davit_value::{Value, ValueError};

use super::text::{escape_html, split_lines};
use crate::Call;
use crate::call::no_attribute;

pub(super) fn wordwrap(call: &Call<'_>) -> Result<Value, ValueError> {
    let bound = call.bind_env(
        "do_wordwrap",
        &["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"],
        1,
    )?;
    let input = bound.value(0);
    let Some(text) = input.as_str() else { return Err(no_attribute(&input, "splitlines")) };
    let width = bound.int(1, 79)?;
    let Some(width) = usize::try_from(width).ok().filter(|width| *width > 0) else {
        return Err(ValueError::Value(format!("invalid width {width} (must be > 0)")));
    };
    let glue = bound.some(3).map_or_else(|| "\n".to_owned(), Value::to_str);
    let (long, hyphens) = (bound.truth(2, true)?, bound.truth(4, true)?);
    let lines: Vec<String> = split_lines(text)
        .into_iter()
        .map(|line| wrap(line, width, long, hyphens).join(&glue))
        .collect();
    Ok(lines.join(&glue).into())
}

/// `textwrap.wrap` with `expand_tabs` and `replace_whitespace` off.
fn wrap(text: &str, width: usize, break_long: bool, hyphens: bool) -> Vec<String> {
    let mut chunks: Vec<String> = chunks(text, hyphens);
    chunks.reverse();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        let mut line: Vec<String> = Vec::new();
        let mut length = 0;
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| chunk.trim().is_empty()) {
            chunks.pop();
        }
        while let Some(chunk) = chunks.last() {
            let size = chunk.chars().count();
            if length + size > width {
                break;
            }
            length += size;
            line.extend(chunks.pop());
        }
        if chunks.last().is_some_and(|chunk| chunk.chars().count() > width) {
            take_long(&mut chunks, &mut line, width.saturating_sub(length), break_long, hyphens);
        }
        if line.last().is_some_and(|chunk| chunk.trim().is_empty()) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.concat());
        }
    }
    lines
}

fn take_long(
    chunks: &mut Vec<String>,
    line: &mut Vec<String>,
    room: usize,
    break_long: bool,
    hyphens: bool,
) {
    let Some(chunk) = chunks.pop() else { return };
    if break_long {
        let room = room.max(1);
        let letters: Vec<char> = chunk.chars().collect();
        let mut end = room;
        if hyphens && letters.len() > room {
            let hyphen = letters[..room].iter().rposition(|char| *char == '-');
            if let Some(at) =
                hyphen.filter(|at| *at > 0 && letters[..*at].iter().any(|char| *char != '-'))
            {
                end = at + 1;
            }
        }
        line.push(letters[..end.min(letters.len())].iter().collect());
        chunks.push(letters[end.min(letters.len())..].iter().collect());
        if chunks.last().is_some_and(String::is_empty) {
            chunks.pop();
        }
    } else if line.is_empty() {
        line.push(chunk);
    } else {
        chunks.push(chunk);
    }
}

/// Words, the white space between them, and (where asked) words split after their hyphens.
fn chunks(text: &str, hyphens: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut current = String::new();
    for char in text.chars() {
        let space = matches!(char, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ');
        let was = current
            .chars()
            .next_back()
            .is_some_and(|last| matches!(last, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' '));
        if !current.is_empty() && space != was {
            out.push(std::mem::take(&mut current));
        }
        current.push(char);
    }
    if !current.is_empty() {
        out.push(current);
    }
    if !hyphens {
        return out;
    }
    out.into_iter().flat_map(|chunk| split_hyphens(&chunk)).collect()
}

fn split_hyphens(chunk: &str) -> Vec<String> {
    let chars: Vec<char> = chunk.chars().collect();
    let letter = |at: usize| chars.get(at).is_some_and(|char| char.is_alphabetic() || *char == '_');
    let mut out = Vec::new();
    let mut start = 0;
    for at in 0..chars.len() {
        // A hyphen splits where two letters stand before it and two (or a letter, a hyphen, a letter) follow.
        let before = at >= start + 2 && letter(at - 1) && letter(at - 2)
            || at >= 3 && letter(at - 1) && chars[at - 2] == '-' && letter(at - 3);
        let after =
            letter(at + 1) && (letter(at + 2) || chars.get(at + 2) == Some(&'-') && letter(at + 3));
        if chars[at] == '-' && before && after {
            out.push(chars[start..=at].iter().collect());
            start = at + 1;
        }
    }
    if start < chars.len() {
        out.push(chars[start..].iter().collect());
    }
    out
}

pub(super) fn urlize(call: &Call<'_>) -> Result<Value, ValueError> {
    let bound = call.bind_env(
        "do_urlize",
        &["value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes"],
        1,
    )?;
    let limit = bound
        .some(1)
        .map(crate::call::index_of)
        .transpose()?
        .and_then(|limit| usize::try_from(limit).ok());
    let mut rel: Vec<String> = super::text::python_split(
        &bound.some(4).map(Value::to_str).unwrap_or_default(),
        None,
        None,
    );
    if bound.truth(2, false)? {
        rel.push("nofollow".into());
    }
    rel.push("noopener".into());
    rel.sort();
    rel.dedup();
    let mut attributes = format!(" rel=\"{}\"", escape_html(&rel.join(" ")));
    if let Some(target) = bound.some(3) {
        attributes.push_str(&format!(" target=\"{}\"", escape_html(&target.to_str())));
    }
    let schemes = match bound.some(5) {
        Some(list) => super::text::texts(list)?,
        None => Vec::new(),
    };
    let escaped = escape_html(&bound.text(0));
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped.as_str();
    while !rest.is_empty() {
        let space = rest.find(|char: char| !char.is_whitespace()).unwrap_or(rest.len());
        out.push_str(&rest[..space]);
        rest = &rest[space..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        out.push_str(&urlize_word(&rest[..end], limit, &attributes, &schemes));
        rest = &rest[end..];
    }
    Ok(out.into())
}

fn urlize_word(word: &str, limit: Option<usize>, attributes: &str, schemes: &[String]) -> String {
    let (mut head, mut middle, mut tail) = (String::new(), word.to_owned(), String::new());
    while let Some(mark) = ["(", "<", "&lt;"].into_iter().find(|mark| middle.starts_with(mark)) {
        head.push_str(mark);
        middle.drain(..mark.len());
    }
    while let Some(mark) =
        [")", ">", ".", ",", "\n", "&gt;"].into_iter().find(|mark| middle.ends_with(mark))
    {
        tail.insert_str(0, mark);
        middle.truncate(middle.len() - mark.len());
    }
    for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let missing = middle.matches(open).count().saturating_sub(middle.matches(close).count());
        for _ in 0..missing.min(tail.matches(close).count()) {
            if let Some(end) = tail.find(close).map(|at| at + close.len()) {
                middle.push_str(&tail[..end]);
                tail.drain(..end);
            }
        }
    }
    let shown = |text: &str| match limit {
        Some(limit) if text.chars().count() > limit => {
            format!("{}...", text.chars().take(limit).collect::<String>())
        }
        _ => text.to_owned(),
    };
    let middle = if let Some(bare) =
        middle.strip_prefix("https://").or_else(|| middle.strip_prefix("http://"))
    {
        if is_host(bare, HostForm::Any) {
            format!("<a href=\"{middle}\"{attributes}>{}</a>", shown(&middle))
        } else {
            middle
        }
    } else if let Some(address) = middle.strip_prefix("mailto:").filter(|address| is_mail(address))
    {
        format!("<a href=\"{middle}\">{address}</a>")
    } else if is_mail(&middle) && !middle.starts_with("www.") && !middle.contains(':') {
        format!("<a href=\"mailto:{middle}\">{middle}</a>")
    } else if middle
        .strip_prefix("www.")
        .map_or_else(|| is_host(&middle, HostForm::KnownEnd), |rest| is_host(rest, HostForm::Any))
    {
        format!("<a href=\"https://{middle}\"{attributes}>{}</a>", shown(&middle))
    } else if schemes.iter().any(|scheme| middle.starts_with(scheme.as_str()) && middle != *scheme)
    {
        format!("<a href=\"{middle}\"{attributes}>{middle}</a>")
    } else {
        middle
    };
    format!("{head}{middle}{tail}")
}

fn is_mail(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    let word = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|char| char.is_alphanumeric() || matches!(char, '.' | '-' | '_' | '+'))
    };
    let (front, top) = host.rsplit_once('.').unwrap_or(("", host));
    word(name)
        && word(front)
        && !top.is_empty()
        && top.chars().all(|char| char.is_alphanumeric() || char == '_')
}

#[derive(Clone, Copy, PartialEq)]
enum HostForm {
    /// Any name that ends in two letters or more, or an address.
    Any,
    /// A name with one of the old top-level domains.
    KnownEnd,
}

/// A host name with an optional port and path.
fn is_host(text: &str, form: HostForm) -> bool {
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let host = match text[..end].rsplit_once(':') {
        Some((host, port))
            if (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            host
        }
        _ => &text[..end],
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '%' | '-'))
    };
    let (front, top) = host.rsplit_once('.').unwrap_or(("", host));
    let front_is_good = front.is_empty() || front.split('.').all(label);
    let top = top.to_ascii_lowercase();
    match form {
        HostForm::KnownEnd => {
            !front.is_empty()
                && front.split('.').all(|part| label(part) && part.chars().count() >= 2)
                && matches!(
                    top.as_str(),
                    "com" | "net" | "int" | "edu" | "gov" | "org" | "info" | "mil"
                )
        }
        HostForm::Any => {
            front_is_good
                && (2..=63).contains(&top.len())
                && (top.starts_with("xn--") || top.bytes().all(|byte| byte.is_ascii_lowercase()))
                || host.parse::<std::net::Ipv4Addr>().is_ok()
                || host
                    .strip_prefix('[')
                    .and_then(|it| it.strip_suffix(']'))
                    .is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok())
        }
    }
}
