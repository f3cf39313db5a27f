//! Reads Python literals such as `{'a': 1, 'b': [True, None]}`: maps are often written so.

use serde_json::{Map, Value};

/// How deep literals may nest.
const DEPTH: u32 = 64;

/// The value of a literal; `None` where it is none.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        self.space();
        match self.rest.chars().next()? {
            '{' => self.map(depth),
            '[' => self.items("[", "]", depth),
            '(' => self.items("(", ")", depth),
            '\'' | '"' => self.text().map(Value::String),
            _ => self.word(),
        }
    }

    fn map(&mut self, depth: u32) -> Option<Value> {
        self.eat("{");
        let mut map = Map::new();
        while !self.eat("}") {
            let key = match self.value(depth + 1)? {
                Value::String(text) => text,
                other => super::python::text(&other),
            };
            if !self.eat(":") {
                return None;
            }
            map.insert(key, self.value(depth + 1)?);
            if !self.eat(",") {
                return self.eat("}").then_some(Value::Object(map));
            }
        }
        Some(Value::Object(map))
    }

    fn items(&mut self, open: &str, close: &str, depth: u32) -> Option<Value> {
        self.eat(open);
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(self.value(depth + 1)?);
            if !self.eat(",") {
                return self.eat(close).then_some(Value::Array(items));
            }
        }
        Some(Value::Array(items))
    }

    fn text(&mut self) -> Option<String> {
        let mut chars = self.rest.chars();
        let quote = chars.next()?;
        let mut text = String::new();
        loop {
            match chars.next()? {
                '\\' => match chars.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    '\n' => {}
                    other @ ('\\' | '\'' | '"') => text.push(other),
                    other => {
                        text.push('\\');
                        text.push(other);
                    }
                },
                char if char == quote => break,
                char => text.push(char),
            }
        }
        self.rest = chars.as_str();
        Some(text)
    }

    fn word(&mut self) -> Option<Value> {
        let plain = |it: char| it.is_ascii_alphanumeric() || "+-._".contains(it);
        let end = self.rest.find(|it| !plain(it)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            word => word
                .parse::<i64>()
                .map(Value::from)
                .or_else(|_| word.parse::<f64>().map(Value::from))
                .ok()
                .filter(|_| word.contains(|it: char| it.is_ascii_digit())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_are_read() {
        let check = |text: &str, expect: Option<Value>| assert_eq!(parse(text), expect, "{text}");
        check("{'a': 1, \"b\": [True, None,], }", Some(json!({"a": 1, "b": [true, null]})));
        check("(1, -2.5)", Some(json!([1, -2.5])));
        check("{'a': f()}", None);
        check("{'a': 1", None);
        check(&"[".repeat(100_000), None);
    }
}
