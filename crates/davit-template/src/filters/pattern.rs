//! Python's `re` dialect on top of `fancy-regex`: patterns are translated, errors are Python's.
//!
//! What is translated: `{,n}`, literal braces and brackets, `\Z`, `$` (which in Python also stands
//! before a last newline), octal and `\u` escapes, `(?P=n)`, comments, flags at the start, and
//! everything that has a meaning in a class there but not in Python (`[`, `&&`, `--`, `~~`).
//!
//! What differs from Python: `(?L)` is not there; a repeated group that matches nothing may capture
//! otherwise; case is folded by Unicode's simple rules; a pattern that backtracks without end is an
//! error and does not run for hours.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use davit_value::{Value, ValueError};
use fancy_regex::{Captures, Regex, RegexBuilder};

/// How many compiled patterns a thread keeps.
const KEPT: usize = 256;

/// Flags beside the pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Case does not count.
    pub ignore_case: bool,
    /// `^` and `$` stand at lines.
    pub multi_line: bool,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Arc<Regex>,
    names: Arc<Vec<Option<String>>>,
}

thread_local! {
    static COMPILED: RefCell<HashMap<(String, Flags), Pattern>> = RefCell::new(HashMap::new());
}

impl Pattern {
    /// Compiles a Python pattern, or finds it compiled.
    ///
    /// # Errors
    /// What Python's `re.error` says.
    pub fn new(pattern: &str, flags: Flags) -> Result<Self, ValueError> {
        let key = (pattern.to_owned(), flags);
        if let Some(found) = COMPILED.with_borrow(|map| map.get(&key).cloned()) {
            return Ok(found);
        }
        let translated = Translator::new(pattern, flags).translate()?;
        let regex = RegexBuilder::new(&translated)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .backtrack_limit(5_000_000)
            .build()
            .map_err(|error| ValueError::Value(reworded(&error.to_string())))?;
        let names = regex.capture_names().map(|name| name.map(str::to_owned)).collect();
        let made = Self { regex: Arc::new(regex), names: Arc::new(names) };
        COMPILED.with_borrow_mut(|map| {
            if map.len() >= KEPT {
                map.clear();
            }
            map.insert(key, made.clone());
        });
        Ok(made)
    }

    /// How many groups, the whole match not counted.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.names.len().saturating_sub(1)
    }

    /// The number of a named group.
    #[must_use]
    pub fn group_named(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|it| it.as_deref() == Some(name))
    }

    /// The first match at or after the byte `from`.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn find_from<'t>(&self, text: &'t str, from: usize) -> Result<Option<Captures<'t, str>>, ValueError> {
        self.regex.captures_from_pos(text, from).map_err(|error| ValueError::Value(error.to_string()))
    }

    /// True where the pattern matches at the start of `text` (`whole`: all of it) or, by `anywhere`, somewhere.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn search(&self, text: &str) -> Result<bool, ValueError> {
        Ok(self.find_from(text, 0)?.is_some())
    }

    /// Every match as Python finds them: an empty one may follow another directly.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn find_all<'t>(&self, text: &'t str, most: Option<usize>) -> Result<Vec<Captures<'t, str>>, ValueError> {
        let mut out = Vec::new();
        let mut at = 0;
        while at <= text.len() && most.is_none_or(|most| out.len() < most) {
            let Some(found) = self.find_from(text, at)? else { break };
            let Some(whole) = found.get(0) else { break };
            at = if whole.start() == whole.end() {
                whole.end() + text[whole.end()..].chars().next().map_or(1, char::len_utf8)
            } else {
                whole.end()
            };
            out.push(found);
        }
        Ok(out)
    }

    /// Python's `re.sub`; also says how many matches were replaced.
    ///
    /// # Errors
    /// For a replacement that Python refuses.
    pub fn replace(&self, text: &str, replacement: &str, most: Option<usize>) -> Result<(String, usize), ValueError> {
        let template = self.template(replacement)?;
        let mut out = String::with_capacity(text.len());
        let mut last = 0;
        let found = self.find_all(text, most)?;
        for captures in &found {
            let Some(whole) = captures.get(0) else { continue };
            out.push_str(&text[last..whole.start()]);
            for part in &template {
                match part {
                    Part::Text(text) => out.push_str(text),
                    Part::Group(number) => out.push_str(captures.get(*number).map_or("", |it| it.as_str())),
                }
            }
            last = whole.end();
        }
        out.push_str(&text[last..]);
        Ok((out, found.len()))
    }

    fn template(&self, replacement: &str) -> Result<Vec<Part>, ValueError> {
        let chars: Vec<char> = replacement.chars().collect();
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        while at < chars.len() {
            if chars[at] != '\\' {
                text.push(chars[at]);
                at += 1;
                continue;
            }
            let start = at;
            let Some(&next) = chars.get(at + 1) else { return Err(error_at("bad escape (end of pattern)", at)) };
            at += 2;
            let group = match next {
                'g' => {
                    let number;
                    (number, at) = self.named_reference(&chars, at)?;
                    Some(number)
                }
                '0' => {
                    let digits = octal(&chars, start + 1, 3);
                    at = start + 1 + digits.len();
                    text.extend(u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32));
                    None
                }
                '1'..='9' => {
                    let mut number = next.to_digit(10).unwrap_or(0) as usize;
                    if let Some(digit) = chars.get(at).and_then(|char| char.to_digit(10)) {
                        let third = chars.get(at + 1).and_then(|char| char.to_digit(8));
                        if number <= 3 && digit < 8 && third.is_some() {
                            text.extend(u32::from_str_radix(&octal(&chars, start + 1, 3), 8).ok().and_then(char::from_u32));
                            at += 2;
                            continue;
                        }
                        number = number * 10 + digit as usize;
                        at += 1;
                    }
                    if number > self.groups() {
                        return Err(error_at(&format!("invalid group reference {number}"), start + 1));
                    }
                    Some(number)
                }
                other => {
                    match simple_escape(other) {
                        Some(char) => text.push(char),
                        None if other.is_ascii_alphabetic() => return Err(error_at(&format!("bad escape \\{other}"), start)),
                        None => {
                            text.push('\\');
                            text.push(other);
                        }
                    }
                    None
                }
            };
            if let Some(number) = group {
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(Part::Group(number));
            }
        }
        parts.push(Part::Text(text));
        Ok(parts)
    }

    fn named_reference(&self, chars: &[char], at: usize) -> Result<(usize, usize), ValueError> {
        if chars.get(at) != Some(&'<') {
            return Err(error_at("missing <", at));
        }
        let Some(end) = chars[at..].iter().position(|char| *char == '>').map(|end| at + end) else {
            return Err(error_at("missing >, unterminated name", at + 1));
        };
        let name: String = chars[at + 1..end].iter().collect();
        if name.is_empty() {
            return Err(error_at("missing group name", at + 1));
        }
        if let Ok(number) = name.parse::<usize>() {
            return if number <= self.groups() {
                Ok((number, end + 1))
            } else {
                Err(error_at(&format!("invalid group reference {number}"), at + 1))
            };
        }
        match self.group_named(&name) {
            Some(number) => Ok((number, end + 1)),
            None => Err(ValueError::Value(format!("unknown group name {}", Value::from(name).repr()))),
        }
    }
}

