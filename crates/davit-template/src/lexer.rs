//! Template text to tokens, with Jinja2's rules of white space.
//!
//! It knows delimiters, white space control and literals; what the tokens mean is the parser's business.

use std::sync::Arc;

use crate::{Error, ErrorKind};

/// Delimiters and white space rules: everything about the text that the result of parsing depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Syntax {
    pub(crate) block: (String, String),
    pub(crate) variable: (String, String),
    pub(crate) comment: (String, String),
    pub(crate) line_statement: Option<String>,
    pub(crate) line_comment: Option<String>,
    pub(crate) trim_blocks: bool,
    pub(crate) lstrip_blocks: bool,
    pub(crate) keep_trailing_newline: bool,
    pub(crate) newline: String,
    /// A newline at the end that is taken off before parsing is not put back.
    pub(crate) drops_newline: bool,
    /// Backslashes in string literals mean what they mean in Python; else they stand for themselves, as in templates inside YAML.
    pub(crate) escapes: bool,
}

impl Default for Syntax {
    fn default() -> Self {
        Self {
            block: ("{%".into(), "%}".into()),
            variable: ("{{".into(), "}}".into()),
            comment: ("{#".into(), "#}".into()),
            line_statement: None,
            line_comment: None,
            trim_blocks: false,
            lstrip_blocks: false,
            keep_trailing_newline: false,
            newline: "\n".into(),
            drops_newline: false,
            escapes: false,
        }
    }
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Data(Arc<str>),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(Arc<str>),
    Str(Arc<str>),
    Int(i128),
    Float(f64),
    Op(&'static str),
    End,
}

impl Kind {
    /// How messages call the token.
    pub(crate) fn describe(&self) -> &str {
        match self {
            Self::Data(_) => "template data / text",
            Self::VariableBegin => "begin of print statement",
            Self::VariableEnd => "end of print statement",
            Self::BlockBegin => "begin of statement block",
            Self::BlockEnd => "end of statement block",
            Self::Name(name) => name,
            Self::Str(_) => "string",
            Self::Int(_) => "integer",
            Self::Float(_) => "float",
            Self::Op(op) => op,
            Self::End => "end of template",
        }
    }
}

/// A token and where it starts, in bytes of the (newline-normalized) text.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: u32,
}

const OPERATORS: &[&str] = &[
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

/// Where the text of a template has got to.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    syntax: &'a Syntax,
    tokens: Vec<Token>,
    /// The last tag ended with white space to be stripped (`-%}`).
    strip_next: bool,
    /// The last tag ended just before a line begins.
    line_starting: bool,
}

/// What opens next in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Raw,
    Block,
    Variable,
    Comment,
    LineStatement,
    LineComment,
}

/// `\r\n` and `\r` to `\n`, and the last newline off where it is not kept.
pub(crate) fn normalize<'a>(text: &'a str, syntax: &Syntax) -> std::borrow::Cow<'a, str> {
    let mut text = std::borrow::Cow::Borrowed(text);
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n").into();
    }
    if !syntax.keep_trailing_newline && text.ends_with('\n') {
        text = match text {
            std::borrow::Cow::Borrowed(text) => text[..text.len() - 1].into(),
            std::borrow::Cow::Owned(mut text) => {
                text.pop();
                text.into()
            }
        };
    }
    text
}

/// An error at a byte of the text; the caller turns it into a line and a column.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) at: u32,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>, at: u32) -> Self {
        Self { message: message.into(), at }
    }

    pub(crate) fn into_error(self) -> Error {
        Error::new(ErrorKind::Syntax, self.message)
    }
}

/// The tokens of a whole template.
pub(crate) fn template_tokens(text: &str, syntax: &Syntax) -> Result<Vec<Token>, Failure> {
    if u32::try_from(text.len()).is_err() {
        return Err(Failure::new("the template is too long", 0));
    }
    let mut lexer =
        Lexer { text, at: 0, syntax, tokens: Vec::new(), strip_next: false, line_starting: true };
    lexer.template()?;
    Ok(lexer.tokens)
}

