//! Literals of `json_query` without quotation marks, such as `` [?name==`web`] ``: no JMESPath of today, but what
//! Python's `jmespath` reads and what people have in their playbooks. It knows nothing else of the language.

use std::borrow::Cow;

/// The expression with quotation marks in those literals that need them to be JSON.
pub(super) fn with_quotes(expression: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut rest, mut kept) = (expression, expression);
    while let Some(start) = rest.find(['"', '\'', '`']) {
        let (open, after) = rest[start..].split_at(1);
        let Some(length) = length_until(after, open) else { break };
        let (literal, behind) = (&after[..length], &after[length + 1..]);
        rest = behind;
        if open != "`" {
            continue;
        }
        if let Some(text) = as_text(literal) {
            out.push_str(&kept[..kept.len() - after.len()]);
            out.push_str(&text);
            kept = &after[length..];
        }
    }
    if out.is_empty() { Cow::Borrowed(expression) } else { Cow::Owned(out + kept) }
}

/// How much stands before the closing mark, which a backslash hides.
fn length_until(text: &str, mark: &str) -> Option<usize> {
    let mut hidden = false;
    for (at, letter) in text.char_indices() {
        if !hidden && mark.starts_with(letter) {
            return Some(at);
        }
        hidden = !hidden && letter == '\\';
    }
    None
}

/// A literal as JSON text, where it is none but would be one in quotation marks.
fn as_text(literal: &str) -> Option<String> {
    let json = literal.replace("\\`", "`");
    if serde_json::from_str::<serde_json::Value>(&json).is_ok() {
        return None;
    }
    let text = format!("\"{}\"", json.trim_start());
    serde_json::from_str::<String>(&text).ok()?;
    Some(text.replace('`', "\\`"))
}
