//! Regular expressions in Python's dialect: what users write in `regexp` arguments.
//!
//! ```text
//! '^a$' ──translate──▶ fancy-regex ──▶ search, and replacements with \1 and \g<name>
//! ```
//!
//! It does not know files: text that is not UTF-8 comes through [`crate::encoding`].

use fancy_regex::{Captures, Regex, RegexBuilder};

/// How many steps a match may take before it counts as never ending.
const STEPS: usize = 10_000_000;

/// How a pattern reads lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    /// `^` and `$` match at each line.
    pub(crate) multiline: bool,
    /// `.` matches line ends too.
    pub(crate) dot_all: bool,
}

/// A pattern that is ready to search.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none, as Python tells it.
    pub(crate) fn new(text: &str, flags: Flags) -> Result<Self, String> {
        if let Some(why) = broken(text) {
            return Err(why);
        }
        let multiline = flags.multiline || has_flag(text, 'm');
        let translated = translate(text, multiline);
        let regex = RegexBuilder::new(&translated)
            .multi_line(multiline)
            .dot_matches_new_line(flags.dot_all)
            .backtrack_limit(STEPS)
            .build()
            .map_err(|err| err.to_string())?;
        Ok(Self { regex })
    }

    /// Whether it is found in `text`. A search that takes too long finds nothing.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text).unwrap_or(false)
    }

    /// The first place where it is found.
    pub(crate) fn find<'t>(&self, text: &'t str) -> Option<Captures<'t, str>> {
        self.regex.captures(text).ok().flatten()
    }

    /// All places replaced by `template`, and how many there were.
    ///
    /// # Errors
    /// Where the template names a group that is not there.
    pub(crate) fn replace_all(&self, text: &str, template: &str) -> Result<(String, usize), String> {
        let parts = self.template(template)?;
        let (mut out, mut last, mut count) = (String::new(), 0, 0);
        for found in self.regex.captures_iter(text) {
            let Ok(found) = found else { break };
            let Some(whole) = found.get(0) else { break };
            out.push_str(&text[last..whole.start()]);
            fill(&parts, &found, &mut out);
            last = whole.end();
            count += 1;
        }
        out.push_str(&text[last..]);
        Ok((out, count))
    }

    /// What `template` gives for a place where the pattern was found.
    ///
    /// # Errors
    /// Where the template names a group that is not there.
    pub(crate) fn expand(&self, found: &Captures<'_, str>, template: &str) -> Result<String, String> {
        let mut out = String::new();
        fill(&self.template(template)?, found, &mut out);
        Ok(out)
    }

    /// Reads a replacement: `\1`, `\g<1>`, `\g<name>`, `\n` and the like.
    fn template(&self, text: &str) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            if char != '\\' {
                plain.push(char);
                continue;
            }
            let Some((_, next)) = chars.next() else {
                return Err("bad escape (end of pattern)".to_owned());
            };
            let group = match next {
                'g' => {
                    let rest = &text[at + 2..];
                    let name = rest.strip_prefix('<').and_then(|it| it.split_once('>'));
                    let Some((name, _)) = name else {
                        return Err(format!("missing group name at position {}", at + 2));
                    };
                    for _ in 0..name.chars().count() + 2 {
                        chars.next();
                    }
                    Some(self.group(name, at + 3)?)
                }
                '0' => {
                    plain.push('\0');
                    None
                }
                digit if digit.is_ascii_digit() => {
                    let mut name = digit.to_string();
                    if let Some((_, more)) = chars.next_if(|(_, it)| it.is_ascii_digit()) {
                        name.push(more);
                    }
                    Some(self.group(&name, at + 1)?)
                }
                other => {
                    let meant = match other {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'f' => '\u{c}',
                        'v' => '\u{b}',
                        'a' => '\u{7}',
                        'b' => '\u{8}',
                        letter if letter.is_ascii_alphabetic() => {
                            return Err(format!("bad escape \\{letter} at position {at}"));
                        }
                        other => {
                            if other != '\\' {
                                plain.push('\\');
                            }
                            other
                        }
                    };
                    plain.push(meant);
                    None
                }
            };
            if let Some(group) = group {
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Group(group));
            }
        }
        parts.push(Part::Text(plain));
        Ok(parts)
    }

    fn group(&self, name: &str, at: usize) -> Result<usize, String> {
        if let Ok(number) = name.parse::<usize>() {
            if number < self.regex.captures_len() {
                return Ok(number);
            }
            return Err(format!("invalid group reference {number} at position {at}"));
        }
        let mut names = self.regex.capture_names();
        names
            .position(|it| it == Some(name))
            .ok_or_else(|| format!("unknown group name '{name}' at position {at}"))
    }
}

/// A part of a replacement.
enum Part {
    Text(String),
    Group(usize),
}

fn fill(parts: &[Part], found: &Captures<'_, str>, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Group(group) => out.push_str(found.get(*group).map_or("", |it| it.as_str())),
        }
    }
}

/// Whether a pattern begins with inline flags that hold `flag`: `(?im)`.
pub(crate) fn has_flag(text: &str, flag: char) -> bool {
    let inner = text.strip_prefix("(?").and_then(|it| it.split_once(')'));
    inner.is_some_and(|(flags, _)| {
        flags.chars().all(|it| it.is_ascii_alphabetic()) && flags.contains(flag)
    })
}

