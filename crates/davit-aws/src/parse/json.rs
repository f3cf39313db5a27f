//! JSON as a tree that borrows its strings, read as Python's `json.loads` reads it: half a surrogate
//! pair, `NaN` and `Infinity` are let through. Knows no shapes.

use std::borrow::Cow;

use super::unreadable::Defect;
use crate::value::{Map, Value};

/// How deep values may lie in each other.
const DEEPEST: usize = 256;

/// A value of JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Json<'a> {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(Cow<'a, str>),
    List(Vec<Self>),
    Map(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Json<'a> {
    /// Reads a text as a whole.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Defect> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Defect::malformed(error.valid_up_to(), "no UTF-8"))?;
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at < text.len() {
            return Err(reader.malformed("something behind the end"));
        }
        Ok(value)
    }

    /// What stands under a name, if this is a map that has it. Of two equal names the last counts.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The same as a value, whatever shape it has.
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(it) => Value::Bool(it),
            Self::Int(it) => Value::Int(it),
            Self::Float(it) => Value::Float(it),
            Self::String(it) => Value::String(it.into_owned()),
            Self::List(items) => Value::List(items.into_iter().map(Self::into_value).collect()),
            Self::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.into_owned(), value.into_value()))
                    .collect::<Map>(),
            ),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    const fn malformed(&self, what: &'static str) -> Defect {
        Defect::malformed(self.at, what)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// What comes next behind white space, which must be something.
    fn next(&mut self) -> Result<u8, Defect> {
        self.space();
        self.peek().ok_or(Defect::Truncated)
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, Defect> {
        if depth == DEEPEST {
            return Err(self.malformed("values too deep in each other"));
        }
        match self.next()? {
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            b'"' => Ok(Json::String(self.string()?)),
            b'0'..=b'9' => self.number(),
            b'-' if !self.text[self.at..].starts_with("-I") => self.number(),
            _ => self.word(),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Json<'a>, Defect> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.next()? == b'}' {
            self.at += 1;
            return Ok(Json::Map(entries));
        }
        loop {
            if self.next()? != b'"' {
                return Err(self.malformed("no name"));
            }
            let key = self.string()?;
            if self.next()? != b':' {
                return Err(self.malformed("no colon behind a name"));
            }
            self.at += 1;
            entries.push((key, self.value(depth + 1)?));
            if self.ends(b'}')? {
                return Ok(Json::Map(entries));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json<'a>, Defect> {
        self.at += 1;
        let mut items = Vec::new();
        if self.next()? == b']' {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends(b']')? {
                return Ok(Json::List(items));
            }
        }
    }

    /// Goes over a comma or the end of a list or map; whether it was the end.
    fn ends(&mut self, end: u8) -> Result<bool, Defect> {
        let found = self.next()?;
        if found != end && found != b',' {
            return Err(self.malformed("no comma"));
        }
        self.at += 1;
        Ok(found == end)
    }

    fn word(&mut self) -> Result<Json<'a>, Defect> {
        let rest = &self.text[self.at..];
        let words = [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
            ("NaN", Json::Float(f64::NAN)),
            ("Infinity", Json::Float(f64::INFINITY)),
            ("-Infinity", Json::Float(f64::NEG_INFINITY)),
        ];
        for (word, value) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
            if word.starts_with(rest) {
                return Err(Defect::Truncated);
            }
        }
        Err(self.malformed("no value"))
    }

    fn digits(&mut self) -> Result<(), Defect> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.peek() {
            _ if self.at > start => Ok(()),
            None => Err(Defect::Truncated),
            Some(_) => Err(self.malformed("no digit")),
        }
    }

    fn number(&mut self) -> Result<Json<'a>, Defect> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            whole = false;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            whole = false;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if let Some(number) = whole.then(|| text.parse().ok()).flatten() {
            return Ok(Json::Int(number));
        }
        text.parse().map(Json::Float).map_err(|_| self.malformed("no number"))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Defect> {
        self.at += 1;
        let plain = self.plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            match self.peek() {
                None => return Err(Defect::Truncated),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.malformed("a control character in a string")),
            }
            text.push_str(self.plain());
        }
    }

    /// The characters up to one that is not just itself.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text.as_bytes()[self.at..];
        let special = |it: &u8| matches!(it, b'"' | b'\\' | 0..=0x1f);
        let size = rest.iter().position(special).unwrap_or(rest.len());
        let plain = &self.text[self.at..self.at + size];
        self.at += size;
        plain
    }

    fn escape(&mut self) -> Result<char, Defect> {
        let kind = *self.text.as_bytes().get(self.at + 1).ok_or(Defect::Truncated)?;
        self.at += 2;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                if let Some(one) = char::from_u32(unit) {
                    return Ok(one);
                }
                let before = self.at;
                if unit < 0xdc00 && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let low = self.unit()?;
                    if (0xdc00..0xe000).contains(&low) {
                        let both = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        return char::from_u32(both).ok_or_else(|| self.malformed("no character"));
                    }
                    self.at = before;
                }
                char::REPLACEMENT_CHARACTER
            }
            _ => {
                self.at -= 2;
                return Err(self.malformed("an escape that is not known"));
            }
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, Defect> {
        let rest = &self.text.as_bytes()[self.at..];
        let mut unit = 0;
        for place in 0..4 {
            let byte = *rest.get(place).ok_or(Defect::Truncated)?;
            let digit = char::from(byte).to_digit(16);
            unit = unit << 4 | digit.ok_or_else(|| self.malformed("no hexadecimal digit"))?;
        }
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Value, Defect> {
        Json::read(text.as_bytes()).map(Json::into_value)
    }

    #[test]
    fn values_are_read() {
        for (text, expected) in [
            (" [1, -0, 1.0, 1e2, 9223372036854775807] ", "[1,0,1.0,100.0,9223372036854775807]"),
            (r#"{"a":"\u00e9\ud83d\ude00\n\/","b":{},"c":[]}"#, r#"{"a":"é😀\n/","b":{},"c":[]}"#),
            (r#""\ud83dx\udc00\ud83d\u0041""#, "\"\u{fffd}x\u{fffd}\u{fffd}A\""),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        ] {
            assert_eq!(read(text).expect(text).to_json().to_string(), expected);
        }
        assert!(matches!(read("NaN"), Ok(Value::Float(it)) if it.is_nan()));
        assert_eq!(read("-Infinity"), Ok(Value::Float(f64::NEG_INFINITY)));
        assert_eq!(read("18446744073709551616"), Ok(Value::Float(18_446_744_073_709_551_616.0)));
    }

    #[test]
    fn what_was_cut_off_is_told_from_what_is_no_json() {
        let text = r#"{"a": [1.5e3, "b\u00e9\n", true, null], "c": {"d": -1}}"#;
        for end in 0..text.len() {
            assert_eq!(read(&text[..end]), Err(Defect::Truncated), "{}", &text[..end]);
        }
        for text in [
            "{a}",
            "[1,]",
            "01",
            "+1",
            "1.",
            "[1 2]",
            "\"\n\"",
            "\"\\x\"",
            "tru",
            "{} x",
            "\u{feff}{}",
            "{\"a\" 1}",
            "\"\\u12g4\"",
            "nil",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(matches!(read(&"[".repeat(100_000)), Err(Defect::Malformed { .. })));
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read(text in "\\PC*", number: i64, float: f64, bytes: Vec<u8>) {
            let json = serde_json::json!({"a": [text, number, float], text.clone(): null});
            prop_assert_eq!(read(&json.to_string()).expect("JSON"), Value::from(json));
            let _ = Json::read(&bytes);
        }
    }
}
