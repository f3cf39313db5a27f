//! What the check has to say, and how serious it is.

use std::fmt;

use davit_value::Origin;
use serde::Serialize;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It fails, or would if its task ran.
    Error,
    /// It is odd, or may be meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Finding {
    /// The file, as it is to be shown.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// How serious it is.
    pub severity: Severity,
    /// Which rule: a name of [`RULES`].
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it: often the nearest right word.
    pub help: Option<String>,
}

impl Finding {
    /// A finding at a place.
    #[must_use]
    pub fn new(
        rule: &'static str,
        severity: Severity,
        at: &Origin,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: at.file.to_string(),
            line: at.line,
            column: at.column,
            severity,
            rule,
            message: message.into(),
            help: None,
        }
    }

    /// The same with a word of help, where there is one.
    #[must_use]
    pub fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Every rule, sorted by name, and what it is about.
pub const RULES: &[(&str, &str)] = &[
    ("argument-rule", "Arguments of a module that exclude or require one another."),
    ("conflicting-actions", "A task names more than one action."),
    (
        "delimiters-in-condition",
        "A condition is an expression already; template delimiters are not needed in it.",
    ),
    ("duplicate-key", "A key stands twice in a mapping; the last one counts."),
    ("duplicate-loop", "A task has more than one loop."),
    ("file-not-found", "A file that is named is not there."),
    ("invalid-choice", "A value is none of those that the argument may have."),
    ("invalid-structure", "A play, block, task or role is not made as it has to be."),
    ("invalid-type", "A value cannot be made what the argument is."),
    ("invalid-value", "A keyword has a value that it cannot have."),
    ("invalid-variable-name", "A name that no variable can have."),
    ("missing-argument", "A module needs an argument that is not given."),
    ("no-action", "A task has no action."),
    ("non-boolean-condition", "A condition is a constant that is neither true nor false."),
    ("odd-argument", "A value names something that the module does not know."),
    ("role-not-found", "A role is not there."),
    ("template-syntax", "A template or an expression cannot be read."),
    ("undefined-variable", "Nothing defines a variable that is used."),
    ("unexpected-text", "Free text after a module that takes none."),
    ("unknown-argument", "A module or lookup does not have this argument."),
    ("unknown-filter", "There is no such filter."),
    ("unknown-handler", "Nothing defines a handler that is notified."),
    ("unknown-host", "The inventory has no such host or group."),
    ("unknown-keyword", "There is no such keyword here."),
    ("unknown-lookup", "There is no such lookup."),
    ("unknown-module", "There is no such module or action."),
    ("unknown-test", "There is no such test."),
    ("unreachable-task", "A task that never runs."),
    ("vault", "An encrypted file cannot be read."),
    ("warning", "Something odd or deprecated in a file."),
    ("yaml-syntax", "A file is not YAML."),
];

/// The one of `known` that is most like `name`, if any is like it.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .filter(|it| *it != name)
        .map(|it| (strsim::damerau_levenshtein(name, it), it))
        .filter(|(distance, _)| *distance <= 1 + name.chars().count() / 4)
        .min()
        .map(|(_, it)| it)
}

/// `Did you mean 'it'?`
pub(crate) fn did_you_mean(near: Option<&str>) -> Option<String> {
    near.map(|it| format!("Did you mean '{it}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_sorted() {
        assert!(RULES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn near_words_are_found() {
        for (name, expect) in
            [("pth", Some("path")), ("ownr", Some("owner")), ("zork", None), ("", None)]
        {
            assert_eq!(nearest(name, ["path", "owner", "mode"]), expect, "{name}");
        }
    }
}
