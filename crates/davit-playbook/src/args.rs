//! Arguments in one line: `src=a dest="b c"`, and the free text of `command`, `shell` and others.

use davit_value::{Key, Map, Str, Value};

use crate::task::short_name;

/// What a line of arguments holds.
#[derive(Clone, Debug, Default)]
pub struct FreeForm {
    /// The `key=value` parts.
    pub args: Map,
    /// What is left: a command line, a file name.
    pub raw: Option<Str>,
}

/// The arguments that are taken out of a command line; everything else belongs to it.
const COMMAND_OPTIONS: &[&str] = &[
    "creates",
    "removes",
    "chdir",
    "executable",
    "warn",
    "stdin",
    "stdin_add_newline",
    "strip_empty_ends",
];

/// True for actions whose whole line is a command.
fn is_command(action: &str) -> bool {
    matches!(
        short_name(action),
        "command" | "shell" | "raw" | "script" | "win_command" | "win_shell"
    )
}

/// True for actions that take text besides `key=value`.
#[must_use]
pub fn takes_raw_params(action: &str) -> bool {
    is_command(action)
        || matches!(
            short_name(action),
            "include"
                | "include_tasks"
                | "import_tasks"
                | "include_role"
                | "import_role"
                | "include_vars"
                | "import_playbook"
                | "meta"
                | "add_host"
                | "group_by"
                | "set_fact"
        )
}

/// A word of a line, with the white space before it.
struct Word<'t> {
    gap: &'t str,
    text: &'t str,
}

/// Splits a line at white space that is neither quoted nor inside `{{ }}`, `{% %}` or `{# #}`.
fn words(text: &str) -> Option<Vec<Word<'_>>> {
    let mut words = Vec::new();
    let mut quote: Option<char> = None;
    let mut depth = [0_usize; 3];
    let mut gap_from = 0;
    let mut word_from = None;
    let mut previous = '\0';
    let mut skip = false;
    for (at, char) in text.char_indices() {
        let inside = quote.is_some() || depth != [0; 3];
        if char.is_whitespace() && !inside {
            if let Some(from) = word_from.take() {
                words.push(Word { gap: text.get(gap_from..from)?, text: text.get(from..at)? });
                gap_from = at;
            }
            previous = char;
            continue;
        }
        word_from.get_or_insert(at);
        if skip {
            skip = false;
        } else {
            let pair = text.get(at..at + 2);
            let open = pair.and_then(|pair| ["{{", "{%", "{#"].iter().position(|it| *it == pair));
            let close = pair.and_then(|pair| ["}}", "%}", "#}"].iter().position(|it| *it == pair));
            if let Some(depth) = open.and_then(|kind| depth.get_mut(kind)) {
                *depth += 1;
                skip = true;
            } else if let Some(depth) = close.and_then(|kind| depth.get_mut(kind)) {
                skip = *depth > 0;
                *depth = depth.saturating_sub(1);
            } else if matches!(char, '"' | '\'') && previous != '\\' {
                match quote {
                    None => quote = Some(char),
                    Some(open) if open == char => quote = None,
                    Some(_) => {}
                }
            }
        }
        previous = char;
    }
    if quote.is_some() || depth != [0; 3] {
        return None;
    }
    if let Some(from) = word_from {
        words.push(Word { gap: text.get(gap_from..from)?, text: text.get(from..)? });
    }
    Some(words)
}

/// The words of a line of arguments, quotes and templates kept together.
///
/// # Errors
/// Where a quote or a template is not closed.
pub fn split_args(text: &str) -> Result<Vec<String>, String> {
    match words(text) {
        Some(words) => Ok(words.iter().map(|word| word.text.to_owned()).collect()),
        None => Err(unbalanced(text)),
    }
}

fn unbalanced(text: &str) -> String {
    format!("failed at splitting arguments, either an unbalanced jinja2 block or quotes: {text}")
}

/// Splits the line of arguments `text` of `action`. What comes out carries the mark of `text`.
///
/// # Errors
/// Where a quote or a template is not closed.
pub fn free_form(action: &str, text: &Str) -> Result<FreeForm, String> {
    let words = words(text).ok_or_else(|| unbalanced(text))?;
    let command = is_command(action);
    let mut out = FreeForm::default();
    let mut raw = String::new();
    let mut left_out = false;
    let mut any_raw = false;
    for (at, word) in words.iter().enumerate() {
        if let Some((key, value)) = assignment(word.text)
            && (!command || COMMAND_OPTIONS.contains(&key))
        {
            let value = unescape(unquote(value.trim()));
            out.args.insert(Key::from(key), Value::Str(remark(text, value)));
            left_out = true;
            continue;
        }
        let continued =
            word.text == "\\" && words.get(at + 1).is_some_and(|next| next.gap.starts_with('\n'));
        if continued {
            continue;
        }
        let follows = at
            .checked_sub(1)
            .and_then(|at| words.get(at))
            .is_some_and(|before| before.text == "\\");
        let gap = if follows { word.gap.strip_prefix('\n').unwrap_or(word.gap) } else { word.gap };
        if any_raw || !left_out {
            raw.push_str(gap);
        }
        any_raw = true;
        raw.push_str(&word.text.replace("\\=", "="));
    }
    if any_raw {
        let end = text.trim_end().len();
        raw.push_str(text.get(end..).unwrap_or_default());
        out.raw = Some(remark(text, raw));
    }
    Ok(out)
}

