//! Python's `pprint.pformat` of plain values, 80 columns wide.
//!
//! Knows no layout of containers: see [`pformat`].

use davit_value::Value;

const WIDTH: usize = 80;

/// The text of `value`. Only a string is broken over lines: the containers of templates print
/// themselves, on one line.
#[must_use]
pub fn pformat(value: &Value) -> String {
    match value {
        Value::Str(text) if value.repr().chars().count() > WIDTH => {
            let mut out = String::new();
            write_text(text, 0, 0, &mut out);
            out
        }
        other => other.repr(),
    }
}

/// Long text becomes adjacent literals, one for each line and each stretch of words that fits.
fn write_text(text: &str, indent: usize, allowance: usize, out: &mut String) {
    let outermost = indent == 0;
    let indent = if outermost { 1 } else { indent };
    let width = WIDTH.saturating_sub(indent);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut chunks: Vec<String> = Vec::new();
    let count = lines.len();
    for (at, line) in lines.into_iter().enumerate() {
        let room = if at + 1 == count { width.saturating_sub(allowance) } else { width };
        let repr = Value::from(line).repr();
        if repr.chars().count() <= room {
            chunks.push(repr);
            continue;
        }
        let parts = words(line);
        let mut current = String::new();
        let many = parts.len();
        for (part_at, part) in parts.into_iter().enumerate() {
            let candidate = format!("{current}{part}");
            let room = if part_at + 1 == many && at + 1 == count { room } else { width };
            if Value::from(candidate.as_str()).repr().chars().count() > room && !current.is_empty()
            {
                chunks.push(Value::from(current.as_str()).repr());
                current = part.to_owned();
            } else {
                current = candidate;
            }
        }
        if !current.is_empty() {
            chunks.push(Value::from(current.as_str()).repr());
        }
    }
    if let [one] = chunks.as_slice() {
        out.push_str(one);
        return;
    }
    if outermost {
        out.push('(');
    }
    for (at, chunk) in chunks.iter().enumerate() {
        if at > 0 {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(chunk);
    }
    if outermost {
        out.push(')');
    }
}

/// Words with the white space that follows them.
fn words(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut in_space = false;
    for (at, char) in line.char_indices() {
        if char.is_whitespace() {
            in_space = true;
        } else if in_space {
            out.push(&line[start..at]);
            start = at;
            in_space = false;
        }
    }
    if start < line.len() {
        out.push(&line[start..]);
    }
    out
}
