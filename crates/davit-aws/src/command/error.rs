//! What is wrong with a command line. Knows nothing of how it was found out.

use super::names;
use crate::model::ModelError;

/// Why a command line means nothing.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentError {
    /// No service or no operation was named.
    #[error("{what} is missing")]
    Nothing {
        /// `a service`, `an operation`, `a waiter`.
        what: &'static str,
        /// What `help` is asked for.
        topic: String,
    },
    /// There is no service, operation or waiter of this name.
    #[error("there is no {what} {name:?}{}", meant(nearest))]
    Unknown {
        /// `service`, `operation`, `waiter`.
        what: &'static str,
        /// The name.
        name: String,
        /// Names that are nearly this one.
        nearest: Vec<String>,
        /// What `help` is asked for.
        topic: String,
    },
    /// The operation has no such argument.
    #[error("{} has no argument {name}{}", command(topic), meant(nearest))]
    UnknownArgument {
        /// As it was written.
        name: String,
        /// Arguments that are nearly this one.
        nearest: Vec<String>,
        /// The operation.
        topic: String,
    },
    /// The beginning of more than one argument.
    #[error("{name} may be {}", listed(choices))]
    Ambiguous {
        /// As it was written.
        name: String,
        /// What it may be.
        choices: Vec<String>,
        /// The operation.
        topic: String,
    },
    /// Words that belong to no argument.
    #[error("{} belongs to no argument", quoted(words))]
    Words {
        /// The words.
        words: Vec<String>,
        /// The operation.
        topic: String,
    },
    /// Arguments that must be given.
    #[error("{} {} missing", listed(names), if names.len() == 1 { "is" } else { "are" })]
    Missing {
        /// Their names.
        names: Vec<String>,
        /// The operation.
        topic: String,
    },
    /// An argument stands without its value.
    #[error("{argument} takes {wanted}, and there is none")]
    NoValue {
        /// The argument.
        argument: String,
        /// What it takes.
        wanted: Wanted,
        /// The operation.
        topic: String,
    },
    /// A value is not what the argument takes.
    #[error("{argument} takes {wanted}: {reason}")]
    Value {
        /// The argument.
        argument: String,
        /// What it takes.
        wanted: Wanted,
        /// What is wrong with the value.
        reason: String,
        /// The operation.
        topic: String,
    },
    /// A file that an argument names cannot be read.
    #[error("the file {path} of {argument} cannot be read: {reason}")]
    File {
        /// The argument.
        argument: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Arguments that cannot be given together.
    #[error("{argument} cannot be given together with {other}")]
    Exclusive {
        /// One.
        argument: String,
        /// The other.
        other: String,
        /// The operation.
        topic: String,
    },
    /// The service's model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What an argument takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// `a list of structures`.
    pub kind: String,
    /// How it is written: `Name=string,Values=string,string ...`.
    pub example: Option<String>,
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.kind)?;
        match &self.example {
            Some(example) => write!(to, ", written {example}"),
            None => Ok(()),
        }
    }
}

impl ArgumentError {
    /// The words behind `help` that say more: `ec2 run-instances`. Nothing where help does not help.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        match self {
            Self::Nothing { topic, .. }
            | Self::Unknown { topic, .. }
            | Self::UnknownArgument { topic, .. }
            | Self::Ambiguous { topic, .. }
            | Self::Words { topic, .. }
            | Self::Missing { topic, .. }
            | Self::NoValue { topic, .. }
            | Self::Value { topic, .. }
            | Self::Exclusive { topic, .. } => Some(topic),
            Self::File { .. } | Self::Model(_) => None,
        }
    }

    pub(super) fn unknown<'a>(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
        topic: &str,
    ) -> Self {
        let nearest = names::nearest(name, known);
        Self::Unknown { what, name: name.to_owned(), nearest, topic: topic.to_owned() }
    }
}

/// What the arguments belong to, also where nothing was named yet.
const fn command(topic: &str) -> &str {
    if topic.is_empty() { "aws" } else { topic }
}

fn meant(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; did you mean {}?", listed(nearest)) }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(" ")
}

/// `a, b or c`.
fn listed(names: &[String]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        [one] => one.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_belong_to_something() {
        for (topic, said) in [
            ("", "aws has no argument --verison; did you mean --version?"),
            ("ec2", "ec2 has no argument --verison; did you mean --version?"),
        ] {
            let error = ArgumentError::UnknownArgument {
                name: "--verison".to_owned(),
                nearest: vec!["--version".to_owned()],
                topic: topic.to_owned(),
            };
            assert_eq!(error.to_string(), said);
        }
    }
}
