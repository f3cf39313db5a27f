//! JSON as Python's `json` module reads it, with its complaints. Knows no inventory.

use davit_value::{Map, Value};

/// How deep JSON may nest.
const MAX_DEPTH: usize = 300;

/// Reads one JSON document; strings go through `text`, finished dictionaries through `object`.
pub(crate) struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

/// The value of `text`.
///
/// # Errors
/// Python's complaint: `Expecting value: line 1 column 1 (char 0)`.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.blank();
    let value = reader.value()?;
    reader.blank();
    if reader.at < text.len() { Err(reader.complaint("Extra data", reader.at)) } else { Ok(value) }
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn complaint(&self, what: &str, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        format!("{what}: line {line} column {column} (char {})", before.chars().count())
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn value(&mut self) -> Result<Value, String> {
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ] {
            if self.eat(word) {
                return Ok(value);
            }
        }
        if self.depth > MAX_DEPTH {
            return Err("maximum recursion depth exceeded while decoding a JSON object from a unicode string".into());
        }
        self.depth += 1;
        let value = match self.rest().chars().next() {
            Some('"') => self.string().map(Value::from),
            Some('{') => self.object(),
            Some('[') => self.array(),
            Some('-' | '0'..='9') => self.number(),
            _ => Err(self.complaint("Expecting value", self.at)),
        };
        self.depth -= 1;
        value
    }

    fn number(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(rest.starts_with('-'));
        let whole = match rest.get(sign..) {
            Some(rest) if rest.starts_with('0') => 1,
            Some(rest) => digits(rest),
            None => 0,
        };
        if whole == 0 {
            return Err(self.complaint("Expecting value", self.at));
        }
        let mut end = sign + whole;
        let mut float = false;
        if let Some(after) = rest.get(end..).and_then(|rest| rest.strip_prefix('.'))
            && digits(after) > 0
        {
            end += 1 + digits(after);
            float = true;
        }
        if let Some(after) = rest.get(end..).and_then(|rest| rest.strip_prefix(['e', 'E'])) {
            let bare = after.strip_prefix(['-', '+']).unwrap_or(after);
            if digits(bare) > 0 {
                end += 1 + (after.len() - bare.len()) + digits(bare);
                float = true;
            }
        }
        let text = rest.get(..end).unwrap_or(rest);
        self.at += end;
        match text.parse::<i128>() {
            Ok(int) if !float => Ok(Value::Int(int)),
            _ => Ok(Value::Float(text.parse().unwrap_or(f64::NAN))),
        }
    }

    fn array(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.eat("]") {
            return Ok(Value::list(items));
        }
        loop {
            self.blank();
            items.push(self.value()?);
            self.blank();
            if self.eat("]") {
                return Ok(Value::list(items));
            }
            if !self.eat(",") {
                return Err(self.complaint("Expecting ',' delimiter", self.at));
            }
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        const NAME: &str = "Expecting property name enclosed in double quotes";
        self.at += 1;
        let mut map = Map::new();
        self.blank();
        if self.eat("}") {
            return Ok(map.into());
        }
        loop {
            self.blank();
            if !self.rest().starts_with('"') {
                return Err(self.complaint(NAME, self.at));
            }
            let key = self.string()?;
            self.blank();
            if !self.eat(":") {
                return Err(self.complaint("Expecting ':' delimiter", self.at));
            }
            self.blank();
            map.insert(key, self.value()?);
            self.blank();
            if self.eat("}") {
                return Ok(map.into());
            }
            if !self.eat(",") {
                return Err(self.complaint("Expecting ',' delimiter", self.at));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let begin = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(char) = self.rest().chars().next() else {
                return Err(self.complaint("Unterminated string starting at", begin));
            };
            match char {
                '"' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => self.escape(begin, &mut out)?,
                char if (char as u32) < 0x20 => {
                    return Err(self.complaint("Invalid control character at", self.at));
                }
                char => {
                    self.at += char.len_utf8();
                    out.push(char);
                }
            }
        }
    }

    fn escape(&mut self, begin: usize, out: &mut String) -> Result<(), String> {
        let at = self.at;
        self.at += 1;
        let Some(char) = self.rest().chars().next() else {
            return Err(self.complaint("Unterminated string starting at", begin));
        };
        self.at += char.len_utf8();
        out.push(match char {
            '"' | '\\' | '/' => char,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.coded(out),
            _ => return Err(self.complaint("Invalid \\escape", at)),
        });
        Ok(())
    }

    /// Four digits after `\u`, and four more for the other half of a pair.
    fn coded(&mut self, out: &mut String) -> Result<(), String> {
        let first = self.digits()?;
        if (0xd800..0xdc00).contains(&first) && self.rest().starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.digits()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                return Ok(());
            }
            self.at = back;
        }
        out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    fn digits(&mut self) -> Result<u32, String> {
        let code =
            self.rest().get(..4).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = code else {
            return Err(self.complaint("Invalid \\uXXXX escape", self.at - 1));
        };
        self.at += 4;
        Ok(u32::from_str_radix(code, 16).unwrap_or(0xfffd))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn json_is_read_as_python_reads_it() {
        for (text, expect) in [
            (
                r#"{"a": [1, -2.5e3, true, null, "x\u00e9\ud83d\ude00"]}"#,
                "{'a': [1, -2500.0, True, None, 'xé😀']}",
            ),
            ("[NaN, -Infinity]", "[nan, -inf]"),
            ("{\"a\": \n", "Expecting value: line 2 column 1 (char 7)"),
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("{a}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
            ("[1] x", "Extra data: line 1 column 5 (char 4)"),
            ("[\"a\nb\"]", "Invalid control character at: line 1 column 4 (char 3)"),
            ("[\"a", "Unterminated string starting at: line 1 column 2 (char 1)"),
            ("[\"\\x\"]", "Invalid \\escape: line 1 column 3 (char 2)"),
        ] {
            assert_eq!(
                parse(text).map_or_else(|error| error, |value| value.repr()),
                expect,
                "{text}"
            );
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
