//! What is linked in may be used for anything: every package's licence is one that `deny.toml` allows.
//!
//! The same list is `cargo deny check`'s, which knows more and need not be there.

use std::process::Command;

use crate::root;

/// Tells every package whose licence is not allowed.
pub(crate) fn check(wrong: &mut Vec<String>) -> Result<(), String> {
    let file = root().join("deny.toml");
    let text = std::fs::read_to_string(&file).map_err(|it| format!("{}: {it}", file.display()))?;
    let allowed = list_after(&text, "\nallow = [");
    // An exception is for one package: `{ allow = ["LICENCE"], crate = "PACKAGE" }`.
    let excepted: Vec<(String, Vec<String>)> = text
        .lines()
        .filter_map(|line| {
            let (before, package) = line.split_once("crate = \"")?;
            Some((package.split('"').next()?.to_owned(), list_after(before, "allow = [")))
        })
        .collect();
    // Where a manifest has no expression, somebody has read the file.
    let clarified: Vec<(&str, &str)> = text
        .split("[[licenses.clarify]]")
        .skip(1)
        .filter_map(|it| Some((value_of(it, "crate")?, value_of(it, "expression")?)))
        .collect();
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--workspace", "--edges", "normal,build", "--prefix", "none"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() || allowed.is_empty() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)));
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((package, licence)) = line.trim_end_matches(" (*)").split_once('|') else {
            continue;
        };
        let name = package.split(' ').next().unwrap_or_default();
        let read = clarified.iter().find(|(it, _)| licence.is_empty() && *it == name);
        let licence = read.map_or(licence, |(_, expression)| expression);
        let own = excepted.iter().filter(|(it, _)| it == name).flat_map(|(_, more)| more);
        let known: Vec<&str> = allowed.iter().chain(own).map(String::as_str).collect();
        if !allows(&known, licence) {
            wrong.push(format!("deny.toml: {package} has the licence {licence:?}"));
        }
    }
    wrong.dedup();
    Ok(())
}

/// The texts in quotes between `start` and the next `]`.
fn list_after(text: &str, start: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once(start) else { return Vec::new() };
    let inside = rest.split(']').next().unwrap_or_default();
    inside.split('"').skip(1).step_by(2).map(String::from).collect()
}

/// The text of the first `key = "text"`.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(&format!("\n{key} = \""))?.1.split('"').next()
}

/// Whether an expression such as `(MIT OR Apache-2.0) AND BSD-3-Clause` can be met.
fn allows(known: &[&str], licence: &str) -> bool {
    let text = licence.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = text.split_whitespace().peekable();
    let met = any(known, &mut words);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(known: &[&str], words: &mut Words<'_>) -> bool {
    let mut met = all(known, words);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(known, words);
    }
    met
}

fn all(known: &[&str], words: &mut Words<'_>) -> bool {
    let mut met = one(known, words);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(known, words);
    }
    met
}

fn one(known: &[&str], words: &mut Words<'_>) -> bool {
    match words.next() {
        Some("(") => any(known, words) & words.next_if_eq(&")").is_some(),
        Some(name) if words.next_if_eq(&"WITH").is_some() => {
            let full = format!("{name} WITH {}", words.next().unwrap_or_default());
            known.contains(&full.as_str())
        }
        Some(name) => known.contains(&name),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn expressions_are_met_or_not() {
        let known = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
        for good in [
            "MIT",
            "MIT/GPL-3.0",
            "GPL-3.0 OR MIT",
            "(GPL-3.0 OR MIT) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allows(&known, good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT WITH none", "(MIT", "MIT)", "MIT MIT"] {
            assert!(!allows(&known, bad), "{bad}");
        }
    }
}
