//! Values of INI files: Python's `ast.literal_eval`, and the text itself where that refuses.
//!
//! Sets and tuples become lists and complex numbers their text, as there are no such values here.

use davit_value::{Key, Map, Origin, Str, Value};

/// How deep literals may nest before they count as text.
const MAX_DEPTH: usize = 90;

/// The value that `text` stands for in an INI inventory; its strings are trusted and stand at `origin`.
pub(crate) fn parse_value(text: &str, origin: &Origin) -> Value {
    let mut reader = Reader { rest: text.trim_start_matches([' ', '\t']), origin, depth: 0 };
    let value = reader.whole();
    match value {
        Some(Literal::Value(value)) => without_tuples(value),
        Some(Literal::Bytes(text)) => Value::from(text),
        Some(Literal::Other(complex)) => {
            Value::Str(Str::trusted(complex.text(), Some(origin.clone())))
        }
        None => Value::Str(Str::trusted(text, Some(origin.clone()))),
    }
}

/// The original keeps tuples as lists, but for those that are keys.
fn without_tuples(value: Value) -> Value {
    match value {
        Value::List(items) | Value::Tuple(items) => {
            Value::list(items.iter().cloned().map(without_tuples).collect())
        }
        Value::Map(map) => {
            let entries =
                map.iter().map(|(key, value)| (key.clone(), without_tuples(value.clone())));
            entries.collect::<Map>().into()
        }
        other => other,
    }
}

enum Literal {
    Value(Value),
    Bytes(String),
    /// A number with an imaginary part.
    Other(Complex),
}

#[derive(Clone, Copy)]
struct Complex {
    real: f64,
    imaginary: f64,
}

impl Complex {
    /// Python's `repr`: `2j`, `(1-2j)`.
    fn text(self) -> String {
        let part = |float: f64| {
            let text = Value::Float(float).repr();
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        };
        let imaginary = part(self.imaginary);
        if self.real == 0.0 && self.real.is_sign_positive() {
            return format!("{imaginary}j");
        }
        let sign = if imaginary.starts_with('-') { "" } else { "+" };
        format!("({}{sign}{imaginary}j)", part(self.real))
    }
}

