//! The short way to write structures, lists and maps: `Name=a,Values=b,c`. Reads the text alone: what
//! the words mean is a matter of the shape (see `unpack`).
//!
//! Source: the AWS CLI's grammar of shorthand syntax, with its ways of going back.

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Short {
    /// A word, or the text of a file.
    Text(String),
    /// A file that is not text.
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// Why a text is no shorthand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ShortError {
    #[error("expected {expected}, found {found} at character {at} of {text:?}")]
    Syntax { text: String, expected: String, found: String, at: usize },
    #[error("{key} stands twice in {text:?}; is a comma there instead of a space?")]
    Twice { key: String, text: String },
    #[error("{text:?} is nested too deeply")]
    Depth { text: String },
    #[error("{0}")]
    File(String),
}

type Read<T> = Result<T, ShortError>;

/// Reads a file for `key@=file://path`: nothing if the text names none.
pub(super) type Resolve<'a> = &'a dyn Fn(&str) -> Result<Option<Short>, String>;

/// How deep values may lie in each other.
const DEEPEST: usize = 64;

/// Reads `key=value,key=value`.
pub(super) fn read(text: &str, resolve: Resolve<'_>) -> Read<Short> {
    let chars: Vec<char> = text.chars().collect();
    Reader { text, chars, at: 0, files: false, resolve }.parameter()
}

struct Reader<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
    /// The key was followed by `@=`.
    files: bool,
    resolve: Resolve<'a>,
}

/// Which characters a word may go on with.
#[derive(Clone, Copy, PartialEq)]
enum Follow {
    /// The first word behind a key.
    First,
    /// A further word of a list.
    Second,
}

impl Reader<'_> {
    fn parameter(&mut self) -> Read<Short> {
        let mut entries = vec![self.entry()?];
        while self.at < self.chars.len() {
            self.expect_spaced(',')?;
            let (key, value) = self.entry()?;
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(ShortError::Twice { key, text: self.text.to_owned() });
            }
            entries.push((key, value));
        }
        Ok(Short::Map(entries))
    }

    fn entry(&mut self) -> Read<(String, Short)> {
        let key = self.key()?;
        let value = match self.current() {
            None => Short::Text(String::new()),
            Some('[') => self.list(0)?,
            Some('{') => self.map(0)?,
            Some(_) => self.values()?,
        };
        Ok((key, value))
    }

    /// A key with the sign behind it.
    fn key(&mut self) -> Read<String> {
        let start = self.at;
        while self.current().is_some_and(|it| it.is_ascii_alphanumeric() || "-_.#/:".contains(it)) {
            self.at += 1;
        }
        let key = self.chars[start..self.at].iter().collect();
        self.skip_space();
        self.files = self.current() == Some('@');
        if self.files {
            self.at += 1;
            self.skip_space();
        }
        self.expect_spaced('=')?;
        Ok(key)
    }

    /// One word, or words with commas between them as long as none of them is the next key.
    fn values(&mut self) -> Read<Short> {
        let first = self.first()?;
        self.skip_space();
        if self.current() != Some(',') {
            return Ok(first);
        }
        self.expect_spaced(',')?;
        let mut words = vec![first];
        loop {
            match self.further() {
                Ok((word, end)) => {
                    words.push(word);
                    if end {
                        break;
                    }
                }
                Err(error @ ShortError::File(_)) => return Err(error),
                Err(error) if self.at >= self.chars.len() => return Err(error),
                Err(_) => {
                    while self.at > 0 && self.chars[self.at] != ',' {
                        self.at -= 1;
                    }
                    break;
                }
            }
        }
        Ok(if words.len() == 1 { words.remove(0) } else { Short::List(words) })
    }

    /// A further word of a list, and whether it was the last thing of all.
    fn further(&mut self) -> Read<(Short, bool)> {
        let word = match self.current() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => match self.word(Follow::Second) {
                Some(word) => self.resolved(word)?,
                None => return Err(self.unexpected("a value")),
            },
        };
        self.skip_space();
        if self.at >= self.chars.len() {
            return Ok((word, true));
        }
        self.expect_spaced(',')?;
        Ok((word, false))
    }

    fn first(&mut self) -> Read<Short> {
        match self.current() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            _ => match self.word(Follow::First) {
                Some(word) => self.resolved(word),
                None => Ok(Short::Text(String::new())),
            },
        }
    }

    fn list(&mut self, depth: usize) -> Read<Short> {
        self.expect_spaced('[')?;
        let mut items = Vec::new();
        while self.current() != Some(']') {
            items.push(self.nested(depth)?);
            self.separator(']')?;
        }
        self.expect(']')?;
        Ok(Short::List(items))
    }

    fn map(&mut self, depth: usize) -> Read<Short> {
        self.expect_spaced('{')?;
        let mut entries: Vec<(String, Short)> = Vec::new();
        while self.current() != Some('}') {
            let key = self.key()?;
            let value = self.nested(depth)?;
            self.separator('}')?;
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
        }
        self.expect('}')?;
        Ok(Short::Map(entries))
    }

    /// The comma behind an item, unless the end is there.
    fn separator(&mut self, end: char) -> Read<()> {
        self.skip_space();
        if self.current() != Some(end) {
            self.expect(',')?;
            self.skip_space();
        }
        Ok(())
    }

    fn nested(&mut self, depth: usize) -> Read<Short> {
        if depth >= DEEPEST {
            return Err(ShortError::Depth { text: self.text.to_owned() });
        }
        match self.current() {
            Some('[') => self.list(depth + 1),
            Some('{') => self.map(depth + 1),
            _ => self.first(),
        }
    }

    /// A word without quotes; nothing if none can begin here.
    fn word(&mut self, follow: Follow) -> Option<String> {
        let mut word = String::new();
        while let Some(it) = self.current() {
            if it == '\\' && self.chars.get(self.at + 1) == Some(&',') {
                word.push(',');
                self.at += 2;
                continue;
            }
            let fits = if word.is_empty() { starts_word(it) } else { follows(it, follow) };
            if !fits {
                break;
            }
            word.push(it);
            self.at += 1;
        }
        (!word.is_empty()).then(|| word.trim_end().to_owned())
    }

    /// A word in quotes. A quote behind a backslash ends it only if no other does.
    fn quoted(&mut self, quote: char) -> Read<Short> {
        let start = self.at + 1;
        let mut end = None;
        let mut at = start;
        while let Some(&it) = self.chars.get(at) {
            if it == '\\' && self.chars.get(at + 1) == Some(&quote) {
                end = Some(at + 1);
                at += 2;
            } else if it == quote {
                end = Some(at);
                break;
            } else {
                at += 1;
            }
        }
        let Some(end) = end else {
            return Err(self.unexpected(&format!("a value that ends with {quote}")));
        };
        self.at = end + 1;
        let text: String = self.chars[start..end].iter().collect();
        let text = text.replace(&format!("\\{quote}"), &quote.to_string()).replace("\\\\", "\\");
        self.resolved(text)
    }

    fn resolved(&self, text: String) -> Read<Short> {
        if !self.files {
            return Ok(Short::Text(text));
        }
        let file = (self.resolve)(&text).map_err(ShortError::File)?;
        Ok(file.unwrap_or(Short::Text(text)))
    }

    fn current(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.current().is_some_and(|it| it.is_ascii_whitespace() || it == '\x0b') {
            self.at += 1;
        }
    }

    fn expect(&mut self, wanted: char) -> Read<()> {
        if self.current() != Some(wanted) {
            return Err(self.unexpected(&format!("'{wanted}'")));
        }
        self.at += 1;
        Ok(())
    }

    fn expect_spaced(&mut self, wanted: char) -> Read<()> {
        self.skip_space();
        self.expect(wanted)?;
        self.skip_space();
        Ok(())
    }

    fn unexpected(&self, expected: &str) -> ShortError {
        ShortError::Syntax {
            text: self.text.to_owned(),
            expected: expected.to_owned(),
            found: self.current().map_or_else(|| "the end".to_owned(), |it| format!("'{it}'")),
            at: self.at,
        }
    }
}

