//! Tests of text: regular expressions and addresses.
//!
//! The dialect is Python's: see [`pattern`](crate::filters::pattern).

use davit_value::{Value, ValueError};

use crate::Call;
use crate::filters::pattern::{Flags, Pattern};

type Answer = Result<Value, ValueError>;

#[derive(Clone, Copy)]
enum Where {
    Anywhere,
    AtStart,
    Whole,
}

fn found(text: &str, source: &str, flags: Flags, place: Where) -> Answer {
    let pattern = match place {
        // Compiled as written first, so that its errors are those of what was written.
        Where::Whole => {
            Pattern::new(source, flags)?;
            Pattern::new(&wrapped(source), flags)?
        }
        _ => Pattern::new(source, flags)?,
    };
    let Some(captures) = pattern.find_from(text, 0)? else { return Ok(false.into()) };
    let start = captures.get(0).map_or(0, |it| it.start());
    Ok(match place {
        Where::Anywhere | Where::Whole => true,
        // A match further on does not say that there is none at the start.
        Where::AtStart if start == 0 => true,
        Where::AtStart => {
            let anchored = split_flags(source);
            Pattern::new(&format!("{}\\A(?:{})", anchored.0, anchored.1), flags)?.search(text)?
        }
    }
    .into())
}

/// Flags in front of a pattern, and the rest: they may not move from the front.
fn split_flags(source: &str) -> (&str, &str) {
    if let Some(rest) = source.strip_prefix("(?")
        && let Some(end) = rest.find(')')
        && end > 0
        && rest[..end].chars().all(|char| "aiLmsux".contains(char))
    {
        return source.split_at(end + 3);
    }
    ("", source)
}

fn wrapped(source: &str) -> String {
    let (flags, rest) = split_flags(source);
    format!("{flags}\\A(?:{rest})\\Z")
}

fn simple(call: &Call<'_>, name: &'static str, place: Where) -> Answer {
    let bound = call.bind(name, &["value", "pattern", "ignorecase", "multiline"], 1)?;
    let flags = Flags { ignore_case: bound.truth(2, false)?, multi_line: bound.truth(3, false)? };
    found(&bound.text(0), &bound.text(1), flags, place)
}

pub(super) fn matches(call: &Call<'_>) -> Answer {
    simple(call, "match", Where::AtStart)
}

pub(super) fn search(call: &Call<'_>) -> Answer {
    simple(call, "search", Where::Anywhere)
}

pub(super) fn regex(call: &Call<'_>) -> Answer {
    let bound =
        call.bind("regex", &["value", "pattern", "ignorecase", "multiline", "match_type"], 0)?;
    let flags = Flags { ignore_case: bound.truth(2, false)?, multi_line: bound.truth(3, false)? };
    let place = match bound.text_or(4, "search").as_str() {
        "search" => Where::Anywhere,
        "match" => Where::AtStart,
        "fullmatch" => Where::Whole,
        _ => return Err(ValueError::Type("'str' object is not callable".into())),
    };
    found(&bound.text(0), &bound.text(1), flags, place)
}

/// The scheme, whether a host follows, and whether a path does.
fn parts(text: &str) -> Option<(String, bool, bool)> {
    let (scheme, rest) = text.split_once(':')?;
    let good = scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'));
    if !good {
        return None;
    }
    let (host, path) = match rest.strip_prefix("//") {
        Some(after) => {
            let end = after.find(['/', '?', '#']).unwrap_or(after.len());
            (!after[..end].is_empty(), !after[end..].is_empty())
        }
        None => (false, !rest.is_empty()),
    };
    Some((scheme.to_ascii_lowercase(), host, path))
}

fn allowed(value: Option<&Value>, scheme: &str) -> Result<bool, ValueError> {
    match value {
        None => Ok(true),
        Some(list) => {
            Ok(crate::call::items_of(list)?.iter().any(|item| item.as_str() == Some(scheme)))
        }
    }
}

pub(super) fn uri(call: &Call<'_>) -> Answer {
    let bound = call.bind("is_uri", &["value", "schemes"], 1)?;
    let value = bound.value(0);
    // Every text can be taken apart as a URI; only its scheme can be wrong.
    let scheme =
        value.as_str().map(|text| parts(text).map_or_else(String::new, |(scheme, _, _)| scheme));
    Ok(match scheme {
        Some(scheme) => allowed(bound.some(1), &scheme)?,
        None => false,
    }
    .into())
}

pub(super) fn url(call: &Call<'_>) -> Answer {
    let bound = call.bind("is_url", &["value", "schemes"], 1)?;
    let value = bound.value(0);
    Ok(match value.as_str().and_then(parts) {
        Some((scheme, host, _)) => (host || scheme == "file") && allowed(bound.some(1), &scheme)?,
        None => false,
    }
    .into())
}

pub(super) fn urn(call: &Call<'_>) -> Answer {
    let value = call.bind("is_urn", &["value"], 1)?.value(0);
    Ok(value
        .as_str()
        .and_then(parts)
        .is_some_and(|(scheme, _, path)| scheme == "urn" && path)
        .into())
}
