//! Python's `re` dialect on top of `fancy-regex`: patterns are translated, errors are Python's.
//!
//! What is translated: `{,n}`, literal braces and brackets, `\Z`, `$` (which in Python also stands
//! before a last newline), octal and `\u` escapes, `(?P=n)`, comments, flags at the start, and
//! everything that has a meaning in a class there but not in Python (`[`, `&&`, `--`, `~~`).
//!
//! What differs from Python: `(?L)` is not there; a repeated group that matches nothing may capture
//! otherwise; case is folded by Unicode's simple rules; a pattern that backtracks without end is an
//! error and does not run for hours.
//!
//! **Invariant:** it depends on no other davit crate, so that the agent can link it alone.
//!
//! ```
//! use davit_pattern::{Flags, Pattern};
//!
//! let pattern = Pattern::new(r"(?P<name>\w+)=$", Flags::default())?;
//! assert!(pattern.search("key=")?);
//! assert_eq!(pattern.replace("key=", r"<\g<name>>", None)?.0, "<key>");
//! # Ok::<(), davit_pattern::PatternError>(())
//! ```

mod translate;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

pub use fancy_regex::Captures;
use fancy_regex::{Regex, RegexBuilder};

use crate::translate::{error_at, octal, repr, reworded, simple_escape, translate};

/// What is wrong with a pattern, in Python's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl PatternError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

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
    pub fn new(pattern: &str, flags: Flags) -> Result<Self, PatternError> {
        let key = (pattern.to_owned(), flags);
        if let Some(found) = COMPILED.with_borrow(|map| map.get(&key).cloned()) {
            return Ok(found);
        }
        let translated = translate(pattern, flags)?;
        let regex = RegexBuilder::new(&translated)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .backtrack_limit(5_000_000)
            .build()
            .map_err(|error| PatternError(reworded(&error.to_string())))?;
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
    pub fn find_from<'t>(
        &self,
        text: &'t str,
        from: usize,
    ) -> Result<Option<Captures<'t, str>>, PatternError> {
        self.regex
            .captures_from_pos(text, from)
            .map_err(|error| PatternError::new(error.to_string()))
    }

    /// Whether the pattern matches somewhere in `text`: Python's `re.search`.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn search(&self, text: &str) -> Result<bool, PatternError> {
        Ok(self.find_from(text, 0)?.is_some())
    }

    /// Whether the pattern matches at the start of `text`: Python's `re.match`.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn starts(&self, text: &str) -> Result<bool, PatternError> {
        let found = self.find_from(text, 0)?;
        // The leftmost match is the one at the start where there is one.
        Ok(found.and_then(|it| it.get(0)).is_some_and(|it| it.start() == 0))
    }

    /// The groups' names, the whole match first; `None` for a group without one.
    #[must_use]
    pub fn names(&self) -> &[Option<String>] {
        &self.names
    }

    /// Every match as Python finds them: an empty one may follow another directly.
    ///
    /// # Errors
    /// Where matching takes too long.
    pub fn find_all<'t>(
        &self,
        text: &'t str,
        most: Option<usize>,
    ) -> Result<Vec<Captures<'t, str>>, PatternError> {
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
    pub fn replace(
        &self,
        text: &str,
        replacement: &str,
        most: Option<usize>,
    ) -> Result<(String, usize), PatternError> {
        let template = self.template(replacement)?;
        let mut out = String::with_capacity(text.len());
        let mut last = 0;
        let found = self.find_all(text, most)?;
        for captures in &found {
            let Some(whole) = captures.get(0) else { continue };
            out.push_str(&text[last..whole.start()]);
            fill(&template, captures, &mut out);
            last = whole.end();
        }
        out.push_str(&text[last..]);
        Ok((out, found.len()))
    }

    /// Python's `Match.expand`: the replacement with the groups of one match.
    ///
    /// # Errors
    /// For a replacement that Python refuses.
    pub fn expand(
        &self,
        captures: &Captures<'_, str>,
        replacement: &str,
    ) -> Result<String, PatternError> {
        let mut out = String::new();
        fill(&self.template(replacement)?, captures, &mut out);
        Ok(out)
    }

    fn template(&self, replacement: &str) -> Result<Vec<Part>, PatternError> {
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
            let Some(&next) = chars.get(at + 1) else {
                return Err(error_at("bad escape (end of pattern)", at));
            };
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
                            text.extend(
                                u32::from_str_radix(&octal(&chars, start + 1, 3), 8)
                                    .ok()
                                    .and_then(char::from_u32),
                            );
                            at += 2;
                            continue;
                        }
                        number = number * 10 + digit as usize;
                        at += 1;
                    }
                    if number > self.groups() {
                        return Err(error_at(
                            &format!("invalid group reference {number}"),
                            start + 1,
                        ));
                    }
                    Some(number)
                }
                other => {
                    match simple_escape(other) {
                        Some(char) => text.push(char),
                        None if other.is_ascii_alphabetic() => {
                            return Err(error_at(&format!("bad escape \\{other}"), start));
                        }
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

    fn named_reference(&self, chars: &[char], at: usize) -> Result<(usize, usize), PatternError> {
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
            None => Err(PatternError(format!("unknown group name {}", repr(name.as_ref())))),
        }
    }
}

fn fill(template: &[Part], captures: &Captures<'_, str>, out: &mut String) {
    for part in template {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Group(number) => {
                out.push_str(captures.get(*number).map_or("", |it| it.as_str()));
            }
        }
    }
}

enum Part {
    Text(String),
    Group(usize),
}

#[cfg(test)]
mod tests {
    use super::{Flags, Pattern};

    #[test]
    fn replaces_as_python() {
        let check = |pattern: &str, replacement: &str, text: &str, expect: &str| {
            let got = Pattern::new(pattern, Flags::default())
                .and_then(|it| it.replace(text, replacement, None));
            assert_eq!(
                got.map_or_else(|error| format!("!{error}"), |it| it.0),
                expect,
                "{pattern}"
            );
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
