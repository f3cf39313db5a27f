//! Methods of strings.

use davit_value::{Args, Key, Str, Value, ValueError};

use super::{Outcome, Taken};
use crate::format::{self, Lookup};
use crate::ops;

/// Every method, sorted.
pub(super) const METHODS: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "decode",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

pub(super) fn call(text: &Str, name: &str, args: &Args, lookup: Lookup<'_>) -> Outcome {
    let text = text.as_str();
    let function = format!("str.{name}");
    let take = |names: &'static [&'static str], required: usize| {
        Taken::new(&function, args, names, required)
    };
    match name {
        "upper" => take(&[], 0).map(|_| Value::from(text.to_uppercase())),
        "lower" | "casefold" => take(&[], 0).map(|_| Value::from(text.to_lowercase())),
        "capitalize" => take(&[], 0).map(|_| Value::from(capitalize(text))),
        "title" => take(&[], 0).map(|_| Value::from(title(text))),
        "swapcase" => take(&[], 0).map(|_| Value::from(swapcase(text))),
        "strip" | "lstrip" | "rstrip" => strip(text, name, &take(&["chars"], 0)?),
        "split" | "rsplit" => split(text, name == "rsplit", &take(&["sep", "maxsplit"], 0)?),
        "splitlines" => {
            take(&["keepends"], 0).and_then(|taken| Ok(split_lines(text, taken.bool(0)?)))
        }
        "join" => join(text, &take(&["iterable"], 1)?),
        "replace" => replace(text, &take(&["old", "new", "count"], 2)?),
        "startswith" | "endswith" => affix(text, name, &take(&["prefix", "start", "end"], 1)?),
        "format" => format::format(text, args, lookup).map(Value::from),
        "format_map" => {
            let taken = take(&["mapping"], 1)?;
            let Some(Value::Map(map)) = taken.get(0) else {
                return Err(ValueError::Type("format_map() argument must be a mapping".into()));
            };
            let args = Args { positional: Vec::new(), named: (**map).clone() };
            format::format(text, &args, lookup).map(Value::from)
        }
        "zfill" => {
            let width = width(&take(&["width"], 1)?)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let digits = format::pad(digits, width.saturating_sub(sign.len()), '>', '0');
            Ok(Value::from(format!("{sign}{digits}")))
        }
        "ljust" | "rjust" | "center" => justify(text, name, &take(&["width", "fillchar"], 1)?),
        "find" | "rfind" | "index" | "rindex" | "count" => {
            search(text, name, &take(&["sub", "start", "end"], 1)?)
        }
        "partition" | "rpartition" => partition(text, name == "rpartition", &take(&["sep"], 1)?),
        "encode" | "decode" => take(&["encoding", "errors"], 0).map(|_| Value::from(text)),
        "removeprefix" => {
            let taken = take(&["prefix"], 1)?;
            Ok(Value::from(text.strip_prefix(taken.text(0)?).unwrap_or(text)))
        }
        "removesuffix" => {
            let taken = take(&["suffix"], 1)?;
            Ok(Value::from(text.strip_suffix(taken.text(0)?).unwrap_or(text)))
        }
        "expandtabs" => expand_tabs(text, &take(&["tabsize"], 0)?),
        "translate" => translate(text, &take(&["table"], 1)?),
        "maketrans" => make_translation(&take(&["x", "y", "z"], 1)?),
        _ => take(&[], 0).map(|_| Value::Bool(is(text, name))),
    }
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars.as_str().to_lowercase().chars()).collect(),
        None => String::new(),
    }
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for char in text.chars() {
        if inside {
            out.extend(char.to_lowercase());
        } else {
            out.extend(char.to_uppercase());
        }
        inside = char.is_alphabetic();
    }
    out
}

fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_uppercase() {
            out.extend(char.to_lowercase());
        } else {
            out.extend(char.to_uppercase());
        }
    }
    out
}

fn strip(text: &str, name: &str, taken: &Taken<'_>) -> Outcome {
    let chars = match taken.get(0) {
        None | Some(Value::Null) => None,
        Some(Value::Str(chars)) => Some(chars.as_str()),
        Some(_) => return Err(ValueError::Type(format!("{name} arg must be None or str"))),
    };
    let goes =
        |char: char| chars.map_or_else(|| char.is_whitespace(), |chars| chars.contains(char));
    let mut text = text;
    if name != "rstrip" {
        text = text.trim_start_matches(goes);
    }
    if name != "lstrip" {
        text = text.trim_end_matches(goes);
    }
    Ok(Value::from(text))
}

