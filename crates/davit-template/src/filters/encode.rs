//! Encodings: base 64, shell quoting, URLs.
//!
//! Knows the character encodings that people name: UTF-8, UTF-16, UTF-32, Latin-1 and ASCII.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use davit_value::{Map, Value, ValueError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::Call;
use crate::call::{items_of, no_attribute};

type Answer = Result<Value, ValueError>;

/// A character encoding by one of its Python names.
#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf8Marked,
    /// Bytes of a unit, big-endian, with a byte order mark.
    Wide(usize, bool, bool),
    /// How many code points, from zero.
    Narrow(u32),
}

fn encoding(name: &str) -> Result<Encoding, ValueError> {
    Ok(match name.to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
        "utf_8" | "utf8" | "u8" => Encoding::Utf8,
        "utf_8_sig" => Encoding::Utf8Marked,
        "utf_16" | "utf16" => Encoding::Wide(2, false, true),
        "utf_16_le" | "utf_16le" => Encoding::Wide(2, false, false),
        "utf_16_be" | "utf_16be" => Encoding::Wide(2, true, false),
        "utf_32" | "utf32" => Encoding::Wide(4, false, true),
        "utf_32_le" | "utf_32le" => Encoding::Wide(4, false, false),
        "utf_32_be" | "utf_32be" => Encoding::Wide(4, true, false),
        "latin_1" | "latin1" | "iso_8859_1" | "iso8859_1" | "l1" => Encoding::Narrow(0x100),
        "ascii" | "us_ascii" => Encoding::Narrow(0x80),
        _ => return Err(ValueError::Value(format!("unknown encoding: {name}"))),
    })
}

/// The bytes of `text` in the named encoding.
///
/// # Errors
/// For an encoding that is not known, and text that it cannot hold.
pub fn encode(text: &str, name: &str) -> Result<Vec<u8>, ValueError> {
    match encoding(name)? {
        Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
        Encoding::Utf8Marked => Ok([b"\xef\xbb\xbf", text.as_bytes()].concat()),
        Encoding::Wide(size, big, marked) => {
            let units: Vec<u32> = if size == 2 { text.encode_utf16().map(u32::from).collect() } else { text.chars().map(u32::from).collect() };
            let mark = marked.then_some(0xfeff);
            Ok(mark.into_iter().chain(units).flat_map(|unit| {
                let bytes = unit.to_be_bytes();
                let mut bytes = bytes[4 - size..].to_vec();
                if !big {
                    bytes.reverse();
                }
                bytes
            })
            .collect())
        }
        Encoding::Narrow(limit) => text
            .chars()
            .enumerate()
            .map(|(at, char)| match u8::try_from(char as u32) {
                Ok(byte) if u32::from(byte) < limit => Ok(byte),
                _ => {
                    let (codec, shown) = if limit == 0x80 { ("ascii", 128) } else { ("latin-1", 256) };
                    let code = char as u32;
                    let escaped = match code {
                        ..=0xff => format!("\\x{code:02x}"),
                        0x100..=0xffff => format!("\\u{code:04x}"),
                        _ => format!("\\U{code:08x}"),
                    };
                    Err(ValueError::Value(format!(
                        "'{codec}' codec can't encode character '{escaped}' in position {at}: ordinal not in range({shown})"
                    )))
                }
            })
            .collect(),
    }
}