/// The same pattern in the dialect of the library.
fn translate(text: &str, multiline: bool) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut in_class = false;
    let mut class_start = false;
    while let Some(char) = chars.next() {
        let first_in_class = std::mem::take(&mut class_start);
        match char {
            '\\' => match chars.next() {
                Some('Z') if !in_class => out.push_str("\\z"),
                Some(mark @ ('<' | '>' | ' ' | '"' | '\'' | '/' | '%' | ',' | ':' | ';' | '=' | '@' | '`' | '!' | '_')) => {
                    out.push(mark);
                }
                Some('\n') => out.push('\n'),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                class_start = true;
            }
            ']' if first_in_class => out.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(char);
            }
            char if in_class => out.push(char),
            '$' if !multiline => out.push_str("(?=\\n?\\z)"),
            '{' => {
                let rest: String = chars.clone().collect();
                match rest.split_once('}') {
                    Some((inner, _)) if is_count(inner) => {
                        out.push('{');
                        if inner.starts_with(',') {
                            out.push('0');
                        }
                    }
                    _ => out.push_str("\\{"),
                }
            }
            '(' if chars.peek() == Some(&'?') => {
                let rest: String = chars.clone().collect();
                if let Some(comment) = rest.strip_prefix("?#") {
                    let length = comment.find(')').map_or(comment.len(), |it| it + 1);
                    for _ in 0..2 + comment[..length].chars().count() {
                        chars.next();
                    }
                    continue;
                }
                out.push('(');
                let flags: String =
                    rest[1..].chars().take_while(char::is_ascii_alphabetic).collect();
                let ends = rest[1 + flags.len()..].starts_with([')', ':']);
                if !flags.is_empty() && ends && !rest.starts_with("?P") {
                    // Flags about Unicode have no meaning here: it is always on.
                    let kept: String = flags.chars().filter(|it| !"auL".contains(*it)).collect();
                    for _ in 0..=flags.len() {
                        chars.next();
                    }
                    out.push('?');
                    out.push_str(&kept);
                    if kept.is_empty() && chars.peek() == Some(&')') {
                        out.push(':');
                    }
                }
            }
            char => out.push(char),
        }
    }
    out
}

fn is_count(inner: &str) -> bool {
    let (least, most) = inner.split_once(',').unwrap_or((inner, "0"));
    let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    digits(least) && digits(most) && inner.bytes().any(|it| it.is_ascii_digit())
}

/// What is plainly wrong with a pattern, as Python tells it.
fn broken(text: &str) -> Option<String> {
    let mut open = Vec::new();
    let mut chars = text.chars().enumerate().peekable();
    let mut repeatable = false;
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                if chars.next().is_none() {
                    return Some(format!("bad escape (end of pattern) at position {at}"));
                }
                repeatable = true;
            }
            '[' => {
                chars.next_if(|(_, it)| *it == '^');
                chars.next_if(|(_, it)| *it == ']');
                loop {
                    match chars.next() {
                        None => return Some(format!("unterminated character set at position {at}")),
                        Some((_, '\\')) => {
                            chars.next();
                        }
                        Some((_, ']')) => break,
                        Some(_) => {}
                    }
                }
                repeatable = true;
            }
            '(' => {
                open.push(at);
                repeatable = false;
                chars.next_if(|(_, it)| *it == '?');
            }
            ')' => {
                if open.pop().is_none() {
                    return Some(format!("unbalanced parenthesis at position {at}"));
                }
                repeatable = true;
            }
            '*' | '+' | '?' if !repeatable => {
                return Some(format!("nothing to repeat at position {at}"));
            }
            '|' => repeatable = false,
            _ => repeatable = true,
        }
    }
    open.pop().map(|at| format!("missing ), unterminated subpattern at position {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_python() {
        let check = |pattern: &str, text: &str, expect: bool| {
            let found = Pattern::new(pattern, Flags::default()).unwrap().is_in(text);
            assert_eq!(found, expect, "{pattern} in {text:?}");
        };
        check("^a$", "a\n", true);
        check("^a$", "a\r\n", false);
        check("^a\\Z", "a\n", false);
        check("a{b", "a{b", true);
        check("^a{,2}$", "aa", true);
        check("[]a]", "]", true);
        check("[[a]", "[", true);
        check("[a&&b]", "&", true);
        check("(?i)ABC", "xabc", true);
        check("(?au)x", "x", true);
        check("\\<x\\>", "<x>", true);
        check("a(?#note)b", "ab", true);
        check("(?P<q>['\"])x(?P=q)", "\"x\"", true);
        check("(?m)^b$", "a\nb\nc", true);
    }

    #[test]
    fn broken_patterns_are_told_as_in_python() {
        let check = |pattern: &str, expect: &str| {
            assert_eq!(Pattern::new(pattern, Flags::default()).unwrap_err(), expect);
        };
        check("(", "missing ), unterminated subpattern at position 0");
        check("a)", "unbalanced parenthesis at position 1");
        check("[a", "unterminated character set at position 0");
        check("*a", "nothing to repeat at position 0");
    }

    #[test]
    fn replacements_name_groups() {
        let flags = Flags { multiline: true, dot_all: false };
        let pattern = Pattern::new("^(T)(?P<rest>WO)$", flags).unwrap();
        let done = pattern.replace_all("a\nTWO\n", "\\2-\\1\\g<rest>\\n").unwrap();
        assert_eq!(done, ("a\nWO-TWO\n\n".to_owned(), 1));
        assert_eq!(
            pattern.replace_all("", "\\9").unwrap_err(),
            "invalid group reference 9 at position 1"
        );
    }
}