/// The tokens of a bare expression.
pub(crate) fn expression_tokens(text: &str, syntax: &Syntax) -> Result<Vec<Token>, Failure> {
    if u32::try_from(text.len()).is_err() {
        return Err(Failure::new("the expression is too long", 0));
    }
    let mut lexer =
        Lexer { text, at: 0, syntax, tokens: Vec::new(), strip_next: false, line_starting: true };
    // The end of a variable tag is one here too, with nothing behind it.
    lexer.inside(Opening::Variable)?;
    lexer.push(Kind::End, lexer.at);
    Ok(lexer.tokens)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    #[expect(clippy::cast_possible_truncation, reason = "the length was checked")]
    fn push(&mut self, kind: Kind, at: usize) {
        self.tokens.push(Token { kind, at: at as u32 });
    }

    #[expect(clippy::cast_possible_truncation, reason = "the length was checked")]
    fn fail<T>(message: impl Into<String>, at: usize) -> Result<T, Failure> {
        Err(Failure::new(message, at as u32))
    }

    /// A word after optional white space, and what is left.
    fn word_ahead(text: &'a str, word: &str) -> Option<&'a str> {
        let rest = text.trim_start().strip_prefix(word)?;
        (!rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(rest)
    }

    fn template(&mut self) -> Result<(), Failure> {
        while self.at < self.text.len() {
            let Some((start, opening)) = self.next_opening() else {
                self.data(self.at, self.text.len(), None, None);
                self.at = self.text.len();
                break;
            };
            let length = match opening {
                Opening::Raw | Opening::Block => self.syntax.block.0.len(),
                Opening::Variable => self.syntax.variable.0.len(),
                Opening::Comment => self.syntax.comment.0.len(),
                Opening::LineStatement | Opening::LineComment => 0,
            };
            let sign = match opening {
                Opening::LineStatement | Opening::LineComment => None,
                _ => self.text[start + length..].chars().next().filter(|c| matches!(c, '-' | '+')),
            };
            let from = self.at;
            self.data(from, start, Some(opening), sign);
            self.at = start + length + usize::from(sign.is_some());
            match opening {
                Opening::Raw => self.raw(start)?,
                Opening::Comment => self.comment(start)?,
                Opening::Variable => {
                    self.push(Kind::VariableBegin, start);
                    self.inside(Opening::Variable)?;
                }
                Opening::Block => {
                    self.push(Kind::BlockBegin, start);
                    self.inside(Opening::Block)?;
                }
                Opening::LineStatement => {
                    let prefix = self.syntax.line_statement.as_deref().unwrap_or_default();
                    let blank = self.rest().len()
                        - self.rest().trim_start_matches([' ', '\t', '\x0b']).len();
                    self.at += blank + prefix.len();
                    self.push(Kind::BlockBegin, start);
                    self.inside(Opening::LineStatement)?;
                }
                Opening::LineComment => {
                    self.at =
                        self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
                }
            }
        }
        self.push(Kind::End, self.text.len());
        Ok(())
    }

    /// The next delimiter that opens something. At the same place the longest wins.
    fn next_opening(&self) -> Option<(usize, Opening)> {
        let syntax = self.syntax;
        let plain = [
            (syntax.block.0.as_str(), Opening::Block),
            (syntax.variable.0.as_str(), Opening::Variable),
            (syntax.comment.0.as_str(), Opening::Comment),
        ];
        let mut best: Option<(usize, usize, Opening)> = None;
        for (delimiter, opening) in plain {
            let limit = best
                .map_or(self.text.len(), |(at, ..)| (at + delimiter.len()).min(self.text.len()));
            let Some(range) = self.text.get(self.at..limit) else { continue };
            if let Some(found) = range.find(delimiter) {
                let at = self.at + found;
                if best.is_none_or(|(best_at, length, _)| {
                    at < best_at || (at == best_at && delimiter.len() > length)
                }) {
                    best = Some((at, delimiter.len(), opening));
                }
            }
        }
        if (syntax.line_statement.is_some() || syntax.line_comment.is_some())
            && let Some((at, opening)) =
                self.next_line_opening(best.map_or(self.text.len(), |(at, ..)| at))
        {
            return Some((at, opening));
        }
        let (at, length, opening) = best?;
        if opening == Opening::Block {
            let inside = self.text[at + length..]
                .strip_prefix(['-', '+'])
                .unwrap_or(&self.text[at + length..]);
            if let Some(rest) = Self::word_ahead(inside, "raw") {
                let rest = rest.trim_start();
                if rest.starts_with(&syntax.block.1)
                    || rest.strip_prefix('-').is_some_and(|it| it.starts_with(&syntax.block.1))
                {
                    return Some((at, Opening::Raw));
                }
            }
        }
        Some((at, opening))
    }

    /// A line statement or a line comment before `limit`.
    fn next_line_opening(&self, limit: usize) -> Option<(usize, Opening)> {
        let mut line = self.at;
        let mut at_start = self.at == 0 || self.text[..self.at].ends_with('\n');
        while line <= limit {
            let end = self.text[line..].find('\n').map_or(self.text.len(), |at| line + at);
            let content = &self.text[line..end];
            let blank = content.len() - content.trim_start_matches([' ', '\t', '\x0b']).len();
            if at_start {
                if let Some(prefix) = &self.syntax.line_comment
                    && content[blank..].starts_with(prefix.as_str())
                {
                    return Some((line, Opening::LineComment));
                }
                if let Some(prefix) = &self.syntax.line_statement
                    && content[blank..].starts_with(prefix.as_str())
                {
                    return Some((line, Opening::LineStatement));
                }
            }
            if let Some(prefix) = &self.syntax.line_comment
                && let Some(found) = content.find(prefix.as_str())
            {
                let bare = content[..found].trim_end().len();
                if bare > 0 && line + found < limit {
                    return Some((line + bare, Opening::LineComment));
                }
            }
            line = end + 1;
            at_start = true;
            if line > self.text.len() {
                break;
            }
        }
        None
    }

    /// Text between tags, with what the tags around it do to its white space.
    fn data(&mut self, from: usize, to: usize, next: Option<Opening>, sign: Option<char>) {
        let mut text = &self.text[from..to];
        let mut start = from;
        if self.strip_next {
            let stripped = text.trim_start();
            start += text.len() - stripped.len();
            text = stripped;
            self.strip_next = false;
        }
        let line_starting = self.line_starting && start == from;
        if sign == Some('-') {
            text = text.trim_end();
        } else if sign != Some('+')
            && self.syntax.lstrip_blocks
            && matches!(next, Some(Opening::Block | Opening::Comment | Opening::Raw))
        {
            let line = text.rfind('\n').map_or(0, |at| at + 1);
            if (line > 0 || line_starting) && text[line..].trim().is_empty() {
                text = &text[..line];
            }
        }
        self.line_starting = false;
        if !text.is_empty() {
            let text = if self.syntax.newline == "\n" {
                Arc::from(text)
            } else {
                Arc::from(text.replace('\n', &self.syntax.newline))
            };
            self.push(Kind::Data(text), start);
        }
    }

    /// After the end of a tag: newline trimming and stripping.
    fn after_tag(&mut self, sign: Option<char>, trims: bool) {
        match sign {
            Some('-') => self.strip_next = true,
            Some('+') => {}
            _ if trims && self.syntax.trim_blocks && self.rest().starts_with('\n') => self.at += 1,
            _ => {}
        }
        self.line_starting = self.text[..self.at].ends_with('\n');
    }

    fn comment(&mut self, start: usize) -> Result<(), Failure> {
        let Some(found) = self.rest().find(&self.syntax.comment.1) else {
            return Self::fail("Missing end of comment tag", start);
        };
        let sign = self.rest()[..found].chars().next_back().filter(|c| matches!(c, '-' | '+'));
        self.at += found + self.syntax.comment.1.len();
        self.after_tag(sign, true);
        Ok(())
    }

    fn raw(&mut self, start: usize) -> Result<(), Failure> {
        let end = self.syntax.block.1.len();
        let rest = Self::word_ahead(self.rest(), "raw").unwrap_or_default().trim_start();
        let strips = rest.starts_with('-') && !rest.starts_with(self.syntax.block.1.as_str());
        self.at = self.text.len() - rest.len() + usize::from(strips) + end;
        if strips {
            self.at += self.rest().len() - self.rest().trim_start().len();
        }
        if self.at >= self.text.len() {
            return Ok(());
        }
        let mut search = self.at;
        while let Some(found) = self.text[search..].find(&self.syntax.block.0) {
            let at = search + found;
            let inside = &self.text[at + self.syntax.block.0.len()..];
            let sign = inside.chars().next().filter(|c| matches!(c, '-' | '+'));
            let inside = &inside[usize::from(sign.is_some())..];
            if let Some(rest) = Self::word_ahead(inside, "endraw") {
                let rest = rest.trim_start();
                let last = rest
                    .chars()
                    .next()
                    .filter(|c| matches!(c, '-' | '+') && !rest.starts_with(&self.syntax.block.1));
                if rest[usize::from(last.is_some())..].starts_with(&self.syntax.block.1) {
                    self.line_starting = false;
                    self.data(self.at, at, Some(Opening::Raw), sign);
                    self.at = self.text.len() - rest.len() + usize::from(last.is_some()) + end;
                    self.after_tag(last, true);
                    return Ok(());
                }
            }
            search = at + self.syntax.block.0.len();
        }
        Self::fail("Missing end of raw directive", start)
    }

    /// The end of the tag here, where this is one: its sign and its length.
    fn tag_end(&self, opening: Opening) -> Option<(Option<char>, usize)> {
        let delimiter = match opening {
            Opening::Variable => &self.syntax.variable.1,
            Opening::LineStatement => {
                let rest = self.rest();
                let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\x0b', ':']).len();
                let end = rest[blank..].is_empty() || rest[blank..].starts_with('\n');
                return end.then(|| (None, blank + usize::from(!rest[blank..].is_empty())));
            }
            _ => &self.syntax.block.1,
        };
        let rest = self.rest();
        if rest.starts_with(delimiter.as_str()) {
            return Some((None, delimiter.len()));
        }
        let sign = rest
            .chars()
            .next()
            .filter(|c| *c == '-' || (*c == '+' && opening == Opening::Block))?;
        rest[1..].starts_with(delimiter.as_str()).then_some((Some(sign), 1 + delimiter.len()))
    }

    /// The tokens of an expression or a statement up to the end of its tag, or of the text.
    fn inside(&mut self, opening: Opening) -> Result<(), Failure> {
        let mut open: Vec<char> = Vec::new();
        while self.at < self.text.len() {
            if open.is_empty()
                && let Some((sign, length)) = self.tag_end(opening)
            {
                let kind =
                    if opening == Opening::Variable { Kind::VariableEnd } else { Kind::BlockEnd };
                self.push(kind, self.at);
                self.at += length;
                self.after_tag(sign, opening == Opening::Block);
                return Ok(());
            }
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { break };
            if first.is_whitespace() {
                self.at += first.len_utf8();
            } else if first.is_ascii_digit() {
                self.number();
            } else if first.is_alphabetic() || first == '_' {
                let length =
                    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                self.push(Kind::Name(rest[..length].into()), self.at);
                self.at += length;
            } else if first == '"' || first == '\'' {
                self.string(first)?;
            } else {
                self.operator(first, &mut open)?;
            }
        }
        Ok(())
    }

    fn operator(&mut self, first: char, open: &mut Vec<char>) -> Result<(), Failure> {
        let rest = self.rest();
        let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) else {
            // The position is in characters from the start of the template, as Jinja2 says it.
            let place = self.text[..self.at].chars().count();
            let quoted = if first == '\'' { "\"'\"".to_owned() } else { format!("'{first}'") };
            return Self::fail(format!("unexpected char {quoted} at {place}"), self.at);
        };
        match *op {
            "(" => open.push(')'),
            "[" => open.push(']'),
            "{" => open.push('}'),
            ")" | "]" | "}" => match open.pop() {
                None => return Self::fail(format!("unexpected '{op}'"), self.at),
                Some(wanted) if !op.starts_with(wanted) => {
                    return Self::fail(format!("unexpected '{op}', expected '{wanted}'"), self.at);
                }
                Some(_) => {}
            },
            _ => {}
        }
        self.push(Kind::Op(op), self.at);
        self.at += op.len();
        Ok(())
    }

    /// Digits with single underscores between them.
    fn digits(text: &str, is_digit: fn(char) -> bool) -> usize {
        let mut length = 0;
        let mut last = '_';
        for char in text.chars() {
            if is_digit(char) || (char == '_' && last != '_') {
                length += 1;
                last = char;
            } else {
                break;
            }
        }
        if last == '_' && length > 0 { length - 1 } else { length }
    }

    fn number(&mut self) {
        let rest = self.rest();
        let start = self.at;
        let lower = rest.get(..2).unwrap_or_default().to_ascii_lowercase();
        for (prefix, radix, is_digit) in [
            ("0x", 16, (|c: char| c.is_ascii_hexdigit()) as fn(char) -> bool),
            ("0o", 8, |c: char| ('0'..='7').contains(&c)),
            ("0b", 2, |c: char| matches!(c, '0' | '1')),
        ] {
            if lower == prefix {
                let body = rest[2..].strip_prefix('_').unwrap_or(&rest[2..]);
                let length = Self::digits(body, is_digit);
                if length > 0 {
                    let text = body[..length].replace('_', "");
                    let int = i128::from_str_radix(&text, radix);
                    self.at += rest.len() - body.len() + length;
                    self.push(int.map_or(Kind::Float(f64::INFINITY), Kind::Int), start);
                    return;
                }
            }
        }
        let whole = Self::digits(rest, |c| c.is_ascii_digit());
        let mut length = whole;
        let mut is_float = false;
        if rest[length..].starts_with('.') {
            let fraction = Self::digits(&rest[length + 1..], |c| c.is_ascii_digit());
            // `a.1.2` is two subscripts, so a number right after a dot has no fraction.
            if fraction > 0 && !self.text[..start].ends_with('.') {
                length += 1 + fraction;
                is_float = true;
            }
        }
        if rest[length..].starts_with(['e', 'E']) && !self.text[..start].ends_with('.') {
            let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
            let exponent = Self::digits(&rest[length + 1 + sign..], |c| c.is_ascii_digit());
            if exponent > 0 {
                length += 1 + sign + exponent;
                is_float = true;
            }
        }
        if !is_float
            && rest.starts_with('0')
            && rest[..whole].bytes().any(|byte| byte != b'0' && byte != b'_')
        {
            length = rest[..whole].bytes().take_while(|byte| matches!(byte, b'0' | b'_')).count();
            length = rest[..length].trim_end_matches('_').len();
        }
        let text = rest[..length].replace('_', "");
        self.at += length;
        let kind = if is_float {
            Kind::Float(text.parse().unwrap_or(f64::NAN))
        } else {
            text.parse()
                .map_or_else(|_| Kind::Float(text.parse().unwrap_or(f64::INFINITY)), Kind::Int)
        };
        self.push(kind, start);
    }

    fn string(&mut self, quote: char) -> Result<(), Failure> {
        let start = self.at;
        let body = &self.text[start + 1..];
        let mut escaped = false;
        let mut has_escapes = false;
        for (at, char) in body.char_indices() {
            if escaped {
                escaped = false;
            } else if char == '\\' {
                escaped = true;
                has_escapes = true;
            } else if char == quote {
                let raw = &body[..at];
                let text: Arc<str> = if has_escapes && self.syntax.escapes {
                    match unescape(raw) {
                        Ok(text) => text.into(),
                        Err(message) => return Self::fail(message, start),
                    }
                } else {
                    raw.into()
                };
                self.push(Kind::Str(text), start);
                self.at = start + 1 + at + 1;
                return Ok(());
            }
        }
        let place = self.text[..start].chars().count();
        let quoted = if quote == '\'' { "\"'\"" } else { "'\"'" };
        Self::fail(format!("unexpected char {quoted} at {place}"), start)
    }
}

/// Python's string escapes.
fn unescape(raw: &str) -> Result<String, String> {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        let Some((_, next)) = chars.next() else {
            out.push('\\');
            break;
        };
        let hex = |length: usize| {
            let digits = raw.get(at + 2..at + 2 + length)?;
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)
        };
        let take = |chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>, count: usize| {
            for _ in 0..count {
                chars.next();
            }
        };
        match next {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(next),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            'x' | 'u' | 'U' => {
                let (length, form) = match next {
                    'x' => (2, "\\xXX"),
                    'u' => (4, "\\uXXXX"),
                    _ => (8, "\\UXXXXXXXX"),
                };
                let Some(char) = hex(length) else {
                    return Err(format!("truncated {form} escape"));
                };
                out.push(char);
                take(&mut chars, length);
            }
            '0'..='7' => {
                let length = raw[at + 1..]
                    .bytes()
                    .take(3)
                    .take_while(|byte| (b'0'..=b'7').contains(byte))
                    .count();
                let code = u32::from_str_radix(&raw[at + 1..at + 1 + length], 8).unwrap_or(0);
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                take(&mut chars, length - 1);
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    Ok(out)
}
