//! From Python's syntax of patterns to the library's.

use crate::{Flags, PatternError};

/// What is left of the library's errors once the translation has found its own.
pub(crate) fn reworded(text: &str) -> String {
    if text.to_lowercase().contains("look-behind") {
        "look-behind requires fixed-width pattern".into()
    } else {
        text.to_owned()
    }
}

pub(crate) fn error_at(what: &str, position: usize) -> PatternError {
    PatternError::new(format!("{what} at position {position}"))
}

pub(crate) fn octal(chars: &[char], from: usize, most: usize) -> String {
    chars[from..].iter().take(most).take_while(|char| char.is_digit(8)).collect()
}

pub(crate) fn simple_escape(char: char) -> Option<char> {
    Some(match char {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        _ => return None,
    })
}

/// A character as a literal of the library's syntax.
fn literal(char: char, out: &mut String) {
    if char.is_alphanumeric()
        || char == '_'
        || !char.is_ascii()
        || matches!(char, '"' | '\'' | ',' | '/' | ':' | ';' | '=' | '!' | '@' | '%' | '`')
    {
        out.push(char);
    } else {
        out.push_str(&format!("\\x{{{:x}}}", char as u32));
    }
}

/// The pattern in the library's syntax.
///
/// # Errors
/// What Python says of a pattern that is not one.
pub(crate) fn translate(pattern: &str, flags: Flags) -> Result<String, PatternError> {
    Translator::new(pattern, flags).translate()
}

/// A text in Python's quotes.
pub(crate) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let escaped = text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
    format!("{quote}{escaped}{quote}")
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
    open: Vec<usize>,
    names: Vec<String>,
    groups: usize,
    verbose: bool,
    multi_line: bool,
    ascii: bool,
    /// What a quantifier would apply to.
    last: Last,
}

#[derive(Clone, Copy, PartialEq)]
enum Last {
    Nothing,
    Atom,
    Repeat,
}

