//! Files of `NAME=value` lines, as `/etc/os-release` and its like.

use std::collections::BTreeMap;

/// The values by name, quotes taken away. Lines that are not assignments are left out.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = line.split_once('=') {
            values.insert(name.trim().to_owned(), unquote(value.trim()).to_owned());
        }
    }
    values
}

/// A text without the quotes around it.
pub(crate) fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|it| it.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// The first run of digits and dots in a text that starts with a digit.
pub(crate) fn version_in(text: &str) -> Option<&str> {
    let start = text.find(|it: char| it.is_ascii_digit())?;
    let rest = text.get(start..)?;
    let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
    rest.get(..end).map(|it| it.trim_end_matches('.'))
}

/// What stands in the first pair of parentheses.
pub(crate) fn in_parentheses(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('(')?;
    rest.split_once(')').map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_comments_are_taken_away() {
        let values = parse("# x\nNAME=\"A B\"\nID='c'\nVERSION_ID=3.1\nnothing\n");
        assert_eq!(values["NAME"], "A B");
        assert_eq!(values["ID"], "c");
        assert_eq!(values["VERSION_ID"], "3.1");
        assert_eq!(values.len(), 3);
    }

    #[test]
    fn versions_are_found_in_sentences() {
        assert_eq!(version_in("Rocky Linux release 9.3 (Blue Onyx)"), Some("9.3"));
        assert_eq!(version_in("CentOS Stream release 9"), Some("9"));
        assert_eq!(version_in("none"), None);
        assert_eq!(in_parentheses("x 9.3 (Blue Onyx)"), Some("Blue Onyx"));
    }
}