enum Part {
    Text(String),
    Group(usize),
}

/// What is left of the library's errors once the translation has found its own.
fn reworded(text: &str) -> String {
    if text.to_lowercase().contains("look-behind") { "look-behind requires fixed-width pattern".into() } else { text.to_owned() }
}

fn error_at(what: &str, position: usize) -> ValueError {
    ValueError::Value(format!("{what} at position {position}"))
}

fn octal(chars: &[char], from: usize, most: usize) -> String {
    chars[from..].iter().take(most).take_while(|char| char.is_digit(8)).collect()
}

fn simple_escape(char: char) -> Option<char> {
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
    if char.is_alphanumeric() || char == '_' || !char.is_ascii() || matches!(char, '"' | '\'' | ',' | '/' | ':' | ';' | '=' | '!' | '@' | '%' | '`') {
        out.push(char);
    } else {
        use std::fmt::Write as _;
        let _ = write!(out, "\\x{{{:x}}}", char as u32);
    }
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

    fn translate(mut self) -> Result<String, ValueError> {
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

    fn repeat(&mut self, text: &str, start: usize) -> Result<(), ValueError> {
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
    fn braces(&mut self, start: usize) -> Result<(), ValueError> {
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

    fn code(&mut self, digits: usize, start: usize) -> Result<char, ValueError> {
        let text: String = self.chars[self.at..].iter().take(digits).take_while(|char| char.is_ascii_hexdigit()).collect();
        self.at += text.len();
        let found = u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == digits).and_then(char::from_u32);
        found.ok_or_else(|| {
            let shown: String = self.chars[start..self.at].iter().collect();
            error_at(&format!("incomplete escape {shown}"), start)
        })
    }

    fn escape(&mut self, start: usize) -> Result<(), ValueError> {
        let Some(char) = self.peek(0) else { return Err(error_at("bad escape (end of pattern)", start)) };
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
                literal(u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32).unwrap_or('\0'), &mut self.out);
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
                None if char.is_ascii_alphabetic() => return Err(error_at(&format!("bad escape \\{char}"), start)),
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

    fn class(&mut self, start: usize) -> Result<(), ValueError> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.out.push('^');
            self.at += 1;
        }
        let first = self.at;
        loop {
            let Some(char) = self.peek(0) else { return Err(error_at("unterminated character set", start)) };
            let place = self.at;
            self.at += 1;
            match char {
                ']' if place > first => break,
                '\\' => {
                    let Some(next) = self.peek(0) else { return Err(error_at("bad escape (end of pattern)", place)) };
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
                            literal(u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32).unwrap_or('\0'), &mut self.out);
                        }
                        next => match simple_escape(next) {
                            Some(char) => literal(char, &mut self.out),
                            None if next.is_ascii_alphanumeric() => return Err(error_at(&format!("bad escape \\{next}"), place)),
                            None => literal(next, &mut self.out),
                        },
                    }
                }
                '-' => {
                    // A hyphen is a range only between two members.
                    let ranged = place > first && self.peek(0).is_some_and(|next| next != ']');
                    if ranged && !self.out.ends_with("\\x{2d}-") { self.out.push('-') } else { literal('-', &mut self.out) }
                }
                char => literal(char, &mut self.out),
            }
        }
        self.out.push(']');
        self.last = Last::Atom;
        Ok(())
    }

    fn group(&mut self, start: usize) -> Result<(), ValueError> {
        self.last = Last::Nothing;
        if self.peek(0) != Some('?') {
            self.groups += 1;
            self.open.push(start);
            self.out.push('(');
            return Ok(());
        }
        let Some(kind) = self.peek(1) else { return Err(error_at("unexpected end of pattern", self.at + 1)) };
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
                Some(other) => return Err(error_at(&format!("unknown extension ?<{other}"), start + 1)),
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

    fn until(&mut self, end: char, missing: &str) -> Result<String, ValueError> {
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

    fn named_group(&mut self, start: usize) -> Result<(), ValueError> {
        let kind = self.peek(0);
        self.at += 1;
        let place = self.at;
        match kind {
            Some('<') => {
                let name = self.until('>', "missing >, unterminated name")?;
                self.check_name(&name, place)?;
                if self.names.contains(&name) {
                    let name = Value::from(name).repr();
                    return Err(error_at(&format!("redefinition of group name {name} as group {}; was group", self.groups + 1), place));
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
                    return Err(error_at(&format!("unknown group name {}", Value::from(name).repr()), place));
                }
                self.out.push_str(&format!("(?P={name})"));
                self.last = Last::Atom;
            }
            Some(other) => return Err(error_at(&format!("unknown extension ?P{other}"), start + 1)),
            None => return Err(error_at("unexpected end of pattern", self.at - 1)),
        }
        Ok(())
    }

    fn check_name(&self, name: &str, place: usize) -> Result<(), ValueError> {
        if name.is_empty() {
            return Err(error_at("missing group name", place));
        }
        let good = name.chars().enumerate().all(|(at, char)| char == '_' || char.is_alphabetic() || at > 0 && char.is_alphanumeric());
        if good { Ok(()) } else { Err(error_at(&format!("bad character in group name {}", Value::from(name).repr()), place)) }
    }

    fn flags(&mut self, start: usize) -> Result<(), ValueError> {
        let mut text = String::new();
        while let Some(char) = self.peek(0) {
            if char == ')' || char == ':' {
                break;
            }
            if !matches!(char, 'a' | 'i' | 'L' | 'm' | 's' | 'u' | 'x' | '-') {
                let what = if text.is_empty() { format!("unknown extension ?{char}") } else { "unknown flag".into() };
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
        let kept: String = text.chars().filter(|char| matches!(char, 'i' | 'm' | 's' | '-')).collect();
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

#[cfg(test)]
mod tests {
    use super::{Flags, Pattern};

    #[test]
    fn replaces_as_python() {
        let check = |pattern: &str, replacement: &str, text: &str, expect: &str| {
            let got = Pattern::new(pattern, Flags::default()).and_then(|it| it.replace(text, replacement, None));
            assert_eq!(got.map_or_else(|error| format!("!{error}"), |it| it.0), expect, "{pattern}");
        };
        check("x*", "-", "abxd", "-a-b--d-");
        check("(?P<x>o+)", r"<\g<x>>", "foobar", "f<oo>bar");
        check("o$", "X", "foo\n", "foX\n");
        check(r"o\Z", "X", "foo\n", "foo\n");
        check("[[]", "X", "a[b", "aXb");
        check("[]]", "X", "a]b", "aXb");
        check("[a-]", "X", "a-b", "XXb");
        check("[&&]", "X", "a&b", "aXb");
        check("{b}", "X", "a{b}", "aX");
        check("a{,1}", "-", "aab", "---b-");
        check("(?i)FOO", "x", "foobar", "xbar");
        check(r"(a)\1", "x", "aab", "xb");
        check(r"(?<=f)o(?!b)", "x", "foobar", "fxobar");
        check(r"(?x) f  o # text", "x", "foobar", "xobar");
        check("(", "", "", "!missing ), unterminated subpattern at position 0");
        check(")", "", "", "!unbalanced parenthesis at position 0");
        check("*", "", "", "!nothing to repeat at position 0");
        check("a**", "", "", "!multiple repeat at position 2");
        check("[a", "", "", "!unterminated character set at position 0");
        check("(?<a>x)", "", "", "!unknown extension ?<a at position 1");
        check("a{2,1}", "", "", "!min repeat greater than max repeat at position 2");
        check("(?P=x)", "", "", "!unknown group name 'x' at position 4");
        check("(o)", r"\3", "foo", "!invalid group reference 3 at position 1");
        check("(o)", r"\q", "foo", "!bad escape \\q at position 0");
        check("(o)", r"\.", "foo", "f\\.\\.");
        check(r"\\$", "X", "foo\\", "fooX");
    }
}