/// The text behind bytes in the named encoding; what is wrong in them becomes a replacement.
///
/// # Errors
/// For an encoding that is not known.
pub fn decode(bytes: &[u8], name: &str) -> Result<String, ValueError> {
    Ok(match encoding(name)? {
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Encoding::Utf8Marked => {
            String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
                .into_owned()
        }
        Encoding::Wide(size, big, marked) => {
            let unit = |chunk: &[u8], big: bool| {
                let fold = |word: u32, byte: &u8| word << 8 | u32::from(*byte);
                if big { chunk.iter().fold(0, fold) } else { chunk.iter().rev().fold(0, fold) }
            };
            let swapped =
                marked && bytes.get(..size).is_some_and(|first| unit(first, true) == 0xfeff);
            let units: Vec<u32> =
                bytes.chunks(size).map(|chunk| unit(chunk, big || swapped)).collect();
            let units =
                if marked && units.first() == Some(&0xfeff) { &units[1..] } else { &units[..] };
            if size == 2 {
                let units: Vec<u16> =
                    units.iter().map(|unit| u16::try_from(*unit).unwrap_or(0xfffd)).collect();
                String::from_utf16_lossy(&units)
            } else {
                units.iter().map(|unit| char::from_u32(*unit).unwrap_or('\u{fffd}')).collect()
            }
        }
        Encoding::Narrow(limit) => bytes
            .iter()
            .map(|byte| if u32::from(*byte) < limit { char::from(*byte) } else { '\u{fffd}' })
            .collect(),
    })
}

pub(super) fn b64encode(call: &Call<'_>) -> Answer {
    let bound = call.bind("b64encode", &["string", "encoding", "urlsafe"], 1)?;
    let bytes = encode(&bound.text(0), &bound.text_or(1, "utf-8"))?;
    let engine = if bound.truth(2, false)? { &URL_SAFE } else { &STANDARD };
    Ok(engine.encode(bytes).into())
}

/// Python's `b64decode`: letters that are not of the alphabet are passed over.
fn lenient_decode(text: &str, urlsafe: bool) -> Result<Vec<u8>, ValueError> {
    let mut letters: Vec<u8> = Vec::with_capacity(text.len());
    let mut padding = 0;
    for byte in text.bytes() {
        let byte = match byte {
            b'-' if urlsafe => b'+',
            b'_' if urlsafe => b'/',
            byte => byte,
        };
        match byte {
            b'=' => {
                padding += 1;
                if letters.len() % 4 >= 2 && letters.len() % 4 + padding >= 4 {
                    break;
                }
            }
            b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                letters.push(byte);
                padding = 0;
            }
            _ => {}
        }
    }
    match letters.len() % 4 {
        1 => {
            return Err(ValueError::Value(format!(
                "Invalid base64-encoded string: number of data characters ({}) cannot be 1 more than a multiple of 4",
                letters.len()
            )));
        }
        left @ 2..=3 if left + padding < 4 => {
            return Err(ValueError::Value("Incorrect padding".into()));
        }
        _ => {}
    }
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::with_capacity(letters.len() * 3 / 4);
    for chunk in letters.chunks(4) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 6 | u32::from(value(*byte)))
            << (6 * (4 - chunk.len()));
        out.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Ok(out)
}

pub(super) fn b64decode(call: &Call<'_>) -> Answer {
    let bound = call.bind("b64decode", &["string", "encoding", "urlsafe"], 1)?;
    let bytes = lenient_decode(&bound.text(0), bound.truth(2, false)?)?;
    decode(&bytes, &bound.text_or(1, "utf-8")).map(Value::from)
}

/// Quotes text for a POSIX shell where it needs it.
#[must_use]
pub fn shell_quote(text: &str) -> String {
    let safe = |char: char| {
        char.is_ascii_alphanumeric()
            || matches!(char, '_' | '@' | '%' | '+' | '=' | ':' | ',' | '.' | '/' | '-')
    };
    if text.is_empty() {
        "''".into()
    } else if text.chars().all(safe) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\"'\"'"))
    }
}

pub(super) fn quote(call: &Call<'_>) -> Answer {
    let value = call.bind("quote", &["a"], 1)?.value(0);
    Ok(shell_quote(&if value.is_null() { String::new() } else { value.to_str() }).into())
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

fn query_part(value: &Value) -> String {
    utf8_percent_encode(&value.to_str(), UNRESERVED).to_string().replace("%20", "+")
}

pub(super) fn urlencode(call: &Call<'_>) -> Answer {
    let value = call.bind("do_urlencode", &["value"], 1)?.value(0);
    let pairs: Vec<Value> = match &value {
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| Value::tuple(vec![key.to_value(), value.clone()]))
            .collect(),
        Value::List(_) | Value::Tuple(_) | Value::Object(_) => items_of(&value)?,
        other => return Ok(utf8_percent_encode(&other.to_str(), PATH).to_string().into()),
    };
    let mut parts = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        let pair = items_of(pair)?;
        let [key, value] = pair.as_slice() else {
            let count = pair.len();
            return Err(ValueError::Value(if count < 2 {
                format!("not enough values to unpack (expected 2, got {count})")
            } else {
                "too many values to unpack (expected 2)".into()
            }));
        };
        parts.push(format!("{}={}", query_part(key), query_part(value)));
    }
    Ok(parts.join("&").into())
}