fn split(text: &str, from_right: bool, taken: &Taken<'_>) -> Outcome {
    let most = taken
        .int(1)?
        .filter(|most| *most >= 0)
        .map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    let separator = match taken.get(0) {
        None | Some(Value::Null) => None,
        Some(Value::Str(separator)) if separator.is_empty() => {
            return Err(ValueError::Value("empty separator".into()));
        }
        Some(Value::Str(separator)) => Some(separator.as_str()),
        Some(other) => {
            return Err(ValueError::Type(format!(
                "must be str or None, not {}",
                other.type_name()
            )));
        }
    };
    let parts = most.unwrap_or(usize::MAX - 1).saturating_add(1);
    let pieces: Vec<&str> = match (separator, from_right) {
        (Some(separator), false) => text.splitn(parts, separator).collect(),
        (Some(separator), true) => {
            let mut pieces: Vec<&str> = text.rsplitn(parts, separator).collect();
            pieces.reverse();
            pieces
        }
        (None, false) => {
            let mut pieces = Vec::new();
            let mut rest = text.trim_start();
            while !rest.is_empty() {
                if pieces.len() + 1 == parts {
                    pieces.push(if most.is_some() { rest } else { rest.trim_end() });
                    break;
                }
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                pieces.push(&rest[..end]);
                rest = rest[end..].trim_start();
            }
            pieces
        }
        (None, true) => {
            let mut pieces = Vec::new();
            let mut rest = text.trim_end();
            while !rest.is_empty() {
                if pieces.len() + 1 == parts {
                    pieces.push(rest);
                    break;
                }
                let start = rest
                    .char_indices()
                    .rev()
                    .find(|(_, c)| c.is_whitespace())
                    .map_or(0, |(at, c)| at + c.len_utf8());
                pieces.push(&rest[start..]);
                rest = rest[..start].trim_end();
            }
            pieces.reverse();
            pieces
        }
    };
    Ok(Value::list(pieces.into_iter().map(Value::from).collect()))
}

fn split_lines(text: &str, keep_ends: bool) -> Value {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let breaks = |c: char| {
            matches!(
                c,
                '\n' | '\r'
                    | '\x0b'
                    | '\x0c'
                    | '\x1c'
                    | '\x1d'
                    | '\x1e'
                    | '\u{85}'
                    | '\u{2028}'
                    | '\u{2029}'
            )
        };
        let Some(at) = rest.find(breaks) else {
            lines.push(Value::from(rest));
            break;
        };
        let length = if rest[at..].starts_with("\r\n") {
            2
        } else {
            rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        lines.push(Value::from(if keep_ends { &rest[..at + length] } else { &rest[..at] }));
        rest = &rest[at + length..];
    }
    Value::list(lines)
}

fn join(text: &str, taken: &Taken<'_>) -> Outcome {
    let items: Vec<Value> = match taken.get(0) {
        Some(Value::List(list) | Value::Tuple(list)) => list.to_vec(),
        Some(Value::Str(text)) => text.chars().map(|char| Value::from(char.to_string())).collect(),
        Some(Value::Map(map)) => map.keys().map(Key::to_value).collect(),
        Some(Value::Object(object)) => match object.keys() {
            Some(keys) => keys.iter().map(Key::to_value).collect(),
            None => object
                .items()?
                .ok_or_else(|| ValueError::Type("can only join an iterable".into()))?,
        },
        _ => return Err(ValueError::Type("can only join an iterable".into())),
    };
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(text);
        }
        match item {
            Value::Str(item) => out.push_str(item),
            Value::Undefined(what) => return Err(ValueError::Undefined(what.clone())),
            other => {
                return Err(ValueError::Type(format!(
                    "sequence item {at}: expected str instance, {} found",
                    other.type_name()
                )));
            }
        }
    }
    Ok(Value::from(out))
}

fn replace(text: &str, taken: &Taken<'_>) -> Outcome {
    let (old, new) = (taken.text(0)?, taken.text(1)?);
    Ok(Value::from(match taken.int(2)?.filter(|count| *count >= 0) {
        Some(count) => text.replacen(old, new, usize::try_from(count).unwrap_or(usize::MAX)),
        None => text.replace(old, new),
    }))
}

