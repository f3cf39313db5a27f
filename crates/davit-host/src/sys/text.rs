//! Texts as results tell them.

/// The lines of a text without their ends, at every place where Python's `splitlines` cuts.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_line_end);
        let Some(end) = end else {
            lines.push(rest);
            break;
        };
        let (line, tail) = rest.split_at(end);
        lines.push(line);
        let width = if tail.starts_with("\r\n") {
            2
        } else {
            tail.chars().next().map_or(1, char::len_utf8)
        };
        rest = tail.get(width..).unwrap_or_default();
    }
    lines
}

fn is_line_end(char: char) -> bool {
    matches!(
        char,
        '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// A word as a shell needs it to be written.
pub(crate) fn shell_quote(word: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "@%+=:,./-_".contains(it);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}

/// The first word of a shell text, without its quotes, and the rest of the text as it stands.
pub(crate) fn first_word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match (quote, char) {
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            (None | Some('"'), '\\') => word.extend(chars.next().map(|(_, it)| it)),
            (None, _) if char.is_whitespace() => {
                return (word, text.get(at..).unwrap_or_default().trim_start());
            }
            _ => word.push(char),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        let check = |text: &str, expect: &[&str]| assert_eq!(lines(text), expect, "{text:?}");
        check("", &[]);
        check("a\nb", &["a", "b"]);
        check("a\n\n", &["a", ""]);
        check("\r\na\tb\x0c\u{2028}z", &["", "a\tb", "", "z"]);
    }

    #[test]
    fn the_first_word_may_be_quoted() {
        assert_eq!(first_word("a.sh  b \"c d\""), ("a.sh".to_owned(), "b \"c d\""));
        assert_eq!(first_word("'a b.sh' $X"), ("a b.sh".to_owned(), "$X"));
        assert_eq!(first_word("a\\ b"), ("a b".to_owned(), ""));
        assert_eq!(first_word(""), (String::new(), ""));
    }

    #[test]
    fn words_are_quoted_where_they_need_it() {
        assert_eq!(shell_quote("a/b"), "a/b");
        assert_eq!(shell_quote("a b"), "'a b'");
        assert_eq!(shell_quote("it's"), "'it'\"'\"'s'");
        assert_eq!(shell_quote(""), "''");
    }
}
