//! A line as a POSIX shell splits it: Python's `shlex.split(line, comments=True)`. Knows nothing of hosts.

/// Splits `line` into words; `#` starts a comment anywhere outside quotes.
///
/// # Errors
/// Python's complaint about an open quote or a trailing backslash.
pub(crate) fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' => break,
            '\\' => {
                let next = chars.next().ok_or("No escaped character")?;
                word.get_or_insert_default().push(next);
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("No closing quotation")? {
                        '\'' => break,
                        char => word.push(char),
                    }
                }
            }
            '"' => quoted(&mut chars, word.get_or_insert_default())?,
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The rest of a word in double quotes, in which a backslash escapes only `"` and itself.
fn quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
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

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn lines_split_as_python_splits_them() {
        for (line, expect) in [
            ("h a=1 b='x y'", Ok(vec!["h", "a=1", "b=x y"])),
            ("h a=\"x\\\"y\\n\" # c", Ok(vec!["h", "a=x\"y\\n"])),
            ("h a=b#c d", Ok(vec!["h", "a=b"])),
            ("h a=\\ b '' ", Ok(vec!["h", "a= b", ""])),
            ("h 'a", Err("No closing quotation")),
            ("h \\", Err("No escaped character")),
            ("  # x", Ok(vec![])),
        ] {
            let expect =
                expect.map(|words| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
            assert_eq!(split(line), expect, "{line}");
        }
    }
}
