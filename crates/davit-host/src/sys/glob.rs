//! Shell patterns: `*`, `?`, `[abc]`, `[!a-z]`, for names and for paths.
//!
//! It reads folders and changes nothing.

use std::path::{Path, PathBuf};

use davit_module::Host;

/// Whether all of `text` matches `pattern`. A `*` matches anything, `/` and a leading dot too.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut seen) = (0, 0);
    // Where to try again: after the last star, one character later in the text.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(at) {
            Some('*') => {
                retry = Some((at + 1, seen));
                at += 1;
                continue;
            }
            None if seen == text.len() => return true,
            None => None,
            Some(_) => text.get(seen).and_then(|it| one(&pattern[at..], *it)),
        };
        match (step, retry) {
            (Some(width), _) => {
                at += width;
                seen += 1;
            }
            (None, Some((star, from))) if from < text.len() => {
                retry = Some((star, from + 1));
                (at, seen) = (star, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// How much of a pattern's start matches one character; `None` = it does not.
fn one(pattern: &[char], char: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match set(pattern) {
            Some((width, set)) => set.holds(char).then_some(width),
            None => (char == '[').then_some(1),
        },
        other => (*other == char).then_some(1),
    }
}

struct Set<'a> {
    negated: bool,
    items: &'a [char],
}

impl Set<'_> {
    fn holds(&self, char: char) -> bool {
        let mut items = self.items;
        let mut found = false;
        while let Some((first, rest)) = items.split_first() {
            if let ['-', last, after @ ..] = rest {
                found |= (*first..=*last).contains(&char);
                items = after;
            } else {
                found |= *first == char;
                items = rest;
            }
        }
        found != self.negated
    }
}

/// The set at a pattern's start and how much of the pattern it takes; `None` where it is not closed.
fn set(pattern: &[char]) -> Option<(usize, Set<'_>)> {
    let negated = matches!(pattern.get(1), Some('!'));
    let start = if negated { 2 } else { 1 };
    // A bracket right at the start stands for itself.
    let end = (start + 1..pattern.len()).find(|it| pattern.get(*it) == Some(&']'))?;
    Some((end + 1, Set { negated, items: pattern.get(start..end)? }))
}

/// Whether a text has characters that make it a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The first path on the host that matches `pattern`, in no particular order among several; hidden
/// names need a dot in the pattern, and `**` alone is as `*`.
pub(crate) fn first_path(host: &Host<'_>, pattern: &str) -> Option<PathBuf> {
    if !is_pattern(pattern) {
        let path = Path::new(pattern);
        // A broken link is there too.
        return host.meta(path, false).ok().flatten().map(|_| path.to_path_buf());
    }
    let start = if pattern.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    let parts: Vec<&str> = pattern.split('/').filter(|it| !it.is_empty()).collect();
    descend(host, &start, &parts)
}

fn descend(host: &Host<'_>, folder: &Path, parts: &[&str]) -> Option<PathBuf> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(folder.to_path_buf());
    };
    if !is_pattern(part) {
        let path = folder.join(part);
        let there = host.meta(&path, !rest.is_empty()).ok().flatten().is_some();
        return there.then(|| descend(host, &path, rest)).flatten();
    }
    let names = host.read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    for name in names.ok()? {
        let text = name.to_string_lossy();
        if (part.starts_with('.') || !text.starts_with('.')) && matches(part, &text) {
            let path = folder.join(&name);
            if rest.is_empty() {
                return Some(path);
            }
            if let Some(found) = host.is_dir(&path).then(|| descend(host, &path, rest)).flatten() {
                return Some(found);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_does() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
        };
        check("*", "", true);
        check("*.log", "a.log", true);
        check("*.log", "a.log.gz", false);
        check("a?c", "abc", true);
        check("[a-c]x", "bx", true);
        check("[!a-c]x", "bx", false);
        check("[]]", "]", true);
        check("[", "[", true);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "axxbyy", false);
        check("**a", "bba", true);
        check("ansible_eth[0-2]", "ansible_eth1", true);
        check("", "", true);
        check("", "x", false);
    }
}
