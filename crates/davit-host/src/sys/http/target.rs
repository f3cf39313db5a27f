//! What of an address may stand in the first line of a request.
//!
//! It does not know the rest of the request.

use super::Failure;

/// Refuses what would end the line of the request or is no text of an address.
pub(super) fn check_target(method: &str, path: &str) -> Result<(), Failure> {
    if let Some(wrong) = path.chars().find(|it| *it <= ' ' || *it == '\x7f') {
        return Err(Failure::Unknown(format!(
            "URL can't contain control characters. '{path}' (found at least '{}')",
            wrong.escape_debug()
        )));
    }
    if let Some(at) = path.chars().position(|it| !it.is_ascii()) {
        let wrong = path.chars().nth(at).map_or(0, u32::from);
        let shown = if wrong < 256 { format!("\\x{wrong:02x}") } else { format!("\\u{wrong:04x}") };
        let place = at + method.len() + 1;
        return Err(Failure::Value(format!(
            "'ascii' codec can't encode character '{shown}' in position {place}: ordinal not in \
             range(128)"
        )));
    }
    Ok(())
}

/// A location with what may not stand in an address coded.
pub(super) fn printable(location: &str) -> String {
    let mut out = String::with_capacity(location.len());
    for char in location.trim().chars() {
        // Each is one byte of the server's.
        match u32::from(char) {
            code @ (0..=0x20 | 0x7f..=0xff) => out.push_str(&format!("%{code:02X}")),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stay_on_their_line() {
        assert!(check_target("GET", "/a?b").is_ok());
        assert!(matches!(check_target("GET", "/a b"), Err(Failure::Unknown(_))));
        let Err(Failure::Value(why)) = check_target("GET", "/é") else { panic!() };
        assert!(why.contains("'\\xe9' in position 5"), "{why}");
        assert_eq!(printable("/a b\u{e9}"), "/a%20b%E9");
    }
}
