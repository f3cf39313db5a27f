//! Where in an operation's parameters something stands, in words.

use std::fmt::Write as _;

/// One step from a value to a value in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// A member of a structure or an entry of a map.
    Name(&'a str),
    /// An item of a list, counted from 0.
    Index(usize),
    /// An entry of a map whose names are not to be shown.
    Hidden,
}

/// `Filters[0].Values`.
pub(super) fn render(steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    steps.iter().for_each(|step| push(&mut path, *step));
    path
}

/// Puts the steps that lead to a path in front of it.
pub(crate) fn prepend(path: &mut String, step: Step<'_>) {
    let mut whole = String::new();
    push(&mut whole, step);
    if !path.is_empty() && !path.starts_with('[') {
        whole.push('.');
    }
    whole.push_str(path);
    *path = whole;
}

fn push(path: &mut String, step: Step<'_>) {
    // Writing to text cannot fail.
    let _ = match step {
        Step::Index(index) => write!(path, "[{index}]"),
        Step::Hidden => write!(path, "[...]"),
        Step::Name(name) if plain(name) => {
            let dot = if path.is_empty() { "" } else { "." };
            write!(path, "{dot}{name}")
        }
        Step::Name(name) => write!(path, "[{name:?}]"),
    };
}

/// Whether a name can stand between dots.
fn plain(name: &str) -> bool {
    let part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'$' | b':');
    !name.is_empty() && name.bytes().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_same_from_both_ends() {
        let steps = [Step::Name("A"), Step::Index(1), Step::Name("b c"), Step::Name("D")];
        let mut path = String::new();
        steps.iter().rev().for_each(|step| prepend(&mut path, *step));
        assert_eq!(path, r#"A[1]["b c"].D"#);
        assert_eq!(render(&steps), path);
    }
}