struct Reader<'t> {
    rest: &'t str,
    origin: &'t Origin,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn whole(&mut self) -> Option<Literal> {
        let first = self.element()?;
        self.blank();
        if self.rest.is_empty() {
            return Some(first);
        }
        // A comma outside brackets makes a tuple.
        let mut items = vec![self.plain(first)?];
        while self.eat(',') {
            if self.at_end() {
                break;
            }
            let next = self.element()?;
            items.push(self.plain(next)?);
        }
        self.at_end().then(|| Literal::Value(Value::tuple(items)))
    }

    fn plain(&self, literal: Literal) -> Option<Value> {
        match literal {
            Literal::Value(value) => Some(value),
            Literal::Bytes(text) => Some(Value::from(text)),
            Literal::Other(_) => None,
        }
    }

    /// Skips blanks, and a comment to the end of the text.
    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\u{c}']);
        if self.rest.starts_with('#') && self.depth == 0 {
            self.rest = "";
        }
    }

    fn at_end(&mut self) -> bool {
        self.blank();
        self.rest.is_empty()
    }

    fn eat(&mut self, char: char) -> bool {
        self.blank();
        match self.rest.strip_prefix(char) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn element(&mut self) -> Option<Literal> {
        self.blank();
        if self.depth > MAX_DEPTH {
            return None;
        }
        let first = self.rest.chars().next()?;
        match first {
            '(' => self.parenthesis(),
            '[' => self.nested(|it| it.items(']')).map(|items| Literal::Value(Value::list(items))),
            '{' => self.nested(Self::braces),
            '+' | '-' => {
                self.eat(first);
                self.blank();
                if !self.rest.starts_with(|char: char| char.is_ascii_digit() || char == '.') {
                    return None;
                }
                self.number(first == '-').and_then(|it| self.sum(it))
            }
            '0'..='9' | '.' => self.number(false).and_then(|it| self.sum(it)),
            '\'' | '"' => self.strings(),
            _ => self.word(),
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
        self.depth += 1;
        let out = read(self);
        self.depth -= 1;
        out
    }

    /// Items up to `close`, which is eaten.
    fn items(&mut self, close: char) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            if self.eat(close) {
                return Some(items);
            }
            let item = self.element()?;
            items.push(self.plain(item)?);
            if !self.eat(',') {
                return self.eat(close).then_some(items);
            }
        }
    }

    fn parenthesis(&mut self) -> Option<Literal> {
        self.nested(|it| {
            if it.eat(')') {
                return Some(Literal::Value(Value::tuple(Vec::new())));
            }
            let first = it.element()?;
            if it.eat(')') {
                return Some(first);
            }
            let mut items = vec![it.plain(first)?];
            if !it.eat(',') {
                return None;
            }
            items.extend(it.items(')')?);
            Some(Literal::Value(Value::tuple(items)))
        })
    }

    fn braces(&mut self) -> Option<Literal> {
        if self.eat('}') {
            return Some(Literal::Value(Value::map()));
        }
        let first = self.element()?;
        let first = self.plain(first)?;
        if !self.eat(':') {
            let mut items = vec![first];
            if self.eat(',') {
                items.extend(self.items('}')?);
            } else if !self.eat('}') {
                return None;
            }
            return unique(items).map(|items| Literal::Value(Value::list(items)));
        }
        let mut map = Map::new();
        let value = self.element()?;
        map.insert(Key::from_value(&first)?, self.plain(value)?);
        while self.eat(',') {
            if self.eat('}') {
                return Some(Literal::Value(map.into()));
            }
            let key = self.element()?;
            let key = Key::from_value(&self.plain(key)?)?;
            if !self.eat(':') {
                return None;
            }
            let value = self.element()?;
            map.insert(key, self.plain(value)?);
        }
        self.eat('}').then(|| Literal::Value(map.into()))
    }

    fn word(&mut self) -> Option<Literal> {
        let end = self
            .rest
            .find(|char: char| !char.is_alphanumeric() && char != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if rest.starts_with(['\'', '"']) {
            return self.strings();
        }
        let value = match word {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "None" => Value::Null,
            "set" => {
                let rest = rest.trim_start().strip_prefix('(')?.trim_start().strip_prefix(')')?;
                self.rest = rest;
                return Some(Literal::Value(Value::list(Vec::new())));
            }
            _ => return None,
        };
        self.rest = rest;
        Some(Literal::Value(value))
    }

    /// Adjacent strings are one.
    fn strings(&mut self) -> Option<Literal> {
        let mut text = String::new();
        let mut kind = None;
        loop {
            let end = self.rest.find(['\'', '"'])?;
            let prefix = self.rest.get(..end)?.to_ascii_lowercase();
            let (bytes, raw) = match prefix.as_str() {
                "" | "u" => (false, false),
                "r" => (false, true),
                "b" => (true, false),
                "br" | "rb" => (true, true),
                _ => return None,
            };
            if *kind.get_or_insert(bytes) != bytes {
                return None;
            }
            self.rest = self.rest.get(end..)?;
            self.string(raw, bytes, &mut text)?;
            self.blank();
            let next = self.rest.trim_start_matches(['r', 'R', 'b', 'B', 'u', 'U']);
            if !next.starts_with(['\'', '"']) {
                break;
            }
        }
        Some(if kind == Some(true) {
            Literal::Bytes(text)
        } else {
            Literal::Value(Value::Str(Str::trusted(text, Some(self.origin.clone()))))
        })
    }

    fn string(&mut self, raw: bool, bytes: bool, out: &mut String) -> Option<()> {
        let quote = self.rest.chars().next()?;
        let triple: String = [quote; 3].iter().collect();
        let close = if self.rest.starts_with(&triple) { triple } else { quote.to_string() };
        self.rest = self.rest.get(close.len()..)?;
        loop {
            if let Some(rest) = self.rest.strip_prefix(close.as_str()) {
                self.rest = rest;
                return Some(());
            }
            let mut chars = self.rest.chars();
            let char = chars.next()?;
            self.rest = chars.as_str();
            match char {
                '\n' | '\r' if close.len() == 1 => return None,
                '\\' if raw => {
                    out.push('\\');
                    let next = chars.next()?;
                    out.push(next);
                    self.rest = chars.as_str();
                }
                '\\' => self.escape(bytes, out)?,
                char if bytes && !char.is_ascii() => return None,
                char => out.push(char),
            }
        }
    }

    fn escape(&mut self, bytes: bool, out: &mut String) -> Option<()> {
        let mut chars = self.rest.chars();
        let char = chars.next()?;
        self.rest = chars.as_str();
        match char {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(char),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '0'..='7' => {
                let more = self
                    .rest
                    .bytes()
                    .take(2)
                    .take_while(|byte| (b'0'..=b'7').contains(byte))
                    .count();
                let digits = format!("{char}{}", self.rest.get(..more)?);
                self.rest = self.rest.get(more..)?;
                out.push(char::from_u32(u32::from_str_radix(&digits, 8).ok()?)?);
            }
            'x' => self.coded(2, out)?,
            'u' if !bytes => self.coded(4, out)?,
            'U' if !bytes => self.coded(8, out)?,
            'N' if !bytes => return None,
            other => out.extend(['\\', other]),
        }
        Some(())
    }

    fn coded(&mut self, digits: usize, out: &mut String) -> Option<()> {
        let code = self.rest.get(..digits)?;
        if !code.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        self.rest = self.rest.get(digits..)?;
        Some(())
    }

    /// A real number may be followed by an imaginary one.
    fn sum(&mut self, first: Literal) -> Option<Literal> {
        self.blank();
        let Some(sign) = self.rest.chars().next().filter(|char| matches!(char, '+' | '-')) else {
            return Some(first);
        };
        let Literal::Value(real) = &first else { return None };
        let real = real.as_number()?;
        self.eat(sign);
        self.blank();
        match self.number(sign == '-')? {
            Literal::Other(complex) => Some(Literal::Other(Complex { real, ..complex })),
            _ => None,
        }
    }

    fn number(&mut self, negative: bool) -> Option<Literal> {
        let mut end = 0;
        let bytes = self.rest.as_bytes();
        while let Some(byte) = bytes.get(end) {
            let exponent = end > 0
                && matches!(bytes.get(end - 1), Some(b'e' | b'E'))
                && !self.rest.starts_with("0x");
            if byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'_')
                || (exponent && matches!(byte, b'+' | b'-'))
            {
                end += 1;
            } else {
                break;
            }
        }
        let (text, rest) = self.rest.split_at(end);
        let value = python_number(text, negative)?;
        self.rest = rest;
        Some(value)
    }
}

