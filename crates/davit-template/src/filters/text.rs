//! Jinja2's filters on text: case, padding, wrapping, escaping.
//!
//! Knows no regular expressions and no paths.

use davit_value::{Value, ValueError};

use crate::Call;
use crate::call::{index_of, items_of, no_attribute};

type Answer = Result<Value, ValueError>;

pub(super) fn capitalize(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_capitalize", &["s"], 1)?;
    let text = bound.text(0);
    let mut chars = text.chars();
    Ok(match chars.next() {
        Some(first) => first
            .to_uppercase()
            .chain(chars.as_str().to_lowercase().chars())
            .collect::<String>()
            .into(),
        None => "".into(),
    })
}

pub(super) fn lower(call: &Call<'_>) -> Answer {
    Ok(call.bind("do_lower", &["s"], 1)?.text(0).to_lowercase().into())
}

pub(super) fn upper(call: &Call<'_>) -> Answer {
    Ok(call.bind("do_upper", &["s"], 1)?.text(0).to_uppercase().into())
}

/// Words start after white space, `-`, `(`, `{`, `[` and `<`, as Jinja2 has it.
pub(super) fn title(call: &Call<'_>) -> Answer {
    let text = call.bind("do_title", &["s"], 1)?.text(0);
    let mut out = String::with_capacity(text.len());
    let mut starts = true;
    for char in text.chars() {
        if starts {
            out.extend(char.to_uppercase());
        } else {
            out.extend(char.to_lowercase());
        }
        starts = char.is_whitespace() || matches!(char, '-' | '(' | '{' | '[' | '<');
    }
    Ok(out.into())
}

pub(super) fn center(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_center", &["value", "width"], 1)?;
    let text = bound.text(0);
    let width = usize::try_from(bound.int(1, 80)?).unwrap_or(0).min(1 << 24);
    let length = text.chars().count();
    let Some(spare) = width.checked_sub(length) else { return Ok(text.into()) };
    let left = spare / 2 + (spare & width & 1);
    Ok(format!("{}{text}{}", " ".repeat(left), " ".repeat(spare - left)).into())
}

pub(super) fn string(call: &Call<'_>) -> Answer {
    Ok(call.bind("soft_str", &["s"], 1)?.text(0).into())
}

pub(super) fn trim(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_trim", &["value", "chars"], 1)?;
    let text = bound.text(0);
    Ok(match bound.some(1) {
        None => text.trim().into(),
        Some(Value::Str(chars)) => text.trim_matches(|char| chars.contains(char)).into(),
        Some(_) => return Err(ValueError::Type("strip arg must be None or str".into())),
    })
}

pub(super) fn replace(call: &Call<'_>) -> Answer {
    let bound = call.bind_env("do_replace", &["s", "old", "new", "count"], 3)?;
    let (text, old, new) = (bound.text(0), bound.text(1), bound.text(2));
    Ok(match bound.some(3).map(index_of).transpose()? {
        Some(count) if count >= 0 => {
            text.replacen(&old, &new, usize::try_from(count).unwrap_or(usize::MAX))
        }
        _ => text.replace(&old, &new),
    }
    .into())
}

pub(super) fn truncate(call: &Call<'_>) -> Answer {
    let bound = call.bind_env("do_truncate", &["s", "length", "killwords", "end", "leeway"], 1)?;
    let length = bound.int(1, 255)?;
    let end = bound.text_or(3, "...");
    let end_length = end.chars().count() as i128;
    let leeway = bound.some(4).map_or(Ok(5), index_of)?;
    if length < end_length {
        return Err(ValueError::Value(format!("expected length >= {end_length}, got {length}")));
    }
    if leeway < 0 {
        return Err(ValueError::Value(format!("expected leeway >= 0, got {leeway}")));
    }
    let value = bound.value(0);
    let text = value.as_str().ok_or_else(|| {
        ValueError::Type(match &value {
            Value::List(_) | Value::Tuple(_) | Value::Map(_) => {
                "can only concatenate str to str".to_owned()
            }
            other => format!("object of type '{}' has no len()", other.type_name()),
        })
    })?;
    if text.chars().count() as i128 <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let keep = usize::try_from(length - end_length).unwrap_or(0);
    let kept: String = text.chars().take(keep).collect();
    let kept = if bound.truth(2, false)? {
        kept.as_str()
    } else {
        kept.rsplit_once(' ').map_or(kept.as_str(), |(head, _)| head)
    };
    Ok(format!("{kept}{end}").into())
}

