//! Words of a command line, as a POSIX shell takes them. Knows nothing of hosts.

/// Splits options that a person wrote as one text: Python's `shlex.split(text)`.
///
/// # Errors
/// Python's complaint about an open quote or a trailing backslash.
pub(crate) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => {
                word.get_or_insert_default().push(chars.next().ok_or("No escaped character")?);
            }
            '\'' => single(&mut chars, word.get_or_insert_default())?,
            '"' => double(&mut chars, word.get_or_insert_default())?,
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The rest of a word in single quotes.
fn single(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    loop {
        match chars.next().ok_or("No closing quotation")? {
            '\'' => return Ok(()),
            char => word.push(char),
        }
    }
}

/// The rest of a word in double quotes, in which a backslash escapes only `"` and itself.
fn double(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    loop {
        match chars.next().ok_or("No closing quotation")? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or("No escaped character")? {
                char @ ('"' | '\\') => word.push(char),
                char => word.extend(['\\', char]),
            },
            char => word.push(char),
        }
    }
}

/// A word as a shell reads it back.
pub(crate) fn quote(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_@%+=:,./-".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}

/// A command line that runs a program with these arguments.
pub(crate) fn join(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{join, split};

    #[test]
    fn options_split_as_python_splits_them() {
        for (text, expect) in [
            ("-o A=b  -o 'C=d e'", Ok(vec!["-o", "A=b", "-o", "C=d e"])),
            ("-o \"X=\\\"y\\\" \\z\" #no", Ok(vec!["-o", "X=\"y\" \\z", "#no"])),
            ("a\\ b ''", Ok(vec!["a b", ""])),
            ("", Ok(vec![])),
            ("'a", Err("No closing quotation")),
            ("a\\", Err("No escaped character")),
        ] {
            let expect: Result<Vec<String>, _> =
                expect.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(split(text), expect, "{text}");
        }
    }

    #[test]
    fn what_is_joined_is_read_back() {
        for words in [vec!["sudo", "-p", "a b: "], vec!["it's", "$HOME", "", "a\nb", "`x`\\"]] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(split(&join(&words)), Ok(words));
        }
    }
}