/// A string with the mark of `from`.
fn remark(from: &Str, text: String) -> Str {
    match from.mark() {
        Some(mark) => Str::marked(text, mark.clone()),
        None => Str::new(text),
    }
}

/// `key=value`, where the first `=` comes before any quote or template.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let at = word
        .char_indices()
        .scan('\0', |previous, (at, char)| Some((at, char, std::mem::replace(previous, char))))
        .find(|(_, char, previous)| *char == '=' && *previous != '\\')
        .map(|(at, ..)| at)?;
    let key = word.get(..at)?;
    // A template may be part of the key, but its own `=` does not end one.
    let open = key.matches('{').count() != key.matches('}').count();
    let quoted = !key.contains("{{") && key.contains(['"', '\'']);
    if key.is_empty() || open || quoted {
        return None;
    }
    Some((key, word.get(at + 1..)?))
}

/// The text without the quotes around it.
fn unquote(text: &str) -> &str {
    let mut chars = text.chars();
    match (chars.next(), chars.next_back()) {
        (Some(first @ ('"' | '\'')), Some(last)) if first == last && !text.ends_with("\\\"") => {
            chars.as_str()
        }
        _ => text,
    }
}

/// Python's escapes: `\n`, `\t`, `\x41`, `\u0041`, `\101`. Unknown ones stay.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let (char, used) = escape(after);
        match char {
            Some(char) => out.push(char),
            None => out.push('\\'),
        }
        rest = after.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The character that the escape `after` a backslash stands for, and how many bytes it takes.
fn escape(after: &str) -> (Option<char>, usize) {
    let hex = |digits: usize| {
        let code = after.get(1..=digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        match code.and_then(char::from_u32) {
            Some(char) => (Some(char), digits + 1),
            None => (None, 0),
        }
    };
    match after.chars().next() {
        Some('n') => (Some('\n'), 1),
        Some('t') => (Some('\t'), 1),
        Some('r') => (Some('\r'), 1),
        Some('a') => (Some('\x07'), 1),
        Some('b') => (Some('\x08'), 1),
        Some('f') => (Some('\x0c'), 1),
        Some('v') => (Some('\x0b'), 1),
        Some(char @ ('\\' | '\'' | '"')) => (Some(char), 1),
        Some('x') => hex(2),
        Some('u') => hex(4),
        Some('U') => hex(8),
        Some('0'..='7') => {
            let digits =
                after.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            let code = after.get(..digits).and_then(|code| u32::from_str_radix(code, 8).ok());
            (code.and_then(char::from_u32), digits)
        }
        _ => (None, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(action: &str, text: &str, args: &[(&str, &str)], raw: Option<&str>) {
        let got = free_form(action, &Str::new(text)).expect("balanced");
        let pairs: Vec<_> =
            got.args.iter().map(|(key, value)| (key.to_text(), value.to_str())).collect();
        let expect: Vec<_> =
            args.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(pairs, expect, "{text}");
        assert_eq!(got.raw.as_deref(), raw, "{text}");
    }

    #[test]
    fn lines_are_split_as_the_original_splits_them() {
        check("shell", "echo  \"a   b\"   'c'", &[], Some("echo  \"a   b\"   'c'"));
        check("shell", "echo a \\\n   b\necho  c\n", &[], Some("echo a   b\necho  c\n"));
        check(
            "shell",
            "echo a creates=/no chdir=/tmp b",
            &[("creates", "/no"), ("chdir", "/tmp")],
            Some("echo a b"),
        );
        check(
            "command",
            "chdir=/tmp echo 'a b' \"c d\"",
            &[("chdir", "/tmp")],
            Some("echo 'a b' \"c d\""),
        );
        check(
            "shell",
            "echo foo=bar \"x=y z\" k='a b'",
            &[],
            Some("echo foo=bar \"x=y z\" k='a b'"),
        );
        check("command", "echo a\\=b creates\\=foo", &[], Some("echo a=b creates=foo"));
        check("command", "echo \"a\\nb\"", &[], Some("echo \"a\\nb\""));
        check("debug", "msg=\"a\\nb\\tc\\\\d \\u0041\"", &[("msg", "a\nb\tc\\d A")], None);
        check("debug", "msg='a \"b\" c'", &[("msg", "a \"b\" c")], None);
        check("debug", "msg={{ lst | join(', ') }}", &[("msg", "{{ lst | join(', ') }}")], None);
        check("debug", "msg=a=b=c", &[("msg", "a=b=c")], None);
        check("debug", "msg=", &[("msg", "")], None);
        check("debug", "msg = spaced", &[], Some("msg = spaced"));
        check("debug", "=foo", &[], Some("=foo"));
        check("include_vars", "v.yml name=q", &[("name", "q")], Some("v.yml"));
        check(
            "ansible.builtin.script",
            "/s.sh creates=/n a=b  c",
            &[("creates", "/n")],
            Some("/s.sh a=b  c"),
        );
        check("shell", "echo it\\'s", &[], Some("echo it\\'s"));
        check(
            "shell",
            "echo \"{% if x %}a  b{% endif %}\" {# c  d #} e",
            &[],
            Some("echo \"{% if x %}a  b{% endif %}\" {# c  d #} e"),
        );
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        for text in ["echo \"foo", "msg={{ foo", "echo it's", "a {% if"] {
            assert_eq!(split_args(text), Err(unbalanced(text)));
        }
    }
}
