//! Bodies of requests: JSON as Python writes it, forms, and forms of several parts.
//!
//! It does not send them.

use serde_json::Value;

use super::auth::random_number as random;
use super::url::encode_form;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The types of files that are known by their names.
const TYPES: &[(&str, &str)] = &[
    ("bin", "application/octet-stream"),
    ("bmp", "image/bmp"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("exe", "application/octet-stream"),
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/vnd.microsoft.icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("py", "text/x-python"),
    ("sh", "application/x-sh"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("txt", "text/plain"),
    ("wasm", "application/wasm"),
    ("wav", "audio/x-wav"),
    ("webm", "video/webm"),
    ("xml", "text/xml"),
    ("zip", "application/zip"),
];

/// Gives what the file of a field holds, by the field's name and the file's path.
pub(crate) type Reading<'a> = &'a dyn Fn(&str, &str) -> Result<Vec<u8>, String>;

/// The type of a file of that name.
fn type_of(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |it| it.1).to_ascii_lowercase();
    let found = TYPES.binary_search_by(|(it, _)| (*it).cmp(ending.as_str()));
    found.ok().and_then(|at| TYPES.get(at)).map_or("application/octet-stream", |it| it.1)
}

/// JSON with Python's blanks, in ASCII.
pub(crate) fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_text(key, out);
                out.push_str(": ");
                write_json(item, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn write_text(text: &str, out: &mut String) {
    for char in Value::from(text).to_string().chars() {
        if char.is_ascii() {
            out.push(char);
        } else {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
}

/// A form as one line.
///
/// # Errors
/// Why the value is none.
pub(crate) fn urlencoded(value: &Value) -> Result<String, String> {
    let mut pairs: Vec<(String, &Value)> = Vec::new();
    match value {
        Value::String(text) => return Ok(text.clone()),
        Value::Null => {}
        Value::Object(map) => pairs.extend(map.iter().map(|(key, value)| (key.clone(), value))),
        Value::Array(items) => {
            for item in items {
                let count = match item {
                    Value::Array(pair) => match pair.as_slice() {
                        [key, value] => {
                            pairs.push((text(key), value));
                            continue;
                        }
                        other => other.len(),
                    },
                    Value::String(text) => text.chars().count(),
                    other => {
                        let kind = kind(other);
                        return Err(format!("cannot unpack non-iterable {kind} object"));
                    }
                };
                return Err(if count < 2 {
                    format!("not enough values to unpack (expected 2, got {count})")
                } else {
                    "too many values to unpack (expected 2)".to_owned()
                });
            }
        }
        other => return Err(format!("cannot unpack non-iterable {} object", kind(other))),
    }
    let mut out: Vec<String> = Vec::new();
    for (key, value) in pairs {
        let key = encode_form(&key);
        match value {
            Value::Null => {}
            Value::Array(items) => {
                out.extend(items.iter().map(|it| format!("{key}={}", encode_form(&text(it)))));
            }
            other => out.push(format!("{key}={}", encode_form(&text(other)))),
        }
    }
    Ok(out.join("&"))
}

/// A value as Python tells it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}

/// What Python calls the type of a value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// A body of several parts, and its type.
///
/// # Errors
/// Why the value is none.
pub(crate) fn multipart(value: &Value, read: Reading<'_>) -> Result<(String, Vec<u8>), String> {
    let Value::Object(map) = value else {
        return Err(format!("body must be mapping, cannot be type {}", kind(value)));
    };
    let mut fields: Vec<(&String, &Value)> = map.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    let failed = |why: String| format!("failed to parse body as form-multipart: {why}");
    let mut parts = Vec::new();
    for (name, value) in fields {
        parts.push(part(name, value, read).map_err(failed)?);
    }
    // Nothing that is sent can hold a text that nobody knew before.
    let boundary = format!("==============={:019}==", random() % 10_u64.pow(19));
    let mut out = Vec::new();
    for part in &parts {
        out.extend(format!("--{boundary}\r\n").as_bytes());
        out.extend(part);
        out.extend(b"\r\n");
    }
    out.extend(format!("--{boundary}--\r\n").as_bytes());
    Ok((format!("multipart/form-data; boundary=\"{boundary}\""), out))
}

/// One field with its headers.
fn part(name: &str, value: &Value, read: Reading<'_>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let (content, mime, filename) = match value {
        Value::String(text) => (text.clone().into_bytes(), "text/plain".to_owned(), None),
        Value::Object(map) => {
            let said = |key: &str| map.get(key).filter(|it| !it.is_null()).map(text);
            let filename = said("filename").filter(|it| !it.is_empty());
            let mime = said("mime_type").filter(|it| !it.is_empty());
            let mime =
                mime.unwrap_or_else(|| type_of(filename.as_deref().unwrap_or_default()).to_owned());
            let mime = if mime.contains('/') { mime } else { format!("{mime}/") };
            let content = match (said("content").filter(|it| !it.is_empty()), &filename) {
                (Some(content), _) => content.into_bytes(),
                (None, Some(path)) => {
                    let bytes = read(name, path)?;
                    encoded(&bytes, said("multipart_encoding").as_deref(), &mut out)?
                }
                (None, None) => {
                    return Err("at least one of filename or content must be provided".to_owned());
                }
            };
            (content, mime, filename)
        }
        other => {
            return Err(format!(
                "value must be a string, or mapping, cannot be type {}",
                kind(other)
            ));
        }
    };
    if mime.contains(['\r', '\n']) || name.contains(['\r', '\n']) {
        return Err("a field's name and type are one line each".to_owned());
    }
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut place = format!("form-data; name=\"{}\"", quoted(name));
    if let Some(filename) = filename {
        let last = filename.rsplit('/').next().unwrap_or_default();
        if last.bytes().all(|it| (b' '..0x7f).contains(&it)) {
            place.push_str(&format!("; filename=\"{}\"", quoted(last)));
        } else {
            let coded = encode_form(last).replace('+', "%20");
            place.push_str(&format!("; filename*=utf-8''{coded}"));
        }
    }
    out.extend(format!("Content-Type: {mime}\r\nContent-Disposition: {place}\r\n\r\n").as_bytes());
    out.extend(content);
    Ok(out)
}

/// What a file holds as it stands in a part, with the header that says how.
fn encoded(bytes: &[u8], encoding: Option<&str>, out: &mut Vec<u8>) -> Result<Vec<u8>, String> {
    match encoding.unwrap_or("base64") {
        "base64" => {
            out.extend(b"Content-Transfer-Encoding: base64\r\n");
            let text = STANDARD.encode(bytes);
            let mut lines = Vec::with_capacity(text.len() + text.len() / 38 + 2);
            for line in text.as_bytes().chunks(76) {
                lines.extend(line);
                lines.extend(b"\r\n");
            }
            Ok(lines)
        }
        "7or8bit" => {
            let bits = if bytes.is_ascii() { 7 } else { 8 };
            out.extend(format!("Content-Transfer-Encoding: {bits}bit\r\n").as_bytes());
            let mut lines = Vec::with_capacity(bytes.len());
            for (at, byte) in bytes.iter().enumerate() {
                if *byte == b'\n' && (at == 0 || bytes.get(at - 1) != Some(&b'\r')) {
                    lines.push(b'\r');
                }
                lines.push(*byte);
            }
            Ok(lines)
        }
        _ => Err("multipart_encoding must be one of dict_keys(['base64', '7or8bit']).".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn json_is_as_python_writes_it() {
        let written = json(&value!({"z": [1, true, null, 2.5], "a": "é\"\u{1f600}"}));
        assert_eq!(written, "{\"z\": [1, true, null, 2.5], \"a\": \"\\u00e9\\\"\\ud83d\\ude00\"}");
    }

    #[test]
    fn forms_are_one_line() {
        let check = |body: Value, expect: Result<&str, &str>| {
            let found = urlencoded(&body);
            assert_eq!(found.as_deref().map_err(String::as_str), expect, "{body}");
        };
        check(
            value!({"a b": "c&d", "e": [1, 2], "n": null, "t": true}),
            Ok("a+b=c%26d&e=1&e=2&t=True"),
        );
        check(value!([["a", "1"], ["b", ["x", "y"]]]), Ok("a=1&b=x&b=y"));
        check(value!("a=b&c"), Ok("a=b&c"));
        check(value!([["a"]]), Err("not enough values to unpack (expected 2, got 1)"));
        check(value!(["abc"]), Err("too many values to unpack (expected 2)"));
    }

    #[test]
    fn parts_say_what_they_are() {
        let read = |_: &str, path: &str| {
            if path == "/a/up.txt" { Ok(b"text\n".to_vec()) } else { Err("no".to_owned()) }
        };
        let body = value!({"f": {"filename": "/a/up.txt"}, "c": {"content": "x"}, "t": "v"});
        let (kind, bytes) = multipart(&body, &read).unwrap();
        let boundary = kind.split('"').nth(1).unwrap();
        let expect = format!(
            "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Disposition: \
             form-data; name=\"c\"\r\n\r\nx\r\n--{boundary}\r\nContent-Transfer-Encoding: \
             base64\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=\"f\"; \
             filename=\"up.txt\"\r\n\r\ndGV4dAo=\r\n\r\n--{boundary}\r\nContent-Type: \
             text/plain\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nv\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expect);
        for wrong in
            [value!("x"), value!({"a": 1}), value!({"a": {}}), value!({"a": {"filename": "/no"}})]
        {
            assert!(multipart(&wrong, &read).is_err(), "{wrong}");
        }
        assert!(TYPES.is_sorted_by_key(|it| it.0));
    }
}