pub(super) fn wordcount(call: &Call<'_>) -> Answer {
    let text = call.bind("do_wordcount", &["s"], 1)?.text(0);
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    Ok(text.split(|char| !is_word(char)).filter(|word| !word.is_empty()).count().into())
}

pub(super) fn indent(call: &Call<'_>) -> Answer {
    let bound = call.bind("do_indent", &["s", "width", "first", "blank"], 1)?;
    let input = bound.value(0);
    let Some(text) = input.as_str() else {
        let name = super::math::whole_name(&input);
        return Err(ValueError::Type(match &input {
            // A list takes the newline and then has no lines.
            Value::List(_) => format!("'{name}' object has no attribute 'splitlines'"),
            _ => format!("unsupported operand type(s) for +=: '{name}' and 'str'"),
        }));
    };
    let pad = match bound.get(1) {
        Some(Value::Str(text)) => text.to_string(),
        other => {
            " ".repeat(usize::try_from(other.map_or(Ok(4), index_of)?).unwrap_or(0).min(1 << 20))
        }
    };
    let (first, blank) = (bound.truth(2, false)?, bound.truth(3, false)?);
    let mut out = String::with_capacity(text.len() + pad.len() * 8);
    if first {
        out.push_str(&pad);
    }
    if blank {
        out.push_str(&text.replace('\n', &format!("\n{pad}")));
    } else {
        for (at, line) in split_lines(text).into_iter().enumerate() {
            if at > 0 {
                out.push('\n');
                if !line.is_empty() {
                    out.push_str(&pad);
                }
            }
            out.push_str(line);
        }
        // Jinja2 adds a newline before it splits, so that one at the end of the text is kept.
        if text.ends_with('\n') {
            out.push('\n');
        }
    }
    Ok(out.into())
}

/// Python's `str.splitlines` without the line ends.
pub fn split_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let ends = matches!(
            char,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        );
        if ends {
            lines.push(&text[start..at]);
            start = at + char.len_utf8();
            if char == '\r' && chars.peek().is_some_and(|(_, next)| *next == '\n') {
                chars.next();
                start += 1;
            }
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

pub(super) fn join(call: &Call<'_>) -> Answer {
    let bound = call.bind_as(
        crate::call::Signature {
            name: "sync_do_join",
            params: &["value", "d", "attribute"],
            required: 1,
            hidden: 1,
        },
        false,
    )?;
    let mut items = call.items(&bound.value(0))?;
    if let Some(attribute) = bound.some(2) {
        for item in &mut items {
            *item = super::select::attribute_of(call, item, attribute)?;
        }
    }
    let separator = bound.text(1);
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(&separator);
        }
        out.push_str(&call.deep(item)?.to_str());
    }
    Ok(out.into())
}

/// MarkupSafe's escaping.
pub fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            char => out.push(char),
        }
    }
    out
}

pub(super) fn escape(call: &Call<'_>) -> Answer {
    Ok(escape_html(&call.bind("escape", &["s"], 1)?.text(0)).into())
}

pub(super) fn forceescape(call: &Call<'_>) -> Answer {
    Ok(escape_html(&call.bind("do_forceescape", &["value"], 1)?.text(0)).into())
}

pub(super) fn safe(call: &Call<'_>) -> Answer {
    Ok(call.bind("do_mark_safe", &["value"], 1)?.text(0).into())
}

