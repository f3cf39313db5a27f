//! Syntax errors in the words of `ansible-playbook`, with the mistake that is usually behind them.

use std::sync::Arc;

use libyaml_safer::ErrorKind;

use crate::error::line_of;
use crate::node::place_of;
use crate::{Error, Place};

/// The error for what the reader beneath reported.
pub(crate) fn syntax_error(text: &str, file: &Arc<str>, error: &libyaml_safer::Error) -> Error {
    let place = error.problem_mark().map(|mark| place_of(&mark));
    let problem = error.problem();
    let mut out = match error.kind() {
        ErrorKind::Scanner | ErrorKind::Parser | ErrorKind::Composer => {
            let words =
                error.context().map_or_else(|| problem.to_owned(), |it| format!("{it} {problem}"));
            Error::new(file, Some(text), place, sentence(&words))
        }
        _ => Error::new(file, Some(text), place, sentence(problem)),
    };
    out.context = error
        .context()
        .zip(error.context_mark())
        .map(|(context, mark)| (context.to_owned(), place_of(&mark)));
    explain(&mut out, text);
    out
}

/// The error for a text with characters that YAML does not allow.
pub(crate) fn unreadable(text: &str, file: &Arc<str>) -> Option<Error> {
    let (position, char) = text.chars().enumerate().find(|(_, char)| !is_allowed(*char))?;
    let before: String = text.chars().take(position).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let place = u32::try_from(line).ok().zip(u32::try_from(column).ok());
    let place = place.map(|(line, column)| Place { line, column });
    let problem = format!(
        "unacceptable character #x{:04x}: control characters are not allowed in \"<unicode string>\", position {position}",
        char as u32
    );
    Some(Error::new(file, Some(text), place, problem))
}

/// Where, from `reached` on, a tag stands that the reader beneath cannot read: `!tag,` or `!%ff`.
pub(crate) fn odd_tag(text: &str, reached: Place) -> Option<Place> {
    let odd = |word: &str| {
        let tag = word.split([' ', '\t', '[', ']', '{', '}']).next().unwrap_or_default();
        tag.contains([',', '%'])
    };
    for (line, content) in (1..).zip(text.lines()) {
        for (column, (at, _)) in (1..).zip(content.char_indices()) {
            let place = Place { line, column };
            if place >= reached && content[at..].starts_with('!') && odd(&content[at..]) {
                return Some(place);
            }
        }
    }
    None
}

fn is_allowed(char: char) -> bool {
    matches!(
        char,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
    )
}

/// `did not find x` as `Did not find x.`
pub(crate) fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let Some(first) = chars.next() else { return String::new() };
    format!("{}{}.", first.to_uppercase(), chars.as_str())
}

/// Replaces the message by the usual mistake, where the line shows one.
pub(crate) fn explain(error: &mut Error, text: &str) {
    let Some(place) = error.place else { return };
    let Some(line) = line_of(text, place.line) else { return };
    let Some((problem, column, help)) = mistake(&line) else { return };
    error.problem = problem.to_owned();
    error.place = Some(Place { line: place.line, column });
    error.help = help.map(str::to_owned);
}

const TABS: &str = "Tabs are usually invalid in YAML.";
const TEMPLATE: &str = "This may be an issue with missing quotes around a template block.";
const TEMPLATE_HELP: &str =
    "For example:\n\n    raw: {{ some_var }}\n\nShould be:\n\n    raw: \"{{ some_var }}\"";
const QUOTES: &str = "Values starting with a quote must end with the same quote.";
const QUOTES_INSIDE: &str =
    "Values starting with a quote must end with the same quote, and not contain that quote.";
const QUOTES_HELP: &str =
    "For example:\n\n    raw: \"foo\" in bar\n\nShould be:\n\n    raw: '\"foo\" in bar'";
const COLON: &str = "Colons in unquoted values must be followed by a non-space character.";
const COLON_HELP: &str = "For example:\n\n    raw: echo 'name: ansible'\n\nShould be:\n\n    raw: \"echo 'name: ansible'\"";

/// What is wrong with `line`, the column where, and how it should be.
fn mistake(line: &str) -> Option<(&'static str, u32, Option<&'static str>)> {
    let column_of = |byte: usize| u32::try_from(line.get(..byte)?.chars().count() + 1).ok();
    if let Some(tab) = line.find('\t') {
        return Some((TABS, column_of(tab)?, None));
    }
    let begin = value_start(line);
    let value = line.get(begin..)?.trim_end();
    if value.starts_with("{{") {
        return Some((TEMPLATE, column_of(begin)?, Some(TEMPLATE_HELP)));
    }
    let ends = |at: usize| {
        value.get(at + 1..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let mut colons = value.match_indices(':').map(|(at, _)| at).filter(|at| *at > 0 && ends(*at));
    if let Some(colon) = colons.next() {
        return Some((COLON, column_of(begin + colon)?, Some(COLON_HELP)));
    }
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let inner = value.get(1..).and_then(|rest| rest.strip_suffix(quote));
    match inner {
        None => Some((QUOTES, column_of(begin)?, Some(QUOTES_HELP))),
        Some(inner) if inner.replace("\\\"", "").replace("''", "").contains(quote) => {
            Some((QUOTES_INSIDE, column_of(begin)?, Some(QUOTES_HELP)))
        }
        Some(_) => None,
    }
}

/// Where the value begins in a line such as `  - key: value`; the text after the `- ` where
/// there is no key of word characters.
fn value_start(line: &str) -> usize {
    let word = |char: char| char.is_alphanumeric() || char == '_';
    let item = line.trim_start();
    let item = item.strip_prefix("- ").map_or(item, str::trim_start);
    let bare = item.trim_start_matches('{');
    let key = bare.find(|char| !word(char)).unwrap_or(bare.len());
    if key > 0
        && let Some(after) = bare.get(key..).and_then(|after| after.strip_prefix(':'))
    {
        let value = after.trim_start();
        if value.len() < after.len() && !value.is_empty() {
            return line.len() - value.len();
        }
    }
    line.len() - item.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_cannot_be_read_have_a_place() {
        let file = Arc::from("f");
        for (text, line, column) in
            [("# !a,\na:\n- [!tag,x]\n", 3, 4), ("a: [b, !c%C3%A9,d]\n", 1, 8)]
        {
            let error = crate::parse(text, &file).expect_err("not read");
            assert_eq!(error.place, Some(Place { line, column }), "{text}");
        }
    }

    #[test]
    fn the_usual_mistakes_are_recognised() {
        for (line, expect) in [
            ("    a: foo: bar", Some((COLON, 11))),
            ("    - debug: msg=foo: bar", Some((COLON, 21))),
            ("    - debug:", Some((COLON, 12))),
            ("   gather_facts: no", None),
            ("        mode: 0644", None),
            ("my-key: foo: bar", Some((COLON, 7))),
            ("    - command: \"foo\" bar", Some((QUOTES, 16))),
            ("msg: 'it's'", Some((QUOTES_INSIDE, 6))),
            ("- shell: \"a\" && \"b\"", Some((QUOTES_INSIDE, 10))),
            ("- a: \"x\" b: c", Some((COLON, 11))),
            ("        msg: {{ foo }}", Some((TEMPLATE, 14))),
            ("    - {{ foo }}", Some((TEMPLATE, 7))),
            ("a:\tb: c", Some((TABS, 3))),
            ("    {a: b}: b", Some((COLON, 11))),
        ] {
            assert_eq!(
                mistake(line).map(|(problem, column, _)| (problem, column)),
                expect,
                "{line}"
            );
        }
    }
}