/// The members without repetitions, as a set has them.
fn unique(items: Vec<Value>) -> Option<Vec<Value>> {
    let mut seen = Map::new();
    let mut out = Vec::new();
    for item in items {
        if seen.insert(Key::from_value(&item)?, Value::Null).is_none() {
            out.push(item);
        }
    }
    Some(out)
}

fn python_number(text: &str, negative: bool) -> Option<Literal> {
    let lower = text.to_ascii_lowercase();
    if lower.ends_with('j') && !lower.starts_with("0x") {
        let Literal::Value(value) = python_number(lower.get(..lower.len() - 1)?, negative)? else {
            return None;
        };
        return Some(Literal::Other(Complex { real: 0.0, imaginary: value.as_number()? }));
    }
    // Underscores stand between digits only.
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find(|(prefix, _)| lower.starts_with(prefix));
    let joined = underscores_removed(&lower, radix.is_some())?;
    let sign = |int: i128| if negative { -int } else { int };
    if let Some((prefix, radix)) = radix {
        let digits = joined.strip_prefix(prefix)?;
        return i128::from_str_radix(digits, radix)
            .ok()
            .map(|int| Literal::Value(Value::Int(sign(int))));
    }
    if joined.bytes().all(|byte| byte.is_ascii_digit()) {
        if joined.len() > 1 && joined.starts_with('0') && joined.bytes().any(|byte| byte != b'0') {
            return None;
        }
        return joined.parse().ok().map(|int| Literal::Value(Value::Int(sign(int))));
    }
    if !joined
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-'))
    {
        return None;
    }
    let float: f64 = joined.parse().ok()?;
    Some(Literal::Value(Value::Float(if negative { -float } else { float })))
}

fn underscores_removed(text: &str, prefixed: bool) -> Option<String> {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let prefix = prefixed && at == 2;
        if *byte == b'_' && !((is_digit(before) || prefix) && is_digit(bytes.get(at + 1))) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn values_are_what_literal_eval_gives() {
        let origin = Origin { file: Arc::from("hosts"), line: 1, column: 0 };
        for (text, expect) in [
            ("1", "1"),
            ("01", "'01'"),
            ("00", "0"),
            ("0x10", "16"),
            ("0o17", "15"),
            ("0b101", "5"),
            ("1_000", "1000"),
            ("1__0", "'1__0'"),
            ("1e3", "1000.0"),
            (".5e-3", "0.0005"),
            ("5.", "5.0"),
            ("-5", "-5"),
            ("- 5", "-5"),
            ("++5", "'++5'"),
            ("1L", "'1L'"),
            ("1j", "'1j'"),
            ("1+2", "'1+2'"),
            ("1-2j", "'(1-2j)'"),
            ("1e400", "inf"),
            ("-0", "0"),
            ("True", "True"),
            ("true", "'true'"),
            ("None", "None"),
            ("", "''"),
            ("'a' 'b'", "'ab'"),
            ("\"it's\"", "\"it's\""),
            ("[1,'a']", "[1, 'a']"),
            ("[1,a]", "'[1,a]'"),
            ("(1,)", "[1]"),
            ("(1)", "1"),
            ("()", "[]"),
            ("1,2", "[1, 2]"),
            ("1,", "[1]"),
            ("{1,2,2}", "[1, 2]"),
            ("{'a': [1, {'b': (2,)}], 1: None}", "{'a': [1, {'b': [2]}], 1: None}"),
            ("{}", "{}"),
            ("set()", "[]"),
            ("r'\\n'", "'\\\\n'"),
            ("'''x'''", "'x'"),
            ("5 # c", "5"),
            ("[1, # c", "'[1, # c'"),
            ("'a", "\"'a\""),
            ("\"\\x41\\101\\u00e9\"", "'AAé'"),
            ("\"\\N{DASH}\"", "'\"\\\\N{DASH}\"'"),
            ("f'x'", "\"f'x'\""),
            ("[1 2]", "'[1 2]'"),
            ("a b", "'a b'"),
            ("b'x'", "'x'"),
            ("0777", "'0777'"),
            ("{{ x }}", "'{{ x }}'"),
            ("[[[[[[1]]]]]]", "[[[[[[1]]]]]]"),
            ("{[1]: 2}", "'{[1]: 2}'"),
            ("{'x': }", "\"{'x': }\""),
        ] {
            assert_eq!(parse_value(text, &origin).repr(), expect, "{text}");
        }
        assert!(parse_value(&"[".repeat(100_000), &origin).as_str().is_some());
    }
}