/// Tags and comments go, entities become characters, white space becomes single spaces.
pub(super) fn striptags(call: &Call<'_>) -> Answer {
    let mut text = call.bind("do_striptags", &["value"], 1)?.text(0);
    while let Some(start) = text.find("<!--") {
        let Some(end) = text[start..].find("-->") else { break };
        text.replace_range(start..start + end + 3, "");
    }
    while let Some(start) = text.find('<') {
        let Some(end) = text[start..].find('>') else { break };
        text.replace_range(start..=start + end, "");
    }
    Ok(unescape(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into())
}

/// The entities that text has in practice; others stay as they are.
fn unescape(text: &str) -> String {
    const NAMED: &[(&str, &str)] = &[
        ("amp", "&"),
        ("lt", "<"),
        ("gt", ">"),
        ("quot", "\""),
        ("apos", "'"),
        ("nbsp", "\u{a0}"),
        ("copy", "\u{a9}"),
        ("reg", "\u{ae}"),
        ("hellip", "\u{2026}"),
        ("mdash", "\u{2014}"),
        ("ndash", "\u{2013}"),
        ("laquo", "\u{ab}"),
        ("raquo", "\u{bb}"),
        ("euro", "\u{20ac}"),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = rest.find(';').filter(|end| *end <= 10).and_then(|end| {
            let name = &rest[1..end];
            let char = match name.strip_prefix('#') {
                Some(number) => match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => number.parse().ok(),
                }
                .and_then(char::from_u32)
                .map(String::from),
                None => NAMED
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, text)| (*text).to_owned()),
            };
            char.map(|char| (char, end))
        });
        match known {
            Some((char, end)) => {
                out.push_str(&char);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

pub(super) fn pprint(call: &Call<'_>) -> Answer {
    let value = call.bind("do_pprint", &["value"], 1)?.value(0);
    Ok(super::pretty::pformat(&value).into())
}

pub(super) fn xmlattr(call: &Call<'_>) -> Answer {
    let bound = call.bind_env("do_xmlattr", &["d", "autospace"], 1)?;
    let input = bound.value(0);
    let Some(map) = input.as_map() else { return Err(no_attribute(&input, "items")) };
    let mut parts = Vec::new();
    for (key, value) in map {
        if value.is_null() || value.is_undefined() {
            continue;
        }
        let key = key.to_text();
        if key.contains(|char: char| char.is_ascii_whitespace() || matches!(char, '/' | '>' | '='))
        {
            return Err(ValueError::Value(format!(
                "Invalid character in attribute name: {}",
                Value::from(key.as_str()).repr()
            )));
        }
        parts.push(format!("{}=\"{}\"", escape_html(&key), escape_html(&value.to_str())));
    }
    let out = parts.join(" ");
    Ok(if bound.truth(1, true)? && !out.is_empty() { format!(" {out}").into() } else { out.into() })
}

/// Splits text as Python's `str.split`: white space where there is no separator.
pub fn python_split(text: &str, separator: Option<&str>, most: Option<usize>) -> Vec<String> {
    match separator {
        Some(separator) => match most {
            Some(most) => {
                text.splitn(most.saturating_add(1), separator).map(str::to_owned).collect()
            }
            None => text.split(separator).map(str::to_owned).collect(),
        },
        None => {
            let mut out = Vec::new();
            let mut rest = text.trim_start();
            while !rest.is_empty() {
                if most.is_some_and(|most| out.len() >= most) {
                    out.push(rest.trim_end().to_owned());
                    break;
                }
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                out.push(rest[..end].to_owned());
                rest = rest[end..].trim_start();
            }
            out
        }
    }
}

pub(super) fn split(call: &Call<'_>) -> Answer {
    let given = call.args.positional.len();
    if given > 3 {
        return Err(ValueError::Type(format!(
            "split() takes at most 2 arguments ({} given)",
            given - 1
        )));
    }
    if let Some(key) = call
        .args
        .named
        .keys()
        .map(davit_value::Key::to_text)
        .find(|key| key != "sep" && key != "maxsplit")
    {
        return Err(ValueError::Type(format!(
            "'{key}' is an invalid keyword argument for split()"
        )));
    }
    let bound = call.bind("split", &["value", "sep", "maxsplit"], 1)?;
    let input = bound.value(0);
    let Some(text) = input.as_str() else {
        return Err(ValueError::Type(format!(
            "descriptor 'split' for 'str' objects doesn't apply to a '{}' object",
            input.type_name()
        )));
    };
    let separator = match bound.some(1) {
        None => None,
        Some(Value::Str(separator)) if separator.is_empty() => {
            return Err(ValueError::Value("empty separator".into()));
        }
        Some(Value::Str(separator)) => Some(separator.to_string()),
        Some(other) => {
            return Err(ValueError::Type(format!(
                "must be str or None, not {}",
                other.type_name()
            )));
        }
    };
    let most = usize::try_from(bound.int(2, -1)?).ok();
    let parts = python_split(text, separator.as_deref(), most);
    Ok(Value::list(parts.into_iter().map(Value::from).collect()))
}

/// Fails where an item is no text, as Python's `str.join` does.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, ValueError> {
    Ok(items_of(value)?.iter().map(Value::to_str).collect())
}