/// The part of `text` between two of Python's character indices, and its byte offset; `None` where start is behind the end.
fn between<'a>(text: &'a str, taken: &Taken<'_>) -> Result<Option<(&'a str, usize)>, ValueError> {
    let bound = |place: usize| match taken.get(place) {
        Some(Value::Null) => Ok(None),
        _ => taken.int(place),
    };
    let (start, end) = (bound(1)?, bound(2)?);
    if start.is_none() && end.is_none() {
        return Ok(Some((text, 0)));
    }
    let length = i128::try_from(text.chars().count()).unwrap_or(i128::MAX);
    let fixed =
        |index: i128| (if index < 0 { (index + length).max(0) } else { index }).min(length + 1);
    let (start, end) = (fixed(start.unwrap_or(0)), fixed(end.unwrap_or(length)).min(length));
    if start > end {
        return Ok(None);
    }
    let byte = |index: i128| {
        usize::try_from(index)
            .ok()
            .and_then(|index| text.char_indices().nth(index))
            .map_or(text.len(), |(at, _)| at)
    };
    let (start, end) = (byte(start), byte(end));
    Ok(Some((&text[start..end], start)))
}

fn affix(text: &str, name: &str, taken: &Taken<'_>) -> Outcome {
    let Some((part, _)) = between(text, taken)? else { return Ok(Value::Bool(false)) };
    let matches = |affix: &Value| match affix {
        Value::Str(affix) if name == "startswith" => Ok(part.starts_with(affix.as_str())),
        Value::Str(affix) => Ok(part.ends_with(affix.as_str())),
        other => Err(ValueError::Type(format!(
            "{name} first arg must be str or a tuple of str, not {}",
            other.type_name()
        ))),
    };
    match taken.get(0) {
        Some(Value::Tuple(affixes)) => {
            for affix in affixes.iter() {
                if matches(affix)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        Some(affix) => matches(affix).map(Value::Bool),
        None => Ok(Value::Bool(false)),
    }
}

fn width(taken: &Taken<'_>) -> Result<usize, ValueError> {
    let width = usize::try_from(taken.int(0)?.unwrap_or(0).max(0)).unwrap_or(usize::MAX);
    if width > 10_000_000 {
        Err(ValueError::Value("the width is too large".into()))
    } else {
        Ok(width)
    }
}

fn justify(text: &str, name: &str, taken: &Taken<'_>) -> Outcome {
    let width = width(taken)?;
    let fill = match taken.get(1) {
        None => ' ',
        Some(Value::Str(fill)) => {
            let mut chars = fill.chars();
            match (chars.next(), chars.next()) {
                (Some(fill), None) => fill,
                _ => {
                    return Err(ValueError::Type(
                        "The fill character must be exactly one character long".into(),
                    ));
                }
            }
        }
        Some(other) => {
            return Err(ValueError::Type(format!(
                "The fill character must be a unicode character, not {}",
                other.type_name()
            )));
        }
    };
    let missing = width.saturating_sub(text.chars().count());
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        // CPython puts the odd one on the left where the width is odd too.
        _ => missing / 2 + (missing & width & 1),
    };
    let mut out = String::with_capacity(text.len() + missing);
    out.extend(std::iter::repeat_n(fill, left));
    out.push_str(text);
    out.extend(std::iter::repeat_n(fill, missing - left));
    Ok(Value::from(out))
}

fn search(text: &str, name: &str, taken: &Taken<'_>) -> Outcome {
    let wanted = match taken.get(0) {
        Some(Value::Str(wanted)) => wanted.as_str(),
        other => {
            return Err(ValueError::Type(format!(
                "must be str, not {}",
                other.map_or("NoneType", Value::type_name)
            )));
        }
    };
    let part = between(text, taken)?;
    if name == "count" {
        return Ok(match part {
            Some((part, _)) if wanted.is_empty() => Value::from(part.chars().count() + 1),
            Some((part, _)) => Value::from(part.matches(wanted).count()),
            None => Value::Int(0),
        });
    }
    let found = part.and_then(|(part, offset)| {
        let at = if name.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
        at.map(|at| text[..offset + at].chars().count())
    });
    match found {
        Some(at) => Ok(Value::from(at)),
        None if name.ends_with("index") => Err(ValueError::Value("substring not found".into())),
        None => Ok(Value::Int(-1)),
    }
}

fn partition(text: &str, from_right: bool, taken: &Taken<'_>) -> Outcome {
    let separator = match taken.get(0) {
        Some(Value::Str(separator)) if separator.is_empty() => {
            return Err(ValueError::Value("empty separator".into()));
        }
        Some(Value::Str(separator)) => separator.as_str(),
        other => {
            return Err(ValueError::Type(format!(
                "must be str, not {}",
                other.map_or("NoneType", Value::type_name)
            )));
        }
    };
    let parts = match (
        if from_right { text.rsplit_once(separator) } else { text.split_once(separator) },
        from_right,
    ) {
        (Some((head, tail)), _) => [head, separator, tail],
        (None, false) => [text, "", ""],
        (None, true) => ["", "", text],
    };
    Ok(Value::tuple(parts.into_iter().map(Value::from).collect()))
}

fn expand_tabs(text: &str, taken: &Taken<'_>) -> Outcome {
    let size = usize::try_from(taken.int(0)?.unwrap_or(8).clamp(0, 10_000)).unwrap_or(8);
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for char in text.chars() {
        if char == '\t' {
            if size > 0 {
                let blanks = size - column % size;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
        } else {
            out.push(char);
            column = if matches!(char, '\n' | '\r') { 0 } else { column + 1 };
        }
    }
    Ok(Value::from(out))
}

fn translate(text: &str, taken: &Taken<'_>) -> Outcome {
    let Some(Value::Map(table)) = taken.get(0) else { return Ok(Value::from(text)) };
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match table.get_key(&Key::Int(i128::from(u32::from(char)))) {
            None => out.push(char),
            Some(Value::Null) => {}
            Some(Value::Int(code)) => {
                out.extend(u32::try_from(*code).ok().and_then(char::from_u32));
            }
            Some(other) => out.push_str(&other.to_str()),
        }
    }
    Ok(Value::from(out))
}

fn make_translation(taken: &Taken<'_>) -> Outcome {
    let code = |char: char| Key::Int(i128::from(u32::from(char)));
    let mut table = davit_value::Map::new();
    match (taken.get(0), taken.get(1)) {
        (Some(Value::Map(map)), None) => {
            for (key, value) in map.iter() {
                let key = match key.as_str().and_then(|key| key.chars().next()) {
                    Some(char) => code(char),
                    None => key.clone(),
                };
                table.insert(key, value.clone());
            }
        }
        _ => {
            let (from, to) = (taken.text(0)?, taken.text(1)?);
            if from.chars().count() != to.chars().count() {
                return Err(ValueError::Value(
                    "the first two maketrans arguments must have equal length".into(),
                ));
            }
            for (from, to) in from.chars().zip(to.chars()) {
                table.insert(code(from), Value::from(u32::from(to)));
            }
            if taken.get(2).is_some() {
                for gone in taken.text(2)?.chars() {
                    table.insert(code(gone), Value::Null);
                }
            }
        }
    }
    Ok(table.into())
}

/// The questions: `isdigit` and the rest.
fn is(text: &str, name: &str) -> bool {
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    match name {
        "isdecimal" => all(is_decimal),
        "isdigit" => all(|c| is_decimal(c) || is_other_digit(c)),
        "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isupper" => text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        "istitle" => text.chars().any(char::is_alphabetic) && title(text) == text,
        "isascii" => text.is_ascii(),
        "isprintable" => !text.chars().any(char::is_control),
        _ => {
            let mut chars = text.chars();
            chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && chars.all(|c| c.is_alphanumeric() || c == '_')
        }
    }
}

/// Where runs of ten decimal digits begin outside ASCII (Unicode category Nd, the basic plane).
const ZEROS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

fn is_decimal(char: char) -> bool {
    let code = u32::from(char);
    char.is_ascii_digit() || ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&code))
}

/// Superscripts, subscripts and digits in circles.
fn is_other_digit(char: char) -> bool {
    matches!(char, '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2074}'..='\u{2079}' | '\u{2080}'..='\u{2089}' | '\u{2460}'..='\u{2468}')
}

/// The items of a slice of characters, for the evaluator's subscripts.
pub(crate) fn char_at(text: &str, index: i128) -> Option<Value> {
    if text.is_ascii() {
        let at = ops::place(index, text.len())?;
        return text.get(at..=at).map(Value::from);
    }
    let at = ops::place(index, text.chars().count())?;
    text.chars().nth(at).map(|char| Value::from(char.to_string()))
}
