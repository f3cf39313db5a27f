//! What an answer holds, by the type that the server gives it.
//!
//! It does not read answers.

use crate::encoding::Encoding;

/// Whether a type is that of JSON.
pub(crate) fn is_json(kind: &str) -> bool {
    let plain = kind.split(';').next().unwrap_or_default().to_ascii_lowercase();
    let sub = plain.split_once('/').map_or("", |it| it.1);
    sub.contains("json") || sub.contains("javascript")
}

/// Bytes as text, in the encoding that the type names. What is no text there is replaced.
pub(crate) fn text(bytes: &[u8], kind: &str) -> String {
    let charset = kind.split(';').skip(1).find_map(|it| {
        let (key, value) = it.split_once('=')?;
        let is = key.trim().eq_ignore_ascii_case("charset");
        is.then(|| value.trim().trim_matches('"').to_owned())
    });
    match charset.as_deref().and_then(Encoding::named) {
        None | Some(Encoding::Utf8) => String::from_utf8_lossy(bytes).into_owned(),
        Some(other) => other.decode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_say_how_to_read() {
        assert!(is_json("application/json; charset=utf-8") && is_json("application/vnd.x+json"));
        assert!(!is_json("text/plain") && !is_json("") && !is_json("json"));
        assert_eq!(text(b"caf\xe9", "text/plain; charset=\"ISO-8859-1\""), "caf\u{e9}");
        assert_eq!(text(b"caf\xe9", "text/plain"), "caf\u{fffd}");
    }
}