impl Translator {
    fn new(pattern: &str, flags: Flags) -> Self {
        Self {
            chars: pattern.chars().collect(),
            at: 0,
            out: String::with_capacity(pattern.len() + 16),
            open: Vec::new(),
            names: Vec::new(),
            groups: 0,
            verbose: false,
            multi_line: flags.multi_line,
            ascii: false,
            last: Last::Nothing,
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn translate(mut self) -> Result<String, PatternError> {
        while let Some(char) = self.peek(0) {
            let start = self.at;
            self.at += 1;
            match char {
                '\\' => self.escape(start)?,
                '[' => self.class(start)?,
                '(' => self.group(start)?,
                ')' => {
                    if self.open.pop().is_none() {
                        return Err(error_at("unbalanced parenthesis", start));
                    }
                    self.out.push(')');
                    self.last = Last::Atom;
                }
                '*' | '+' | '?' => self.repeat(&char.to_string(), start)?,
                '{' => self.braces(start)?,
                '|' => {
                    self.out.push('|');
                    self.last = Last::Nothing;
                }
                '^' => {
                    self.out.push('^');
                    self.last = Last::Nothing;
                }
                '$' => {
                    self.out.push_str(if self.multi_line { "$" } else { "(?=\\n?\\z)" });
                    self.last = Last::Atom;
                }
                '.' => {
                    self.out.push('.');
                    self.last = Last::Atom;
                }
                '#' if self.verbose => {
                    while self.peek(0).is_some_and(|char| char != '\n') {
                        self.at += 1;
                    }
                }
                char if self.verbose && char.is_whitespace() => {}
                char => {
                    literal(char, &mut self.out);
                    self.last = Last::Atom;
                }
            }
        }
        match self.open.last() {
            Some(position) => Err(error_at("missing ), unterminated subpattern", *position)),
            None => Ok(self.out),
        }
    }

    fn repeat(&mut self, text: &str, start: usize) -> Result<(), PatternError> {
        match self.last {
            Last::Nothing => return Err(error_at("nothing to repeat", start)),
            Last::Repeat => return Err(error_at("multiple repeat", start)),
            Last::Atom => {}
        }
        self.out.push_str(text);
        if let Some(more @ ('?' | '+')) = self.peek(0) {
            self.out.push(more);
            self.at += 1;
        }
        self.last = Last::Repeat;
        Ok(())
    }

    /// `{m}`, `{m,}`, `{,n}`, `{m,n}`, or braces that mean themselves.
    fn braces(&mut self, start: usize) -> Result<(), PatternError> {
        let mut at = self.at;
        let mut number = |chars: &[char]| {
            let from = at;
            while chars.get(at).is_some_and(char::is_ascii_digit) {
                at += 1;
            }
            let text: String = chars[from..at].iter().collect();
            let comma = chars.get(at) == Some(&',');
            let end = chars.get(at) == Some(&'}');
            at += 1;
            (text, comma, end)
        };
        let (low, comma, closed) = number(&self.chars);
        let (high, closed) = if comma {
            let (high, _, closed) = number(&self.chars);
            (high, closed)
        } else {
            (low.clone(), closed)
        };
        if !closed || !comma && low.is_empty() {
            literal('{', &mut self.out);
            self.last = Last::Atom;
            return Ok(());
        }
        self.at = at;
        if let (Ok(low), Ok(high)) = (low.parse::<u64>(), high.parse::<u64>())
            && low > high
        {
            return Err(error_at("min repeat greater than max repeat", start + 1));
        }
        let low = if low.is_empty() { "0" } else { &low };
        self.repeat(&format!("{{{low},{high}}}"), start)
    }

    fn code(&mut self, digits: usize, start: usize) -> Result<char, PatternError> {
        let text: String = self.chars[self.at..]
            .iter()
            .take(digits)
            .take_while(|char| char.is_ascii_hexdigit())
            .collect();
        self.at += text.len();
        let found = u32::from_str_radix(&text, 16)
            .ok()
            .filter(|_| text.len() == digits)
            .and_then(char::from_u32);
        found.ok_or_else(|| {
            let shown: String = self.chars[start..self.at].iter().collect();
            error_at(&format!("incomplete escape {shown}"), start)
        })
    }

    fn escape(&mut self, start: usize) -> Result<(), PatternError> {
        let Some(char) = self.peek(0) else {
            return Err(error_at("bad escape (end of pattern)", start));
        };
        self.at += 1;
        self.last = Last::Atom;
        match char {
            'A' => self.out.push_str("\\A"),
            'Z' => self.out.push_str("\\z"),
            'b' | 'B' => {
                self.out.push('\\');
                self.out.push(char);
            }
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => self.shorthand(char),
            'x' => {
                let char = self.code(2, start)?;
                literal(char, &mut self.out);
            }
            'u' => {
                let char = self.code(4, start)?;
                literal(char, &mut self.out);
            }
            'U' => {
                let char = self.code(8, start)?;
                literal(char, &mut self.out);
            }
            '0' => {
                let digits = octal(&self.chars, start + 1, 3);
                self.at = start + 1 + digits.len();
                literal(
                    u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32).unwrap_or('\0'),
                    &mut self.out,
                );
            }
            '1'..='9' => {
                let mut number = char.to_digit(10).unwrap_or(0) as usize;
                if let Some(digit) = self.peek(0).and_then(|char| char.to_digit(10)) {
                    number = number * 10 + digit as usize;
                    self.at += 1;
                }
                if number > self.groups {
                    return Err(error_at(&format!("invalid group reference {number}"), start + 1));
                }
                self.out.push_str(&format!("(?:\\{number})"));
            }
            char => match simple_escape(char) {
                Some(char) => literal(char, &mut self.out),
                None if char.is_ascii_alphabetic() => {
                    return Err(error_at(&format!("bad escape \\{char}"), start));
                }
                None => literal(char, &mut self.out),
            },
        }
        Ok(())
    }

    fn shorthand(&mut self, char: char) {
        if !self.ascii {
            self.out.push('\\');
            self.out.push(char);
            return;
        }
        let inner = match char.to_ascii_lowercase() {
            'd' => "0-9",
            's' => " \\t\\n\\r\\x0b\\x0c",
            _ => "a-zA-Z0-9_",
        };
        let not = if char.is_ascii_uppercase() { "^" } else { "" };
        self.out.push_str(&format!("[{not}{inner}]"));
    }

    fn class(&mut self, start: usize) -> Result<(), PatternError> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.out.push('^');
            self.at += 1;
        }
        let first = self.at;
        loop {
            let Some(char) = self.peek(0) else {
                return Err(error_at("unterminated character set", start));
            };
            let place = self.at;
            self.at += 1;
            match char {
                ']' if place > first => break,
                '\\' => {
                    let Some(next) = self.peek(0) else {
                        return Err(error_at("bad escape (end of pattern)", place));
                    };
                    self.at += 1;
                    match next {
                        'd' | 'D' | 's' | 'S' | 'w' | 'W' => self.shorthand(next),
                        'x' | 'u' | 'U' => {
                            let digits = match next {
                                'x' => 2,
                                'u' => 4,
                                _ => 8,
                            };
                            let char = self.code(digits, place)?;
                            literal(char, &mut self.out);
                        }
                        '0'..='7' => {
                            let digits = octal(&self.chars, place + 1, 3);
                            self.at = place + 1 + digits.len();
                            literal(
                                u32::from_str_radix(&digits, 8)
                                    .ok()
                                    .and_then(char::from_u32)
                                    .unwrap_or('\0'),
                                &mut self.out,
                            );
                        }
                        next => match simple_escape(next) {
                            Some(char) => literal(char, &mut self.out),
                            None if next.is_ascii_alphanumeric() => {
                                return Err(error_at(&format!("bad escape \\{next}"), place));
                            }
                            None => literal(next, &mut self.out),
                        },
                    }
                }
                '-' => {
                    // A hyphen is a range only between two members.
                    let ranged = place > first && self.peek(0).is_some_and(|next| next != ']');
                    if ranged && !self.out.ends_with("\\x{2d}-") {
                        self.out.push('-');
                    } else {
                        literal('-', &mut self.out);
                    }
                }
                char => literal(char, &mut self.out),
            }
        }
        self.out.push(']');
        self.last = Last::Atom;
        Ok(())
    }

    fn group(&mut self, start: usize) -> Result<(), PatternError> {
        self.last = Last::Nothing;
        if self.peek(0) != Some('?') {
            self.groups += 1;
            self.open.push(start);
            self.out.push('(');
            return Ok(());
        }
        let Some(kind) = self.peek(1) else {
            return Err(error_at("unexpected end of pattern", self.at + 1));
        };
        self.at += 2;
        match kind {
            ':' | '=' | '!' | '>' => {
                self.open.push(start);
                self.out.push_str("(?");
                self.out.push(kind);
            }
            '<' => match self.peek(0) {
                Some(side @ ('=' | '!')) => {
                    self.at += 1;
                    self.open.push(start);
                    self.out.push_str("(?<");
                    self.out.push(side);
                }
                Some(other) => {
                    return Err(error_at(&format!("unknown extension ?<{other}"), start + 1));
                }
                None => return Err(error_at("unexpected end of pattern", self.at)),
            },
            'P' => self.named_group(start)?,
            '#' => {
                while self.peek(0).is_some_and(|char| char != ')') {
                    self.at += 1;
                }
                if self.peek(0).is_none() {
                    return Err(error_at("missing ), unterminated comment", start));
                }
                self.at += 1;
            }
            '(' => {
                let name = self.until(')', "missing ), unterminated name")?;
                self.open.push(start);
                self.out.push_str(&format!("(?({name})"));
            }
            _ => {
                self.at -= 1;
                self.flags(start)?;
            }
        }
        Ok(())
    }

    fn until(&mut self, end: char, missing: &str) -> Result<String, PatternError> {
        let from = self.at;
        while self.peek(0).is_some_and(|char| char != end) {
            self.at += 1;
        }
        if self.peek(0).is_none() {
            return Err(error_at(missing, from));
        }
        self.at += 1;
        Ok(self.chars[from..self.at - 1].iter().collect())
    }

    fn named_group(&mut self, start: usize) -> Result<(), PatternError> {
        let kind = self.peek(0);
        self.at += 1;
        let place = self.at;
        match kind {
            Some('<') => {
                let name = self.until('>', "missing >, unterminated name")?;
                self.check_name(&name, place)?;
                if self.names.contains(&name) {
                    let name = repr(&name);
                    return Err(error_at(
                        &format!(
                            "redefinition of group name {name} as group {}; was group",
                            self.groups + 1
                        ),
                        place,
                    ));
                }
                self.groups += 1;
                self.open.push(start);
                self.out.push_str(&format!("(?P<{name}>"));
                self.names.push(name);
            }
            Some('=') => {
                let name = self.until(')', "missing ), unterminated name")?;
                self.check_name(&name, place)?;
                if !self.names.contains(&name) {
                    return Err(error_at(&format!("unknown group name {}", repr(&name)), place));
                }
                self.out.push_str(&format!("(?P={name})"));
                self.last = Last::Atom;
            }
            Some(other) => {
                return Err(error_at(&format!("unknown extension ?P{other}"), start + 1));
            }
            None => return Err(error_at("unexpected end of pattern", self.at - 1)),
        }
        Ok(())
    }

    fn check_name(&self, name: &str, place: usize) -> Result<(), PatternError> {
        if name.is_empty() {
            return Err(error_at("missing group name", place));
        }
        let good = name.chars().enumerate().all(|(at, char)| {
            char == '_' || char.is_alphabetic() || at > 0 && char.is_alphanumeric()
        });
        if good {
            Ok(())
        } else {
            Err(error_at(&format!("bad character in group name {}", repr(name)), place))
        }
    }

    fn flags(&mut self, start: usize) -> Result<(), PatternError> {
        let mut text = String::new();
        while let Some(char) = self.peek(0) {
            if char == ')' || char == ':' {
                break;
            }
            if !matches!(char, 'a' | 'i' | 'L' | 'm' | 's' | 'u' | 'x' | '-') {
                let what = if text.is_empty() {
                    format!("unknown extension ?{char}")
                } else {
                    "unknown flag".into()
                };
                return Err(error_at(&what, start + 1));
            }
            text.push(char);
            self.at += 1;
        }
        let Some(end) = self.peek(0) else { return Err(error_at("missing -, : or )", self.at)) };
        self.at += 1;
        let global = end == ')';
        if global && start != 0 && !self.out.is_empty() && !self.out.starts_with("(?") {
            return Err(error_at("global flags not at the start of the expression", start));
        }
        let (on, _) = text.split_once('-').unwrap_or((&text, ""));
        if global {
            self.verbose |= on.contains('x');
            self.multi_line |= on.contains('m');
            self.ascii |= on.contains('a');
        }
        // White space is dropped here, so the library never needs to hear of `x`.
        let kept: String =
            text.chars().filter(|char| matches!(char, 'i' | 'm' | 's' | '-')).collect();
        let kept = kept.trim_end_matches('-');
        if global {
            if !kept.is_empty() {
                self.out.push_str(&format!("(?{kept})"));
            }
        } else {
            self.open.push(start);
            self.out.push_str(&format!("(?{kept}:"));
        }
        Ok(())
    }
}
