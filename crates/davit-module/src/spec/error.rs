//! What does not fit about arguments, in the words that users of the format know.

/// One thing that does not fit about a call's arguments.
///
/// `at` is the way to the options it is about: `["ld", "sub"]`; empty at the top.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgError {
    /// Names that the module does not have.
    #[error("Unsupported parameters for ({module}) module: {}. Supported parameters include: {}{}.", names.join(", "), supported.join(", "), aliases_text(aliases))]
    Unsupported {
        /// The module.
        module: String,
        /// The names, sorted, with the way to them: `ld.foo`.
        names: Vec<String>,
        /// The names there are, sorted.
        supported: Vec<String>,
        /// Other names for them, sorted.
        aliases: Vec<String>,
    },
    /// Arguments that must be given.
    #[error("missing required arguments: {}{}", names.join(", "), found(at))]
    Missing {
        /// Their names.
        names: Vec<String>,
        /// Where.
        at: Vec<String>,
    },
    /// More than one of a group of which one may be given.
    #[error("parameters are mutually exclusive: {}{}", groups(groups_), found(at))]
    Exclusive {
        /// The groups.
        groups_: Vec<Vec<String>>,
        /// Where.
        at: Vec<String>,
    },
    /// Only some of a group that belongs together.
    #[error("parameters are required together: {}{}", names.join(", "), found(at))]
    Together {
        /// The group.
        names: Vec<String>,
        /// Where.
        at: Vec<String>,
    },
    /// None of a group of which one must be given.
    #[error("one of the following is required: {}{}", names.join(", "), found(at))]
    OneOf {
        /// The group.
        names: Vec<String>,
        /// Where.
        at: Vec<String>,
    },
    /// What a value asks for is not given.
    #[error("{key} is {value} but {} of the following are missing: {}{}", if *any { "any" } else { "all" }, missing.join(", "), found(at))]
    If {
        /// The argument that decides.
        key: String,
        /// Its value.
        value: String,
        /// One of them would have been enough.
        any: bool,
        /// What is not given.
        missing: Vec<String>,
        /// Where.
        at: Vec<String>,
    },
    /// What an argument asks for is not given.
    #[error("missing parameter(s) required by '{key}': {}{}", missing.join(", "), found(at))]
    By {
        /// The argument that is given.
        key: String,
        /// What is not.
        missing: Vec<String>,
        /// Where.
        at: Vec<String>,
    },
    /// A value that is none of the choices.
    #[error("value of {key} must be {}: {}{} {}{}", if *list { "one or more of" } else { "one of" }, choices.join(", "), if *list { ". Got no match for:" } else { ", got:" }, got, found(at))]
    Choice {
        /// The argument.
        key: String,
        /// What may be given.
        choices: Vec<String>,
        /// What was given.
        got: String,
        /// The argument is a list.
        list: bool,
        /// Where.
        at: Vec<String>,
    },
    /// A value that cannot be made what the argument is.
    #[error("{} and we were unable to convert to {wanted}: {why}", about(key, got, *element, at))]
    Type {
        /// The argument.
        key: String,
        /// The type of the value.
        got: &'static str,
        /// What the argument is.
        wanted: &'static str,
        /// It is about an item of the list.
        element: bool,
        /// What is wrong with the value.
        why: String,
        /// Where.
        at: Vec<String>,
    },
    /// The options beneath an argument are not written as a map.
    #[error("value of '{key}' must be of type dict or list of dicts{}", found(at))]
    NotDict {
        /// The argument.
        key: String,
        /// Where.
        at: Vec<String>,
    },
    /// The arguments do not have the shape that the module reads.
    #[error("{text}")]
    Shape {
        /// What the reader said.
        text: String,
    },
}

impl ArgError {
    /// The argument that it is about, where it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Unsupported { names, .. }
            | Self::Missing { names, .. }
            | Self::Together { names, .. }
            | Self::OneOf { names, .. } => names.first().map(String::as_str),
            Self::Exclusive { groups_, .. } => {
                groups_.first().and_then(|it| it.first()).map(String::as_str)
            }
            Self::If { key, .. }
            | Self::By { key, .. }
            | Self::Choice { key, .. }
            | Self::Type { key, .. }
            | Self::NotDict { key, .. } => Some(key),
            Self::Shape { .. } => None,
        }
    }
}

fn aliases_text(aliases: &[String]) -> String {
    if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) }
}

fn found(at: &[String]) -> String {
    if at.is_empty() { String::new() } else { format!(" found in {}", at.join(" -> ")) }
}

fn groups(groups: &[Vec<String>]) -> String {
    groups.iter().map(|it| it.join("|")).collect::<Vec<_>>().join(", ")
}

fn about(key: &str, got: &str, element: bool, at: &[String]) -> String {
    match (element, at.is_empty()) {
        (false, true) => format!("argument '{key}' is of type {got}"),
        (false, false) => {
            format!("argument '{key}' is of type {got} found in '{}'.", at.join(" -> "))
        }
        (true, true) => format!("Elements value for option '{key}' is of type {got}"),
        (true, false) => {
            let place = at.join(" -> ");
            format!("Elements value for option '{key}' found in '{place}' is of type {got}")
        }
    }
}