/// Characters that a word may begin with.
const fn starts_word(it: char) -> bool {
    !matches!(it, '\0'..=' ' | '"' | '\'' | ',' | '=' | '[' | '{')
}

fn follows(it: char, follow: Follow) -> bool {
    match it {
        '"' | '\'' | ',' => false,
        ']' | '}' => follow == Follow::Second,
        '=' => follow == Follow::First,
        '\0'..='\x1f' => it.is_ascii_whitespace() || matches!(it, '\x0b' | '\x1c'..='\x1f'),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn json(short: Short) -> Json {
        match short {
            Short::Text(text) => text.into(),
            Short::Bytes(bytes) => bytes.len().into(),
            Short::List(items) => items.into_iter().map(json).collect(),
            Short::Map(entries) => entries.into_iter().map(|(key, it)| (key, json(it))).collect(),
        }
    }

    fn file(text: &str) -> Result<Option<Short>, String> {
        Ok(text.strip_prefix("file://").map(|path| Short::Text(format!("<{path}>"))))
    }

    #[test]
    fn texts_are_read_as_the_command_line_of_aws_does() {
        for (text, wanted) in [
            ("a=b", json!({"a": "b"})),
            ("a=b,c", json!({"a": ["b", "c"]})),
            ("a=b,c=d", json!({"a": "b", "c": "d"})),
            ("a=b,c,d=e,f,g=h", json!({"a": ["b", "c"], "d": ["e", "f"], "g": "h"})),
            ("a=", json!({"a": ""})),
            ("a=,b=c", json!({"a": "", "b": "c"})),
            ("a=b=c", json!({"a": "b=c"})),
            ("a = b , c = d", json!({"a": "b", "c": "d"})),
            ("a=[b,c],d=[[e],f]", json!({"a": ["b", "c"], "d": [["e"], "f"]})),
            ("a={b=c,d=[e,{f=g}]}", json!({"a": {"b": "c", "d": ["e", {"f": "g"}]}})),
            ("a='b,c',d=\"e=f\"", json!({"a": "b,c", "d": "e=f"})),
            (r#"a='it\'s',b="\"q\"\\""#, json!({"a": "it's", "b": "\"q\"\\"})),
            (r"a=b\,c,d=e", json!({"a": "b,c", "d": "e"})),
            ("a@=file://x,b=file://y", json!({"a": "<x>", "b": "file://y"})),
            ("a={b@=file://x,c=file://y}", json!({"a": {"b": "<x>", "c": "file://y"}})),
            ("a=ünïcode 🦀 more,b=}", json!({"a": "ünïcode 🦀 more", "b": "}"})),
        ] {
            assert_eq!(read(text, &file).map(json).as_ref(), Ok(&wanted), "{text}");
        }
        for text in ["", "a", "a=b,", "a=[b", "a={b=c", "a='b", "a=b,a=c", "a=b c='", ",", "a=b,,"]
        {
            assert!(read(text, &file).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = format!("a={}", "[".repeat(10_000));
        assert!(matches!(read(&text, &file), Err(ShortError::Depth { .. })));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-c=,'\"\\\\\\[\\]{}@ ]{0,40}|.{0,40}") {
            let _ = read(&text, &file);
        }
    }
}