pub(super) fn urldecode(call: &Call<'_>) -> Answer {
    let bound = call.bind("unquote_plus", &["string", "encoding", "errors"], 1)?;
    let value = bound.value(0);
    let Some(text) = value.as_str() else { return Err(no_attribute(&value, "replace")) };
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
    decode(&bytes, &bound.text_or(1, "utf-8")).map(Value::from)
}

fn port_of(netloc: &str) -> Result<Value, ValueError> {
    let after = netloc.rsplit_once('@').map_or(netloc, |(_, host)| host);
    let text = match after.strip_prefix('[') {
        Some(rest) => rest.split_once(']').and_then(|(_, rest)| rest.strip_prefix(':')),
        None => after.split_once(':').map(|(_, port)| port),
    };
    match text.filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) => match text.parse::<i128>() {
            Ok(port) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                if port > 65535 {
                    Err(ValueError::Value("Port out of range 0-65535".into()))
                } else {
                    Ok(Value::Int(port))
                }
            }
            _ => Err(ValueError::Value(format!(
                "Port could not be cast to integer value as {}",
                Value::from(text).repr()
            ))),
        },
    }
}

fn split_url(url: &str) -> Result<Map, ValueError> {
    let mut rest = url.trim_start_matches(|char: char| char <= ' ').to_owned();
    rest.retain(|char| !matches!(char, '\t' | '\r' | '\n'));
    let mut scheme = String::new();
    if let Some((front, back)) = rest.split_once(':')
        && front.starts_with(|char: char| char.is_ascii_alphabetic())
        && front.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'))
    {
        scheme = front.to_ascii_lowercase();
        rest = back.to_owned();
    }
    let mut netloc = String::new();
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        netloc = after[..end].to_owned();
        rest = after[end..].to_owned();
        if netloc.contains('[') != netloc.contains(']') {
            return Err(ValueError::Value("Invalid IPv6 URL".into()));
        }
    }
    let (front, fragment) = rest.split_once('#').unwrap_or((&rest, ""));
    let (path, query) = front.split_once('?').unwrap_or((front, ""));
    let (user, host) = match netloc.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, netloc.as_str()),
    };
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let (name, password) = match user.map(|user| {
        user.split_once(':').map_or((user, None), |(name, password)| (name, Some(password)))
    }) {
        Some((name, password)) => (Some(name), password),
        None => (None, None),
    };
    let mut out = Map::new();
    out.insert("fragment", fragment.into());
    out.insert("hostname", if host.is_empty() { Value::Null } else { host.to_lowercase().into() });
    out.insert("netloc", netloc.as_str().into());
    out.insert("password", password.into());
    out.insert("path", path.into());
    out.insert("port", port_of(&netloc)?);
    out.insert("query", query.into());
    out.insert("scheme", scheme.into());
    out.insert("username", name.into());
    Ok(out)
}

pub(super) fn urlsplit(call: &Call<'_>) -> Answer {
    let bound = call.bind("split_url", &["value", "query", "alias"], 1)?;
    let value = bound.value(0);
    let Some(url) = value.as_str() else { return Err(no_attribute(&value, "decode")) };
    let parts = split_url(url)?;
    let query = bound.text(1);
    if query.is_empty() {
        return Ok(parts.into());
    }
    let alias = bound.text_or(2, "urlsplit");
    parts
        .get(&query)
        .cloned()
        .ok_or_else(|| ValueError::Value(format!("{alias}: unknown URL component: {query}")))
}
