//! Reads JSON as Python's `json.loads` does, with its errors and places.
//!
//! Takes what Python takes beyond the standard: `NaN`, `Infinity`.

use davit_value::{Map, Value, ValueError};

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

/// The value that the whole of `text` stands for.
///
/// # Errors
/// Python's `JSONDecodeError`.
pub fn parse(text: &str) -> Result<Value, ValueError> {
    let mut reader = Reader { text, at: 0 };
    if text.starts_with('\u{feff}') {
        return Err(reader.error("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    reader.space();
    let value = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.error("Extra data", reader.at));
    }
    Ok(value)
}

impl Reader<'_> {
    fn error(&self, what: &str, at: usize) -> ValueError {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        ValueError::Value(format!(
            "{what}: line {line} column {column} (char {})",
            before.chars().count()
        ))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, ValueError> {
        if depth > 900 {
            return Err(ValueError::Value(
                "maximum recursion depth exceeded while decoding a JSON document".into(),
            ));
        }
        const WORDS: [(&str, Value); 6] = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(self.string()?.into())
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            _ => {
                let rest = &self.text[self.at..];
                if let Some((word, value)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
                    self.at += word.len();
                    return Ok(value.clone());
                }
                self.number()
            }
        }
    }

    fn number(&mut self) -> Result<Value, ValueError> {
        let bytes = &self.text.as_bytes()[self.at..];
        let digits =
            |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let start = usize::from(bytes.first() == Some(&b'-'));
        let whole = match bytes.get(start) {
            Some(b'0') => 1,
            Some(byte) if byte.is_ascii_digit() => digits(start),
            _ => return Err(self.error("Expecting value", self.at)),
        };
        let mut end = start + whole;
        let mut float = false;
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
            float = true;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.len() > end + 1 + sign && digits(end + 1 + sign) > 0 {
                end += 1 + sign + digits(end + 1 + sign);
                float = true;
            }
        }
        let text = &self.text[self.at..self.at + end];
        self.at += end;
        if !float && let Ok(int) = text.parse::<i128>() {
            return Ok(Value::Int(int));
        }
        Ok(Value::Float(text.parse().unwrap_or(f64::NAN)))
    }

    /// The rest of a string whose opening quote has been read.
    fn string(&mut self) -> Result<String, ValueError> {
        let open = self.at - 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(char) = rest.chars().next() else {
                return Err(self.error("Unterminated string starting at", open));
            };
            match char {
                '"' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => {
                    let Some(next) = rest[1..].chars().next() else {
                        return Err(self.error("Unterminated string starting at", open));
                    };
                    self.at += 2;
                    match next {
                        '"' | '\\' | '/' => out.push(next),
                        'b' => out.push('\x08'),
                        'f' => out.push('\x0c'),
                        'n' => out.push('\n'),
                        'r' => out.push('\r'),
                        't' => out.push('\t'),
                        'u' => out.push(self.unicode()?),
                        _ => return Err(self.error("Invalid \\escape", self.at - 2)),
                    }
                }
                char if (char as u32) < 0x20 => {
                    return Err(self.error("Invalid control character at", self.at));
                }
                char => {
                    out.push(char);
                    self.at += char.len_utf8();
                }
            }
        }
    }

    fn unit(&mut self) -> Result<u32, ValueError> {
        let found = self
            .text
            .get(self.at..self.at + 4)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(unit) = found.and_then(|text| u32::from_str_radix(text, 16).ok()) else {
            return Err(self.error("Invalid \\uXXXX escape", self.at - 1));
        };
        self.at += 4;
        Ok(unit)
    }

    fn unicode(&mut self) -> Result<char, ValueError> {
        let first = self.unit()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.unit()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            self.at = back;
        }
        // Half of a pair has no place in our text.
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }

    fn object(&mut self, depth: usize) -> Result<Value, ValueError> {
        self.at += 1;
        let mut map = Map::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(map.into());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(
                    self.error("Expecting property name enclosed in double quotes", self.at)
                );
            }
            self.at += 1;
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.error("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            self.space();
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.space();
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(map.into());
                }
                Some(b',') => self.at += 1,
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, ValueError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::list(items));
                }
                Some(b',') => self.at += 1,
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
            self.space();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_and_complains_as_python() {
        let check = |text: &str, expect: &str| {
            assert_eq!(
                parse(text).map_or_else(|error| format!("!{error}"), |value| value.repr()),
                expect
            );
        };
        check(
            r#"{"a": [1, 2.5, null, true, "\u00e9\ud83d\ude00"]}"#,
            "{'a': [1, 2.5, None, True, 'é😀']}",
        );
        check(
            "{bad",
            "!Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        );
        check("", "!Expecting value: line 1 column 1 (char 0)");
        check("[1,]", "!Expecting value: line 1 column 4 (char 3)");
        check("1 2", "!Extra data: line 1 column 3 (char 2)");
        check("\"a", "!Unterminated string starting at: line 1 column 1 (char 0)");
        check("-", "!Expecting value: line 1 column 1 (char 0)");
        check("1e", "!Extra data: line 1 column 2 (char 1)");
    }
}
